// Statements of 3.1.1 that have no twin in 5.0: sessions, retained messages and errors of 3.x clients.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { BrokerContext } from '../../src/broker/context.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { type ConnectFields, RawClient } from '../support/raw-client.js'
import { describePacket, freshId, old } from './conversation.js'

let broker: TestBroker
before(async () => {
  broker = await startBroker()
})
after(() => broker.stop())

async function enter(fields: ConnectFields = {}): Promise<RawClient> {
  return (await RawClient.connect(broker.port, { clientId: freshId(), ...fields })).client
}

async function leave(client: RawClient): Promise<void> {
  client.disconnect()
  await client.closed()
}

/** Publishes from elsewhere and waits until that is done. */
async function publish(...messages: readonly Parameters<RawClient['publish']>[0][]): Promise<void> {
  const client = await enter()
  for (const message of messages) client.publish(message)
  await client.settled()
  await leave(client)
}

async function received(client: RawClient): Promise<string[]> {
  return (await client.settled()).map(describePacket)
}

for (const version of old) {
  test(`[MQTT-3.1.2-5 of 3.1.1] QoS 1 and 2 wait for a client with a session, version ${version}`, async () => {
    const fields = { clientId: freshId(), version, cleanStart: false }
    const first = await enter(fields)
    await first.subscribe('stored/+')
    await leave(first)
    await publish({ topic: 'stored/1', qos: 1 }, { topic: 'stored/2', qos: 2 }, { topic: 'stored/0' })
    const again = await enter(fields)
    assert.deepEqual(await received(again), ["PUBLISH stored/1 '' q1 id 1", "PUBLISH stored/2 '' q2 id 2"])
    await again.drop()
  })

  test(`[MQTT-2.3.1-3 of 3.1.1] what is sent again keeps its identifier, version ${version}`, async () => {
    const fields = { clientId: freshId(), version, cleanStart: false }
    const first = await enter(fields)
    await first.subscribe('again')
    await publish({ topic: 'again', qos: 1, payload: '1' }, { topic: 'again', qos: 2, payload: '2' })
    assert.deepEqual(await received(first), ["PUBLISH again '1' q1 id 1", "PUBLISH again '2' q2 id 2"])
    await first.drop()
    const second = await enter(fields)
    assert.deepEqual(await received(second), ["PUBLISH again '1' q1 dup id 1", "PUBLISH again '2' q2 dup id 2"])
    second.ack(PacketType.PUBREC, 2)
    assert.deepEqual(await received(second), ['PUBREL 2'])
    await second.drop()
    const third = await enter(fields)
    assert.deepEqual(await received(third), ["PUBLISH again '1' q1 dup id 1", 'PUBREL 2'])
    await third.drop()
  })

  test(`[MQTT-3.1.2-6 of 3.1.1] a clean session lives as long as its connection, version ${version}`, async () => {
    const fields = { clientId: freshId(), version }
    const first = await enter(fields)
    await first.subscribe('clean')
    await leave(first)
    await publish({ topic: 'clean', qos: 1 })
    const again = await enter({ ...fields, cleanStart: false })
    await publish({ topic: 'clean', qos: 1 })
    assert.deepEqual(await received(again), [])
    await again.drop()
  })

  test(`[MQTT-3.1.2-7 of 3.1.1] retained messages outlive the session of their publisher, version ${version}`, async () => {
    const publisher = await enter({ version })
    publisher.publish({ topic: `kept/${version}`, payload: '1', retain: true })
    await publisher.settled()
    await publisher.drop()
    const reader = await enter({ version })
    await reader.subscribe(`kept/${version}`)
    assert.deepEqual(await received(reader), [`PUBLISH kept/${version} '1' q0 retain`])
    await reader.drop()
  })

  test(`[MQTT-3.1.2-12 of 3.1.1] without a will nothing is published, version ${version}`, async () => {
    const watcher = await enter()
    await watcher.subscribe('#')
    await received(watcher) // retained messages
    const client = await enter({ version })
    await client.drop()
    const marker = await enter({ version, will: { topic: 'marker' } })
    await marker.drop()
    assert.equal(describePacket(await watcher.expect(PacketType.PUBLISH)), "PUBLISH marker '' q0")
    assert.deepEqual(await received(watcher), [])
    await watcher.drop()
  })

  test(`[MQTT-3.3.1-6 of 3.1.1] [MQTT-3.3.1-8 of 3.1.1] each subscription gets the last retained messages, with RETAIN, version ${version}`, async () => {
    const topic = `last/${version}`
    await publish(
      { topic: `${topic}/a`, payload: 'old', retain: true },
      { topic: `${topic}/a`, payload: 'new', retain: true },
      { topic: `${topic}/b`, payload: 'b', retain: true, qos: 1 },
    )
    const client = await enter({ version })
    const expected = new Set([`PUBLISH ${topic}/a 'new' q0 retain`, `PUBLISH ${topic}/b 'b' q0 retain`])
    for (let round = 0; round < 2; round++) {
      await client.subscribe([{ filter: `${topic}/+` }])
      assert.deepEqual(new Set(await received(client)), expected)
    }
    await client.subscribe([{ filter: `${topic}/a` }])
    assert.deepEqual(await received(client), [`PUBLISH ${topic}/a 'new' q0 retain`])
    await client.drop()
  })

  test(`[MQTT-3.3.1-7 of 3.1.1] a retained QoS 0 message takes the place of a QoS 2 one, version ${version}`, async () => {
    const topic = `replaced/${version}`
    await publish({ topic, payload: 'two', retain: true, qos: 2 }, { topic, payload: 'zero', retain: true })
    const client = await enter({ version })
    await client.subscribe(topic)
    assert.deepEqual(await received(client), [`PUBLISH ${topic} 'zero' q0 retain`])
    await client.drop()
  })
}

for (const version of [3, 4, 5] as const)
  test(`[MQTT-4.8.0-2 of 3.1.1] a failure of the broker ends the connection it came on and no other, version ${version}`, async () => {
    const own = await startBroker()
    try {
      const { client: other } = await RawClient.connect(own.port, { clientId: 'other' })
      const { client } = await RawClient.connect(own.port, { clientId: 'unlucky', version })
      const { router } = Reflect.get(own.broker, 'context') as BrokerContext
      router.publish = () => {
        throw new Error('made for the test')
      }
      client.publish({ topic: 't', qos: 1, packetId: 1 })
      const farewell = version === 5 ? ['DISCONNECT 0x83'] : []
      assert.deepEqual((await client.closed()).map(describePacket), farewell)
      assert.deepEqual(await other.settled(), [])
      assert.ok(own.log.some((line) => line.includes('made for the test')))
      Reflect.deleteProperty(router, 'publish')
    } finally {
      await own.stop()
    }
  })
