// Topic aliases in both directions: whose they are, how long they live, and that nobody else sees them.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Properties } from '../../src/protocol/properties.js'
import { startBroker } from '../support/broker-kit.js'
import { client, join, nextPublish, publishesOf, received } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0\nmax_topic_alias 3\nmax_topic_alias_broker 2' })
after(() => broker.stop())

let number = 0

function unique(): string {
  return `alias/${++number}`
}

const v5 = (clientId: string, properties: Properties = {}) => ({ clientId, version: 5, properties }) as const

/** `topic alias` of what has arrived; `-` for none. */
async function aliases(from: RawClient): Promise<string[]> {
  return publishesOf(await from.settled()).map(({ topic, properties }) => `${topic} ${properties.topicAlias ?? '-'}`)
}

describe('from the client', () => {
  test('[MQTT-3.2.2-17] [MQTT-3.3.2-12] F120 every alias up to the announced maximum, at every QoS, set anew at will', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: `${topic}-s` })
    await subscriber.subscribe([{ filter: `${topic}/#` }])
    const { client: publisher, connack } = await join(t, broker, v5(topic))
    assert.equal(connack.properties.topicAliasMaximum, 3)
    for (let alias = 1; alias <= 3; alias++) {
      const qos = (alias - 1) as 0 | 1 | 2
      const properties = { topicAlias: alias }
      publisher.publish({ topic: `${topic}/${alias}`, payload: 'set', properties, qos })
      publisher.publish({ topic: '', payload: 'used', properties, qos })
    }
    publisher.publish({ topic: `${topic}/new`, payload: 'set', properties: { topicAlias: 2 } })
    publisher.publish({ topic: '', payload: 'used', properties: { topicAlias: 2 } })
    await publisher.settled()
    const expected = ['1', '2', '3', 'new'].flatMap((name) => [`${topic}/${name} set q0`, `${topic}/${name} used q0`])
    assert.deepEqual(await received(subscriber), expected)
  })

  const faults = [
    { name: 'E90 [MQTT-3.3.2-9] above the maximum', topic: 't', properties: { topicAlias: 4 }, code: 0x94 },
    { name: 'E91 never set', topic: '', properties: { topicAlias: 2 }, code: 0x82 },
    { name: 'E82 no topic and no alias', topic: '', properties: {}, code: 0x82 },
  ]
  for (const { name, topic, properties, code } of faults)
    test(`${name}: DISCONNECT 0x${code.toString(16)}`, async (t) => {
      const publisher = await client(t, broker, v5(unique()))
      publisher.publish({ topic, properties })
      const [last] = await publisher.closed()
      assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === code)
    })

  test('F119 [MQTT-3.3.2-7] a new connection knows none, though the session is resumed', async (t) => {
    const fields = { ...v5(unique(), { sessionExpiryInterval: 100 }), cleanStart: false }
    const first = await client(t, broker, fields)
    first.publish({ topic: 't', properties: { topicAlias: 1 } })
    await first.settled()
    await first.drop()
    const again = await client(t, broker, fields)
    again.publish({ topic: '', properties: { topicAlias: 1 } })
    const [last] = await again.closed()
    assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === 0x82)
  })

  test('F121 an alias is learnt even if its message is refused', async (t) => {
    const publisher = await client(t, broker, v5(unique()))
    publisher.publish({ topic: '$SYS/refused', qos: 1, properties: { topicAlias: 1 } })
    publisher.publish({ topic: '', qos: 1, properties: { topicAlias: 1 } })
    const codes = (await publisher.settled()).map((packet) => packet.type === PacketType.PUBACK && packet.reasonCode)
    assert.deepEqual(codes, [0x87, 0x87])
  })

  test('E92 [MQTT-3.2.2-18] with max_topic_alias 0 none is announced and the first is refused', async (t) => {
    const none = await startBroker({ conf: 'max_topic_alias 0' })
    t.after(() => none.stop())
    const { client: publisher, connack } = await join(t, none, v5('e92'))
    assert.equal(connack.properties.topicAliasMaximum, undefined)
    publisher.publish({ topic: 't', properties: { topicAlias: 1 } })
    const [last] = await publisher.closed()
    assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === 0x94)
  })

  test('max_topic_alias 65535 serves the last alias', async (t) => {
    const most = await startBroker({ conf: 'max_topic_alias 65535' })
    t.after(() => most.stop())
    const { client: publisher, connack } = await join(t, most, v5('most'))
    assert.equal(connack.properties.topicAliasMaximum, 65_535)
    await publisher.subscribe([{ filter: 't' }])
    publisher.publish({ topic: 't', properties: { topicAlias: 65_535 } })
    publisher.publish({ topic: '', properties: { topicAlias: 65_535 } })
    assert.equal((await received(publisher)).length, 2)
  })
})

describe('to the client', () => {
  test('[MQTT-3.1.2-27] F122 none unless the client allows them; those of the publisher are not passed on', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, v5(`${topic}-s`))
    await subscriber.subscribe([{ filter: topic }])
    const publisher = await client(t, broker, v5(topic))
    publisher.publish({ topic, properties: { topicAlias: 3 } })
    publisher.publish({ topic: '', properties: { topicAlias: 3 } })
    await publisher.settled()
    assert.deepEqual(await aliases(subscriber), [`${topic} -`, `${topic} -`])
  })

  test('[MQTT-3.1.2-26] [MQTT-3.3.2-11] the first topics get them, no more than the client and max_topic_alias_broker allow', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, v5(`${topic}-s`, { topicAliasMaximum: 100 }))
    const narrow = await client(t, broker, v5(`${topic}-n`, { topicAliasMaximum: 1 }))
    for (const one of [subscriber, narrow]) await one.subscribe([{ filter: `${topic}/#` }])
    const publisher = await client(t, broker, { clientId: topic })
    for (const name of ['a', 'b', 'c', 'a', 'b', 'c']) publisher.publish({ topic: `${topic}/${name}` })
    await publisher.settled()
    const [a, b, c] = ['a', 'b', 'c'].map((name) => `${topic}/${name}`)
    assert.deepEqual(await aliases(subscriber), [`${a} 1`, `${b} 2`, `${c} -`, ' 1', ' 2', `${c} -`])
    assert.deepEqual(await aliases(narrow), [`${a} 1`, `${b} -`, `${c} -`, ' 1', `${b} -`, `${c} -`])
  })

  test('F119 both directions use the same alias for different topics', async (t) => {
    const topic = unique()
    const both = await client(t, broker, v5(topic, { topicAliasMaximum: 1 }))
    await both.subscribe([{ filter: `${topic}/in` }])
    const other = await client(t, broker, { clientId: `${topic}-o` })
    await other.subscribe([{ filter: `${topic}/out` }])
    both.publish({ topic: `${topic}/out`, properties: { topicAlias: 1 } })
    other.publish({ topic: `${topic}/in` })
    await other.settled()
    both.publish({ topic: '', payload: 'again', properties: { topicAlias: 1 } })
    assert.deepEqual(await aliases(both), [`${topic}/in 1`])
    assert.deepEqual((await received(other)).at(-1), `${topic}/out again q0`)
  })

  test('F123 an alias whose message was too large to be sent is not relied on', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, v5(`${topic}-s`, { topicAliasMaximum: 2, maximumPacketSize: 60 }))
    await subscriber.subscribe([{ filter: topic }])
    const publisher = await client(t, broker, { clientId: topic })
    publisher.publish({ topic, payload: 'x'.repeat(100) })
    publisher.publish({ topic, payload: 'small' })
    publisher.publish({ topic, payload: 'small' })
    await publisher.settled()
    assert.deepEqual(await aliases(subscriber), [`${topic} 1`, ' 1'])
  })

  test('QoS 1 and retained messages use them as well', async (t) => {
    const topic = unique()
    const publisher = await client(t, broker, { clientId: topic })
    publisher.publish({ topic, payload: 'kept', retain: true, qos: 1 })
    await publisher.settled()
    const subscriber = await client(t, broker, v5(`${topic}-s`, { topicAliasMaximum: 2 }))
    await subscriber.subscribe(topic)
    assert.equal((await nextPublish(subscriber)).properties.topicAlias, 1)
    publisher.publish({ topic, payload: 'x', qos: 1 })
    const second = await nextPublish(subscriber)
    assert.deepEqual([second.topic, second.properties.topicAlias, second.payload.toString()], ['', 1, 'x'])
  })
})
