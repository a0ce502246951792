// The same flags, given to mosquitto_pub and mosquitto_sub 2.0 and to ours, have the same effect: what is printed, byte by byte,
// what is published, and the exit status. Where they differ on purpose the row says so, and why.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Properties } from '../../src/protocol/properties.js'
import { pathOf, suite } from '../interop/programs.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Program } from '../support/program.js'
import { RawClient } from '../support/raw-client.js'
import { start, tool, until } from './client-tool.js'

const PUB = pathOf('mosquitto_pub')
const SUB = pathOf('mosquitto_sub')

/** Runs mosquitto_sub to its end; every byte it prints is a character. */
function mosquittoSub(args: readonly string[]): Promise<{ readonly status: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    const address = ['-h', '127.0.0.1', '-p', String(broker.port)]
    execFile(SUB, [...address, ...args], { encoding: 'latin1' }, (error, stdout) =>
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, stdout }),
    )
  })
}

let broker: TestBroker
let observer: RawClient

async function open(): Promise<void> {
  broker = await startBroker()
  observer = (await RawClient.connect(broker.port, { clientId: 'observer', version: 5 })).client
}

async function close(): Promise<void> {
  observer.disconnect()
  await broker.stop()
}

interface Sent {
  readonly topic: string
  readonly payload: string | Buffer
  readonly retain?: boolean
  readonly qos?: 0 | 1 | 2
  readonly properties?: Properties
}

const float = Buffer.alloc(4)
float.writeFloatLE(3.25)

// biome-ignore format: one row a line
const messages: readonly Sent[] = [
  { topic: 'm/plain', payload: 'abcd' },
  { topic: 'm/empty', payload: '' },
  { topic: 'm/binary', payload: Buffer.from([0, 0xff, 0x0a, 0x1b, 0x41]) },
  { topic: 'm/ü/€', payload: 'ü€😀' },
  { topic: 'm/json', payload: '{"b":[1.50,{"c":"\\u00e9\\n"},[]],"a":null,"a":true}' },
  { topic: 'm/float', payload: float },
  { topic: 'm/quotes', payload: 'say "hi"\\\t\x01' },
  { topic: 'm/long', payload: 'x'.repeat(5000) },
]

const full: Properties = {
  contentType: 'text/plain',
  responseTopic: 'r/t',
  correlationData: Buffer.from('cd'),
  payloadFormatIndicator: 1,
  messageExpiryInterval: 4000,
  userProperties: [
    ['a', 'b'],
    ['a', 'ü'],
  ],
}

describe(...suite('tsmq-sub prints what mosquitto_sub prints', [SUB]), () => {
  before(open)
  after(close)

  const v5: readonly Sent[] = [
    { topic: 'm/p', payload: 'abcd', properties: full },
    { topic: 'm/q', payload: 'xy' },
  ]
  const plain = messages.slice(0, 4)
  // %x with a width is left out: 2.0 cuts the payload to half of it, 2.1 and we do not (message-format.test.ts).
  const formats = [
    '%t',
    '%p',
    '%x',
    '%X',
    '%l',
    '%m',
    '%q',
    '%r',
    '%%',
    '@@',
    '%t %p',
    'literal ü€',
    '\\\\ \\a \\e \\n \\r \\t \\v',
    'a\\0b',
    '%20t|',
    '%-20t|',
    '%020t|',
    '%.3t|',
    '%10.3t|',
    '%-10.3t|',
    '%10p|',
    '%-10p|',
    '%010p|',
    '%3p|',
    '%-p|',
    '%-x|',
    '%8l|',
    '%-8l|',
    '%08l|',
    '%-08l|',
    '%8m|',
    '%08m|',
    '@Y',
    '@%',
    '@Q',
    '@+',
    '@n',
    '@t',
    '%05%|',
  ]
  const properties = [
    '%A',
    '%C',
    '%D',
    '%E',
    '%F',
    '%P',
    '%R',
    '%S',
    '%5A|',
    '%05A|',
    '%20C|',
    '%-20C|',
    '%.3C|',
    '%10E|',
    '%-10E|',
    '%010E|',
    '%3F|',
    '%03F|',
    '%20R|',
    '%-20R|',
    '%.2R|',
    '%5S|',
    '%D|%P',
  ]
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], sent: readonly Sent[], change?: readonly [RegExp, string]])[] = [
    [[], messages],
    [['-v'], messages],
    [['-N'], messages],
    [['-v', '-N'], messages],
    [['-v', '-T', 'm/empty', '-T', 'm/+/€'], messages],
    [['-v', '-q', '2'], messages.map((message) => ({ ...message, qos: 2 }))],
    [['-V', 'mqttv5', '-v', '-q', '1'], v5],
    ...formats.map((format) => [['-F', format], plain] as const),
    ...['%t', '%-p|'].map((format) => [['-N', '-F', format], plain] as const),
    ...properties.map((format) => [['-V', '5', '-F', format], v5] as const),
  ]
  for (const [index, [args, sent]] of rows.entries())
    test(args.join(' ') || 'no flags', async () => {
      const common = ['-t', `${index}/#`, '-C', String(sent.length), '-W', '10', ...args]
      const theirs = mosquittoSub(['-i', `theirs${index}`, ...common])
      const ours = start('tsmq-sub', broker.port, ['-i', `ours${index}`, ...common])
      for (const id of [`theirs${index}`, `ours${index}`])
        await until(
          () => broker.log.some((line) => line.includes(`${id} `) && line.endsWith(` ${index}/#`)),
          `subscription of ${id}`,
        )
      for (const { topic, ...message } of sent) observer.publish({ ...message, topic: `${index}/${topic}` })
      const [{ stdout, status }, result] = [await theirs, await ours.result]
      assert.equal(result.stdout.toString('latin1'), stdout)
      assert.equal(result.status, status)
    })

  test('%j and %J, but for what 2.1 prints otherwise: retain as a boolean, user-properties as a list, no Z in tst', async () => {
    const args = ['-t', 'json/#', '-C', '4', '-W', '10', '-F', '%J']
    for (const pretty of [[], ['--pretty']]) {
      const theirs = mosquittoSub(['-i', 'theirs', ...args, ...pretty])
      const ours = start('tsmq-sub', broker.port, ['-i', 'ours', ...args, ...pretty])
      const isReady = () =>
        broker.log.filter((line) => line.endsWith(' json/#')).length >= (pretty.length === 0 ? 2 : 4)
      await until(isReady, 'subscriptions')
      for (const payload of [messages[4]?.payload ?? '', '[1e20,-0,0.1]', 'no json', ''])
        observer.publish({ topic: 'json/ü', payload })
      const normal = (text: string) =>
        text.replaceAll(/("tst":\s*)"[^"]*"/g, '$1""').replaceAll(/("retain":\s*)0/g, '$1false')
      const [{ stdout }, result] = [await theirs, await ours.result]
      assert.equal(normal(result.stdout.toString('latin1')), normal(stdout))
    }
  })
})

describe(...suite('tsmq-sub treats retained messages as mosquitto_sub does', [SUB]), () => {
  before(open)
  after(close)

  const kept: readonly Sent[] = ['a', 'b/ü', 'c'].map((topic, index) => ({ topic, payload: `${index}`, retain: true }))
  const live: readonly Sent[] = [
    { topic: 'a', payload: 'live' },
    { topic: 'c', payload: '' },
    { topic: 'd', payload: 'last' },
  ]
  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], before: readonly Sent[], after: readonly Sent[]])[] = [
    [['-v', '-C', '6'], kept, live],
    [['-F', '%r %t %p', '-C', '6'], kept, live],
    [['-R', '-v', '-C', '3'], kept, live],
    [['-R', '-V', '5', '-v', '-C', '3'], kept, live],
    [['-v', '--retained-only'], kept, live],
    [['-V', '5', '-v', '--retained-only'], kept, live],
    [['--retained-only', '-C', '2'], kept, []],
    [['--retained-only', '-T', '+/a', '-v'], kept, live],
    [['-v', '-q', '1', '-C', '3'], kept, []],
    [['-V', '5', '-v', '--retain-as-published', '-F', '%r %p', '-C', '3'], kept, []],
    [['-E'], kept, []],
    [['-v', '-E', '-q', '2'], kept, []],
    [['-W', '1', '-v'], kept, []],
    [['-W', '1', '-R'], kept, []],
  ]
  for (const [index, [args, before, later]] of rows.entries())
    test(args.join(' '), async () => {
      const topic = `k${index}`
      const publish = (list: readonly Sent[]) => {
        for (const each of list) observer.publish({ ...each, topic: `${topic}/${each.topic}` })
      }
      publish(before)
      const common = ['-t', `${topic}/#`, ...args]
      const theirs = mosquittoSub(['-i', `their${topic}`, ...common])
      const ours = start('tsmq-sub', broker.port, ['-i', `our${topic}`, ...common])
      for (const id of [`their${topic}`, `our${topic}`])
        await until(
          () => broker.log.some((line) => line.includes(`${id} `) && line.endsWith(` ${topic}/#`)),
          `subscription of ${id}`,
        )
      publish(later)
      const [{ stdout, status }, result] = [await theirs, await ours.result]
      assert.equal(result.stdout.toString('latin1'), stdout)
      assert.equal(result.status, status)
    })
})

describe(...suite('tsmq-sub refuses what mosquitto_sub refuses', [SUB]), () => {
  before(open)
  after(close)

  // biome-ignore format: one row a line
  const rows: readonly (readonly string[])[] = [
    [],
    ['-t', 'a#'],
    ['-t', '+a'],
    ['-t', ''],
    ['-t'],
    ['-t', 'a', '-T', 'a/#/b'],
    ['-t', 'a', '-U', '#a'],
    ['-t', 'a', '-C', '0'],
    ['-t', 'a', '-C'],
    ['-t', 'a', '-W', '0'],
    ['-t', 'a', '-F', '%'],
    ['-t', 'a', '-F', '%k'],
    ['-t', 'a', '-F', 'a\\'],
    ['-t', 'a', '-F', 'a\\q'],
    ['-t', 'a', '-F', 'a@'],
    ['-t', 'a', '-q', '3'],
    ['-t', 'a', '-k', '4'],
    ['-t', 'a', '-p', '65536'],
    ['-t', 'a', '-V', '7'],
    ['-t', 'a', '-x', 'abc'],
    ['-t', 'a', '-i', 'x', '-I', 'y'],
    ['-t', 'a', '-c'],
    ['-t', 'a', '-R', '--retained-only'],
    ['-t', 'a', '--random-filter', '0'],
    ['-t', 'a', '--will-payload', 'x'],
    ['-t', 'a', '--will-retain'],
    ['-t', 'a', '-D', 'subscribe', 'nonsense', '1'],
    ['-t', 'a', '-D', 'subscribe', 'content-type', 'x'],
    ['-t', 'a', '-m', 'x'],
    ['-t', 'a', '--nonsense'],
    ['stray'],
  ]
  for (const args of rows)
    test(args.join(' ') || 'nothing', async () => {
      const theirs = await new Program(SUB, args, { input: '' }).end()
      const ours = await tool('tsmq-sub', broker.port, args)
      assert.deepEqual([ours.status, theirs.status], [1, 1])
      assert.deepEqual([ours.stdout.toString(), ours.stderr === ''], ['', theirs.stderr === '' && theirs.stdout === ''])
    })

  // What differs on purpose.
  // biome-ignore format: one row a line
  const differences: readonly (readonly [args: readonly string[], theirs: number, ours: number, reason: string])[] = [
    [['--help'], 1, 0, 'help that was asked for is no failure'],
    [['--version'], 1, 0, 'nor is the version'],
    [['-t', 'a', '-p', '1'], 1, 69, 'where a connection failed has a status of its own'],
  ]
  for (const [args, their, our, reason] of differences)
    test(`${args.join(' ')}: ${our} and not ${their}, because ${reason}`, async () => {
      const theirs = await new Program(SUB, ['-h', '127.0.0.1', ...args], { input: '' }).end()
      const ours = await tool('tsmq-sub', broker.port, args)
      assert.deepEqual([ours.status, theirs.status], [our, their])
    })
})

describe(...suite('tsmq-pub does what mosquitto_pub does', [PUB]), () => {
  before(async () => {
    await open()
    await observer.subscribe([{ filter: '#', qos: 2, retainAsPublished: true }])
  })
  after(close)

  // biome-ignore format: one row a line
  const rows: readonly (readonly [args: readonly string[], input?: string])[] = [
    [['-m', 'hello']],
    [['-m', '']],
    [['-m', '-5']],
    [['-m', 'ü€😀']],
    [['-n']],
    [['-s'], 'one\ntwo\0three'],
    [['-s'], 'x'.repeat(100_000)],
    [['-f', 'package.json']],
    [['-l'], 'one\ntwo\nthree'],
    [['-l'], 'one\r\n\n\nfour\n'],
    [['-l'], ''],
    [['-l', '-q', '1'], 'one\ntwo\n'],
    [['-l', '-q', '2', '-r'], 'one\n'],
    [['-l'], `${'x'.repeat(70_000)}\ny\n`],
    [['-m', 'x', '-q', '0', '-r']],
    [['-m', 'x', '-q', '1']],
    [['-m', 'x', '-q', '2', '-r']],
    [['-m', 'x', '--repeat', '3']],
    [['-m', 'x', '--repeat', '2', '-q', '2', '--repeat-delay', '0.01']],
    [['-V', '31', '-i', 'x31', '-m', 'x']],
    [['-V', '5', '-m', 'x', '-q', '1']],
    [['-V', 'mqttv5', '-m', 'x', '-c', '-i', 'kept', '-x', '5']],
    [['-m', 'x', '-D', 'publish', 'content-type', 'text/plain', '-D', 'publish', 'user-property', 'a', 'b', '-D', 'PUBLISH', 'User-Property', 'a', 'c']],
    [['-m', 'x', '-D', 'publish', 'message-expiry-interval', '4000', '-D', 'publish', 'payload-format-indicator', '1']],
    [['-m', 'x', '-D', 'publish', 'response-topic', 'r', '-D', 'publish', 'correlation-data', 'cd']],
    [['-m', 'x', '-D', 'publish', 'topic-alias', '3', '--repeat', '2']],
    [['-u', 'user', '-P', 'pass', '-m', 'x']],
    [['--will-topic', 'w', '--will-payload', 'gone', '--will-qos', '1', '--will-retain', '-m', 'x']],
    [['-k', '10', '-M', '5', '-q', '1', '-m', 'x']],
    [['-I', 'pre', '-m', 'x']],
    [['-m', 'x', '-q', '3']],
    [['-m', 'x', '-k', '4']],
    [['-m', 'x', '-n']],
    [['-m', 'x', '-V', '7']],
    [['-m', 'x', '-c']],
    [['-m', 'x', '--will-payload', 'y']],
    [['-m', 'x', '-D', 'publish', 'nonsense', '1']],
    [['-m', 'x', '-D', 'publish', 'receive-maximum', '1']],
    [['-m', 'x', '--nonsense']],
    [['-f', '/no/such/file']],
    [['-s'], ''],
  ]
  for (const [index, [args, input = '']] of rows.entries())
    test(args.map((word) => word.slice(0, 20)).join(' '), async () => {
      const common = ['-t', `t${index}`, ...args]
      const theirs = await new Program(PUB, ['-h', '127.0.0.1', '-p', String(broker.port), ...common], { input }).end()
      const published = await publishes()
      const ours = await tool('tsmq-pub', broker.port, common, { input })
      assert.deepEqual(await publishes(), published)
      assert.equal(ours.status, theirs.status)
      assert.equal(ours.stdout.toString(), theirs.stdout)
      assert.equal(ours.stderr === '', theirs.stderr === '')
    })

  // What differs on purpose.
  // biome-ignore format: one row a line
  const differences: readonly (readonly [args: readonly string[], theirs: number, ours: number, reason: string])[] = [
    [['-t', 'a', '-m', 'x', '-p', '1'], 1, 69, 'where a connection failed has a status of its own'],
    [['--help'], 1, 0, 'help that was asked for is no failure'],
  ]
  for (const [args, their, our, reason] of differences)
    test(`${args.join(' ')}: ${our} and not ${their}, because ${reason}`, async () => {
      const theirs = await new Program(PUB, ['-h', '127.0.0.1', ...args], { input: '' }).end()
      const ours = await tool('tsmq-pub', broker.port, args)
      assert.deepEqual([ours.status, theirs.status], [our, their])
    })

  /** What the observer has been given since it was last asked. */
  async function publishes(): Promise<unknown[]> {
    const packets = await observer.settled()
    return packets.flatMap((packet) => {
      if (packet.type !== PacketType.PUBLISH) return []
      if (packet.qos === 1) observer.ack(PacketType.PUBACK, packet.packetId)
      if (packet.qos === 2) {
        observer.ack(PacketType.PUBREC, packet.packetId)
        observer.ack(PacketType.PUBCOMP, packet.packetId)
      }
      const { topic, payload, qos, retain, properties } = packet
      return [{ topic, payload: payload.toString('latin1'), qos, retain, properties: JSON.stringify(properties) }]
    })
  }
})
