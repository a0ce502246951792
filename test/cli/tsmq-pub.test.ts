// tsmq-pub: exit statuses row by row (pub.md sections 8 and 9), what it publishes, and what it refuses (section 10).

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { type Peer, ScriptedBroker } from '../client/scripted-broker.js'
import { start, tool } from './client-tool.js'
import { taken } from './taken.js'

const { PUBLISH, PUBACK, PUBREC, DISCONNECT, CONNECT } = PacketType

const ack = (
  type: 4 | 5,
  packetId: number,
  reasonCode: 0 | 0x10 | 0x87 | 0x97 | 0x99 = 0,
  properties: Properties = NO_PROPERTIES,
) => ({ type, packetId, reasonCode, properties }) as const

describe('tsmq-pub: what is published', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [name: string, args: readonly string[], input: string | undefined, expected: readonly string[]])[] = [
    ['-m', ['-t', 'a', '-m', 'hello'], undefined, ['a hello q0 r0']],
    ['-m with a dash in front', ['-t', 'a', '-m', '-5'], undefined, ['a -5 q0 r0']],
    ['-m with nothing', ['-t', 'a', '-m', ''], undefined, ['a  q0 r0']],
    ['-n', ['-t', 'a', '-n'], undefined, ['a  q0 r0']],
    ['-r and -q 1', ['-t', 'a/b', '-r', '-q', '1', '-m', 'x'], undefined, ['a/b x q1 r1']],
    ['-q 2', ['-t', 'a', '-q', '2', '-m', 'x'], undefined, ['a x q2 r0']],
    ['-s', ['-t', 'a', '-s'], 'one\ntwo', ['a one\ntwo q0 r0']],
    ['-l', ['-t', 'a', '-l'], 'one\n\ntwo', ['a one q0 r0', 'a  q0 r0', 'a two q0 r0']],
    ['-l -q 1', ['-t', 'a', '-l', '-q', '1'], 'one\ntwo\n', ['a one q1 r0', 'a two q1 r0']],
    ['-l -q 2 -r', ['-t', 'a', '-l', '-q', '2', '-r'], 'one\n', ['a one q2 r1']],
    ['-l without input', ['-t', 'a', '-l'], '', []],
    ['--repeat', ['-t', 'a', '-m', 'x', '--repeat', '3', '-q', '1'], undefined, ['a x q1 r0', 'a x q1 r0', 'a x q1 r0']],
    ['--repeat-delay', ['-t', 'a', '-m', 'x', '--repeat', '2', '--repeat-delay', '0.01'], undefined, ['a x q0 r0', 'a x q0 r0']],
    ['the last -t counts', ['-t', 'a', '-t', 'b', '-m', 'x'], undefined, ['b x q0 r0']],
  ]
  for (const [name, args, input, expected] of rows)
    test(name, async (t) => {
      const { publishes, status, stderr, stdout } = await taken(t, args, input === undefined ? {} : { input })
      const seen = publishes.map(({ topic, payload, qos, retain }) => `${topic} ${payload} q${qos} r${Number(retain)}`)
      assert.deepEqual(seen, expected)
      assert.deepEqual([status, stderr, stdout.toString()], [0, '', ''])
    })
  test('-f sends the bytes of a file', async (t) => {
    const { publishes } = await taken(t, ['-t', 'a', '-f', process.execPath.replace(/.*/, 'package.json')])
    assert.match(publishes[0]?.payload.toString() ?? '', /"name": "tsmq"/)
  })
  test('-s keeps every byte', async (t) => {
    const input = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const { publishes } = await taken(t, ['-t', 'a', '-s'], { input })
    assert.deepEqual(publishes[0]?.payload, input)
  })
  test('-r is dropped when the broker does not keep messages', async (t) => {
    const { publishes, status } = await taken(t, ['-V', '5', '-t', 'a', '-m', 'x', '-r'], {}, { retainAvailable: 0 })
    assert.deepEqual([publishes[0]?.retain, status], [false, 0])
  })
  test('10,000 lines with QoS 1 arrive in order, at most 20 on their way', async (t) => {
    const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}`)
    const { publishes } = await taken(t, ['-t', 'a', '-l', '-q', '1'], { input: `${lines.join('\n')}\n` })
    assert.deepEqual(
      publishes.map(({ payload }) => payload.toString()),
      lines,
    )
  })
})

describe('tsmq-pub: CONNECT', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], expected: Readonly<Record<string, unknown>>])[] = [
    [[], { protocolVersion: 4, clientId: '', cleanStart: true, keepAlive: 60, username: undefined, password: undefined, will: undefined }],
    [['-i', 'me', '-c'], { clientId: 'me', cleanStart: false, properties: {} }],
    [['-I', 'pre'], { clientId: `pre${process.pid}` }],
    [['-k', '5'], { keepAlive: 5 }],
    [['-u', 'ü', '-P', 'p'], { username: 'ü', password: Buffer.from('p') }],
    [['-V', '311'], { protocolVersion: 4 }],
    [['-V', 'mqttv31', '-i', 'x'], { protocolVersion: 3 }],
    [['-V', '5'], { protocolVersion: 5, properties: {} }],
    [['-V', '5', '-P', 'p'], { username: undefined, password: Buffer.from('p') }],
    [['-x', '60'], { protocolVersion: 5, properties: { sessionExpiryInterval: 60 } }],
    [['-x', '0'], { protocolVersion: 5, properties: {} }],
    [['-x', '-1', '-i', 'me'], { properties: { sessionExpiryInterval: 0xffff_ffff } }],
    [['-V', '5', '-c', '-i', 'me'], { cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } }],
    [['-V', '5', '-c', '-i', 'me', '-x', '7'], { cleanStart: false, properties: { sessionExpiryInterval: 7 } }],
    [['-V', '5', '-c', '-i', 'me', '-x', '0'], { cleanStart: false, properties: {} }],
    [['-V', '311', '-x', '5'], { protocolVersion: 5 }],
    [['-D', 'connect', 'receive-maximum', '9'], { protocolVersion: 5, properties: { receiveMaximum: 9 } }],
    [['-D', 'CONNECT', 'User-Property', 'a', 'b', '-D', 'connect', 'user-property', 'a', 'c'], { properties: { userProperties: [['a', 'b'], ['a', 'c']] } }],
    [['--will-topic', 'w', '--will-payload', 'gone', '--will-qos', '1', '--will-retain'], { will: { topic: 'w', payload: Buffer.from('gone'), qos: 1, retain: true, properties: {} } }],
    [['--will-topic', 'w', '-D', 'will', 'will-delay-interval', '3'], { will: { topic: 'w', payload: Buffer.alloc(0), qos: 0, retain: false, properties: { willDelayInterval: 3 } } }],
    [['--will-qos', '1'], { will: undefined }],
  ]
  for (const [args, expected] of rows)
    test(args.join(' ') || 'no flags', async (t) => {
      const { connect } = await taken(t, ['-t', 'a', '-m', 'x', ...args])
      const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, connect[key as keyof typeof connect]]))
      assert.deepEqual(JSON.parse(JSON.stringify(seen)), JSON.parse(JSON.stringify(expected)))
    })
  test('-V 31 makes an id that 3.1 allows', async (t) => {
    const { connect } = await taken(t, ['-t', 'a', '-m', 'x', '-V', '31'])
    assert.match(connect.clientId, /^tsmq-[0-9A-Za-z]{18}$/)
  })
  test('-D publish and disconnect', async (t) => {
    const { publishes, disconnect } = await taken(
      t,
      [
        ...['-t', 'a', '-l', '-D', 'publish', 'topic-alias', '1', '-D', 'publish', 'content-type', 'x/y'],
        ...['-D', 'disconnect', 'reason-string', 'bye'],
      ],
      { input: 'a\nb\n' },
      { topicAliasMaximum: 3 },
    )
    assert.deepEqual(
      publishes.map(({ topic, properties }) => [topic, properties.topicAlias, properties.contentType]),
      [
        ['a', 1, 'x/y'],
        ['', 1, 'x/y'],
      ],
    )
    assert.deepEqual(disconnect.properties, { reasonString: 'bye' })
  })
})

describe('tsmq-pub: exit status', () => {
  interface Row {
    readonly name: string
    readonly args: readonly string[]
    readonly plays: (peer: Peer) => Promise<void> | void
    readonly status: number
    readonly stderr: RegExp
  }
  const connected = (properties: Properties, then: (peer: Peer) => Promise<void> | void) => async (peer: Peer) => {
    await peer.accept(properties)
    await then(peer)
  }
  const answering = (...answers: readonly (Packet | string)[]) =>
    connected(NO_PROPERTIES, async (peer) => {
      await peer.expect(PUBLISH)
      peer.send(...answers)
    })
  const refusing = (bytes: string) => async (peer: Peer) => {
    await peer.expect(CONNECT)
    peer.send(bytes)
  }
  const x = ['-t', 'a', '-m', 'x']
  // biome-ignore format: one row a line
  const rows: readonly Row[] = [
    { name: 'QoS 1 acknowledged', args: [...x, '-q', '1'], plays: answering(ack(PUBACK, 1)), status: 0, stderr: /^$/ },
    { name: 'no matching subscribers', args: [...x, '-V', '5', '-q', '1'], plays: answering(ack(PUBACK, 1, 0x10)), status: 0, stderr: /^$/ },
    ...[1, 2, 3, 4, 5].map((code) => ({ name: `CONNACK ${code} in 3.1.1`, args: x, plays: refusing(`20 02 00 0${code}`), status: code, stderr: /^Error: connection refused by 127\.0\.0\.1:\d+: Connection Refused: / })),
    ...[0x80, 0x81, 0x82, 0x83, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f].map((code) => ({ name: `CONNACK ${code} in 5.0`, args: [...x, '-V', '5'], plays: refusing(`20 03 00 ${code.toString(16)} 00`), status: code, stderr: /^Error: connection refused/ })),
    { name: 'CONNACK 132', args: [...x, '-V', '5'], plays: refusing('20 03 00 84 00'), status: 132, stderr: /try -V 311/ },
    { name: 'a broker that knows only 3.x', args: [...x, '-V', '5'], plays: refusing('20 02 00 01'), status: 132, stderr: /try -V 311/ },
    { name: 'CONNACK with a Reason String', args: [...x, '-V', '5'], plays: refusing('20 08 00 87 05 1f 00 02 68 6d'), status: 135, stderr: /Not authorized \(hm\)/ },
    { name: 'connection lost before PUBACK', args: [...x, '-q', '1'], plays: connected(NO_PROPERTIES, async (peer) => { await peer.expect(PUBLISH); peer.drop() }), status: 7, stderr: /^Error: connection lost/ },
    { name: 'connection lost before CONNACK', args: x, plays: async (peer) => { await peer.expect(CONNECT); peer.drop() }, status: 7, stderr: /^Error: connection lost/ },
    { name: 'DISCONNECT from the broker', args: [...x, '-V', '5', '-q', '1'], plays: connected(NO_PROPERTIES, async (peer) => { await peer.expect(PUBLISH); peer.send('e0 02 8b 00') }), status: 7, stderr: /^Error: disconnected by the broker: Server shutting down/ },
    { name: 'PUBACK 135', args: [...x, '-V', '5', '-q', '1'], plays: answering(ack(PUBACK, 1, 0x87)), status: 135, stderr: /^Error: publish refused by the broker: Not authorized\n$/ },
    { name: 'PUBACK 151 with a Reason String', args: [...x, '-V', '5', '-q', '1'], plays: answering(ack(PUBACK, 1, 0x97, { reasonString: 'enough' })), status: 151, stderr: /Quota exceeded \(enough\)/ },
    { name: 'PUBREC 153', args: [...x, '-V', '5', '-q', '2'], plays: answering(ack(PUBREC, 1, 0x99)), status: 153, stderr: /Payload format invalid/ },
    { name: 'QoS above the broker\'s', args: [...x, '-V', '5', '-q', '2'], plays: connected({ maximumQos: 1 }, () => {}), status: 7, stderr: /does not support QoS 2/ },
    { name: 'payload above the broker\'s', args: ['-t', 'a', '-m', 'x'.repeat(100), '-V', '5'], plays: connected({ maximumPacketSize: 50 }, () => {}), status: 7, stderr: /more than the broker takes \(50\)/ },
    { name: 'publish property out of range', args: [...x, '-D', 'publish', 'payload-format-indicator', '2'], plays: connected(NO_PROPERTIES, () => {}), status: 7, stderr: /payload-format-indicator 2 is out of range/ },
    { name: 'topic alias above the broker\'s', args: [...x, '-D', 'publish', 'topic-alias', '9'], plays: connected(NO_PROPERTIES, () => {}), status: 7, stderr: /topic aliases up to 0/ },
    { name: 'a broker that breaks the protocol', args: [...x, '-V', '5', '-q', '1'], plays: answering('20 03 00 00 00'), status: 2, stderr: /broke the protocol/ },
    { name: '--quiet says nothing', args: [...x, '--quiet'], plays: refusing('20 02 00 05'), status: 5, stderr: /^$/ },
  ]
  for (const { name, args, plays, status, stderr } of rows)
    test(`${status}: ${name}`, async (t) => {
      const broker = await ScriptedBroker.start(t)
      const run = start('tsmq-pub', broker.port, args)
      await plays(await broker.peer())
      const result = await run.result
      assert.equal(result.status, status)
      assert.match(result.stderr, stderr)
      assert.equal(result.stdout.toString(), '')
    })

  test('-l: a refused line is told and the others still go out', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', broker.port, ['-V', '5', '-t', 'a', '-l', '-q', '1'], { input: 'a\nb\nc\n' })
    const peer = await broker.peer()
    await peer.accept()
    await peer.take(3)
    peer.send(ack(PUBACK, 1), ack(PUBACK, 2, 0x87), ack(PUBACK, 3))
    await peer.expect(DISCONNECT)
    assert.equal((await run.result).status, 135)
  })
  test('-l: a lost connection is made again, and nothing of QoS 1 is lost', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', broker.port, ['-t', 'a', '-l', '-q', '1'], { input: 'a\nb\n' })
    const peer = await broker.peer()
    await peer.accept()
    await peer.take(2)
    peer.send(ack(PUBACK, 1))
    peer.drop()
    const next = await broker.peer(2)
    await next.accept()
    const { packetId, payload } = await next.expect(PUBLISH)
    next.send(ack(PUBACK, packetId))
    await next.expect(DISCONNECT)
    assert.equal(payload.toString(), 'b')
    assert.deepEqual([(await run.result).status, run.stderr], [0, ''])
  })
  test('-l: a refusal when it comes again ends it', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', broker.port, ['-t', 'a', '-l', '-q', '1'], { input: 'a\n' })
    const peer = await broker.peer()
    await peer.accept()
    await peer.expect(PUBLISH)
    peer.drop()
    const next = await broker.peer(2)
    await next.expect(CONNECT)
    next.send('20 02 00 03')
    assert.equal((await run.result).status, 3)
  })
  test('69: nobody listens', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const { status, stderr } = await tool('tsmq-pub', broker.port, ['-h', '127.0.0.1', '-p', '1', ...x])
    assert.equal(status, 69)
    assert.equal(stderr, 'Error: cannot connect to 127.0.0.1:1: connection refused\n')
  })
  test('71: no such host', async () => {
    const { status, stderr } = await tool('tsmq-pub', 1883, ['-h', 'no-such-host.invalid', ...x])
    assert.equal(status, 71)
    assert.match(stderr, /^Error: cannot connect to no-such-host\.invalid:1883: /)
  })
  test('1: a CONNECT property out of range', async () => {
    const { status, stderr } = await tool('tsmq-pub', 1, [...x, '-D', 'connect', 'receive-maximum', '0'])
    assert.deepEqual([status, stderr], [1, 'Error: unable to connect: receive-maximum 0 is out of range\n'])
  })
})

describe('tsmq-pub: wrong usage', () => {
  const x = ['-t', 'a', '-m', 'x']
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    [['-t', 'a'], /a topic .* and a message/],
    [['-m', 'x'], /a topic .* and a message/],
    [['-t', '', '-m', 'x'], /-t/],
    [['-t', 'a/#', '-m', 'x'], /a\/#.*wildcard/],
    [['-t', 'a\x01', '-m', 'x'], /characters/],
    [['-t', '/'.repeat(200), '-m', 'x'], /too many levels/],
    [['-t', 'x'.repeat(65_536), '-m', 'x'], /-t/],
    [[...x, '-n'], /only one of/],
    [[...x, '-m', 'y'], /only one of/],
    [[...x, '-q', '3'], /-q/],
    [[...x, '-k', '4'], /-k/],
    [[...x, '-k', '65536'], /-k/],
    [[...x, '-p', '65536'], /-p/],
    [[...x, '-M', '0'], /-M/],
    [[...x, '--repeat', '0'], /--repeat/],
    [[...x, '--repeat-delay', '-1'], /--repeat-delay/],
    [[...x, '-V', '6'], /-V/],
    [[...x, '-x', 'soon'], /-x/],
    [[...x, '-x', '4294967296'], /-x/],
    [[...x, '-i', 'a', '-I', 'b'], /-[iI].*cannot be used together/],
    [[...x, '-i', ''], /-i/],
    [[...x, '-c'], /-c needs --id/],
    [[...x, '-c', '-I', 'p'], /-c needs --id/],
    [[...x, '-V', '5', '-c', '-x', '7'], /-c needs --id/],
    [[...x, '-x', '-1'], /-i ID/],
    [[...x, '-P', 'p'], /-u NAME/],
    [[...x, '--will-payload', 'x'], /--will-topic/],
    [[...x, '--will-retain'], /--will-topic/],
    [[...x, '--will-topic', 'a/+'], /wildcard/],
    [[...x, '--will-topic', 'a', '--will-qos', '3'], /--will-qos/],
    [[...x, '-f', '/no/such/file'].filter((word) => word !== '-m' && word !== 'x'), /cannot read \/no\/such\/file/],
    [['-t', 'a', '-s'], /standard input is empty/],
    [[...x, '-x', '5', '-V', '311'], /-x needs MQTT 5\.0/],
    [[...x, '-D', 'publish', 'topic-alias', '1', '-V', '4'], /-V/],
    [[...x, '-D', 'publish', 'topic-alias', '1', '-V', '311'], /-D needs MQTT 5\.0/],
    [[...x, '-D', 'connect'], /-D/],
    [[...x, '-D', 'nonsense', 'topic-alias', '1'], /unknown command 'nonsense'/],
    [[...x, '-D', 'puback', 'reason-string', 'x'], /puback are not supported/],
    [[...x, '-D', 'connack', 'reason-string', 'x'], /connack are not supported/],
    [[...x, '-D', 'publish', 'nonsense', '1'], /unknown property 'nonsense'/],
    [[...x, '-D', 'publish', 'receive-maximum', '1'], /receive-maximum is not a property/],
    [[...x, '-D', 'publish', 'subscription-identifier', '1'], /subscription-identifier is not a property/],
    [[...x, '-D', 'publish', 'topic-alias', '65536'], /out of range/],
    [[...x, '-D', 'publish', 'topic-alias', 'x'], /not a whole number/],
    [[...x, '-D', 'publish', 'topic-alias', '1', '-D', 'publish', 'topic-alias', '2'], /given twice/],
    [[...x, '-V', '5', '-c', '-i', 'a', '-D', 'connect', 'session-expiry-interval', '5'], /by -c or -x as well/],
    ...['-C', '-E', '-T', '-U', '-w', '--message-rate', '--random-filter', '--remove-retained', '--retained-only', '--zzz'].map((flag): [string[], RegExp] => [[...x, flag], new RegExp(`^Error: unknown option '${flag}'`)]),
    ...['-F', '-e', '-W'].map((flag): [string[], RegExp] => [[...x, flag, '1'], new RegExp(`^Error: ${flag} needs --rr too`)]),
    ...['-N', '-R', '-v', '--latency', '--pretty', '--retain-as-published'].map((flag): [string[], RegExp] => [[...x, flag], new RegExp(`^Error: ${flag} needs --rr too`)]),
    ...['-A', '-D', '-h', '-i', '-I', '-k', '-L', '-M', '-o', '-p', '-P', '-q', '-u', '-V', '-x', '-f', '-m', '-t', '--repeat', '--repeat-delay', '--will-topic', '--will-payload', '--will-qos'].map((flag): [string[], RegExp] => [['-t', 'a', '-n', flag].filter((word) => flag !== '-m' && flag !== '-f' || word !== '-n'), new RegExp(`^Error: ${flag} needs [A-Z]`)]),
    [[...x, '--tls-engine', 'x'], /--tls-engine is not supported/],
    [['nonsense'], /unexpected word/],
    [[...x, '-t'], /-t/],
  ]
  for (const [args, says] of rows)
    test(args.map((word) => word.slice(0, 30)).join(' '), async () => {
      const { status, stdout, stderr } = await tool('tsmq-pub', 1, args)
      assert.match(stderr, says)
      assert.match(stderr, /^Error: /)
      assert.deepEqual([status, stdout.toString()], [1, ''])
    })

  test('--help lists what works, exit 0', async () => {
    const { status, stdout, stderr } = await tool('tsmq-pub', 1, ['--help'])
    assert.match(stdout.toString(), /Usage: tsmq-pub[\s\S]*--repeat-delay/)
    assert.doesNotMatch(stdout.toString(), /--tls-engine/)
    assert.deepEqual([status, stderr], [0, ''])
  })
  test('--version', async () => {
    const { status, stdout } = await tool('tsmq-pub', 1, ['--version'])
    assert.match(stdout.toString(), /^tsmq-pub version \d+\.\d+\.\d+\n$/)
    assert.equal(status, 0)
  })
})

describe('tsmq-pub: the -d trace', () => {
  // As mosquitto_pub 2.0.11 prints it.
  for (const [qos, lines] of [
    [
      '0',
      [
        'sending CONNECT',
        'received CONNACK (0)',
        "sending PUBLISH (d0, q0, r0, m1, 'a', ... (5 bytes))",
        'sending DISCONNECT',
      ],
    ],
    [
      '1',
      [
        'sending CONNECT',
        'received CONNACK (0)',
        "sending PUBLISH (d0, q1, r0, m1, 'a', ... (5 bytes))",
        'received PUBACK (Mid: 1, RC:0)',
        'sending DISCONNECT',
      ],
    ],
    [
      '2',
      [
        'sending CONNECT',
        'received CONNACK (0)',
        "sending PUBLISH (d0, q2, r0, m1, 'a', ... (5 bytes))",
        'received PUBREC (Mid: 1)',
        'sending PUBREL (m1)',
        'received PUBCOMP (Mid: 1, RC:0)',
        'sending DISCONNECT',
      ],
    ],
  ] as const)
    test(`QoS ${qos}`, async (t) => {
      const { stdout } = await taken(t, [
        '-d',
        '-i',
        'me',
        '-u',
        'name',
        '-P',
        'secret',
        '-t',
        'a',
        '-m',
        'hello',
        '-q',
        qos,
      ])
      assert.deepEqual(
        stdout.toString().trimEnd().split('\n'),
        lines.map((line) => `Client me ${line}`),
      )
    })
  test('without a client id', async (t) => {
    const { stdout } = await taken(t, ['-d', '-t', 'a', '-n'])
    assert.match(stdout.toString(), /^Client \(null\) sending CONNECT\n/)
  })
  test('with the client id that the broker has chosen', async (t) => {
    const { stdout } = await taken(t, ['-V', '5', '-d', '-t', 'a', '-n'], {}, { assignedClientIdentifier: 'chosen' })
    assert.match(stdout.toString(), /\nClient chosen received CONNACK \(0\)\nClient chosen sending PUBLISH/)
  })
})
