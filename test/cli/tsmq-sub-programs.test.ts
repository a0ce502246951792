// tsmq-sub and other programs, each a process of its own: the command that it runs when its subscriptions stand, the program that it
// runs for each message, and what it does when these fail or it is ended meanwhile.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { command } from '../support/tsmq-process.js'
import { until } from './client-tool.js'
import { type Context, message, suback } from './subscribed-tool.js'

const { CONNECT, DISCONNECT, PUBACK, SUBSCRIBE } = PacketType

let broker: TestBroker
let at: readonly string[]
let folder: string
let publisher: RawClient

before(async () => {
  broker = await startBroker()
  at = ['-h', '127.0.0.1', '-p', String(broker.port)]
  folder = mkdtempSync(join(tmpdir(), 'tsmq-programs-'))
  publisher = (await RawClient.connect(broker.port, { clientId: 'publisher' })).client
})
after(async () => {
  publisher.disconnect()
  await broker.stop()
  rmSync(folder, { recursive: true })
})

const sub = (...args: string[]) => command('tsmq-sub', [...at, ...args])
/** The command line of tsmq-pub at the broker, for a shell. */
const pub = (text: string) => `'${process.execPath}' bin/tsmq-pub ${at.join(' ')} ${text}`

describe('--on-ready, --ready-file, --ready-fd', { concurrency: 2 }, () => {
  test('what --on-ready publishes is received: the subscription stands', async () => {
    const { status, stdout, stderr } = await sub('-t', 'r1', '-C', '1', '--on-ready', pub('-t r1 -m ping')).end()
    assert.deepEqual([status, stdout, stderr], [0, 'ping\n', ''])
  })
  test('the command is told where the broker is, and who we are; what it prints goes to stderr', async () => {
    const script = 'echo "$TSMQ_HOST $TSMQ_PORT $TSMQ_CLIENT_ID"; exit 3'
    const { status, stdout, stderr } = await sub('-i', 'me', '-t', 'r2', '--on-ready', script).end()
    const told = `127.0.0.1 ${broker.port} me\n`
    assert.deepEqual([status, stdout, stderr], [3, '', `${told}Error: the command of --on-ready ended with status 3\n`])
  })
  test('a command that a signal ends: 128 and its number', async () => {
    const { status, stderr } = await sub('-t', 'r3', '--on-ready', 'kill -9 $$').end()
    assert.deepEqual([status, stderr], [137, 'Error: the command of --on-ready was ended by SIGKILL\n'])
  })
  test('the run waits for the command, and ends with its status', async () => {
    const script = `${pub('-t r4 -m x')}; sleep 0.3; exit 4`
    const { status, stdout } = await sub('-t', 'r4', '-C', '1', '--on-ready', script).end()
    assert.deepEqual([status, stdout], [4, 'x\n'])
  })
  test('-W ends both', async () => {
    const file = join(folder, 'r5')
    const { status } = await sub('-t', 'r5', '-W', '1', '--on-ready', `sleep 3; touch ${file}`).end()
    assert.equal(status, 27)
    assert.equal(existsSync(file), false)
  })
  test('--ready-file: there when the subscription stands, gone at the end; one left over does not count', async (t) => {
    const file = join(folder, 'ready')
    writeFileSync(file, 'left over')
    const scripted = await ScriptedBroker.start(t)
    const program = command('tsmq-sub', [
      '-h',
      '127.0.0.1',
      '-p',
      `${scripted.port}`,
      '-t',
      'a',
      '-C',
      '1',
      '--ready-file',
      file,
    ])
    const peer = await scripted.peer()
    await peer.accept()
    await peer.expect(SUBSCRIBE)
    assert.equal(existsSync(file), false)
    peer.send(suback(1, 0))
    await until(() => existsSync(file) && readFileSync(file, 'utf8') === 'ready\n', 'the file')
    peer.send(message('a', 'x'))
    assert.equal((await program.end()).status, 0)
    assert.equal(existsSync(file), false)
  })
  test('--ready-fd: a line, and its end', async () => {
    const script = `{ '${process.execPath}' bin/tsmq-sub ${at.join(' ')} -t r7 -C 1 --ready-fd 3 3>&1 >&4 | { read line; echo "got $line" >&4; ${pub('-t r7 -m x')}; cat >&4; }; } 4>&1`
    const shown = await new Promise<string>((resolve) => execFile('sh', ['-c', script], (_, stdout) => resolve(stdout)))
    assert.equal(shown, 'got ready\nx\n')
  })
})

describe('--exec', { concurrency: 2 }, () => {
  /** Publishes to `topic` once the subscription of the client `id` stands. */
  async function feed(id: string, topic: string, payloads: readonly (string | Buffer)[]): Promise<void> {
    await until(
      () => broker.log.some((line) => line.includes(`${id} `) && line.endsWith(` ${topic}`)),
      `${id} to subscribe`,
    )
    for (const payload of payloads) publisher.publish({ topic, payload })
  }
  test('payload on stdin, the rest in the environment, arguments as they are', async () => {
    const script = 'cat; printf "|%s" "$1" "$TSMQ_TOPIC" "$TSMQ_QOS" "$TSMQ_RETAIN" "$TSMQ_TST"'
    const program = sub('-i', 'e1', '-t', 'e1', '-C', '1', '--exec', 'sh', '-c', script, 'sh', '$(x) "y')
    await feed('e1', 'e1', ['one\ntwo'])
    const { status, stdout, stderr } = await program.end()
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^one\ntwo\|\$\(x\) "y\|e1\|0\|0\|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[-+]\d{4}$/)
  })
  test('bytes stay bytes, and one program runs at a time, in order', async () => {
    const file = join(folder, 'e2')
    const script = `cat >> '${file}'; echo "end $TSMQ_TOPIC"`
    const program = sub('-i', 'e2', '-t', 'e2', '-C', '20', '--exec', 'sh', '-c', script)
    const payloads = Array.from({ length: 20 }, (_, index) => Buffer.from([index, 0xff, 0, 0x0a]))
    await feed('e2', 'e2', payloads)
    const { status, stdout } = await program.end()
    assert.deepEqual([status, stdout], [0, 'end e2\n'.repeat(20)])
    assert.deepEqual(readFileSync(file), Buffer.concat(payloads))
  })
  test('--exec-jobs: so many at once', async () => {
    const meeting = join(folder, 'e3')
    // Each waits for the others.
    const script = `mkdir -p '${meeting}'; cd '${meeting}'; : > $$; while [ $(ls | wc -l) -lt 4 ]; do sleep 0.05; done; echo met`
    const program = sub('-i', 'e3', '-t', 'e3', '-C', '4', '--exec', 'sh', '--exec-jobs', '4', '-c', script)
    await feed('e3', 'e3', ['', '', '', ''])
    assert.equal((await program.end()).stdout, 'met\n'.repeat(4))
  })
  test('a program that fails is told, the others run, and the status is that of the first', async () => {
    const program = sub('-i', 'e4', '-t', 'e4', '-C', '3', '--exec', 'sh', '-c', 'read status; exit $status')
    await feed('e4', 'e4', ['0\n', '6\n', '7\n'])
    const { status, stderr } = await program.end()
    const complaints = [6, 7].map((code) => `Error: sh (topic e4) ended with status ${code}\n`)
    assert.deepEqual([status, stderr], [6, complaints.join('')])
  })
  test('a program that is not there ends it', async () => {
    const program = sub('-i', 'e5', '-t', 'e5', '--exec', './no such program')
    await feed('e5', 'e5', ['x'])
    const { status, stderr } = await program.end()
    assert.deepEqual(
      [status, stderr],
      [127, 'Error: ./no such program (topic e5) cannot be run: no such file or directory\n'],
    )
  })
  test('a program that does not read its input', async () => {
    const program = sub('-i', 'e6', '-t', 'e6', '-C', '1', '--exec', 'true')
    await feed('e6', 'e6', ['x'.repeat(1_000_000)])
    assert.deepEqual(await program.end(), { status: 0, stdout: '', stderr: '' })
  })
  test('messages are printed as well with -v', async () => {
    const program = sub('-i', 'e7', '-t', 'e7', '-C', '1', '-v', '--exec', 'true')
    await feed('e7', 'e7', ['x'])
    assert.equal((await program.end()).stdout, 'e7 x\n')
  })
})

describe('--exec-ack', { concurrency: 2 }, () => {
  /** A tsmq-sub at a scripted broker, subscribed with QoS 1. */
  async function acking(t: Context, args: readonly string[]) {
    const scripted = await ScriptedBroker.start(t)
    const address = ['-h', '127.0.0.1', '-p', `${scripted.port}`]
    const program = command('tsmq-sub', [...address, '-q', '1', '-t', 'a', ...args])
    const peer = await scripted.peer()
    await peer.accept()
    await peer.expect(SUBSCRIBE)
    peer.send(suback(1, 1))
    return { peer, program }
  }
  const sent = (payload: string, packetId: number) => message('a', payload, { qos: 1, packetId })

  test('acknowledged after exit 0, in order of arrival whichever ends first', async (t) => {
    const { peer, program } = await acking(t, [
      '-C',
      '3',
      '--exec',
      'sh',
      '--exec-jobs',
      '3',
      '--exec-ack',
      '-c',
      'read s; sleep $s; echo $s',
    ])
    peer.send(sent('1\n', 1), sent('0.1\n', 2), sent('0\n', 3))
    await program.line('0.1')
    assert.deepEqual(peer.arrived, [])
    const acks = [await peer.expect(PUBACK), await peer.expect(PUBACK), await peer.expect(PUBACK)]
    assert.deepEqual(
      acks.map(({ packetId }) => packetId),
      [1, 2, 3],
    )
    await peer.expect(DISCONNECT)
    assert.equal((await program.end()).status, 0)
  })
  test('one that fails ends it with its status; that message and those behind it stay with the broker', async (t) => {
    const { peer, program } = await acking(t, ['--exec', 'sh', '--exec-ack', '-c', 'read s; exit $s'])
    peer.send(sent('0\n', 1), sent('5\n', 2), sent('0\n', 3))
    assert.equal((await program.end()).status, 5)
    const packets = await peer.closed()
    assert.deepEqual(
      packets.map((packet) => (packet.type === PUBACK ? packet.packetId : packet.type)),
      [1, DISCONNECT],
    )
  })
  test('what comes after the last one asked for is not acknowledged', async (t) => {
    const { peer, program } = await acking(t, ['-C', '1', '--exec', 'sh', '--exec-ack', '-c', 'sleep 0.2'])
    peer.send(sent('', 1), sent('', 2))
    assert.equal((await program.end()).status, 0)
    const packets = await peer.closed()
    assert.deepEqual(
      packets.map((packet) => (packet.type === PUBACK ? packet.packetId : packet.type)),
      [1, DISCONNECT],
    )
  })
})

describe('signals', { concurrency: 2 }, () => {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    test(`${signal} while something is expected: DISCONNECT, and ${status}`, async (t) => {
      const scripted = await ScriptedBroker.start(t)
      const program = command('tsmq-sub', ['-h', '127.0.0.1', '-p', `${scripted.port}`, '-t', 'a', '--expect', 'x'])
      const peer = await scripted.peer()
      await peer.accept()
      await peer.expect(SUBSCRIBE)
      program.kill(signal)
      await peer.expect(DISCONNECT)
      assert.deepEqual(await program.end(), { status, stdout: '', stderr: '' })
    })
  test('SIGTERM ends the program of --exec, too', async () => {
    const file = join(folder, 's1')
    const program = sub(
      '-i',
      's1',
      '-t',
      's1',
      '--exec',
      'sh',
      '-c',
      `trap 'echo ended > ${file}; exit' TERM; echo up; sleep 9 & wait`,
    )
    await until(() => broker.log.some((line) => line.includes('s1 ') && line.endsWith(' s1')), 's1 to subscribe')
    publisher.publish({ topic: 's1', payload: 'x' })
    await program.line('up')
    assert.equal((await program.stop('SIGTERM')).status, 0)
    await until(() => existsSync(file), 'the end of the program')
  })
  test('--summary: the table comes with the signal', async () => {
    const program = sub('-i', 's2', '-t', 's2', '--summary')
    await until(() => broker.log.some((line) => line.includes('s2 ') && line.endsWith(' s2')), 's2 to subscribe')
    const { status, stdout } = await program.stop('SIGINT')
    assert.equal(status, 0)
    assert.match(stdout, /^COUNT +RATE/)
  })
  test('a signal before CONNACK: 255', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const program = command('tsmq-sub', ['-h', '127.0.0.1', '-p', `${scripted.port}`, '-t', 'a', '--expect', 'x'])
    await (await scripted.peer()).expect(CONNECT)
    assert.equal((await program.stop('SIGINT')).status, 255)
  })
})
