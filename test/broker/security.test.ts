// Published vulnerabilities of brokers, each tried on this one: what was sent, and what has to be true afterwards. Those that
// concern access rules are in access.test.ts, wills in wills.test.ts, take-over in takeover.test.ts, files and limits in
// security-limits.test.ts.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { client, nextPublish, payloads, received } from '../support/deliveries.js'
import { connectPacket, RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0' })
after(() => broker.stop())

let number = 0

/** Fails unless the broker serves a new client. */
async function isWell(): Promise<void> {
  const { client: probe, connack } = await RawClient.connect(broker.port, { clientId: `probe-${++number}` })
  assert.equal(connack.reasonCode, 0)
  probe.publish({ topic: 'probe', payload: 'x' })
  assert.deepEqual(await probe.settled(), [])
  probe.disconnect()
  await probe.closed()
}

/** `text` as a UTF-8 field. */
function field(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

/** A packet with its length made up for. */
function packet(header: number, ...parts: readonly (Buffer | number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const length: number[] = []
  for (let left = body.length; ; left >>>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left)
    if (left <= 127) break
  }
  return Buffer.concat([Buffer.from([header, ...length]), body])
}

interface Attack {
  readonly name: string
  /** Before CONNECT, or with a connection of this version. */
  readonly as: 'stranger' | 4 | 5
  readonly send: Buffer | string
  readonly ends: 'closed' | 'open'
}

/** User properties of 7 bytes behind their length, which takes two bytes up to 2340 of them and three beyond. */
function userProperties(count: number): Buffer {
  const size = count * 7
  const length =
    size < 16_384 ? [(size & 127) | 128, size >> 7] : [(size & 127) | 128, ((size >> 7) & 127) | 128, size >> 14]
  const one = Buffer.concat([Buffer.from([0x26]), field('k'), field('v')])
  return Buffer.concat([Buffer.from(length), ...new Array<Buffer>(count).fill(one)])
}
const deep = '/'.repeat(65_400)

// biome-ignore format: one row a line
const attacks: readonly Attack[] = [
  { name: 'CVE-2017-7651 CVE-2021-22116: CONNECT that announces 256 MB', as: 'stranger', send: '10 ff ff ff 7f 00 04 4d', ends: 'closed' },
  { name: 'CVE-2021-33176: PUBLISH that announces 256 MB', as: 4, send: '30 ff ff ff 7f', ends: 'closed' },
  { name: 'CVE-2017-7653: a topic that is not UTF-8', as: 4, send: packet(0x30, [0, 2, 0xc3, 0x28]), ends: 'closed' },
  { name: 'CVE-2017-7653: a surrogate in a topic', as: 5, send: packet(0x30, [0, 3, 0xed, 0xa0, 0x80, 0]), ends: 'closed' },
  { name: 'CVE-2018-12543: a topic that begins with $ but not $SYS', as: 4, send: packet(0x32, field('$CONTROL'), [0, 1]), ends: 'open' },
  { name: 'CVE-2018-12543: the topic $', as: 4, send: packet(0x32, field('$'), [0, 1]), ends: 'open' },
  { name: 'CVE-2019-11779: SUBSCRIBE with 65,400 slashes', as: 4, send: packet(0x82, [0, 1], field(deep), [0]), ends: 'closed' },
  { name: 'CVE-2019-11779: UNSUBSCRIBE with 65,400 slashes', as: 4, send: packet(0xa2, [0, 1], field(deep)), ends: 'closed' },
  { name: 'CVE-2019-11779: PUBLISH with 65,400 slashes', as: 5, send: packet(0x30, field(deep), [0]), ends: 'closed' },
  { name: 'CVE-2021-28166: CONNACK from a client', as: 5, send: '20 03 00 00 00', ends: 'closed' },
  { name: 'CVE-2021-28166: SUBACK from a client', as: 4, send: '90 03 00 01 00', ends: 'closed' },
  { name: 'CVE-2021-34432: PUBLISH with an empty topic', as: 4, send: '30 02 00 00', ends: 'closed' },
  { name: 'CVE-2023-0809: first packet PUBLISH of 256 MB', as: 'stranger', send: '30 ff ff ff 7f 00 01 61', ends: 'closed' },
  { name: 'CVE-2023-0809: first packet of a type that does not exist', as: 'stranger', send: '00 ff ff ff 7f', ends: 'closed' },
  { name: 'sol #15: PUBACK before CONNECT', as: 'stranger', send: '40 02 00 01', ends: 'closed' },
  { name: 'CVE-2026-21888: a length of five bytes', as: 4, send: '30 80 80 80 80 01', ends: 'closed' },
  { name: 'CVE-2026-21888: a property length of five bytes', as: 5, send: packet(0x30, field('t'), [0x80, 0x80, 0x80, 0x80, 1]), ends: 'closed' },
  { name: 'CVE-2024-48080: a filter with several #', as: 4, send: packet(0x82, [0, 1], field('#/#/a/#'), [0]), ends: 'closed' },
  { name: 'CVE-2024-48080: the same inside a share', as: 5, send: packet(0x82, [0, 1, 0], field('$share/g/#/#'), [0]), ends: 'closed' },
  { name: 'CVE-2025-68699: $share/ab without a filter', as: 5, send: packet(0x82, [0, 1, 0], field('$share/ab'), [0]), ends: 'closed' },
  { name: 'CVE-2025-68699: the same from 3.1.1', as: 4, send: packet(0x82, [0, 1], field('$share/ab'), [0]), ends: 'closed' },
  { name: 'NanoMQ #2268: SUBSCRIBE without an options byte', as: 5, send: packet(0x82, [0, 1, 0], field('a')), ends: 'closed' },
  { name: 'NanoMQ #2270: QoS 1 PUBLISH without an identifier', as: 4, send: packet(0x32, field('a')), ends: 'closed' },
  { name: 'CVE-2018-11615: a topic that looks like a regular expression', as: 4, send: packet(0x32, field('(a*)*$[^/'), [0, 1]), ends: 'open' },
  { name: 'CVE-2018-11615: a filter that looks like one', as: 4, send: packet(0x82, [0, 1], field('((a|aa)*)*$/\\'), [0]), ends: 'open' },
  { name: 'CVE-2021-41039: PUBLISH with 1000 user properties', as: 5, send: packet(0x32, field('t'), [0, 1], userProperties(1000)), ends: 'open' },
  { name: 'CVE-2021-41039: PUBLISH with 280,000 user properties', as: 5, send: packet(0x32, field('t'), [0, 1], userProperties(280_000)), ends: 'closed' },
  { name: 'CVE-2021-41039: CONNECT larger than 100,000 bytes', as: 'stranger', send: packet(0x10, field('MQTT'), [5, 2, 0, 0], Buffer.alloc(100_000)), ends: 'closed' },
  { name: 'CVE-2023-3592: a will with a property that a will cannot have', as: 'stranger', send: packet(0x10, field('MQTT'), [5, 6, 0, 0, 0], field('x'), [3, 0x23, 0, 1], field('w'), [0, 0]), ends: 'closed' },
]

describe('one packet', () => {
  for (const { name, as, send, ends } of attacks)
    test(`${name}: ${ends}, the broker is well`, async () => {
      const before = process.memoryUsage().arrayBuffers
      const one = await RawClient.open(broker.port)
      one.version = as === 'stranger' ? 5 : as
      if (as !== 'stranger') {
        one.send(connectPacket({ clientId: `attack-${++number}`, version: as }))
        await one.expect(PacketType.CONNACK)
      }
      one.send(send)
      if (ends === 'closed') await one.closed()
      else {
        await one.settled()
        await one.drop()
      }
      assert.ok(
        process.memoryUsage().arrayBuffers - before < 20_000_000,
        'nothing is allocated for what is only announced',
      )
      await isWell()
    })
})

test('CVE-2017-7654 CVE-2021-34431 CVE-2023-3592: hundreds of CONNECTs that fail leave nothing behind', async (t) => {
  const own = await startBroker({ conf: 'sys_interval 10' })
  t.after(() => own.stop())
  const good = packet(
    0x10,
    field('MQTT'),
    [5, 0xce, 0, 0, 0],
    field('id'),
    [0],
    field('w'),
    field('p'),
    field('u'),
    field('p'),
  )
  for (let i = 0; i < 200; i++) {
    const one = await RawClient.open(own.port)
    one.version = 5
    const cut = Buffer.from(good.subarray(0, 2 + (i % (good.length - 2))))
    cut[1] = cut.length - 2
    one.send(cut)
    await one.closed()
  }
  const watcher = await client(t, own, { clientId: 'watcher' })
  own.advance(10)
  await watcher.subscribe([{ filter: '$SYS/broker/clients/+' }])
  const lines = await received(watcher)
  for (const name of ['total', 'connected'])
    assert.ok(lines.includes(`$SYS/broker/clients/${name} 1 q0 retain`), lines.join())
})

test('CVE-2023-28366: thousands of QoS 2 messages with one identifier are one, and PUBREL ends it', async (t) => {
  const one = await client(t, broker, { clientId: 'same-id', version: 5 })
  const watcher = await client(t, broker, { clientId: 'same-id-w' })
  await watcher.subscribe([{ filter: 'same-id' }])
  for (let i = 0; i < 5000; i++) one.publish({ topic: 'same-id', payload: `${i}`, qos: 2, packetId: 1 })
  await one.settled()
  assert.deepEqual(await payloads(watcher), ['0'])
  for (const expected of [0, 0x92]) {
    one.ack(PacketType.PUBREL, 1)
    const answer = await one.next()
    assert.ok(answer.type === PacketType.PUBCOMP && answer.reasonCode === expected)
  }
})

test('CVE-2024-42644 CVE-2026-42209: crafted retained messages are stored and found, whatever their names', async (t) => {
  const one = await client(t, broker, { clientId: 'crafted', version: 5 })
  const names = [
    '/',
    '//',
    'a//',
    ' ',
    '$',
    '$a//',
    '__proto__',
    'constructor/prototype',
    '\u{10fffd}',
    '/'.repeat(199),
  ]
  for (const topic of names) one.publish({ topic, payload: topic, retain: true })
  await one.settled()
  for (const topic of names) {
    await one.subscribe([{ filter: topic }])
    assert.equal((await nextPublish(one)).payload.toString(), topic)
    await one.unsubscribe(topic)
    one.publish({ topic, retain: true })
  }
  await one.settled()
})

test('CVE-2024-8376: random sequences of plain and shared subscriptions of two clients give every message its copies', async (t) => {
  const clients = [
    await client(t, broker, { clientId: 'seq-a' }),
    await client(t, broker, { clientId: 'seq-b' }),
  ] as const
  const publisher = await client(t, broker, { clientId: 'seq-p' })
  const filters = ['seq', 'seq/#', '$share/g/seq', '$share/h/seq'] as const
  const step = fc.record({
    who: fc.constantFrom(0 as const, 1 as const),
    filter: fc.constantFrom(...filters),
    add: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const held = new Set<string>()
      for (const { who, filter, add } of steps) {
        if (add) await clients[who].subscribe([{ filter }])
        else await clients[who].unsubscribe(filter)
        held[add ? 'add' : 'delete'](`${who} ${filter}`)
      }
      publisher.publish({ topic: 'seq', payload: 'x' })
      await publisher.settled()
      const got = [(await payloads(clients[0])).length, (await payloads(clients[1])).length] as const
      const plain = (who: number) => filters.slice(0, 2).filter((filter) => held.has(`${who} ${filter}`)).length
      const groups = filters.slice(2).filter((filter) => held.has(`0 ${filter}`) || held.has(`1 ${filter}`)).length
      assert.equal(got[0] + got[1], plain(0) + plain(1) + groups)
      assert.ok(got[0] >= plain(0) && got[1] >= plain(1))
      for (const one of clients) await one.unsubscribe(...filters)
    }),
    { numRuns: 40 },
  )
})

test('D3.8 names from the network are escaped in the log', async (t) => {
  const one = await client(t, broker, { clientId: 'evil', username: 'user' })
  one.publish({ topic: 'x\u001b[2J\nforged line', payload: 'x' })
  await one.closed().catch(() => undefined)
  assert.deepEqual(
    broker.log.filter((text) => /[\u0000-\u0008\n-\u001f\u007f-\u009f]/.test(text)),
    [],
  )
})

test('CVE-2020-13410 D3.2: random bytes and random sequences of packets end one connection at most', async () => {
  const topics = ['a', 'a/b', '$share/g/a', '#', '+', '$SYS/x', '']
  const topic = fc.constantFrom(...topics)
  const id = fc.integer({ min: 1, max: 4 })
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(fc.nat(255), fc.uint8Array({ maxLength: 20 }))
      .map(([header, bytes]) => packet(header, Buffer.from(bytes))),
    fc
      .tuple(topic, fc.nat(2), fc.nat(1), id)
      .map(([name, qos, retain, packetId]) =>
        packet(0x30 | (qos << 1) | retain, field(name), qos > 0 ? [0, packetId] : [], [0x78]),
      ),
    fc.tuple(topic, fc.nat(3), id).map(([filter, qos, packetId]) => packet(0x82, [0, packetId], field(filter), [qos])),
    fc.tuple(topic, id).map(([filter, packetId]) => packet(0xa2, [0, packetId], field(filter))),
    fc.tuple(fc.constantFrom(0x40, 0x50, 0x62, 0x70), id).map(([header, packetId]) => packet(header, [0, packetId])),
    fc.constant(Buffer.from([0xe0, 0])),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.boolean(), fc.nat(3), async (pieces, cleanStart, who) => {
      const one = await RawClient.open(broker.port)
      one.send(connectPacket({ clientId: `fuzz-${who}`, cleanStart }))
      await one.expect(PacketType.CONNACK)
      one.send(Buffer.concat(pieces))
      await new Promise((resolve) => setImmediate(resolve))
      await one.drop()
    }),
    { numRuns: 200 },
  )
  await isWell()
  assert.deepEqual(
    broker.log.filter((text) => text.includes('Internal error')),
    [],
  )
})
