// tsmq-pub as people meet it: on a pseudo-terminal, with large files, odd names, pipes that end, and long input.

import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { command } from '../support/tsmq-process.js'
import { until } from './client-tool.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-pub-'))
const hasScript = process.env.CI !== undefined || spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0
const PUB = `'${process.execPath}' '${resolve('bin', 'tsmq-pub')}'`

let broker: TestBroker
before(async () => {
  broker = await startBroker({ conf: 'max_packet_size 268435460', debug: false })
})
after(async () => {
  await broker.stop()
  rmSync(folder, { recursive: true })
})

const at = () => ['-h', '127.0.0.1', '-p', String(broker.port)]

/** A command on a pseudo-terminal: what it shows, and how it ended. */
function onTerminal(line: string, env: Readonly<Record<string, string>> = {}, columns = 80) {
  const { CI: _, ...inherited } = process.env
  const child = spawn('script', ['-qec', `stty cols ${columns}; ${line}`, '/dev/null'], {
    env: { ...inherited, TERM: 'xterm', ...env },
  })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString()
  })
  const status = new Promise<number | null>((done) => child.once('close', done))
  return { status, type: (text: string) => child.stdin.write(text), shown: () => shown }
}

describe(`a terminal${hasScript ? '' : ' (skipped: no script)'}`, { skip: !hasScript, concurrency: 2 }, () => {
  test('progress of --repeat, on stderr alone', async () => {
    const out = join(folder, 'out')
    const args = `${at().join(' ')} -t beat -m x --repeat 40 --repeat-delay 0.03`
    const run = onTerminal(`${PUB} ${args} > '${out}'`)
    assert.equal(await run.status, 0)
    assert.match(run.shown(), /publishing message \d+ of 40/)
    assert.equal(readFileSync(out, 'utf8'), '')
  })
  test('progress of a large -f: how much has left', async (t) => {
    const file = join(folder, 'slow')
    spawnSync('truncate', ['-s', '40000000', file])
    // Accepts, and then reads nothing for as long as it takes to see that.
    const server = createServer((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from('20020000', 'hex'))
        socket.pause()
        until(() => run.shown().includes('publishing'), 'the progress').then(() => socket.resume())
      })
    })
    t.after(() => server.close())
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const run = onTerminal(`${PUB} -h 127.0.0.1 -p ${(server.address() as AddressInfo).port} -t a -f '${file}'`)
    assert.equal(await run.status, 0)
    const [, sent, percent] = /publishing: ([\d.]+) of 40 MB \((\d+) %\)/.exec(run.shown()) ?? []
    assert.ok(Number(sent) < 40 && Number(percent) < 100, run.shown())
    // Whole per cent that were reached, of a size that is shown to a tenth: at most 0.05 MB from what was sent.
    const before = Number(percent) - (100 * (Number(sent) - 0.05)) / 40
    assert.ok(before > -1 && before <= 0.25, run.shown())
  })
  test('progress of -f: how much has been read', async () => {
    const pipe = join(folder, 'pipe')
    spawnSync('mkfifo', [pipe])
    const run = onTerminal(
      `(head -c 2500000 /dev/zero; sleep 1) > '${pipe}' & ${PUB} ${at().join(' ')} -t a -f '${pipe}'`,
    )
    assert.equal(await run.status, 0)
    assert.match(run.shown(), /reading .*pipe: 2\.5 MB/)
  })
  test('nothing is drawn where lines are typed', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const run = onTerminal(`${PUB} -h 127.0.0.1 -p ${scripted.port} -t a -l`)
    await (await scripted.peer()).accept()
    const from = Date.now()
    await until(() => Date.now() - from > 1200, 'the time of a spinner')
    assert.equal(run.shown(), '')
    run.type('\x04')
    assert.equal(await run.status, 0)
  })
  test('nothing is drawn in the background', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const line = `${PUB} -h 127.0.0.1 -p ${scripted.port} -t a -n`
    const run = onTerminal(`bash -c 'set -m; ${line.replaceAll("'", '"')} & wait'`)
    const peer = await scripted.peer()
    await peer.expect(PacketType.CONNECT)
    const from = Date.now()
    await until(() => Date.now() - from > 1200, 'the time of a spinner')
    assert.equal(run.shown(), '')
    peer.drop()
    await run.status
  })
  test('progress of --replay', async () => {
    const file = join(folder, 'recording')
    const lines = [0, 1, 2].map((n) => `{"topic":"a","payload":${n},"tst":"2026-01-01T00:00:0${n}Z"}\n`)
    writeFileSync(file, lines.join(''))
    const run = onTerminal(`${PUB} ${at().join(' ')} --replay '${file}' --speed 2`)
    assert.equal(await run.status, 0)
    assert.match(run.shown(), /publishing message \d/)
  })
  for (const [name, env, args] of [
    ['--quiet', {}, '--quiet'],
    ['TERM=dumb', { TERM: 'dumb' }, ''],
  ] as const)
    test(`none with ${name}`, async () => {
      const run = onTerminal(`${PUB} ${at().join(' ')} -t a -m x --repeat 3 --repeat-delay 0.3 ${args}`, env)
      assert.equal(await run.status, 0)
      assert.equal(run.shown(), '')
    })
  test('none where the terminal does not say how wide it is', async () => {
    const run = onTerminal(`${PUB} ${at().join(' ')} -t a -m x --repeat 3 --repeat-delay 0.3`, {}, 0)
    assert.equal(await run.status, 0)
    assert.equal(run.shown(), '')
  })
  test('a short run shows nothing', async () => {
    const run = onTerminal(`${PUB} ${at().join(' ')} -t a -m x`)
    assert.equal(await run.status, 0)
    assert.equal(run.shown(), '')
  })
  test('Ctrl-C while lines are typed: DISCONNECT, 130', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const run = onTerminal(`${PUB} -h 127.0.0.1 -p ${scripted.port} -t a -l`)
    const peer = await scripted.peer()
    await peer.accept()
    run.type('typed\n')
    assert.equal((await peer.expect(PacketType.PUBLISH)).payload.toString(), 'typed')
    run.type('\x03')
    await peer.expect(PacketType.DISCONNECT)
    assert.equal(await run.status, 130)
  })
  test('Ctrl-C while waiting for an answer to CONNECT: 130, and the cursor is back', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const run = onTerminal(`${PUB} -h 127.0.0.1 -p ${scripted.port} -t a -n`)
    await (await scripted.peer()).expect(PacketType.CONNECT)
    await until(() => run.shown().includes('connecting to'), 'the spinner')
    run.type('\x03')
    assert.equal(await run.status, 130)
    assert.ok(run.shown().lastIndexOf('\x1b[?25h') > run.shown().lastIndexOf('\x1b[?25l'))
  })
  for (const [name, env, isColoured] of [
    ['coloured', { FORCE_COLOR: '' }, true],
    ['not coloured with NO_COLOR', { NO_COLOR: '1' }, false],
  ] as const)
    test(`the spinner is ${name}`, async () => {
      const run = onTerminal(`${PUB} ${at().join(' ')} -t a -m x --repeat 2 --repeat-delay 1`, env)
      assert.equal(await run.status, 0)
      assert.match(run.shown(), /publishing message 1 of 2/)
      assert.equal(run.shown().includes('\x1b[36m'), isColoured)
    })
  test('errors are red, and with NO_COLOR they are not', async () => {
    const line = `${PUB} -h 127.0.0.1 -p 1 -t a -n`
    const plain = onTerminal(line, { NO_COLOR: '1' })
    assert.equal(await plain.status, 69)
    assert.match(plain.shown(), /^Error: cannot connect/)
    const coloured = onTerminal(line, { FORCE_COLOR: '', NO_COLOR: '' })
    await coloured.status
    assert.match(coloured.shown(), /\x1b\[31mError:\x1b\[39m cannot connect/)
  })
})

describe('large payloads', () => {
  const SIZE = 100 * 1024 * 1024
  const file = join(folder, 'large')
  const bytes = Buffer.alloc(SIZE, 'abcdefghijklmnopqrstuvwxyz0123456789\n')
  const wanted = createHash('sha256').update(bytes).digest('hex')
  before(() => writeFileSync(file, bytes))

  for (const [name, args] of [
    ['-f', `-f '${file}'`],
    ['-s from a file', `-s < '${file}'`],
    ['-s from a pipe', `-s < <(cat '${file}')`],
  ] as const)
    test(`100 MiB with ${name}`, async () => {
      // The fixed header, and the topic.
      const sink = await startSink(1 + 4 + 2 + 'large'.length, SIZE)
      const { status, stdout, stderr } = await shell(`${PUB} -h 127.0.0.1 -p ${sink.port} -t large ${args}`)
      assert.deepEqual([status, stdout, stderr, await sink.digest()], [0, '', '', wanted])
      sink.close()
    })
  for (const qos of [0, 1])
    test(`7: the broker does not take so much, QoS ${qos}`, async () => {
      const small = await startBroker({ conf: 'max_packet_size 1000000', debug: false })
      const line = `${PUB} -h 127.0.0.1 -p ${small.port} -t large -q ${qos} -f '${file}'`
      const { status, stderr } = await shell(line)
      await small.stop()
      assert.match(stderr, /^Error: connection lost: /)
      assert.equal(status, 7)
    })
  test('more than a packet of MQTT can hold, with its topic', async () => {
    const most = join(folder, 'most')
    spawnSync('truncate', ['-s', '268435455', most])
    const { status, stderr } = await shell(`${PUB} ${at().join(' ')} -t large -f '${most}'`)
    assert.deepEqual([status, stderr], [7, 'Error: a packet of 268435467 bytes is more than MQTT allows (268435460)\n'])
  })
})

/** Accepts a client; then skips some bytes and takes the digest of some more. */
async function startSink(skip: number, size: number) {
  const hash = createHash('sha256')
  let at = 0
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.from('20020000', 'hex'))
      socket.on('data', (chunk: Buffer) => {
        hash.update(chunk.subarray(Math.max(0, skip - at), Math.max(0, skip + size - at)))
        at += chunk.length
      })
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const digest = async () => {
    await until(() => at >= skip + size, 'all bytes')
    return hash.digest('hex')
  }
  return { port, digest, close: () => server.close() }
}

/** Runs a line of shell. */
function shell(line: string): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((done) => {
    execFile('/bin/bash', ['-o', 'pipefail', '-c', line], { maxBuffer: 1 << 28 }, (error, stdout, stderr) =>
      done({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    )
  })
}

describe('input of many lines', () => {
  for (const [name, input] of [
    ['a pipe', '| PUB'],
    ['a file', `> '${join(folder, 'lines')}'; PUB < '${join(folder, 'lines')}'`],
  ] as const)
    test(`100,000 from ${name}, each as it was`, async () => {
      const { client } = await RawClient.connect(broker.port)
      await client.subscribe('lines')
      const pub = `${PUB} ${at().join(' ')} -t lines -l`
      const run = shell(`seq 100000 ${input.replace('PUB', pub)}`)
      for (let n = 1; n <= 100_000; n++) {
        const packet = await client.next()
        if (packet.type !== PacketType.PUBLISH || Number(packet.payload) !== n) assert.fail(`line ${n} is missing`)
      }
      assert.equal((await run).status, 0)
      client.disconnect()
    })
  test('a line of 5 MB among short ones, Windows line ends, and no UTF-8', async () => {
    const { client } = await RawClient.connect(broker.port)
    await client.subscribe('mixed')
    const pub = command('tsmq-pub', [...at(), '-t', 'mixed', '-l', '-q', '1'])
    const long = 'y'.repeat(5_000_000)
    pub.write(`a\r\n${long}\n\xff\n`)
    pub.endInput()
    const seen: Buffer[] = []
    while (seen.length < 3) {
      const packet = await client.next()
      if (packet.type === PacketType.PUBLISH) seen.push(Buffer.from(packet.payload))
    }
    assert.deepEqual([seen[0]?.toString(), seen[1]?.length, seen[2]?.toString()], ['a\r', long.length, '\xff'])
    assert.equal((await pub.end()).status, 0)
    client.disconnect()
  })
  test('memory does not grow with the input', { skip: !existsSync('/proc/self/status') }, async () => {
    let received = 0
    const counter = createServer((socket) => {
      socket.once('data', () => socket.write(Buffer.from('20020000', 'hex')))
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length
      })
    })
    await new Promise<void>((done) => counter.listen(0, '127.0.0.1', done))
    const { port } = counter.address() as AddressInfo
    const pub = command('tsmq-pub', ['-h', '127.0.0.1', '-p', String(port), '-t', 'm', '-l'])
    const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pub.pid}/status`, 'utf8'))?.[1]) / 1024
    const lines = '0123456789\n'.repeat(500_000)
    const feed = async (times: number) => {
      // Header, topic and payload of each are 15 bytes.
      const wanted = received + times * 500_000 * 15
      for (let i = 0; i < times; i++) pub.write(lines)
      await until(() => received >= wanted, 'the lines to arrive')
    }
    await feed(2)
    const first = resident()
    await feed(8)
    const grown = resident() - first
    pub.endInput()
    assert.equal((await pub.end()).status, 0)
    counter.close()
    // A buffer for each 64 KiB read would be 44 MB.
    assert.ok(grown < 12, `grown by ${grown} MB`)
  })
})

describe('names', () => {
  test('a topic, a user and a client id that are not ASCII', async () => {
    const { client } = await RawClient.connect(broker.port)
    await client.subscribe('größe/#')
    const args = [...at(), '-t', 'größe/日本/🚀', '-m', 'grüße', '-u', 'jürgen', '-i', 'gerät-ü']
    assert.equal((await command('tsmq-pub', args).end()).status, 0)
    const packet = await client.next()
    assert.equal(packet.type === PacketType.PUBLISH && `${packet.topic} ${packet.payload}`, 'größe/日本/🚀 grüße')
    client.disconnect()
  })
})
