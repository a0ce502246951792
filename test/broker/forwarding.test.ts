// What reaches a subscriber and in which form: properties, versions, No Local, Retain As Published, overlapping subscriptions.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Ack } from '../../src/protocol/packets/acks.js'
import type { Qos } from '../../src/protocol/packets/publish.js'
import type { Properties } from '../../src/protocol/properties.js'
import { startBroker } from '../support/broker-kit.js'
import { client, nextPublish, payloads, publishesOf, received } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0' })
after(() => broker.stop())

let number = 0

function unique(): string {
  return `forward/${++number}`
}

async function pair(t: TestContext, versions: readonly [ProtocolVersion, ProtocolVersion] = [5, 5]) {
  const topic = unique()
  const publisher = await client(t, broker, { clientId: `${topic}-p`, version: versions[0] })
  const subscriber = await client(t, broker, { clientId: `${topic}-s`, version: versions[1] })
  return { topic, publisher, subscriber }
}

const everything: Properties = {
  payloadFormatIndicator: 1,
  messageExpiryInterval: 1000,
  contentType: 'text/plain; charset=utf-8',
  responseTopic: 'answers/here',
  correlationData: Buffer.from([0, 255, 1]),
  userProperties: [
    ['z', '1'],
    ['a', ''],
    ['', 'empty name'],
    ['z', '2'],
    ['z', '1'],
  ],
}

describe('properties', () => {
  for (const qos of [0, 1, 2] as const)
    test(`QoS ${qos}: F138 [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] all of them, unchanged and in order`, async (t) => {
      const { topic, publisher, subscriber } = await pair(t)
      await subscriber.subscribe(topic)
      publisher.publish({ topic, payload: 'x', qos, properties: everything })
      assert.deepEqual({ ...(await nextPublish(subscriber)).properties }, everything)
    })

  const single: readonly { readonly name: string; readonly properties: Properties }[] = [
    { name: 'F162 an empty content type is one', properties: { contentType: '' } },
    { name: 'empty correlation data is data', properties: { correlationData: Buffer.alloc(0) } },
    { name: 'indicator 0 is passed on', properties: { payloadFormatIndicator: 0 } },
    {
      name: 'E31 the same user property twice',
      properties: {
        userProperties: [
          ['a', 'b'],
          ['a', 'b'],
        ],
      },
    },
  ]
  for (const { name, properties } of single)
    test(`F138 ${name}`, async (t) => {
      const { topic, publisher, subscriber } = await pair(t)
      await subscriber.subscribe(topic)
      publisher.publish({ topic, properties })
      assert.deepEqual({ ...(await nextPublish(subscriber)).properties }, properties)
    })

  test('E96 F138 an indicator of text with bytes that are none is passed on', async (t) => {
    const { topic, publisher, subscriber } = await pair(t)
    await subscriber.subscribe(topic)
    publisher.publish({ topic, payload: Buffer.from([0xff]), properties: { payloadFormatIndicator: 1 } })
    assert.deepEqual([...(await nextPublish(subscriber)).payload], [0xff])
  })
})

describe('versions', () => {
  for (const from of [3, 4, 5] as const)
    for (const to of [3, 4, 5] as const)
      test(`F139 F149 from ${from} to ${to}: topic, payload and QoS arrive, properties only from 5 to 5`, async (t) => {
        const { topic, publisher, subscriber } = await pair(t, [from, to])
        await subscriber.subscribe(topic)
        const properties = from === 5 ? { contentType: 'x' } : {}
        for (const qos of [0, 1, 2] as const) publisher.publish({ topic, payload: `${qos}`, qos, properties })
        await publisher.settled()
        const got = publishesOf(await subscriber.settled())
        assert.deepEqual(
          got.map(({ payload, qos }) => `${payload} ${qos}`),
          ['0 0', '1 1', '2 2'],
        )
        for (const message of got)
          assert.deepEqual({ ...message.properties }, from === 5 && to === 5 ? { contentType: 'x' } : {})
      })

  test('payloads of no bytes, of every byte, E107', async (t) => {
    const { topic, publisher, subscriber } = await pair(t, [4, 5])
    await subscriber.subscribe(topic)
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    for (const payload of [Buffer.alloc(0), bytes]) publisher.publish({ topic, payload, qos: 1 })
    await publisher.settled()
    const got = publishesOf(await subscriber.settled())
    assert.deepEqual(
      got.map(({ payload }) => Buffer.from(payload)),
      [Buffer.alloc(0), bytes],
    )
  })
})

describe('No Local', () => {
  test('F46 F143 [MQTT-3.8.3-3] by client id, also after a reconnect; others and other subscriptions still get it (F47)', async (t) => {
    const topic = unique()
    const fields = {
      clientId: topic,
      version: 5,
      cleanStart: false,
      properties: { sessionExpiryInterval: 100 },
    } as const
    const own = await client(t, broker, fields)
    await own.subscribe([{ filter: topic, noLocal: true }])
    const other = await client(t, broker, { clientId: `${topic}-o`, version: 5 })
    await other.subscribe([{ filter: topic, noLocal: true }])
    own.publish({ topic, payload: 'own' })
    assert.deepEqual(await payloads(own), [])
    assert.deepEqual(await payloads(other), ['own'])
    await own.drop()
    const again = await client(t, broker, fields)
    again.publish({ topic, payload: 'own' })
    assert.deepEqual(await payloads(again), [])
    await again.subscribe([{ filter: `${topic}/#` }])
    again.publish({ topic, payload: 'twice' })
    assert.deepEqual(await payloads(again), ['twice'])
  })

  test('F143 without it a publisher gets its own message', async (t) => {
    const own = await client(t, broker, { clientId: unique() })
    await own.subscribe([{ filter: 'f143' }])
    own.publish({ topic: 'f143', payload: 'x' })
    assert.deepEqual(await payloads(own), ['x'])
  })

  test('a bridge (level with bit 7) gets nothing back and RETAIN as published', async (t) => {
    const bridge = await client(t, broker, { clientId: unique(), bridge: true })
    await bridge.subscribe([{ filter: 'bridge/#' }])
    bridge.publish({ topic: 'bridge/own', payload: 'x' })
    const other = await client(t, broker, { clientId: unique() })
    other.publish({ topic: 'bridge/other', payload: 'x', retain: true })
    await other.settled()
    assert.deepEqual(await received(bridge), ['bridge/other x q0 retain'])
  })
})

describe('overlapping subscriptions', () => {
  async function overlapping(t: TestContext, version: ProtocolVersion): Promise<{ one: RawClient; topic: string }> {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic, version })
    const ids = (id: number): Properties => (version === 5 ? { subscriptionIdentifiers: [id] } : {})
    await one.subscribe([{ filter: topic, qos: 0, retainAsPublished: true && version === 5 }], ids(1))
    await one.subscribe([{ filter: `${topic}/#`, qos: 2 }], ids(2))
    await one.subscribe([{ filter: 'forward/+', qos: 1 }], ids(2))
    return { one, topic }
  }

  test('F48 F49 F54 F45 [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-5] one copy each, with its own id, QoS and RETAIN', async (t) => {
    const { one, topic } = await overlapping(t, 5)
    one.publish({ topic, payload: 'x', qos: 2, retain: true })
    const copies = publishesOf(await one.settled())
    assert.deepEqual(
      copies.map(({ qos, retain, properties }) => `q${qos} ${properties.subscriptionIdentifiers} ${retain}`).sort(),
      ['q0 1 true', 'q1 2 false', 'q2 2 false'],
    )
  })

  const duplicates = [
    { name: 'true: one copy each', conf: 'allow_duplicate_messages true', version: 4, qos: [0, 1, 2] },
    { name: 'false: one copy with the highest QoS', conf: 'allow_duplicate_messages false', version: 4, qos: [2] },
    { name: 'false does not concern 5.0', conf: 'allow_duplicate_messages false', version: 5, qos: [0, 1, 2] },
  ] as const
  for (const { name, conf, version, qos } of duplicates)
    test(`F54 [MQTT-3.3.5-1 of 3.1.1] allow_duplicate_messages ${name}`, async (t) => {
      const own = await startBroker({ conf: `sys_interval 0\n${conf}` })
      t.after(() => own.stop())
      const one = await client(t, own, { clientId: 'one', version })
      const filters: readonly (readonly [string, Qos])[] = [
        ['a', 0],
        ['#', 2],
        ['+', 1],
      ]
      for (const [filter, granted] of filters) await one.subscribe([{ filter, qos: granted }])
      for (const payload of ['x', 'y']) one.publish({ topic: 'a', payload, qos: 2 })
      const copies = publishesOf(await one.settled())
      for (const payload of ['x', 'y'])
        assert.deepEqual(
          copies
            .filter((copy) => copy.payload.toString() === payload)
            .map((copy) => copy.qos)
            .sort(),
          [...qos],
        )
    })

  test('upgrade_outgoing_qos delivers with the QoS of the subscription, live and retained', async (t) => {
    const own = await startBroker({ conf: 'sys_interval 0\nupgrade_outgoing_qos true' })
    t.after(() => own.stop())
    const one = await client(t, own, { clientId: 'one' })
    one.publish({ topic: 'a', payload: 'kept', retain: true })
    await one.subscribe([{ filter: 'a', qos: 2 }])
    one.publish({ topic: 'a', payload: 'x', qos: 1 })
    assert.deepEqual(await received(one), ['a kept q2 retain', 'a x q2'])
  })
})

describe('refused', () => {
  test('F141 E87 [MQTT-4.3.2-4] a refused message is acknowledged with 0x87 and not forwarded', async (t) => {
    const watcher = await client(t, broker, { clientId: unique() })
    await watcher.subscribe([{ filter: '#' }, { filter: '$SYS/#' }, { filter: '$share/g/#' }])
    const publisher = await client(t, broker, { clientId: unique(), version: 5 })
    for (const topic of ['$SYS/broker/version', '$share/g/t', '$share/x']) {
      publisher.publish({ topic, payload: 'forged' })
      publisher.publish({ topic, payload: 'forged', qos: 1 })
      assert.equal(((await publisher.expect(PacketType.PUBACK)) as Ack).reasonCode, 0x87)
    }
    assert.equal((await payloads(watcher)).includes('forged'), false)
  })

  test('F142 a 3.1.1 client is acknowledged as if nothing had happened', async (t) => {
    const publisher = await client(t, broker, { clientId: unique() })
    publisher.publish({ topic: '$SYS/broker/version', payload: 'forged', qos: 1 })
    await publisher.expect(PacketType.PUBACK)
    assert.deepEqual(await publisher.settled(), [])
  })

  const sizes = [
    { limit: 0, size: 100, refused: false },
    { limit: 1, size: 1, refused: false },
    { limit: 1, size: 2, refused: true },
    { limit: 268_435_455, size: 100, refused: false },
  ]
  for (const { limit, size, refused } of sizes)
    test(`message_size_limit ${limit}: ${size} bytes are ${refused ? 'refused with 0x83' : 'accepted'}`, async (t) => {
      const own = await startBroker({ conf: `sys_interval 0\nmessage_size_limit ${limit}` })
      t.after(() => own.stop())
      const one = await client(t, own, { clientId: 'one', version: 5 })
      await one.subscribe([{ filter: 't' }])
      one.publish({ topic: 't', payload: 'x'.repeat(size), qos: 1, packetId: 1 })
      const packets = await one.settled()
      const ack = packets.find((packet): packet is Ack => packet.type === PacketType.PUBACK)
      assert.equal(ack?.reasonCode, refused ? 0x83 : 0)
      assert.equal(publishesOf(packets).length, refused ? 0 : 1)
    })
})
