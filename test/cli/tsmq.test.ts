// The command tsmq as a process: arguments, configuration and other files, exit statuses, signals, log (spec: broker-options.md
// sections 1, 2, 4 and 5, sys-topics.md sections 3 and 4). What it does for clients is tested in test/broker.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Disconnect } from '../../src/protocol/packets/disconnect.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { command, startTsmq } from '../support/tsmq-process.js'

let base: string

before(() => {
  base = mkdtempSync(join(tmpdir(), 'tsmq-command-'))
})
after(() => rmSync(base, { recursive: true }))

/** Most of the time goes into starting Node. */
const together = { concurrency: 4 }

function tsmq(args: readonly string[], env: Record<string, string> = {}) {
  return command('tsmq', args, { cwd: base, env, input: '' }).end()
}

/** Writes files of mode 0600 into a new folder, `{folder}` in them, and returns the path of the one that is to be read first. */
function write(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(base, 'test-'))
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), content.replaceAll('{folder}', folder), { mode: 0o600 })
  return join(folder, 'tsmq.conf')
}

describe('tsmq: help and version', together, () => {
  for (const flag of ['-h', '--help'])
    test(`${flag} lists every flag that works on stdout and exits 0`, async () => {
      const { status, stdout, stderr } = await tsmq([flag])
      assert.equal(status, 0)
      assert.equal(stderr, '')
      assert.match(stdout, /^Usage: tsmq /)
      for (const name of ['--config-file', '--port', '--verbose', '--quiet', '--test-config', '--help', '--version'])
        assert.ok(stdout.includes(name), name)
    })

  test('--version names the package and its version and exits 0', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    assert.deepEqual(await tsmq(['--version']), { status: 0, stdout: `tsmq version ${version}\n`, stderr: '' })
  })
})

describe('tsmq: wrong usage is one line, a hint, and exit 3', together, () => {
  const cases = [
    { args: ['--bad'], text: "'--bad'" },
    { args: ['--verbos'], text: '--verbose' },
    { args: ['conf'], text: 'conf' },
    { args: ['-c'], text: '-c' },
    { args: ['-p'], text: '-p' },
    { args: ['-p', '65536'], text: '65535' },
    { args: ['-p', '-1'], text: '-1' },
    { args: ['-p', '1883x'], text: '1883x' },
    { args: Array.from({ length: 22 }, (_, at) => (at % 2 === 0 ? '-p' : '0')), text: '10' },
    { args: ['--test-config'], text: '-c' },
    { args: ['-d', '--test-config'], text: '-c' },
    { args: ['--tls-keylog'], text: '--tls-keylog' },
  ]
  for (const { args, text } of cases)
    test(args.join(' '), async () => {
      const { status, stdout, stderr } = await tsmq(args)
      assert.equal(status, 3)
      assert.equal(stdout, '')
      assert.match(stderr, /^tsmq: .*\nTry 'tsmq --help'\.\n$/)
      assert.ok(stderr.includes(text), stderr)
    })
})

describe('tsmq: files that cannot be used', together, () => {
  const start = 'listener 0 127.0.0.1\n'
  const cases = [
    {
      name: 'every problem of a configuration, each as file:line, with a suggestion',
      files: {
        'tsmq.conf': `listner 1883\n\n# fine\nmax_qos 7\n${start}allow_anonymous maybe\ninclude_dir {folder}/more\n`,
      },
      status: 3,
      says: ['/tsmq.conf:1: .*listner.*listener', '/tsmq.conf:4: max_qos', '/tsmq.conf:6: allow_anonymous'],
    },
    { name: 'a configuration that is not there', files: {}, status: 3, says: ['/tsmq.conf: .*no such file'] },
    {
      name: 'a password file that is not there',
      files: { 'tsmq.conf': `${start}password_file {folder}/passwords\n` },
      status: 13,
      says: ['/passwords: no such file'],
    },
    {
      name: 'an ACL file that is not there',
      files: { 'tsmq.conf': `${start}acl_file {folder}/acl\n` },
      status: 13,
      says: ['/acl: no such file'],
    },
    {
      name: 'a malformed password file, every line of it',
      files: { 'tsmq.conf': `${start}password_file {folder}/passwords\n`, passwords: 'a:plain\n# fine\n:x\n' },
      status: 3,
      says: ['/passwords:1: ', '/passwords:3: '],
    },
    {
      name: 'a malformed ACL file',
      files: { 'tsmq.conf': `${start}acl_file {folder}/acl\n`, acl: 'user a\ntopic write a/#/b\nfoo\n' },
      status: 3,
      says: ['/acl:2: ', '/acl:3: '],
    },
  ]
  for (const { name, files, status, says } of cases)
    test(`${name}: exit ${status}`, async () => {
      const conf = write(files)
      const result = await tsmq(['-c', conf])
      assert.equal(result.status, status, result.stderr)
      assert.equal(result.stdout, '')
      for (const text of says) assert.match(result.stderr, new RegExp(`^tsmq: ${dirname(conf)}${text}`, 'm'))
      assert.doesNotMatch(result.stderr, /listen socket/)
    })

  test('a plugin of Mosquitto: exit 13', async () => {
    const { status, stderr } = await tsmq(['-c', write({ 'tsmq.conf': `${start}plugin any.so\n` })])
    assert.equal(status, 13)
    assert.match(stderr, /^tsmq: plugin any\.so: is a shared library for Mosquitto/m)
  })

  test('a password file behind a symbolic link: exit 13', async () => {
    const conf = write({ 'tsmq.conf': `${start}password_file {folder}/link\n`, passwords: '' })
    symlinkSync(join(dirname(conf), 'passwords'), join(dirname(conf), 'link'))
    assert.equal((await tsmq(['-c', conf])).status, 13)
  })
})

describe('tsmq: --test-config', together, () => {
  test('says that there is nothing to say, opens no port and exits 0', async () => {
    const conf = write({ 'tsmq.conf': 'listener 0 127.0.0.1\nmax_qos 1\n' })
    const { status, stdout, stderr } = await tsmq(['-c', conf, '--test-config'])
    assert.deepEqual([status, stdout], [0, ''])
    assert.equal(stderr, `tsmq: ${conf}: no problems found\n`)
  })

  test('reports like a start does and exits 3', async () => {
    const conf = write({ 'tsmq.conf': 'max_qos 1\nmax_qoss 1\n' })
    const { status, stderr } = await tsmq(['-c', conf, '--test-config'])
    assert.equal(status, 3)
    assert.match(stderr, /tsmq\.conf:2: .*max_qoss.*max_qos/)
  })
})

describe('tsmq: a port in use is one line and exit 1', () => {
  let server: Server
  let port: number

  before(async () => {
    server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    port = (server.address() as AddressInfo).port
  })
  after(() => server.close())

  const complaint = (stderr: string) => stderr.split('\n').filter((line) => line.startsWith('tsmq: '))

  test('with the flag that chooses another', async () => {
    const { status, stderr } = await tsmq(['-p', `${port}`])
    assert.equal(status, 1)
    const text = `tsmq: port ${port} of 127.0.0.1 is already in use; choose another, for instance with tsmq -p ${port + 1}`
    assert.deepEqual(complaint(stderr), [text])
  })

  test('with the flag as npm start takes it', async () => {
    const { status, stderr } = await tsmq(['-p', `${port}`], { npm_lifecycle_event: 'start' })
    assert.equal(status, 1)
    assert.match(complaint(stderr).join(), new RegExp(`port ${port} .*npm start -- -p ${port + 1}$`))
  })

  test('in a configuration file', async () => {
    const { status, stderr } = await tsmq(['-c', write({ 'tsmq.conf': `listener ${port} 127.0.0.1\n` })])
    assert.equal(status, 1)
    assert.match(complaint(stderr).join(), new RegExp(`^tsmq: port ${port} of 127.0.0.1 is already in use.*file$`))
  })
})

test('tsmq: a Unix socket that cannot be made is named, and no port', async () => {
  const { status, stderr } = await tsmq(['-c', write({ 'tsmq.conf': 'listener 0 /nowhere/at/all/s\n' })])
  assert.equal(status, 1)
  assert.match(stderr, /^tsmq: cannot make the socket \/nowhere\/at\/all\/s: no such folder, or no permission$/m)
})

describe('tsmq: signals', together, () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    test(`${signal} tells connected clients and exits 0, though one does not read and one has not logged in`, async () => {
      const { port, program, stop } = await startTsmq()
      try {
        const { client } = await RawClient.connect(port, { version: 5, clientId: 'listening' })
        const { client: deaf } = await RawClient.connect(port, { version: 5, clientId: 'deaf' })
        await RawClient.open(port)
        deaf.pause()
        const begun = performance.now()
        program.kill(signal)
        const { status } = await program.end(5000)
        assert.equal(status, 0)
        assert.ok(performance.now() - begun < 5000)
        const [farewell] = (await client.closed()) as Disconnect[]
        assert.equal(farewell?.reasonCode, 0x8b)
        assert.match(program.lines.at(-1) ?? '', /: tsmq version \S+ terminating$/)
      } finally {
        await stop()
      }
    })
})

describe('tsmq: log', together, () => {
  const anonymous = 'allow_anonymous true\n'

  /** Starts a broker, has a client come and go, and returns what was said. */
  async function visit(options: Parameters<typeof startTsmq>[0], clientId = 'visitor') {
    const { port, program, folder: files, stop } = await startTsmq(options)
    try {
      const { client } = await RawClient.connect(port, { clientId })
      await client.settled()
      client.disconnect()
      await client.closed()
      await program.stop()
      const file = join(files, 'broker.log')
      const [text, mode] = existsSync(file) ? [readFileSync(file, 'utf8'), statSync(file).mode & 0o777] : ['', 0]
      return { ...(await program.ended), file: text, mode }
    } finally {
      await stop()
    }
  }

  test('by default the lines of a life on stderr, without packets, with seconds since 1970', async () => {
    const { stdout, stderr } = await visit({ conf: anonymous })
    assert.equal(stdout, '')
    const lines = stderr.trimEnd().split('\n')
    const now = Date.now() / 1000
    for (const line of lines) {
      const [, seconds] = /^(\d+): \S/.exec(line) ?? []
      assert.ok(Math.abs(Number(seconds) - now) < 60, line)
    }
    const shapes = [
      /: tsmq version \S+ starting$/,
      /: Config loaded from \/.*tsmq\.conf\.$/,
      /: Opening ipv4 listen socket on port \d+\.$/,
      /: tsmq version \S+ running$/,
      /: New connection from 127\.0\.0\.1:\d+ on port [1-9]\d*\.$/,
      /: New client connected from 127\.0\.0\.1:\d+ as visitor \(p4, c1, k0\)\.$/,
      /: Client visitor \[127\.0\.0\.1:\d+\] disconnected\.$/,
      /: tsmq version \S+ terminating$/,
    ]
    assert.equal(lines.length, shapes.length, stderr)
    for (const [at, shape] of shapes.entries()) assert.match(lines[at] ?? '', shape)
  })

  test('without a configuration it says what to type in a second terminal', async () => {
    const { stderr } = await visit({})
    assert.match(stderr, /: Using default config\.$/m)
    assert.match(stderr, /: Local only/)
    assert.match(stderr, /tsmq-sub -p \d+ -v -t '#'$/m)
    assert.match(stderr, /tsmq-pub -p \d+ -t greeting -m hello$/m)
  })

  test('-v shows every packet', async () => {
    const { stderr } = await visit({ conf: `${anonymous}log_type error\n`, args: ['-v'] })
    for (const text of ['Sending CONNACK to visitor (0, 0)', 'Received PINGREQ from visitor', 'Received DISCONNECT'])
      assert.ok(stderr.includes(text), text)
  })

  for (const args of [['-q'], ['-v', '-q']])
    test(`${args.join(' ')} says nothing`, async () => {
      const conf = write({ 'tsmq.conf': 'listener 0 127.0.0.1\nlog_type all\n' })
      const program = command('tsmq', ['-c', conf, ...args], { cwd: base })
      // It is up, or it would not end by the signal with status 0; asked again because nothing tells when it is.
      const again = setInterval(() => program.kill('SIGTERM'), 400)
      const { stdout, stderr } = await program.end()
      clearInterval(again)
      assert.deepEqual([stdout, stderr], ['', ''])
    })

  test('to a file that only its owner reads, and nowhere else', async () => {
    const conf = `${anonymous}log_dest file {folder}/broker.log\nlog_dest stderr\n`
    const { stderr, file, mode } = await visit({ conf })
    assert.equal(file, stderr)
    assert.match(file, /connected from .* as visitor/)
    assert.equal(mode, 0o600)
  })

  test('to stdout', async () => {
    const { stdout, stderr } = await visit({ conf: `${anonymous}log_dest stdout\n` })
    assert.match(stdout, /as visitor/)
    assert.equal(stderr, '')
  })

  test('a log file that cannot be opened is reported, and stderr takes its place', async () => {
    const { stderr, status } = await visit({ conf: `${anonymous}log_dest file /\n` })
    assert.equal(status, 0)
    assert.match(stderr, /^tsmq: cannot open log file \/: /m)
    assert.match(stderr, /as visitor/)
  })

  const timestamps = [
    { conf: 'log_timestamp false', shape: /^tsmq version/ },
    {
      conf: 'log_timestamp_format %Y-%m-%dT%H:%M:%S',
      shape: /^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d: tsmq version/,
    },
    { conf: 'log_timestamp_format [%d/%b/%Y] %%', shape: /^\[\d\d\/[A-Z][a-z]{2}\/\d{4}\] %: tsmq version/ },
  ]
  for (const { conf, shape } of timestamps)
    test(conf, async () => {
      const { stderr } = await visit({ conf: `${anonymous}${conf}\n` })
      for (const line of stderr.split('\n').filter((each) => each.includes('tsmq version'))) assert.match(line, shape)
    })

  test('log_type chooses: errors and subscriptions alone', async () => {
    const { port, program, stop } = await startTsmq({
      conf: `${anonymous}log_type error\nlog_type subscribe\nlog_type information\n`,
    })
    try {
      const { client } = await RawClient.connect(port, { clientId: 'reader' })
      await client.subscribe([{ filter: 'a/+', qos: 1 }])
      await program.line('reader 1 a/+')
      assert.ok(!program.lines.some((line) => line.includes('New client connected')))
    } finally {
      await stop()
    }
  })

  test('what a client sends can neither forge a line nor steer a terminal', async () => {
    const { port, program, stop } = await startTsmq({ conf: anonymous, args: ['-v'] })
    try {
      // Text with control characters is refused; what it is refused with must not show them either.
      for (const clientId of ['evil\u001b[2J', 'two\n1700000000: lines', 'c1\u009b2J']) {
        const client = await RawClient.open(port)
        client.send(connectPacket({ clientId, username: clientId }))
        await client.closed()
      }
      const { client } = await RawClient.connect(port, { clientId: 'last' })
      client.publish({ topic: 't', payload: 'a\u001b[2J\nb' })
      await client.settled()
      await program.line('Received PUBLISH from last')
    } finally {
      await stop()
    }
    assert.doesNotMatch(program.stderr, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
    assert.doesNotMatch(program.stderr, /^1700000000: lines/m)
  })

  test('a refused login tells who, from where, and why, and never the password', async () => {
    const { port, program, stop } = await startTsmq({
      conf: 'password_file {folder}/passwords\nlog_type all\n',
      files: {
        passwords:
          't6:$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==\n',
      },
    })
    try {
      const wrong = await RawClient.connect(port, { clientId: 'c1', username: 't6', password: 'hunter2' })
      const unknown = await RawClient.connect(port, { clientId: 'c2', username: 'who', password: 'hunter2' })
      const none = await RawClient.connect(port, { clientId: 'c3' })
      const right = await RawClient.connect(port, { clientId: 'c4', username: 't6', password: 'correct horse' })
      const codes = [wrong, unknown, none, right].map(({ connack }: { connack: Connack }) => connack.reasonCode)
      assert.deepEqual(codes, [5, 5, 5, 0])
      await program.line(
        /Refused login from 127\.0\.0\.1:\d+ on port [1-9]\d*: wrong password \(client 'c1', user 't6'\)\./,
      )
      await program.line(/Refused login from 127\.0\.0\.1:\d+ on port \d+: no such user \(client 'c2', user 'who'\)\./)
      await program.line(/Refused login from 127\.0\.0\.1:\d+ on port \d+: anonymous .*\(client 'c3', no user name\)\./)
      assert.doesNotMatch(program.stderr, /hunter2|correct horse/)
    } finally {
      await stop()
    }
  })
})
