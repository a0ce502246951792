// Listeners behind a load balancer with the PROXY protocol: whose address and name a client has, and what becomes of headers that
// are slow, wrong, or missing. How headers are read is tested in test/net.

import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { connect as dialTls } from 'node:tls'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'
import { frame, upgradeRequest } from '../support/raw-web-socket.js'

const V1 = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 54321 1883\r\n')
const HEAD = '0d0a0d0a000d0a515549540a'

/** A header of version 2 from 192.0.2.1:54321, with fields behind the addresses. */
function v2(fields: Buffer = Buffer.alloc(0), command = '21'): Buffer {
  const payload = Buffer.concat([Buffer.from('c0000201c6336402d431075b', 'hex'), fields])
  return Buffer.concat([Buffer.from(`${HEAD}${command}1100`, 'hex'), Buffer.of(payload.length), payload])
}

/** What it says of TLS: bits, verification, common name. */
function tls(bits: number, verify: number, name: string): Buffer {
  const fields = [
    [0x21, 'TLSv1.2'],
    [0x23, 'A-CIPHER'],
    [0x22, name],
  ] as const
  const inner = fields.map(([type, text]) => Buffer.concat([Buffer.of(type, 0, text.length), Buffer.from(text)]))
  const value = Buffer.concat([Buffer.of(bits, 0, 0, 0, verify), ...inner])
  return Buffer.concat([Buffer.of(0x20, 0, value.length), value])
}

const brokers: TestBroker[] = []
async function start(conf: string): Promise<TestBroker> {
  const broker = await startBroker({ conf })
  brokers.push(broker)
  return broker
}
after(() => Promise.all(brokers.map((broker) => broker.stop())))

function dial({ port }: TestBroker): Socket {
  return connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => {})
}

/** What a client hears that comes with `header`. */
async function visit(broker: TestBroker, header: Buffer, fields: ConnectFields = {}): Promise<number | 'closed'> {
  const client = new RawClient(dial(broker))
  client.version = fields.version ?? 4
  client.send(Buffer.concat([header, encodePacket(connectPacket(fields), client.version)]))
  const connack = await client.next().catch(() => undefined)
  await client.drop()
  return connack === undefined ? 'closed' : (connack as Connack).reasonCode
}

async function logged(broker: TestBroker, wanted: RegExp): Promise<void> {
  for (let turns = 0; turns < 2000; turns++) {
    if (broker.log.some((line) => wanted.test(line))) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.fail(`not logged: ${wanted}\n${broker.log.join('\n')}`)
}

for (const { version, header } of [
  { version: 1, header: V1 },
  { version: 2, header: v2() },
])
  describe(`PROXY v${version}`, () => {
    let broker: TestBroker
    before(async () => {
      broker = await start(`enable_proxy_protocol ${version}`)
    })

    test('the client has the address of the header, and no other is logged', async () => {
      assert.equal(await visit(broker, header, { clientId: 'far' }), 0)
      await logged(broker, /^New client connected from 192\.0\.2\.1:54321 as far /)
      await logged(broker, /^New connection from 192\.0\.2\.1:54321 on port/)
      assert.doesNotMatch(broker.log.join('\n'), /127\.0\.0\.1/)
    })

    test('header and CONNECT in single bytes', async () => {
      const socket = dial(broker)
      const client = new RawClient(socket)
      for (const byte of Buffer.concat([header, encodePacket(connectPacket({ clientId: 'slow' }), 4)])) {
        socket.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.equal(((await client.expect(PacketType.CONNACK)) as Connack).reasonCode, 0)
      assert.deepEqual(await client.settled(), [])
      await client.drop()
    })

    test('no header: closed, and the log says so', async () => {
      assert.equal(await visit(broker, Buffer.alloc(0)), 'closed')
      await logged(broker, /^Client 127\.0\.0\.1 \[127\.0\.0\.1:\d+\] disconnected: no PROXY header\.$/)
    })
  })

test('PROXY: a header that does not come is given connect_timeout, and counts as a connection meanwhile', async () => {
  for (const begin of ['', 'PROXY TCP4 1']) {
    const broker = await start(
      'enable_proxy_protocol 1\nmax_connections 1\nconnect_timeout 10\nmax_connections_per_ip 1',
    )
    const silent = new RawClient(dial(broker))
    silent.send(Buffer.from(begin))
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await visit(broker, V1), 'closed')
    broker.advance(10)
    await silent.closed()
    await logged(broker, /disconnected: no handshake in time\.$/)
    for (let tries = 0; (await visit(broker, V1)) !== 0; tries++) assert.ok(tries < 50)
  }
})

test('PROXY: max_connections_per_ip counts the clients of the load balancer, not the load balancer', async () => {
  const broker = await start('enable_proxy_protocol 1\nmax_connections_per_ip 1')
  const open = async (address: string) => {
    const client = new RawClient(dial(broker))
    client.send(Buffer.from(V1.toString().replace('192.0.2.1', address)))
    client.send(connectPacket({ clientId: address }))
    const connack = await client.next().catch(() => undefined)
    return { client, isOpen: connack !== undefined }
  }
  const first = await open('192.0.2.1')
  const second = await open('192.0.2.2')
  const third = await open('192.0.2.1')
  assert.deepEqual([first.isOpen, second.isOpen, third.isOpen], [true, true, false])
  await logged(broker, /^Client connection from 192\.0\.2\.1 denied: max_connections_per_ip exceeded\.$/)
  await first.client.drop()
  for (let tries = 0; !(await open('192.0.2.1')).isOpen; tries++) assert.ok(tries < 50)
})

test('PROXY: the address of the socket where the load balancer knows none', async () => {
  const broker = await start('enable_proxy_protocol 1')
  assert.equal(await visit(broker, Buffer.from('PROXY UNKNOWN\r\n'), { clientId: 'unknown' }), 0)
  await logged(broker, /^New client connected from 127\.0\.0\.1:\d+ as unknown /)
})

test('PROXY v2: a health check is closed without a word', async () => {
  const broker = await start('enable_proxy_protocol 2')
  const before = broker.log.length
  assert.equal(await visit(broker, v2(Buffer.alloc(0), '20')), 'closed')
  assert.deepEqual(broker.log.slice(before), [])
})

test('PROXY v2: proxy_protocol_v2_require_tls', async () => {
  const broker = await start('enable_proxy_protocol 2\nproxy_protocol_v2_require_tls true')
  assert.equal(await visit(broker, v2()), 'closed')
  await logged(broker, /disconnected: the client has reached the load balancer without TLS\.$/)
  assert.equal(await visit(broker, v2(tls(0, 0, ''))), 'closed')
  assert.equal(await visit(broker, v2(tls(1, 0, '')), { clientId: 'secure' }), 0)
  await logged(broker, /^Client secure negotiated TLSv1\.2 cipher A-CIPHER$/)
})

test('PROXY v2: require_certificate and use_identity_as_username take the word of the load balancer', async () => {
  const broker = await start('enable_proxy_protocol 2\nrequire_certificate true\nuse_identity_as_username true')
  assert.equal(await visit(broker, v2()), 'closed')
  assert.equal(await visit(broker, v2(tls(1, 0, 'none'))), 'closed')
  assert.equal(await visit(broker, v2(tls(7, 1, 'invalid'))), 'closed')
  await logged(broker, /disconnected: the client has shown the load balancer no valid certificate\.$/)
  assert.equal(await visit(broker, v2(tls(7, 0, 'alice')), { clientId: 'named', username: 'root' }), 0)
  await logged(broker, /as named .*u'alice'/)
})

test('PROXY v2: without require_certificate, too, a name counts only with a valid certificate', async () => {
  const broker = await start('enable_proxy_protocol 2\nuse_identity_as_username true')
  for (const fields of [
    Buffer.alloc(0),
    tls(1, 0, 'alice'),
    tls(7, 1, 'alice'),
    tls(7, 0, 'a\u0000b'),
    tls(7, 0, 'a\nb'),
  ])
    assert.equal(await visit(broker, v2(fields), { username: 'alice' }), 4)
  assert.equal(await visit(broker, v2(tls(7, 0, 'alice'))), 0)
})

test('PROXY and WebSocket: the header first, then the handshake in the same segment', async () => {
  const broker = await start('enable_proxy_protocol 1\nprotocol websockets')
  for (const together of [true, false]) {
    const socket = dial(broker)
    const request = Buffer.from(upgradeRequest())
    const connectFrame = frame(encodePacket(connectPacket({ clientId: `web ${together}` }), 4))
    if (together) socket.write(Buffer.concat([V1, request]))
    else {
      socket.write(V1)
      await logged(broker, /^New connection from 192\.0\.2\.1:54321/)
      socket.write(request)
    }
    socket.write(connectFrame)
    await logged(broker, new RegExp(`^New client connected from 192\\.0\\.2\\.1:54321 as web ${together} `))
    socket.destroy()
  }
})

describe(`PROXY v1 and TLS${skippedWithout}`, { skip: !hasOpenssl }, () => {
  let certificates: Certificates
  before(() => {
    certificates = new Certificates()
  })
  after(() => certificates.remove())

  test('the header comes first, and a handshake that fails is logged with the address in it', async () => {
    const { folder } = certificates
    const broker = await start(`enable_proxy_protocol 1\ncertfile ${folder}/server.crt\nkeyfile ${folder}/server.key`)
    const socket = dial(broker)
    socket.write(V1)
    const client = new RawClient(dialTls({ socket, ca: certificates.read('ca.crt'), host: 'localhost' }))
    client.send(connectPacket({ clientId: 'tunnel' }))
    assert.equal(((await client.expect(PacketType.CONNACK)) as Connack).reasonCode, 0)
    await logged(broker, /^New client connected from 192\.0\.2\.1:54321 as tunnel /)
    await logged(broker, /^Client tunnel negotiated TLSv1\.3/)
    await client.drop()
    assert.equal(await visit(broker, V1), 'closed')
    await logged(broker, /^Client 192\.0\.2\.1 \[192\.0\.2\.1:54321\] disconnected: plain MQTT on a TLS port\.$/)
  })
})
