// What a broker with `persistence true` finds again after it was stopped, and after it was killed: each kind of durable state, and
// each moment of a QoS flow. A kill is a second broker on a copy of what is on the disk at that moment.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import type { Store } from '../../src/store/store.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { client, join, line, nextPublish, payloads, publishesOf, received } from '../support/deliveries.js'
import { FaultStore } from '../support/fault-store.js'
import type { ConnectFields, RawClient } from '../support/raw-client.js'

/** One broker after the other on the same disk. */
interface Life {
  readonly broker: TestBroker
  /** Ends the broker in the way of this test and starts the next one, `seconds` later. */
  restart(seconds?: number): Promise<void>
}

type Way = 'stop' | 'kill'

async function live(t: TestContext, way: Way, conf: string): Promise<Life> {
  let store = new FaultStore()
  const start = (startsAt?: number) =>
    startBroker({ conf: `persistence true\n${conf}`, store, ...(startsAt !== undefined && { startsAt }) })
  let broker = await start()
  t.after(() => broker.stop())
  return {
    get broker() {
      return broker
    },
    async restart(seconds = 0) {
      const { now } = broker
      const before = broker
      if (way === 'kill') {
        store = await store.copy()
        broker = await start(now + seconds * 1000)
        await before.stop()
      } else {
        await before.stop()
        broker = await start(now + seconds * 1000)
      }
    },
  }
}

const durable = (clientId: string, more: ConnectFields = {}): ConnectFields => ({
  clientId,
  version: 5,
  cleanStart: false,
  properties: { sessionExpiryInterval: 1000 },
  ...more,
})

/** A session with a subscription whose client is away. */
async function away(t: TestContext, broker: TestBroker, clientId: string, filter: string, qos: 0 | 1 | 2 = 2) {
  const subscriber = await client(t, broker, durable(clientId))
  await subscriber.subscribe([{ filter, qos }])
  await leave(subscriber)
}

async function leave(from: RawClient): Promise<void> {
  from.disconnect()
  await from.closed()
}

/** Publishes with QoS 1 and waits for PUBACK. */
async function publishAll(from: RawClient, topic: string, ...texts: string[]): Promise<void> {
  for (const payload of texts) {
    from.publish({ topic, payload, qos: 1 })
    await from.expect(PacketType.PUBACK)
  }
}

interface Case {
  readonly name: string
  readonly conf?: string
  run(t: TestContext, life: Life): Promise<void>
}

const cases: readonly Case[] = [
  {
    name: 'a session that outlives its connection, and none that does not',
    async run(t, life) {
      await leave(await client(t, life.broker, durable('lasting')))
      await client(t, life.broker, { clientId: 'passing', version: 5, cleanStart: false })
      await life.restart()
      assert.equal((await join(t, life.broker, durable('lasting'))).connack.sessionPresent, true)
      assert.equal((await join(t, life.broker, durable('passing'))).connack.sessionPresent, false)
    },
  },
  {
    name: 'a session of 3.1.1 with Clean Session 0, and one of 5.0 that began with Clean Start 1',
    async run(t, life) {
      await client(t, life.broker, { clientId: 'old', cleanStart: false })
      await client(t, life.broker, durable('new', { cleanStart: true }))
      await life.restart()
      assert.equal((await join(t, life.broker, { clientId: 'old', cleanStart: false })).connack.sessionPresent, true)
      assert.equal((await join(t, life.broker, durable('new'))).connack.sessionPresent, true)
    },
  },
  {
    name: 'a session whose client had said that it is to end now is gone',
    async run(t, life) {
      const leaving = await client(t, life.broker, durable('leaving'))
      leaving.disconnect(0, { sessionExpiryInterval: 0 })
      await leaving.closed()
      await client(t, life.broker, durable('other'))
      await life.restart()
      assert.equal((await join(t, life.broker, durable('leaving'))).connack.sessionPresent, false)
    },
  },
  {
    name: 'a session that was replaced by a clean one is gone with what it had',
    async run(t, life) {
      await away(t, life.broker, 'again', 'a/#')
      const fresh = await client(t, life.broker, durable('again', { cleanStart: true }))
      await leave(fresh)
      await life.restart()
      const { client: back, connack } = await join(t, life.broker, durable('again'))
      assert.equal(connack.sessionPresent, true)
      await publishAll(back, 'a/b', 'x')
      assert.deepEqual(await received(back), [])
    },
  },
  {
    name: 'the time a session has left runs on while the broker is away',
    async run(t, life) {
      await leave(await client(t, life.broker, durable('short', { properties: { sessionExpiryInterval: 100 } })))
      await leave(await client(t, life.broker, durable('long', { properties: { sessionExpiryInterval: 200 } })))
      await life.restart(150)
      life.broker.advance(1)
      assert.equal((await join(t, life.broker, durable('short'))).connack.sessionPresent, false)
      assert.equal((await join(t, life.broker, durable('long'))).connack.sessionPresent, true)
    },
  },
  {
    name: 'a session is still that of its user',
    async run(t, life) {
      await leave(await client(t, life.broker, durable('owned', { username: 'ann' })))
      await life.restart()
      assert.equal((await join(t, life.broker, durable('owned', { username: 'bob' }))).connack.sessionPresent, false)
    },
  },
  {
    name: 'subscriptions with their options and identifiers, the last of each filter, and none that was ended',
    async run(t, life) {
      const first = await client(t, life.broker, durable('many'))
      await first.subscribe([
        { filter: 'a', qos: 1 },
        { filter: 'b', qos: 2 },
        { filter: 'c', qos: 1 },
      ])
      await first.subscribe([{ filter: 'a', qos: 2, retainAsPublished: true }], { subscriptionIdentifiers: [70_000] })
      await first.subscribe([{ filter: 'own', qos: 0, noLocal: true }])
      await first.unsubscribe('b')
      await leave(first)
      await life.restart()
      const back = await client(t, life.broker, durable('many'))
      const other = await client(t, life.broker, { clientId: 'other' })
      other.publish({ topic: 'a', payload: '1', qos: 1, retain: true })
      other.publish({ topic: 'b', payload: '2', qos: 1 })
      other.publish({ topic: 'c', payload: '3', qos: 1 })
      await other.settled()
      back.publish({ topic: 'own', payload: '4' })
      const found = publishesOf(await back.settled())
      assert.deepEqual(found.map(line), ['a 1 q1 retain', 'c 3 q1'])
      assert.deepEqual(found[0]?.properties.subscriptionIdentifiers, [70_000])
      assert.deepEqual((await back.unsubscribe('a', 'b', 'c')).reasonCodes, [0, 0x11, 0])
    },
  },
  {
    name: 'a subscription may be changed and ended after a restart, and stays so after the next',
    async run(t, life) {
      await away(t, life.broker, 'twice', 'a')
      await life.restart()
      const second = await client(t, life.broker, durable('twice'))
      await second.subscribe([{ filter: 'b', qos: 1 }])
      await second.unsubscribe('a')
      await leave(second)
      await life.restart()
      const third = await client(t, life.broker, durable('twice'))
      await publishAll(third, 'a', '1')
      third.publish({ topic: 'b', payload: '2', qos: 0 })
      assert.deepEqual(await received(third), ['b 2 q0'])
    },
  },
  {
    name: 'queued messages with their properties, in order, each once',
    async run(t, life) {
      await away(t, life.broker, 'sleeper', 'q/#', 1)
      const from = await client(t, life.broker, { clientId: 'from', version: 5 })
      from.publish({
        topic: 'q/1',
        payload: 'first',
        qos: 2,
        packetId: 9,
        properties: {
          contentType: 'text/plain',
          correlationData: Buffer.from([1, 2, 3]),
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
      })
      await from.expect(PacketType.PUBREC)
      await publishAll(from, 'q/2', ...Array.from({ length: 300 }, (_, i) => `${i}`))
      await life.restart()
      const back = await client(t, life.broker, durable('sleeper', { properties: { receiveMaximum: 1000 } }))
      const found = publishesOf(await back.settled())
      assert.deepEqual(
        found.map(({ payload }) => payload.toString()),
        ['first', ...Array.from({ length: 300 }, (_, i) => `${i}`)],
      )
      const [first] = found as [Publish]
      assert.equal(first.dup, false)
      assert.equal(first.properties.contentType, 'text/plain')
      assert.deepEqual(Buffer.from(first.properties.correlationData ?? []), Buffer.from([1, 2, 3]))
      assert.deepEqual(first.properties.userProperties, [
        ['a', '1'],
        ['a', '2'],
      ])
    },
  },
  {
    name: 'what was acknowledged before is not sent again, what was not is sent again with DUP and its packet identifier',
    async run(t, life) {
      const reader = await client(t, life.broker, durable('reader'))
      await reader.subscribe('r')
      const from = await client(t, life.broker, { clientId: 'from' })
      await publishAll(from, 'r', 'one', 'two', 'three')
      const sent = [await nextPublish(reader), await nextPublish(reader), await nextPublish(reader)]
      const [one, two, three] = sent as [Publish, Publish, Publish]
      reader.ack(PacketType.PUBACK, one.packetId)
      reader.ack(PacketType.PUBACK, three.packetId)
      await reader.settled()
      await publishAll(from, 'other', 'so that all of it is on disk')
      await life.restart()
      const back = await client(t, life.broker, durable('reader'))
      const again = publishesOf(await back.settled())
      assert.deepEqual(again.map(line), ['r two q1 dup'])
      assert.equal(again[0]?.packetId, two.packetId)
    },
  },
  {
    name: 'an outgoing QoS 2 message goes on with PUBLISH before its PUBREC and with PUBREL after it',
    async run(t, life) {
      const reader = await client(t, life.broker, durable('exact'))
      await reader.subscribe('x')
      const from = await client(t, life.broker, { clientId: 'from' })
      for (const payload of ['one', 'two', 'three']) from.publish({ topic: 'x', payload, qos: 2 })
      await from.settled()
      const one = await nextPublish(reader)
      const two = await nextPublish(reader)
      const three = await nextPublish(reader)
      reader.ack(PacketType.PUBREC, two.packetId)
      await reader.expect(PacketType.PUBREL)
      reader.ack(PacketType.PUBREC, one.packetId)
      await reader.expect(PacketType.PUBREL)
      reader.ack(PacketType.PUBCOMP, one.packetId)
      await reader.settled()
      await publishAll(from, 'other', 'so that all of it is on disk')
      await life.restart()
      const back = await client(t, life.broker, durable('exact'))
      const packets = await back.settled()
      assert.deepEqual(
        packets.map((packet) => [packet.type, 'packetId' in packet ? packet.packetId : 0]),
        [
          [PacketType.PUBREL, two.packetId],
          [PacketType.PUBLISH, three.packetId],
        ],
      )
      assert.equal((packets[1] as Publish).dup, true)
    },
  },
  {
    name: 'an incoming QoS 2 message that was begun is not taken twice',
    async run(t, life) {
      await away(t, life.broker, 'sink', 'in')
      const sender = await client(t, life.broker, durable('sender'))
      sender.publish({ topic: 'in', payload: 'once', qos: 2, packetId: 7 })
      await sender.expect(PacketType.PUBREC)
      await life.restart()
      const again = await client(t, life.broker, durable('sender'))
      again.publish({ topic: 'in', payload: 'once', qos: 2, packetId: 7, dup: true })
      await again.expect(PacketType.PUBREC)
      again.ack(PacketType.PUBREL, 7)
      await again.expect(PacketType.PUBCOMP)
      assert.deepEqual(await payloads(await client(t, life.broker, durable('sink'))), ['once'])
    },
  },
  {
    name: 'an incoming QoS 2 message that was completed leaves its identifier free',
    async run(t, life) {
      await away(t, life.broker, 'sink', 'in')
      const sender = await client(t, life.broker, durable('sender'))
      sender.publish({ topic: 'in', payload: 'first', qos: 2, packetId: 7 })
      await sender.expect(PacketType.PUBREC)
      sender.ack(PacketType.PUBREL, 7)
      await sender.expect(PacketType.PUBCOMP)
      await life.restart()
      const again = await client(t, life.broker, durable('sender'))
      again.publish({ topic: 'in', payload: 'second', qos: 2, packetId: 7 })
      await again.expect(PacketType.PUBREC)
      assert.deepEqual(await payloads(await client(t, life.broker, durable('sink'))), ['first', 'second'])
    },
  },
  {
    name: 'one message for many sessions',
    async run(t, life) {
      for (let i = 0; i < 10; i++) await away(t, life.broker, `fan${i}`, 'fan')
      const from = await client(t, life.broker, { clientId: 'from' })
      await publishAll(from, 'fan', 'x'.repeat(10_000), 'y')
      const first = await client(t, life.broker, durable('fan0'))
      for (const { packetId } of publishesOf(await first.settled())) first.ack(PacketType.PUBACK, packetId)
      await first.settled()
      await publishAll(from, 'other', 'so that all of it is on disk')
      await life.restart()
      assert.deepEqual(await payloads(await client(t, life.broker, durable('fan0'))), [])
      for (let i = 1; i < 10; i++)
        assert.deepEqual(await payloads(await client(t, life.broker, durable(`fan${i}`))), ['x'.repeat(10_000), 'y'])
    },
  },
  {
    name: 'messages that expire do so at their time, not counted from the restart',
    async run(t, life) {
      await away(t, life.broker, 'late', 'e/#')
      const from = await client(t, life.broker, { clientId: 'from', version: 5 })
      const send = async (topic: string, seconds: number, retain = false) => {
        const properties = { messageExpiryInterval: seconds }
        from.publish({ topic, payload: `${seconds}`, qos: 1, retain, properties })
        await from.expect(PacketType.PUBACK)
      }
      await send('e/short', 100)
      await send('e/long', 300)
      await send('kept/short', 100, true)
      await send('kept/long', 300, true)
      await life.restart(150)
      const back = await client(t, life.broker, durable('late'))
      const [found, ...more] = publishesOf(await back.settled())
      assert.equal(found?.topic, 'e/long')
      assert.equal(found?.properties.messageExpiryInterval, 150)
      assert.deepEqual(more, [])
      await back.subscribe('kept/#')
      assert.deepEqual(await received(back), ['kept/long 300 q1 retain'])
    },
  },
  {
    name: 'retained messages, the last of each topic, and none that was cleared',
    async run(t, life) {
      const from = await client(t, life.broker, { clientId: 'from', version: 5 })
      for (const [topic, payload] of [
        ['t/1', 'old'],
        ['t/1', 'new'],
        ['t/2', 'gone'],
        ['t/2', ''],
        ['t/3', 'plain'],
      ] as const)
        from.publish({ topic, payload, qos: topic === 't/3' ? 0 : 1, retain: true, properties: { contentType: 'c' } })
      await from.settled()
      await publishAll(from, 'other', 'so that all of it is on disk')
      await client(t, life.broker, durable('other'))
      await life.restart()
      const reader = await client(t, life.broker, { clientId: 'reader', version: 5 })
      await reader.subscribe('t/#')
      const found = publishesOf(await reader.settled())
      assert.deepEqual(found.map(line).sort(), ['t/1 new q1 retain', 't/3 plain q0 retain'])
      assert.equal(found[0]?.properties.contentType, 'c')
      reader.publish({ topic: 't/1', retain: true, qos: 1 })
      await reader.settled()
      await life.restart()
      const last = await client(t, life.broker, { clientId: 'last' })
      await last.subscribe('t/#')
      assert.deepEqual(await received(last), ['t/3 plain q0 retain'])
    },
  },
  {
    name: 'a member of a shared subscription, and the share a message came by',
    async run(t, life) {
      await away(t, life.broker, 'member', '$share/g/s', 1)
      const from = await client(t, life.broker, { clientId: 'from' })
      await publishAll(from, 's', 'mine')
      await life.restart()
      const other = await client(t, life.broker, { clientId: 'other', version: 5 })
      await other.subscribe([{ filter: '$share/g/s', qos: 1 }])
      // The session ends: what it was owed by the share goes to the other member [MQTT-4.8.2-5].
      await client(t, life.broker, durable('member', { cleanStart: true }))
      assert.deepEqual(await received(other), ['s mine q1'])
    },
  },
  {
    name: 'F78 [MQTT-3.1.3-9] a will that waits is published when it is due, after the restart',
    async run(t, life) {
      const will = {
        topic: 'will',
        payload: Buffer.from('gone'),
        qos: 1,
        properties: { willDelayInterval: 100 },
      } as const
      const mortal = await client(t, life.broker, durable('mortal', { will }))
      const saved = await client(t, life.broker, durable('saved', { will: { ...will, topic: 'not/this' } }))
      await mortal.drop()
      await saved.drop()
      await client(t, life.broker, durable('so that it is on disk'))
      await life.restart(50)
      await client(t, life.broker, durable('saved'))
      const watcher = await client(t, life.broker, { clientId: 'watcher' })
      await watcher.subscribe('#')
      life.broker.advance(40)
      assert.deepEqual(await received(watcher), [])
      life.broker.advance(20)
      assert.deepEqual(await received(watcher), ['will gone q1'])
      await life.restart(200)
      const later = await client(t, life.broker, durable('later'))
      await later.subscribe('#')
      life.broker.advance(300)
      assert.deepEqual(await received(later), [])
    },
  },
  {
    name: '[MQTT-3.1.2-8] the wills of clients that are connected, each once, by delay and end of the session',
    async run(t, life) {
      await away(t, life.broker, 'watcher', 'will/#')
      const connect = (name: string, willDelayInterval: number, sessionExpiryInterval: number) => {
        const will = {
          topic: `will/${name}`,
          payload: Buffer.from('gone'),
          qos: 1,
          properties: { willDelayInterval },
        } as const
        const properties = { sessionExpiryInterval }
        return client(t, life.broker, { clientId: name, version: 5, cleanStart: false, properties, will })
      }
      await connect('clean', 0, 0)
      await connect('delayed but clean', 100, 0)
      await connect('at once', 0, 1000)
      await connect('delayed', 100, 1000)
      await connect('session first', 100, 20)
      await connect('back in time', 100, 1000)
      await leave(await connect('goodbye', 0, 1000))
      await connect('replaced', 0, 1000)
      await client(t, life.broker, durable('replaced'))
      await client(t, life.broker, durable('so that it is on disk'))
      await life.restart()
      await client(t, life.broker, durable('back in time'))
      const heard = async () => {
        const watcher = await client(t, life.broker, durable('watcher'))
        const messages = publishesOf(await watcher.settled())
        for (const { packetId } of messages) watcher.ack(PacketType.PUBACK, packetId)
        await leave(watcher)
        return messages.map(line).sort()
      }
      const atOnce = ['at once', 'clean', 'delayed but clean', 'replaced']
      assert.deepEqual(
        await heard(),
        atOnce.map((name) => `will/${name} gone q1`),
      )
      life.broker.advance(50)
      assert.deepEqual(await heard(), ['will/session first gone q1'])
      await life.restart()
      life.broker.advance(60)
      assert.deepEqual(await heard(), ['will/delayed gone q1'])
      await life.restart(500)
      assert.deepEqual(await heard(), [])
    },
  },
  {
    name: 'topics behind a mount point',
    conf: 'mount_point site/',
    async run(t, life) {
      await away(t, life.broker, 'inside', 'a')
      const from = await client(t, life.broker, { clientId: 'from' })
      await publishAll(from, 'a', 'x')
      await life.restart()
      assert.deepEqual(await received(await client(t, life.broker, durable('inside'))), ['a x q1'])
    },
  },
]

for (const way of ['stop', 'kill'] as const)
  describe(`after a ${way}`, () => {
    for (const { name, conf = '', run } of cases)
      test(name, async (t) => {
        await run(t, await live(t, way, `sys_interval 0\n${conf}`))
      })
  })

test('CVE-2018-12546 the right of whoever published a retained message is asked for after a restart, too', async (t) => {
  const store = new FaultStore()
  const start = (acl: string) =>
    startBroker({ conf: 'persistence true\nsys_interval 0\nacl_file {folder}/acl', files: { acl }, store })
  const first = await start('topic read #\nuser ann\ntopic readwrite #\n')
  const ann = await client(t, first, { clientId: 'ann', username: 'ann' })
  ann.publish({ topic: 'a', payload: 'x', qos: 1, retain: true })
  await ann.expect(PacketType.PUBACK)
  await first.stop()
  for (const [acl, found] of [
    ['topic read #\nuser ann\ntopic readwrite #\n', ['a x q1 retain']],
    ['topic read #\nuser ann\ntopic read #\n', []],
  ] as const) {
    const broker = await start(acl)
    const reader = await client(t, broker, { clientId: 'reader' })
    await reader.subscribe('#')
    assert.deepEqual(await received(reader), found)
    await broker.stop()
  }
})

test('nothing is written before the store has been read to its end, however long that takes', async (t) => {
  const before = new FaultStore()
  const first = await startBroker({ conf: 'persistence true', store: before })
  t.after(() => first.stop())
  const will = { topic: 'w', payload: Buffer.from('gone') }
  // Its session is changed by the start: it is there without its client.
  await client(t, first, durable('connected', { will }))
  const disk = await before.copy()
  const asked: string[] = []
  const slow: Store = {
    async load(each) {
      await disk.load(each)
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
      asked.push('read')
    },
    write(batch, done) {
      asked.push('written')
      disk.write(batch, done)
    },
    close: () => disk.close(),
  }
  const second = await startBroker({ conf: 'persistence true', store: slow })
  await second.stop()
  assert.deepEqual(asked.slice(0, 2), ['read', 'written'])
})
