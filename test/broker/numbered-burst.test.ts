// Many QoS 1 and 2 messages in one piece from a publisher: who gets which of them, in which order, and what is acknowledged, is as if
// each had come by itself.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { Room } from '../../src/broker/memory-limit.js'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import { encodePacket, type Packet } from '../../src/protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { AckType } from '../../src/protocol/packets/acks.js'
import { type Publish, type PublishFields, publish, type Qos } from '../../src/protocol/packets/publish.js'
import { MemoryStore } from '../../src/store/memory-store.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { client, payloads, publishesOf, take } from '../support/deliveries.js'
import { FaultStore } from '../support/fault-store.js'
import type { RawClient } from '../support/raw-client.js'

const wide = 'sys_interval 0\nmax_inflight_messages 0'
const broker = await startBroker({ conf: wide, debug: false })
after(() => broker.stop())

let number = 0
const unique = () => `numbered/${++number}`
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `${from + at}`)
const texts = (packets: readonly Publish[]) => packets.map(({ payload }) => payload.toString())

function message(topic: string, payload: string, packetId: number, fields: Partial<PublishFields> = {}): Packet {
  return publish({ topic, qos: 1, packetId, ...fields, payload: Buffer.from(payload) })
}

const many = (topic: string, count: number, qos: Qos = 1) =>
  numbers(count).map((text, at) => message(topic, text, at + 1, { qos }))

function sendTogether(from: RawClient, packets: readonly Packet[]): void {
  from.send(Buffer.concat(packets.map((packet) => encodePacket(packet, from.version))))
}

/** `PUBACK 1 0`: name, identifier and reason code of all acknowledgements that have come. */
async function acknowledgements(from: RawClient): Promise<string[]> {
  const names: Partial<Record<PacketType, string>> = {
    [PacketType.PUBACK]: 'PUBACK',
    [PacketType.PUBREC]: 'PUBREC',
    [PacketType.PUBCOMP]: 'PUBCOMP',
  }
  return (await from.settled()).flatMap((packet) => {
    const name = names[packet.type]
    return name === undefined || !('packetId' in packet) || !('reasonCode' in packet)
      ? []
      : [`${name} ${packet.packetId} ${packet.reasonCode}`]
  })
}

const acksOf = (packets: readonly Publish[], type: AckType) =>
  packets.map(({ packetId }): Packet => ({ type, packetId, reasonCode: 0, properties: {} }))

const acknowledged = (count: number, name = 'PUBACK', reasonCode = 0) =>
  Array.from({ length: count }, (_, at) => `${name} ${at + 1} ${reasonCode}`)

async function parties(t: TestContext, own: TestBroker, ...versions: readonly ProtocolVersion[]) {
  const topic = unique()
  const publisher = await client(t, own, { clientId: `${topic}/p`, version: 5 })
  const subscribers: RawClient[] = []
  for (const [at, version] of versions.entries())
    subscribers.push(await client(t, own, { clientId: `${topic}/s${at}`, version }))
  return { topic, publisher, subscribers }
}

for (const qos of [1, 2] as const)
  for (const versions of [[4], [5], [3], [5, 5], [3, 4, 5]] as const)
    for (const from of [4, 5] as const)
      test(`QoS ${qos}: every subscriber of ${versions} gets all that a publisher of ${from} sends, in order`, async (t) => {
        const { topic, subscribers } = await parties(t, broker, ...versions)
        const publisher = await client(t, broker, { clientId: `${topic}/from`, version: from })
        for (const each of subscribers) await each.subscribe([{ filter: topic, qos }])
        sendTogether(publisher, many(topic, 300, qos))
        assert.deepEqual(await acknowledgements(publisher), acknowledged(300, qos === 1 ? 'PUBACK' : 'PUBREC'))
        for (const each of subscribers) {
          const packets = await take(each, 300)
          assert.deepEqual(texts(packets), numbers(300))
          assert.ok(packets.every((packet) => packet.qos === qos && !packet.dup && packet.topic === topic))
          assert.equal(new Set(packets.map(({ packetId }) => packetId)).size, 300)
          if (qos === 1) assert.deepEqual(await payloads(each), [])
        }
        if (qos === 1) return
        sendTogether(
          publisher,
          numbers(300, 1).map((id) => ({
            type: PacketType.PUBREL,
            packetId: Number(id),
            reasonCode: 0,
            properties: {},
          })),
        )
        assert.deepEqual(await acknowledgements(publisher), acknowledged(300, 'PUBCOMP'))
      })

test('[MQTT-4.3.3-10] a repeated QoS 2 packet among them is acknowledged and not delivered again', async (t) => {
  const { topic, publisher, subscribers } = await parties(t, broker, 5)
  await subscribers[0]?.subscribe([{ filter: topic, qos: 2 }])
  const ids = [1, 2, 3, 2, 4, 1, 5, 6, 9, 7, 8, 9]
  sendTogether(
    publisher,
    ids.map((id) => message(topic, `${id}`, id, { qos: 2 })),
  )
  assert.deepEqual(
    await acknowledgements(publisher),
    ids.map((id) => `PUBREC ${id} 0`),
  )
  assert.deepEqual(await payloads(subscribers[0] as RawClient), ['1', '2', '3', '4', '5', '6', '9', '7', '8'])
})

test('[MQTT-3.3.4-7] more QoS 2 packets than the broker said it takes end the connection; the others arrive', async (t) => {
  const own = await startBroker({ conf: 'max_inflight_messages 10', debug: false })
  t.after(() => own.stop())
  const { topic, publisher, subscribers } = await parties(t, own, 4)
  await subscribers[0]?.subscribe([{ filter: topic, qos: 0 }])
  sendTogether(publisher, many(topic, 15, 2))
  const ids = []
  for (;;) {
    const packet = await publisher.next()
    if (packet.type === PacketType.DISCONNECT) {
      assert.equal(packet.reasonCode, 0x93)
      break
    }
    if (packet.type === PacketType.PUBREC) ids.push(packet.packetId)
  }
  assert.deepEqual(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  assert.deepEqual(await payloads(subscribers[0] as RawClient), numbers(10))
})

describe('who gets them', () => {
  test('nobody: 5.0 is told so of each', async (t) => {
    const { topic, publisher } = await parties(t, broker)
    sendTogether(publisher, many(topic, 30))
    assert.deepEqual(await acknowledgements(publisher), acknowledged(30, 'PUBACK', 0x10))
  })

  for (const granted of [0, 1] as const)
    test(`[MQTT-3.8.4-8] a subscription of QoS ${granted} gets QoS 2 messages with that, beside one that gets them as they are`, async (t) => {
      const { topic, publisher, subscribers } = await parties(t, broker, 5, 5)
      await subscribers[0]?.subscribe([{ filter: topic, qos: 2 }])
      await subscribers[1]?.subscribe([{ filter: topic, qos: granted }])
      sendTogether(publisher, many(topic, 50, 2))
      for (const [at, qos] of [2, granted].entries()) {
        const packets = await take(subscribers[at] as RawClient, 50)
        assert.deepEqual(texts(packets), numbers(50))
        assert.ok(packets.every((packet) => packet.qos === qos))
      }
    })

  test('[MQTT-3.3.4-9] a client with a window of 5 gets 5, and the others as it acknowledges', async (t) => {
    const { topic, publisher } = await parties(t, broker)
    const narrow = await client(t, broker, { clientId: `${topic}/n`, version: 5, properties: { receiveMaximum: 5 } })
    await narrow.subscribe([{ filter: topic, qos: 1 }])
    sendTogether(publisher, many(topic, 40))
    assert.deepEqual(await acknowledgements(publisher), acknowledged(40))
    const first = publishesOf(await narrow.settled())
    assert.deepEqual(texts(first), numbers(5))
    sendTogether(narrow, acksOf(first, PacketType.PUBACK))
    const second = publishesOf(await narrow.settled())
    assert.deepEqual(texts(second), numbers(5, 5))
    sendTogether(publisher, many(topic, 10))
    for (const { packetId } of second) narrow.ack(PacketType.PUBACK, packetId)
    assert.deepEqual(texts(await take(narrow, 40)), [...numbers(30, 10), ...numbers(10)])
  })

  test('[MQTT-4.3.3-6] a window of QoS 2 moves with PUBCOMP, not with PUBREC', async (t) => {
    const { topic, publisher } = await parties(t, broker)
    const narrow = await client(t, broker, { clientId: `${topic}/n`, version: 5, properties: { receiveMaximum: 5 } })
    await narrow.subscribe([{ filter: topic, qos: 2 }])
    sendTogether(publisher, many(topic, 12, 2))
    const first = publishesOf(await narrow.settled())
    assert.deepEqual(texts(first), numbers(5))
    sendTogether(narrow, acksOf(first, PacketType.PUBREC))
    const released = await narrow.settled()
    assert.deepEqual(
      released.map((packet) => packet.type === PacketType.PUBREL && packet.packetId),
      first.map(({ packetId }) => packetId),
    )
    sendTogether(narrow, acksOf(first, PacketType.PUBCOMP))
    assert.deepEqual(texts(await take(narrow, 7)), numbers(7, 5))
  })

  test('what is more than may wait is dropped, and no more than that', async (t) => {
    const own = await startBroker({ conf: 'max_inflight_messages 5\nmax_queued_messages 20', debug: false })
    t.after(() => own.stop())
    const { topic, publisher, subscribers } = await parties(t, own, 5)
    const [narrow] = subscribers as [RawClient]
    await narrow.subscribe([{ filter: topic, qos: 1 }])
    for (const from of [0, 10, 20])
      sendTogether(
        publisher,
        numbers(10, from).map((text) => message(topic, text, 1)),
      )
    await publisher.settled()
    assert.deepEqual(texts(await take(narrow, 25)), numbers(25))
    assert.deepEqual(await payloads(narrow), [])
    sendTogether(publisher, many(topic, 3))
    assert.deepEqual(texts(await take(narrow, 3)), numbers(3))
  })

  test('plugins are told of each that has to wait', async (t) => {
    const waiting: string[] = []
    const plugins: Plugin[] = [{ name: 'p', enqueued: ({ payload }) => void waiting.push(`${Buffer.from(payload)}`) }]
    const own = await startBroker({ conf: 'max_inflight_messages 5', debug: false, plugins })
    t.after(() => own.stop())
    const { topic, publisher, subscribers } = await parties(t, own, 5)
    await subscribers[0]?.subscribe([{ filter: topic, qos: 1 }])
    sendTogether(publisher, many(topic, 12))
    await publisher.settled()
    assert.deepEqual(waiting, numbers(7, 5))
  })

  test('an absent session gets them when it is back, behind what waited', async (t) => {
    const topic = unique()
    const publisher = await client(t, broker, { clientId: `${topic}/p` })
    const fields = { clientId: `${topic}/a`, cleanStart: false }
    const first = await client(t, broker, fields)
    await first.subscribe([{ filter: topic, qos: 1 }])
    sendTogether(publisher, many(topic, 20))
    await publisher.settled()
    // Sent, and not acknowledged.
    assert.equal((await payloads(first)).length, 20)
    await first.drop()
    sendTogether(
      publisher,
      numbers(20, 20).map((text) => message(topic, text, Number(text) + 1)),
    )
    await publisher.settled()
    const again = await client(t, broker, fields)
    const packets = await take(again, 40)
    assert.deepEqual(texts(packets), numbers(40))
    assert.deepEqual(
      packets.map(({ dup }) => dup),
      numbers(40).map((text) => Number(text) < 20),
    )
  })

  test('[MQTT-3.1.2-24] [MQTT-3.1.2-25] those whose Maximum Packet Size a message exceeds go without that one', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, broker, 5)
    const small = await client(t, broker, {
      clientId: `${topic}/m`,
      version: 5,
      properties: { maximumPacketSize: 100 },
    })
    for (const each of [small, ...subscribers]) await each.subscribe([{ filter: topic, qos: 1 }])
    const sizes = [5, 6, 7, 300, 8, 9, 10, 11, 12]
    sendTogether(
      publisher,
      sizes.map((size, at) => message(topic, 'x'.repeat(size), at + 1)),
    )
    const lengths = (packets: readonly Publish[]) => packets.map(({ payload }) => payload.length)
    assert.deepEqual(lengths(await take(subscribers[0] as RawClient, 9)), sizes)
    assert.deepEqual(
      lengths(await take(small, 8)),
      sizes.filter((size) => size < 100),
    )
  })

  test('[MQTT-3.8.3-3] not the publisher itself with No Local', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, broker, 5)
    await publisher.subscribe([{ filter: topic, noLocal: true, qos: 1 }])
    await subscribers[0]?.subscribe([{ filter: topic, qos: 1 }])
    sendTogether(publisher, many(topic, 30))
    assert.deepEqual(texts(await take(subscribers[0] as RawClient, 30)), numbers(30))
    assert.deepEqual(publishesOf(await publisher.settled()), [])
  })

  test('[MQTT-3.3.4-2] [MQTT-3.3.4-3] overlapping subscriptions of a 5.0 client: a copy each, in order', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, broker, 5)
    const [subscriber] = subscribers as [RawClient]
    await subscriber.subscribe([{ filter: `${topic}/a`, qos: 1 }])
    await subscriber.subscribe([{ filter: `${topic}/+`, qos: 1 }])
    sendTogether(publisher, many(`${topic}/a`, 20))
    assert.deepEqual(
      texts(await take(subscriber, 40)),
      numbers(20).flatMap((text) => [text, text]),
    )
  })

  for (const copies of [1, 2])
    test(`overlapping subscriptions of a 3.1.1 client with allow_duplicate_messages ${copies > 1}: ${copies} each`, async (t) => {
      const own = await startBroker({ conf: `${wide}\nallow_duplicate_messages ${copies > 1}`, debug: false })
      t.after(() => own.stop())
      const { topic, subscribers } = await parties(t, own, 4)
      const publisher = await client(t, own, { clientId: `${topic}/from` })
      const [subscriber] = subscribers as [RawClient]
      await subscriber.subscribe([
        { filter: `${topic}/a`, qos: 1 },
        { filter: `${topic}/+`, qos: 1 },
      ])
      sendTogether(publisher, many(`${topic}/a`, 20))
      assert.deepEqual(
        texts(await take(subscriber, 20 * copies)),
        numbers(20).flatMap((text) => Array.from({ length: copies }, () => text)),
      )
      assert.deepEqual(await payloads(subscriber), [])
    })

  test('[MQTT-4.8.2-4] one member of a shared group each, beside a plain subscriber', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, broker, 5, 5, 5)
    const [one, other, plain] = subscribers as [RawClient, RawClient, RawClient]
    for (const each of [one, other]) await each.subscribe([{ filter: `$share/g/${topic}`, qos: 1 }])
    await plain.subscribe([{ filter: topic, qos: 1 }])
    sendTogether(publisher, many(topic, 40))
    assert.deepEqual(texts(await take(plain, 40)), numbers(40))
    const shared = [...(await payloads(one)), ...(await payloads(other))]
    assert.deepEqual(
      shared.map(Number).sort((a, b) => a - b),
      numbers(40).map(Number),
    )
  })

  test('with upgrade_outgoing_qos those of a higher QoS get that', async (t) => {
    const own = await startBroker({ conf: `${wide}\nupgrade_outgoing_qos true`, debug: false })
    t.after(() => own.stop())
    const { topic, publisher, subscribers } = await parties(t, own, 5)
    await subscribers[0]?.subscribe([{ filter: topic, qos: 2 }])
    sendTogether(publisher, many(topic, 20))
    const packets = await take(subscribers[0] as RawClient, 20)
    assert.ok(packets.every(({ qos }) => qos === 2))
  })

  test('behind a mount point under its own name, and outside with it', async (t) => {
    const mounted = await startBroker({ conf: `mount_point in/\nlistener 0 127.0.0.1\n${wide}`, debug: false })
    t.after(() => mounted.stop())
    const ports = mounted.log.flatMap((text) => / listen socket on port (\d+)/.exec(text)?.[1] ?? []).map(Number)
    const plain: TestBroker = { ...mounted, port: ports[1] ?? 0 }
    const { topic, publisher, subscribers } = await parties(t, mounted, 5)
    const [inside] = subscribers as [RawClient]
    const outside = await client(t, plain, { clientId: 'outside', version: 5 })
    await outside.subscribe([{ filter: '#', qos: 1 }])
    sendTogether(publisher, many(topic, 20))
    assert.ok((await take(outside, 20)).every((packet) => packet.topic === `in/${topic}`))
    await publisher.settled()
    await inside.subscribe([{ filter: topic, qos: 1 }])
    sendTogether(publisher, many(topic, 20))
    for (const [each, name] of [
      [inside, topic],
      [outside, `in/${topic}`],
    ] as const) {
      const packets = await take(each, 20)
      assert.deepEqual(texts(packets), numbers(20))
      assert.ok(packets.every((packet) => packet.topic === name))
    }
  })
})

describe('what may pass', () => {
  test('a message above message_size_limit among them is refused, alone', async (t) => {
    const own = await startBroker({ conf: 'message_size_limit 100', debug: false })
    t.after(() => own.stop())
    const { topic, publisher, subscribers } = await parties(t, own, 4)
    await subscribers[0]?.subscribe([{ filter: topic }])
    const sizes = [5, 6, 100, 101, 7, 8, 9]
    sendTogether(
      publisher,
      sizes.map((size, at) => message(topic, 'x'.repeat(size), at + 1)),
    )
    assert.deepEqual(
      await acknowledgements(publisher),
      sizes.map((size, at) => `PUBACK ${at + 1} ${size > 100 ? 0x83 : 0}`),
    )
    assert.deepEqual(
      (await payloads(subscribers[0] as RawClient)).map(({ length }) => length),
      sizes.filter((size) => size <= 100),
    )
  })

  test('what is denied is refused, each of them; what nobody may read reaches nobody', async (t) => {
    const files = { acl: 'topic write secret\ntopic readwrite open\n' }
    const own = await startBroker({ conf: 'acl_file {folder}/acl', files, debug: false })
    t.after(() => own.stop())
    const { publisher, subscribers } = await parties(t, own, 5)
    await subscribers[0]?.subscribe([{ filter: '#', qos: 1 }])
    for (const [topic, reasonCode] of [
      ['denied', 0x87],
      ['secret', 0x10],
      ['open', 0],
    ] as const) {
      sendTogether(publisher, many(topic, 12))
      assert.deepEqual(await acknowledgements(publisher), acknowledged(12, 'PUBACK', reasonCode))
    }
    const packets = await take(subscribers[0] as RawClient, 12)
    assert.ok(packets.every(({ topic }) => topic === 'open'))
  })

  test('an identifier 0 among them ends the connection; those before it arrive', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, broker, 5)
    await subscribers[0]?.subscribe([{ filter: topic }])
    const packets = many(topic, 9).map((packet) => encodePacket(packet, 5))
    const bad = Buffer.from(packets[5] as Buffer)
    bad.writeUInt16BE(0, 4 + topic.length)
    publisher.send(Buffer.concat([...packets.slice(0, 5), bad, ...packets.slice(6)]))
    for (;;) {
      const packet = await publisher.next()
      if (packet.type === PacketType.DISCONNECT) break
    }
    assert.deepEqual(await payloads(subscribers[0] as RawClient), numbers(5))
  })

  test('QoS 0 messages in front of a refused one and of others keep their place', async (t) => {
    const own = await startBroker({ conf: `${wide}\nmessage_size_limit 100`, debug: false })
    t.after(() => own.stop())
    const { topic, publisher, subscribers } = await parties(t, own, 5)
    await subscribers[0]?.subscribe([{ filter: topic, qos: 1 }])
    const zeros = numbers(10).map((text) => message(topic, text, 0, { qos: 0 }))
    const ones = numbers(10, 10).map((text, at) => message(topic, text, at + 1))
    sendTogether(publisher, [...zeros, message(topic, 'x'.repeat(101), 50), ...ones])
    assert.deepEqual(texts(await take(subscribers[0] as RawClient, 20)), numbers(20))
  })

  test('requests to the broker are answered and go nowhere', async (t) => {
    const own = await startBroker({ conf: `${wide}\nenable_control_api true`, debug: false })
    t.after(() => own.stop())
    const admin = await client(t, own, { clientId: 'admin', version: 5 })
    await admin.subscribe('$CONTROL/broker/v1/response')
    const request = JSON.stringify({ commands: [{ command: 'listListeners' }] })
    sendTogether(
      admin,
      numbers(12).map((text) => message('$CONTROL/broker/v1', request, Number(text) + 1)),
    )
    const packets = await admin.settled()
    assert.equal(publishesOf(packets).length, 12)
    assert.equal(packets.filter(({ type }) => type === PacketType.PUBACK).length, 12)
  })

  test('without memory they are refused, each of them', async (t) => {
    const own = await startBroker({ conf: `${wide}\nmemory_limit 1000000000`, debug: false })
    t.after(() => own.stop())
    const { memoryLimit } = Reflect.get(own.broker, 'context') as { memoryLimit: { room: Room } }
    const { topic, publisher, subscribers } = await parties(t, own, 5)
    await subscribers[0]?.subscribe([{ filter: topic, qos: 1 }])
    memoryLimit.room = Room.NOTHING
    sendTogether(publisher, many(topic, 12))
    assert.deepEqual(await acknowledgements(publisher), acknowledged(12, 'PUBACK', 0x97))
    assert.deepEqual(await payloads(subscribers[0] as RawClient), [])
  })

  test('each of them is logged where that is wanted', async (t) => {
    const own = await startBroker({ conf: wide })
    t.after(() => own.stop())
    const { topic, publisher, subscribers } = await parties(t, own, 5)
    await subscribers[0]?.subscribe([{ filter: topic, qos: 1 }])
    sendTogether(publisher, many(topic, 12))
    await take(subscribers[0] as RawClient, 12)
    await subscribers[0]?.settled()
    for (const [what, from] of [
      ['Received PUBLISH from', 'p'],
      ['Sending PUBACK to', 'p'],
      ['Sending PUBLISH to', 's0'],
      ['Received PUBACK from', 's0'],
    ])
      assert.equal(own.log.filter((line) => line.startsWith(`${what} ${topic}/${from} `)).length, 12, what)
  })

  test('acknowledgements of what was never sent are taken, one with identifier 0 ends the connection', async (t) => {
    const from = await client(t, broker, { clientId: unique(), version: 5 })
    from.send(Buffer.from('40020001 40020002 40020003'.replaceAll(' ', ''), 'hex'))
    assert.deepEqual(await from.settled(), [])
    from.send(Buffer.from('40020001 40020002 40020000'.replaceAll(' ', ''), 'hex'))
    const [end] = await from.closed()
    assert.ok(end?.type === PacketType.DISCONNECT && end.reasonCode === 0x82)
  })

  test('plugins are asked of each, on the way in and on the way out', async (t) => {
    const seen: string[] = []
    const note = (what: string, payload: Uint8Array) => void seen.push(`${what} ${Buffer.from(payload)}`)
    const plugins: Plugin[] = [{ name: 'p', publish: ({ payload }) => note('in', payload) }]
    const outward: Plugin[] = [{ name: 'p', deliver: ({ payload }) => note('out', payload) }]
    for (const [what, list] of [
      ['in', plugins],
      ['out', outward],
    ] as const) {
      seen.length = 0
      const own = await startBroker({ conf: wide, debug: false, plugins: list })
      t.after(() => own.stop())
      const { topic, publisher, subscribers } = await parties(t, own, 5)
      await subscribers[0]?.subscribe([{ filter: topic, qos: 1 }])
      sendTogether(publisher, many(topic, 12))
      assert.deepEqual(texts(await take(subscribers[0] as RawClient, 12)), numbers(12))
      assert.deepEqual(
        seen,
        numbers(12).map((text) => `${what} ${text}`),
      )
    }
  })

  for (const { window, sent, bytes } of [
    { window: 0, sent: 30, bytes: 50 },
    { window: 7, sent: 14, bytes: 18 },
  ])
    test(`all of them are counted, as one by one, with max_inflight_messages ${window}`, async (t) => {
      const counts: string[][] = []
      for (const together of [true, false]) {
        const own = await startBroker({ debug: false, conf: `sys_interval 1\nmax_inflight_messages ${window}` })
        t.after(() => own.stop())
        const publisher = await client(t, own, { clientId: 'p', version: 5 })
        const subscriber = await client(t, own, { clientId: 's', version: 5 })
        await subscriber.subscribe([{ filter: 'a', qos: 1 }])
        // As many packets in the same order, in one piece or each in its own.
        const send = async (from: RawClient, packets: readonly Packet[]) => {
          const got: Packet[] = []
          if (together) sendTogether(from, packets)
          for (const packet of packets) {
            if (!together) sendTogether(from, [packet])
            got.push(...(await from.settled()))
          }
          return got
        }
        assert.equal((await send(publisher, many('a', 30))).length, 30)
        const ids = publishesOf(await subscriber.settled()).map(({ packetId }) => packetId)
        await send(
          subscriber,
          ids.map((packetId): Packet => ({ type: PacketType.PUBACK, packetId, reasonCode: 0, properties: {} })),
        )
        own.advance(2)
        const watcher = await client(t, own, { clientId: 'w' })
        await watcher.subscribe([
          { filter: '$SYS/broker/publish/messages/+' },
          { filter: '$SYS/broker/publish/bytes/+' },
          { filter: '$SYS/broker/messages/+' },
          { filter: '$SYS/broker/bytes/+' },
        ])
        counts.push(
          publishesOf(await watcher.settled())
            .map(({ topic, payload }) => `${topic.slice(12)} ${payload}`)
            .sort(),
        )
      }
      assert.deepEqual(counts[0], counts[1])
      for (const value of ['received 30', `sent ${sent}`]
        .map((text) => `publish/messages/${text}`)
        .concat(`publish/bytes/sent ${bytes}`))
        assert.ok(counts[0]?.includes(value), `${value} is among ${counts[0]}`)
    })
})

describe('with a store', () => {
  const conf = `${wide}\npersistence true`
  const durable = { version: 5 as const, cleanStart: false, properties: { sessionExpiryInterval: 1000 } }

  for (const known of [0, 1])
    test(`the acknowledgements wait until what they promise is on disk, behind ${known} that promise nothing new`, async (t) => {
      const store = new FaultStore()
      const own = await startBroker({ conf, store, debug: false })
      t.after(() => own.stop())
      const publisher = await client(t, own, { ...durable, clientId: 'p' })
      const { topic, subscribers } = await parties(t, own, 5)
      const [subscriber] = subscribers as [RawClient]
      await subscriber.subscribe([{ filter: topic, qos: 2 }])
      sendTogether(publisher, many(topic, known, 2))
      assert.deepEqual(await acknowledgements(publisher), acknowledged(known, 'PUBREC'))
      store.isSlow = true
      sendTogether(publisher, many(topic, 12, 2))
      assert.equal((await payloads(subscriber)).length, 12)
      await subscriber.settled()
      assert.deepEqual(publisher.taken(), [])
      store.isSlow = false
      store.proceed()
      assert.deepEqual(await acknowledgements(publisher), acknowledged(12, 'PUBREC'))
    })

  for (const version of [4, 5] as const)
    for (const size of [12_288, 12_289, 16_384, 17_000, 20_000, 70_000])
      test(`${version}: acknowledgements that wait do not get into a payload of ${size} bytes behind them`, async (t) => {
        const own = await startBroker({ conf, store: new FaultStore(), debug: false })
        t.after(() => own.stop())
        const absent = await client(t, own, { ...durable, clientId: 'd' })
        await absent.subscribe([{ filter: 'a', qos: 1 }])
        await absent.drop()
        const both = await client(t, own, { clientId: 'both', version })
        await both.subscribe([{ filter: 'a', qos: 1 }])
        const sent = [...numbers(4), 'x'.repeat(size)]
        sendTogether(
          both,
          sent.map((text, at) => message('a', text, at + 1)),
        )
        const acks: number[] = []
        const got: string[] = []
        while (acks.length + got.length < 2 * sent.length) {
          const packet = await both.next()
          if (packet.type === PacketType.PUBACK) acks.push(packet.packetId)
          else got.push(...texts(publishesOf([packet])))
        }
        assert.deepEqual([acks, got], [[1, 2, 3, 4, 5], sent])
      })

  test('that cannot be written they are refused, each of them', async (t) => {
    const store = new FaultStore()
    const own = await startBroker({ conf, store, debug: false })
    t.after(() => own.stop())
    const sink = await client(t, own, { ...durable, clientId: 'sink' })
    await sink.subscribe([{ filter: 'd', qos: 1 }])
    const first = await client(t, own, { clientId: 'first', version: 5 })
    store.failure = 'no space left'
    first.publish({ topic: 'd', payload: 'x', qos: 1 })
    await first.closed()
    const fresh = await client(t, own, { clientId: 'fresh', version: 5 })
    sendTogether(fresh, many('d', 12))
    assert.deepEqual(await acknowledgements(fresh), acknowledged(12, 'PUBACK', 0x97))
    store.failure = undefined
    own.advance(2)
  })

  test('what was acknowledged survives, and what was taken twice does not arrive twice', async (t) => {
    const store = new MemoryStore()
    const own = await startBroker({ conf, store, debug: false })
    const subscriber = await client(t, own, { ...durable, clientId: 'd' })
    await subscriber.subscribe([
      { filter: 'one', qos: 1 },
      { filter: 'two', qos: 2 },
    ])
    await subscriber.drop()
    const publisher = await client(t, own, { ...durable, clientId: 'p' })
    sendTogether(publisher, many('one', 30))
    assert.deepEqual(await acknowledgements(publisher), acknowledged(30))
    sendTogether(publisher, many('two', 30, 2))
    assert.deepEqual(await acknowledgements(publisher), acknowledged(30, 'PUBREC'))
    await own.stop()
    const second = await startBroker({ conf, store, debug: false })
    t.after(() => second.stop())
    const again = await client(t, second, { ...durable, clientId: 'p' })
    // As a client does that has not heard of PUBREC.
    sendTogether(
      again,
      numbers(30).map((text, at) => message('two', text, at + 1, { qos: 2, dup: true })),
    )
    assert.deepEqual(await acknowledgements(again), acknowledged(30, 'PUBREC'))
    const packets = await take(await client(t, second, { ...durable, clientId: 'd' }), 60)
    assert.deepEqual(texts(packets.filter(({ topic }) => topic === 'one')), numbers(30))
    assert.deepEqual(texts(packets.filter(({ topic }) => topic === 'two')), numbers(30))
  })
})

test('whatever is among them, in whatever pieces it comes: the same as one by one', { timeout: 60_000 }, async (t) => {
  const own = await startBroker({ conf: `${wide}\nmax_queued_messages 0`, debug: false })
  t.after(() => own.stop())
  const narrow = (receiveMaximum: number) =>
    client(t, own, { clientId: `n${receiveMaximum}`, version: 5, properties: { receiveMaximum } })
  const publishers = {
    4: await client(t, own, { clientId: 'p4' }),
    5: await client(t, own, { clientId: 'p5', version: 5 }),
  }
  interface Subscriber {
    readonly client: RawClient
    readonly qos: Qos
    readonly filter: RegExp
    /** What waits for its window is overtaken by messages of QoS 0. */
    readonly isNarrow?: boolean
  }
  const qos0Apart = <Item extends { readonly qos: Qos }>(items: readonly Item[]) => [
    ...items.filter(({ qos }) => qos > 0),
    ...items.filter(({ qos }) => qos === 0),
  ]
  const subscribers: Subscriber[] = [
    { client: await client(t, own, { clientId: '4' }), qos: 2, filter: /./ },
    { client: await client(t, own, { clientId: '5', version: 5 }), qos: 2, filter: /./ },
    { client: await client(t, own, { clientId: '1' }), qos: 1, filter: /^a$/ },
    { client: await client(t, own, { clientId: '0', version: 5 }), qos: 0, filter: /^b/ },
    { client: await narrow(7), qos: 2, filter: /./, isNarrow: true },
    { client: await narrow(40), qos: 1, filter: /^a$/, isNarrow: true },
  ]
  for (const [at, filters] of [['#'], ['#'], ['a'], ['b'], ['#'], ['a']].entries())
    for (const filter of filters) {
      const { client: each, qos } = subscribers[at] as (typeof subscribers)[number]
      await each.subscribe([{ filter, qos }])
    }
  const piece = fc.record({
    name: fc.constantFrom('a', 'a', 'a', 'b', 'b', 'aa'),
    size: fc.constantFrom(0, 0, 3, 3, 3, 100, 127, 128, 900, 2100, 20_000),
    qos: fc.constantFrom(1 as const, 1 as const, 2 as const, 2 as const, 0 as const),
    kind: fc.constantFrom('plain', 'plain', 'plain', 'plain', 'plain', 'retain', 'property', 'alias'),
    repeat: fc.integer({ min: 1, max: 90 }),
  })
  const wanted = fc.record({
    version: fc.constantFrom(4 as const, 5 as const),
    pieces: fc.array(piece, { minLength: 1, maxLength: 12 }),
    cuts: fc.array(fc.nat(60_000), { maxLength: 3 }),
  })
  let packetId = 0
  await fc.assert(
    fc.asyncProperty(wanted, async ({ version, pieces, cuts }) => {
      const publisher = publishers[version]
      const expected: { readonly topic: string; readonly payload: string; readonly qos: Qos }[] = []
      const asked: string[] = []
      const packets = pieces.flatMap(({ name, size, qos, kind, repeat }) =>
        Array.from({ length: size > 1000 ? Math.ceil(repeat / 30) : repeat }, (_, at) => {
          packetId = (packetId % 60_000) + 1
          const fields: Record<string, Partial<PublishFields>> = {
            retain: { retain: true },
            property: version === 5 ? { properties: { contentType: 'x' } } : {},
            alias: version === 5 ? { properties: { topicAlias: 1 } } : {},
          }
          const payload = `${expected.length}.${at}`.padEnd(size, 'x')
          expected.push({ topic: name, payload, qos })
          if (qos > 0) asked.push(`${qos === 1 ? 'PUBACK' : 'PUBREC'} ${packetId} 0`)
          return message(name, payload, qos === 0 ? 0 : packetId, { qos, ...fields[kind] })
        }),
      )
      const bytes = Buffer.concat(packets.map((packet) => encodePacket(packet, version)))
      let from = 0
      for (const cut of [...cuts.map((at) => at % bytes.length).sort((a, b) => a - b), bytes.length]) {
        publisher.send(bytes.subarray(from, cut))
        from = cut
        await new Promise(setImmediate)
      }
      assert.deepEqual(await acknowledgements(publisher), asked)
      const released = asked.filter((text) => text.startsWith('PUBREC')).map((text) => Number(text.split(' ')[1]))
      sendTogether(
        publisher,
        released.map((id) => ({ type: PacketType.PUBREL, packetId: id, reasonCode: 0, properties: {} })),
      )
      assert.deepEqual(
        await acknowledgements(publisher),
        released.map((id) => `PUBCOMP ${id} 0`),
      )
      for (const { client: each, qos: most, filter, isNarrow } of subscribers) {
        const inOrder = <Item extends { readonly qos: Qos }>(items: readonly Item[]) =>
          isNarrow ? qos0Apart(items) : items
        const own = expected.filter(({ topic }) => filter.test(topic))
        const packets = await take(each, own.length)
        assert.deepEqual(
          inOrder(packets).map(({ topic, payload, qos }) => `${topic} ${qos} ${payload}`),
          inOrder(own).map(({ topic, payload, qos }) => `${topic} ${Math.min(qos, most)} ${payload}`),
        )
        // What is left are PUBREL packets.
        for (const packet of await each.settled())
          if (packet.type === PacketType.PUBREL) each.ack(PacketType.PUBCOMP, packet.packetId)
          else assert.notEqual(packet.type, PacketType.PUBLISH)
      }
    }),
    { numRuns: 60 },
  )
})
