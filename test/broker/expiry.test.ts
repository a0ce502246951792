// Message expiry: what runs while the broker holds a message, and what is no longer subject to it.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { client, line, nextPublish, payloads, publishesOf } from '../support/deliveries.js'
import type { ConnectFields, RawClient } from '../support/raw-client.js'

const conf = 'sys_interval 0\nmax_queued_messages 3\nqueue_qos0_messages true\nretain_expiry_interval 2'
const broker = await startBroker({ conf })
after(() => broker.stop())

function durable(clientId: string, version: 4 | 5 = 5, receiveMaximum = 10): ConnectFields {
  const properties = version === 5 ? { sessionExpiryInterval: 10_000, receiveMaximum } : {}
  return { clientId, version, cleanStart: false, properties }
}

async function publish(
  publisher: RawClient,
  topic: string,
  payload: string,
  seconds: number | undefined,
  qos: 0 | 1 | 2 = 1,
) {
  const properties = seconds === undefined ? {} : { messageExpiryInterval: seconds }
  publisher.publish({ topic, payload, qos, properties })
  await publisher.settled()
}

for (const qos of [0, 1, 2] as const)
  test(`F65 [MQTT-3.3.2-5] [MQTT-3.3.2-6] QoS ${qos}: expired in the queue it is deleted, else sent with what is left, for each subscriber`, async (t) => {
    const topic = `queue/${qos}`
    const ids = [`${topic}/a`, `${topic}/b`]
    for (const id of ids) {
      const first = await client(t, broker, durable(id))
      await first.subscribe(topic)
      await first.drop()
    }
    const publisher = await client(t, broker, { clientId: `${topic}/p`, version: 5 })
    await publish(publisher, topic, 'short', 10, qos)
    await publish(publisher, topic, 'long', 100, qos)
    await publish(publisher, topic, 'ever', undefined, qos)
    const left = async (id: string) =>
      publishesOf(await (await client(t, broker, durable(id))).settled()).map(
        ({ payload, properties }) => `${payload} ${properties.messageExpiryInterval}`,
      )
    broker.advance(4)
    assert.deepEqual(await left(ids[0] as string), ['short 6', 'long 96', 'ever undefined'])
    broker.advance(6)
    assert.deepEqual(await left(ids[1] as string), ['long 90', 'ever undefined'])
  })

test('[MQTT-3.3.2-6] forwarded at once it keeps its whole time; E108 with 0 it is delivered at once or not at all', async (t) => {
  const subscriber = await client(t, broker, durable('at-once'))
  await subscriber.subscribe('at-once')
  const publisher = await client(t, broker, { clientId: 'at-once-p', version: 5 })
  await publish(publisher, 'at-once', 'x', 0xffff_ffff)
  assert.equal((await nextPublish(subscriber)).properties.messageExpiryInterval, 0xffff_ffff)
  await publish(publisher, 'at-once', 'zero', 0)
  const zero = await nextPublish(subscriber)
  assert.equal(zero.payload.toString(), 'zero')
  subscriber.ack(PacketType.PUBACK, zero.packetId)
  subscriber.disconnect()
  await subscriber.closed()
  await publish(publisher, 'at-once', 'zero', 0)
  const again = publishesOf(await (await client(t, broker, durable('at-once'))).settled())
  assert.deepEqual(again.map(line), ['at-once x q1 dup'])
})

test('F66 F24 [MQTT-4.3.3-7] [MQTT-4.3.3-13] begun, it is sent again with less time and QoS 2 is finished, expired or not', async (t) => {
  const first = await client(t, broker, durable('begun'))
  await first.subscribe('begun')
  const publisher = await client(t, broker, { clientId: 'begun-p', version: 5 })
  await publish(publisher, 'begun', 'x', 10, 2)
  const { packetId } = await nextPublish(first)
  await first.drop()
  broker.advance(6)
  const second = await client(t, broker, durable('begun'))
  assert.equal((await nextPublish(second)).properties.messageExpiryInterval, 4)
  await second.drop()
  broker.advance(60)
  const third = await client(t, broker, durable('begun'))
  assert.equal((await nextPublish(third)).packetId, packetId)
  third.ack(PacketType.PUBREC, packetId)
  await third.expect(PacketType.PUBREL)
  third.ack(PacketType.PUBCOMP, packetId)
  assert.deepEqual(await third.settled(), [])
})

test('F68 a 3.1.1 subscriber gets no property, and nothing that has expired', async (t) => {
  const first = await client(t, broker, durable('f68', 4))
  await first.subscribe('f68')
  await first.drop()
  const publisher = await client(t, broker, { clientId: 'f68-p', version: 5 })
  await publish(publisher, 'f68', 'short', 10)
  await publish(publisher, 'f68', 'long', 100)
  broker.advance(50)
  assert.deepEqual(await payloads(await client(t, broker, durable('f68', 4))), ['long'])
})

test('a message that expires while the window is full is passed over when it opens', async (t) => {
  const subscriber = await client(t, broker, durable('window', 5, 1))
  await subscriber.subscribe('window')
  const publisher = await client(t, broker, { clientId: 'window-p', version: 5 })
  await publish(publisher, 'window', 'open', undefined)
  await publish(publisher, 'window', 'short', 10)
  await publish(publisher, 'window', 'long', 100)
  broker.advance(20)
  subscriber.ack(PacketType.PUBACK, (await nextPublish(subscriber)).packetId)
  assert.deepEqual(await payloads(subscriber), ['long'])
})

test('[MQTT-3.3.2-5] max_queued_messages: what has expired in a full queue makes room', async (t) => {
  const first = await client(t, broker, durable('room'))
  await first.subscribe('room')
  await first.drop()
  const publisher = await client(t, broker, { clientId: 'room-p', version: 5 })
  for (const payload of ['1', '2']) await publish(publisher, 'room', payload, 10)
  await publish(publisher, 'room', '3', 100)
  await publish(publisher, 'room', 'too many', 100)
  broker.advance(20)
  for (const payload of ['4', '5', 'too many']) await publish(publisher, 'room', payload, undefined)
  broker.advance(80)
  for (const payload of ['6', 'too many']) await publish(publisher, 'room', payload, undefined)
  assert.deepEqual(await payloads(await client(t, broker, durable('room'))), ['4', '5', '6'])
})

test('F37 retain_expiry_interval: expired retained messages are removed from memory after that many minutes', async (t) => {
  const lonely = await startBroker({ conf: 'sys_interval 10\nretain_expiry_interval 2' })
  t.after(() => lonely.stop())
  const count = async () => {
    const reader = await client(t, lonely, { clientId: `reader-${Math.random()}` })
    await reader.subscribe('$SYS/broker/retained messages/count')
    return Number((await nextPublish(reader)).payload)
  }
  const publisher = await client(t, lonely, { clientId: 'p', version: 5 })
  const before = await count()
  for (const [topic, messageExpiryInterval] of [
    ['a', 30],
    ['b', 300],
  ] as const)
    publisher.publish({ topic, payload: 'x', retain: true, properties: { messageExpiryInterval } })
  await publisher.settled()
  lonely.advance(100)
  const stored = await count()
  lonely.advance(40)
  assert.equal(await count(), stored - 1)
  assert.ok(stored > before)
})
