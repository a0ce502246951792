// tsmq-pub with many messages: topics in the lines, JSON objects, recordings, and what happens when a line is none, the connection
// breaks or the broker refuses (features.md C7).

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { recordLine } from '../../src/cli/message-record.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { Publish, publishFlags } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { start, tool } from './client-tool.js'
import { described, taken } from './taken.js'

const { PUBLISH, PUBACK, DISCONNECT } = PacketType

const folder = mkdtempSync(join(tmpdir(), 'tsmq-sources-'))
after(() => rmSync(folder, { recursive: true }))

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const json = (object: Readonly<Record<string, unknown>>) => `${JSON.stringify({ payload: 'x', ...object })}\n`
const second = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString()

describe('tsmq-pub: topics from the input', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [name: string, args: readonly string[], input: string, expected: readonly string[]])[] = [
    ['--topic-separator', ['-l', '--topic-separator', ';'], 'a;1\nb/ü;2;3\nc;\n', ['a 1 q0 r0', 'b/ü 2;3 q0 r0', 'c  q0 r0']],
    ['--topic-separator of several bytes', ['-l', '--topic-separator', ': ', '-q', '1'], 'a: 1\nb: c:d', ['a 1 q1 r0', 'b c:d q1 r0']],
    ['--topic-separator, -t for lines without', ['-l', '--topic-separator', ' ', '-t', 'log', '-r'], 'a 1\nplain\n', ['a 1 q0 r1', 'log plain q0 r1']],
    ['--ndjson', ['--ndjson'], `${json({ topic: 'a', payload: 'ä' })}\n${json({ topic: 'b', qos: 2, retain: true })}`, ['a ä q0 r0', 'b x q2 r1']],
    ['--ndjson -', ['--ndjson', '-', '-t', 'd', '-q', '1', '-r'], json({}) + json({ topic: 'b', qos: 0, retain: false }), ['d x q1 r1', 'b x q0 r0']],
    ['--ndjson before another option', ['--ndjson', '-t', 'd'], json({}), ['d x q0 r0']],
    ['--ndjson, the last line without newline', ['--ndjson', '-t', 'd'], json({}).trimEnd(), ['d x q0 r0']],
    ['--ndjson, nothing', ['--ndjson'], '', []],
    ['--replay -', ['--replay', '-', '--speed', 'max'], json({ topic: 'a', tst: second(0) }) + json({ topic: 'b', tst: second(3600) }) + json({ topic: 'c' }), ['a x q0 r0', 'b x q0 r0', 'c x q0 r0']],
    ['--map', ['--replay', '-', '--speed', 'max', '--map', 'home/=test/home/', '--map', 'home/=no/', '--map', 'x=', '--map', 'a=b=c'], ['home/1', 'homely', 'x/y', 'y/x', 'a'].map((topic) => json({ topic })).join(''), ['test/home/1 x q0 r0', 'homely x q0 r0', '/y x q0 r0', 'y/x x q0 r0', 'b=c x q0 r0']],
  ]
  for (const [name, args, input, expected] of rows)
    test(name, async (t) => {
      const result = await taken(t, args, { input })
      assert.deepEqual(described(result), expected)
      assert.deepEqual([result.status, result.stderr, result.stdout.toString()], [0, '', ''])
    })
  test('--ndjson FILE', async (t) => {
    const path = fileOf(
      'messages.ndjson',
      Array.from({ length: 5000 }, (_, i) => json({ topic: 'n', payload: i })).join(''),
    )
    const { publishes, status } = await taken(t, ['--ndjson', path, '-q', '1'])
    assert.deepEqual(
      publishes.map(({ payload }) => Number(payload)),
      Array.from({ length: 5000 }, (_, i) => i),
    )
    assert.equal(status, 0)
  })
  test('--ndjson: properties, beside those of -D', async (t) => {
    const { publishes } = await taken(
      t,
      ['--ndjson', '-D', 'publish', 'content-type', 'x', '-D', 'publish', 'response-topic', 'r'],
      {
        input: json({ topic: 'a' }) + json({ topic: 'a', properties: { 'content-type': 'y' } }),
      },
    )
    assert.deepEqual(
      publishes.map(({ properties }) => ({ ...properties })),
      [
        { contentType: 'x', responseTopic: 'r' },
        { contentType: 'y', responseTopic: 'r' },
      ],
    )
  })
  test('what tsmq-sub --record has written goes out as it came in', async (t) => {
    const payload = Buffer.from([0, 0xff, 0x0a, 0x22])
    const properties = { correlationData: Buffer.from([0xfe]), userProperties: [['a', 'b'] as const] }
    const packet = new Publish(publishFlags(1, true, false), 'a/ä', 9, properties, payload, 0, payload.length)
    const { publishes } = await taken(t, ['-V', '5', '--ndjson'], { input: recordLine('a/ä', packet, 0) })
    const [sent] = publishes
    assert.deepEqual(
      [sent?.topic, sent?.qos, sent?.retain, sent?.payload, { ...sent?.properties }],
      ['a/ä', 1, true, payload, properties],
    )
  })
})

describe('tsmq-pub --replay: time', () => {
  const recording = [0, 0.2, 0.1, 0.3].map((n) => json({ topic: 'a', tst: second(n) })).join('')
  for (const [args, due] of [
    [[], [0, 200, 200, 300]],
    [
      ['--speed', '4'],
      [0, 50, 50, 75],
    ],
    [
      ['--speed', '0.5'],
      [0, 400, 400, 600],
    ],
  ] as const)
    test(`gaps with ${args.join(' ') || 'no --speed'}`, async (t) => {
      const path = fileOf('gaps', recording)
      const began = performance.now()
      const { times, status } = await taken(t, ['--replay', path, ...args])
      assert.deepEqual([times.length, status], [4, 0])
      for (const [at, time] of times.entries())
        assert.ok(time - began >= (due[at] ?? 0) - 1, `message ${at} came after ${time - began} ms`)
    })
})

describe('tsmq-pub: lines that are no message', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], input: string, says: RegExp])[] = [
    [['--ndjson'], `${json({ topic: 'a' })}nonsense\n${json({ topic: 'b' })}`, /^Error: standard input, line 2: no JSON/],
    [['--ndjson', '-q', '1'], `${json({ topic: 'a' })}\n${json({})}`, /line 3: no topic, and none is given with -t/],
    [['--ndjson'], json({ topic: 'a' }) + json({ topic: 'a/#' }), /line 2: topic: 'a\/#' has a wildcard/],
    [['--ndjson'], json({ topic: 'a' }) + json({ topic: '' }), /line 2: the topic is empty/],
    [['--ndjson'], json({ topic: 'a' }) + json({ topic: 'x'.repeat(65_536) }), /line 2: the topic is longer/],
    [['--replay', '-'], `${json({ topic: 'a' })}{"payload":1,"tst":""}\n`, /line 2: tst is no time/],
    [['-l', '--topic-separator', ';'], 'a;x\nplain\n', /line 2: no ';' in it, and no topic is given with -t/],
    [['-l', '--topic-separator', ';'], 'a;x\n;x\n', /line 2: the topic is empty/],
  ]
  for (const [args, input, says] of rows)
    test(`${args.join(' ')}: ${says.source}`, async (t) => {
      const result = await taken(t, args, { input })
      assert.deepEqual(described(result), [`a x q${args.includes('-q') ? 1 : 0} r0`])
      assert.match(result.stderr, says)
      assert.equal(result.status, 1)
    })
  test('properties without MQTT 5.0', async (t) => {
    const { status, stderr, publishes } = await taken(t, ['--ndjson'], {
      input: json({ topic: 'a', properties: { 'content-type': 'x' } }),
    })
    assert.match(stderr, /line 1: properties need MQTT 5\.0: -V 5/)
    assert.deepEqual([status, publishes.length], [1, 0])
  })
  test('a file that is not there', async (t) => {
    const { status, stderr } = await taken(t, ['--ndjson', join(folder, 'missing')])
    assert.match(stderr, /cannot read .*missing: ENOENT/)
    assert.equal(status, 1)
  })
})

describe('tsmq-pub: wrong usage of what reads messages', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    [['--ndjson', '-', '-m', 'x'], /only one of/],
    [['--ndjson', '--replay', 'x'], /only one of/],
    [['--topic-separator', ';', '-t', 'a', '-m', 'x'], /--topic-separator needs --stdin-line too/],
    [['-l', '--topic-separator', ''], /--topic-separator must not be empty/],
    [['--speed', '2', '--ndjson'], /--speed needs --replay too/],
    [['--map', 'a=b', '--ndjson'], /--map needs --replay too/],
    [['--replay', 'x', '--speed', '0'], /--speed must be a number above 0, or max, not '0'/],
    [['--replay', 'x', '--speed', 'fast'], /--speed must be/],
    [['--replay', 'x', '--map', 'nonsense'], /--map must be OLD=NEW/],
    [['--replay', 'x', '--map', '=b'], /--map must be OLD=NEW/],
    [['--ndjson', '--repeat', '2'], /--repeat and --repeat-delay cannot be used with --ndjson/],
    [['--replay', 'x', '--repeat-delay', '2'], /cannot be used with --replay/],
    [['--confirm', '1', '--ndjson'], /--confirm and --ndjson cannot be used together/],
    [['--replay'], /--replay needs FILE/],
  ]
  for (const [args, says] of rows)
    test(args.join(' '), async () => {
      const { status, stdout, stderr } = await tool('tsmq-pub', 1, args)
      assert.match(stderr, says)
      assert.deepEqual([status, stdout.toString()], [1, ''])
    })
  test('--repeat with -l repeats nothing, and says so', async (t) => {
    const result = await taken(t, ['-t', 'a', '-l', '--repeat', '2'], { input: 'x\n' })
    assert.deepEqual(described(result), ['a x q0 r0'])
    assert.match(result.stderr, /^Warning: --repeat and --repeat-delay have no effect with -l\n$/)
    assert.equal(result.status, 0)
  })
})

describe('tsmq-pub: refusals and lost connections while there is more to send', () => {
  test('--ndjson: refused messages are told, the first in words, and the others still go out', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const input = json({ topic: 'a' }).repeat(4)
    const run = start('tsmq-pub', broker.port, ['-V', '5', '--ndjson', '-q', '1'], { input })
    const peer = await broker.peer()
    await peer.accept()
    await peer.take(4)
    for (const [packetId, reasonCode] of [[1, 0], [2, 0x87], [3, 0x97], [4, 0]] as const) // biome-ignore format: as they come
      peer.send({ type: PUBACK, packetId, reasonCode, properties: NO_PROPERTIES })
    await peer.expect(DISCONNECT)
    assert.equal((await run.result).status, 0x87)
    assert.equal(
      run.stderr,
      'Error: publish refused by the broker: Not authorized\nError: 2 of 4 messages were not delivered\n',
    )
  })
  test('--replay: nothing with QoS 0 is sent into a gap between two connections', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const path = fileOf(
      'reconnect',
      [0, 0.2, 0.25].map((n) => json({ topic: 'a', payload: n, tst: second(n) })).join(''),
    )
    const run = start('tsmq-pub', broker.port, ['--replay', path])
    const peer = await broker.peer()
    await peer.accept()
    await peer.expect(PUBLISH)
    peer.drop()
    const next = await broker.peer(2)
    await next.accept()
    const payloads = [await next.expect(PUBLISH), await next.expect(PUBLISH)].map(({ payload }) => Number(payload))
    await next.expect(DISCONNECT)
    assert.deepEqual(payloads, [0.2, 0.25])
    assert.deepEqual([(await run.result).status, run.stderr], [0, ''])
  })
  test('-l: short lines that wait for a connection keep their bytes', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`)
    const run = start('tsmq-pub', broker.port, ['-t', 'a', '-l', '-q', '1'], { input: `${lines.join('\n')}\n` })
    const peer = await broker.peer()
    await peer.accept()
    await peer.take(20)
    peer.drop()
    const next = await broker.peer(2)
    await next.accept()
    const seen: string[] = []
    while (seen.length < lines.length) {
      const { packetId, payload } = await next.expect(PUBLISH)
      seen.push(payload.toString())
      next.send({ type: PUBACK, packetId, reasonCode: 0, properties: NO_PROPERTIES })
    }
    await next.expect(DISCONNECT)
    assert.deepEqual(seen, lines)
    assert.equal((await run.result).status, 0)
  })
})
