// How tsmq-pub reaches a broker: TLS, PSK, WebSocket, Unix sockets, proxies, and what it says, and with which status, when it does
// not (pub.md sections 2, 4 and 8; features.md B7, B9, B10 and C). tsmq-sub shares all of it; a few rows are its own.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { SocksServer } from '../support/socks-server.js'
import { start, tool, until } from './client-tool.js'

const skip = !hasOpenssl

let certificates: Certificates
const brokers: Record<string, TestBroker> = {}
const servers: Server[] = []
const ports: Record<string, number> = {}

/** TABLE of the brokers: lines behind `listener`. */
const CONFS: Readonly<Record<string, string>> = {
  plain: '',
  tls: 'certfile {c}/server.crt\nkeyfile {c}/server.key',
  late: 'certfile {c}/expired.crt\nkeyfile {c}/expired.key',
  named: 'certfile {c}/client.crt\nkeyfile {c}/client.key',
  mutual: 'certfile {c}/server.crt\nkeyfile {c}/server.key\ncafile {c}/ca.crt\nrequire_certificate true',
  psk: 'psk_hint hint\npsk_file {folder}/psk\nuse_identity_as_username true',
  ws: 'protocol websockets',
  wss: 'protocol websockets\ncertfile {c}/server.crt\nkeyfile {c}/server.key',
  unix: 'listener 0 {folder}/broker.sock',
}

const silent = (answer: string) =>
  createServer((socket) => {
    socket.on('error', () => {})
    if (answer !== '') socket.end(answer)
  })

before(async () => {
  if (skip) return
  certificates = new Certificates()
  for (const [name, conf] of Object.entries(CONFS))
    brokers[name] = await startBroker({
      conf: conf.replaceAll('{c}', certificates.folder),
      files: { psk: 'device:0a0b0c\n' },
    })
  for (const [name, answer] of [
    ['mute', ''],
    ['web', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'],
    ['busy', 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'],
  ] as const) {
    const server = silent(answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    ports[name] = typeof address === 'object' && address !== null ? address.port : 0
    servers.push(server)
  }
})

after(async () => {
  for (const broker of Object.values(brokers)) await broker.stop()
  for (const server of servers) server.close()
  certificates?.remove()
})

const portOf = (name: string) => brokers[name]?.port ?? ports[name] ?? 0

/** `{c}` is the folder of certificates, `{name}` the port of that broker. */
function words(text: string): string[] {
  return text
    .replaceAll('{c}', certificates.folder)
    .replace(/\{(\w+)\}/g, (_, name: string) => String(portOf(name)))
    .split(' ')
}

const publish = (text: string, options = {}) => tool('tsmq-pub', 1, [...words(text), '-t', 'a', '-m', 'b'], options)

describe(`connections that work${skippedWithout}`, { skip }, () => {
  const rows: readonly (readonly [name: string, args: string])[] = [
    ['TLS, with the authority of --cafile', '-h localhost -p {tls} --cafile {c}/ca.crt'],
    ['TLS, with the address in the certificate', '-h 127.0.0.1 -p {tls} --cafile {c}/ca.crt'],
    ['TLS, with the folder of --capath', '-h localhost -p {tls} --capath {c}/capath'],
    ['TLS 1.3 and no less', '-h localhost -p {tls} --cafile {c}/ca.crt --tls-version tlsv1.3'],
    ['TLS 1.2 or more', '-h localhost -p {tls} --cafile {c}/ca.crt --tls-version tlsv1.2'],
    [
      'TLS with a suite of 1.3',
      '-h localhost -p {tls} --cafile {c}/ca.crt --tls-version tlsv1.3 --ciphers TLS_AES_256_GCM_SHA384',
    ],
    ['TLS with ciphers of 1.2', '-h localhost -p {tls} --cafile {c}/ca.crt --ciphers ECDHE-ECDSA-AES128-GCM-SHA256'],
    [
      'TLS with a client certificate',
      '-h localhost -p {mutual} --cafile {c}/ca.crt --cert {c}/client.crt --key {c}/client.key',
    ],
    [
      'TLS with --keyform pem',
      '-h localhost -p {mutual} --cafile {c}/ca.crt --cert {c}/client.crt --key {c}/client.key --keyform pem',
    ],
    ['TLS-PSK', '-h localhost -p {psk} --psk 0a0b0c --psk-identity device'],
    ['TLS-PSK with an odd number of digits', '-h localhost -p {psk} --psk A0B0C --psk-identity device'],
    ['TLS switched off', '-h localhost -p {plain} --no-tls --cafile {c}/ca.crt'],
    ['WebSocket', '-p {ws} --ws'],
    ['WebSocket over TLS', '-h localhost -p {wss} --ws --cafile {c}/ca.crt'],
    ['WebSocket at another path', '-p {ws} --ws --ws-path /other'],
    ['a local address', '-h 127.0.0.1 -p {plain} -A 127.0.0.1'],
    ['a URL', '-L mqtt://127.0.0.1:{plain}/x'],
    ['a URL for WebSocket', '-L ws://127.0.0.1:{ws}/x'],
    ['a URL for TLS, with an authority', '-L mqtts://localhost:{tls}/x --cafile {c}/ca.crt'],
    ['a URL for WebSocket over TLS', '-L WSS://localhost:{wss}/x --cafile {c}/ca.crt'],
    ['--nodelay', '-p {plain} --nodelay'],
    ['--connect-timeout that is kept', '-p {plain} --connect-timeout 5'],
  ]
  for (const [name, args] of rows)
    test(name, async () => {
      const { status, stderr, stdout } = await publish(`${args} -q 1`)
      assert.deepEqual([status, stderr, stdout.toString()], [0, '', ''])
    })

  test('--tls-use-os-certs trusts what SSL_CERT_FILE names', async () => {
    process.env.SSL_CERT_FILE = certificates.path('ca.crt')
    try {
      for (const args of ['--tls-use-os-certs -h localhost -p {tls}', '-L mqtts://localhost:{tls}/x'])
        assert.deepEqual((await publish(args)).status, 0, args)
    } finally {
      delete process.env.SSL_CERT_FILE
    }
  })
  test('--insecure takes any certificate, and warns', async () => {
    const { status, stderr } = await publish('-h 127.0.0.1 -p {late} --cafile {c}/other.crt --insecure')
    assert.deepEqual([status, stderr], [0, 'Warning: --insecure: the certificate of the broker is not verified\n'])
  })
  test('--tls-keylog appends the keys of the session', async () => {
    const file = certificates.path('keys')
    await publish(`-h localhost -p {tls} --cafile {c}/ca.crt --tls-keylog ${file}`)
    const once = readFileSync(file, 'utf8')
    assert.match(once, /^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]+ [0-9a-f]+$/m)
    await publish(`-h localhost -p {tls} --cafile {c}/ca.crt --tls-keylog ${file}`)
    assert.ok(readFileSync(file, 'utf8').startsWith(once) && readFileSync(file, 'utf8').length > once.length)
  })
  test('TLS settings without TLS are said to have no effect', async () => {
    const { status, stderr } = await publish('-p {plain} --insecure --tls-alpn mqtt')
    assert.equal(status, 0)
    assert.match(stderr, /^Warning: --insecure --tls-alpn have no effect without TLS/)
  })
  test('a Unix socket, by --unix, by -p 0, and over TLS settings for none', async () => {
    const socket = brokers.unix?.log.map((line) => /(\/\S+\/broker\.sock)/.exec(line)?.[1]).find(Boolean) ?? ''
    assert.ok(existsSync(socket))
    for (const args of [`--unix ${socket}`, `-p 0 -h ${socket}`, `-p 1 --unix ${socket}`])
      assert.deepEqual((await publish(args)).status, 0, args)
    const undone = await publish(`--unix ${socket} -h 127.0.0.1 -p {plain}`)
    assert.equal(undone.status, 0)
  })
  test('a large message over TLS and WebSocket', async () => {
    const input = Buffer.alloc(1_500_000, 'x')
    for (const where of ['-h localhost -p {tls} --cafile {c}/ca.crt', '-p {ws} --ws']) {
      const sub = start('tsmq-sub', 1, [...words(where), '-t', 'big', '-C', '1', '-N', '-i', 'big-reader'])
      const broker = where.includes('ws') ? brokers.ws : brokers.tls
      await until(() => broker?.log.some((line) => /big-reader \d big/.test(line)) ?? false, 'the subscription')
      const { status } = await tool('tsmq-pub', 1, [...words(where), '-t', 'big', '-s', '-q', '1'], { input })
      assert.equal(status, 0)
      assert.ok((await sub.result).stdout.equals(input))
    }
  })
})

describe(`a proxy${skippedWithout}`, { skip }, () => {
  const through = async (args: string, options: Parameters<typeof SocksServer.start>[0] = {}) => {
    const proxy = await SocksServer.start(options)
    try {
      const result = await publish(args.replaceAll('{proxy}', String(proxy.port)))
      return { ...result, asked: proxy.asked }
    } finally {
      proxy.stop()
    }
  }
  test('looks up the name', async () => {
    const { status, asked } = await through('-h broker.invalid -p {plain} --proxy socks5h://127.0.0.1:{proxy}')
    assert.deepEqual([status, asked], [0, [`broker.invalid:${portOf('plain')}`]])
  })
  test('takes user and password, percent-encoded', async () => {
    const login = ['u:r', 'p@%'] as const
    const { status } = await through('-h x.invalid -p {plain} --proxy socks5h://u%3Ar:p%40%25@127.0.0.1:{proxy}', {
      login,
    })
    assert.equal(status, 0)
  })
  test('below TLS and WebSocket', async () => {
    const { status, stderr } = await through(
      '-h localhost -p {wss} --ws --cafile {c}/ca.crt --proxy socks5h://127.0.0.1:{proxy}',
    )
    assert.deepEqual([status, stderr], [0, ''])
  })
  const refusals: readonly (readonly [string, Parameters<typeof SocksServer.start>[0], string])[] = [
    ['not allowed', { refusal: 2 }, 'the proxy does not allow it'],
    ['unreachable', { refusal: 4 }, 'the proxy cannot reach the host'],
    ['refused', { refusal: 5 }, 'the broker refused the connection of the proxy'],
    ['another password', { login: ['u', 'q'] }, 'the proxy refuses user name and password'],
  ]
  for (const [name, options, says] of refusals)
    test(`${name}: exit 16`, async () => {
      const { status, stderr } = await through('-h h.invalid -p 9 --proxy socks5h://u:p@127.0.0.1:{proxy}', options)
      assert.deepEqual([status, stderr], [16, `Error: cannot connect to h.invalid:9: ${says}\n`])
    })
  test('no proxy there: exit 16', async () => {
    const { status, stderr } = await publish('-h h.invalid -p 9 --proxy socks5h://127.0.0.1:1')
    assert.deepEqual(
      [status, stderr],
      [16, 'Error: cannot connect to h.invalid:9: the proxy: cannot connect to 127.0.0.1:1: connection refused\n'],
    )
  })
  test('a broker is no proxy: exit 16', async () => {
    const { status, stderr } = await publish('-h h.invalid -p 9 --proxy socks5h://127.0.0.1:{plain}')
    assert.equal(status, 16)
    assert.match(stderr, /^Error: cannot connect to h\.invalid:9: the proxy (closed the connection|does not answer)/)
  })
})

describe(`connections that fail${skippedWithout}`, { skip }, () => {
  /** The whole of stderr without `Error: ` and line end, a port written as `PORT`. */
  const rows: readonly (readonly [name: string, args: string, status: number, says: string | RegExp])[] = [
    ['nobody listens', '-h 127.0.0.1 -p 1', 69, 'cannot connect to 127.0.0.1:1: connection refused'],
    [
      'nobody listens, by name',
      '-h localhost -p 1',
      69,
      /^cannot connect to localhost:1 \((127\.0\.0\.1|::1)(, \S+)?\): connection refused$/,
    ],
    [
      'no such name',
      '-h no-such-host.invalid',
      71,
      /^cannot connect to no-such-host\.invalid:1: (no such host|the name cannot be looked up now)$/,
    ],
    ['the port behind the host', '-h no-such-host.invalid:1883', 71, /the port is given apart from the host$/],
    ['no SRV record', '-S -h no-such-host.invalid', 71, /^cannot find a broker for no-such-host\.invalid: /],
    ['no Unix socket', '--unix /nonexistent/socket', 69, 'cannot connect to /nonexistent/socket: no such file'],
    [
      'an address of another machine',
      '-h 127.0.0.1 -A 192.0.2.1',
      69,
      'cannot connect to 127.0.0.1:1 from 192.0.2.1: address not available',
    ],
    [
      'B9 unknown issuer',
      '-h localhost -p {tls} --cafile {c}/other.crt',
      72,
      /^cannot connect to localhost:PORT \(127\.0\.0\.1\): certificate of the broker, 'localhost': unknown issuer 'Test CA'$/,
    ],
    [
      'B9 expired',
      '-h localhost -p {late} --cafile {c}/ca.crt',
      72,
      /^cannot connect to localhost:PORT \(127\.0\.0\.1\): certificate of the broker, 'late': expired on 2001-02-03$/,
    ],
    [
      'B9 another name: both are told',
      '-h 127.0.0.1 -p {named} --cafile {c}/ca.crt',
      72,
      'cannot connect to 127.0.0.1:PORT: the certificate of the broker is for client one and not for 127.0.0.1',
    ],
    [
      'B9 client certificate wanted',
      '-h 127.0.0.1 -p {mutual} --cafile {c}/ca.crt',
      72,
      'cannot connect to 127.0.0.1:PORT: the broker asks for a client certificate',
    ],
    [
      'B9 client certificate wanted, TLS 1.2',
      '-h 127.0.0.1 -p {mutual} --cafile {c}/ca.crt --ciphers ECDHE-ECDSA-AES128-GCM-SHA256',
      72,
      'cannot connect to 127.0.0.1:PORT: the broker asks for a client certificate',
    ],
    [
      'B9 client certificate refused',
      '-h 127.0.0.1 -p {mutual} --cafile {c}/ca.crt --cert {c}/stranger.crt --key {c}/stranger.key',
      72,
      /the broker (does not know the issuer of the client certificate|refuses the client certificate|closed)/,
    ],
    [
      'B9 TLS to a plain listener',
      '-h 127.0.0.1 -p {plain} --cafile {c}/ca.crt',
      72,
      /^cannot connect to 127\.0\.0\.1:PORT: the broker .*does not speak TLS on this port$|may not speak TLS on this port$/,
    ],
    [
      'B9 plain to a TLS listener',
      '-h 127.0.0.1 -p {tls}',
      69,
      /^cannot connect to 127\.0\.0\.1:PORT: the broker speaks TLS on this port$|^connection lost: the broker closed it, in answer to CONNECT/,
    ],
    [
      'another PSK',
      '-h 127.0.0.1 -p {psk} --psk 0a0b0d --psk-identity device',
      72,
      /^cannot connect to 127\.0\.0\.1:PORT: the broker /,
    ],
    [
      'unknown PSK identity',
      '-h 127.0.0.1 -p {psk} --psk 0a0b0c --psk-identity nobody',
      72,
      /^cannot connect to 127\.0\.0\.1:PORT: the broker /,
    ],
    [
      'WebSocket to a plain listener',
      '-h 127.0.0.1 -p {plain} --ws',
      73,
      /^cannot connect to 127\.0\.0\.1:PORT: the broker (closed the connection in the WebSocket handshake|does not speak HTTP on this port)$/,
    ],
    [
      'WebSocket to a page',
      '-h 127.0.0.1 -p {web} --ws',
      73,
      'cannot connect to 127.0.0.1:PORT: /mqtt is no WebSocket for MQTT: HTTP 404 Not Found',
    ],
    [
      'WebSocket to a proxy without broker',
      '-h 127.0.0.1 -p {busy} --ws',
      73,
      'cannot connect to 127.0.0.1:PORT: /mqtt is no WebSocket for MQTT: HTTP 503 Service Unavailable',
    ],
    [
      'plain to a WebSocket listener',
      '-h 127.0.0.1 -p {ws}',
      69,
      'cannot connect to 127.0.0.1:PORT: the broker speaks HTTP on this port, which may be for WebSocket (--ws)',
    ],
    [
      'B7 no CONNACK in time',
      '-h 127.0.0.1 -p {mute} --connect-timeout 0.2',
      27,
      'cannot connect to 127.0.0.1:PORT: the broker does not answer CONNECT within 0.2 s',
    ],
    [
      'B7 no TLS handshake in time',
      '-h 127.0.0.1 -p {mute} --connect-timeout 0.2 --cafile {c}/ca.crt',
      72,
      'cannot connect to 127.0.0.1:PORT: the TLS handshake is not done within 0.2 s',
    ],
    [
      'B7 no WebSocket handshake in time',
      '-h 127.0.0.1 -p {mute} --connect-timeout 0.2 --ws',
      73,
      'cannot connect to 127.0.0.1:PORT: the WebSocket handshake is not done within 0.2 s',
    ],
    [
      'B7 no answer of the proxy in time',
      '-h h.invalid -p 9 --connect-timeout 0.2 --proxy socks5h://127.0.0.1:{mute}',
      16,
      'cannot connect to h.invalid:9: the proxy does not connect within 0.2 s',
    ],
  ]
  for (const [name, args, status, says] of rows)
    for (const command of ['tsmq-pub', 'tsmq-sub'] as const)
      test(`${command}, ${name}: exit ${status}`, async () => {
        const own = command === 'tsmq-pub' ? ['-m', 'b'] : []
        const result = await tool(command, 1, [...words(args), '-t', 'a', ...own])
        const text = result.stderr.replace(/^Error: |\n$/g, '').replace(/:\d{4,5}\b(?<!:1883)/, ':PORT')
        if (typeof says === 'string') assert.equal(text, says)
        else assert.match(text, says)
        assert.equal(result.status, text.startsWith('connection lost') ? 7 : status)
      })
  test('--quiet says nothing; the status is the same', async () => {
    const { status, stderr } = await publish('-h 127.0.0.1 -p 1 --quiet')
    assert.deepEqual([status, stderr], [69, ''])
  })
})

describe(`what cannot be asked for: exit 1, and nothing is sent${skippedWithout}`, { skip }, () => {
  const rows: readonly (readonly [args: string, says: string | RegExp])[] = [
    ['--cafile {c}/none', /^--cafile \S+\/none: no such file or directory$/],
    ['--cafile {c}/nothing.pem', /^--cafile \S+\/nothing\.pem: no certificate in PEM form$/],
    ['--capath {c}/empty', /^--capath \S+\/empty: no certificates named by their hash/],
    ['--cafile {c}/ca.crt --cert {c}/client.crt', '--cert needs --key too'],
    ['--cafile {c}/ca.crt --key {c}/client.key', '--key needs --cert too'],
    ['--cafile {c}/ca.crt --cert {c}/client.crt --key {c}/server.key', /^--key \S+ is not the key of --cert \S+$/],
    ['--cafile {c}/ca.crt --cert {c}/server.crt --key {c}/encrypted.key', /^--key \S+: the key is encrypted/],
    ['--keyform pem', '--keyform needs --key too'],
    [
      '--cert {c}/client.crt --key {c}/client.key --keyform engine',
      /^--keyform engine is not supported: OpenSSL engines/,
    ],
    ['--cert {c}/client.crt --key {c}/client.key --keyform der', "--keyform must be one of pem, engine, not 'der'"],
    ['--tls-engine pkcs11', /^--tls-engine is not supported: OpenSSL engines do not work here/],
    ['--tls-engine-kpass-sha1 0', /^--tls-engine-kpass-sha1 is not supported: OpenSSL engines do not work here/],
    ['--tls-version tlsv1.1', "--tls-version must be one of tlsv1.2, tlsv1.3, not 'tlsv1.1'"],
    ['--tls-version TLSv1.3', "--tls-version must be one of tlsv1.2, tlsv1.3, not 'TLSv1.3'"],
    ['--cafile {c}/ca.crt --ciphers NONSENSE --tls-version tlsv1.3', '--ciphers: none of them is known'],
    ['--cafile {c}/ca.crt --tls-keylog {c}/none/keys', /^--tls-keylog \S+: no such file$/],
    [`--tls-alpn ${'x'.repeat(255)}`, '--tls-alpn must not be longer than 254 bytes'],
    ['--psk 0a', '--psk needs --psk-identity too'],
    ['--psk-identity me', '--psk-identity needs --psk too'],
    ['--psk secret --psk-identity me', '--psk must be hexadecimal digits'],
    ['--psk 0a --psk-identity me --cafile {c}/ca.crt', '--psk and --cafile cannot be used together'],
    ['--psk 0a --psk-identity me --capath {c}/capath', '--psk and --capath cannot be used together'],
    ['--psk 0a --psk-identity me --tls-version tlsv1.3', '--psk works with TLS 1.2 and not with --tls-version tlsv1.3'],
    ['-A localhost', "-A must be an address of this machine, not 'localhost'"],
    ['--unix /s -S', '--unix and -S cannot be used together'],
    ['--unix /s -A 127.0.0.1', '--unix and -A cannot be used together'],
    ['--unix /s --proxy socks5h://p', '--unix and --proxy cannot be used together'],
    ['--ws --ws-path mqtt', '--ws-path must begin with / and have no blanks'],
    ['--proxy socks5://p', '--proxy must be socks5h://[USER[:PASSWORD]@]HOST[:PORT]'],
    ['--exit-mode will', '--exit-mode will needs MQTT 5.0: -V 5'],
    ['--exit-mode gone', "--exit-mode must be one of clean, will, abort, not 'gone'"],
    ['--connect-timeout 0', '--connect-timeout must be between 0.001 and 2147483, not 0'],
    ['--retry -1', '--retry must be between 0 and 4294967295, not -1'],
    ['--retry-delay 1', '--retry-delay needs --retry too'],
    ['-P a', '-P needs a user name: -u NAME'],
    ['--pw-file {c}/nothing.pem', '--pw-file needs a user name: -u NAME'],
    ['-u a --pw-file {c}/none', /^--pw-file \S+\/none: no such file$/],
    ['-u a -P b --pw-file {c}/nothing.pem', '-P and --pw-file cannot be used together'],
    ['-u a -P -', '-P -: standard input has ended before a password'],
    ['-o {c}', /^-o: cannot read the options file \S+: /],
    ['-o {c}/x -o {c}/y', '-o may be given once only'],
  ]
  for (const [args, says] of rows)
    test(args.slice(0, 80), async () => {
      const { status, stderr } = await publish(args)
      const text = stderr.replace(/^(Warning: .*\n)*Error: /, '').replace(/\n\nTry 'tsmq-pub --help'\.\n$/, '')
      if (typeof says === 'string') assert.equal(text, says)
      else assert.match(text, says)
      assert.equal(status, 1)
    })
})

test(`a key on the command line is not repeated in a message${skippedWithout}`, { skip }, async () => {
  const { stderr } = await publish('--psk 0a0b0cXYZ --psk-identity me')
  assert.doesNotMatch(stderr, /0a0b/)
})

test(`-d shows neither user name nor password nor key${skippedWithout}`, { skip }, async () => {
  const { stdout, stderr, status } = await publish('-p {plain} -h 127.0.0.1 -d -u somebody -P se-cret')
  assert.equal(status, 0)
  assert.doesNotMatch(stdout.toString() + stderr, /somebody|se-cret/)
  const file = join(certificates.folder, 'log')
  assert.equal(existsSync(file), false)
})
