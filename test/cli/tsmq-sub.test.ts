// tsmq-sub: what it subscribes to and prints, how it ends, and what it refuses (sub.md).

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Properties } from '../../src/protocol/properties.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { start, tool, until } from './client-tool.js'
import { message, suback, subscribed } from './subscribed-tool.js'

const { CONNECT, SUBSCRIBE, UNSUBSCRIBE, PUBACK, DISCONNECT } = PacketType

describe('tsmq-sub: what is printed', () => {
  const messages = [
    message('a', 'one'),
    message('b/c', ''),
    message('$d', Buffer.from([0xff, 0, 0x1b])),
    message('e', 'kept', { retain: true }),
  ]
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], expected: string])[] = [
    [[], 'one\n\xff\0\x1b\nkept\n'],
    [['-v'], 'a one\nb/c (null)\n$d \xff\0\x1b\ne kept\n'],
    [['-N'], 'one\xff\0\x1bkept'],
    [['-v', '-N'], 'a one$d \xff\0\x1be kept'],
    [['-F', '%t:%p'], 'a:one\nb/c:\n$d:\xff\0\x1b\ne:kept\n'],
    [['-v', '-F', '%l'], '3\n0\n3\n4\n'],
    [['-N', '-F', '%r%q,'], '00,00,00,10,'],
    [['-R', '-v'], 'a one\nb/c (null)\n$d \xff\0\x1b\n'],
    [['-T', 'b/#', '-T', '+', '-v'], '$d \xff\0\x1b\n'],
    [['-F', '@@%%\\n'], '@%\n\n@%\n\n@%\n\n@%\n\n'],
  ]
  for (const [args, expected] of rows)
    test(args.join(' ') || 'no flags', async (t) => {
      const { peer, run } = await subscribed(t, ['-t', '#', ...args])
      peer.send(...messages)
      await until(() => run.stdout.length >= expected.length, 'the output')
      assert.equal(run.stderr, '')
      peer.finish()
      assert.equal((await run.result).stdout.toString('latin1'), expected)
    })
  test('control characters are escaped on a terminal, in what was received only', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-F', '\\e[1m%p'], { terminal: true })
    peer.send(message('a', '\x1b[2J\nü'))
    await until(() => run.stdout.includes('ü'), 'the output')
    assert.equal(run.stdout.toString(), '\x1b[1m\\x1b[2J\nü\n')
  })
  test('10,000 messages in order', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-C', '10000'])
    const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}`)
    for (const line of lines) peer.send(message('a', line))
    const { status, stdout } = await run.result
    assert.equal(stdout.toString(), `${lines.join('\n')}\n`)
    assert.equal(status, 0)
  })
  test('%J of what is no JSON: nothing on stdout but the newline, a word on stderr, and it goes on', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-C', '2', '-F', '<%J>'])
    peer.send(message('a', 'no'), message('a', 'no'))
    const { status, stdout, stderr } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, '<>\n<>\n'])
    assert.match(stderr, /^Error: the payload is not valid JSON on topic a\n/)
  })
})

describe('tsmq-sub: what is asked for', () => {
  const request = (filter: string, qos = 0, retainHandling = 0, retainAsPublished = false) => ({
    filter,
    qos,
    noLocal: false,
    retainAsPublished,
    retainHandling,
  })
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], subscriptions: readonly object[], properties: Properties])[] = [
    [['-t', 'a'], [request('a')], {}],
    [['-t', 'a', '-t', '$share/g/b/#', '-q', '2'], [request('a', 2), request('$share/g/b/#', 2)], {}],
    [['-V', '5', '-t', 'a', '-R'], [request('a', 0, 2)], {}],
    [['-t', 'a', '-R'], [request('a')], {}],
    [['-V', '5', '-t', 'a', '--retain-handling', 'new'], [request('a', 0, 1)], {}],
    [['-V', '5', '-t', 'a', '--retain-handling', 'never'], [request('a', 0, 2)], {}],
    [['-V', '5', '-t', 'a', '--retain-handling', 'new', '--retain-handling', 'always'], [request('a')], {}],
    [['-V', '5', '-t', 'a', '--retain-handling', 'new', '-R'], [request('a', 0, 2)], {}],
    [['-V', '5', '-t', 'a', '-R', '--retain-handling', 'new'], [request('a', 0, 1)], {}],
    [['-t', 'a', '--retain-handling', 'never'], [request('a')], {}],
    [['-V', '5', '-t', 'a', '--retain-as-published'], [request('a', 0, 0, true)], {}],
    [['-t', 'a', '--retain-as-published'], [request('a')], {}],
    [['--topic-qos', 'a=2', '-t', 'b', '-q', '1'], [request('b', 1), request('a', 2)], {}],
    [['-t', 'a', '-t', 'b', '--topic-qos', 'a=1', '--topic-qos', 'c=d=2'], [request('a', 1), request('b'), request('c=d', 2)], {}],
    [['-t', 'a', '-D', 'subscribe', 'subscription-identifier', '7'], [request('a')], { subscriptionIdentifiers: [7] }],
  ]
  for (const [args, subscriptions, properties] of rows)
    test(args.join(' '), async (t) => {
      const broker = await ScriptedBroker.start(t)
      start('tsmq-sub', broker.port, args)
      const peer = await broker.peer()
      await peer.accept()
      const packet = await peer.expect(SUBSCRIBE)
      assert.deepEqual([packet.subscriptions, packet.properties], [subscriptions, properties])
    })
  test('-U: one UNSUBSCRIBE each, behind SUBSCRIBE', async (t) => {
    const broker = await ScriptedBroker.start(t)
    start('tsmq-sub', broker.port, ['-U', 'x', '-t', 'a', '-U', 'y/#', '-D', 'unsubscribe', 'user-property', 'k', 'v'])
    const peer = await broker.peer()
    await peer.accept()
    await peer.expect(SUBSCRIBE)
    const packets = [await peer.expect(UNSUBSCRIBE), await peer.expect(UNSUBSCRIBE)]
    assert.deepEqual(
      packets.map(({ filters, properties }) => [filters, properties]),
      [
        [['x'], { userProperties: [['k', 'v']] }],
        [['y/#'], { userProperties: [['k', 'v']] }],
      ],
    )
  })
  // biome-ignore format: one row a line
  const windows: readonly (readonly [args: readonly string[], properties: Properties])[] = [
    [['-V', '5', '-C', '3'], { receiveMaximum: 3 }],
    [['-V', '5', '-C', '20'], {}],
    [['-V', '5'], {}],
    [['-C', '3', '-D', 'connect', 'receive-maximum', '9'], { receiveMaximum: 9 }],
  ]
  for (const [args, properties] of windows)
    test(`Receive Maximum with ${args.join(' ')}`, async (t) => {
      const broker = await ScriptedBroker.start(t)
      start('tsmq-sub', broker.port, ['-t', 'a', ...args])
      assert.deepEqual((await (await broker.peer()).expect(CONNECT)).properties, properties)
    })
})

describe('tsmq-sub: how it ends', { concurrency: true }, () => {
  test('0: -C takes so many and acknowledges them', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-q', '1', '-C', '2'])
    peer.send(...[1, 2, 3].map((packetId) => message('a', `m${packetId}`, { qos: 1, packetId })))
    const { status, stdout } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, 'm1\nm2\n'])
    assert.deepEqual(
      (await peer.closed()).map(({ type }) => type),
      [PUBACK, PUBACK, DISCONNECT],
    )
  })
  test('0: -C counts what is not printed because it is empty, but not what -T and -R leave out', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-R', '-T', 'b', '-C', '2'])
    peer.send(
      message('b', 'x'),
      message('a', 'x', { retain: true }),
      message('a', ''),
      message('a', 'last'),
      message('a', 'x'),
    )
    assert.equal((await run.result).stdout.toString(), 'last\n')
  })
  test('0: -C reached, and the connection broken then', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-C', '1'])
    peer.send(message('a', 'x'))
    peer.drop()
    assert.equal((await run.result).status, 0)
  })
  test('0: -E ends with SUBACK', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#', '-E', '-V', '5', '-D', 'disconnect', 'reason-string', 'done'])
    const { status, stdout, stderr } = await run.result
    assert.deepEqual([status, stdout.toString(), stderr], [0, '', ''])
    const [disconnect] = await peer.closed()
    assert.deepEqual(disconnect, { type: DISCONNECT, reasonCode: 0, properties: { reasonString: 'done' } })
  })
  test('0: all subscriptions denied', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-t', 'a', '-t', 'b'])
    const peer = await broker.peer()
    await peer.accept()
    await peer.expect(SUBSCRIBE)
    peer.send(suback(1, 0x80, 0x80))
    await peer.expect(DISCONNECT)
    const { status, stderr } = await run.result
    assert.deepEqual([status, stderr], [0, 'Error: all subscriptions were denied\n'])
  })
  test('some subscriptions denied: it goes on', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-t', 'a', '-t', 'b', '-C', '1'])
    const peer = await broker.peer()
    await peer.accept()
    await peer.expect(SUBSCRIBE)
    peer.send(suback(1, 0x80, 0), message('b', 'x'))
    const { status, stdout, stderr } = await run.result
    assert.deepEqual([status, stdout.toString(), stderr], [0, 'x\n', ''])
  })
  for (const [version, reasonCode] of [
    ['5', 4],
    ['311', 0],
  ] as const)
    test(`27: -W, with DISCONNECT ${reasonCode} in ${version}`, async (t) => {
      const { peer, run } = await subscribed(t, ['-V', version, '-t', '#', '-W', '1'])
      assert.equal((await peer.expect(DISCONNECT)).reasonCode, reasonCode)
      const { status, stderr } = await run.result
      assert.deepEqual([status, stderr], [27, 'Error: Timed out\n'])
    })
  test('255: -W before CONNACK, without a word', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const { status, stdout, stderr } = await tool('tsmq-sub', broker.port, ['-t', '#', '-W', '1'])
    assert.deepEqual([status, stdout.toString(), stderr], [255, '', ''])
  })
  // biome-ignore format: one row a line
  const refusals = [
    ['311', '20 02 00 01', 1], ['311', '20 02 00 02', 2], ['311', '20 02 00 03', 3], ['311', '20 02 00 04', 4], ['311', '20 02 00 05', 5],
    ['5', '20 03 00 80 00', 128], ['5', '20 03 00 86 00', 134], ['5', '20 03 00 87 00', 135], ['5', '20 03 00 88 00', 136], ['5', '20 02 00 01', 132],
  ] as const
  for (const [version, bytes, code] of refusals)
    test(`${code}: refused in ${version}`, async (t) => {
      const broker = await ScriptedBroker.start(t)
      const run = start('tsmq-sub', broker.port, ['-V', version, '-t', '#'])
      const peer = await broker.peer()
      await peer.expect(CONNECT)
      peer.send(bytes)
      const { status, stderr } = await run.result
      assert.equal(status, code)
      assert.match(stderr, /^Error: connection refused by 127\.0\.0\.1:\d+: .*\n$/)
    })
  test('69: nobody listens', async () => {
    const { status, stderr } = await tool('tsmq-sub', 1, ['-t', '#'])
    assert.deepEqual([status, stderr], [69, 'Error: cannot connect to 127.0.0.1:1: connection refused\n'])
  })
  test('2: a broker that breaks the protocol', async (t) => {
    const { peer, run } = await subscribed(t, ['-V', '5', '-t', '#'])
    peer.send('20 03 00 00 00')
    const { status, stderr } = await run.result
    assert.equal(status, 2)
    assert.match(stderr, /^Error: the broker broke the protocol/)
  })
  test('1: a subscription that the broker does not support', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-V', '5', '-t', '#'])
    await (await broker.peer()).accept({ wildcardSubscriptionAvailable: 0 })
    const { status, stderr } = await run.result
    assert.deepEqual([status, stderr], [1, 'Error: the broker does not support wildcards in subscriptions\n'])
  })
  test('1: subscription identifier 0', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-t', '#', '-D', 'subscribe', 'subscription-identifier', '0'])
    await (await broker.peer()).accept()
    assert.equal((await run.result).status, 1)
  })
  test('0: the reader of stdout goes away', async (t) => {
    const { peer, run } = await subscribed(t, ['-t', '#'])
    run.closeOutput()
    peer.send(message('a', 'x'))
    await peer.expect(DISCONNECT)
    const { status, stderr } = await run.result
    assert.deepEqual([status, stderr], [0, ''])
  })
  for (const [name, bytes] of [
    ['the connection is lost', undefined],
    ['the broker sends DISCONNECT', 'e0 02 8e 00'],
    ['a packet is malformed', '36 06 00 01 61 00 01 00'],
  ] as const)
    test(`${name}: it connects and subscribes again, in silence`, async (t) => {
      const { broker, peer, run } = await subscribed(t, ['-V', '5', '-t', '#', '-C', '1'])
      if (bytes === undefined) peer.drop()
      else peer.send(bytes)
      const next = await broker.peer(2)
      await next.accept()
      const { packetId } = await next.expect(SUBSCRIBE)
      next.send(suback(packetId, 0), message('a', 'x'))
      const { status, stdout, stderr } = await run.result
      assert.deepEqual([status, stdout.toString(), stderr], [0, 'x\n', ''])
    })
  test('a refusal when it comes again ends it', async (t) => {
    const { broker, peer, run } = await subscribed(t, ['-t', '#'])
    peer.drop()
    const next = await broker.peer(2)
    await next.expect(CONNECT)
    next.send('20 02 00 05')
    assert.equal((await run.result).status, 5)
  })
})

describe('tsmq-sub: wrong usage', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    [[], /a topic must be given/],
    [['-t', 'a#'], /'a#' is not a topic filter/],
    [['-T', 'a/#/b', '-t', 'a'], /-T: 'a\/#\/b'/],
    [['-U', '+a'], /-U: '\+a'/],
    [['-t', '$share/g'], /not a topic filter/],
    [['-t', 'a\x01'], /characters/],
    [['-t', 'a', '-C', '0'], /-C/],
    [['-t', 'a', '-W', '0'], /-W/],
    [['-t', 'a', '-F', '%'], /incomplete format/],
    [['-t', 'a', '-F', '%k'], /'k'/],
    [['-t', 'a', '-F', 'a\\'], /incomplete escape/],
    [['-t', 'a', '-q', '3'], /-q/],
    [['-t', 'a', '-m', 'x'], /unknown option '-m'/],
    [['-t', 'a', '-l'], /unknown option '-l'/],
    [['-t', 'a', '--retained-only', '-R'], /--retained-only and -R cannot be used together/],
    [['-t', 'a', '--retain-handling', 'often'], /--retain-handling must be one of always, new, never, not 'often'/],
    [['-t', 'a', '--random-filter', '0.05'], /--random-filter must be between 0\.1 and 100/],
    [['-t', 'a', '--random-filter', '100.1'], /--random-filter must be between 0\.1 and 100/],
    [['-t', 'a', '--random-filter', 'x'], /--random-filter must be a number/],
    [['--topic-qos', 'a'], /--topic-qos 'a' is not FILTER=QOS/],
    [['--topic-qos', 'a=3'], /'a=3' is not FILTER=QOS with a QoS of 0, 1 or 2/],
    [['--topic-qos', 'a#=1'], /--topic-qos: 'a#' is not a topic filter/],
    [['-t', 'a', '--dry-run'], /--dry-run needs --remove-retained/],
    [['-t', 'a', '--exec-jobs', '2'], /--exec-jobs needs --exec/],
    [['-t', 'a', '--exec-ack'], /--exec-ack needs --exec/],
    [['-t', 'a', '--exec', 'x', '--exec-jobs', '0'], /--exec-jobs must be between 1 and 1000/],
    [['--exec', 'true', '-t', 'a'], /a topic must be given: -t FILTER; what stands behind --exec belongs to that program/],
    [['-t', 'a', '--expect-none'], /--expect-none needs -W or --idle/],
    [['-t', 'a', '--expect-none', '-W', '1', '--expect', 'x'], /--expect-none and --expect cannot be used together/],
    [['-t', 'a', '--expect-regex', '('], /--expect-regex '\(': .*Unterminated group/],
    [['-t', 'a', '--expect-json', 'a'], /--expect-json 'a' is not \/POINTER=VALUE/],
    [['-t', 'a', '--expect-json', 'a=1'], /is not \/POINTER=VALUE/],
    [['-t', 'a', '--idle', '0'], /--idle must be between 0\.001 and 2000000/],
    [['-t', 'a', '--ready-fd', '0'], /--ready-fd must be between 1 and 65535/],
    [['-t', 'a', '--ready-fd', '999'], /--ready-fd 999 cannot be used: bad file descriptor/],
    [['-t', 'a', '--ready-file', '/'], /--ready-file \/ cannot be used/],
    [['-t', 'a', '--record', '/no/such/folder/f'], /--record \/no\/such\/folder\/f cannot be written: no such file or directory/],
    [['-t', 'a', '--record', '-', '-v'], /--record - writes to standard output instead of -v/],
    [['-t', 'a', '--summary', '-v'], /--summary and -v cannot be used together/],
    [['-t', 'a', '--summary', 'x'], /--summary must be a whole number/],
    [['-t', 'a', '-c'], /-c needs --id/],
    [['-t', 'a', '-D', 'subscribe', 'subscription-identifier', '268435456'], /out of range/],
    [['-t', 'a', '-D', 'subscribe', 'subscription-identifier', '1', '-V', '311'], /-D needs MQTT 5\.0/],
  ]
  for (const [args, says] of rows)
    test(args.join(' ') || 'nothing', async () => {
      const { status, stdout, stderr } = await tool('tsmq-sub', 1, args)
      assert.match(stderr, says)
      assert.deepEqual([status, stdout.toString()], [1, ''])
    })
  test('--help lists what works, exit 0', async () => {
    const { status, stdout } = await tool('tsmq-sub', 1, ['--help'])
    assert.match(stdout.toString(), /Usage: tsmq-sub/)
    assert.equal(status, 0)
  })
})

test('tsmq-sub: the -d trace is as mosquitto_sub 2.0.11 prints it, but for what it receives', async (t) => {
  const { peer, run } = await subscribed(t, ['-d', '-i', 'me', '-t', 'f/#', '-t', 'g', '-q', '2', '-C', '1'])
  peer.send(message('f/x', 'abcd', { qos: 1, packetId: 9 }))
  const { stdout } = await run.result
  assert.equal(
    stdout.toString(),
    [
      'Client me sending CONNECT',
      'Client me received CONNACK (0)',
      'Client me sending SUBSCRIBE (Mid: 1, Topic: f/#, QoS: 2, Options: 0x00)',
      'Client me sending SUBSCRIBE (Mid: 1, Topic: g, QoS: 2, Options: 0x00)',
      'Client me received SUBACK',
      'Subscribed (mid: 1): 2, 2',
      "Client me received PUBLISH (d0, q1, r0, m9, 'f/x', ... (4 bytes))",
      'abcd',
      'Client me sending PUBACK (m9, rc0)',
      'Client me sending DISCONNECT',
      '',
    ].join('\n'),
  )
})
