// Many QoS 0 messages in one piece from a publisher: who gets which of them, in which order, is as if each had come by itself.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { BrokerHandle } from '../../src/broker/plugins/broker-handle.js'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import { encodePacket, type Packet } from '../../src/protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import { type Publish, type PublishFields, publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { startBroker } from '../support/broker-kit.js'
import { client, payloads, publishesOf } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0', debug: false })
after(() => broker.stop())

let number = 0
const unique = () => `burst/${++number}`

/** Sends everything in one write, and waits until the broker has read it. */
async function sendTogether(from: RawClient, packets: readonly Packet[]): Promise<Packet[]> {
  from.send(Buffer.concat(packets.map((packet) => encodePacket(packet, from.version))))
  return from.settled()
}

function message(topic: string, payload: string, fields: Partial<PublishFields> = {}): Packet {
  return publish({ topic, ...fields, payload: Buffer.from(payload) })
}

const numbered = (topic: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => message(topic, `${from + at}`))
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `${from + at}`)

async function parties(t: TestContext, ...versions: readonly ProtocolVersion[]) {
  const topic = unique()
  const publisher = await client(t, broker, { clientId: `${topic}/p`, version: 5 })
  const subscribers: RawClient[] = []
  for (const [at, version] of versions.entries())
    subscribers.push(await client(t, broker, { clientId: `${topic}/s${at}`, version }))
  return { topic, publisher, subscribers }
}

const texts = (packets: readonly Publish[]) => packets.map(({ payload }) => payload.toString())

async function got(subscriber: RawClient | undefined): Promise<string[]> {
  return subscriber === undefined ? [] : payloads(subscriber)
}

for (const versions of [[4], [5], [3], [4, 4, 4], [5, 5], [3, 4, 5]] as const)
  test(`every subscriber of ${versions} gets all of them in order`, async (t) => {
    const { topic, publisher, subscribers } = await parties(t, ...versions)
    for (const each of subscribers) await each.subscribe(topic)
    await sendTogether(publisher, numbered(topic, 5000))
    for (const each of subscribers) assert.deepEqual(await got(each), numbers(5000))
  })

for (const [from, to] of [
  [5, 4],
  [4, 5],
  [5, 5],
] as const)
  for (const size of [8000, 12_288, 12_289, 16_384, 40_960])
    test(`payloads of ${size} bytes from ${from} to ${to} arrive whole`, async (t) => {
      const { topic, subscribers } = await parties(t, to, to)
      const publisher = await client(t, broker, { clientId: `${topic}/from`, version: from })
      for (const each of subscribers) await each.subscribe(topic)
      const sent = Array.from({ length: 12 }, (_, at) => String.fromCharCode(97 + at).repeat(size))
      await sendTogether(
        publisher,
        sent.map((payload) => message(topic, payload)),
      )
      for (const each of subscribers) assert.deepEqual(await got(each), sent)
    })

test('[MQTT-4.6.0-5] messages to other topics in between keep their place', async (t) => {
  const { topic, publisher, subscribers } = await parties(t, 4, 4)
  await subscribers[0]?.subscribe(`${topic}/#`)
  await subscribers[1]?.subscribe(`${topic}/a`)
  const names = ['a', 'a', 'a', 'b', 'a', 'a', 'c', 'c', 'c', 'a', 'a', 'a']
  await sendTogether(
    publisher,
    names.map((name, at) => message(`${topic}/${name}`, `${name}${at}`)),
  )
  const all = names.map((name, at) => `${name}${at}`)
  assert.deepEqual(await got(subscribers[0]), all)
  assert.deepEqual(
    await got(subscribers[1]),
    all.filter((text) => text.startsWith('a')),
  )
})

const between: readonly { readonly name: string; readonly fields: Partial<PublishFields> }[] = [
  { name: 'a retained message', fields: { retain: true } },
  { name: 'a QoS 1 message', fields: { qos: 1, packetId: 7 } },
  { name: 'a message that expires', fields: { properties: { messageExpiryInterval: 60 } } },
  { name: 'a message with user properties', fields: { properties: { userProperties: [['a', 'b']] } } },
]
for (const { name, fields } of between)
  test(`${name} in between is delivered as what it is, in its place`, async (t) => {
    const { topic, publisher, subscribers } = await parties(t, 5)
    await subscribers[0]?.subscribe(topic)
    await sendTogether(publisher, [...numbered(topic, 10), message(topic, 'other', fields), ...numbered(topic, 10, 10)])
    const packets = publishesOf((await subscribers[0]?.settled()) ?? [])
    assert.deepEqual(texts(packets), [...numbers(10), 'other', ...numbers(10, 10)])
    assert.equal(packets[10]?.qos, fields.qos ?? 0)
    assert.deepEqual({ ...packets[10]?.properties }, fields.properties ?? {})
    assert.ok(packets.every(({ retain }) => !retain))
  })

describe('who gets them', () => {
  test('[MQTT-3.8.3-3] not the publisher itself with No Local', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, 5)
    await publisher.subscribe([{ filter: topic, noLocal: true }])
    await subscribers[0]?.subscribe(topic)
    assert.deepEqual(await sendTogether(publisher, numbered(topic, 50)), [])
    assert.deepEqual(await got(subscribers[0]), numbers(50))
  })

  test('the publisher itself without it', async (t) => {
    const { topic, publisher } = await parties(t)
    await publisher.subscribe(topic)
    const back = await sendTogether(publisher, numbered(topic, 50))
    assert.deepEqual(texts(publishesOf(back)), numbers(50))
  })

  test('[MQTT-3.1.2-24] [MQTT-3.1.2-25] those whose Maximum Packet Size a message exceeds go without that one', async (t) => {
    const topic = unique()
    const publisher = await client(t, broker, { clientId: `${topic}/p` })
    const small = await client(t, broker, {
      clientId: `${topic}/s`,
      version: 5,
      properties: { maximumPacketSize: 200 },
    })
    const large = await client(t, broker, { clientId: `${topic}/l`, version: 5 })
    for (const each of [small, large]) await each.subscribe(topic)
    const sizes = [5, 6, 7, 500, 8, 9, 10, 5000, 11, 12]
    await sendTogether(
      publisher,
      sizes.map((size) => message(topic, 'x'.repeat(size))),
    )
    const lengths = (texts: string[]) => texts.map(({ length }) => length)
    assert.deepEqual(lengths(await got(large)), sizes)
    assert.deepEqual(
      lengths(await got(small)),
      sizes.filter((size) => size < 200),
    )
  })

  test('those behind one that is larger than the only receiver takes arrive, though nothing else happens', async (t) => {
    const { topic, publisher } = await parties(t)
    const small = await client(t, broker, {
      clientId: `${topic}/s`,
      version: 5,
      properties: { maximumPacketSize: 200 },
    })
    await small.subscribe(topic)
    const packets = ['x'.repeat(500), 'a', 'b'].map((payload) => encodePacket(message(topic, payload), 5))
    publisher.send(Buffer.concat(packets))
    assert.deepEqual(texts(publishesOf([await small.next(), await small.next()])), ['a', 'b'])
  })

  test('[MQTT-3.3.4-2] [MQTT-3.3.4-3] overlapping subscriptions of a 5.0 client: a copy each, with its identifier', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, 5)
    const [subscriber] = subscribers
    await subscriber?.subscribe([{ filter: `${topic}/a` }], { subscriptionIdentifiers: [1] })
    await subscriber?.subscribe([{ filter: `${topic}/+` }], { subscriptionIdentifiers: [2] })
    await sendTogether(publisher, numbered(`${topic}/a`, 20))
    const packets = publishesOf((await subscriber?.settled()) ?? [])
    for (const id of [1, 2])
      assert.deepEqual(
        texts(packets.filter(({ properties }) => properties.subscriptionIdentifiers?.[0] === id)),
        numbers(20),
      )
  })

  for (const copies of [1, 2])
    test(`overlapping subscriptions of a 3.1.1 client with allow_duplicate_messages ${copies > 1}: ${copies} each`, async (t) => {
      const own = await startBroker({ conf: `allow_duplicate_messages ${copies > 1}`, debug: false })
      t.after(() => own.stop())
      const publisher = await client(t, own, { clientId: 'p' })
      const subscriber = await client(t, own, { clientId: 's' })
      await subscriber.subscribe([{ filter: 'a/b' }, { filter: 'a/+' }])
      await sendTogether(publisher, numbered('a/b', 20))
      const twice = numbers(20).flatMap((text) => Array.from({ length: copies }, () => text))
      assert.deepEqual(await got(subscriber), twice)
    })

  test('[MQTT-4.8.2-4] one member of a shared group each, beside plain subscribers', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, 5, 5, 5)
    await subscribers[0]?.subscribe(`$share/g/${topic}`)
    await subscribers[1]?.subscribe(`$share/g/${topic}`)
    await subscribers[2]?.subscribe(topic)
    await sendTogether(publisher, numbered(topic, 40))
    const shared = [...(await got(subscribers[0])), ...(await got(subscribers[1]))]
    assert.deepEqual(
      shared.map(Number).sort((a, b) => a - b),
      numbers(40).map(Number),
    )
    assert.deepEqual(await got(subscribers[2]), numbers(40))
  })

  test('a topic alias names the same topic', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, 4)
    await subscribers[0]?.subscribe(topic)
    const alias = { properties: { topicAlias: 1 } }
    const named = numbers(20).map((text, at) => message(at === 0 ? topic : '', text, alias))
    await sendTogether(publisher, named)
    assert.deepEqual(await got(subscribers[0]), numbers(20))
  })
})

describe('what may pass', () => {
  test('messages above message_size_limit in between are refused, alone', async (t) => {
    const own = await startBroker({ conf: 'message_size_limit 100', debug: false })
    t.after(() => own.stop())
    const publisher = await client(t, own, { clientId: 'p' })
    const subscriber = await client(t, own, { clientId: 's' })
    await subscriber.subscribe('a')
    const sizes = [5, 6, 7, 100, 101, 8, 9, 5000, 10, 11, 12]
    await sendTogether(
      publisher,
      sizes.map((size) => message('a', 'x'.repeat(size))),
    )
    assert.deepEqual(
      (await got(subscriber)).map(({ length }) => length),
      sizes.filter((size) => size <= 100),
    )
  })

  test('[MQTT-3.2.2-15] one above max_packet_size ends the connection; those before it arrive', async (t) => {
    const own = await startBroker({ conf: 'max_packet_size 200', debug: false })
    t.after(() => own.stop())
    const publisher = await client(t, own, { clientId: 'p', version: 5 })
    const subscriber = await client(t, own, { clientId: 's' })
    await subscriber.subscribe('a')
    const packets = [...numbered('a', 10), message('a', 'x'.repeat(300)), ...numbered('a', 10)]
    publisher.send(Buffer.concat(packets.map((packet) => encodePacket(packet, 5))))
    const end = await publisher.expect(PacketType.DISCONNECT)
    assert.equal(end.type === PacketType.DISCONNECT && end.reasonCode, 0x95)
    assert.deepEqual(await got(subscriber), numbers(10))
  })

  test('what is denied stays so where in the buffer something was that was not', async (t) => {
    const conf = 'acl_file {folder}/acl'
    const files = { acl: 'topic readwrite may\ntopic read not\n' }
    const own = await startBroker({ conf, files, debug: false })
    t.after(() => own.stop())
    const publisher = await client(t, own, { clientId: 'p', version: 5 })
    const other = await client(t, own, { clientId: 'o', version: 5 })
    const subscriber = await client(t, own, { clientId: 's', version: 5 })
    await subscriber.subscribe([{ filter: 'may' }, { filter: 'not' }])
    // Both are read in the same turn, into the same memory.
    const sent = (topic: string) =>
      Buffer.concat(numbers(10).map((text) => encodePacket(message(topic, topic + text), 5)))
    for (const from of [publisher, other]) from.send(sent(from === publisher ? 'may' : 'not'))
    const first = await subscriber.next()
    for (const from of [publisher, other]) await from.settled()
    assert.deepEqual(
      texts(publishesOf([first, ...(await subscriber.settled())])),
      numbers(10).map((text) => `may${text}`),
    )
  })

  test('a malformed one in between ends the connection; those before it arrive', async (t) => {
    const { topic, publisher, subscribers } = await parties(t, 4)
    await subscribers[0]?.subscribe(topic)
    const ten = Buffer.concat(numbered(topic, 10).map((packet) => encodePacket(packet, 5)))
    publisher.send(Buffer.concat([ten, Buffer.from('30ffffffff01', 'hex'), ten]))
    await publisher.expect(PacketType.DISCONNECT)
    assert.deepEqual(await got(subscribers[0]), numbers(10))
  })

  test('all of them are counted', async (t) => {
    const own = await startBroker({ debug: false, conf: 'sys_interval 1' })
    t.after(() => own.stop())
    const publisher = await client(t, own, { clientId: 'p' })
    const subscriber = await client(t, own, { clientId: 's' })
    await subscriber.subscribe('a')
    await sendTogether(publisher, numbered('a', 1000))
    assert.equal((await got(subscriber)).length, 1000)
    const topics = ['messages/received', 'messages/sent', 'bytes/received', 'bytes/sent']
    const watcher = await client(t, own, { clientId: 'w' })
    own.advance(2)
    await watcher.subscribe(topics.map((topic) => ({ filter: `$SYS/broker/publish/${topic}` })))
    const values = publishesOf(await watcher.settled()).map(({ topic, payload }) => `${topic.slice(20)} ${payload}`)
    const bytes = numbers(1000).join('').length
    assert.deepEqual(values.sort(), [
      `bytes/received ${bytes}`,
      `bytes/sent ${bytes}`,
      'messages/received 1000',
      'messages/sent 1000',
    ])
  })
})

describe('plugins are asked of each', () => {
  let handle: BrokerHandle
  const notes: string[] = []
  const started = (broker: BrokerHandle) => {
    handle = broker
  }
  const payloadOf = ({ payload }: { readonly payload: Uint8Array }) => Buffer.from(payload).toString()
  const cases: readonly { name: string; publish: Plugin['publish']; arrives: readonly string[] }[] = [
    { name: 'and let all pass', publish: () => undefined, arrives: numbers(8) },
    {
      name: 'and drop some',
      publish: (message) => (Number(payloadOf(message)) % 3 === 2 ? 'drop' : undefined),
      arrives: ['0', '1', '3', '4', '6', '7'],
    },
    {
      name: 'and refuse some',
      publish: (message) => (payloadOf(message) === '4' ? { refuse: 0x87 } : undefined),
      arrives: ['0', '1', '2', '3', '5', '6', '7'],
    },
    {
      name: 'and change the payload of one',
      publish: (message) => (payloadOf(message) === '3' ? { payload: Buffer.from('three') } : undefined),
      arrives: ['0', '1', '2', 'three', '4', '5', '6', '7'],
    },
    {
      name: 'and send one elsewhere',
      publish: (message) => (payloadOf(message) === '3' ? { topic: 'elsewhere' } : undefined),
      arrives: ['0', '1', '2', '4', '5', '6', '7'],
    },
    {
      name: 'and throw at one',
      publish(message) {
        if (payloadOf(message) === '5') throw new Error('oops')
      },
      arrives: ['0', '1', '2', '3', '4', '6', '7'],
    },
    {
      name: 'and publish something in between, twice',
      publish(message) {
        if (payloadOf(message) === '3') for (const text of ['x', 'y']) handle.publish({ topic: 'a', payload: text })
      },
      arrives: ['0', '1', '2', 'x', 'y', '3', '4', '5', '6', '7'],
    },
    {
      name: 'and publish to another topic, three times',
      publish(message) {
        if (payloadOf(message) === '3')
          for (const text of ['x', 'y', 'z']) handle.publish({ topic: 'b', payload: text })
      },
      arrives: ['0', '1', '2', 'x', 'y', 'z', '3', '4', '5', '6', '7'],
    },
  ]
  test('and count as received, whatever becomes of them', async (t) => {
    const plugin: Plugin = {
      name: 'p',
      publish: (message) => (Number(payloadOf(message)) % 50 === 30 ? 'drop' : undefined),
    }
    const own = await startBroker({ debug: false, plugins: [plugin], conf: 'sys_interval 1' })
    t.after(() => own.stop())
    const publisher = await client(t, own, { clientId: 'p' })
    const subscriber = await client(t, own, { clientId: 's' })
    await subscriber.subscribe('a')
    await sendTogether(publisher, numbered('a', 400))
    assert.equal((await got(subscriber)).length, 392)
    own.advance(2)
    const watcher = await client(t, own, { clientId: 'w' })
    await watcher.subscribe('$SYS/broker/publish/messages/received')
    assert.deepEqual(await got(watcher), ['400'])
  })

  test('and publish something while a large one is on its way', async (t) => {
    const plugin: Plugin = {
      name: 'p',
      started,
      publish({ payload }) {
        if (payload.length > 1000) handle.publish({ topic: 'elsewhere', payload: 'x' })
        return undefined
      },
    }
    const own = await startBroker({ debug: false, plugins: [plugin], conf: 'max_outgoing_bytes 0' })
    t.after(() => own.stop())
    const publisher = await client(t, own, { clientId: 'p' })
    const subscriber = await client(t, own, { clientId: 's' })
    await subscriber.subscribe('a')
    // Large ones are taken in a run only from blocks of the publisher's own, which it has when it fills the read buffer.
    const sent = Array.from({ length: 3000 }, (_, at) => `${at}.`.padEnd(at % 10 === 0 ? 20_000 : 20, 'x'))
    await sendTogether(
      publisher,
      sent.map((payload) => message('a', payload)),
    )
    assert.deepEqual(await got(subscriber), sent)
  })
  for (const version of [4, 5] as const)
    for (const { name, publish: judge, arrives } of cases)
      test(`${name}, ${version}`, async (t) => {
        notes.length = 0
        const plugin: Plugin = {
          name: 'p',
          started,
          publish(message, from) {
            notes.push(payloadOf(message))
            return judge?.(message, from)
          },
        }
        const own = await startBroker({ debug: false, plugins: [plugin] })
        t.after(() => own.stop())
        const publisher = await client(t, own, { clientId: 'p', version })
        const subscriber = await client(t, own, { clientId: 's', version })
        await subscriber.subscribe([{ filter: 'a' }, { filter: 'b' }])
        await sendTogether(publisher, numbered('a', 8))
        assert.deepEqual(await got(subscriber), arrives)
        assert.deepEqual(notes, numbers(8))
      })
})

test('whatever is among them, in whatever pieces it comes: the same as one by one', { timeout: 60_000 }, async (t) => {
  const own = await startBroker({ conf: 'max_inflight_messages 0', debug: false })
  t.after(() => own.stop())
  const publisher = await client(t, own, { clientId: 'p', version: 5 })
  const subscribers = [await client(t, own, { clientId: '4' }), await client(t, own, { clientId: '5', version: 5 })]
  for (const each of subscribers) await each.subscribe([{ filter: '#', qos: 1 }])
  const piece = fc.record({
    name: fc.constantFrom('a', 'a', 'a', 'a', 'b', 'aa'),
    size: fc.constantFrom(0, 0, 1, 3, 3, 3, 100, 127, 128, 9000, 20_000),
    kind: fc.constantFrom('plain', 'plain', 'plain', 'plain', 'plain', 'retain', 'qos1', 'property', 'alias'),
    repeat: fc.integer({ min: 1, max: 9 }),
  })
  const wanted = fc.record({
    pieces: fc.array(piece, { minLength: 1, maxLength: 25 }),
    cuts: fc.array(fc.nat(60_000), { maxLength: 3 }),
  })
  let packetId = 0
  await fc.assert(
    fc.asyncProperty(wanted, async ({ pieces, cuts }) => {
      const expected: string[] = []
      const packets = pieces.flatMap(({ name, size, kind, repeat }) =>
        Array.from({ length: repeat }, (_, at) => {
          packetId = (packetId % 60_000) + 1
          const fields: Record<string, Partial<PublishFields>> = {
            plain: {},
            retain: { retain: true },
            qos1: { qos: 1, packetId },
            property: { properties: { contentType: 'x' } },
            alias: { properties: { topicAlias: 1 } },
          }
          const payload = `${expected.length}.${at}`.padEnd(size, 'x')
          expected.push(`${name} ${payload}`)
          return message(name, payload, fields[kind])
        }),
      )
      const bytes = Buffer.concat(packets.map((packet) => encodePacket(packet, 5)))
      let from = 0
      for (const cut of [...cuts.map((at) => at % bytes.length).sort((a, b) => a - b), bytes.length]) {
        publisher.send(bytes.subarray(from, cut))
        from = cut
        await new Promise(setImmediate)
      }
      await publisher.settled()
      for (const each of subscribers) {
        const packets: string[] = []
        while (packets.length < expected.length) {
          const packet = await each.next()
          if (packet.type !== PacketType.PUBLISH) continue
          if (packet.qos === 1) each.ack(PacketType.PUBACK, packet.packetId)
          packets.push(`${packet.topic} ${packet.payload}`)
        }
        assert.deepEqual(packets, expected)
      }
    }),
    { numRuns: 60 },
  )
})

test('a subscription made in the middle gets what comes behind it', async (t) => {
  const { topic, publisher } = await parties(t)
  const subscribe: Packet = {
    type: PacketType.SUBSCRIBE,
    packetId: 1,
    properties: NO_PROPERTIES,
    subscriptions: [{ filter: topic, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
  }
  const unsubscribe: Packet = { type: PacketType.UNSUBSCRIBE, packetId: 2, properties: NO_PROPERTIES, filters: [topic] }
  const packets = [
    ...numbered(topic, 10),
    subscribe,
    ...numbered(topic, 10, 10),
    unsubscribe,
    ...numbered(topic, 10, 20),
  ]
  const back = await sendTogether(publisher, packets)
  assert.equal(back[0]?.type, PacketType.SUBACK)
  assert.equal(back.at(-1)?.type, PacketType.UNSUBACK)
  assert.deepEqual(texts(publishesOf(back)), numbers(10, 10))
})

test('a DISCONNECT behind them loses none', async (t) => {
  const { topic, publisher, subscribers } = await parties(t, 4)
  await subscribers[0]?.subscribe(topic)
  const end: Packet = { type: PacketType.DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES }
  publisher.send(Buffer.concat([...numbered(topic, 300), end].map((packet) => encodePacket(packet, 5))))
  await publisher.closed()
  assert.deepEqual(await got(subscribers[0]), numbers(300))
})
