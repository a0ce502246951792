// TLS listeners with pre-shared keys: who gets in under which name, what the log says of the others, and a reload.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connect as dialTls, type TLSSocket } from 'node:tls'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Disconnect } from '../../src/protocol/packets/disconnect.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'

const KEYS = 'sensor:000102ff\nother:abc\nthird:33\nname\u0007:12\n'
const CONF = 'psk_hint here\npsk_file {folder}/keys'

let broker: TestBroker
let named: TestBroker
before(async () => {
  broker = await startBroker({ conf: CONF, files: { keys: KEYS } })
  named = await startBroker({ conf: `${CONF}\nuse_identity_as_username true`, files: { keys: KEYS } })
})
after(() => Promise.all([broker.stop(), named.stop()]))

interface Attempt {
  readonly identity: string
  /** Hexadecimal. */
  readonly key: string
  readonly ciphers?: string
  readonly minVersion?: 'TLSv1.3'
}

function dial({ port }: TestBroker, { identity, key, ciphers = 'PSK', minVersion }: Attempt): TLSSocket {
  const socket = dialTls({
    port,
    host: '127.0.0.1',
    ciphers,
    pskCallback: () => ({ identity, psk: Buffer.from(key, 'hex') }),
    checkServerIdentity: () => undefined,
    ...(minVersion && { minVersion }),
  })
  return socket.on('error', () => {})
}

async function visit(at: TestBroker, attempt: Attempt, fields: ConnectFields = {}): Promise<number | 'closed'> {
  const client = new RawClient(dial(at, attempt))
  client.send(connectPacket(fields))
  const connack = await client.next().catch(() => undefined)
  await client.drop()
  return connack === undefined ? 'closed' : (connack as Connack).reasonCode
}

for (const { name, attempt } of [
  { name: 'its key', attempt: { identity: 'sensor', key: '000102ff' } },
  { name: 'an odd number of digits', attempt: { identity: 'other', key: '0abc' } },
  { name: 'ECDHE', attempt: { identity: 'sensor', key: '000102ff', ciphers: 'ECDHE-PSK-AES128-CBC-SHA256' } },
  { name: 'DHE', attempt: { identity: 'sensor', key: '000102ff', ciphers: 'DHE-PSK-AES256-GCM-SHA384' } },
  {
    name: 'what small devices have',
    attempt: { identity: 'sensor', key: '000102ff', ciphers: 'PSK-AES128-CBC-SHA256' },
  },
])
  test(`PSK: admitted with ${name}, over TLS 1.2`, async () => {
    assert.equal(await visit(broker, attempt, { clientId: name }), 0)
    assert.ok(broker.log.some((line) => line.startsWith(`Client ${name} negotiated TLSv1.2 cipher `)))
  })

for (const { name, attempt, says } of [
  {
    name: 'an unknown identity',
    attempt: { identity: 'nobody', key: '000102ff' },
    says: /disconnected: unknown PSK identity 'nobody'\.$/m,
  },
  {
    name: 'another key',
    attempt: { identity: 'sensor', key: '000102fe' },
    says: /disconnected: wrong key for PSK identity 'sensor'\.$/m,
  },
  {
    name: 'TLS 1.3 only',
    attempt: { identity: 'sensor', key: '000102ff', ciphers: 'TLS_AES_128_GCM_SHA256', minVersion: 'TLSv1.3' as const },
    says: /disconnected: protocol version not accepted here\.$/m,
  },
  {
    name: 'certificates only',
    attempt: { identity: 'sensor', key: '000102ff', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' },
    says: /disconnected: (no shared cipher|protocol version not accepted here)\.$/m,
  },
  {
    name: 'no encryption',
    attempt: { identity: 'sensor', key: '000102ff', ciphers: 'PSK-NULL-SHA256:@SECLEVEL=0' },
    says: /disconnected: no shared cipher\.$/m,
  },
])
  test(`PSK: refused: ${name}`, async () => {
    const from = broker.log.length
    assert.equal(await visit(broker, attempt), 'closed')
    for (let turns = 0; !says.test(broker.log.slice(from).join('\n')) && turns < 1000; turns++)
      await new Promise((resolve) => setImmediate(resolve))
    assert.match(broker.log.slice(from).join('\n'), says)
  })

test('PSK: use_identity_as_username: the identity is the user, whatever CONNECT says', async () => {
  const attempt = { identity: 'sensor', key: '000102ff' }
  assert.equal(await visit(named, attempt, { clientId: 'n', username: 'root', password: 'x' }), 0)
  assert.ok(named.log.some((line) => line.includes("as n (p4, c1, k0, u'sensor').")))
})

test('PSK: an identity that cannot be a user name is refused by CONNACK', async () => {
  assert.equal(await visit(named, { identity: 'name\u0007', key: '12' }), 4)
})

for (const users of ['false', 'true'])
  test(`PSK: a reload: whose key is another or none has to go, the others stay (use_identity_as_username ${users})`, async () => {
    const conf = `${CONF}\nuse_identity_as_username ${users}`
    const reloaded = await startBroker({ conf, files: { keys: KEYS } })
    try {
      const open = async (identity: string, key: string) => {
        const client = new RawClient(dial(reloaded, { identity, key }))
        client.version = 5
        client.send(connectPacket({ version: 5, clientId: identity }))
        await client.expect(PacketType.CONNACK)
        return client
      }
      const sensor = await open('sensor', '000102ff')
      const other = await open('other', '0abc')
      const third = await open('third', '33')
      reloaded.reload({ conf, files: { keys: 'sensor:11\nother:abc\n' } })
      assert.equal(((await sensor.expect(PacketType.DISCONNECT)) as Disconnect).reasonCode, 0x87)
      assert.equal(((await third.expect(PacketType.DISCONNECT)) as Disconnect).reasonCode, 0x87)
      assert.deepEqual(await other.settled(), [])
      assert.ok(
        reloaded.log.some((line) => line.endsWith("disconnected: the key of PSK identity 'sensor' has changed.")),
      )
      assert.ok(reloaded.log.some((line) => line.endsWith("disconnected: unknown PSK identity 'third'.")))
      assert.equal(await visit(reloaded, { identity: 'sensor', key: '000102ff' }), 'closed')
      assert.equal(await visit(reloaded, { identity: 'sensor', key: '11' }), 0)
      await other.drop()
    } finally {
      await reloaded.stop()
    }
  })
