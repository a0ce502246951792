// Listeners with `protocol http_api`: what is answered to whom.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { until } from '../support/until.js'

/** `alice` with the password `secret`, at the lowest cost. */
const PASSWORDS = 'alice:$2b$04$0grU.Kiv1hgfD39SOQIF9euvMLHYY7bMIf8NqzY1X7JtR/JwIgHrm\n'

/** More than is read in one go. */
const LARGE = Buffer.alloc(300_000, 'large')

const folder = mkdtempSync(join(tmpdir(), 'tsmq-http-'))
const site = join(folder, 'site')
let broker: TestBroker

before(async () => {
  mkdirSync(join(site, 'sub'), { recursive: true })
  writeFileSync(join(folder, 'secret.txt'), 'secret')
  mkdirSync(join(folder, 'site2'))
  writeFileSync(join(folder, 'site2', 'x'), 'secret')
  writeFileSync(join(site, 'index.html'), '<p>hello')
  writeFileSync(join(site, 'data.json'), '{}')
  writeFileSync(join(site, 'empty'), '')
  writeFileSync(join(site, 'sub', 'ä b.txt'), 'text')
  execFileSync('mkfifo', [join(site, 'queue')])
  symlinkSync(join(folder, 'secret.txt'), join(site, 'link'))
  symlinkSync('data.json', join(site, 'inside'))
  mkdirSync(join(site, '..data'))
  for (const name of ['.htpasswd', 'sub/.env', '..data/mounted.txt']) writeFileSync(join(site, name), 'hidden')
  symlinkSync('..data/mounted.txt', join(site, 'mounted.txt'))
  writeFileSync(join(site, 'large'), LARGE)
  broker = await startBroker({ conf: `protocol http_api\nhttp_dir ${site}` })
})
after(async () => {
  await broker.stop()
  rmSync(folder, { recursive: true })
})

/** Sends bytes and returns everything that comes back until the connection ends. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()))
  })
}

/** What this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      // It has been closed meanwhile.
      return []
    }
  })
}

function get(port: number, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { headers })
}

describe('the API', () => {
  test('version', async () => {
    const response = await get(broker.port, '/api/v1/version')
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('access-control-allow-origin'), '*')
    assert.equal(await response.text(), 'test')
  })

  test('systree: numbers by topic, no aliases, no averages', async () => {
    const response = await get(broker.port, '/api/v1/systree')
    assert.equal(response.headers.get('content-type'), 'application/json')
    const tree = (await response.json()) as Record<string, unknown>
    for (const value of Object.values(tree)) assert.equal(typeof value, 'number')
    for (const topic of ['uptime', 'clients/connected', 'mqtt/publish/received', 'retained messages/count'])
      assert.ok(`$SYS/broker/${topic}` in tree, topic)
    for (const topic of ['clients/active', 'load/messages/sent/1min', 'version'])
      assert.ok(!(`$SYS/broker/${topic}` in tree), topic)
  })

  test('listeners', async () => {
    assert.deepEqual(await (await get(broker.port, '/api/v1/listeners')).json(), {
      listeners: [{ port: broker.port, protocol: 'httpapi', tls: false, mtls: false, allow_anonymous: true }],
    })
  })

  test('the log tells what the listener is for', () => {
    assert.ok(broker.log.some((line) => line.endsWith(`Opening http api listen socket on port ${broker.port}.`)))
  })
})

const files: readonly {
  readonly path: string
  readonly status: number
  readonly body?: string
  readonly type?: string
}[] = [
  { path: '/', status: 200, body: '<p>hello', type: 'text/html; charset=utf-8' },
  { path: '/?x=/../secret.txt', status: 200, body: '<p>hello' },
  { path: '/data.json', status: 200, body: '{}', type: 'application/json' },
  { path: '/inside', status: 200, body: '{}' },
  { path: '/empty', status: 200, body: '', type: 'application/octet-stream' },
  { path: '/sub/%C3%A4%20b.txt', status: 200, body: 'text', type: 'text/plain; charset=utf-8' },
  { path: '/sub', status: 404 },
  { path: '/sub/', status: 404 },
  { path: '/nothing', status: 404 },
  { path: '/data.json/', status: 404 },
  { path: '/link', status: 404 },
  { path: '/../secret.txt', status: 400 },
  { path: '/..%2fsecret.txt', status: 400 },
  { path: '/%2e%2e/secret.txt', status: 400 },
  { path: '/sub/../../secret.txt', status: 400 },
  { path: '/../site2/x', status: 400 },
  { path: '//etc/passwd', status: 400 },
  { path: '/sub/../data.json', status: 400 },
  { path: '/sub%2f..%2fdata.json', status: 400 },
  { path: '/./data.json', status: 400 },
  { path: '//data.json', status: 400 },
  { path: '/data.json/.', status: 400 },
  { path: '/queue', status: 404 },
  { path: '/.htpasswd', status: 404 },
  { path: '/%2ehtpasswd', status: 404 },
  { path: '/sub/.env', status: 404 },
  { path: '/..data/mounted.txt', status: 404 },
  { path: '/mounted.txt', status: 200, body: 'hidden' },
  { path: '/large', status: 200, body: LARGE.toString() },
  { path: '/data.json%00.html', status: 400 },
  { path: '/%zz', status: 400 },
  { path: 'http://127.0.0.1/data.json', status: 400 },
  { path: '/api/v1/nothing', status: 404 },
  { path: '/api/v1/version/', status: 404 },
]
describe('files', () => {
  for (const { path, status, body, type } of files)
    test(`${path}: ${status}`, async () => {
      const text = await exchange(broker.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      const [head = '', content] = text.split('\r\n\r\n')
      assert.match(head, new RegExp(`^HTTP/1.1 ${status} `))
      if (body !== undefined) assert.equal(content, body)
      if (type !== undefined) assert.match(head.toLowerCase(), new RegExp(`content-type: ${type}`))
      assert.ok(!text.includes('secret'))
    })

  test('many at once, and some who leave in the middle', async () => {
    const leave = () =>
      new Promise<void>((resolve) => {
        const socket = connect(broker.port, '127.0.0.1', () => socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n'))
        socket.once('data', () => socket.destroy()).on('close', () => resolve())
      })
    const read = async () =>
      assert.deepEqual(Buffer.from(await (await get(broker.port, '/large')).arrayBuffer()), LARGE)
    await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? leave() : read())))
    await read()
  })

  test('requests behind one that ends the connection leave no file open', {
    skip: !existsSync('/proc/self/fd'),
  }, async () => {
    const request = 'GET /large HTTP/1.1\r\nHost: x\r\n\r\n'
    await exchange(broker.port, `GET /data.json HTTP/1.1\r\nHost: x\r\n\r\n${request.repeat(20)}`)
    // Answered behind all of them.
    assert.equal((await get(broker.port, '/data.json')).status, 200)
    await until(() => !openFiles().includes(join(site, 'large')), 'the files')
  })

  test('none without http_dir', async (t) => {
    const own = await startBroker({ conf: 'protocol http_api' })
    t.after(() => own.stop())
    assert.equal((await get(own.port, '/')).status, 404)
  })
})

describe('what is not a request', () => {
  for (const method of ['POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])
    test(`${method}: 405`, async () => {
      const text = await exchange(broker.port, `${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
      assert.match(text, /^HTTP\/1.1 405 /)
      assert.match(text, /\r\nAllow: GET\r\n/)
    })

  test('a CONNECT packet: 400', async () => {
    assert.match(await exchange(broker.port, '\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0'), /^HTTP\/1.1 400 /)
  })

  test('nothing in time: closed', async () => {
    const socket = connect(broker.port, '127.0.0.1').on('error', () => {})
    await new Promise((resolve) => socket.once('connect', resolve))
    // Another connection shows that this one has been accepted.
    await get(broker.port, '/')
    socket.write('GET / HT')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    broker.advance(31)
    await closed
  })
})

describe('who is let in', () => {
  let guarded: TestBroker
  before(async () => {
    guarded = await startBroker({
      conf: 'protocol http_api\nallow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl',
      files: { passwords: PASSWORDS, acl: 'user alice\ntopic read /api/v1/version\ntopic read /open/#\n' },
    })
  })
  after(() => guarded.stop())

  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  const cases: readonly {
    readonly name: string
    readonly headers: Record<string, string>
    readonly path?: string
    readonly status: number
  }[] = [
    { name: 'nobody without a name', headers: {}, status: 401 },
    { name: 'nobody with a wrong password', headers: basic('alice:wrong'), status: 401 },
    { name: 'nobody who is unknown', headers: basic('bob:secret'), status: 401 },
    { name: 'nobody by another scheme', headers: { authorization: 'Bearer x' }, status: 401 },
    { name: 'nobody without a colon', headers: basic('alice'), status: 401 },
    { name: 'who has the right', headers: basic('alice:secret'), status: 200 },
    {
      name: 'but only to what the ACL lets be read',
      headers: basic('alice:secret'),
      path: '/api/v1/systree',
      status: 401,
    },
    {
      name: 'not by a detour that begins where the ACL lets in',
      headers: basic('alice:secret'),
      path: '/open/%2e.%2fapi/v1/systree',
      status: 400,
    },
  ]
  for (const { name, headers, path = '/api/v1/version', status } of cases)
    test(name, async () => {
      const response = await get(guarded.port, path, headers)
      assert.equal(response.status, status)
      if (status === 401) assert.match(response.headers.get('www-authenticate') ?? '', /^Basic realm="Mosquitto API"/)
    })

  test('a refusal is logged, without the password', () => {
    const lines = guarded.log.filter((line) => line.includes('HTTP request'))
    const from = `127\\.0\\.0\\.1:\\d+ on port ${guarded.port} denied`
    for (const line of [
      `^HTTP request from ${from}: wrong password \\(path '/api/v1/version', user 'alice'\\)\\.$`,
      `^HTTP request from ${from}: the ACL does not let it be read \\(path '/api/v1/systree', user 'alice'\\)\\.$`,
      `^HTTP request from ${from}: anonymous clients .* \\(path '/api/v1/version', no user name\\)\\.$`,
    ])
      assert.ok(
        lines.some((each) => new RegExp(line).test(each)),
        line,
      )
    assert.ok(!guarded.log.some((line) => line.includes('secret')))
  })
})
