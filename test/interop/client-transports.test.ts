// tsmq-pub and tsmq-sub reach Debian's Mosquitto over TLS, TLS-PSK, WebSocket, WebSocket over TLS and a Unix socket.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Certificates } from '../support/certificates.js'
import { killPrograms, Program } from '../support/program.js'
import { command } from '../support/tsmq-process.js'
import { pathOf, suite } from './programs.js'

const BROKER = pathOf('mosquitto')
/** TABLE of its listeners: name → lines of configuration; `{c}` is the folder of certificates, `{f}` that of the broker. */
const LISTENERS = {
  tls: 'certfile {c}/server.crt\nkeyfile {c}/server.key',
  mutual: 'certfile {c}/server.crt\nkeyfile {c}/server.key\ncafile {c}/ca.crt\nrequire_certificate true',
  psk: 'psk_hint hint\npsk_file {f}/psk',
  ws: 'protocol websockets',
  wss: 'protocol websockets\ncertfile {c}/server.crt\nkeyfile {c}/server.key',
} as const
type Listener = keyof typeof LISTENERS

let certificates: Certificates
let folder: string
const ports = new Map<string, number>()

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function startBroker(): Promise<void> {
  certificates = new Certificates()
  folder = mkdtempSync(join(tmpdir(), 'tsmq-mosquitto-'))
  writeFileSync(join(folder, 'psk'), 'device:0a0b0c\n', { mode: 0o600 })
  const conf = [
    'per_listener_settings true',
    'user root',
    'log_dest stderr',
    `listener 0 ${folder}/broker.sock`,
    'allow_anonymous true',
  ]
  for (const [name, lines] of Object.entries(LISTENERS)) {
    const port = await freePort()
    ports.set(name, port)
    conf.push(`listener ${port}`, 'socket_domain ipv4', 'allow_anonymous true', lines)
  }
  const text = conf.join('\n').replaceAll('{c}', certificates.folder).replaceAll('{f}', folder)
  writeFileSync(join(folder, 'mosquitto.conf'), `${text}\n`)
  const program = new Program(BROKER, ['-c', join(folder, 'mosquitto.conf')])
  await program.line(/mosquitto version \S+ running/)
}

function stop(): void {
  killPrograms()
  rmSync(folder, { recursive: true })
  certificates.remove()
}

const at = (listener: Listener, args: string) => [
  '-p',
  String(ports.get(listener)),
  ...args.replaceAll('{c}', certificates.folder).split(' '),
]

describe(...suite('tsmq-pub and tsmq-sub reach mosquitto', [BROKER, 'openssl']), () => {
  before(startBroker)
  after(stop)

  const OWN = '--cert {c}/client.crt --key {c}/client.key'
  const rows: readonly (readonly [name: string, listener: Listener, args: string])[] = [
    ['TLS', 'tls', '--cafile {c}/ca.crt'],
    ['TLS 1.3', 'tls', '--cafile {c}/ca.crt --tls-version tlsv1.3'],
    ['TLS 1.2', 'tls', '--cafile {c}/ca.crt --ciphers ECDHE-ECDSA-AES256-GCM-SHA384'],
    ['a client certificate', 'mutual', `--cafile {c}/ca.crt ${OWN}`],
    ['TLS-PSK', 'psk', '--psk 0a0b0c --psk-identity device'],
    ['WebSocket', 'ws', '--ws'],
    ['WebSocket with MQTT 5.0 properties in CONNECT', 'ws', '--ws -V 5 -D connect session-expiry-interval 10 -i ws5'],
    ['WebSocket over TLS', 'wss', '--ws --cafile {c}/ca.crt'],
  ]
  for (const [name, listener, args] of rows)
    test(name, async () => {
      const published = await command('tsmq-pub', [
        ...at(listener, args),
        '-t',
        name,
        '-m',
        'hello',
        '-q',
        '1',
        '-r',
      ]).end()
      assert.deepEqual([published.status, published.stderr], [0, ''])
      const got = await command('tsmq-sub', [...at(listener, args), '-t', name, '-C', '1', '-v']).end()
      assert.deepEqual([got.status, got.stdout], [0, `${name} hello\n`])
    })
  test('a Unix socket', async () => {
    const { status } = await command('tsmq-pub', [
      '--unix',
      join(folder, 'broker.sock'),
      '-t',
      'a',
      '-m',
      'b',
      '-q',
      '2',
    ]).end()
    assert.equal(status, 0)
  })

  const failures: readonly (readonly [name: string, listener: Listener, args: string, status: number, says: RegExp])[] =
    [
      ['unknown issuer', 'tls', '--cafile {c}/other.crt', 72, /unknown issuer 'Test CA'/],
      [
        'another name',
        'tls',
        '-h 127.0.0.2 --cafile {c}/ca.crt',
        72,
        /is for localhost, 127\.0\.0\.1 and not for 127\.0\.0\.2/,
      ],
      ['no client certificate', 'mutual', '--cafile {c}/ca.crt', 72, /asks? for a client certificate/],
      [
        'a client certificate of an unknown issuer',
        'mutual',
        '--cafile {c}/ca.crt --cert {c}/stranger.crt --key {c}/stranger.key',
        72,
        /the broker does not know the issuer|it may not accept the client certificate/,
      ],
      ['another key', 'psk', '--psk 0a0b0d --psk-identity device', 72, /PSK/],
      ['an unknown identity', 'psk', '--psk 0a0b0c --psk-identity nobody', 72, /PSK/],
      ['TLS to a WebSocket listener', 'ws', '--cafile {c}/ca.crt', 72, /does not speak TLS|may not speak TLS/],
      ['plain MQTT to a WebSocket listener', 'ws', '-q 0', 69, /the broker speaks HTTP on this port/],
      ['plain MQTT to a TLS listener', 'tls', '-q 0', 69, /(speaks|may want) TLS on this port/],
    ]
  for (const [name, listener, args, status, says] of failures)
    test(`${name}: exit ${status}`, async () => {
      const result = await command('tsmq-pub', [...at(listener, args), '-t', 'a', '-m', 'b']).end()
      assert.match(result.stderr, says)
      assert.equal(result.status, /^Error: connection lost/.test(result.stderr) ? 7 : status)
    })
})
