// SUBSCRIBE and UNSUBSCRIBE: what is granted, what replaces what, what stops, and which topics a filter matches.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { client, nextPublish, payloads, publishesOf, received } from '../support/deliveries.js'

const broker = await startBroker({ conf: 'sys_interval 0' })
after(() => broker.stop())

let number = 0

function unique(): string {
  return `sub/${++number}`
}

describe('SUBACK', () => {
  for (const version of [3, 4, 5] as const)
    test(`${version}: F59 [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] one code a filter, in order, repeated filters too`, async (t) => {
      const one = await client(t, broker, { clientId: unique(), version })
      const { reasonCodes, packetId } = await one.subscribe([
        { filter: 'a', qos: 2 },
        { filter: 'b', qos: 0 },
        { filter: 'a', qos: 1 },
        { filter: '$share/g/a', qos: 1 },
        { filter: '#', qos: 2 },
      ])
      assert.deepEqual(reasonCodes, [2, 0, 1, 1, 2])
      assert.equal(packetId, 1)
    })

  for (const qos of [0, 1] as const)
    test(`F60 [MQTT-3.2.2-9] [MQTT-3.2.2-10] max_qos ${qos} grants less and refuses nothing`, async (t) => {
      const low = await startBroker({ conf: `max_qos ${qos}` })
      t.after(() => low.stop())
      const one = await client(t, low, { clientId: 'f60', version: 5 })
      const { reasonCodes } = await one.subscribe([
        { filter: 'a', qos: 0 },
        { filter: 'b', qos: 1 },
        { filter: 'c', qos: 2 },
      ])
      assert.deepEqual(reasonCodes, [0, Math.min(1, qos), qos])
    })

  const limits = [
    { limit: 0, granted: 5 },
    { limit: 1, granted: 1 },
    { limit: 2_147_483_647, granted: 5 },
  ]
  for (const { limit, granted } of limits)
    test(`E156 max_subscriptions ${limit}: ${granted} of 5; the others 0x97, in 3.1.1 0x80; replacing one is no new one`, async (t) => {
      const few = await startBroker({ conf: `sys_interval 0\nmax_subscriptions ${limit}` })
      t.after(() => few.stop())
      for (const [version, refusal] of [
        [4, 0x80],
        [5, 0x97],
      ] as const) {
        const one = await client(t, few, { clientId: `v${version}`, version })
        const { reasonCodes } = await one.subscribe(['a', 'b', 'c', 'd', 'e'].map((filter) => ({ filter, qos: 1 })))
        assert.deepEqual(reasonCodes, [1, 1, 1, 1, 1].fill(refusal, granted))
        assert.deepEqual((await one.subscribe([{ filter: 'a', qos: 2 }])).reasonCodes, [2])
      }
    })

  test('F61 [MQTT-3.8.4-1] it comes before the retained messages of its own subscription', async (t) => {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic })
    one.publish({ topic, payload: 'x', retain: true })
    await one.subscribe(topic)
    assert.equal((await received(one)).length, 1)
  })
})

describe('the same filter again', () => {
  test('F57 [MQTT-3.8.4-3] [MQTT-3.8.4-4] replaces the options; no message is lost or doubled meanwhile', async (t) => {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic, version: 5 })
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    await one.subscribe([{ filter: topic, qos: 0 }])
    for (let i = 0; i < 20; i++) {
      publisher.publish({ topic, payload: `${i}` })
      one.send({
        type: PacketType.SUBSCRIBE,
        packetId: 100 + i,
        properties: {},
        subscriptions: [{ filter: topic, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 2 }],
      })
    }
    await publisher.settled()
    const got = publishesOf(await one.settled()).map(({ payload }) => payload.toString())
    assert.deepEqual(
      got,
      Array.from({ length: 20 }, (_, i) => `${i}`),
    )
  })

  test('F58 a lowered QoS is for new messages, those in flight keep theirs', async (t) => {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic, version: 5, properties: { receiveMaximum: 1 } })
    await one.subscribe([{ filter: topic, qos: 1 }])
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    for (const payload of ['open', 'queued']) publisher.publish({ topic, payload, qos: 1 })
    await publisher.settled()
    const open = await nextPublish(one)
    await one.subscribe([{ filter: topic, qos: 0 }])
    publisher.publish({ topic, payload: 'new', qos: 1 })
    await publisher.settled()
    one.ack(PacketType.PUBACK, open.packetId)
    assert.deepEqual((await received(one)).sort(), [`${topic} new q0`, `${topic} queued q1`])
  })

  test('F50 without an identifier removes it, with another replaces it', async (t) => {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic, version: 5 })
    const seen: unknown[] = []
    for (const properties of [{ subscriptionIdentifiers: [1] }, { subscriptionIdentifiers: [2] }, {}]) {
      await one.subscribe(topic, properties)
      one.publish({ topic })
      seen.push((await nextPublish(one)).properties.subscriptionIdentifiers)
    }
    assert.deepEqual(seen, [[1], [2], undefined])
  })
})

describe('UNSUBSCRIBE', () => {
  test('F62 F63 E163 [MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] text for text, a code a filter', async (t) => {
    const one = await client(t, broker, { clientId: unique(), version: 5 })
    await one.subscribe([{ filter: 'u/+' }, { filter: 'u/b' }, { filter: '$share/g/u/x' }])
    const filters = ['u/+', 'u/b', 'u/+', 'u/#', 'u/x', '$share/g/u/x', 'U/B']
    assert.deepEqual((await one.unsubscribe(...filters)).reasonCodes, [0, 0, 0x11, 0x11, 0x11, 0, 0x11])
  })

  test('F63 a/+ does not remove a/b', async (t) => {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic })
    await one.subscribe([{ filter: `${topic}/b` }])
    await one.unsubscribe(`${topic}/+`)
    one.publish({ topic: `${topic}/b`, payload: 'x' })
    assert.deepEqual(await payloads(one), ['x'])
  })

  test('F64 [MQTT-3.10.4-2] [MQTT-3.10.4-3] nothing new comes, what was begun is finished', async (t) => {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic })
    await one.subscribe(topic)
    one.publish({ topic, payload: 'begun', qos: 2, packetId: 50 })
    const [begun] = publishesOf(await one.settled())
    await one.unsubscribe(topic)
    one.publish({ topic, payload: 'new', qos: 1, packetId: 51 })
    one.ack(PacketType.PUBREC, begun?.packetId ?? 0)
    const types = (await one.settled()).map(({ type }) => type)
    assert.deepEqual(types.sort(), [PacketType.PUBACK, PacketType.PUBREL])
    one.ack(PacketType.PUBCOMP, begun?.packetId ?? 0)
    assert.deepEqual(await one.settled(), [])
  })

  test('CVE-2024-8376: plain and shared subscriptions with one filter are two', async (t) => {
    const topic = unique()
    const one = await client(t, broker, { clientId: topic, version: 5 })
    const shared = `$share/g/${topic}`
    await one.subscribe([{ filter: topic }, { filter: shared }])
    assert.deepEqual((await one.unsubscribe(shared, shared)).reasonCodes, [0, 0x11])
    one.publish({ topic, payload: 'plain' })
    assert.deepEqual(await payloads(one), ['plain'])
    await one.subscribe([{ filter: shared }])
    await one.unsubscribe(topic)
    one.publish({ topic, payload: 'shared' })
    assert.deepEqual(await payloads(one), ['shared'])
  })
})

describe('which topics match', () => {
  const rows: readonly {
    readonly id: string
    readonly filter: string
    readonly yes: readonly string[]
    readonly no: readonly string[]
  }[] = [
    { id: 'F124', filter: 'sport/#', yes: ['sport', 'sport/', 'sport/a/b'], no: ['sports', 'Sport', 'a/sport'] },
    { id: 'F125', filter: 'sport/+', yes: ['sport/', 'sport/a'], no: ['sport', 'sport/a/b'] },
    { id: 'F126', filter: '+/+', yes: ['/a', 'a/', '/'], no: ['a', '/a/b', 'a//b'] },
    { id: 'F126', filter: '/+', yes: ['/a', '/'], no: ['a', 'a/a', '/a/'] },
    { id: 'F126', filter: '+', yes: ['a', ' '], no: ['/a', '/', 'a/'] },
    { id: 'F126', filter: 'a//b', yes: ['a//b'], no: ['a/b', 'a/x/b'] },
    { id: 'F127 [MQTT-4.7.3-4]', filter: 'Ä/ a', yes: ['Ä/ a'], no: ['A\u0308/ a', 'ä/ a', 'Ä/a', 'Ä/ a '] },
    { id: 'F128 [MQTT-4.7.2-1]', filter: '#', yes: ['a', '/', 'a/$x'], no: ['$x', '$own/x'] },
    { id: 'F128 [MQTT-4.7.2-1]', filter: '+/x', yes: ['a/x', '/x'], no: ['$own/x'] },
    { id: 'F128', filter: '$own/+', yes: ['$own/x'], no: ['own/x', '$own'] },
    { id: 'F128 F129', filter: '+/$x', yes: ['a/$x'], no: ['$own/$x', 'a/x'] },
    { id: 'F129', filter: 'a/#', yes: ['a/$x', 'a/$SYS/b'], no: ['$a/b'] },
    {
      id: 'D3.1 F127',
      filter: '__proto__/+',
      yes: ['__proto__/constructor', '__proto__/toString'],
      no: ['constructor/x'],
    },
  ]
  for (const { id, filter, yes, no } of rows)
    test(`${id}: ${filter}`, async (t) => {
      const one = await client(t, broker, { clientId: unique(), version: 5 })
      await one.subscribe([{ filter, retainHandling: 2 }])
      for (const topic of [...yes, ...no]) one.publish({ topic })
      assert.deepEqual(
        publishesOf(await one.settled()).map(({ topic }) => topic),
        yes,
      )
    })
})
