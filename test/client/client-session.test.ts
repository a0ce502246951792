// The client's side of sessions and flows against a scripted broker: what it sends when, what it sends again after a connection
// was lost, and what it tells its owner.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ClientError } from '../../src/client/client-error.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { type Publish, publish, type Qos } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { localMessage } from '../../src/session/message.js'
import { begin, connected, type Peer } from './scripted-broker.js'

const { CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, DISCONNECT } =
  PacketType

const text = (payload: string, qos: Qos = 0, retain = false, properties: Properties = NO_PROPERTIES) =>
  localMessage('t', Buffer.from(payload), qos, retain, properties)
const line = ({ packetId, qos, dup, topic, payload }: Publish) =>
  `${packetId} q${qos} d${Number(dup)} ${topic} ${payload}`
const ack = (type: 4 | 5 | 6 | 7, packetId: number, reasonCode: 0 | 0x10 | 0x87 | 0x92 = 0) =>
  ({ type, packetId, reasonCode, properties: NO_PROPERTIES }) as const
const inbound = (payload: string, qos: Qos, packetId: number, dup = false) =>
  publish({ topic: 'in', payload: Buffer.from(payload), qos, packetId, dup })

async function publishes(peer: Peer, count: number): Promise<string[]> {
  const packets = await peer.take(count)
  return packets.map((packet) => (packet.type === PUBLISH ? line(packet) : `type ${packet.type}`))
}

/** Collects what became of publishes: the reason code, or the kind of the error. */
function outcomes(): {
  readonly list: (number | string)[]
  readonly done: (error: ClientError | undefined, code: number) => void
} {
  const list: (number | string)[] = []
  return { list, done: (error, code) => list.push(error === undefined ? code : `${error.kind} ${error.reasonCode}`) }
}

describe('connecting', () => {
  test('[MQTT-3.1.0-1] CONNECT comes first and carries what was asked for', async (t) => {
    const will = {
      topic: 'w',
      payload: Buffer.from('gone'),
      qos: 1,
      retain: true,
      properties: { willDelayInterval: 5 },
    } as const
    const { peer } = await begin(t, {
      clientId: 'me',
      cleanStart: false,
      keepAlive: 33,
      username: 'u',
      password: Buffer.from('p'),
      will,
      properties: { receiveMaximum: 7 },
    })
    const connect = await peer.expect(CONNECT)
    assert.deepEqual(
      {
        ...connect,
        will: connect.will && { ...connect.will, payload: String(connect.will.payload) },
        password: String(connect.password),
      },
      {
        type: 1,
        protocolVersion: 5,
        bridge: false,
        cleanStart: false,
        keepAlive: 33,
        clientId: 'me',
        properties: { receiveMaximum: 7 },
        will: { ...will, payload: 'gone' },
        username: 'u',
        password: 'p',
      },
    )
  })
  for (const [version, sends, code, kind] of [
    [5, '20 03 00 87 00', 0x87, 'refused'],
    [4, '20 02 00 05', 5, 'refused'],
    [3, '20 02 00 04', 4, 'refused'],
    [5, '20 02 00 01', 0x84, 'refused'], // A broker that knows only 3.x.
  ] as const)
    test(`${version}: a refusal with ${code} ends it`, async (t) => {
      const { peer, recorder } = await begin(t, { version, reconnect: { base: 1, cap: 1 } })
      await peer.expect(CONNECT)
      peer.send(sends)
      const error = await recorder.ended()
      assert.deepEqual([error?.kind, error?.reasonCode, recorder.ends[0]?.retryIn], [kind, code, undefined])
      assert.deepEqual(await peer.closed(), [])
    })
  test('a refusal that time may cure is tried again', async (t) => {
    const { peer, recorder } = await begin(t, { reconnect: { base: 9, cap: 9 } })
    await peer.expect(CONNECT)
    peer.send('20 03 00 89 00')
    await recorder.ended()
    assert.equal(recorder.ends[0]?.retryIn, 9)
  })
  test('the Reason String is told', async (t) => {
    const { peer, recorder } = await begin(t)
    await peer.expect(CONNECT)
    peer.send('20 08 00 87 05 1f 00 02 68 6d')
    assert.match((await recorder.ended())?.message ?? '', /Not authorized \(hm\)/)
  })
  test('[MQTT-3.2.2-16] F100 the assigned client id is used from then on', async (t) => {
    const { broker, peer, client, recorder, clock } = await begin(t, { clientId: '', reconnect: { base: 1, cap: 1 } })
    await peer.accept({ assignedClientIdentifier: 'chosen' })
    await recorder.connected()
    assert.equal(client.clientId, 'chosen')
    peer.drop()
    await recorder.ended()
    clock.advance(1)
    assert.equal((await (await broker.peer(2)).expect(CONNECT)).clientId, 'chosen')
  })
  test('[MQTT-4.12.0-7] no AUTH is sent, and one that is asked for ends the connection', async (t) => {
    const { peer, recorder } = await begin(t, { properties: { authenticationMethod: 'a' } })
    await peer.expect(CONNECT)
    peer.send('f0 06 18 04 15 00 01 61')
    assert.deepEqual(await peer.closed(), [])
    assert.equal((await recorder.ended())?.kind, 'not supported')
  })
  for (const [name, options] of [
    ['Receive Maximum 0', { properties: { receiveMaximum: 0 } }],
    ['a property of CONNACK', { properties: { serverKeepAlive: 5 } }],
    ['properties in 3.1.1', { version: 4, properties: { receiveMaximum: 5 } }],
    ['a password without a user name in 3.1.1', { version: 4, password: Buffer.from('x') }],
  ] as const)
    test(`${name} is refused before anything is sent`, async (t) => {
      await assert.rejects(begin(t, options), { name: 'ClientError', kind: 'invalid' })
    })
})

describe('publishing', () => {
  test('[MQTT-2.2.1-2] QoS 0 is done when it is written, and has no packet identifier', async (t) => {
    const { peer, client } = await connected(t)
    const { list, done } = outcomes()
    client.publish(text('a'), done)
    assert.deepEqual(list, [0])
    assert.deepEqual(await publishes(peer, 1), ['0 q0 d0 t a'])
  })
  test('[MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] QoS 1 is done with PUBACK', async (t) => {
    const { peer, client, recorder } = await connected(t)
    const { list, done } = outcomes()
    client.publish(text('a', 1), done)
    client.publish(text('b', 1), done)
    assert.deepEqual(await publishes(peer, 2), ['1 q1 d0 t a', '2 q1 d0 t b'])
    assert.deepEqual(list, [])
    peer.send(ack(PUBACK, 2, 0x10), ack(PUBACK, 1), inbound('x', 0, 0))
    await recorder.received(1)
    assert.deepEqual(list, [0x10, 0])
  })
  test('[MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.6.0-4] QoS 2: PUBREL for each PUBREC, in order', async (t) => {
    const { peer, client, recorder } = await connected(t)
    const { list, done } = outcomes()
    client.publish(text('a', 2), done)
    client.publish(text('b', 2), done)
    await peer.take(2)
    peer.send(ack(PUBREC, 2), ack(PUBREC, 1))
    assert.deepEqual(await peer.take(2), [ack(PUBREL, 2), ack(PUBREL, 1)])
    peer.send(ack(PUBCOMP, 1), ack(PUBCOMP, 2), inbound('x', 0, 0))
    await recorder.received(1)
    assert.deepEqual(list, [0, 0])
  })
  for (const [qos, type] of [
    [1, PUBACK],
    [2, PUBREC],
  ] as const)
    test(`[MQTT-4.4.0-2] F1 QoS ${qos} refused with 0x87 is over`, async (t) => {
      const { peer, client, recorder } = await connected(t)
      const { list, done } = outcomes()
      client.publish(text('a', qos), done)
      await peer.expect(PUBLISH)
      peer.send(ack(type, 1, 0x87), inbound('x', 1, 9))
      await recorder.received(1)
      assert.deepEqual(list, ['publish refused 135'])
      assert.deepEqual(await peer.take(1), [ack(PUBACK, 9)]) // And no PUBREL.
    })
  test('E118 E122 acknowledgements of nothing are ignored, E119 PUBREC is answered with PUBREL 0x92', async (t) => {
    const { peer } = await connected(t)
    peer.send(ack(PUBACK, 5), ack(PUBCOMP, 6), ack(PUBREC, 7), ack(PUBREC, 8, 0x87))
    assert.deepEqual(await peer.take(1), [ack(PUBREL, 7, 0x92)])
  })
  test('[MQTT-3.3.4-7] [MQTT-4.9.0-1] [MQTT-4.9.0-2] at most Receive Maximum are on their way', async (t) => {
    const { peer, client } = await connected(t, {}, { receiveMaximum: 2 })
    for (const payload of ['a', 'b', 'c', 'd']) client.publish(text(payload, 1))
    client.publish(text('e'))
    assert.deepEqual(await publishes(peer, 2), ['1 q1 d0 t a', '2 q1 d0 t b'])
    peer.send(ack(PUBACK, 1))
    assert.deepEqual(await publishes(peer, 1), ['3 q1 d0 t c'])
    peer.send(ack(PUBACK, 2))
    assert.deepEqual(await publishes(peer, 2), ['4 q1 d0 t d', '0 q0 d0 t e'])
  })
  test('[MQTT-3.3.4-8] [MQTT-4.9.0-3] a full window delays nothing but PUBLISH', async (t) => {
    const { peer, client, recorder } = await connected(t, { keepAlive: 20 }, { receiveMaximum: 1 })
    client.publish(text('a', 1))
    client.publish(text('b', 1))
    await peer.expect(PUBLISH)
    client.unsubscribe(['f'])
    peer.send(inbound('x', 1, 3))
    await recorder.received(1)
    assert.deepEqual(
      (await peer.take(2)).map(({ type }) => type),
      [UNSUBSCRIBE, PUBACK],
    )
  })
  test('maxInflight narrows the window', async (t) => {
    const { peer, client, recorder } = await connected(t, { maxInflight: 1 })
    client.publish(text('a', 1))
    client.publish(text('b', 1))
    peer.send(inbound('x', 1, 3))
    await recorder.received(1)
    assert.deepEqual(
      (await peer.take(2)).map(({ type }) => type),
      [PUBLISH, PUBACK],
    )
    assert.deepEqual(peer.arrived, [])
  })
  test('publish returns false when too much waits, and tells when to go on', async (t) => {
    const { peer, client, recorder } = await connected(t, { maxInflight: 1 })
    let taken = 0
    while (client.publish(text('a', 1))) assert.ok(++taken < 10_000)
    assert.ok(taken > 50)
    assert.equal(recorder.drains, 0)
    for (let id = 1; recorder.drains === 0; id++) {
      await peer.expect(PUBLISH)
      peer.send(ack(PUBACK, id))
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(client.publish(text('a', 1)), true)
  })
  // biome-ignore format: one row a line
  const refused: readonly (readonly [name: string, connack: Properties, message: ReturnType<typeof text>, expected: string])[] = [
    ['[MQTT-3.2.2-11] QoS above Maximum QoS', { maximumQos: 1 }, text('a', 2), 'not supported 155'],
    ['[MQTT-3.2.2-14] RETAIN without Retain Available', { retainAvailable: 0 }, text('a', 0, true), 'not supported 154'],
    ['[MQTT-3.2.2-15] a packet above Maximum Packet Size', { maximumPacketSize: 20 }, text('x'.repeat(20), 1), 'not supported 149'],
    ['[MQTT-3.2.2-17] [MQTT-3.3.2-9] an alias above Topic Alias Maximum', { topicAliasMaximum: 2 }, text('a', 0, false, { topicAlias: 3 }), 'not supported 148'],
    ['[MQTT-3.2.2-18] an alias though none is taken', {}, text('a', 0, false, { topicAlias: 1 }), 'not supported 148'],
  ]
  for (const [name, connack, message, expected] of refused)
    test(`${name} is not sent`, async (t) => {
      const { peer, client } = await connected(t, {}, connack)
      const { list, done } = outcomes()
      client.publish(message, done)
      client.disconnect()
      assert.deepEqual(list, [expected])
      assert.deepEqual(
        (await peer.closed()).map(({ type }) => type),
        [DISCONNECT],
      )
    })
  test('[MQTT-3.2.2-15] a packet of exactly Maximum Packet Size is sent', async (t) => {
    // Header 2, topic 3, property length 1, payload 14.
    const { peer, client } = await connected(t, {}, { maximumPacketSize: 20 })
    client.publish(text('x'.repeat(14)))
    await peer.expect(PUBLISH)
  })
  // biome-ignore format: one row a line
  const invalid: readonly (readonly [name: string, topic: string, properties: Properties])[] = [
    ['[MQTT-3.3.2-2] [MQTT-4.7.0-1] a wildcard in the topic', 'a/+', NO_PROPERTIES],
    ['[MQTT-4.7.3-1] an empty topic', '', NO_PROPERTIES],
    ['[MQTT-3.3.2-8] topic alias 0', 't', { topicAlias: 0 }],
    ['[MQTT-3.3.4-6] a subscription identifier', 't', { subscriptionIdentifiers: [1] }],
    ['payload format indicator 2', 't', { payloadFormatIndicator: 2 }],
    ['[MQTT-3.3.2-14] a wildcard in the response topic', 't', { responseTopic: 'a/#' }],
    ['a property of another packet', 't', { reasonString: 'x' }],
  ]
  for (const [name, topic, properties] of invalid)
    test(`${name} is an error of the caller`, async (t) => {
      const { client } = await connected(t)
      const message = localMessage(topic, Buffer.alloc(0), 0, false, properties)
      assert.throws(() => client.publish(message), { name: 'ClientError', kind: 'invalid' })
    })
  test('[MQTT-3.3.2-7] an alias replaces the topic once the broker knows it, anew on each connection', async (t) => {
    const { broker, peer, client, recorder, clock } = await connected(
      t,
      { reconnect: { base: 1, cap: 1 } },
      { topicAliasMaximum: 5 },
    )
    const message = () => text('a', 0, false, { topicAlias: 4, contentType: 'x' })
    client.publish(message())
    client.publish(message())
    const first = (await peer.take(2)) as Publish[]
    assert.deepEqual(
      first.map(({ topic, properties }) => [topic, properties.topicAlias]),
      [
        ['t', 4],
        ['', 4],
      ],
    )
    peer.drop()
    await recorder.ended()
    clock.advance(1)
    const second = await broker.peer(2)
    await second.accept({ topicAliasMaximum: 5 })
    await recorder.connected(2)
    client.publish(message())
    assert.equal((await second.expect(PUBLISH)).topic, 't')
  })
})

describe('receiving', () => {
  test('[MQTT-3.3.4-1] [MQTT-4.5.0-2] [MQTT-4.6.0-2] [MQTT-4.6.0-3] E194 every message is acknowledged by its QoS, in order', async (t) => {
    const { peer, recorder } = await connected(t)
    peer.send(inbound('a', 1, 4), inbound('b', 0, 0), inbound('c', 2, 5), inbound('d', 1, 3))
    assert.deepEqual(await peer.take(3), [ack(PUBACK, 4), ack(PUBREC, 5), ack(PUBACK, 3)])
    assert.deepEqual(
      recorder.messages.map(({ payload }) => payload),
      ['a', 'b', 'c', 'd'],
    )
  })
  test('[MQTT-4.3.3-10] F4 a QoS 2 message is handed on once until PUBREL, [MQTT-4.3.3-12] F5 and is new after PUBCOMP', async (t) => {
    const { peer, recorder } = await connected(t)
    peer.send(inbound('a', 2, 4), inbound('a', 2, 4, true), ack(PUBREL, 4), inbound('b', 2, 4, true))
    assert.deepEqual(await peer.take(4), [ack(PUBREC, 4), ack(PUBREC, 4), ack(PUBCOMP, 4), ack(PUBREC, 4)])
    assert.deepEqual(
      recorder.messages.map(({ payload }) => payload),
      ['a', 'b'],
    )
  })
  test('[MQTT-4.3.2-5] F6 a QoS 1 message with the same identifier is handed on again', async (t) => {
    const { peer, recorder } = await connected(t)
    peer.send(inbound('a', 1, 4), inbound('a', 1, 4, true))
    await peer.take(2)
    assert.equal(recorder.messages.length, 2)
  })
  for (const [version, code] of [
    [5, 0x92],
    [4, 0],
  ] as const)
    test(`${version}: F2 E121 PUBREL for an unknown identifier is answered`, async (t) => {
      const { peer } = await connected(t, { version })
      peer.send(ack(PUBREL, 9))
      assert.deepEqual(await peer.take(1), [ack(PUBCOMP, 9, code)])
    })
  test('[MQTT-3.3.2-10] every alias up to the maximum is taken, F120 and may be set anew', async (t) => {
    const { peer, recorder } = await connected(t, { properties: { topicAliasMaximum: 2 } })
    const of = (topic: string, topicAlias: number) => publish({ topic, properties: { topicAlias } })
    peer.send(of('a', 1), of('b', 2), of('', 1), of('', 2), of('c', 1), of('', 1))
    await recorder.received(6)
    assert.deepEqual(
      recorder.messages.map(({ topic }) => topic),
      ['a', 'b', 'a', 'b', 'c', 'c'],
    )
  })
  test('a message may end the client: it is acknowledged first, and nothing behind it is handed on', async (t) => {
    const { peer, client, recorder } = await connected(t)
    recorder.onEachMessage = () => client.disconnect()
    peer.send(inbound('a', 1, 4), inbound('b', 1, 5))
    assert.deepEqual(
      (await peer.closed()).map(({ type }) => type),
      [PUBACK, DISCONNECT],
    )
    assert.equal(recorder.messages.length, 1)
  })
  test('while paused nothing is handed on, and nothing is lost', async (t) => {
    const { peer, client, recorder } = await connected(t)
    recorder.onEachMessage = () => client.pause()
    peer.send(inbound('a', 1, 4), inbound('b', 1, 5))
    await peer.take(1)
    assert.equal(recorder.messages.length, 1)
    client.resume()
    assert.deepEqual(await peer.take(1), [ack(PUBACK, 5)])
    assert.equal(recorder.messages.length, 2)
  })
})

describe('subscribing', () => {
  const request = (filter: string) =>
    ({ filter, qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 }) as const
  test('[MQTT-3.8.1-1] [MQTT-2.2.1-3] F11 requests and publishes share the packet identifiers', async (t) => {
    const { peer, client } = await connected(t)
    const codes: (readonly number[])[] = []
    client.publish(text('a', 1))
    client.subscribe([request('a'), request('b/#')], { subscriptionIdentifiers: [9] }, (_, list) => codes.push(list))
    client.publish(text('b', 1))
    client.unsubscribe(['c'], undefined, (_, list) => codes.push(list))
    const packets = await peer.take(4)
    assert.deepEqual(
      packets.map((packet) => ('packetId' in packet ? [packet.type, packet.packetId] : [])),
      [
        [PUBLISH, 1],
        [SUBSCRIBE, 2],
        [PUBLISH, 3],
        [UNSUBSCRIBE, 4],
      ],
    )
    assert.deepEqual(packets[1], {
      type: SUBSCRIBE,
      packetId: 2,
      properties: { subscriptionIdentifiers: [9] },
      subscriptions: [request('a'), request('b/#')],
    })
    peer.send(
      { type: SUBACK, packetId: 2, properties: NO_PROPERTIES, reasonCodes: [1, 0x87] },
      { type: UNSUBACK, packetId: 4, properties: NO_PROPERTIES, reasonCodes: [0x11] },
      ack(PUBREC, 77),
    )
    await peer.expect(PUBREL)
    assert.deepEqual(codes, [[1, 0x87], [0x11]])
  })
  // biome-ignore format: one row a line
  const refused: readonly (readonly [name: string, connack: Properties, filter: string, properties: Properties, code: number])[] = [
    ['a wildcard without Wildcard Subscription Available', { wildcardSubscriptionAvailable: 0 }, 'a/#', NO_PROPERTIES, 0xa2],
    ['a share without Shared Subscription Available', { sharedSubscriptionAvailable: 0 }, '$share/g/a', NO_PROPERTIES, 0x9e],
    ['an identifier without Subscription Identifier Available', { subscriptionIdentifierAvailable: 0 }, 'a', { subscriptionIdentifiers: [1] }, 0xa1],
    ['[MQTT-3.2.2-15] a packet above Maximum Packet Size', { maximumPacketSize: 20 }, 'a'.repeat(20), NO_PROPERTIES, 0x95],
  ]
  for (const [name, connack, filter, properties, code] of refused)
    test(`${name} is not asked for`, async (t) => {
      const { peer, client } = await connected(t, {}, connack)
      const errors: unknown[] = []
      client.subscribe([request(filter)], properties, (error) => errors.push([error?.kind, error?.reasonCode]))
      client.disconnect()
      assert.deepEqual(errors, [['not supported', code]])
      assert.deepEqual(
        (await peer.closed()).map(({ type }) => type),
        [DISCONNECT],
      )
    })
  test('a request that is open when the connection ends has failed', async (t) => {
    const { peer, client, recorder } = await connected(t)
    const errors: unknown[] = []
    client.subscribe([request('a')], undefined, (error) => errors.push(error?.kind))
    await peer.expect(SUBSCRIBE)
    peer.drop()
    await recorder.ended()
    assert.deepEqual(errors, ['lost'])
  })
})

describe('a connection that is lost', () => {
  const retrying = { reconnect: { base: 1000, cap: 1000 }, cleanStart: false, clientId: 'c' } as const

  /** Drops the first connection and accepts the next. */
  async function resume(scene: Awaited<ReturnType<typeof connected>>, sessionPresent: boolean): Promise<Peer> {
    scene.peer.drop()
    await scene.recorder.ended()
    scene.clock.advance(1000)
    const next = await scene.broker.peer(2)
    await next.accept(NO_PROPERTIES, sessionPresent)
    return next
  }

  test('[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] F7 F15 F16 F22 what is unfinished goes out again, in order, before what is new', async (t) => {
    const scene = await connected(t, retrying)
    const { peer, client } = scene
    for (const [payload, qos] of [
      ['a', 1],
      ['b', 2],
      ['c', 2],
      ['d', 1],
    ] as const)
      client.publish(text(payload, qos))
    await peer.take(4)
    peer.send(ack(PUBREC, 2))
    await peer.expect(PUBREL)
    scene.peer.drop()
    await scene.recorder.ended()
    client.publish(text('e', 1))
    scene.clock.advance(1000)
    const next = await scene.broker.peer(2)
    await next.accept(NO_PROPERTIES, true)
    assert.deepEqual(
      (await next.take(5)).map((packet) => (packet.type === PUBLISH ? line(packet) : packet)),
      ['1 q1 d1 t a', ack(PUBREL, 2), '3 q2 d1 t c', '4 q1 d1 t d', '5 q1 d0 t e'],
    )
  })
  test('MQTT 3.1 has no word for a session that is present: what is unfinished goes out again as what it is', async (t) => {
    const scene = await connected(t, { ...retrying, version: 3 })
    const { peer, client } = scene
    client.publish(text('a', 1))
    client.publish(text('b', 2))
    await peer.take(2)
    peer.send(ack(PUBREC, 2))
    await peer.expect(PUBREL)
    const next = await resume(scene, false)
    assert.deepEqual(
      (await next.take(2)).map((packet) => (packet.type === PUBLISH ? line(packet) : packet)),
      ['1 q1 d1 t a', ack(PUBREL, 2)],
    )
  })

  test('[MQTT-3.2.2-5] without a session at the broker, messages become new and finished halves are not doubled', async (t) => {
    const scene = await connected(t, retrying)
    const { peer, client } = scene
    const { list, done } = outcomes()
    for (const [payload, qos] of [
      ['a', 1],
      ['b', 2],
      ['c', 2],
    ] as const)
      client.publish(text(payload, qos), done)
    await peer.take(3)
    peer.send(ack(PUBREC, 2))
    await peer.expect(PUBREL)
    const next = await resume(scene, false)
    assert.deepEqual(await publishes(next, 2), ['1 q1 d0 t a', '2 q2 d0 t c'])
    assert.deepEqual(list, [0])
  })
  test('F8 QoS 2 identifiers received are session state', async (t) => {
    const scene = await connected(t, retrying)
    scene.peer.send(inbound('a', 2, 4))
    await scene.peer.expect(PUBREC)
    const next = await resume(scene, true)
    next.send(inbound('a', 2, 4, true), inbound('b', 2, 5))
    assert.deepEqual(await next.take(2), [ack(PUBREC, 4), ack(PUBREC, 5)])
    assert.deepEqual(
      scene.recorder.messages.map(({ payload }) => payload),
      ['a', 'b'],
    )
  })
  test('[MQTT-3.2.2-5] and forgotten with the session', async (t) => {
    const scene = await connected(t, retrying)
    scene.peer.send(inbound('a', 2, 4))
    await scene.peer.expect(PUBREC)
    const next = await resume(scene, false)
    next.send(inbound('new', 2, 4))
    await next.expect(PUBREC)
    assert.equal(scene.recorder.messages.length, 2)
  })
  test('F115 the window starts anew, F114 and what is sent again fills it', async (t) => {
    const scene = await connected(t, { ...retrying, maxInflight: 2 })
    for (const payload of ['a', 'b', 'c']) scene.client.publish(text(payload, 1))
    await scene.peer.take(2)
    const next = await resume(scene, true)
    assert.deepEqual(await publishes(next, 2), ['1 q1 d1 t a', '2 q1 d1 t b'])
    next.send(ack(PUBACK, 1))
    assert.deepEqual(await publishes(next, 1), ['3 q1 d0 t c'])
  })
  test('QoS 0 is lost meanwhile, and said to be', async (t) => {
    const scene = await connected(t, retrying)
    scene.peer.drop()
    await scene.recorder.ended()
    const { list, done } = outcomes()
    scene.client.publish(text('a'), done)
    assert.deepEqual(list, ['lost 0'])
  })
  test('without reconnect, what is unfinished has failed', async (t) => {
    const { peer, client, recorder } = await connected(t)
    const { list, done } = outcomes()
    client.publish(text('a', 1), done)
    await peer.expect(PUBLISH)
    peer.drop()
    assert.equal((await recorder.ended())?.kind, 'lost')
    assert.deepEqual(list, ['lost 0'])
    assert.equal(recorder.ends[0]?.retryIn, undefined)
  })
  test('stop ends the attempts', async (t) => {
    const scene = await connected(t, retrying)
    scene.peer.drop()
    await scene.recorder.ended()
    assert.deepEqual(scene.clock.delays, [1000])
    scene.client.stop()
    assert.deepEqual(scene.clock.delays, [])
    assert.deepEqual(
      scene.recorder.ends.map(({ retryIn }) => retryIn),
      [1000, undefined],
    )
  })
  for (const [sends, code] of [
    ['e0 00', 0],
    ['e0 02 8e 00', 0x8e],
  ] as const)
    test(`F159 DISCONNECT ${code} of the broker is told, answered with nothing, and healed`, async (t) => {
      const scene = await connected(t, retrying)
      scene.peer.send(sends)
      const error = await scene.recorder.ended()
      assert.deepEqual([error?.kind, error?.reasonCode], ['disconnected', code])
      assert.deepEqual(await scene.peer.closed(), [])
      assert.equal(scene.recorder.ends[0]?.retryIn, 1000)
    })
})

describe('leaving', () => {
  test('[MQTT-3.14.4-1] [MQTT-3.14.4-2] DISCONNECT is the last packet, behind what was published', async (t) => {
    const { peer, client, recorder } = await connected(t)
    client.publish(text('a'))
    client.disconnect(0x04, { reasonString: 'bye' })
    client.publish(text('b'))
    const packets = await peer.closed()
    assert.deepEqual(
      packets.map(({ type }) => type),
      [PUBLISH, DISCONNECT],
    )
    assert.deepEqual(packets[1], { type: DISCONNECT, reasonCode: 4, properties: { reasonString: 'bye' } })
    assert.equal(await recorder.ended(), undefined)
  })
  test('stop sends nothing', async (t) => {
    const { peer, client, recorder } = await connected(t)
    client.stop()
    assert.deepEqual(await peer.closed(), [])
    assert.deepEqual(recorder.ends, [{ error: undefined, retryIn: undefined }])
  })
  test('before the broker has accepted, disconnect closes', async (t) => {
    const { peer, client, recorder } = await begin(t)
    await peer.expect(CONNECT)
    client.disconnect()
    assert.deepEqual(await peer.closed(), [])
    assert.equal(await recorder.ended(), undefined)
  })
})
