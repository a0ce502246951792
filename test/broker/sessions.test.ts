// Sessions: when they are resumed, when they expire, and what is left of them.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { startBroker } from '../support/broker-kit.js'
import { client, join, received } from '../support/deliveries.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0' })
after(() => broker.stop())

let number = 0

function unique(): string {
  return `session/${++number}`
}

function v5(clientId: string, sessionExpiryInterval?: number, cleanStart = false): ConnectFields {
  return {
    clientId,
    version: 5,
    cleanStart,
    properties: sessionExpiryInterval === undefined ? {} : { sessionExpiryInterval },
  }
}

/** Ends a connection and waits until the broker has noticed. */
async function leave(one: RawClient): Promise<void> {
  one.disconnect()
  await one.closed()
}

interface Visit {
  readonly name: string
  readonly first: (id: string) => ConnectFields
  readonly away: number
  readonly second: (id: string) => ConnectFields
  readonly present: boolean
}

const visits: readonly Visit[] = [
  {
    name: '[MQTT-3.1.2-5] Clean Start 0 resumes',
    first: (id) => v5(id, 10),
    away: 9,
    second: (id) => v5(id, 10),
    present: true,
  },
  {
    name: '[MQTT-3.1.2-4] [MQTT-3.2.2-2] Clean Start 1 starts anew',
    first: (id) => v5(id, 10),
    away: 0,
    second: (id) => v5(id, 10, true),
    present: false,
  },
  {
    name: '[MQTT-4.1.0-2] F82 expired',
    first: (id) => v5(id, 10),
    away: 10,
    second: (id) => v5(id, 10),
    present: false,
  },
  {
    name: '[MQTT-3.1.2-23] expiry absent: ends at close',
    first: (id) => v5(id),
    away: 0,
    second: (id) => v5(id),
    present: false,
  },
  { name: 'expiry 0: ends at close', first: (id) => v5(id, 0), away: 0, second: (id) => v5(id), present: false },
  {
    name: 'expiry 0xFFFFFFFF: never',
    first: (id) => v5(id, 0xffff_ffff),
    away: 4000,
    second: (id) => v5(id),
    present: true,
  },
  {
    name: 'F86 Clean Start 1 with an expiry persists',
    first: (id) => v5(id, 10, true),
    away: 5,
    second: (id) => v5(id),
    present: true,
  },
  {
    name: 'F87 Clean Start 0 with expiry 0 resumes',
    first: (id) => v5(id, 10),
    away: 5,
    second: (id) => v5(id, 0),
    present: true,
  },
  {
    name: '[MQTT-3.1.2-4] 3.1.1 CleanSession 0',
    first: (id) => ({ clientId: id, cleanStart: false }),
    away: 4000,
    second: (id) => ({ clientId: id, cleanStart: false }),
    present: true,
  },
  {
    name: 'F89 [MQTT-3.1.2-6] 3.1.1 CleanSession 1',
    first: (id) => ({ clientId: id }),
    away: 0,
    second: (id) => ({ clientId: id, cleanStart: false }),
    present: false,
  },
  {
    name: '3.1.1 CleanSession 1 after 0',
    first: (id) => ({ clientId: id, cleanStart: false }),
    away: 0,
    second: (id) => ({ clientId: id }),
    present: false,
  },
  {
    name: 'F88 a 5.0 session by 3.1.1',
    first: (id) => v5(id, 10),
    away: 5,
    second: (id) => ({ clientId: id, cleanStart: false }),
    present: true,
  },
  {
    name: 'F88 a 3.1.1 session by 5.0',
    first: (id) => ({ clientId: id, cleanStart: false }),
    away: 5,
    second: (id) => v5(id, 10),
    present: true,
  },
]

describe('coming back', () => {
  for (const { name, first, away, second, present } of visits)
    test(`${name}: session ${present ? 'present' : 'new'}, F90 [MQTT-3.2.2-3]`, async (t) => {
      const id = unique()
      const earlier = await client(t, broker, first(id))
      await earlier.subscribe(id)
      await leave(earlier)
      const publisher = await client(t, broker, { clientId: `${id}-p` })
      publisher.publish({ topic: id, payload: 'x', qos: 1 })
      await publisher.settled()
      if (away > 0) broker.advance(away)
      const { client: again, connack } = await join(t, broker, second(id))
      assert.equal(connack.sessionPresent, present)
      assert.deepEqual(await received(again), present ? [`${id} x q1`] : [])
      publisher.publish({ topic: id, payload: 'y' })
      await publisher.settled()
      assert.deepEqual(await received(again), present ? [`${id} y q0`] : [], 'subscriptions go with the session')
    })

  test('[MQTT-3.1.2-6] Clean Start 0 without a session makes one', async (t) => {
    const { connack } = await join(t, broker, v5(unique(), 10))
    assert.equal(connack.sessionPresent, false)
  })

  test('F87 resumed with expiry 0 it dies at the next close', async (t) => {
    const id = unique()
    await leave(await client(t, broker, v5(id, 100)))
    await leave(await client(t, broker, v5(id, 0)))
    assert.equal((await join(t, broker, v5(id))).connack.sessionPresent, false)
  })

  test('F85 each CONNECT sets the expiry anew: absent means 0 although it had more', async (t) => {
    const id = unique()
    await leave(await client(t, broker, v5(id, 100)))
    await leave(await client(t, broker, v5(id)))
    assert.equal((await join(t, broker, v5(id))).connack.sessionPresent, false)
  })

  test('F82 the time runs from the close, and anew from each close', async (t) => {
    const id = unique()
    const first = await client(t, broker, v5(id, 10))
    broker.advance(30)
    await leave(first)
    broker.advance(8)
    await leave(await client(t, broker, v5(id, 10)))
    broker.advance(8)
    assert.equal((await join(t, broker, v5(id, 10))).connack.sessionPresent, true)
  })

  test('[MQTT-4.1.0-1] it does not end while the client is connected', async (t) => {
    const id = unique()
    const staying = await client(t, broker, v5(id, 5))
    await staying.subscribe(id)
    broker.advance(100)
    staying.publish({ topic: id, payload: 'x' })
    assert.deepEqual(await received(staying), [`${id} x q0`])
  })

  const disconnects = [
    { name: 'F83 0 ends it', connect: 100, disconnect: 0, away: 0, present: false },
    { name: 'E171 F83 lowered', connect: 100, disconnect: 5, away: 6, present: false },
    { name: 'E171 F83 raised', connect: 5, disconnect: 100, away: 50, present: true },
    { name: 'E171 F83 to never', connect: 5, disconnect: 0xffff_ffff, away: 4000, present: true },
    { name: 'F83 absent: that of CONNECT', connect: 5, disconnect: undefined, away: 6, present: false },
  ]
  for (const { name, connect, disconnect, away, present } of disconnects)
    test(`expiry in DISCONNECT: ${name}`, async (t) => {
      const id = unique()
      const leaving = await client(t, broker, v5(id, connect))
      const properties = disconnect === undefined ? {} : { sessionExpiryInterval: disconnect }
      leaving.disconnect(ReasonCode.SUCCESS, properties)
      await leaving.closed()
      if (away > 0) broker.advance(away)
      assert.equal((await join(t, broker, v5(id))).connack.sessionPresent, present)
    })

  test('F74 E170 raised from 0: DISCONNECT 0x82, and the session ends as CONNECT said', async (t) => {
    const id = unique()
    const leaving = await client(t, broker, v5(id, 0))
    leaving.disconnect(ReasonCode.SUCCESS, { sessionExpiryInterval: 100 })
    const [last] = await leaving.closed()
    assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === 0x82)
    assert.equal((await join(t, broker, v5(id))).connack.sessionPresent, false)
  })
})

describe('what belongs to a session', () => {
  test('F52 [MQTT-3.1.3-2] subscriptions with their options and identifiers', async (t) => {
    const id = unique()
    const first = await client(t, broker, v5(id, 100))
    await first.subscribe([{ filter: `${id}/#`, qos: 1, noLocal: true, retainAsPublished: true }], {
      subscriptionIdentifiers: [42],
    })
    await leave(first)
    const again = await client(t, broker, v5(id, 100))
    again.publish({ topic: `${id}/own`, payload: 'own' })
    const publisher = await client(t, broker, { clientId: `${id}-p` })
    publisher.publish({ topic: `${id}/x`, payload: 'x', qos: 2, retain: true })
    await publisher.settled()
    const [message, ...others] = await again.settled()
    assert.ok(message?.type === PacketType.PUBLISH)
    assert.deepEqual(others, [])
    assert.deepEqual(
      [message.topic, message.qos, message.retain, message.properties.subscriptionIdentifiers],
      [`${id}/x`, 1, true, [42]],
    )
  })

  test('F92 [MQTT-3.1.2-5] QoS 1 and 2 are kept for a client that is away, QoS 0 is not', async (t) => {
    const id = unique()
    const first = await client(t, broker, v5(id, 100))
    await first.subscribe(id)
    await leave(first)
    const publisher = await client(t, broker, { clientId: `${id}-p` })
    for (const qos of [0, 1, 2] as const) publisher.publish({ topic: id, payload: 'x', qos })
    await publisher.settled()
    assert.deepEqual(await received(await client(t, broker, v5(id, 100))), [`${id} x q1`, `${id} x q2`])
  })

  test('F53 queued messages keep the identifier of the subscription that matched when they were queued', async (t) => {
    const id = unique()
    const first = await client(t, broker, {
      ...v5(id, 100),
      properties: { sessionExpiryInterval: 100, receiveMaximum: 1 },
    })
    await first.subscribe([{ filter: id, qos: 1 }], { subscriptionIdentifiers: [1] })
    const publisher = await client(t, broker, { clientId: `${id}-p` })
    for (let i = 0; i < 2; i++) publisher.publish({ topic: id, qos: 1 })
    await publisher.settled()
    await first.expect(PacketType.PUBLISH)
    await first.subscribe([{ filter: id, qos: 1 }], { subscriptionIdentifiers: [2] })
    first.ack(PacketType.PUBACK, 1)
    const queued = await first.next()
    assert.ok(queued.type === PacketType.PUBLISH)
    assert.deepEqual(queued.properties.subscriptionIdentifiers, [1])
  })

  test('F91 its end removes subscriptions, queue and open ids, not retained messages', async (t) => {
    const id = unique()
    const first = await client(t, broker, v5(id, 100))
    await first.subscribe([
      { filter: id, qos: 1 },
      { filter: `$share/g/${id}`, qos: 1 },
    ])
    first.publish({ topic: id, payload: 'kept', qos: 2, retain: true, packetId: 9 })
    await first.settled()
    await leave(first)
    const second = await client(t, broker, v5(id, 100, true))
    assert.deepEqual(await received(second), [])
    const publisher = await client(t, broker, { clientId: `${id}-p`, version: 5 })
    publisher.publish({ topic: id, qos: 1, packetId: 1 })
    const [ack] = await publisher.settled()
    assert.ok(ack?.type === PacketType.PUBACK && ack.reasonCode === ReasonCode.NO_MATCHING_SUBSCRIBERS)
    second.ack(PacketType.PUBREL, 9)
    const [unknown] = await second.settled()
    assert.ok(unknown?.type === PacketType.PUBCOMP && unknown.reasonCode === 0x92)
    await second.subscribe(id)
    assert.deepEqual(await received(second), [`${id} kept q2 retain`])
  })
})

describe('CONNECT', () => {
  test('F84 CONNACK reports an expiry that was lowered; persistent_client_expiration bounds every version', async (t) => {
    const short = await startBroker({ conf: 'persistent_client_expiration 1h\nsys_interval 0' })
    t.after(() => short.stop())
    const asked = async (expiry: number | undefined, id: string) =>
      (await join(t, short, v5(id, expiry))).connack.properties.sessionExpiryInterval
    assert.equal(await asked(10_000, 'a'), 3600)
    assert.equal(await asked(0xffff_ffff, 'b'), 3600)
    assert.equal(await asked(3600, 'c'), undefined)
    assert.equal(await asked(undefined, 'd'), undefined)
    await leave(await client(t, short, { clientId: 'old', cleanStart: false }))
    short.advance(3599)
    const { connack, client: old } = await join(t, short, { clientId: 'old', cleanStart: false })
    assert.equal(connack.sessionPresent, true)
    await leave(old)
    short.advance(3600)
    assert.equal((await join(t, short, { clientId: 'old', cleanStart: false })).connack.sessionPresent, false)
    assert.ok(short.log.includes('Expiring client old due to timeout.'))
  })

  test('F99 F100 [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an assigned id is unique, told, and works later', async (t) => {
    const { client: first, connack } = await join(t, broker, v5('', 100))
    const { assignedClientIdentifier: id } = connack.properties
    assert.match(id ?? '', /^auto-[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/)
    const other = (await join(t, broker, v5('', 100))).connack.properties.assignedClientIdentifier
    assert.notEqual(other, id)
    await leave(first)
    const again = await join(t, broker, v5(id ?? '', 100))
    assert.equal(again.connack.sessionPresent, true)
    assert.equal(again.connack.properties.assignedClientIdentifier, undefined)
  })

  test('F98 packets in the same segment as CONNECT are handled after CONNACK', async (t) => {
    const eager = await RawClient.open(broker.port)
    t.after(() => eager.drop())
    const id = Buffer.from('eager')
    const connect = Buffer.from([0x10, 12 + id.length, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, id.length, ...id])
    eager.send(Buffer.concat([connect, Buffer.from([0xc0, 0, 0x82, 6, 0, 1, 0, 1, 0x74, 0])]))
    const types = [await eager.next(), await eager.next(), await eager.next()].map(({ type }) => type)
    assert.deepEqual(types, [PacketType.CONNACK, PacketType.PINGRESP, PacketType.SUBACK])
  })

  test('F98 [MQTT-3.1.4-6] and dropped when it is refused', async (t) => {
    const watcher = await client(t, broker, { clientId: unique() })
    await watcher.subscribe('refused')
    const eager = await RawClient.open(broker.port)
    eager.version = 5
    eager.send(connectPacket({ version: 5, clientId: 'x', properties: { authenticationMethod: 'none' } }))
    eager.publish({ topic: 'refused', payload: 'x' })
    const [connack, ...others] = await eager.closed()
    assert.ok(connack?.type === PacketType.CONNACK && connack.reasonCode === ReasonCode.BAD_AUTHENTICATION_METHOD)
    assert.equal(connack.sessionPresent, false)
    assert.deepEqual(others, [])
    assert.deepEqual(await received(watcher), [])
  })

  test('F155 [MQTT-3.1.2-28] no Response Information unless asked for', async (t) => {
    const { connack } = await join(t, broker, v5(unique()))
    assert.equal(connack.properties.responseInformation, undefined)
  })
})
