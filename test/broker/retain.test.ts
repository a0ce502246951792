// Retained messages as clients see them: stored, replaced, removed, expired, and when a subscription brings them.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { PublishFields } from '../../src/protocol/packets/publish.js'
import type { RetainHandling } from '../../src/protocol/packets/subscribe.js'
import { startBroker } from '../support/broker-kit.js'
import { client, nextPublish, publishesOf, received } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0' })
after(() => broker.stop())

let number = 0

interface Scene {
  readonly topic: string
  readonly subscriber: RawClient
  readonly publisher: RawClient
  /** Publishes retained and waits until the broker has it. */
  retain(payload: string, fields?: Omit<PublishFields, 'topic' | 'payload'>, below?: string): Promise<void>
}

/** A 5.0 subscriber, a 5.0 publisher and a topic of their own. */
async function scene(t: TestContext): Promise<Scene> {
  const topic = `retain/${++number}`
  const subscriber = await client(t, broker, { clientId: `${topic}-s`, version: 5 })
  const publisher = await client(t, broker, { clientId: `${topic}-p`, version: 5 })
  const retain: Scene['retain'] = async (payload, fields = {}, below = '') => {
    publisher.publish({ retain: true, ...fields, topic: topic + below, payload })
    await publisher.settled()
  }
  return { topic, subscriber, publisher, retain }
}

describe('stored', () => {
  test('[MQTT-3.3.1-5] [MQTT-3.3.1-9] F25 F31 the last one, with RETAIN 1 and the smaller QoS', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('old', { qos: 2 })
    await retain('new', { qos: 1 })
    await subscriber.subscribe(topic)
    assert.deepEqual(await received(subscriber), [`${topic} new q1 retain`])
    await subscriber.subscribe([{ filter: topic, qos: 0 }])
    assert.deepEqual(await received(subscriber), [`${topic} new q0 retain`])
  })

  test('F35 QoS 0 replaces a stored QoS 2 message', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('old', { qos: 2 })
    await retain('new')
    await subscriber.subscribe(topic)
    assert.deepEqual(await received(subscriber), [`${topic} new q0 retain`])
  })

  test('F32 [MQTT-3.3.1-6] an empty one removes it and is forwarded, RETAIN only with Retain As Published', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('x')
    await subscriber.subscribe([{ filter: topic, retainHandling: 2 }])
    const other = await client(t, broker, { clientId: `${topic}-o`, version: 5 })
    await other.subscribe([{ filter: topic, retainHandling: 2, retainAsPublished: true }])
    await retain('')
    assert.deepEqual(await received(subscriber), [`${topic}  q0`])
    assert.deepEqual(await received(other), [`${topic}  q0 retain`])
    await subscriber.subscribe(topic)
    assert.deepEqual(await received(subscriber), [])
  })

  test('F33 [MQTT-3.3.1-7] an empty one is never stored', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('', { qos: 1 })
    await subscriber.subscribe(topic)
    assert.deepEqual(await received(subscriber), [])
  })

  test('F34 [MQTT-3.3.1-8] a message without RETAIN leaves it', async (t) => {
    const { topic, subscriber, publisher, retain } = await scene(t)
    await retain('kept')
    publisher.publish({ topic, payload: 'passing' })
    publisher.publish({ topic })
    await publisher.settled()
    await subscriber.subscribe(topic)
    assert.deepEqual(await received(subscriber), [`${topic} kept q0 retain`])
  })

  test('F36 [MQTT-3.1.2-7] it outlives the session of its publisher', async (t) => {
    const { topic, subscriber, publisher, retain } = await scene(t)
    await retain('kept')
    publisher.disconnect()
    await publisher.closed()
    broker.advance(10)
    await subscriber.subscribe(topic)
    assert.deepEqual(await received(subscriber), [`${topic} kept q0 retain`])
  })

  test('F39 with its properties, without alias and subscription identifiers', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    const properties = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'answer',
      correlationData: Buffer.from('id'),
      userProperties: [
        ['b', '2'],
        ['a', '1'],
        ['b', '2'],
      ] as const,
    }
    await retain('x', { properties: { ...properties, topicAlias: 1 } })
    await subscriber.subscribe(topic)
    assert.deepEqual({ ...(await nextPublish(subscriber)).properties }, properties)
  })

  test('F37 F38 [MQTT-3.3.2-5] [MQTT-3.3.2-6] its expiry runs while it is stored; expired it is gone', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('old')
    await retain('x', { properties: { messageExpiryInterval: 30 } })
    for (const [seconds, left] of [
      [10, 20],
      [15, 5],
    ] as const) {
      broker.advance(seconds)
      await subscriber.subscribe(topic)
      assert.equal((await nextPublish(subscriber)).properties.messageExpiryInterval, left)
    }
    broker.advance(5)
    await subscriber.subscribe(topic)
    assert.deepEqual(await received(subscriber), [])
  })
})

describe('sent because of a subscription', () => {
  test('F26 [MQTT-3.3.1-12] [MQTT-3.3.1-13] RETAIN 1 also with Retain As Published 0; live copies as the option says', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('stored')
    await subscriber.subscribe([{ filter: topic, retainAsPublished: false }])
    await retain('live')
    assert.deepEqual(await received(subscriber), [`${topic} stored q0 retain`, `${topic} live q0`])
    await subscriber.subscribe([{ filter: topic, retainAsPublished: true, retainHandling: 2 }])
    await retain('live')
    assert.deepEqual(await received(subscriber), [`${topic} live q0 retain`])
  })

  const handling: readonly {
    readonly name: string
    readonly retainHandling: RetainHandling
    readonly sent: readonly number[]
  }[] = [
    { name: '[MQTT-3.3.1-9] F27 [MQTT-3.8.4-4] 0: each time', retainHandling: 0, sent: [1, 1, 1] },
    {
      name: '[MQTT-3.3.1-10] F28 1: when the subscription is new, again after UNSUBSCRIBE',
      retainHandling: 1,
      sent: [1, 0, 1],
    },
    { name: '[MQTT-3.3.1-11] 2: never', retainHandling: 2, sent: [0, 0, 0] },
  ]
  for (const { name, retainHandling, sent } of handling)
    test(`Retain Handling ${name}`, async (t) => {
      const { topic, subscriber, retain } = await scene(t)
      await retain('x')
      const counts: number[] = []
      const subscribe = async () => {
        await subscriber.subscribe([{ filter: topic, retainHandling }])
        counts.push((await received(subscriber)).length)
      }
      await subscribe()
      await subscribe()
      await subscriber.unsubscribe(topic)
      await subscribe()
      assert.deepEqual(counts, sent)
    })

  test('F29 Retain Handling 1 on a resumed session: the subscription exists, nothing is sent', async (t) => {
    const { topic, retain } = await scene(t)
    await retain('x')
    const fields = {
      clientId: `${topic}-d`,
      version: 5,
      cleanStart: false,
      properties: { sessionExpiryInterval: 100 },
    } as const
    const first = await client(t, broker, fields)
    await first.subscribe([{ filter: topic, retainHandling: 1 }])
    assert.equal((await received(first)).length, 1)
    await first.drop()
    const again = await client(t, broker, fields)
    await again.subscribe([{ filter: topic, retainHandling: 1 }])
    assert.deepEqual(await received(again), [])
  })

  test('[MQTT-3.8.4-3] F27 a 3.1.1 client gets them with every SUBSCRIBE', async (t) => {
    const { topic, retain } = await scene(t)
    await retain('x')
    const old = await client(t, broker, { clientId: `${topic}-4` })
    for (let i = 0; i < 2; i++) {
      await old.subscribe(topic)
      assert.deepEqual(await received(old), [`${topic} x q0 retain`])
    }
  })

  test('F30 overlapping filters in one SUBSCRIBE: each brings its own', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('x', { qos: 1 })
    await subscriber.subscribe([
      { filter: topic, qos: 0 },
      { filter: `${topic}/#`, qos: 1 },
    ])
    assert.deepEqual(await received(subscriber), [`${topic} x q0 retain`, `${topic} x q1 retain`])
  })

  test('F40 [MQTT-3.3.1-9] none for a shared subscription, whatever its Retain Handling', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('x')
    for (const retainHandling of [0, 1, 2] as const)
      await subscriber.subscribe([{ filter: `$share/g/${topic}`, retainHandling }])
    assert.deepEqual(await received(subscriber), [])
  })

  test('F42 No Local does not hold back one that the client itself has retained', async (t) => {
    const { topic, publisher, retain } = await scene(t)
    await retain('own')
    await publisher.subscribe([{ filter: topic, noLocal: true }])
    assert.deepEqual(await received(publisher), [`${topic} own q0 retain`])
  })

  test('F51 F53 with the identifier of the subscription', async (t) => {
    const { topic, subscriber, retain } = await scene(t)
    await retain('x')
    await subscriber.subscribe(topic, { subscriptionIdentifiers: [268_435_455] })
    assert.deepEqual((await nextPublish(subscriber)).properties.subscriptionIdentifiers, [268_435_455])
  })

  const filters = [
    { filter: '', topics: ['', '/b', '/b/c'] },
    { filter: '/+', topics: ['/b'] },
    { filter: '/#', topics: ['', '/b', '/b/c'] },
    { filter: '/+/c', topics: ['/b/c'] },
    { filter: '/b', topics: ['/b'] },
    { filter: '/x', topics: [] },
  ]
  for (const { filter, topics } of filters.slice(1))
    test(`F124 [MQTT-3.3.1-9] filter ...${filter} brings ${topics.length}`, async (t) => {
      const { topic, subscriber, retain } = await scene(t)
      for (const below of ['', '/b', '/b/c']) await retain('x', {}, below)
      await subscriber.subscribe(topic + filter)
      const got = publishesOf(await subscriber.settled()).map((message) => message.topic.slice(topic.length))
      assert.deepEqual(got.sort(), topics)
    })
})

test('F43 [MQTT-4.7.2-1] # brings no retained message of a $ topic, a filter that begins with $ does', async (t) => {
  const publisher = await client(t, broker, { clientId: 'dollar-p' })
  publisher.publish({ topic: '$own/a', payload: 'x', retain: true })
  await publisher.settled()
  const subscriber = await client(t, broker, { clientId: 'dollar-s' })
  await subscriber.subscribe([{ filter: '#' }, { filter: '+/a' }])
  assert.deepEqual(
    (await received(subscriber)).filter((text) => text.startsWith('$')),
    [],
  )
  await subscriber.subscribe([{ filter: '$own/#' }])
  assert.deepEqual(await received(subscriber), ['$own/a x q0 retain'])
})

test('F41 a filter that was refused brings none', async (t) => {
  const small = await startBroker({ conf: 'max_subscriptions 1' })
  t.after(() => small.stop())
  const one = await client(t, small, { clientId: 'f41', version: 5 })
  one.publish({ topic: 'b', payload: 'x', retain: true })
  const { reasonCodes } = await one.subscribe([{ filter: 'a' }, { filter: 'b' }])
  assert.deepEqual(reasonCodes, [0, 0x97])
  assert.deepEqual(await received(one), [])
})

test('E101 [MQTT-3.2.2-14] retain_available false: DISCONNECT 0x9A to 5.0, announced in CONNACK; 3.1.1 is cut off', async (t) => {
  const without = await startBroker({ conf: 'retain_available false' })
  t.after(() => without.stop())
  for (const version of [4, 5] as const) {
    const publisher = await client(t, without, { clientId: 'e101', version })
    publisher.publish({ topic: 't', payload: 'x', retain: true })
    const last = (await publisher.closed()).at(-1)
    if (version === 5) assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === 0x9a)
    else assert.equal(last, undefined)
  }
})
