// TLS listeners as clients meet them: who gets in with which certificate and under which name, what the log says of the others,
// limits of time and number, WebSocket over TLS. Certificates are made with openssl; clients are Node's.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { type ConnectionOptions, connect as dialTls, type TLSSocket } from 'node:tls'
import { createWebSocketStream, WebSocket } from 'ws'
import { dateWarnings } from '../../src/net/tls-files.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'

const CONNECT_311 = '\u0010\u000c\u0000\u0004MQTT\u0004\u0002\u0000\u0000\u0000\u0000'

let certificates: Certificates
const brokers: TestBroker[] = []

/** A TLS listener; `{c}` stands for the folder of the certificates. */
async function start(conf: string, files: Readonly<Record<string, string>> = {}): Promise<TestBroker> {
  const lines = `certfile {c}/server.crt\nkeyfile {c}/server.key\n${conf}`
  const broker = await startBroker({ conf: lines.replaceAll('{c}', certificates.folder), files })
  brokers.push(broker)
  return broker
}

/** A line of the log, there or yet to come. */
async function logged(broker: TestBroker, wanted: RegExp): Promise<string> {
  for (const end = Date.now() + 5000; Date.now() < end; ) {
    const line = broker.log.find((each) => wanted.test(each))
    if (line !== undefined) return line
    await new Promise((resolve) => setImmediate(resolve))
  }
  return assert.fail(`not logged: ${wanted}\n${broker.log.join('\n')}`)
}

function dialSecured({ port }: TestBroker, options: ConnectionOptions): TLSSocket {
  const socket = dialTls({ port, host: '127.0.0.1', ca: certificates.read('ca.crt'), ...options })
  socket.on('error', () => {})
  return socket
}

/** Shakes hands and sends CONNECT; what the broker makes of it. */
async function visit(
  broker: TestBroker,
  options: ConnectionOptions,
  fields: ConnectFields = {},
): Promise<number | 'closed'> {
  const client = new RawClient(dialSecured(broker, options))
  client.version = fields.version ?? 4
  client.send(connectPacket(fields))
  const connack = await client.next().catch(() => undefined)
  await client.drop()
  return connack === undefined ? 'closed' : (connack as Connack).reasonCode
}

async function connected(broker: TestBroker, options: ConnectionOptions, fields: ConnectFields): Promise<RawClient> {
  const client = new RawClient(dialSecured(broker, options))
  client.version = fields.version ?? 4
  client.send(connectPacket(fields))
  assert.equal(((await client.expect(PacketType.CONNACK)) as Connack).reasonCode, 0)
  return client
}

describe(`TLS listeners${skippedWithout}`, { skip: !hasOpenssl }, () => {
  before(() => {
    certificates = new Certificates()
  })
  after(async () => {
    await Promise.all(brokers.map((broker) => broker.stop()))
    certificates.remove()
  })

  describe('without client certificates', () => {
    let broker: TestBroker
    before(async () => {
      broker = await start('')
    })

    test('TLS 1.3 unless the client wants 1.2, and the log names version and cipher', async () => {
      assert.equal(await visit(broker, {}, { clientId: 'new' }), 0)
      await logged(broker, /^Client new negotiated TLSv1\.3 cipher TLS_AES_256_GCM_SHA384$/)
      assert.equal(await visit(broker, { maxVersion: 'TLSv1.2' }, { clientId: 'old' }), 0)
      await logged(broker, /^Client old negotiated TLSv1\.2 cipher ECDHE-ECDSA-AES/)
    })

    test('messages of every size arrive whole and in order', async () => {
      const reader = await connected(broker, {}, { clientId: 'reader' })
      await reader.subscribe([{ filter: 'size/#', qos: 1 }])
      const writer = await connected(broker, {}, { clientId: 'writer' })
      const sizes = [0, 1, 100, 16_384, 16_385, 100_000, 1_900_000, 3]
      for (const size of sizes) writer.publish({ topic: `size/${size}`, payload: Buffer.alloc(size, `${size}`) })
      for (const size of sizes) {
        const { topic, payload } = (await reader.expect(PacketType.PUBLISH)) as Publish
        assert.equal(topic, `size/${size}`)
        assert.ok(Buffer.alloc(size, `${size}`).equals(payload), topic)
      }
      await Promise.all([reader.drop(), writer.drop()])
    })

    test('a handshake in single bytes', async () => {
      const raw = dial({ port: broker.port, host: '127.0.0.1', noDelay: true })
      const client = new RawClient(dialTls({ socket: singly(raw), ca: certificates.read('ca.crt'), host: 'localhost' }))
      client.send(connectPacket({ clientId: 'bytes' }))
      assert.equal(((await client.expect(PacketType.CONNACK)) as Connack).reasonCode, 0)
      await client.drop()
    })

    for (const { name, bytes, says } of [
      { name: 'plain MQTT', bytes: CONNECT_311, says: /disconnected: plain MQTT on a TLS port\.$/ },
      { name: 'HTTP', bytes: 'GET / HTTP/1.1\r\n\r\n', says: /disconnected: what the client sends is not TLS\.$/ },
      {
        name: 'a TLS record of nonsense',
        bytes: `\u0016\u0003\u0001\u0000\u0020${'x'.repeat(32)}`,
        says: /disconnected: a message out of order\.$/,
      },
    ])
      test(`${name}: closed, and the log says what came`, async () => {
        const from = broker.log.length
        const socket = dial({ port: broker.port, host: '127.0.0.1' })
        socket.on('error', () => {}).resume()
        socket.write(bytes)
        await once(socket, 'close')
        assert.match(broker.log.slice(from).join('\n'), new RegExp(says, 'm'))
      })
  })

  describe('require_certificate and use_identity_as_username', () => {
    let broker: TestBroker
    before(async () => {
      broker = await start(
        `cafile {c}/ca.crt\nrequire_certificate true\nuse_identity_as_username true\nacl_file {folder}/acl
password_file {folder}/passwords`,
        { acl: 'pattern write %u/own\nuser client one\ntopic read #\n', passwords: '' },
      )
    })

    test('the common name is the user, without a password and whatever CONNECT says', async () => {
      const options = certificates.client('client')
      const fields = { clientId: 'named', username: 'root', password: 'wrong' }
      const client = await connected(broker, options, fields)
      await logged(broker, /as named \(p4, c1, k0, u'client one'\)\.$/)
      await client.subscribe('#')
      client.publish({ topic: 'root/own', payload: 'forged' })
      client.publish({ topic: 'client one/own', payload: 'genuine' })
      assert.equal(((await client.expect(PacketType.PUBLISH)) as Publish).topic, 'client one/own')
      await client.drop()
    })

    for (const { name, certificate, options = {}, says } of [
      { name: 'no certificate', certificate: undefined, says: /: client certificate missing\.$/ },
      {
        name: 'no certificate, TLS 1.2',
        certificate: undefined,
        options: { maxVersion: 'TLSv1.2' } as const,
        says: /: client certificate missing\.$/,
      },
      { name: 'expired', certificate: 'expired', says: /: client certificate of 'late': expired on 2001-02-03\.$/ },
      {
        name: 'not valid yet',
        certificate: 'early',
        says: /: client certificate of 'early': not valid before 2090-04-05\.$/,
      },
      {
        name: 'of another authority',
        certificate: 'stranger',
        says: /: client certificate of 'stranger': unknown issuer 'Other CA'\.$/,
      },
      {
        name: 'of an authority that has only the name',
        certificate: 'impostor',
        says: /: client certificate of 'client one': \S.*\.$/,
      },
      {
        name: 'signed by itself',
        certificate: 'self',
        says: /: client certificate of 'self': unknown issuer 'self' \(signed by itself\)\.$/,
      },
      {
        name: 'meant for servers',
        certificate: 'server_only',
        says: /: client certificate of 'server only': not meant for clients\.$/,
      },
    ])
      test(`refused: ${name}`, async () => {
        const own = certificate === undefined ? {} : certificates.client(certificate)
        assert.equal(await visit(broker, { ...own, ...options }), 'closed')
        const line = await logged(broker, says)
        assert.match(line, /^Client 127\.0\.0\.1 \[127\.0\.0\.1:\d+\] disconnected: /)
      })

    for (const { name, certificate } of [
      { name: 'no common name', certificate: 'nameless' },
      { name: 'a control character in the common name', certificate: 'control' },
    ])
      test(`refused by CONNACK: ${name}`, async () => {
        assert.equal(await visit(broker, certificates.client(certificate), { clientId: certificate }), 4)
        assert.equal(await visit(broker, certificates.client(certificate), { clientId: certificate, version: 5 }), 0x86)
        await logged(broker, new RegExp(`^Refused login from .*no usable name \\(client '${certificate}', .*\\)\\.$`))
      })

    test('every connection shows its certificate: sessions are not resumed', async () => {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const options = { ...certificates.client('client'), maxVersion }
        const socket = dialSecured(broker, options)
        const sessions: Buffer[] = []
        socket.on('session', (session) => sessions.push(session))
        const client = new RawClient(socket)
        client.send(connectPacket({ clientId: 'first' }))
        await client.expect(PacketType.CONNACK)
        await client.drop()
        const [session] = sessions
        const again = dialSecured(broker, { ...options, ...(session === undefined ? {} : { session }) })
        await once(again, 'secureConnect')
        assert.equal(again.isSessionReused(), false)
        again.destroy()
      }
    })
  })

  for (const name of ['client', 'odd', 'multiple', 'nameless'])
    test(`use_subject_as_username: the subject of '${name}' as RFC 2253 writes it`, async () => {
      const broker = await start('capath {c}/capath\nuse_subject_as_username true')
      assert.equal(await visit(broker, certificates.client(name), { clientId: 'subject' }), 0)
      const line = await logged(broker, /as subject /)
      assert.ok(line.endsWith(`, u'${certificates.subject(name)}').`), line)
    })

  test('a name is asked for and no certificate required: none, and a wrong one, are refused', async () => {
    const broker = await start('cafile {c}/ca.crt\nuse_identity_as_username true\nuse_subject_as_username true')
    assert.equal(await visit(broker, {}, { username: 'client one' }), 4)
    assert.equal(await visit(broker, certificates.client('expired')), 'closed')
    assert.equal(await visit(broker, certificates.client('client'), { clientId: 'both' }), 0)
    await logged(broker, /as both .*u'client one'/)
  })

  test('crlfile: who was revoked is refused', async () => {
    const broker = await start('cafile {c}/ca.crt\nrequire_certificate true\ncrlfile {c}/crl.pem')
    assert.equal(await visit(broker, certificates.client('client')), 0)
    assert.equal(await visit(broker, certificates.client('revoked')), 'closed')
    await logged(broker, /: client certificate of 'revoked': revoked\.$/)
  })

  test('crlfile: a list that has expired lets nobody in', async () => {
    const broker = await start('cafile {c}/ca.crt\nrequire_certificate true\ncrlfile {c}/old-crl.pem')
    assert.equal(await visit(broker, certificates.client('client')), 'closed')
    await logged(broker, /the revocation list of its issuer, in crlfile, has expired\.$/)
  })

  test('disable_client_cert_date_checks: dates do not count, issuers do', async () => {
    const broker = await start('cafile {c}/ca.crt\nrequire_certificate true\ndisable_client_cert_date_checks true')
    for (const name of ['client', 'expired', 'early'])
      assert.equal(await visit(broker, certificates.client(name)), 0, name)
    for (const name of ['late_impostor', 'impostor', 'stranger', 'self', 'server_only'])
      assert.equal(await visit(broker, certificates.client(name)), 'closed', name)
  })

  describe('what a client says of the certificate of the listener', () => {
    for (const { name, args, says } of [
      {
        name: 'another name',
        args: ['-servername', 'wrong.example', '-verify_hostname', 'wrong.example', '-CAfile', '{c}/ca.crt'],
        says: /refuses the certificate of this listener: it looks for wrong\.example, and the certificate is for localhost, 127\.0\.0\.1\.$/,
      },
      {
        name: 'another authority',
        args: ['-CAfile', '{c}/other.crt'],
        says: /: the client does not know the issuer of the certificate of this listener\.$/,
      },
      {
        name: 'expired',
        args: ['-CAfile', '{c}/ca.crt'],
        says: /: the client finds the certificate of this listener expired\.$/,
      },
    ])
      test(`openssl s_client: ${name}`, async () => {
        const conf = name === 'expired' ? 'certfile {c}/expired.crt\nkeyfile {c}/expired.key' : ''
        const broker = await start(conf)
        const words = args.map((word) => word.replace('{c}', certificates.folder))
        const own = ['s_client', '-verify_return_error', '-connect', `127.0.0.1:${broker.port}`, ...words]
        const client = execFile('openssl', own)
        client.on('error', () => {})
        await logged(broker, says)
        client.kill()
      })
  })

  describe('versions and ciphers', () => {
    for (const { conf, options, says } of [
      {
        conf: '',
        options: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
        says: /: protocol version not accepted here/,
      },
      { conf: 'tls_version tlsv1.3', options: { maxVersion: 'TLSv1.2' }, says: /: protocol version not accepted here/ },
      { conf: 'tls_version tlsv1.2', options: { maxVersion: 'TLSv1.2' }, says: /negotiated TLSv1\.2/ },
      { conf: 'tls_version tlsv1.3', options: {}, says: /negotiated TLSv1\.3/ },
      {
        conf: 'ciphers ECDHE-ECDSA-CHACHA20-POLY1305',
        options: { maxVersion: 'TLSv1.2' },
        says: /negotiated TLSv1\.2 cipher ECDHE-ECDSA-CHACHA20-POLY1305$/,
      },
      {
        conf: 'ciphers ECDHE-ECDSA-CHACHA20-POLY1305',
        options: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
        says: /: no shared cipher/,
      },
      { conf: 'ciphers ECDHE-ECDSA-CHACHA20-POLY1305', options: {}, says: /cipher TLS_AES_256_GCM_SHA384$/ },
      {
        conf: 'ciphers_tls1.3 TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
        options: {},
        says: /cipher TLS_AES_128_GCM_SHA256$/,
      },
    ] as const)
      test(`${conf || 'nothing set'}, client with ${JSON.stringify(options)}`, async () => {
        const broker = await start(conf)
        // Node's own clients refuse TLS 1.1 unless security is lowered.
        const lowered = 'minVersion' in options ? { ciphers: 'DEFAULT@SECLEVEL=0' } : {}
        await visit(broker, { ...lowered, ...options })
        await logged(broker, says)
      })
  })

  describe('limits', () => {
    test('a handshake that does not come is given connect_timeout, and counts as a connection meanwhile', async () => {
      const broker = await start('max_connections 1\nconnect_timeout 10')
      const silent = await RawClient.open(broker.port)
      await logged(broker, /^New connection from/)
      assert.equal(await visit(broker, {}), 'closed')
      await logged(broker, /denied: max_connections exceeded/)
      broker.advance(9.5)
      assert.doesNotMatch(broker.log.join('\n'), /no handshake in time/)
      broker.advance(0.5)
      await silent.closed()
      await logged(broker, /disconnected: no handshake in time\.$/)
      await admits(broker)
    })

    test('half a handshake, then nothing', async () => {
      const broker = await start('max_connections 1\nconnect_timeout 10')
      const slow = await RawClient.open(broker.port)
      slow.send('16 03 01 02 00 01 00')
      await logged(broker, /^New connection from/)
      await settled()
      broker.advance(10)
      await slow.closed()
      await admits(broker)
    })

    test('the time of the handshake counts for the CONNECT', async () => {
      const broker = await start('connect_timeout 10')
      const raw = dial({ port: broker.port, host: '127.0.0.1' })
      await logged(broker, /^New connection from/)
      broker.advance(8)
      const client = new RawClient(dialTls({ socket: raw, ca: certificates.read('ca.crt'), host: 'localhost' }))
      client.send('10')
      await settled()
      broker.advance(2)
      await client.closed()
    })

    test('a client that leaves during the handshake makes room', async () => {
      const broker = await start('max_connections 1')
      for (const begin of ['', '16 03 01 02 00 01 00']) {
        const client = await RawClient.open(broker.port)
        client.send(begin)
        await logged(broker, /^New connection from/)
        await client.drop()
        await admits(broker)
      }
    })

    test('stopping ends handshakes', async () => {
      const broker = await start('')
      const silent = await RawClient.open(broker.port)
      const half = await RawClient.open(broker.port)
      half.send('16 03 01 02 00 01 00')
      await settled()
      await broker.stop()
      await Promise.all([silent.closed(), half.closed()])
    })
  })

  test('WebSocket over TLS, with the name of the certificate', async () => {
    const broker = await start('protocol websockets\ncafile {c}/ca.crt\nuse_identity_as_username true')
    const ws = new WebSocket(`wss://127.0.0.1:${broker.port}/mqtt`, 'mqtt', {
      ca: certificates.read('ca.crt'),
      ...certificates.client('client'),
    })
    const client = new RawClient(createWebSocketStream(ws))
    client.send(connectPacket({ clientId: 'web' }))
    assert.equal(((await client.expect(PacketType.CONNACK)) as Connack).reasonCode, 0)
    await logged(broker, /as web .*u'client one'/)
    await client.subscribe('a')
    client.publish({ topic: 'a', payload: 'b'.repeat(100_000) })
    assert.equal(((await client.expect(PacketType.PUBLISH)) as Publish).payload.length, 100_000)
    await client.drop()
  })

  for (const protocol of ['mqtt', 'websockets'])
    test(`TLS on a plain port, protocol ${protocol}: closed, and the log says so`, async () => {
      const broker = await startBroker({ conf: `protocol ${protocol}` })
      brokers.push(broker)
      assert.equal(await visit(broker, {}), 'closed')
      await logged(broker, /TLS on a port without TLS/)
    })

  describe('reload', () => {
    test('another certificate for those who come; who is connected stays', async () => {
      const broker = await start(IDENTITY, { passwords: '' })
      const client = await connected(broker, certificates.client('client'), { clientId: 'stays' })
      broker.reload({ conf: renewedConf('server', IDENTITY), files: { passwords: '' } })
      broker.reload({ conf: renewedConf('renewed', IDENTITY), files: { passwords: '' } })
      assert.deepEqual(await client.settled(), [])
      const socket = dialSecured(broker, certificates.client('client'))
      await once(socket, 'secureConnect')
      assert.equal(socket.getPeerCertificate().subject.O, 'renewed')
      socket.destroy()
      await client.drop()
    })

    describe('who would not be let in any more has to go, the others stay', () => {
      const REQUIRED = 'cafile {c}/ca.crt\nrequire_certificate true'
      const cases = [
        {
          name: 'revoked meanwhile',
          conf: `${REQUIRED}\ncrlfile {c}/crl.pem`,
          goes: 'revoked',
          stays: 'client',
          says: "client certificate of 'revoked': revoked",
        },
        {
          name: 'the authority is gone',
          before: 'cafile {c}/both.crt\nrequire_certificate true',
          conf: REQUIRED,
          goes: 'stranger',
          stays: 'client',
          says: "client certificate of 'stranger': its issuer is not trusted any more",
        },
        {
          name: 'no list of the issuer',
          before: 'cafile {c}/both.crt\nrequire_certificate true',
          conf: 'cafile {c}/both.crt\nrequire_certificate true\ncrlfile {c}/crl.pem',
          goes: 'stranger',
          stays: 'client',
          says: "client certificate of 'stranger': no revocation list of its issuer in crlfile",
        },
        {
          name: 'a certificate is demanded now',
          before: 'cafile {c}/ca.crt',
          conf: REQUIRED,
          goes: undefined,
          stays: 'client',
          isUnseen: true,
          says: 'client certificate missing',
        },
      ] as const
      for (const { name, conf, goes, stays, says, ...rest } of cases)
        test(name, async () => {
          const before = 'before' in rest ? rest.before : REQUIRED
          const broker = await start(before)
          const gone = goes === undefined ? {} : certificates.client(goes)
          const leaving = await connected(broker, gone, { clientId: 'goes', version: 5 })
          const old = await connected(broker, gone, { clientId: 'goes too', version: 4 })
          const unsaid = new RawClient(dialSecured(broker, gone))
          const staying = await connected(broker, certificates.client(stays), { clientId: 'stays', version: 5 })
          const below = await connected(broker, certificates.chained('below', 'middle'), { clientId: 'below' })
          const isListed = conf.includes('crlfile')
          broker.reload({ conf: renewedConf('server', conf) })
          const [packet] = await leaving.closed()
          assert.ok(packet?.type === PacketType.DISCONNECT)
          assert.equal(packet.reasonCode, 0x87)
          assert.equal(packet.properties.reasonString, says)
          assert.deepEqual(await old.closed(), [])
          await unsaid.closed()
          if (!('isUnseen' in rest)) assert.deepEqual(await staying.settled(), [])
          // Its issuer, in between, has no list of its own.
          if (isListed) await below.closed()
          else if (!('isUnseen' in rest)) assert.deepEqual(await below.settled(), [])
          await logged(broker, new RegExp(`^Client goes \\[.*\\] disconnected: ${says}\\.$`))
          await Promise.all([staying.drop(), below.drop()])
        })
    })

    test('a handshake that a reload overtakes is judged by the new rules', async () => {
      const broker = await start('cafile {c}/ca.crt\nrequire_certificate true')
      const raw = dial({ port: broker.port, host: '127.0.0.1' })
      await logged(broker, /^New connection from/)
      broker.reload({ conf: renewedConf('server', 'cafile {c}/ca.crt\nrequire_certificate true\ncrlfile {c}/crl.pem') })
      const secured = dialTls({ socket: raw, ca: certificates.read('ca.crt'), ...certificates.client('revoked') })
      secured.on('error', () => {}).resume()
      await once(secured, 'close')
      await logged(broker, /disconnected: client certificate of 'revoked': revoked\.$/)
    })

    test('files that cannot be used change nothing', async () => {
      const broker = await start('cafile {c}/ca.crt\nuse_identity_as_username true')
      broker.reload({
        conf: renewedConf('renewed', 'cafile {c}/nothing.pem\nuse_identity_as_username true'),
        files: { passwords: '' },
      })
      await logged(broker, /cafile .*nothing\.pem: no certificate in PEM form/)
      const socket = dialSecured(broker, certificates.client('client'))
      await once(socket, 'secureConnect')
      assert.equal(socket.getPeerCertificate().subject.O, undefined)
      socket.destroy()
    })

    test('TLS is not switched off, nor on', async () => {
      const encrypted = await start('')
      encrypted.reload({ conf: 'max_qos 1' })
      await logged(encrypted, /to switch TLS on or off, the broker has to be restarted/)
      assert.equal(await visit(encrypted, {}), 0)
      const plain = await startBroker()
      brokers.push(plain)
      plain.reload({ conf: renewedConf('server', '') })
      await logged(plain, /to switch TLS on or off, the broker has to be restarted/)
      const { connack } = await RawClient.connect(plain.port)
      assert.equal(connack.reasonCode, 0)
    })

    const IDENTITY = 'cafile {c}/ca.crt\nuse_identity_as_username true\npassword_file {folder}/passwords'

    function renewedConf(name: string, conf: string): string {
      const lines = `certfile {c}/${name}.crt\nkeyfile {c}/${name}.key\n${conf}`
      return lines.replaceAll('{c}', certificates.folder)
    }
  })

  describe('dates', () => {
    const day = 86_400_000
    const end = Date.parse('2001-02-03T00:00:00Z')
    for (const { now, says } of [
      { now: end, says: "x: the certificate of 'late' expired on 2001-02-03" },
      { now: end - 1, says: "x: the certificate of 'late' expires on 2001-02-03, in 0 days" },
      { now: end - day, says: "x: the certificate of 'late' expires on 2001-02-03, in 1 day" },
      { now: end - 30 * day + 1, says: "x: the certificate of 'late' expires on 2001-02-03, in 29 days" },
      { now: end - 30 * day, says: undefined },
      { now: Date.parse('1999-12-31T23:59:59Z'), says: "x: the certificate of 'late' is not valid before 2000-01-01" },
    ])
      test(`${new Date(now).toISOString()}: ${says ?? 'nothing to say'}`, () => {
        const certificate = new X509Certificate(certificates.read('expired.crt'))
        assert.deepEqual(dateWarnings('x', [certificate], now), says === undefined ? [] : [says])
      })

    test('a warning at the start and at each reload, once for each file', async () => {
      const conf = ['certfile {c}/expired.crt', 'keyfile {c}/expired.key', 'listener 0 127.0.0.1']
      const lines = `${[...conf, ...conf.slice(0, 2)].join('\n')}\n`.replaceAll('{c}', certificates.folder)
      const broker = await startBroker({ conf: lines })
      brokers.push(broker)
      const warning = `certfile ${certificates.folder}/expired.crt: the certificate of 'late' expired on 2001-02-03.`
      assert.equal(broker.log.filter((line) => line === warning).length, 1)
      broker.reload({ conf: lines })
      assert.equal(broker.log.filter((line) => line === warning).length, 2)
    })
  })

  describe('what cannot be used at the start is one line that names file and cause', () => {
    for (const { conf, says } of [
      {
        conf: 'certfile {c}/missing.crt\nkeyfile {c}/server.key',
        says: 'certfile {c}/missing.crt: no such file or directory',
      },
      {
        conf: 'certfile {c}/server.crt\nkeyfile {c}/missing.key',
        says: 'keyfile {c}/missing.key: no such file or directory',
      },
      {
        conf: 'certfile {c}/empty\nkeyfile {c}/server.key',
        says: 'certfile {c}/empty: illegal operation on a directory',
      },
      {
        conf: 'certfile {c}/nothing.pem\nkeyfile {c}/server.key',
        says: 'certfile {c}/nothing.pem: no certificate in PEM form',
      },
      {
        conf: 'certfile {c}/server.crt\nkeyfile {c}/server.crt',
        says: 'keyfile {c}/server.crt: no private key in PEM form',
      },
      {
        conf: 'certfile {c}/server.crt\nkeyfile {c}/client.key',
        says: 'keyfile {c}/client.key is not the key of certfile {c}/server.crt',
      },
      {
        conf: 'certfile {c}/server.crt\nkeyfile {c}/encrypted.key',
        says: 'keyfile {c}/encrypted.key: the key is encrypted; it has to be stored without a pass phrase',
      },
      { conf: '{ok}cafile {c}/nothing.pem', says: 'cafile {c}/nothing.pem: no certificate in PEM form' },
      { conf: '{ok}capath {c}/missing', says: 'capath {c}/missing: no such file or directory' },
      {
        conf: '{ok}capath {c}/empty',
        says: 'capath {c}/empty: no certificates named by their hash (made with openssl rehash)',
      },
      {
        conf: '{ok}cafile {c}/ca.crt\ncrlfile {c}/ca.crt',
        says: 'crlfile {c}/ca.crt: no revocation list in PEM form',
      },
      { conf: '{ok}ciphers nonsense', says: 'ciphers: none of them is known' },
      ...['TLS_NONSENSE', 'NOPE', 'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256'].map((suites) => ({
        conf: `{ok}ciphers_tls1.3 ${suites}`,
        says: `ciphers_tls1.3: '${suites.split(':').at(-1)}' is no cipher suite of TLS 1.3, such as TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256`,
      })),
    ])
      test(conf.replace('{ok}', '').replace('\n', ', '), async () => {
        const lines = conf.replace('{ok}', 'certfile {c}/server.crt\nkeyfile {c}/server.key\n')
        const folder = certificates.folder
        await assert.rejects(startBroker({ conf: lines.replaceAll('{c}', folder) }), {
          name: 'ListenError',
          message: says.replaceAll('{c}', folder),
        })
      })
  })
})

/** A stream that writes to `socket` byte by byte. */
function singly(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      for (const byte of chunk) socket.write(Buffer.of(byte))
      done()
    },
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk) => stream.push(chunk))
  socket.on('close', () => stream.push(null))
  return stream
}

/** Turns of the event loop, until what was sent has been read on the other side. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Waits until the listener has room for one more. */
async function admits(broker: TestBroker): Promise<void> {
  for (let tries = 0; (await visit(broker, {})) !== 0; tries++) assert.ok(tries < 50, 'no room')
}
