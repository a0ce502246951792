// Two brokers and a bridge between them: no message is lost or doubled when the way breaks, nothing goes round in circles, over every
// transport.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { client, received } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'
import { until } from '../support/until.js'

const VERSIONS = ['mqttv31', 'mqttv311', 'mqttv50'] as const

async function started(t: TestContext, conf = ''): Promise<TestBroker> {
  const broker = await startBroker({ conf, debug: false })
  t.after(() => broker.stop())
  return broker
}

function bridge(name: string, address: string, lines: string): string {
  return `connection ${name}\naddress ${address}\nremote_clientid ${name}\nrestart_timeout 1\n${lines}\n`
}

/** Waits until a broker has logged something so many times. */
async function logged(broker: TestBroker, pattern: RegExp, times = 1): Promise<void> {
  const count = () => broker.log.filter((line) => pattern.test(line)).length
  await until(
    () => count() >= times,
    () => `${pattern}:\n${broker.log.slice(-10).join('\n')}`,
  )
}

/** A message through the bridge and back shows that nothing more is on its way. */
async function quiet(a: RawClient, b: RawClient): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await a.settled()
    await b.settled()
  }
}

for (const version of VERSIONS)
  test(`${version}: both directions on one topic, nothing comes back or goes round`, async (t) => {
    const remote = await started(t)
    const lines = `bridge_protocol_version ${version}\ntopic # both 1\n`
    const local = await started(t, bridge('b', `127.0.0.1:${remote.port}`, lines))
    await logged(local, /^Connected bridge/)
    const here = await client(t, local, { clientId: 'here' })
    const there = await client(t, remote, { clientId: 'there' })
    await here.subscribe([{ filter: '#' }])
    await there.subscribe([{ filter: '#' }])
    here.publish({ topic: 'x', payload: 'here', retain: true })
    assert.deepEqual(await nextLine(there), 'x here q0')
    there.publish({ topic: 'y', payload: 'there', retain: true })
    await here.expect(PacketType.PUBLISH)
    assert.deepEqual(await nextLine(here), 'y there q0')
    await there.expect(PacketType.PUBLISH)
    await quiet(here, there)
    assert.deepEqual([await received(here), await received(there)], [[], []])
  })

/** The next message as a line. */
async function nextLine(from: RawClient): Promise<string> {
  const packet = await from.expect(PacketType.PUBLISH)
  if (packet.type !== PacketType.PUBLISH) throw new Error('no message')
  return `${packet.topic} ${packet.payload} q${packet.qos}`
}

for (const version of VERSIONS)
  test(`${version}: three brokers in a row pass messages on, each once`, async (t) => {
    const last = await started(t)
    const lines = `bridge_protocol_version ${version}\ntopic # both 2\n`
    const middle = await started(t, bridge('m', `127.0.0.1:${last.port}`, lines))
    const first = await started(t, bridge('f', `127.0.0.1:${middle.port}`, lines))
    await logged(middle, /^Connected bridge/)
    await logged(first, /^Connected bridge/)
    const ends = [await client(t, first, { clientId: 'first' }), await client(t, last, { clientId: 'last' })] as const
    const [a, z] = ends
    for (const end of ends) await end.subscribe([{ filter: '#', noLocal: true }])
    a.publish({ topic: 'x', payload: 'a', qos: 2, packetId: 1 })
    assert.equal(await nextLine(z), 'x a q0')
    z.publish({ topic: 'y', payload: 'z' })
    await z.expect(PacketType.PUBLISH)
    for (;;) {
      const packet = await a.next()
      if (packet.type === PacketType.PUBREC) a.ack(PacketType.PUBREL, packet.packetId)
      if (packet.type === PacketType.PUBLISH && packet.topic === 'y') break
    }
    await quiet(a, z)
    assert.deepEqual([await received(a), await received(z)], [[], []])
  })

for (const version of VERSIONS)
  test(`${version}: 300 messages of QoS 1 and 2 in each direction arrive once and in order though the way is cut again and again`, async (t) => {
    const remote = await started(t)
    const proxy = await CuttingProxy.open(remote.port)
    t.after(() => proxy.close())
    const expiry = version === 'mqttv50' ? 'bridge_session_expiry_interval 3600\n' : ''
    const lines = `bridge_protocol_version ${version}\n${expiry}topic up/# out 2\ntopic down/# in 2\n`
    const local = await started(t, bridge('b', `127.0.0.1:${proxy.port}`, lines))
    await logged(local, /^Connected bridge/)
    const here = await client(t, local, { clientId: 'here' })
    const there = await client(t, remote, { clientId: 'there' })
    await here.subscribe([{ filter: 'down/#', qos: 0 }])
    await there.subscribe([{ filter: 'up/#', qos: 0 }])
    const got = { here: [] as string[], there: [] as string[] }
    const reading = [collect(here, got.here), collect(there, got.there)]
    let cuts = 0
    for (let i = 0; i < 300; i++) {
      const qos = ((i % 2) + 1) as 1 | 2
      here.publish({ topic: `up/${qos}`, payload: `${i}`, qos })
      there.publish({ topic: `down/${qos}`, payload: `${i}`, qos })
      if (i % 10 === 9) await new Promise((resolve) => setImmediate(resolve))
      if (i % 60 !== 30) continue
      proxy.cut()
      cuts++
      await logged(local, /next backoff/, cuts)
      local.advance(1)
    }
    await until(
      () => unique(got.there, '1').size + unique(got.there, '2').size >= 300 && got.here.length >= 300,
      () => `messages: ${got.there.length} there, ${got.here.length} here`,
    )
    const of = (qos: number) => Array.from({ length: 150 }, (_, index) => `${index * 2 + qos - 1}`)
    for (const side of [got.here, got.there]) {
      // QoS 2 exactly once; QoS 1 at least once, and in order the first time.
      assert.deepEqual(payloadsOf(side, '2'), of(2))
      assert.deepEqual([...unique(side, '1')], of(1))
    }
    await here.drop()
    await there.drop()
    await Promise.allSettled(reading)
  })

/** Takes messages and answers the handshakes of what was published, until the connection ends. */
async function collect(from: RawClient, into: string[]): Promise<void> {
  for (;;) {
    const packet = await from.next()
    if (packet.type === PacketType.PUBREC) from.ack(PacketType.PUBREL, packet.packetId)
    if (packet.type === PacketType.PUBLISH) into.push(`${packet.topic.split('/')[1]} ${packet.payload}`)
  }
}

function payloadsOf(lines: readonly string[], qos: string): string[] {
  return lines.filter((line) => line.startsWith(`${qos} `)).map((line) => line.slice(2))
}

function unique(lines: readonly string[], qos: string): Set<string> {
  return new Set(payloadsOf(lines, qos))
}

describe(`transports of a bridge${skippedWithout}`, { skip: !hasOpenssl }, () => {
  let certificates: Certificates
  const socket = join(tmpdir(), `tsmq-bridge-${process.pid}.sock`)

  before(() => {
    certificates = new Certificates()
  })
  after(() => {
    certificates.remove()
    rmSync(socket, { force: true })
  })

  const server = 'certfile CERTS/server.crt\nkeyfile CERTS/server.key\n'
  const psk = { bridge: 'bridge_identity one\nbridge_psk 00ff10\n', server: 'psk_hint h\npsk_file {folder}/psk\n' }
  const cases: readonly {
    readonly name: string
    readonly server: string
    readonly scheme?: string
    readonly host?: string
    readonly path?: string
    readonly lines: string
    readonly fault?: RegExp
  }[] = [
    { name: 'TCP from an address', server: '', lines: 'bridge_bind_address 127.0.0.2\n' },
    { name: 'a Unix socket', server: '', path: socket, lines: '' },
    { name: 'WebSocket', server: 'protocol websockets\n', scheme: 'ws://', lines: '' },
    { name: 'TLS', server, lines: 'bridge_cafile CERTS/ca.crt\n' },
    {
      name: 'TLS and WebSocket',
      server: `${server}protocol websockets\n`,
      scheme: 'wss://',
      lines: 'bridge_cafile CERTS/ca.crt\n',
    },
    {
      name: 'TLS 1.3 with a client certificate',
      server: `${server}cafile CERTS/ca.crt\nrequire_certificate true\n`,
      lines:
        'bridge_cafile CERTS/ca.crt\nbridge_certfile CERTS/client.crt\nbridge_keyfile CERTS/client.key\nbridge_tls_version tlsv1.3\n',
    },
    {
      name: 'TLS 1.2 with one cipher',
      server,
      lines:
        'bridge_cafile CERTS/ca.crt\nbridge_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384\nbridge_ciphers_tls1.3 TLS_AES_128_GCM_SHA256\n',
    },
    {
      name: 'TLS under another name with bridge_insecure',
      server,
      host: '127.1',
      lines: 'bridge_cafile CERTS/ca.crt\nbridge_insecure true\n',
    },
    {
      name: 'TLS under another name',
      server,
      host: '127.1',
      lines: 'bridge_cafile CERTS/ca.crt\n',
      fault: /certificate of the broker is for .* and not for 127\.1/,
    },
    {
      name: 'TLS with an unknown authority, bridge_insecure or not',
      server,
      lines: 'bridge_cafile CERTS/other.crt\nbridge_insecure true\n',
      fault: /certificate/,
    },
    {
      name: 'TLS without a file',
      server,
      lines: 'bridge_cafile /nowhere/ca.crt\n',
      fault: /bridge_cafile \/nowhere\/ca\.crt: no such file/,
    },
    {
      name: 'TLS with the system’s authorities, which do not know ours',
      server,
      lines: 'bridge_tls_use_os_certs true\n',
      fault: /certificate/,
    },
    { name: 'PSK', server: psk.server, lines: psk.bridge },
    { name: 'PSK with another key', server: psk.server, lines: 'bridge_identity one\nbridge_psk 00\n', fault: /PSK/ },
    { name: 'TLS to a port without', server: '', lines: 'bridge_cafile CERTS/ca.crt\n', fault: /TLS/ },
    { name: 'no TLS to a port with', server, lines: '', fault: /TLS|closed/ },
  ]

  for (const { name, server: more, scheme = '', host = '127.0.0.1', path, lines, fault } of cases)
    test(name, async (t) => {
      const put = (text: string) => text.replaceAll('CERTS', certificates.folder)
      const files = { psk: 'one:00ff10\n' }
      const unix = path === undefined ? '' : `listener 0 ${path}\n`
      const remote = await startBroker({ conf: `${put(more)}${unix}`, files, debug: false })
      t.after(() => remote.stop())
      const target = path ?? `${scheme}${host}:${remote.port}`
      const local = await started(t, bridge('b', target, put(`${lines}topic # out 1`)))
      if (fault !== undefined) {
        await logged(local, /^(Error creating bridge b: |Client local.b .* disconnected: )/)
        assert.match(local.log.find((line) => /^Error creating/.test(line)) ?? '', fault)
        return
      }
      await logged(local, /^Connected bridge/)
      const pub = await client(t, local, {})
      pub.publish({ topic: 'a', payload: 'x', qos: 1, retain: true })
      const text = () => remote.broker.describe()
      await until(() => /\ba\b/.test(text()), text)
    })
})
