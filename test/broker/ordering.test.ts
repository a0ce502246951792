// Order and resending across connections: what a session owes comes first and in order, then what waited, then what is new.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { client, join, line, nextPublish, payloads, publishesOf, take } from '../support/deliveries.js'
import type { ConnectFields } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'max_inflight_messages 3\nqueue_qos0_messages true' })
after(() => broker.stop())

const { PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP } = PacketType

function durable(clientId: string, version: ProtocolVersion = 4): ConnectFields {
  const properties = version === 5 ? { sessionExpiryInterval: 1000 } : {}
  return { clientId, version, cleanStart: false, properties }
}

/** `PUBLISH m1 a q1 dup`, `PUBREL m1`. */
function outline(packet: Packet): string {
  if (packet.type === PUBLISH)
    return `PUBLISH m${packet.packetId} ${packet.payload} q${packet.qos}${packet.dup ? ' dup' : ''}`
  return packet.type === PUBREL ? `PUBREL m${packet.packetId}` : `type ${packet.type}`
}

for (const version of [4, 5] as const)
  test(`${version}: F7 F15 F16 F22 [MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT-4.3.3-6] resume: PUBREL where PUBREC was seen, else PUBLISH with DUP, in order`, async (t) => {
    const fields = durable(`resume-${version}`, version)
    const topic = `resume/${version}`
    const first = await client(t, broker, fields)
    await first.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `p-${version}` })
    publisher.publish({ topic, payload: 'a', qos: 1 })
    publisher.publish({ topic, payload: 'b', qos: 2 })
    publisher.publish({ topic, payload: 'c', qos: 2 })
    publisher.publish({ topic, payload: 'd', qos: 1 })
    await publisher.settled()
    const [a, b, c] = publishesOf(await first.settled())
    assert.ok(a && b && c)
    first.ack(PUBREC, b.packetId)
    await first.expect(PUBREL)
    await first.drop()
    const { client: again, connack } = await join(t, broker, fields)
    assert.equal(connack.sessionPresent, true)
    assert.deepEqual((await again.settled()).map(outline), [
      `PUBLISH m${a.packetId} a q1 dup`,
      `PUBREL m${b.packetId}`,
      `PUBLISH m${c.packetId} c q2 dup`,
    ])
    again.ack(PUBACK, a.packetId)
    assert.equal(line(await nextPublish(again)), `${topic} d q1`, 'F14: never sent before, so without DUP')
    again.ack(PUBCOMP, b.packetId)
    again.ack(PUBREC, c.packetId)
    await again.expect(PUBREL)
    again.ack(PUBCOMP, c.packetId)
    await again.settled()
    await again.drop()
    const third = await client(t, broker, fields)
    assert.deepEqual((await third.settled()).map(outline), [`PUBLISH m4 d q1 dup`])
  })

test('F21 [MQTT-4.4.0-1] nothing is sent again while the connection lasts, however long it takes', async (t) => {
  const subscriber = await client(t, broker, { clientId: 'patient', version: 5 })
  await subscriber.subscribe('patient')
  const publisher = await client(t, broker, { clientId: 'patient-p' })
  publisher.publish({ topic: 'patient', qos: 1 })
  publisher.publish({ topic: 'patient', qos: 2 })
  await publisher.settled()
  assert.equal((await subscriber.settled()).length, 2)
  broker.advance(3600)
  assert.deepEqual(await subscriber.settled(), [])
})

test('F8 [MQTT-4.1.0-1] ids of QoS 2 messages whose PUBREL is missing survive: the repetition is not delivered again', async (t) => {
  const subscriber = await client(t, broker, { clientId: 'f8-s' })
  await subscriber.subscribe([{ filter: 'f8', qos: 0 }])
  const publisher = await client(t, broker, durable('f8-p'))
  publisher.publish({ topic: 'f8', payload: 'once', qos: 2, packetId: 5 })
  await publisher.expect(PUBREC)
  await publisher.drop()
  const again = await client(t, broker, durable('f8-p'))
  again.publish({ topic: 'f8', payload: 'once', qos: 2, packetId: 5, dup: true })
  await again.expect(PUBREC)
  again.ack(PUBREL, 5)
  await again.expect(PUBCOMP)
  assert.deepEqual(await payloads(subscriber), ['once'])
})

describe('offline', () => {
  const numbers = Array.from({ length: 50 }, (_, i) => `${i}`)

  for (const qos of [0, 1, 2] as const)
    test(`F93 F19 [MQTT-4.6.0-5] QoS ${qos}: queued messages arrive in order, and before those published meanwhile`, async (t) => {
      const topic = `offline/${qos}`
      const fields = durable(`offline-${qos}`)
      const first = await client(t, broker, fields)
      await first.subscribe(topic)
      await first.drop()
      const publisher = await client(t, broker, { clientId: `offline-p-${qos}` })
      for (const payload of numbers.slice(0, 40)) publisher.publish({ topic, payload, qos })
      await publisher.settled()
      const again = await client(t, broker, fields)
      for (const payload of numbers.slice(40)) publisher.publish({ topic, payload, qos })
      const got = (await take(again, numbers.length)).map(({ payload }) => payload.toString())
      assert.deepEqual(got, numbers)
    })
})

test('F18 [MQTT-4.6.0-6] order per publisher, topic and QoS over many subscribers', async (t) => {
  const subscribers = await Promise.all(
    ['o1', 'o2', 'o3'].map(async (clientId) => {
      const subscriber = await client(t, broker, { clientId, version: 5 })
      await subscriber.subscribe([{ filter: 'order/#', qos: 0 }])
      return subscriber
    }),
  )
  const publisher = await client(t, broker, { clientId: 'order-p' })
  const sent = Array.from({ length: 300 }, (_, i) => ({
    topic: `order/${i % 3}`,
    payload: `${i}`,
    qos: (i % 2) as 0 | 1,
  }))
  for (const message of sent) publisher.publish(message)
  await publisher.settled()
  for (const subscriber of subscribers) {
    const got = publishesOf(await subscriber.settled())
    for (const topic of ['order/0', 'order/1', 'order/2'])
      assert.deepEqual(
        got.filter((message) => message.topic === topic).map(({ payload }) => payload.toString()),
        sent.filter((message) => message.topic === topic).map(({ payload }) => payload),
      )
  }
})

test('F20 with Receive Maximum 1 only one message is ever open, so none can arrive twice out of order', async (t) => {
  const subscriber = await client(t, broker, { clientId: 'f20', version: 5, properties: { receiveMaximum: 1 } })
  await subscriber.subscribe('f20')
  const publisher = await client(t, broker, { clientId: 'f20-p' })
  for (const payload of ['a', 'b', 'c']) publisher.publish({ topic: 'f20', payload, qos: 1 })
  await publisher.settled()
  for (const payload of ['a', 'b', 'c']) {
    const [only, ...others] = publishesOf(await subscriber.settled())
    assert.equal(only?.payload.toString(), payload)
    assert.equal(others.length, 0)
    subscriber.ack(PUBACK, only?.packetId ?? 0)
  }
})

test('F23 [MQTT-3.3.2-7] a message sent again on a new connection carries its topic, not the alias of the old one', async (t) => {
  const fields = { ...durable('f23', 5), properties: { sessionExpiryInterval: 100, topicAliasMaximum: 5 } }
  const first = await client(t, broker, fields)
  await first.subscribe('f23/topic')
  const publisher = await client(t, broker, { clientId: 'f23-p' })
  for (const payload of ['a', 'b']) publisher.publish({ topic: 'f23/topic', payload, qos: 1 })
  const [, aliased] = [await nextPublish(first), await nextPublish(first)]
  assert.equal(aliased.topic, '')
  await first.drop()
  const again = await client(t, broker, fields)
  assert.equal(line(await nextPublish(again)), 'f23/topic a q1 dup')
  const second = await client(t, broker, { ...fields, properties: { sessionExpiryInterval: 100 } })
  assert.deepEqual(publishesOf(await second.settled()).map(line), ['f23/topic a q1 dup', 'f23/topic b q1 dup'])
})

test('[MQTT-4.5.0-1] [MQTT-3.1.2-5] a message enters the session of every subscriber, connected or not', async (t) => {
  const away = durable('away')
  const gone = await client(t, broker, away)
  await gone.subscribe('everyone')
  await gone.drop()
  const here = await client(t, broker, { clientId: 'here' })
  await here.subscribe('everyone')
  const publisher = await client(t, broker, { clientId: 'everyone-p' })
  publisher.publish({ topic: 'everyone', payload: 'x', qos: 1 })
  await publisher.settled()
  assert.deepEqual(await payloads(here), ['x'])
  assert.deepEqual(await payloads(await client(t, broker, away)), ['x'])
})
