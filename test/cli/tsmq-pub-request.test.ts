// tsmq-pub --rr: the steps, the response that counts, how it is printed, and exit statuses (rr.md).

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { latencyText } from '../../src/cli/request-run.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { Publish, publishFlags } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { type Peer, ScriptedBroker } from '../client/scripted-broker.js'
import { start, type ToolOptions, tool, until } from './client-tool.js'

const { CONNECT, SUBSCRIBE, SUBACK, PUBLISH, PUBACK, DISCONNECT } = PacketType
const ask = ['--rr', '-t', 'ask', '-e', 'answer', '-m', 'request']

/** A message for the client. */
function message(topic: string, text: string, properties: Properties = NO_PROPERTIES, retain = false, qos: 0 | 1 = 0) {
  const payload = Buffer.from(text)
  return new Publish(publishFlags(qos, retain, false), topic, qos, properties, payload, 0, payload.length)
}

/** The broker's side up to the request, which is returned. */
async function asked(peer: Peer) {
  const connect = await peer.accept()
  const subscribe = await peer.expect(SUBSCRIBE)
  const { packetId } = subscribe
  peer.send({ type: SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [0] })
  const request = await peer.expect(PUBLISH)
  const { correlationData } = request.properties
  return { connect, subscribe, request, correlated: correlationData === undefined ? {} : { correlationData } }
}

async function begin(t: TestContext, args: readonly string[], options: ToolOptions = {}) {
  const broker = await ScriptedBroker.start(t)
  const run = start('tsmq-pub', broker.port, args, options)
  return { run, peer: await broker.peer() }
}

describe('tsmq-pub --rr: the request', () => {
  test('CONNECT, SUBSCRIBE, PUBLISH with response topic and correlation data, DISCONNECT', async (t) => {
    const { run, peer } = await begin(t, ask)
    const { connect, subscribe, request, correlated } = await asked(peer)
    peer.send(message('answer', 'response', correlated))
    await peer.expect(DISCONNECT)
    assert.equal(connect.protocolVersion, 5)
    assert.equal(connect.properties.receiveMaximum, 1)
    assert.deepEqual(subscribe.subscriptions, [
      { filter: 'answer', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ])
    const { topic, payload, qos, retain, properties } = request
    assert.deepEqual([topic, payload.toString(), qos, retain], ['ask', 'request', 0, false])
    assert.equal(properties.responseTopic, 'answer')
    assert.ok((properties.correlationData?.length ?? 0) >= 16)
    const { status, stdout, stderr } = await run.result
    assert.deepEqual([status, stdout.toString(), stderr], [0, 'response\n', ''])
  })
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], expected: Readonly<Record<string, unknown>>])[] = [
    [['-q', '1'], { qos: 1 }],
    [['-R'], { retainHandling: 2 }],
    [['--retain-handling', 'never'], { retainHandling: 2 }],
    [['--retain-handling', 'new'], { retainHandling: 1 }],
    [['--retain-handling', 'always'], { retainHandling: 0 }],
    [['--retain-as-published'], { retainAsPublished: true }],
    [['-V', '311', '-R', '--retain-as-published'], { retainHandling: 0, retainAsPublished: false }],
  ]
  for (const [args, expected] of rows)
    test(`SUBSCRIBE with ${args.join(' ')}`, async (t) => {
      const { run, peer } = await begin(t, [...ask, ...args])
      const { subscribe, correlated } = await asked(peer)
      assert.deepEqual({ ...subscribe.subscriptions[0], ...expected }, { ...subscribe.subscriptions[0] })
      peer.send(message('answer', 'x', correlated))
      assert.equal((await run.result).status, 0)
    })
  test('two requests have different correlation data', async (t) => {
    const seen = new Set<string>()
    for (const _ of [1, 2]) {
      const { run, peer } = await begin(t, ask)
      const { correlated } = await asked(peer)
      seen.add(Buffer.from(correlated.correlationData ?? []).toString('hex'))
      peer.send(message('answer', 'x', correlated))
      await run.result
    }
    assert.equal(seen.size, 2)
  })
  test('correlation data and other properties of -D', async (t) => {
    const given = ['-D', 'publish', 'correlation-data', 'mine', '-D', 'publish', 'content-type', 'x/y']
    const { run, peer } = await begin(t, [...ask, ...given, '-D', 'connect', 'receive-maximum', '5'])
    const { connect, request } = await asked(peer)
    peer.send(message('answer', 'x', { correlationData: Buffer.from('mine') }))
    assert.equal(connect.properties.receiveMaximum, 5)
    assert.equal(Buffer.from(request.properties.correlationData ?? []).toString(), 'mine')
    assert.equal(request.properties.contentType, 'x/y')
    assert.equal((await run.result).status, 0)
  })
  for (const [name, args, input, payload] of [
    ['-n', ['-n'], '', ''],
    ['-s', ['-s'], 'a\nb', 'a\nb'],
    ['-f', ['-f', 'LICENSE'], '', /MIT|License/],
  ] as const)
    test(`the payload with ${name}`, async (t) => {
      const { run, peer } = await begin(t, ['--rr', '-t', 'ask', '-e', 'answer', ...args], { input })
      const { request, correlated } = await asked(peer)
      if (typeof payload === 'string') assert.equal(request.payload.toString(), payload)
      else assert.match(request.payload.toString(), payload)
      peer.send(message('answer', 'x', correlated))
      await run.result
    })
  test('MQTT 3.1.1: no properties, and any message is the response', async (t) => {
    const { run, peer } = await begin(t, [...ask, '-V', '311'])
    const { connect, request } = await asked(peer)
    assert.equal(connect.protocolVersion, 4)
    assert.deepEqual({ ...request.properties }, {})
    peer.send(message('answer', 'any'))
    assert.equal((await run.result).stdout.toString(), 'any\n')
  })
})

describe('tsmq-pub --rr: the response that counts', () => {
  test('an old reply, one to somebody else, and one without correlation data are not taken', async (t) => {
    const { run, peer } = await begin(t, ask)
    const { correlated } = await asked(peer)
    peer.send(
      message('answer', 'old', NO_PROPERTIES, true),
      message('answer', 'other', { correlationData: Buffer.from('other') }),
      message('answer', 'careless'),
      message('answer', 'careless again'),
      message('answer', 'mine', correlated),
    )
    const { status, stdout, stderr } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, 'mine\n'])
    assert.match(
      stderr,
      /^Warning: a message on answer is not taken for the response: it has no correlation data; .*-V 311[^\n]*\n$/,
    )
  })
  test('-R: a retained response does not count', async (t) => {
    const { run, peer } = await begin(t, [...ask, '-R'])
    const { correlated } = await asked(peer)
    peer.send(message('answer', 'kept', correlated, true), message('answer', 'fresh', correlated))
    assert.equal((await run.result).stdout.toString(), 'fresh\n')
  })
  test('without -R it does', async (t) => {
    const { run, peer } = await begin(t, [...ask, '-V', '311'])
    await asked(peer)
    peer.send(message('answer', 'kept', NO_PROPERTIES, true), message('answer', 'fresh'))
    assert.equal((await run.result).stdout.toString(), 'kept\n')
  })
  test('only the first is printed', async (t) => {
    const { run, peer } = await begin(t, ask)
    const { correlated } = await asked(peer)
    peer.send(message('answer', 'one', correlated), message('answer', 'two', correlated))
    assert.equal((await run.result).stdout.toString(), 'one\n')
  })
})

describe('tsmq-pub --rr: output', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], payload: string, stdout: RegExp])[] = [
    [['-v'], 'x', /^answer x\n$/],
    [['-v'], '', /^answer \(null\)\n$/],
    [['-N'], 'x', /^x$/],
    [[], '', /^$/],
    [['-F', '%t %q %l %p'], 'xy', /^answer 0 2 xy\n$/],
    [['-F', '%j', '--pretty'], 'xy', /^\{\n\t"tst":\t".*"payload":\t"xy"\n\}\n$/s],
    [['--latency'], 'x', /^x\nLatency: \d+\.\d{6}(µs|ms)\n$/],
  ]
  for (const [args, payload, stdout] of rows)
    test(args.join(' ') || 'an empty response', async (t) => {
      const { run, peer } = await begin(t, [...ask, ...args])
      const { correlated } = await asked(peer)
      peer.send(message('answer', payload, correlated))
      assert.match((await run.result).stdout.toString(), stdout)
    })
  // rr.md section 3.
  for (const [ms, text] of [
    [0.000_25, '250ns'],
    [0.0123, '12.300000µs'],
    [1.5, '1.500000ms'],
    [999.999_9, '999.999900ms'],
    [1000, '1.000000000'],
    [12_345.678_901, '12.345678901'],
  ] as const)
    test(`latency of ${ms} ms`, () => assert.equal(latencyText(ms), text))
})

describe('tsmq-pub --rr: exit status', () => {
  test('27: -W, waiting for the response', async (t) => {
    const { run, peer } = await begin(t, [...ask, '-W', '1'])
    await asked(peer)
    await peer.expect(DISCONNECT)
    const { status, stdout, stderr } = await run.result
    assert.deepEqual([status, stdout.toString(), stderr], [27, '', 'Error: Timed out\n'])
  })
  test('27: -W, before CONNACK', async (t) => {
    const { run, peer } = await begin(t, [...ask, '-W', '1', '--quiet'])
    await peer.expect(CONNECT)
    const { status, stderr } = await run.result
    assert.deepEqual([status, stderr], [27, ''])
  })
  for (const [version, code, status, says] of [
    ['5', 0x87, 0x87, /the subscription to answer was refused: Not authorized/],
    ['311', 0x80, 0x80, /refused/],
  ] as const)
    test(`${status}: SUBSCRIBE refused, -V ${version}`, async (t) => {
      const { run, peer } = await begin(t, [...ask, '-V', version])
      await peer.accept()
      const { packetId } = await peer.expect(SUBSCRIBE)
      peer.send({ type: SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [code] })
      const result = await run.result
      assert.equal(result.status, status)
      assert.match(result.stderr, says)
    })
  test('135: the request is refused', async (t) => {
    const { run, peer } = await begin(t, [...ask, '-q', '1'])
    const { request } = await asked(peer)
    peer.send({ type: PUBACK, packetId: request.packetId, reasonCode: 0x87, properties: NO_PROPERTIES })
    const { status, stderr } = await run.result
    assert.deepEqual([status, stderr], [135, 'Error: publish refused by the broker: Not authorized\n'])
  })
  test('66: nobody takes requests, with --require-subscriber', async (t) => {
    const { run, peer } = await begin(t, [...ask, '--require-subscriber'])
    const { request } = await asked(peer)
    peer.send({ type: PUBACK, packetId: request.packetId, reasonCode: 0x10, properties: NO_PROPERTIES })
    assert.equal((await run.result).status, 66)
  })
  for (const [args, code, status, says] of [
    [ask, '20 03 00 87 00', 0x87, /Not authorized/],
    [[...ask, '-V', '311'], '20 02 00 05', 5, /Connection Refused: not authori[sz]ed/],
  ] as const)
    test(`${status}: CONNECT refused`, async (t) => {
      const { run, peer } = await begin(t, args)
      await peer.expect(CONNECT)
      peer.send(code)
      const result = await run.result
      assert.equal(result.status, status)
      assert.match(result.stderr, says)
    })
  test('7: the connection is lost', async (t) => {
    const { run, peer } = await begin(t, ask)
    await asked(peer)
    peer.drop()
    assert.equal((await run.result).status, 7)
    assert.match(run.stderr, /connection lost/)
  })
  test('130 and DISCONNECT: Ctrl-C', async (t) => {
    const { run, peer } = await begin(t, ask)
    await asked(peer)
    process.emit('SIGINT', 'SIGINT')
    await peer.expect(DISCONNECT)
    assert.equal((await run.result).status, 130)
  })
  test('a terminal shows what is waited for', async (t) => {
    const { run, peer } = await begin(t, ask, { terminal: true })
    const { correlated } = await asked(peer)
    await until(() => run.stderr.includes('waiting for a response on answer'), 'the spinner')
    peer.send(message('answer', 'x', correlated))
    assert.equal((await run.result).stdout.toString(), 'x\n')
  })
})

describe('tsmq-pub --rr: wrong usage', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    [['--rr', '-t', 'a', '-m', 'x'], /--rr needs -e too/],
    [['--rr', '-e', 'a', '-m', 'x'], /a topic \(-t\), a response topic \(-e\) and a message/],
    [['--rr', '-e', 'a', '-t', 'b'], /a topic \(-t\), a response topic \(-e\) and a message/],
    [[...ask, '-e', 'a/#'], /-e: 'a\/#' has a wildcard/],
    [[...ask, '-t', 'a/+'], /-t: 'a\/\+' has a wildcard/],
    [[...ask, '-e', ''], /-e must not be empty/],
    [['--rr', '-t', 'a', '-e', 'b', '-l'], /--rr and -l cannot be used together/],
    [['--rr', '-t', 'a', '-e', 'b', '--ndjson'], /--rr and --ndjson cannot be used together/],
    [[...ask, '-r'], /--rr and -r cannot be used together/],
    [[...ask, '--repeat', '2'], /--rr and --repeat cannot be used together/],
    [[...ask, '--confirm', '2'], /cannot be used together/],
    [[...ask, '-W', '0'], /-W must be/],
    [[...ask, '-F', '%y'], /invalid format specifier 'y'/],
    [[...ask, '--retain-handling', 'often'], /--retain-handling must be one of always, new, never/],
    [[...ask, '-D', 'publish', 'response-topic', 'x'], /response-topic of publish is given by -e as well/],
  ]
  for (const [args, says] of rows)
    test(args.join(' '), async () => {
      const { status, stdout, stderr } = await tool('tsmq-pub', 1, args)
      assert.match(stderr, says)
      assert.deepEqual([status, stdout.toString()], [1, ''])
    })
})
