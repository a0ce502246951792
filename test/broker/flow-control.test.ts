// Receive Maximum and max_inflight_*, Maximum Packet Size and max_queued_*: what may be on its way, and how large it may be.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Ack } from '../../src/protocol/packets/acks.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { startBroker } from '../support/broker-kit.js'
import { client, join, nextPublish, payloads, publishesOf, take } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0\nmax_inflight_messages 5' })
after(() => broker.stop())

const { PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT } = PacketType

let number = 0

function unique(): string {
  return `flow/${++number}`
}

describe('towards the client', () => {
  for (const receiveMaximum of [1, 3, 65_535])
    test(`[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] Receive Maximum ${receiveMaximum} of a 5.0 client is its window`, async (t) => {
      const topic = unique()
      const subscriber = await client(t, broker, { clientId: topic, version: 5, properties: { receiveMaximum } })
      await subscriber.subscribe(topic)
      const publisher = await client(t, broker, { clientId: `${topic}-p` })
      for (let i = 0; i < 10; i++) publisher.publish({ topic, payload: `${i}`, qos: i % 2 === 0 ? 1 : 2 })
      await publisher.settled()
      const open = Math.min(10, receiveMaximum)
      const first = publishesOf(await subscriber.settled())
      assert.equal(first.length, open)
      const last = first[0]
      assert.ok(last)
      subscriber.ack(PUBACK, last.packetId)
      assert.equal((await subscriber.settled()).length, open < 10 ? 1 : 0)
    })

  test('F112 F117 [MQTT-3.3.4-9] QoS 2 keeps its place until PUBCOMP; an error PUBREC gives it back', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: topic, version: 5, properties: { receiveMaximum: 1 } })
    await subscriber.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    for (const payload of ['a', 'b', 'c']) publisher.publish({ topic, payload, qos: 2 })
    await publisher.settled()
    const { packetId } = await nextPublish(subscriber)
    subscriber.ack(PUBREC, packetId)
    assert.deepEqual(
      (await subscriber.settled()).map(({ type }) => type),
      [PUBREL],
    )
    subscriber.ack(PUBCOMP, packetId)
    const b = await nextPublish(subscriber)
    subscriber.ack(PUBREC, b.packetId, ReasonCode.QUOTA_EXCEEDED)
    assert.deepEqual(await payloads(subscriber), ['c'])
  })

  test('F105 F113 [MQTT-3.3.4-10] [MQTT-4.9.0-3] a full window delays neither QoS 0 nor any other packet', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: topic, version: 5, properties: { receiveMaximum: 1 } })
    await subscriber.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    for (const payload of ['a', 'b']) publisher.publish({ topic, payload, qos: 1 })
    publisher.publish({ topic, payload: 'zero' })
    await publisher.settled()
    assert.deepEqual(await payloads(subscriber), ['a', 'zero'])
    subscriber.publish({ topic: `${topic}/x`, qos: 2, packetId: 9 })
    await subscriber.expect(PUBREC)
    subscriber.ack(PUBREL, 9)
    await subscriber.expect(PUBCOMP)
    assert.equal((await subscriber.subscribe(`${topic}/y`)).reasonCodes[0], 2)
    assert.equal((await subscriber.unsubscribe(`${topic}/y`)).reasonCodes[0], 0)
  })

  test('F116 acknowledgements of unknown ids do not open the window', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: topic, version: 5, properties: { receiveMaximum: 1 } })
    await subscriber.subscribe(topic)
    for (let id = 100; id < 120; id++) subscriber.ack(PUBACK, id)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    for (const payload of ['a', 'b']) publisher.publish({ topic, payload, qos: 1 })
    await publisher.settled()
    assert.deepEqual(await payloads(subscriber), ['a'])
  })

  test('F114 F115 [MQTT-4.4.0-1] a resumed session: the window is the new one, resends and PUBREL fill it', async (t) => {
    const topic = unique()
    const fields = (receiveMaximum: number) =>
      ({
        clientId: topic,
        version: 5,
        cleanStart: false,
        properties: { sessionExpiryInterval: 100, receiveMaximum },
      }) as const
    const first = await client(t, broker, fields(3))
    await first.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    for (const payload of ['a', 'b', 'c', 'd']) publisher.publish({ topic, payload, qos: 2 })
    await publisher.settled()
    first.ack(PUBREC, publishesOf(await first.settled())[0]?.packetId ?? 0)
    await first.expect(PUBREL)
    await first.drop()
    const again = await client(t, broker, fields(2))
    const packets = await again.settled()
    assert.deepEqual(
      packets.map(({ type }) => type),
      [PUBREL, PacketType.PUBLISH],
    )
    again.ack(PUBCOMP, (packets[0] as Ack).packetId)
    assert.deepEqual(await payloads(again), ['c'])
  })

  const windows = [
    { name: 'max_inflight_messages 0 is no limit', conf: 'max_inflight_messages 0', sent: 30, announced: undefined },
    { name: 'max_inflight_messages 1', conf: 'max_inflight_messages 1', sent: 1, announced: 1 },
    { name: 'max_inflight_messages 20', conf: 'max_inflight_messages 20', sent: 20, announced: 20 },
    { name: 'the default is 20, towards clients only', conf: '', sent: 20, announced: undefined },
    {
      name: 'max_inflight_messages 65535 is no limit',
      conf: 'max_inflight_messages 65535',
      sent: 30,
      announced: undefined,
    },
    { name: 'max_inflight_bytes 0 is no limit', conf: 'max_inflight_bytes 0', sent: 20, announced: undefined },
    { name: 'max_inflight_bytes 1 lets one through', conf: 'max_inflight_bytes 1', sent: 1, announced: undefined },
    { name: 'max_inflight_bytes 100', conf: 'max_inflight_bytes 100', sent: 10, announced: undefined },
    {
      name: 'max_inflight_bytes at its maximum',
      conf: 'max_inflight_bytes 2147483647',
      sent: 20,
      announced: undefined,
    },
  ]
  for (const { name, conf, sent, announced } of windows)
    test(`F118 ${name}: for every version, and in CONNACK`, async (t) => {
      const limited = await startBroker({ conf: `sys_interval 0\n${conf}` })
      t.after(() => limited.stop())
      const subscribers: RawClient[] = []
      for (const version of [3, 4, 5] as const) {
        const { client: subscriber, connack } = await join(t, limited, { clientId: `${version}`, version })
        if (version === 5) assert.equal(connack.properties.receiveMaximum, announced)
        await subscriber.subscribe('t')
        subscribers.push(subscriber)
      }
      const publisher = await client(t, limited, { clientId: 'p' })
      for (let i = 0; i < 30; i++) publisher.publish({ topic: 't', payload: 'ten bytes.', qos: 1 })
      await publisher.settled()
      for (const subscriber of subscribers) {
        const first = publishesOf(await subscriber.settled())
        assert.equal(first.length, sent)
        for (const { packetId } of first) subscriber.ack(PUBACK, packetId)
        if (sent < 30) assert.equal((await take(subscriber, 30 - sent)).length, 30 - sent)
        assert.deepEqual(await subscriber.settled(), [])
      }
    })
})

describe('from the client', () => {
  test('E102 [MQTT-3.3.4-7] [MQTT-3.3.4-8] more than Receive Maximum open: DISCONNECT 0x93; as many are fine, repeated ones too', async (t) => {
    const publisher = await client(t, broker, { clientId: unique(), version: 5 })
    for (let packetId = 1; packetId <= 5; packetId++) publisher.publish({ topic: 'e102', qos: 2, packetId })
    publisher.publish({ topic: 'e102', qos: 2, packetId: 3, dup: true })
    for (let packetId = 100; packetId < 200; packetId++) publisher.publish({ topic: 'e102', qos: 1, packetId })
    assert.equal((await publisher.settled()).length, 106)
    publisher.publish({ topic: 'e102', qos: 2, packetId: 6 })
    const last = (await publisher.closed()).at(-1)
    assert.ok(last?.type === DISCONNECT && last.reasonCode === ReasonCode.RECEIVE_MAXIMUM_EXCEEDED)
  })

  test('F118 3.1.1 knows no window: thousands of open messages are accepted', async (t) => {
    const publisher = await client(t, broker, { clientId: unique() })
    for (let packetId = 1; packetId <= 3000; packetId++) publisher.publish({ topic: 'f118', qos: 2, packetId })
    assert.equal((await publisher.settled()).length, 3000)
  })
})

describe('Maximum Packet Size', () => {
  for (const qos of [0, 1, 2] as const)
    test(`F106 F107 F109 [MQTT-3.1.2-24] [MQTT-3.1.2-25] QoS ${qos}: the whole packet counts; a larger one is dropped for that client only`, async (t) => {
      const topic = unique()
      const ids = { subscriptionIdentifiers: [3] }
      const head = 2 + 2 + topic.length + (qos > 0 ? 2 : 0) + 1 + 2
      const properties = { maximumPacketSize: head + 30, receiveMaximum: 1 }
      const small = await client(t, broker, { clientId: `${topic}-s`, version: 5, properties })
      await small.subscribe(topic, ids)
      const large = await client(t, broker, { clientId: `${topic}-l`, version: 5 })
      await large.subscribe(topic)
      const publisher = await client(t, broker, { clientId: `${topic}-p`, version: 5 })
      publisher.publish({ topic, payload: 'x'.repeat(31), qos })
      publisher.publish({ topic, payload: 'y'.repeat(30), qos })
      for (const answer of (await publisher.settled()) as Ack[]) assert.equal(answer.reasonCode, 0)
      assert.deepEqual(await payloads(small), ['y'.repeat(30)])
      assert.equal((await payloads(large)).length, 2)
    })

  test('F109 [MQTT-3.1.2-24] expiry and alias are part of the size', async (t) => {
    const topic = unique()
    const plain = 2 + 2 + topic.length + 1 + 10
    const subscribers = await Promise.all(
      [plain, plain + 5, plain + 8].map(async (maximumPacketSize, i) => {
        const properties = i < 2 ? { maximumPacketSize } : { maximumPacketSize, topicAliasMaximum: 1 }
        const one = await client(t, broker, { clientId: `${topic}-${i}`, version: 5, properties })
        await one.subscribe(topic)
        return one
      }),
    )
    const publisher = await client(t, broker, { clientId: `${topic}-p`, version: 5 })
    publisher.publish({ topic, payload: 'ten bytes.', properties: { messageExpiryInterval: 60 } })
    await publisher.settled()
    assert.deepEqual(
      (await Promise.all(subscribers.map((one) => one.settled()))).map(({ length }) => length),
      [0, 1, 1],
    )
  })

  test('F111 F108 [MQTT-3.1.2-29] acknowledgements carry neither Reason String nor User Property', async (t) => {
    for (const requestProblemInformation of [0, 1]) {
      const one = await client(t, broker, { clientId: unique(), version: 5, properties: { requestProblemInformation } })
      one.publish({ topic: '$SYS/x', qos: 1 })
      assert.deepEqual({ ...((await one.expect(PUBACK)) as Ack).properties }, {})
      assert.deepEqual({ ...(await one.subscribe('x')).properties }, {})
    }
  })

  test('E10 [MQTT-3.2.2-15] a packet above max_packet_size: DISCONNECT 0x95 from its header, before its body', async (t) => {
    const small = await startBroker({ conf: 'max_packet_size 100' })
    t.after(() => small.stop())
    for (const version of [4, 5] as readonly ProtocolVersion[]) {
      const { client: one, connack } = await join(t, small, { clientId: 'e10', version })
      if (version === 5) assert.equal(connack.properties.maximumPacketSize, 100)
      one.publish({ topic: 't', payload: 'x'.repeat(100 - 2 - 3 - (version === 5 ? 1 : 0)) })
      assert.deepEqual(await one.settled(), [])
      one.send('30 63')
      const last = (await one.closed()).at(-1)
      if (version === 5) assert.ok(last?.type === DISCONNECT && last.reasonCode === 0x95)
      else assert.equal(last, undefined)
    }
  })
})

describe('queues', () => {
  const queues = [
    { name: 'max_queued_messages 0 is no limit', conf: 'max_queued_messages 0', kept: 8 },
    { name: 'max_queued_messages 1', conf: 'max_queued_messages 1', kept: 1 },
    { name: 'max_queued_messages at its maximum', conf: 'max_queued_messages 2147483647', kept: 8 },
    { name: 'max_queued_bytes 0 is no limit', conf: 'max_queued_bytes 0', kept: 8 },
    { name: 'max_queued_bytes 1', conf: 'max_queued_bytes 1', kept: 0 },
    { name: 'max_queued_bytes 35', conf: 'max_queued_bytes 35', kept: 3 },
    { name: 'max_queued_bytes at its maximum', conf: 'max_queued_bytes 2147483647', kept: 8 },
  ]
  for (const { name, conf, kept } of queues)
    test(`F94 ${name}: what comes last is dropped, counted and said once`, async (t) => {
      const limited = await startBroker({ conf: `sys_interval 10\n${conf}` })
      t.after(() => limited.stop())
      const fields = { clientId: 'away', cleanStart: false }
      const first = await client(t, limited, fields)
      await first.subscribe('t')
      await first.drop()
      const publisher = await client(t, limited, { clientId: 'p', version: 5 })
      for (let i = 0; i < 8; i++) publisher.publish({ topic: 't', payload: `message ${i}.`, qos: 1 })
      for (const answer of (await publisher.settled()) as Ack[]) assert.equal(answer.reasonCode, 0)
      const said = limited.log.filter((text) => text.includes('being dropped for client away'))
      assert.equal(said.length, kept < 8 ? 1 : 0)
      const again = await client(t, limited, fields)
      assert.deepEqual(
        await payloads(again),
        Array.from({ length: kept }, (_, i) => `message ${i}.`),
      )
      limited.advance(10)
      await again.subscribe('$SYS/broker/publish/messages/dropped')
      assert.equal((await nextPublish(again)).payload.toString(), `${8 - kept}`)
    })
})
