// Limits on connections and sessions, keep alive, connect timeout, mount points and client ids made from user names.

import assert from 'node:assert/strict'
import { connect as dial } from 'node:net'
import { describe, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'
import { all, describePacket } from './conversation.js'

async function withBroker(conf: string, use: (broker: TestBroker) => Promise<void>): Promise<void> {
  const broker = await startBroker({ conf })
  try {
    await use(broker)
  } finally {
    await broker.stop()
  }
}

async function attempt(broker: TestBroker, fields: ConnectFields): Promise<string[]> {
  const client = await RawClient.open(broker.port)
  client.version = fields.version ?? 4
  client.send(connectPacket(fields))
  return (await client.closed()).map(describePacket)
}

/** Waits until the broker has noticed that `clientId` is gone. */
async function gone(broker: TestBroker, clientId: string): Promise<void> {
  while (!broker.log.some((line) => line.includes(`Client ${clientId} `) && line.includes('disconnected')))
    await new Promise((resolve) => setImmediate(resolve))
}

describe('connections', () => {
  for (const option of ['max_connections', 'global_max_connections', 'max_connections_per_ip']) {
    test(`${option} 1: the second connection is closed, the next after the first has gone is not`, () =>
      withBroker(`${option} 1`, async (broker) => {
        const first = await RawClient.connect(broker.port, { clientId: 'first' })
        assert.deepEqual(await attempt(broker, { clientId: 'second' }), [])
        assert.ok(broker.log.some((line) => line.endsWith(`denied: ${option} exceeded.`)))
        await first.client.drop()
        await gone(broker, 'first')
        const third = await RawClient.connect(broker.port, { clientId: 'third' })
        assert.equal(third.connack.reasonCode, 0)
      }))
    test(`${option} 1 counts connections that have sent nothing`, () =>
      withBroker(`${option} 1`, async (broker) => {
        const silent = await RawClient.open(broker.port)
        assert.deepEqual(await attempt(broker, { clientId: 'second' }), [])
        await silent.drop()
      }))
    for (const limit of [0, 2_147_483_647])
      test(`${option} ${limit} is none`, () =>
        withBroker(`${option} ${limit}`, async (broker) => {
          for (const clientId of ['1', '2', '3'])
            assert.equal((await RawClient.connect(broker.port, { clientId })).connack.reasonCode, 0)
        }))
  }
})

describe('global_max_clients', () => {
  // biome-ignore format: one row a line
  const answers = [[3, '0x03'], [4, '0x03'], [5, '0x89']] as const
  for (const [version, code] of answers)
    test(`1: another session is refused, version ${version}`, () =>
      withBroker('global_max_clients 1', async (broker) => {
        await RawClient.connect(broker.port, { clientId: 'first' })
        assert.deepEqual(await attempt(broker, { clientId: 'second', version }), [`CONNACK 0 ${code}`])
      }))
  test('1: the same session may be taken over, an offline one counts', () =>
    withBroker('global_max_clients 1', async (broker) => {
      const first = await RawClient.connect(broker.port, { clientId: 'first', cleanStart: false })
      const second = await RawClient.connect(broker.port, { clientId: 'first', cleanStart: false })
      assert.equal(second.connack.sessionPresent, true)
      await first.client.closed()
      second.client.disconnect()
      await second.client.closed()
      assert.deepEqual(await attempt(broker, { clientId: 'second' }), ['CONNACK 0 0x03'])
      const again = await RawClient.connect(broker.port, { clientId: 'first' })
      again.client.disconnect()
      await again.client.closed()
      assert.equal((await RawClient.connect(broker.port, { clientId: 'second' })).connack.reasonCode, 0)
    }))
  test('0 is none', () =>
    withBroker('global_max_clients 0', async (broker) => {
      for (const clientId of ['1', '2'])
        assert.equal((await RawClient.connect(broker.port, { clientId })).connack.reasonCode, 0)
    }))
})

test('a peer that does not close its side after DISCONNECT is dropped two seconds later', () =>
  withBroker('max_connections 1', async (broker) => {
    const socket = dial({ port: broker.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.write(encodePacket(connectPacket({ clientId: 'lingering' }), 4))
    socket.write(Buffer.of(0xe0, 0))
    await new Promise((resolve) => socket.resume().once('end', resolve))
    broker.advance(1.5)
    assert.deepEqual(await attempt(broker, { clientId: 'second' }), [])
    broker.advance(0.5)
    await new Promise((resolve) => setImmediate(resolve)) // the close of a dropped socket is told in the next turn
    assert.equal((await RawClient.connect(broker.port, { clientId: 'third' })).connack.reasonCode, 0)
    socket.destroy()
  }))

// --- time ---

const silences = [
  { name: 'connect_timeout 1', conf: 'connect_timeout 1', open: 0.5, closed: 1 },
  { name: 'connect_timeout 3600', conf: 'connect_timeout 3600', open: 3599.5, closed: 3600 },
]
for (const { name, conf, open, closed } of silences)
  test(`E12 ${name}`, () =>
    withBroker(conf, async (broker) => {
      const silent = await RawClient.open(broker.port)
      const other = (await RawClient.connect(broker.port)).client
      broker.advance(open)
      await other.settled()
      silent.send('c000')
      assert.deepEqual(await silent.closed(), [], 'it was still open')
      const late = await RawClient.open(broker.port)
      await other.settled()
      broker.advance(closed)
      assert.deepEqual(await late.closed(), [])
      assert.deepEqual(await other.settled(), [])
    }))

interface KeepAlive {
  readonly name: string
  readonly conf?: string
  readonly keepAlive: number
  /** Seconds of silence that are allowed, and that are too many. */
  readonly allowed: number
  readonly ends?: number
}

// biome-ignore format: one row a line
const keepAlives: readonly KeepAlive[] = [
  { name: '[MQTT-3.1.2-22] [MQTT-3.2.2-22] F103 keep alive 1', keepAlive: 1, allowed: 1, ends: 2 },
  { name: '[MQTT-3.1.2-22] [MQTT-3.2.2-22] F103 keep alive 10', keepAlive: 10, allowed: 14.5, ends: 16 },
  { name: '[MQTT-3.1.2-22] keep alive 65535', keepAlive: 65_535, allowed: 98_301, ends: 98_304 },
  { name: 'F103 keep alive 0 is off', keepAlive: 0, allowed: 200_000 },
]
for (const { name, keepAlive, allowed, ends } of keepAlives)
  for (const version of all)
    test(`${name}, version ${version}`, () =>
      withBroker('sys_interval 0', async (broker) => {
        const watcher = (await RawClient.connect(broker.port, { clientId: 'watcher' })).client
        await watcher.subscribe('gone')
        const fields = { clientId: 'silent', version, keepAlive, will: { topic: 'gone' } }
        const { client } = await RawClient.connect(broker.port, fields)
        broker.advance(allowed)
        assert.deepEqual(await client.settled(), [], 'still open')
        if (ends === undefined) return
        broker.advance(ends)
        assert.deepEqual((await client.closed()).map(describePacket), version === 5 ? ['DISCONNECT 0x8d'] : [])
        assert.deepEqual((await watcher.settled()).map(describePacket), ["PUBLISH gone '' q0"])
      }))

interface Sign {
  readonly name: string
  /** Sent once the first half of the time is over. */
  readonly send: string
  readonly counts: boolean
}

// biome-ignore format: one row a line
const signs: readonly Sign[] = [
  { name: 'PINGREQ counts', send: 'c000', counts: true },
  { name: 'PUBLISH counts', send: '3003000161', counts: true },
  { name: 'an acknowledgement counts', send: '40020007', counts: true },
  { name: 'half a packet does not', send: '30030001', counts: false },
  { name: 'nothing does not, whatever the broker sends', send: '', counts: false },
]
for (const { name, send, counts } of signs)
  test(`F102 F103 signs of life: ${name}`, () =>
    withBroker('', async (broker) => {
      const other = (await RawClient.connect(broker.port, { clientId: 'other' })).client
      const { client } = await RawClient.connect(broker.port, { clientId: 'c', keepAlive: 10 })
      await client.subscribe('news')
      broker.advance(10)
      client.send(send)
      other.publish({ topic: 'news' })
      while ((await client.next()).type !== PacketType.PUBLISH);
      await other.settled()
      broker.advance(10)
      if (counts) assert.deepEqual(await client.settled(), [])
      else assert.deepEqual((await client.closed()).map(describePacket), [])
    }))

test('F101 the keep alive the broker has set is the one that counts', () =>
  withBroker('max_keepalive 10', async (broker) => {
    const other = (await RawClient.connect(broker.port, { clientId: 'other', keepAlive: 10, version: 5 })).client
    const { client, connack } = await RawClient.connect(broker.port, { clientId: 'c', keepAlive: 1000, version: 5 })
    assert.equal(connack.properties.serverKeepAlive, 10)
    broker.advance(14.5)
    assert.deepEqual(await other.settled(), [])
    broker.advance(1.5)
    assert.deepEqual((await client.closed()).map(describePacket), ['DISCONNECT 0x8d'])
    assert.deepEqual(await other.settled(), [])
  }))

// --- identities ---

test('use_username_as_clientid: two clients of one user are one session', () =>
  withBroker('use_username_as_clientid true', async (broker) => {
    const fields = { username: 'ann', version: 5 } as const
    const first = await RawClient.connect(broker.port, { ...fields, clientId: 'a' })
    await RawClient.connect(broker.port, { ...fields, clientId: 'b' })
    assert.deepEqual((await first.client.closed()).map(describePacket), ['DISCONNECT 0x8e'])
    assert.ok(broker.log.some((line) => line.includes(' as ann (')))
  }))

for (const [conf, beginning] of [
  ['auto_id_prefix node-', 'node-'],
  ['auto_id_prefix', 'auto-'],
  ['listener_auto_id_prefix here-', 'here-'],
] as const)
  test(`an assigned id begins with ${beginning}: ${conf}`, () =>
    withBroker(conf === 'auto_id_prefix' ? '' : conf, async (broker) => {
      const { connack } = await RawClient.connect(broker.port, { clientId: '', version: 5 })
      assert.ok(connack.properties.assignedClientIdentifier?.startsWith(beginning))
    }))

// --- mount point ---

const mounted = 'listener 0 127.0.0.1\nmount_point room/\n'

/** The ports of the plain and of the mounted listener. */
function ports(broker: TestBroker): [number, number] {
  const found = broker.log.flatMap((line) => /listen socket on port (\d+)/.exec(line)?.[1] ?? [])
  return [Number(found[0]), Number(found[1])]
}

test('mount_point: put before topics and filters as written, hidden from its clients', () =>
  withBroker(mounted, async (broker) => {
    const [plainPort, mountedPort] = ports(broker)
    const plain = (await RawClient.connect(plainPort, { clientId: 'plain' })).client
    const inside = (await RawClient.connect(mountedPort, { clientId: 'inside', version: 5 })).client
    await plain.subscribe('#')
    await inside.subscribe([{ filter: 'a/+', qos: 1 }])
    inside.publish({ topic: 'a/b', payload: '1' })
    plain.publish({ topic: 'room/a/c', payload: '2' })
    plain.publish({ topic: 'a/d', payload: '3' })
    const outer = (await plain.settled()).map(describePacket)
    assert.deepEqual(
      new Set(outer),
      new Set(["PUBLISH room/a/b '1' q0", "PUBLISH room/a/c '2' q0", "PUBLISH a/d '3' q0"]),
    )
    assert.deepEqual((await inside.settled()).map(describePacket), ["PUBLISH a/b '1' q0", "PUBLISH a/c '2' q0"])
    assert.deepEqual((await inside.unsubscribe('a/+')).reasonCodes, [0])
    plain.publish({ topic: 'room/a/c' })
    await plain.settled()
    assert.deepEqual(await inside.settled(), [])
  }))

test('mount_point: retained messages, wills and aliases', () =>
  withBroker(mounted, async (broker) => {
    const [plainPort, mountedPort] = ports(broker)
    const fields = { clientId: 'inside', version: 5, will: { topic: 'gone', retain: true } } as const
    const inside = (await RawClient.connect(mountedPort, fields)).client
    inside.publish({ topic: 'kept', payload: '1', retain: true, properties: { topicAlias: 1 } })
    inside.publish({ topic: '', payload: '2', retain: true, properties: { topicAlias: 1 } })
    await inside.settled()
    const reader = { clientId: 'reader', version: 5, properties: { topicAliasMaximum: 3 } } as const
    const other = (await RawClient.connect(mountedPort, reader)).client
    await other.subscribe([{ filter: '#' }])
    const [kept] = (await other.settled()) as Publish[]
    assert.deepEqual([kept?.topic, String(kept?.payload), kept?.properties.topicAlias], ['kept', '2', 1])
    await inside.drop()
    assert.equal(((await other.expect(PacketType.PUBLISH)) as Publish).topic, 'gone')
    const plain = (await RawClient.connect(plainPort, { clientId: 'plain' })).client
    await plain.subscribe('room/#')
    const stored = (await plain.settled()).map(describePacket)
    assert.deepEqual(
      new Set(stored),
      new Set(["PUBLISH room/kept '2' q0 retain", "PUBLISH room/gone '' q0 retain"].slice(0, 1)),
    )
  }))

for (const topic of ['$SYS/x', '$share/g/t'])
  test(`mount_point: PUBLISH to ${topic} is refused behind it too`, () =>
    withBroker(mounted, async (broker) => {
      const [, mountedPort] = ports(broker)
      const { client } = await RawClient.connect(mountedPort, { version: 5 })
      client.publish({ topic, qos: 1, packetId: 1 })
      assert.deepEqual((await client.settled()).map(describePacket), ['PUBACK 1 0x87'])
    }))

// --- wills that are not allowed ---

// biome-ignore format: one row a line
const wills = [
  { name: 'E51 will to $SYS', topic: '$SYS/x', conf: '' },
  { name: 'E51 will to $SYS behind a mount point', topic: '$SYS/x', conf: 'mount_point room/' },
  { name: 'E51 will to $share', topic: '$share/g/t', conf: '' },
]
for (const { name, topic, conf } of wills)
  for (const version of all)
    test(`${name} is accepted and never published, version ${version}`, () =>
      withBroker(conf, async (broker) => {
        const watcher = (await RawClient.connect(broker.port, { clientId: 'watcher' })).client
        await watcher.subscribe([{ filter: '#' }, { filter: '$SYS/x' }, { filter: 'gone' }])
        const { client } = await RawClient.connect(broker.port, { version, will: { topic } })
        const other = (await RawClient.connect(broker.port, { clientId: 'other', will: { topic: 'gone' } })).client
        await client.drop()
        await gone(broker, 'test')
        await other.drop()
        await gone(broker, 'other')
        const seen = new Set((await watcher.settled()).map(describePacket))
        assert.deepEqual(seen, new Set(["PUBLISH gone '' q0"]))
      }))

for (const [version, code] of [
  [4, '0x05'],
  [5, '0x87'],
] as const)
  test(`E51 will to $CONTROL refuses the client, version ${version}`, () =>
    withBroker('', async (broker) => {
      const fields = { version, will: { topic: '$CONTROL/dynamic-security/v1' } }
      assert.deepEqual(await attempt(broker, fields), [`CONNACK 0 ${code}`])
    }))
