// When a broker with `persistence true` speaks: nothing that promises state leaves before that is on disk, nothing waits that does
// not, the order stays; and what happens to promises that cannot be kept.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { client, join, payloads, received, take } from '../support/deliveries.js'
import { FaultStore } from '../support/fault-store.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'

interface Setting {
  readonly broker: TestBroker
  readonly store: FaultStore
}

async function setUp(t: TestContext, conf = ''): Promise<Setting> {
  const store = new FaultStore()
  const broker = await startBroker({ conf: `persistence true\nsys_interval 0\n${conf}`, store })
  t.after(async () => {
    store.failure = undefined
    store.isSlow = false
    store.proceed()
    await broker.stop()
  })
  return { broker, store }
}

const durable = (clientId: string, more: ConnectFields = {}): ConnectFields => ({
  clientId,
  version: 5,
  cleanStart: false,
  properties: { sessionExpiryInterval: 1000 },
  ...more,
})

/** Long enough for whatever the broker has to say to arrive: it goes round with packets of others. */
async function quiet(t: TestContext, { broker }: Setting): Promise<void> {
  const other = await client(t, broker, { clientId: `quiet ${Math.random()}` })
  for (let i = 0; i < 3; i++) await other.settled()
  await other.drop()
}

/** What has arrived at `from` after what was sent to the broker has had its time; PINGREQ would wait as well. */
function arrived(from: RawClient): Packet[] {
  return from.taken()
}

const types = (packets: readonly Packet[]) => packets.map(({ type }) => type)

describe('acknowledgements wait for the disk', () => {
  const flows: readonly {
    readonly name: string
    readonly send: (from: RawClient) => void
    readonly answer: PacketType
    /** Durable subscriptions to `d` exist. */
    readonly version?: 4 | 5
  }[] = [
    { name: 'PUBACK', send: (c) => c.publish({ topic: 'd', payload: 'x', qos: 1 }), answer: PacketType.PUBACK },
    { name: 'PUBREC', send: (c) => c.publish({ topic: 'd', payload: 'x', qos: 2 }), answer: PacketType.PUBREC },
    {
      name: 'PUBACK of a retained message that nobody gets',
      send: (c) => c.publish({ topic: 'r', payload: 'x', qos: 1, retain: true }),
      answer: PacketType.PUBACK,
    },
    {
      name: 'SUBACK',
      send: (c) =>
        c.send({
          type: PacketType.SUBSCRIBE,
          packetId: 1,
          properties: NO_PROPERTIES,
          subscriptions: [{ filter: 'n', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
        }),
      answer: PacketType.SUBACK,
    },
    {
      name: 'UNSUBACK',
      send: (c) => c.send({ type: PacketType.UNSUBSCRIBE, packetId: 1, properties: NO_PROPERTIES, filters: ['d'] }),
      answer: PacketType.UNSUBACK,
    },
  ]
  for (const { name, send, answer } of flows)
    test(name, async (t) => {
      const setting = await setUp(t)
      const { broker, store } = setting
      const own = await client(t, broker, durable('own'))
      await own.subscribe([{ filter: 'd', qos: 0, noLocal: true }])
      const other = await client(t, broker, durable('other'))
      await other.subscribe([{ filter: 'd', qos: 1 }])
      store.isSlow = true
      send(own)
      await quiet(t, setting)
      assert.deepEqual(types(arrived(own)), [])
      store.isSlow = false
      store.proceed()
      await own.expect(answer)
    })

  test('PUBCOMP', async (t) => {
    const setting = await setUp(t)
    const { broker, store } = setting
    const own = await client(t, broker, durable('own'))
    own.publish({ topic: 'nobody', qos: 2, packetId: 3 })
    await own.expect(PacketType.PUBREC)
    store.isSlow = true
    own.ack(PacketType.PUBREL, 3)
    await quiet(t, setting)
    assert.deepEqual(types(arrived(own)), [])
    store.isSlow = false
    store.proceed()
    await own.expect(PacketType.PUBCOMP)
  })

  test('CONNACK of a session that lasts', async (t) => {
    const setting = await setUp(t)
    const { broker, store } = setting
    store.isSlow = true
    const own = await RawClient.open(broker.port)
    t.after(() => own.drop())
    own.version = 5
    own.send(connectPacket(durable('own')))
    await quiet(t, setting)
    assert.deepEqual(types(arrived(own)), [])
    store.isSlow = false
    store.proceed()
    await own.expect(PacketType.CONNACK)
  })

  test('a QoS 2 PUBLISH to a session that lasts, and its PUBREL', async (t) => {
    const setting = await setUp(t)
    const { broker, store } = setting
    const reader = await client(t, broker, durable('reader'))
    await reader.subscribe('x')
    const from = await client(t, broker, { clientId: 'from' })
    store.isSlow = true
    from.publish({ topic: 'x', payload: 'two', qos: 2 })
    await quiet(t, setting)
    assert.deepEqual(types(arrived(reader)), [])
    store.proceed()
    const { packetId } = (await reader.expect(PacketType.PUBLISH)) as { readonly packetId: number }
    reader.ack(PacketType.PUBREC, packetId)
    await quiet(t, setting)
    assert.deepEqual(types(arrived(reader)), [])
    store.isSlow = false
    store.proceed()
    await reader.expect(PacketType.PUBREL)
  })
})

describe('what promises nothing does not wait', () => {
  test('a QoS 1 message for readers whose sessions end with their connection', async (t) => {
    const { broker, store } = await setUp(t)
    const reader = await client(t, broker, { clientId: 'reader' })
    await reader.subscribe('x')
    const from = await client(t, broker, { clientId: 'from' })
    store.isSlow = true
    from.publish({ topic: 'x', payload: 'one', qos: 1 })
    await from.expect(PacketType.PUBACK)
    assert.deepEqual(await received(reader), ['x one q1'])
  })

  test('QoS 0, and QoS 1 on its way to a session that lasts', async (t) => {
    const { broker, store } = await setUp(t)
    const reader = await client(t, broker, durable('reader'))
    await reader.subscribe('#')
    const from = await client(t, broker, { clientId: 'from' })
    store.isSlow = true
    from.publish({ topic: 'x', payload: 'zero' })
    from.publish({ topic: 'x', payload: 'one', qos: 1 })
    assert.deepEqual(await received(reader), ['x zero q0', 'x one q1'])
  })

  test('without persistence there is no store at all', async (t) => {
    const store = new FaultStore()
    const broker = await startBroker({ store })
    t.after(() => broker.stop())
    const own = await client(t, broker, durable('own'))
    await own.subscribe('x')
    assert.equal(store.written, 0)
  })
})

test('[MQTT-4.6.0-2] [MQTT-4.6.0-3] acknowledgements keep their order, one held back or not', async (t) => {
  const setting = await setUp(t)
  const { broker, store } = setting
  await (await client(t, broker, durable('sink'))).subscribe('d')
  const from = await client(t, broker, { clientId: 'from', version: 5 })
  store.isSlow = true
  from.publish({ topic: 'd', qos: 1, packetId: 1 })
  from.publish({ topic: 'nobody', qos: 1, packetId: 2 })
  from.send({ type: PacketType.PINGREQ })
  await quiet(t, setting)
  from.publish({ topic: 'd', qos: 1, packetId: 3 })
  await quiet(t, setting)
  assert.deepEqual(types(arrived(from)), [])
  store.proceed()
  assert.equal(((await from.expect(PacketType.PUBACK)) as { packetId: number }).packetId, 1)
  assert.equal(((await from.expect(PacketType.PUBACK)) as { packetId: number }).packetId, 2)
  await from.expect(PacketType.PINGRESP)
  await quiet(t, setting)
  assert.deepEqual(types(arrived(from)), [])
  store.proceed()
  assert.equal(((await from.expect(PacketType.PUBACK)) as { packetId: number }).packetId, 3)
})

test('what one turn changes is one batch, and what came and went in the meantime is in none', async (t) => {
  const setting = await setUp(t)
  const { broker, store } = setting
  const reader = await client(t, broker, durable('reader'))
  await reader.subscribe([{ filter: 'x', qos: 1 }])
  const from = await client(t, broker, { clientId: 'from' })
  const before = store.written
  for (let i = 0; i < 50; i++) from.publish({ topic: 'x', payload: 'x', qos: 1 })
  for (let i = 0; i < 50; i++) await from.expect(PacketType.PUBACK)
  assert.ok(store.written - before < 10, `${store.written - before} batches`)
  store.isSlow = true
  from.publish({ topic: 'hold', payload: 'x', qos: 1, retain: true })
  await quiet(t, setting)
  await take(reader, 50)
  await reader.settled()
  store.isSlow = false
  store.proceed()
  await from.expect(PacketType.PUBACK)
  await quiet(t, setting)
  // The session, its progress, its subscription, the retained message.
  assert.equal(await store.count(), 4)
})

describe('connections that end while acknowledgements wait', () => {
  test('a client that comes back hears what it missed, and a repeated QoS 2 message is taken once', async (t) => {
    const setting = await setUp(t)
    const { broker, store } = setting
    const sink = await client(t, broker, durable('sink'))
    await sink.subscribe('d')
    const first = await client(t, broker, durable('from'))
    store.isSlow = true
    first.publish({ topic: 'd', payload: 'once', qos: 2, packetId: 5 })
    await quiet(t, setting)
    const second = await RawClient.open(broker.port)
    t.after(() => second.drop())
    second.version = 5
    second.send(connectPacket(durable('from')))
    second.publish({ topic: 'd', payload: 'once', qos: 2, packetId: 5, dup: true })
    await quiet(t, setting)
    assert.deepEqual(types(arrived(second)), [], 'neither CONNACK nor PUBREC')
    store.isSlow = false
    store.proceed()
    await second.expect(PacketType.CONNACK)
    await second.expect(PacketType.PUBREC)
    assert.deepEqual(types(await first.closed()), [PacketType.PUBREC, PacketType.DISCONNECT])
    assert.deepEqual(await payloads(sink), ['once'])
  })
})

describe('a store that cannot be written', () => {
  test('who waits is disconnected with 0x97, new promises are refused, QoS 0 goes on, and all is well when it can be written again', async (t) => {
    const setting = await setUp(t)
    const { broker, store } = setting
    const sink = await client(t, broker, durable('sink'))
    await sink.subscribe([{ filter: 'd', qos: 1 }])
    const plain = await client(t, broker, { clientId: 'plain', version: 5 })
    await plain.subscribe([{ filter: '#', qos: 1 }])
    const first = await client(t, broker, { clientId: 'first', version: 5 })
    const old = await client(t, broker, { clientId: 'old' })
    const fresh = await client(t, broker, { clientId: 'fresh', version: 5 })
    store.failure = 'no space left'

    first.publish({ topic: 'd', payload: 'lost or not', qos: 1 })
    const [goodbye, ...more] = await first.closed()
    assert.deepEqual(
      [goodbye?.type, goodbye && 'reasonCode' in goodbye && goodbye.reasonCode],
      [PacketType.DISCONNECT, 0x97],
    )
    assert.deepEqual(more, [])
    const complaints = () => broker.log.filter((line) => line.startsWith('no space left'))
    assert.equal(complaints().length, 1)

    fresh.publish({ topic: 'd', payload: 'refused', qos: 1 })
    assert.equal(((await fresh.expect(PacketType.PUBACK)) as { reasonCode: number }).reasonCode, 0x97)
    fresh.publish({ topic: 'd', payload: 'refused', qos: 2 })
    assert.equal(((await fresh.expect(PacketType.PUBREC)) as { reasonCode: number }).reasonCode, 0x97)
    fresh.publish({ topic: 'other', payload: 'passing', qos: 1 })
    assert.equal(((await fresh.expect(PacketType.PUBACK)) as { reasonCode: number }).reasonCode, 0)
    fresh.publish({ topic: 'd', payload: 'zero' })
    assert.deepEqual((await payloads(plain)).slice(1), ['passing', 'zero'])
    assert.deepEqual(await payloads(sink), ['lost or not', 'zero'])
    assert.equal((await sink.subscribe([{ filter: 'more', qos: 1 }])).reasonCodes[0], 0x97)
    assert.equal((await sink.unsubscribe('d')).reasonCodes[0], 0x80)
    assert.equal((await join(t, broker, durable('late'))).connack.reasonCode, 0x97)
    assert.equal((await join(t, broker, { clientId: 'late', cleanStart: false })).connack.reasonCode, 3)
    assert.equal((await join(t, broker, { clientId: 'passing' })).connack.reasonCode, 0)
    old.publish({ topic: 'd', payload: 'refused', qos: 1 })
    assert.deepEqual(types(await old.closed()), [])

    broker.advance(5)
    await quiet(t, setting)
    assert.equal(complaints().length, 1, 'it is said once')
    store.failure = undefined
    broker.advance(2)
    await quiet(t, setting)
    assert.ok(broker.log.includes('The store can be written again; nothing is missing in it.'))
    fresh.publish({ topic: 'd', payload: 'taken', qos: 1 })
    assert.equal(((await fresh.expect(PacketType.PUBACK)) as { reasonCode: number }).reasonCode, 0)

    // What changed in the meantime is there, too: after a kill the queue is what it was in memory.
    const copy = await store.copy()
    const next = await startBroker({ conf: 'persistence true\nsys_interval 0', store: copy })
    t.after(() => next.stop())
    assert.deepEqual(await payloads(await client(t, next, durable('sink'))), ['lost or not', 'taken'])
  })

  for (const [version, code] of [
    [5, 0x97],
    [4, 3],
  ] as const)
    test(`[MQTT-3.2.0-1] ${version}: whose session is the first that cannot be written hears it in CONNACK, and nothing before`, async (t) => {
      const { broker, store } = await setUp(t)
      store.failure = 'no space left'
      const fields = { ...durable('unlucky'), version, ...(version === 4 && { properties: {} }) }
      const { client: unlucky, connack } = await RawClient.connect(broker.port, fields)
      assert.equal(connack.reasonCode, code)
      assert.deepEqual(await unlucky.closed(), [])
    })

  test('what is left at the end is tried once more, and its loss is told', async (t) => {
    const { broker, store } = await setUp(t)
    store.failure = 'no space left'
    const from = await client(t, broker, { clientId: 'from' })
    from.publish({ topic: 'r', payload: 'x', retain: true })
    await from.settled()
    await broker.stop()
    assert.ok(broker.log.some((line) => line.includes('is lost')))
  })
})

describe('persistence_durability interval', () => {
  test('nobody waits, and what changed is written when the time is over', async (t) => {
    const setting = await setUp(t, 'persistence_durability interval\nautosave_interval 60')
    const { broker, store } = setting
    const own = await client(t, broker, durable('own'))
    await own.subscribe('x')
    broker.advance(59)
    await quiet(t, setting)
    assert.equal(store.written, 0)
    broker.advance(2)
    await quiet(t, setting)
    assert.equal(store.written, 1)
    broker.advance(200)
    await quiet(t, setting)
    assert.equal(store.written, 1, 'nothing has changed since')
  })

  test('autosave_on_changes counts changes', async (t) => {
    const setting = await setUp(t, 'persistence_durability interval\nautosave_interval 10\nautosave_on_changes true')
    const { broker, store } = setting
    const from = await client(t, broker, { clientId: 'from' })
    for (let i = 0; i < 9; i++) from.publish({ topic: `t/${i}`, payload: 'x', retain: true })
    await quiet(t, setting)
    broker.advance(1000)
    assert.equal(store.written, 0)
    from.publish({ topic: 't/9', payload: 'x', retain: true })
    await from.settled()
    await quiet(t, setting)
    assert.equal(store.written, 1)
  })

  for (const [name, act] of [
    ['SIGUSR1 writes at once', ({ broker }: Setting) => void broker.broker.save()],
    ['a clean stop writes what is left', ({ broker }: Setting) => broker.stop()],
  ] as const)
    test(`${name}, also with autosave_interval 0`, async (t) => {
      const setting = await setUp(t, 'persistence_durability interval\nautosave_interval 0')
      const { broker, store } = setting
      await (await client(t, broker, durable('own'))).subscribe('x')
      broker.advance(10_000)
      await quiet(t, setting)
      assert.equal(store.written, 0)
      await act(setting)
      await new Promise(setImmediate)
      await new Promise(setImmediate)
      assert.equal(store.written, 1)
    })
})

describe('a stop while the store does not answer', () => {
  for (const { durability, gives } of [
    { durability: 'commit', gives: 'gives it up in time: what was acknowledged is there' },
    { durability: 'interval', gives: 'waits: much may still have to be written' },
  ])
    test(`persistence_durability ${durability}: ${gives}`, async (t) => {
      const { broker, store } = await setUp(t, `persistence_durability ${durability}`)
      const visitor = await client(t, broker, durable('own'))
      await visitor.settled()
      store.isSlow = true
      visitor.publish({ topic: 'a', payload: 'x', retain: true })
      await visitor.settled()
      t.mock.timers.enable({ apis: ['setTimeout'] })
      let isClosed: boolean | undefined
      const stopped = broker.broker.stop().then((closed) => {
        isClosed = closed
      })
      for (let seconds = 0; seconds < 6; seconds++) {
        for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate)
        t.mock.timers.tick(1000)
      }
      await new Promise(setImmediate)
      assert.equal(isClosed, durability === 'commit' ? false : undefined)
      assert.equal(
        broker.log.some((line) => line.startsWith('The store does not answer.')),
        durability === 'commit',
      )
      store.isSlow = false
      store.proceed()
      await stopped
      assert.equal(isClosed, durability !== 'commit')
    })
})
