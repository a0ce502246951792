// SIGHUP as far as the broker is concerned: a new configuration holds as a whole or not at all, and clients that would not be let
// in again have to go (spec: broker-options.md sections 2.1 and 7 to 9, security.md). The signal itself is tested in test/cli.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Disconnect } from '../../src/protocol/packets/disconnect.js'
import { startBroker, type TestBroker, type TestBrokerOptions } from '../support/broker-kit.js'
import { client, payloads, received } from '../support/deliveries.js'
import { passwordFile } from '../support/password-lines.js'
import { RawClient } from '../support/raw-client.js'

async function running(t: TestContext, options: TestBrokerOptions): Promise<TestBroker> {
  const broker = await startBroker({ ...options, conf: `sys_interval 0\n${options.conf ?? ''}` })
  t.after(() => broker.stop())
  return broker
}

/** What is logged from now on. */
function logging({ log }: TestBroker): () => readonly string[] {
  const from = log.length
  return () => log.slice(from)
}

const five = { version: 5 } as const
const durable = { version: 5, cleanStart: false, properties: { sessionExpiryInterval: 1000 } } as const

describe('CVE-2017-7652: a configuration with anything wrong in it changes nothing', () => {
  const conf = 'allow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl\n'
  const files = { passwords: passwordFile('ann'), acl: 'topic readwrite #\nuser ann\ntopic readwrite #\n' }
  const cases: readonly { name: string; reload: TestBrokerOptions; says: readonly RegExp[] }[] = [
    {
      name: 'a misspelt directive, and one out of range',
      reload: { conf: 'allow_anonymous true\nmax_qoss 1\nmax_keepalive -1\n' },
      says: [/tsmq\.conf:4: unknown option max_qoss/, /tsmq\.conf:5: max_keepalive must be/],
    },
    {
      name: 'a password file that is not there and a malformed ACL file',
      reload: { conf: 'password_file {folder}/none\nacl_file {folder}/acl\n', files: { acl: 'foo\ntopic a/#/b\n' } },
      says: [/none: no such file/, /acl:1: /, /acl:2: /],
    },
    {
      name: 'a malformed password file beside a limit that is fine',
      reload: { conf: `${conf}max_qos 0\n`, files: { passwords: 'ann\n' } },
      says: [/passwords:1: /],
    },
    {
      name: 'a listener that is new',
      reload: { conf: 'allow_anonymous true\nlistener 18999 127.0.0.1\n' },
      says: [/tsmq\.conf:4: listener 18999 127\.0\.0\.1 is new: it needs a restart/],
    },
  ]
  for (const { name, reload, says } of cases)
    test(name, async (t) => {
      const broker = await running(t, { conf, files })
      const ann = await client(t, broker, { clientId: 'ann', username: 'ann', password: 'ann' })
      const lines = logging(broker)
      broker.reload(reload)
      for (const shape of says)
        assert.ok(
          lines().some((line) => shape.test(line)),
          `${shape} in ${lines().join('\n')}`,
        )
      assert.match(lines().at(-1) ?? '', /the old one stays in force/)
      assert.deepEqual(await ann.settled(), [])
      const { connack } = await RawClient.connect(broker.port, { clientId: 'anonymous' })
      assert.equal(connack.reasonCode, 5)
      await client(t, broker, { clientId: 'again', username: 'ann', password: 'ann' })
      await ann.subscribe([{ filter: 'a' }])
      ann.publish({ topic: 'a', payload: 'x' })
      assert.deepEqual(await received(ann), ['a x q0'])
    })

  test('a listener that is gone, and one that has moved', async (t) => {
    const broker = await running(t, { conf: 'listener 0 127.0.0.2\n' })
    for (const [other, says] of [
      ['', [/^listener 0 127\.0\.0\.2 is no longer configured: it needs a restart$/]],
      ['listener 0 127.0.0.3\n', [/listener 0 127\.0\.0\.3 is new/, /listener 0 127\.0\.0\.2 is no longer configured/]],
    ] as const) {
      const lines = logging(broker)
      broker.reload({ conf: `sys_interval 0\n${other}` })
      assert.equal(lines().length, says.length + 1)
      for (const [at, shape] of says.entries()) assert.match(lines()[at] ?? '', shape)
    }
  })
})

describe('what a reload does not change', () => {
  test('is named with its line and keeps its value; the rest is applied', async (t) => {
    const broker = await running(t, { conf: 'max_concurrent_auth 2\n' })
    const lines = logging(broker)
    broker.reload({ conf: 'sys_interval 0\nmax_concurrent_auth 3\nsocket_domain ipv4\nmax_packet_size 1000\n' })
    assert.match(lines()[0] ?? '', /tsmq\.conf:5: max_concurrent_auth is not changed by a reload: it needs a restart$/)
    assert.match(lines()[1] ?? '', /tsmq\.conf:1: socket_domain of listener 0 127\.0\.0\.1 is not changed by a reload/)
    const { connack } = await RawClient.connect(broker.port, { ...five, clientId: 'c' })
    assert.equal(connack.properties.maximumPacketSize, 1000)
  })

  test('a second reload with the same file says it again, and one with the old value nothing', async (t) => {
    const broker = await running(t, { conf: 'max_concurrent_auth 2\n' })
    for (const [value, count] of [
      [3, 1],
      [3, 1],
      [2, 0],
    ]) {
      const lines = logging(broker)
      broker.reload({ conf: `sys_interval 0\nmax_concurrent_auth ${value}\n` })
      assert.equal(lines().filter((line) => line.endsWith('it needs a restart')).length, count)
    }
  })
})

describe('new connections are judged by the new listener settings, old ones keep theirs', () => {
  test('max_qos, max_topic_alias, mount_point', async (t) => {
    const broker = await running(t, { conf: 'mount_point old/\n' })
    const before = await client(t, broker, { ...five, clientId: 'before' })
    broker.reload({ conf: 'sys_interval 0\nmax_qos 1\nmax_topic_alias 3\nmount_point new/\n' })
    const { client: after, connack } = await RawClient.connect(broker.port, { ...five, clientId: 'after' })
    assert.equal(connack.properties.maximumQos, 1)
    assert.equal(connack.properties.topicAliasMaximum, 3)
    assert.deepEqual((await before.subscribe([{ filter: 'a', qos: 2 }])).reasonCodes, [2])
    assert.deepEqual((await after.subscribe([{ filter: 'a', qos: 2 }])).reasonCodes, [1])
    before.publish({ topic: 'a', payload: 'before' })
    after.publish({ topic: 'a', payload: 'after' })
    assert.deepEqual(await payloads(before), ['before'])
    assert.deepEqual(await payloads(after), ['after'])
  })

  test('max_connections counts those that came before', async (t) => {
    const broker = await running(t, {})
    await client(t, broker, { clientId: 'one' })
    broker.reload({ conf: 'sys_interval 0\nmax_connections 1\n' })
    const refused = await RawClient.open(broker.port)
    assert.deepEqual(await refused.closed(), [])
  })

  test('websockets_origin', async (t) => {
    const broker = await running(t, { conf: 'protocol websockets\nwebsockets_origin http://a.example\n' })
    const status = async (origin: string) => {
      const { request } = await import('node:http')
      const headers = {
        Origin: origin,
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol': 'mqtt',
      }
      return new Promise((resolve, reject) => {
        const asked = request({ port: broker.port, headers })
        asked.on('upgrade', (response, socket) => {
          socket.destroy()
          resolve(response.statusCode)
        })
        asked.on('response', (response) => resolve(response.statusCode))
        asked.on('error', reject).end()
      })
    }
    assert.deepEqual([await status('http://a.example'), await status('http://b.example')], [101, 403])
    broker.reload({ conf: 'sys_interval 0\nprotocol websockets\nwebsockets_origin http://b.example\n' })
    assert.deepEqual([await status('http://a.example'), await status('http://b.example')], [403, 101])
  })
})

describe('clients whose credentials are gone are disconnected', () => {
  const conf = 'sys_interval 0\npassword_file {folder}/passwords\n'
  const passwords = passwordFile('ann', 'bob', 'eve')
  const changed = `${passwordFile('ann')}${passwordFile('bob').replace(/.{12}\n$/, 'AAAAAAAAAA==\n')}`

  for (const version of [4, 5] as const)
    test(`version ${version}: gone from the file, another password, anonymous; the others stay`, async (t) => {
      const broker = await running(t, { conf: 'password_file {folder}/passwords\n', files: { passwords } })
      const who = async (username: string) =>
        client(t, broker, { version, clientId: username, username, password: username })
      const [ann, bob, eve] = [await who('ann'), await who('bob'), await who('eve')]
      const anonymous = await client(t, broker, { version, clientId: 'anonymous' })
      const lines = logging(broker)
      broker.reload({ conf: `${conf}allow_anonymous false\n`, files: { passwords: changed } })
      for (const [one, reason] of [
        [bob, 'the password has changed'],
        [eve, 'the user no longer exists'],
        [anonymous, 'anonymous clients are no longer allowed'],
      ] as const) {
        const packets = (await one.closed()) as Disconnect[]
        const expected = version === 5 ? [[PacketType.DISCONNECT, 0x87, reason]] : []
        assert.deepEqual(
          packets.map(({ type, reasonCode, properties }) => [type, reasonCode, properties.reasonString]),
          expected,
        )
        assert.ok(lines().some((line) => line.endsWith(`disconnected: ${reason}.`)))
      }
      assert.deepEqual(await ann.settled(), [])
    })

  test('a password file where there was none: everybody has to log in', async (t) => {
    const broker = await running(t, {})
    const ann = await client(t, broker, { ...five, clientId: 'ann', username: 'ann', password: 'ann' })
    broker.reload({ conf: `${conf}`, files: { passwords } })
    assert.equal(((await ann.closed())[0] as Disconnect).reasonCode, 0x87)
    await client(t, broker, { ...five, clientId: 'ann', username: 'ann', password: 'ann' })
  })

  test('a login that was being checked by the old file is checked by the new one', async (t) => {
    const broker = await running(t, { conf: 'password_file {folder}/passwords\n', files: { passwords } })
    const hidden = broker.broker as unknown as { context: { access: { authenticate: (...args: never[]) => unknown } } }
    const { access } = hidden.context
    const { authenticate } = access
    let decide: (refusal: undefined) => void = () => {}
    const asked = new Promise<void>((resolve) => {
      access.authenticate = () => {
        access.authenticate = authenticate
        resolve()
        return new Promise((done) => {
          decide = done
        })
      }
    })
    const connecting = RawClient.connect(broker.port, { clientId: 'eve', username: 'eve', password: 'eve' })
    await asked
    broker.reload({ conf, files: { passwords: changed } })
    decide(undefined)
    assert.equal((await connecting).connack.reasonCode, 5)
  })

  test('clientid_prefixes: 0x98 for an id that is no longer acceptable', async (t) => {
    const broker = await running(t, {})
    const out = await client(t, broker, { ...five, clientId: 'other' })
    const stays = await client(t, broker, { ...five, clientId: 'dev-1' })
    broker.reload({ conf: 'sys_interval 0\nclientid_prefixes dev-\n' })
    assert.equal(((await out.closed())[0] as Disconnect).reasonCode, 0x98)
    assert.deepEqual(await stays.settled(), [])
  })
})

describe('rights', () => {
  const conf = 'sys_interval 0\nacl_file {folder}/acl\n'
  const all = 'user p\ntopic write #\nuser s\ntopic read #\n'

  test('CVE-2021-34434: a connected subscriber gets nothing more that it may not read, not even what waits', async (t) => {
    const broker = await running(t, { conf: 'acl_file {folder}/acl\nmax_inflight_messages 1\n', files: { acl: all } })
    const publisher = await client(t, broker, { clientId: 'p', username: 'p' })
    const reader = await client(t, broker, { clientId: 's', username: 's' })
    await reader.subscribe([{ filter: '#', qos: 1 }])
    for (const topic of ['lost/1', 'lost/2', 'ok/3']) publisher.publish({ topic, payload: 'x', qos: 1 })
    await publisher.settled()
    assert.deepEqual(await received(reader), ['lost/1 x q1'])
    broker.reload({ conf: `${conf}max_inflight_messages 1\n`, files: { acl: all.replace('read #', 'read ok/#') } })
    reader.ack(PacketType.PUBACK, 1)
    assert.deepEqual(await received(reader), ['ok/3 x q1'])
    reader.ack(PacketType.PUBACK, 2)
    for (const topic of ['lost/4', 'ok/5']) publisher.publish({ topic, payload: 'x', qos: 1 })
    await publisher.settled()
    assert.deepEqual(await received(reader), ['ok/5 x q1'])
  })

  test('a publisher loses its right at once', async (t) => {
    const broker = await running(t, { conf: 'acl_file {folder}/acl\n', files: { acl: all } })
    const publisher = await client(t, broker, { ...five, clientId: 'p', username: 'p' })
    broker.reload({ conf, files: { acl: all.replace('write #', 'write ok') } })
    publisher.publish({ topic: 'lost', qos: 1, packetId: 1 })
    publisher.publish({ topic: 'ok', qos: 1, packetId: 2 })
    const codes = (await publisher.settled()).map((packet) => 'reasonCode' in packet && packet.reasonCode)
    assert.deepEqual(codes, [0x87, 0x10])
  })

  test('a client that is left without any right has to go (0x98); one that never had any stays', async (t) => {
    const broker = await running(t, { conf: 'acl_file {folder}/acl\n', files: { acl: all } })
    const reader = await client(t, broker, { ...five, clientId: 's', username: 's' })
    const other = await client(t, broker, { ...five, clientId: 'o', username: 'o' })
    broker.reload({ conf, files: { acl: all.replace('user s\ntopic read #\n', 'user s\ntopic deny #\n') } })
    assert.equal(((await reader.closed())[0] as Disconnect).reasonCode, 0x98)
    assert.deepEqual(await other.settled(), [])
  })

  test('another name for the ACL file: absent publishers and absent subscribers are judged by the new file', async (t) => {
    const broker = await running(t, { conf: 'acl_file {folder}/acl\n', files: { acl: all } })
    const fields = { ...durable, clientId: 's', username: 's' }
    const first = await client(t, broker, fields)
    await first.subscribe([{ filter: '#', qos: 1 }])
    await first.drop()
    const publisher = await client(t, broker, { clientId: 'p', username: 'p' })
    for (const topic of ['lost', 'ok']) publisher.publish({ topic, payload: 'retained', retain: true })
    await publisher.settled()
    await publisher.drop()
    const others = all.replaceAll('#', 'ok').concat('user z\ntopic write #\n')
    broker.reload({ conf: 'sys_interval 0\nacl_file {folder}/other\n', files: { other: others } })
    const writer = await client(t, broker, { clientId: 'z', username: 'z' })
    for (const topic of ['lost', 'ok']) writer.publish({ topic, payload: 'queued', qos: 1 })
    await writer.settled()
    const again = await client(t, broker, fields)
    assert.deepEqual(await received(again), ['ok queued q1'])
    await again.subscribe([{ filter: '+', qos: 0 }])
    assert.deepEqual(await received(again), ['ok retained q0 retain'])
  })
})

describe('limits', () => {
  test('queue limits hold for the sessions that exist', async (t) => {
    const broker = await running(t, {})
    const fields = { ...durable, clientId: 's' }
    const first = await client(t, broker, fields)
    await first.subscribe([{ filter: 'a', qos: 1 }])
    await first.drop()
    broker.reload({ conf: 'sys_interval 0\nmax_queued_messages 2\n' })
    const publisher = await client(t, broker, { clientId: 'p' })
    for (const payload of ['1', '2', '3']) publisher.publish({ topic: 'a', payload, qos: 1 })
    await publisher.settled()
    assert.deepEqual(await payloads(await client(t, broker, fields)), ['1', '2'])
  })

  test('persistent_client_expiration bounds the sessions that exist, away or not', async (t) => {
    const broker = await running(t, {})
    for (const clientId of ['away', 'here']) {
      const one = await client(t, broker, { clientId, cleanStart: false })
      if (clientId === 'away') await one.drop()
      else t.after(() => one.drop())
    }
    broker.reload({ conf: 'sys_interval 0\npersistent_client_expiration 10s\n' })
    broker.advance(9)
    assert.ok(!broker.log.some((line) => line.startsWith('Expiring')))
    broker.advance(2)
    assert.ok(broker.log.includes('Expiring client away due to timeout.'))
    assert.ok(!broker.log.includes('Expiring client here due to timeout.'))
  })

  test('sys_interval: $SYS begins when it is no longer 0', async (t) => {
    const broker = await running(t, {})
    const reader = await client(t, broker, { clientId: 'r' })
    await reader.subscribe([{ filter: '$SYS/broker/version' }])
    assert.deepEqual(await payloads(reader), [])
    broker.reload({ conf: 'sys_interval 5\n' })
    broker.advance(1)
    assert.deepEqual(await payloads(reader), ['tsmq version test'])
  })
})
