// Where tsmq-pub and tsmq-sub get a password from (features.md B3), how a connection ends (C12), and what is tried again.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { type Peer, ScriptedBroker } from '../client/scripted-broker.js'
import { command } from '../support/tsmq-process.js'
import { start, type ToolOptions } from './client-tool.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-login-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string | Buffer, mode = 0o600): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, content, { mode })
  return path
}

/** What tsmq-pub sends as CONNECT, and how it ends. */
async function login(broker: ScriptedBroker, args: readonly string[], options?: ToolOptions) {
  const pub = start('tsmq-pub', broker.port, ['-t', 'a', ...args], options)
  const peer = await broker.peer()
  const connect = await peer.accept()
  const packets = await peer.closed()
  const { status, stderr } = await pub.result
  return { connect, packets, status, stderr }
}

describe('the password', () => {
  const plain = file('plain', 'secret\n')
  const environment = { env: { TSMQ_PASSWORD: 'from env' } }
  const rows: readonly (readonly [name: string, args: string, password: string | undefined, options?: ToolOptions])[] =
    [
      ['-P', '-u me -P word -n', 'word'],
      ['-P -, a line of standard input', '-u me -P - -n', 'typed', { input: 'typed\nmore' }],
      ['-P -, without a line end', '-u me -P - -n', 'typed', { input: 'typed' }],
      ['-P -, a Windows line end', '-u me -P - -n', 'typed', { input: 'typed\r\n' }],
      ['-P -, an empty line', '-u me -P - -n', '', { input: '\n' }],
      ['--pw-file', `-u me --pw-file ${plain} -n`, 'secret'],
      ['--pw-file, the first line', `-u me --pw-file ${file('two', 'one\r\ntwo')} -n`, 'one'],
      ['--pw-file, without a line end', `-u me --pw-file ${file('short', ' s ')} -n`, ' s '],
      ['TSMQ_PASSWORD', '-u me -n', 'from env', environment],
      ['TSMQ_PASSWORD is nothing without a user', '-n', undefined, environment],
      ['-P before TSMQ_PASSWORD', '-u me -P word -n', 'word', environment],
      ['--pw-file before TSMQ_PASSWORD', `-u me --pw-file ${plain} -n`, 'secret', environment],
    ]
  for (const [name, args, password, options] of rows)
    test(name, async (t) => {
      const { connect, status, stderr } = await login(await ScriptedBroker.start(t), args.split(' '), options)
      assert.equal(connect.password === undefined ? undefined : Buffer.from(connect.password).toString(), password)
      assert.deepEqual([status, stderr], [0, ''])
    })
  test('any bytes', async (t) => {
    const path = file('bytes', Buffer.of(0xff, 0, 0xe9, 0x0a))
    const { connect } = await login(await ScriptedBroker.start(t), ['-u', 'me', '--pw-file', path, '-n'])
    assert.deepEqual(Buffer.from(connect.password ?? []), Buffer.of(0xff, 0, 0xe9))
  })
  test('what follows the line of the password is the message', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const { packets } = await login(broker, ['-u', 'me', '-P', '-', '-l'], { input: 'word\none\ntwo\n' })
    const payloads = packets.flatMap((packet) =>
      packet.type === PacketType.PUBLISH ? [packet.payload.toString()] : [],
    )
    assert.deepEqual(payloads, ['one', 'two'])
  })
  test('a file that others can read is warned of', async (t) => {
    const path = file('open', 'x', 0o644)
    const { stderr, status } = await login(await ScriptedBroker.start(t), ['-u', 'me', '--pw-file', path, '-n'])
    assert.equal(status, 0)
    assert.match(stderr, /^Warning: --pw-file \S+\/open is readable by others; /)
  })
  test('in a URL, percent-decoded', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const { connect } = await login(broker, ['-L', `mqtt://a%40b:p%25%2F@127.0.0.1:${broker.port}/x`, '-n'])
    assert.deepEqual([connect.username, Buffer.from(connect.password ?? []).toString()], ['a@b', 'p%/'])
  })
})

describe('options files', () => {
  const xdg = (name: string, content: string) => {
    file(`${name}/tsmq-pub`, content)
    return { env: { XDG_CONFIG_HOME: join(folder, name) } }
  }
  test('the default one is read before the command line', async (t) => {
    const options = xdg('first', '-i from-file\n-u user\n-k 33\n')
    const { connect } = await login(await ScriptedBroker.start(t), ['-n', '-u', 'other'], options)
    assert.deepEqual([connect.clientId, connect.username, connect.keepAlive], ['from-file', 'other', 33])
  })
  test('-o takes its place', async (t) => {
    const options = xdg('second', '-i default\n')
    const named = file('named', '-k 44\n')
    const { connect } = await login(await ScriptedBroker.start(t), ['-n', '-o', named], options)
    assert.deepEqual([connect.clientId, connect.keepAlive], ['', 44])
  })
  test('one that -o names and that is not there is warned of', async (t) => {
    const { status, stderr } = await login(await ScriptedBroker.start(t), ['-n', '-o', join(folder, 'gone')])
    assert.equal(status, 0)
    assert.match(stderr, /^Warning: cannot read the options file \S+\/gone: no such file\n$/)
  })
  test('an error names file and line', async () => {
    const options = xdg('third', '\n-q 7\n')
    const { status, stderr } = await start('tsmq-pub', 1, ['-t', 'a', '-n'], options).result
    assert.equal(status, 1)
    assert.match(stderr, /^Error: \S+\/third\/tsmq-pub:2: -q must be between 0 and 2, not 7\n/)
  })
})

describe('--exit-mode', () => {
  const rows = [
    { args: '-V 5', sends: [0] },
    { args: '-V 5 --exit-mode clean', sends: [0] },
    { args: '-V 5 --exit-mode will', sends: [4] },
    { args: '-V 5 --exit-mode abort', sends: [] },
    { args: '-V 311 --exit-mode clean', sends: [0] },
    { args: '-V 311 --exit-mode abort', sends: [] },
  ]
  for (const { args, sends } of rows)
    for (const name of ['tsmq-pub', 'tsmq-sub'] as const)
      test(`${name} ${args}`, async (t) => {
        const broker = await ScriptedBroker.start(t)
        const own = name === 'tsmq-pub' ? ['-m', 'b', '-q', '1'] : ['-E']
        const tool = start(name, broker.port, ['-t', 'a', ...own, ...args.split(' ')])
        const peer = await broker.peer()
        await peer.accept()
        await answer(peer, name, args.includes('5'))
        const packets = await peer.closed()
        const goodbyes = packets.flatMap((packet) => (packet.type === PacketType.DISCONNECT ? [packet.reasonCode] : []))
        assert.deepEqual([goodbyes, (await tool.result).status], [sends, 0])
      })

  async function answer(peer: Peer, name: string, is5: boolean): Promise<void> {
    if (name === 'tsmq-pub') {
      const { packetId } = await peer.expect(PacketType.PUBLISH)
      peer.send(`40 02 ${packetId.toString(16).padStart(4, '0')}`)
    } else {
      const { packetId } = await peer.expect(PacketType.SUBSCRIBE)
      peer.send(`90 ${is5 ? '04' : '03'} ${packetId.toString(16).padStart(4, '0')} ${is5 ? '00' : ''} 00`)
    }
  }
})

describe('--retry', () => {
  for (const name of ['tsmq-pub', 'tsmq-sub'] as const)
    test(`${name}: a first connection that breaks is made again`, async (t) => {
      const broker = await ScriptedBroker.start(t)
      const own = name === 'tsmq-pub' ? ['-m', 'b'] : ['-E']
      const tool = start(name, broker.port, ['-t', 'a', ...own, '--retry', '1', '--retry-delay', '0.01'])
      ;(await broker.peer()).drop()
      const second = await broker.peer(2)
      await second.accept()
      if (name === 'tsmq-sub') {
        await second.expect(PacketType.SUBSCRIBE)
        second.send('90 03 00 01 00')
      }
      assert.equal((await tool.result).status, 0)
    })
  test('nobody listens: the status is that of the last attempt', async () => {
    const { status, stderr } = await start('tsmq-pub', 1, ['-t', 'a', '-n', '--retry', '2', '--retry-delay', '0'])
      .result
    assert.deepEqual([status, stderr], [69, 'Error: cannot connect to 127.0.0.1:1: connection refused\n'])
  })
})

describe('bytes that are not UTF-8, in a process of its own', () => {
  const shell = (line: string) =>
    new Promise<{ readonly status: number; readonly stderr: string }>((resolve) => {
      const pub = `'${process.execPath}' bin/tsmq-pub`
      execFile('/bin/bash', ['-c', line.replace('PUB', pub)], (error, _stdout, stderr) =>
        resolve({ status: typeof error?.code === 'number' ? error.code : 0, stderr }),
      )
    })
  const skip = process.platform !== 'linux'
  test('are sent as a payload', { skip }, async (t) => {
    const broker = await ScriptedBroker.start(t)
    const done = shell(`PUB -h 127.0.0.1 -p ${broker.port} -t a -m $'\\xe9\\xff z' -u me -P $'\\x80'`)
    const peer = await broker.peer()
    const connect = await peer.accept()
    const publish = await peer.expect(PacketType.PUBLISH)
    assert.equal(Buffer.from(connect.password ?? []).toString('hex'), '80')
    assert.equal(publish.payload.toString('hex'), 'e9ff207a')
    assert.equal((await done).status, 0)
  })
  for (const [args, says] of [
    ["-t $'\\xe9' -m b", '-t must be UTF-8'],
    ["-t a -m b -u $'\\xe9'", '-u must be UTF-8'],
    ["-t a -f $'\\xe9'", '-f must be UTF-8'],
    [
      "-t a -m b -D publish content-type $'\\xe9'",
      '-D: the value of content-type has characters that MQTT does not allow',
    ],
  ] as const)
    test(`are refused: ${args}`, { skip }, async () => {
      const { status, stderr } = await shell(`PUB -h 127.0.0.1 -p 1 ${args}`)
      assert.deepEqual([status, stderr.split('\n')[0]], [1, `Error: ${says}`])
    })
})

describe('what is asked for and answered without a broker', () => {
  for (const [args, says] of [
    [
      '--exit-codes',
      /^0\tEverything .*\n1\tWrong usage.*\n1-5\t[\s\S]*^71\tThe name of the host was not found$[\s\S]*^128-162\t/m,
    ],
    ['--completion zsh', /^#compdef tsmq-pub\n[\s\S]*^ *_arguments \\\n/m],
    ['--completion fish', /^# fish completion for tsmq-pub\ncomplete -c tsmq-pub -f\n/],
  ] as const)
    test(args, async () => {
      const { status, stdout, stderr } = await command('tsmq-pub', args.split(' ')).end()
      assert.deepEqual([status, stderr], [0, ''])
      assert.match(stdout, says)
    })
})
