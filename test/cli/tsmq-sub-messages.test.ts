// tsmq-sub: what becomes of each message, step by step (sub.md section 3), and what it adds to mosquitto_sub: assertions, changes,
// tables, recordings, the end when it goes quiet.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseJsonMessage } from '../../src/cli/json-message.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { start, until } from './client-tool.js'
import { message, suback, subscribed } from './subscribed-tool.js'

const { DISCONNECT, PUBACK, PUBLISH, SUBSCRIBE } = PacketType

const kept = (topic: string, payload: string) => message(topic, payload, { retain: true })
const puback = (packetId: number, reasonCode: 0 | 0x87 = 0) =>
  ({ type: PUBACK, packetId, reasonCode, properties: NO_PROPERTIES }) as const

describe('tsmq-sub: messages that end it or are left out', { concurrency: true }, () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [name: string, args: readonly string[], sent: readonly ReturnType<typeof message>[], printed: string])[] = [
    ['--retained-only ends with the first that is not', ['--retained-only'], [kept('a', 'x'), kept('b', 'y'), message('a', 'z'), kept('c', 'w')], 'x\ny\n'],
    ['--retained-only, none is retained', ['--retained-only'], [message('a', 'z')], ''],
    ['--retained-only and -C: whichever comes first', ['--retained-only', '-C', '1'], [kept('a', 'x'), kept('b', 'y')], 'x\n'],
    ['--retained-only and -T: what is filtered out ends it, too', ['--retained-only', '-T', 'b'], [kept('b', 'y'), kept('a', 'x'), message('b', 'z')], 'x\n'],
    ['--changes: the same payload again is not there', ['--changes', '-C', '3'], ['x', 'x', 'y', 'y', '', '', 'x', 'z'].map((payload) => message('a', payload)), 'x\ny\n'],
    ['--changes goes by topic', ['--changes', '-v', '-C', '3'], [message('a', 'x'), message('b', 'x'), message('a', 'x'), message('a', 'y')], 'a x\nb x\na y\n'],
    ['--changes of long payloads', ['--changes', '-F', '%l', '-C', '2'], [message('a', 'x'.repeat(99)), message('a', 'x'.repeat(99)), message('a', `${'x'.repeat(98)}y`)], '99\n99\n'],
    ['--random-filter 100 prints all', ['--random-filter', '100', '-C', '3'], ['1', '2', '3'].map((payload) => message('a', payload)), '1\n2\n3\n'],
    ['--raw changes nothing in a pipe', ['--raw', '-C', '1'], [message('a', '\x1b')], '\x1b\n'],
    ['--dry-run lists topics', ['--remove-retained', '--dry-run', '-C', '2'], [kept('a', 'x'), kept('b', '1'), kept('c', 'z')], 'a\nb\n'],
    ['--dry-run leaves out what is not retained', ['--remove-retained', '--dry-run', '-C', '2'], [kept('a', 'x'), message('b', '1')], 'a\n'],
    ['--dry-run with -v', ['--remove-retained', '--dry-run', '-C', '1', '-v'], [kept('a', 'x')], 'a x\n'],
    ['-w', ['-w', '-C', '4'], [message('a', 'one'), message('b', ''), message('c', 'three'), message('a', '1')],
      '\x1b[2J\x1b[1;1HBroker: 127.0.0.1\n\x1b[2;1H\x1b[Kone\n\x1b[2;1H\n\x1b[3;1H\x1b[K\x1b[3;1H\n\x1b[4;1H\x1b[Kthree\n\x1b[4;1H\n\x1b[2;1H\x1b[K1\n\x1b[4;1H\n'],
  ]
  for (const [name, args, sent, printed] of rows)
    test(name, async (t) => {
      const { peer, run } = await subscribed(t, ['-t', '#', ...args])
      peer.send(...sent)
      const { status, stdout, stderr } = await run.result
      assert.deepEqual([status, stdout.toString(), stderr], [0, printed, ''])
      const [last] = (await peer.closed()).splice(-1)
      assert.equal(last?.type, DISCONNECT)
    })
  test('--random-filter prints a part, and -C counts all', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--random-filter', '25', '-C', '4000'])
    peer.send(...Array.from({ length: 4000 }, () => message('a', 'x')))
    const lines = (await run.result).stdout.toString().split('\n').length - 1
    // Seven standard deviations to either side.
    assert.ok(lines > 800 && lines < 1200, `${lines} lines`)
  })
  test('--message-rate prints numbers instead, whatever -C and -w say, until a signal or -W', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--message-rate', '-w', '-C', '1', '-W', '3'])
    peer.send(message('a', 'x'), message('a', 'y'))
    const { status, stdout } = await run.result
    assert.match(stdout.toString(), /^2 msgs\/s\n0 msgs\/s\n(0 msgs\/s\n)?$/)
    assert.equal(status, 27)
  })
})

describe('tsmq-sub --remove-retained', () => {
  const clear = { topic: 'a', qos: 1, retain: true, payload: '' }
  const cleared = async (peer: Awaited<ReturnType<typeof subscribed>>['peer']) => {
    const { topic, qos, retain, payload, packetId } = await peer.expect(PUBLISH)
    return { packetId, fields: { topic, qos, retain, payload: payload.toString() } }
  }
  test('publishes an empty retained message with QoS 1, and prints the old one', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--remove-retained', '-C', '2'])
    peer.send(kept('a', 'x'))
    const { packetId, fields } = await cleared(peer)
    assert.deepEqual(fields, clear)
    peer.send(puback(packetId), message('a', 'y'))
    assert.deepEqual((await run.result).stdout.toString(), 'x\ny\n')
  })
  test('-C is reached: it ends when the removal is acknowledged', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--remove-retained', '-C', '1'])
    peer.send(kept('a', 'x'))
    const { packetId } = await cleared(peer)
    await until(() => run.stdout.length > 0, 'the message')
    assert.deepEqual(peer.arrived, [])
    peer.send(puback(packetId))
    await peer.expect(DISCONNECT)
    assert.equal((await run.result).status, 0)
  })
  test('--retained-only: the removal that comes back ends it', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--remove-retained', '--retained-only', '-v'])
    peer.send(kept('a', 'x'), message('a', ''))
    const { packetId } = await cleared(peer)
    peer.send(puback(packetId))
    const { status, stdout } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, 'a x\n'])
  })
  test('-R and -T keep messages from being removed', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--remove-retained', '-T', 'b', '-C', '1'])
    peer.send(kept('b', 'x'), message('a', 'y'))
    await run.result
    assert.deepEqual(
      (await peer.closed()).map(({ type }) => type),
      [DISCONNECT],
    )
  })
  test('a removal that the broker refuses is told, and the exit status is its reason code', async (t) => {
    const { peer, run } = await subscribed(t, ['-V', '5', '-t', '#', '--remove-retained', '-C', '1'])
    peer.send(kept('a', 'x'))
    const { packetId } = await cleared(peer)
    peer.send(puback(packetId, 0x87))
    const { status, stderr } = await run.result
    assert.equal(status, 0x87)
    assert.match(stderr, /^Error: the message on a was not removed: .*Not authorized/)
  })
})

describe('tsmq-sub: assertions', { concurrency: true }, () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], payloads: readonly string[], status: number, says?: RegExp])[] = [
    [['--expect', 'pong'], ['ping', 'pong', 'pang'], 0],
    [['--expect', ''], ['ping', ''], 0],
    [['--expect', 'pong', '-C', '1'], ['ping'], 65, /^Error: wanted a message that is 'pong'; got a 'ping'\n$/],
    [['--expect', 'pong', '-C', '2'], ['ping', 'pung'], 65, /got a 'pung', the last of 2 messages\n$/],
    [['--expect', 'pong', '--retained-only'], ['pong'], 65, /got none/],
    [['--expect', 'pong', '--idle', '0.05'], ['ping'], 65, /got a 'ping'/],
    [['--expect', 'pong', '-W', '1'], ['ping'], 27, /^Error: Timed out\nError: wanted a message that is 'pong'; got a 'ping'\n$/],
    [['--expect', 'pong', '-W', '1', '--quiet'], ['ping'], 27, /^$/],
    [['--expect-regex', '^p.ng$'], ['pin', 'pung'], 0],
    [['--expect-regex', 'ü+', '--expect-regex', '^a'], ['üü', 'ab', 'aüü'], 0],
    [['--expect-regex', '^x', '-C', '1'], ['pin'], 65, /wanted a message that matches \/\^x\//],
    [['--expect-json', '/a/1=20'], ['no json', '{"a":[1,"20"]}', '{"a":[1,20]}'], 0],
    [['--expect-json', '/a="20"', '-C', '1'], ['{"a":20}'], 65, /whose \/a is "20"; got a '\{"a":20\}'/],
    [['--expect-json', '/state=on'], ['{"state":"off"}', '{"state":"on"}'], 0],
    [['--expect-json', '/a~1b/m~0n=null'], ['{"a/b":{}}', '{"a/b":{"m~n":null}}'], 0],
    [['--expect-json', '={"b":1,"a":[]}'], ['{"b":1}', '{"a":[],"b":1}'], 0],
    [['--expect-json', '/a=1', '--expect-json', '/b=2', '--expect-regex', 'c'], ['{"a":1,"b":2}', '{"a":1,"c":2}', '{"a":1,"b":2,"c":3}'], 0],
    [['--expect-json', '/toString=1', '-C', '1'], ['{}'], 65, /whose \/toString is 1/],
    [['--expect-none', '-W', '1'], [], 0],
    [['--expect-none', '--idle', '0.05'], [], 0],
    [['--expect-none', '-W', '5'], ['x'], 65, /^Error: no message was expected; got one on a\n$/],
  ]
  for (const [args, payloads, expected, says = /^$/] of rows)
    test(`${expected}: ${args.join(' ')} with ${JSON.stringify(payloads)}`, async (t) => {
      const { peer, run } = await subscribed(t, ['-t', '#', ...args])
      if (payloads.length > 0) peer.send(...payloads.map((payload) => message('a', payload)))
      const { status, stdout, stderr } = await run.result
      assert.equal(status, expected)
      assert.match(stderr, says)
      // Everything that was looked at is printed.
      const last = expected === 0 ? payloads.length : 1
      if (!args.includes('--retained-only') && payloads[0])
        assert.ok(stdout.toString().startsWith(`${payloads[0]}\n`), `${last}`)
    })
  test('--expect-none: what -T and -R leave out is nothing', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--expect-none', '--idle', '0.1', '-T', 'b', '-R'])
    peer.send(message('b', 'x'), kept('a', 'x'))
    assert.equal((await run.result).status, 0)
  })
  for (const args of [
    ['--expect', 'x'],
    ['--expect-none', '-W', '5'],
    ['--ready-fd', '1'],
  ])
    test(`${args.join(' ')}: a filter that is refused ends it with the code of SUBACK`, async (t) => {
      const broker = await ScriptedBroker.start(t)
      const run = start('tsmq-sub', broker.port, ['-V', '5', '-t', 'a', '-t', 'b', ...args])
      const peer = await broker.peer()
      await peer.accept()
      await peer.expect(SUBSCRIBE)
      peer.send(suback(1, 0, 0x87))
      const { status, stderr } = await run.result
      assert.deepEqual([status, stderr], [0x87, 'Error: the broker refused the subscription to b\n'])
    })
})

describe('tsmq-sub --idle', { concurrency: true }, () => {
  test('counts from SUBACK, and again from each message', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--idle', '0.3'])
    const started = performance.now()
    for (let count = 0; count < 3; count++) {
      peer.send(message('a', 'x'))
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    const { status, stdout } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, 'x\nx\nx\n'])
    assert.ok(performance.now() - started > 590)
  })
  test('does not count before SUBACK', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-t', '#', '--idle', '0.05', '-W', '1'])
    const peer = await broker.peer()
    await peer.accept()
    assert.equal((await run.result).status, 27)
  })
})

describe('tsmq-sub --summary', { concurrency: true }, () => {
  const sent = [message('b', 'xyz'), kept('a/ü', ''), message('b', '12345'), message('a/ü', 'z')]
  test('prints a table at the end instead of the messages', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--summary', '-C', '4'])
    peer.send(...sent)
    const { stdout } = await run.result
    const rows = stdout.toString().split('\n')
    const [heading = '', first = '', second = '', end] = rows.map((row) => row.trim().split(/ {2,}/))
    assert.deepEqual(heading, ['COUNT', 'RATE', 'BYTES', 'RETAINED', 'LAST SEEN', 'TOPIC'])
    const columns = (row: readonly string[]) => [row[0], row[2], row[3], row[5]]
    assert.deepEqual(columns(first as string[]), ['2', '1', '1', 'a/ü'])
    assert.deepEqual(columns(second as string[]), ['2', '8', '0', 'b'])
    assert.match(first[1] ?? '', /^\d+\.\d\/s$/)
    assert.match(first[4] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d{4}$/)
    assert.deepEqual(end, [''])
  })
  test('and every so many seconds', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '--summary', '1', '-W', '2'])
    peer.send(...sent)
    const { status, stdout } = await run.result
    assert.equal(status, 27)
    assert.ok(stdout.toString().match(/COUNT/g)?.length === 2 || stdout.toString().match(/COUNT/g)?.length === 3)
  })
})

describe('tsmq-sub --record', () => {
  const properties = {
    contentType: 'text/plain',
    correlationData: Buffer.from([0xff, 0]),
    responseTopic: 'r',
    messageExpiryInterval: 9,
    userProperties: [
      ['k', 'v'],
      ['k', 'ü'],
    ] as const,
    subscriptionIdentifiers: [7],
  }
  const sent = [
    message('a', 'one'),
    message('b/ü', Buffer.from([0xff, 0, 0x0a]), { retain: true }),
    message('c', '', { qos: 1, packetId: 5 }),
    message('d', 'x\n"\0', { properties }),
  ]
  const lines = [
    { topic: 'a', qos: 0, retain: false, payload: 'one' },
    { topic: 'b/ü', qos: 0, retain: true, payload_b64: '/wAK' },
    { topic: 'c', qos: 1, retain: false, payload: '', mid: 5 },
    {
      topic: 'd',
      qos: 0,
      retain: false,
      payload: 'x\n"\0',
      properties: {
        'content-type': 'text/plain',
        'correlation-data_b64': '/wA=',
        'response-topic': 'r',
        'message-expiry-interval': 9,
        'user-properties': [{ k: 'v' }, { k: 'ü' }],
      },
    },
  ]
  const read = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { tst, ...others } = JSON.parse(line)
        assert.match(tst, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[-+]\d{4}$/)
        return others
      })

  test('writes a file for its owner alone, in place of what it held, and prints all the same', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmq-record-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'r.ndjson')
    writeFileSync(file, 'old', { mode: 0o644 })
    const { peer, run } = await subscribed(t, ['-V', '5', '-t', '#', '-C', '4', '-F', '%t', '--record', file])
    peer.send(...sent)
    const { status, stdout } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, 'a\nb/ü\nc\nd\n'])
    const text = readFileSync(file, 'utf8')
    assert.deepEqual(read(text), lines)
    if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600)
    // tsmq-pub reads what is written here.
    for (const [at, line] of text.trimEnd().split('\n').entries()) {
      const parsed = parseJsonMessage(Buffer.from(line))
      assert.deepEqual([parsed.topic, parsed.qos, parsed.retain], [lines[at]?.topic, lines[at]?.qos, lines[at]?.retain])
      assert.equal(parsed.payload.equals(sent[at]?.payload ?? Buffer.alloc(0)), true)
      const { subscriptionIdentifiers, ...publishable } = at === 3 ? properties : { subscriptionIdentifiers: undefined }
      assert.deepEqual({ ...parsed.properties }, publishable)
    }
  })
  test('- writes to standard output, and nothing else is printed there', async (t) => {
    const { peer, run } = await subscribed(t, ['-V', '5', '-t', '#', '-C', '4', '--record', '-'])
    peer.send(...sent)
    assert.deepEqual(read((await run.result).stdout.toString()), lines)
  })
})

describe('tsmq-sub on a terminal', () => {
  const shows = async (
    t: Parameters<typeof subscribed>[0],
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    sent: ReturnType<typeof message>,
    terminal = true,
  ) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-C', '1', ...args], { terminal, env })
    peer.send(sent)
    return (await run.result).stdout.toString()
  }
  const coloured = '\x1b[36ma\x1b[39m\x1b[2m/\x1b[22m\x1b[32mb\x1b[39m'
  // biome-ignore format: one row a line
  const rows: readonly (readonly [name: string, args: readonly string[], env: Readonly<Record<string, string>>, sent: ReturnType<typeof message>, expected: string, terminal?: false])[] = [
    ['-v: each level has a colour', ['-v'], {}, message('a/b', 'x'), `${coloured} x\n`],
    ['-v: retained messages are marked', ['-v'], {}, kept('a/b', 'x'), `${coloured} \x1b[2m[retained]\x1b[22m x\n`],
    ['NO_COLOR', ['-v'], { NO_COLOR: '1' }, kept('a/b', 'x'), 'a/b [retained] x\n'],
    ['NO_COLOR empty', ['-v'], { NO_COLOR: '' }, message('a/b', 'x'), `${coloured} x\n`],
    ['TERM=dumb', ['-v'], { TERM: 'dumb' }, message('a/b', 'x'), 'a/b x\n'],
    ['--quiet', ['-v', '--quiet'], {}, message('a/b', 'x'), 'a/b x\n'],
    ['FORCE_COLOR wins over NO_COLOR and dumb', ['-v'], { FORCE_COLOR: '1', NO_COLOR: '1', TERM: 'dumb' }, message('a/b', 'x'), `${coloured} x\n`],
    ['FORCE_COLOR=0', ['-v'], { FORCE_COLOR: '0' }, message('a/b', 'x'), 'a/b x\n'],
    ['FORCE_COLOR in a pipe: colour, but no mark', ['-v'], { FORCE_COLOR: '1' }, kept('a/b', 'x'), `${coloured} x\n`, false],
    ['a pipe', ['-v'], {}, kept('a/b', '\x1b'), 'a/b \x1b\n', false],
    ['payloads are escaped', ['-v', '--quiet'], {}, message('a', '\x1b[2J\x7f'), 'a \\x1b[2J\\x7f\n'],
    ['--raw', ['-v', '--raw'], {}, kept('a/b', '\x1b[1m'), 'a/b \x1b[1m\n'],
    ['--pretty lays out payloads that are JSON', ['--pretty', '--quiet'], {}, message('a', '{"k":[1]}'), '{\n\t"k":\t[1]\n}\n'],
    ['--pretty in colour', ['--pretty'], {}, message('a', '{"k":[1,"s",null]}'),
      '{\n\t\x1b[34m"k"\x1b[39m:\t[\x1b[33m1\x1b[39m, \x1b[32m"s"\x1b[39m, \x1b[35mnull\x1b[39m]\n}\n'],
    ['--pretty leaves other payloads', ['--pretty', '--quiet'], {}, message('a', '{nonsense'), '{nonsense\n'],
    ['--pretty in a pipe leaves payloads', ['--pretty'], {}, message('a', '{"k":[1]}'), '{"k":[1]}\n', false],
    ['%J in colour, escaped', ['-F', '%J'], {}, message('t', '"\x7f"'), ''],
  ]
  for (const [name, args, env, sent, expected, terminal = true] of rows)
    test(name, async (t) => {
      const shown = await shows(t, args, env, sent, terminal)
      if (expected !== '') assert.equal(shown, expected)
      else assert.match(shown, /"payload"\x1b\[39m:\x1b\[32m"\\x7f"\x1b\[39m\}\n$/)
    })
})
