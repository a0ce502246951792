// tsmq-pub --require-subscriber and --confirm: whether somebody got it (features.md C8).

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { type Peer, ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { start, tool } from './client-tool.js'

const { SUBSCRIBE, SUBACK, PUBLISH, PUBACK, DISCONNECT } = PacketType

let broker: TestBroker
before(async () => {
  broker = await startBroker({
    conf: 'acl_file {folder}/acl',
    files: { acl: 'topic readwrite #\ntopic deny secret/#\n' },
  })
})
after(() => broker.stop())

describe('tsmq-pub --require-subscriber', () => {
  const x = ['-t', 'a', '-m', 'x', '--require-subscriber']
  // biome-ignore format: one row a line
  const rows: readonly (readonly [name: string, args: readonly string[], codes: readonly number[], status: number, stderr: RegExp])[] = [
    ['somebody subscribes', x, [0], 0, /^$/],
    ['nobody does', x, [0x10], 66, /^Error: nobody subscribes to the topic\n$/],
    ['nobody does, --quiet', [...x, '--quiet'], [0x10], 66, /^$/],
    ['nobody does, QoS 2', [...x, '-q', '2'], [0x10], 66, /nobody/],
    ['refused', x, [0x87], 0x87, /Not authorized/],
    ['two of three', [...x, '--repeat', '3'], [0x10, 0, 0x10], 66, /^Error: nobody subscribes to the topic\nError: 2 of 3 messages were not delivered\n$/],
  ]
  for (const [name, args, codes, status, stderr] of rows)
    test(name, async (t) => {
      const scripted = await ScriptedBroker.start(t)
      const run = start('tsmq-pub', scripted.port, args)
      const peer = await scripted.peer()
      assert.equal((await peer.accept()).protocolVersion, 5)
      for (const reasonCode of codes as readonly (0 | 0x10 | 0x87)[]) {
        const { qos, packetId } = await peer.expect(PUBLISH)
        peer.send({ type: qos === 1 ? PUBACK : PacketType.PUBREC, packetId, reasonCode, properties: NO_PROPERTIES })
        if (qos === 2 && reasonCode < 0x80) {
          await peer.expect(PacketType.PUBREL)
          peer.send({ type: PacketType.PUBCOMP, packetId, reasonCode: 0, properties: NO_PROPERTIES })
        }
      }
      const result = await run.result
      assert.equal(result.status, status)
      assert.match(result.stderr, stderr)
    })
  for (const [args, says] of [
    [[...x, '-q', '0'], /needs QoS 1 or 2/],
    [[...x, '-V', '311'], /needs MQTT 5\.0/],
    [[...x, '--confirm', '1'], /cannot be used together/],
  ] as const)
    test(`wrong usage: ${args.slice(5).join(' ')}`, async () => {
      const { status, stderr } = await tool('tsmq-pub', 1, args)
      assert.match(stderr, says)
      assert.equal(status, 1)
    })
  test('--ndjson: a message with QoS 0 is none that can be asked about', async () => {
    const input = '{"topic":"a","payload":"x","qos":0}\n'
    const { status, stderr } = await tool('tsmq-pub', broker.port, ['--ndjson', '--require-subscriber'], { input })
    assert.match(stderr, /line 1: --require-subscriber needs QoS 1 or 2/)
    assert.equal(status, 1)
  })
  test('at tsmq', async () => {
    const args = ['-t', 'asked/for', '-m', 'x', '--require-subscriber']
    assert.equal((await tool('tsmq-pub', broker.port, args)).status, 66)
    const { client } = await RawClient.connect(broker.port)
    await client.subscribe('asked/+')
    assert.equal((await tool('tsmq-pub', broker.port, args)).status, 0)
    client.disconnect()
  })
})

describe('tsmq-pub --confirm', () => {
  /** Accepts, grants the subscription, and answers each publish. */
  async function played(
    t: Parameters<typeof ScriptedBroker.start>[0],
    args: readonly string[],
    answer: (peer: Peer, packet: Publish) => void,
    code: 0 | 1 | 0x80 | 0x87 = 0,
  ) {
    const scripted = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', scripted.port, ['-t', 'a', '-m', 'x', '--confirm', '0.2', ...args])
    const peer = await scripted.peer()
    await peer.accept()
    const { packetId, subscriptions } = await peer.expect(SUBSCRIBE)
    peer.send({ type: SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [code] })
    const published: Publish[] = []
    for (;;) {
      const packet = await peer.next()
      if (packet.type === DISCONNECT) return { subscriptions, published, ...(await run.result) }
      if (packet.type !== PUBLISH) continue
      published.push(packet)
      answer(peer, packet)
    }
  }
  const echo = (peer: Peer, packet: Publish) => peer.send(packet)

  test('the copy comes back', async (t) => {
    const { status, subscriptions, stderr } = await played(t, ['-V', '5'], echo)
    assert.deepEqual(subscriptions, [
      { filter: 'a', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 2 },
    ])
    assert.deepEqual([status, stderr], [0, ''])
  })
  test('it does not', async (t) => {
    const { status, stderr } = await played(t, [], () => {})
    assert.deepEqual([status, stderr], [74, 'Error: the message did not come back within 0.2 s\n'])
  })
  test('acknowledged, and it does not', async (t) => {
    const { status } = await played(t, ['-q', '1'], (peer, { packetId }) =>
      peer.send({ type: PUBACK, packetId, reasonCode: 0, properties: NO_PROPERTIES }),
    )
    assert.equal(status, 74)
  })
  test('something else does, and what was retained before', async (t) => {
    const { status } = await played(t, [], (peer) => peer.send('30 04 00 01 61 79', '31 04 00 01 61 78'))
    assert.equal(status, 74)
  })
  for (const [version, code, words] of [
    ['5', 0x87, 'Not authorized'],
    ['311', 0x80, 'Unspecified error'],
  ] as const)
    test(`the subscription is refused, -V ${version}: nothing is published`, async (t) => {
      const { status, published, stderr } = await played(t, ['-V', version], echo, code)
      assert.equal(
        stderr,
        `Error: nothing was published: the subscription to a, for --confirm, was refused: ${words}\n`,
      )
      assert.deepEqual([status, published.length], [74, 0])
    })
  test('one of three is missing', async (t) => {
    let count = 0
    const { status, stderr } = await played(t, ['--repeat', '3'], (peer, packet) => {
      if (++count !== 2) peer.send(packet)
    })
    assert.deepEqual([status, stderr], [74, 'Error: 1 of 3 messages did not come back within 0.2 s\n'])
  })
  for (const args of [[], ['-V', '5'], ['-q', '1'], ['-q', '2', '-r'], ['-V', '31', '-i', 'me']])
    test(`at tsmq ${args.join(' ')}`, async () => {
      const { status, stderr } = await tool('tsmq-pub', broker.port, [
        '-t',
        'here',
        '-m',
        'x',
        '--confirm',
        '5',
        ...args,
      ])
      assert.deepEqual([status, stderr], [0, ''])
    })
  test('at tsmq, 5000 lines', async () => {
    const input = Array.from({ length: 5000 }, (_, i) => `${i % 7}${'x'.repeat(i % 400)}\n`).join('')
    const { status, stderr } = await tool('tsmq-pub', broker.port, ['-t', 'many', '-l', '--confirm', '5'], { input })
    assert.deepEqual([status, stderr], [0, ''])
  })
  test('at tsmq, without the right to publish', async () => {
    const args = ['-t', 'secret/a', '-m', 'x', '--confirm', '0.3']
    assert.equal((await tool('tsmq-pub', broker.port, args)).status, 74)
  })
  test('a time of nothing', async () => {
    const { status, stderr } = await tool('tsmq-pub', 1, ['-t', 'a', '-m', 'x', '--confirm', '0'])
    assert.match(stderr, /--confirm must be between 0\.001 and 86400, not 0/)
    assert.equal(status, 1)
  })
})
