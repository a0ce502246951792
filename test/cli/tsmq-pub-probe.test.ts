// tsmq-pub --probe: a line for each step, what it found, and the exit status of the step that failed (features.md C4).

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { start, type ToolResult, tool } from './client-tool.js'

const { CONNECT, SUBSCRIBE, SUBACK, PUBLISH, DISCONNECT } = PacketType

/** Name, result and text of each line; the times are numbers of milliseconds. */
function stagesOf({ stdout }: ToolResult): string[] {
  return stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) =>
      line.replace(
        /^(.{10}) {2}(ok {4}|failed) {2,}\d+\.\d ms {2}/,
        (_all, name, result) => `${name.trim()} ${result.trim()}: `,
      ),
    )
}

const brokers: TestBroker[] = []
async function broker(conf: string): Promise<number> {
  const started = await startBroker({ conf })
  brokers.push(started)
  return started.port
}
after(() => Promise.all(brokers.map((each) => each.stop())))

describe('tsmq-pub --probe: plain connections', () => {
  let port: number
  before(async () => {
    port = await broker('max_keepalive 30\nretain_available false')
  })

  test('name, TCP, CONNECT with the limits of the broker', async () => {
    const result = await tool('tsmq-pub', port, ['-h', 'localhost', '--probe'])
    const [name = '', tcp = '', connect = '', ...more] = stagesOf(result)
    assert.match(name, /^name ok: localhost is .*127\.0\.0\.1/)
    assert.match(tcp, new RegExp(`^TCP ok: 127\\.0\\.0\\.1:${port}`))
    assert.equal(
      connect,
      'CONNECT ok: Success, MQTT 5.0; QoS up to 2, no retained messages, 65535 messages in flight, ' +
        'packets up to 2000000 bytes, 10 topic aliases, wildcards, subscription identifiers, shared subscriptions, keep alive 30 s',
    )
    assert.deepEqual([more, result.status, result.stderr], [[], 0, ''])
  })
  test('an address has no name to look up; MQTT 3.1.1 announces no limits', async () => {
    const result = await tool('tsmq-pub', port, ['--probe', '-V', '311', '-k', '20'])
    assert.deepEqual(stagesOf(result), [`TCP ok: 127.0.0.1:${port}`, 'CONNECT ok: Success, MQTT 3.1.1'])
  })
  for (const args of [[], ['-q', '1'], ['-q', '2'], ['-V', '311', '-k', '20'], ['-V', '31', '-i', 'me', '-k', '20']])
    test(`--round-trip ${args.join(' ')}`, async () => {
      const result = await tool('tsmq-pub', port, ['--probe', '--round-trip', '-t', 'health/ü', ...args])
      const qos = args[0] === '-q' ? args[1] : 0
      assert.equal(stagesOf(result).at(-1), `round trip ok: a message of 53 bytes by health/ü, QoS ${qos}`)
      assert.equal(result.status, 0)
    })
  test('--json', async () => {
    const { status, stdout } = await tool('tsmq-pub', port, ['--probe', '--round-trip', '-t', 'h', '--json'])
    const [line = '', ...more] = stdout.toString().split('\n')
    const report = JSON.parse(line)
    assert.deepEqual(more, [''])
    assert.deepEqual([status, report.ok, report.status, report.host, report.port], [0, true, 0, '127.0.0.1', port])
    const stages = report.stages as readonly Record<string, unknown>[]
    assert.deepEqual(
      stages.map(({ stage, ok, ms }) => [stage, ok, typeof ms]),
      ['tcp', 'connect', 'round_trip'].map((stage) => [stage, true, 'number']),
    )
    assert.deepEqual(stages[1]?.limits, {
      maximum_qos: 2,
      retain_available: false,
      receive_maximum: 65_535,
      maximum_packet_size: 2_000_000,
      topic_alias_maximum: 10,
      wildcard_subscriptions: true,
      subscription_identifiers: true,
      shared_subscriptions: true,
      server_keep_alive: 30,
    })
  })
})

describe('tsmq-pub --probe: the step that fails', () => {
  test('71: no such host', async () => {
    const result = await tool('tsmq-pub', 1883, ['-h', 'no-such-host.invalid', '--probe'])
    assert.match(stagesOf(result).join('\n'), /^name failed: cannot connect to no-such-host\.invalid:1883: [^\n]*$/)
    assert.equal(result.status, 71)
  })
  test('69: nobody listens', async () => {
    const result = await tool('tsmq-pub', 1, ['--probe'])
    assert.deepEqual(stagesOf(result), ['TCP failed: cannot connect to 127.0.0.1:1: connection refused'])
    assert.equal(result.status, 69)
  })
  test('69 as JSON', async () => {
    const { status, stdout } = await tool('tsmq-pub', 1, ['--probe', '--json'])
    const { ok, status: told, stages } = JSON.parse(stdout.toString())
    assert.deepEqual([status, ok, told], [69, false, 69])
    assert.deepEqual([stages.length, stages[0].stage, stages[0].ok], [1, 'tcp', false])
    assert.match(stages[0].problem, /connection refused/)
  })
  for (const [name, code, status, words] of [
    ['MQTT 5.0', '20 03 00 87 00', 135, 'Not authorized'],
    ['MQTT 5.0', '20 03 00 88 00', 136, 'Server unavailable'],
  ] as const)
    test(`${status}: refused in ${name}`, async (t) => {
      const scripted = await ScriptedBroker.start(t)
      const run = start('tsmq-pub', scripted.port, ['--probe'])
      const peer = await scripted.peer()
      await peer.expect(CONNECT)
      peer.send(code)
      const result = await run.result
      assert.equal(
        stagesOf(result).at(-1),
        `CONNECT failed: connection refused by 127.0.0.1:${scripted.port}: ${words}`,
      )
      assert.deepEqual([result.status, stagesOf(result).length], [status, 2])
    })
  test('7: closed before CONNACK', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', scripted.port, ['--probe'])
    const peer = await scripted.peer()
    await peer.expect(CONNECT)
    peer.drop()
    assert.match(stagesOf(await run.result).at(-1) ?? '', /^CONNECT failed: connection lost/)
    assert.equal((await run.result).status, 7)
  })
  test('27: no CONNACK within --connect-timeout', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const result = await tool('tsmq-pub', scripted.port, ['--probe', '--connect-timeout', '0.1'])
    assert.match(stagesOf(result).at(-1) ?? '', /^CONNECT failed: /)
    assert.equal(result.status, 27)
  })
  test('74: the message does not come back', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const args = ['--probe', '--round-trip', '-t', 'h', '--connect-timeout', '0.2']
    const run = start('tsmq-pub', scripted.port, args)
    const peer = await scripted.peer()
    await peer.accept()
    const { packetId } = await peer.expect(SUBSCRIBE)
    peer.send({ type: SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [0] })
    const { retain } = await peer.expect(PUBLISH)
    peer.send('30 05 00 01 68 00 78')
    await peer.expect(DISCONNECT)
    const result = await run.result
    assert.equal(stagesOf(result).at(-1), 'round trip failed: no message came back within 0.2 s')
    assert.deepEqual([result.status, retain], [74, false])
  })
  test('74: the subscription is refused', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', scripted.port, ['--probe', '--round-trip', '-t', 'h'])
    const peer = await scripted.peer()
    await peer.accept()
    const { packetId } = await peer.expect(SUBSCRIBE)
    peer.send({ type: SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [0x87] })
    const result = await run.result
    assert.equal(stagesOf(result).at(-1), 'round trip failed: the subscription to h was refused: Not authorized')
    assert.equal(result.status, 74)
  })
  test('130: Ctrl-C', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', scripted.port, ['--probe'])
    await (await scripted.peer()).expect(CONNECT)
    process.emit('SIGINT', 'SIGINT')
    assert.equal((await run.result).status, 130)
  })
  for (const [args, says] of [
    [['--probe', '-m', 'x'], /--probe and -m cannot be used together/],
    [['--probe', '--rr', '-e', 'x'], /cannot be used together/],
    [['--probe', '--ndjson'], /cannot be used together/],
    [['--probe', '--round-trip'], /--round-trip needs a topic/],
    [['--round-trip', '-t', 'a', '-m', 'x'], /--round-trip needs --probe too/],
    [['--json', '-t', 'a', '-m', 'x'], /--json needs --probe too/],
    [['--min-cert-days', '5', '-t', 'a', '-m', 'x'], /--min-cert-days needs --probe too/],
    [['--probe', '--min-cert-days', '5'], /--min-cert-days needs TLS/],
  ] as const)
    test(`wrong usage: ${args.join(' ')}`, async () => {
      const { status, stdout, stderr } = await tool('tsmq-pub', 1, args)
      assert.match(stderr, says)
      assert.deepEqual([status, stdout.toString()], [1, ''])
    })
})

describe(`tsmq-pub --probe: TLS and WebSocket${skippedWithout}`, { skip: !hasOpenssl }, () => {
  let certificates: Certificates
  let tls: number
  let wss: number
  let ws: number
  let silent: Server
  const trust = () => ['--cafile', certificates.path('ca.crt')]

  before(async () => {
    certificates = new Certificates()
    const identity = `certfile ${certificates.path('server.crt')}\nkeyfile ${certificates.path('server.key')}`
    tls = await broker(identity)
    wss = await broker(`${identity}\nprotocol websockets`)
    ws = await broker('protocol websockets')
    silent = createServer((socket) => socket.on('error', () => {}).on('data', () => socket.end('hm')))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  })
  after(() => {
    certificates.remove()
    silent.close()
  })

  test('TLS: version, cipher, chain, names, days', async () => {
    const result = await tool('tsmq-pub', tls, ['--probe', ...trust()])
    const [tcp, handshake = '', connect = ''] = stagesOf(result)
    assert.equal(tcp, `TCP ok: 127.0.0.1:${tls}`)
    assert.match(
      handshake,
      /^TLS ok: TLSv1\.3, TLS_[A-Z0-9_]+; certificate of localhost for localhost, 127\.0\.0\.1, until \d{4}-\d\d-\d\d \(\d+ days\); issued by Test CA, until \d{4}-\d\d-\d\d \(\d+ days\)$/,
    )
    assert.match(connect, /^CONNECT ok/)
    assert.equal(result.status, 0)
  })
  test('as JSON', async () => {
    const { stdout } = await tool('tsmq-pub', tls, ['--probe', ...trust(), '--json', '--tls-version', 'tlsv1.3'])
    const [, handshake] = JSON.parse(stdout.toString()).stages
    const { stage, version, verified, chain } = handshake
    assert.deepEqual([stage, version, verified], ['tls', 'TLSv1.3', true])
    assert.deepEqual(
      chain.map(({ subject, names, issuer }: Record<string, unknown>) => [subject, names, issuer]),
      [
        ['localhost', ['localhost', '127.0.0.1'], 'Test CA'],
        ['Test CA', [], 'Test CA'],
      ],
    )
    assert.equal(chain[0].days_left, 2999)
  })
  test('--min-cert-days that are left', async () =>
    assert.equal((await tool('tsmq-pub', tls, ['--probe', ...trust(), '--min-cert-days', '2990'])).status, 0))
  test('72: --min-cert-days that are not', async () => {
    const result = await tool('tsmq-pub', tls, ['--probe', ...trust(), '--min-cert-days', '3500'])
    const [, handshake = '', ...more] = stagesOf(result)
    assert.match(
      handshake,
      /^TLS failed: the certificate of localhost ends on \d{4}-\d\d-\d\d, in 2999 days, and --min-cert-days is 3500$/,
    )
    assert.deepEqual([more, result.status], [[], 72])
  })
  test('72: an issuer that is not trusted', async () => {
    const result = await tool('tsmq-pub', tls, ['--probe', '--cafile', certificates.path('other.crt')])
    assert.match(stagesOf(result).at(-1) ?? '', /^TLS failed: .*unknown issuer 'Test CA'/)
    assert.equal(result.status, 72)
  })
  test('not verified with --insecure, and it says so', async () => {
    const args = ['--probe', '--cafile', certificates.path('other.crt'), '--insecure']
    assert.match(stagesOf(await tool('tsmq-pub', tls, args))[1] ?? '', /^TLS ok: .*; not verified$/)
  })
  test('72: no TLS at the other end', async () => {
    const port = (silent.address() as { port: number }).port
    const result = await tool('tsmq-pub', port, ['--probe', ...trust()])
    assert.match(stagesOf(result).at(-1) ?? '', /^TLS failed: /)
    assert.equal(result.status, 72)
  })
  test('WebSocket', async () => {
    const result = await tool('tsmq-pub', ws, ['--probe', '--ws', '--round-trip', '-t', 'h'])
    assert.deepEqual(
      stagesOf(result).map((line) => line.split(':')[0]),
      ['TCP ok', 'upgrade ok', 'CONNECT ok', 'round trip ok'],
    )
  })
  test('WebSocket over TLS', async () => {
    const result = await tool('tsmq-pub', wss, ['--probe', '--ws', ...trust()])
    assert.deepEqual(
      stagesOf(result).map((line) => line.split(':')[0]),
      ['TCP ok', 'TLS ok', 'upgrade ok', 'CONNECT ok'],
    )
  })
  test('73: no WebSocket there', async () => {
    const port = (silent.address() as { port: number }).port
    const result = await tool('tsmq-pub', port, ['--probe', '--ws'])
    assert.match(stagesOf(result).at(-1) ?? '', /^upgrade failed: /)
    assert.equal(result.status, 73)
  })
})
