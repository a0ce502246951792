// Messages of packets that came one behind the other: what they hold, and when a receiver takes them together.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { NumberedRun } from '../../src/protocol/numbered-run.js'
import { publish } from '../../src/protocol/packets/publish.js'
import type { Message } from '../../src/session/message.js'
import { MessageRun } from '../../src/session/message-run.js'
import type { Outbound, OutboundJournal, OutboundLimits } from '../../src/session/outbound.js'
import { connectedOutbound, item, onPuback, type ScriptedSink } from './scripted-sink.js'

const publisher = { clientId: 'p', mayWrite: () => true }

/** A run of QoS 1 messages to `t` in memory that is overwritten when it has begun. */
function runOf(payloads: readonly string[], arePassedOn = true, run = new MessageRun(new NumberedRun())): MessageRun {
  const packets = ['first', ...payloads].map((text, at) =>
    encodePacket(publish({ topic: 't', qos: 1, packetId: 100 + at, payload: Buffer.from(text) }), 4),
  )
  const bytes = Buffer.concat(packets)
  run.packets.find(bytes, 2, 5, 4, packets[0]?.length ?? 0, bytes.length, 1e9, 1e9)
  run.begin('t', publisher, arePassedOn)
  bytes.fill(0xee)
  return run
}

const texts = (messages: readonly Message[]) => messages.map(({ payload }) => payload.toString())

test('each message outlives the bytes it came in, the run, and those that follow', () => {
  const run = runOf(['a', '', 'ccc'])
  const messages = run.messages
  assert.ok(
    messages.every(
      ({ topic, qos, retain, size }, at) => topic === 't' && qos === 1 && !retain && size === [1, 0, 3][at],
    ),
  )
  run.end()
  assert.equal(run.messages.length, 0)
  for (let round = 0; round < 100; round++) {
    runOf(['x'.repeat(1000)], true, run)
    run.end()
  }
  for (const message of messages) message.detach()
  assert.deepEqual(texts(messages), ['a', '', 'ccc'])
  assert.equal(messages[0]?.bytes, messages[2]?.bytes, 'they share memory')
  for (const message of messages) message.keep()
  assert.deepEqual(texts(messages), ['a', '', 'ccc'])
  assert.deepEqual(
    messages.map(({ bytes }) => bytes.buffer.byteLength),
    [1, 0, 3],
  )
})

test('they hold their packets where those may be passed on', () => {
  for (const arePassedOn of [true, false])
    for (const { frameStart, bytes, payloadEnd } of runOf(['a', 'bb'], arePassedOn).messages) {
      assert.equal(frameStart >= 0, arePassedOn)
      if (arePassedOn) assert.equal(bytes.readUInt16BE(frameStart), 0x3200 + payloadEnd - frameStart - 2)
    }
})

describe('a receiver takes them together, and sends at once as many as it may', () => {
  const three = ['a', 'bb', 'ccc']
  /** One message on its way to a window of 1, and one that waits. */
  const two = (outbound: Outbound) => {
    for (const text of ['x', 'y']) outbound.enqueue(item(text))
  }
  const cases: readonly {
    readonly name: string
    readonly window?: number
    readonly limits?: Partial<OutboundLimits>
    readonly before?: (outbound: Outbound, sink: ScriptedSink) => void
    /** How many; undefined when they are not taken. */
    readonly sends: number | undefined
  }[] = [
    { name: 'when nothing is in the way', sends: 3 },
    { name: 'when they fill its window', window: 3, sends: 3 },
    { name: 'when its window is smaller', window: 2, sends: 2 },
    { name: 'when some of it is used', window: 3, before: (outbound) => void outbound.enqueue(item('x')), sends: 2 },
    { name: 'when all of it is', window: 1, before: (outbound) => void outbound.enqueue(item('x')), sends: 0 },
    { name: 'when they fill max_inflight_bytes', limits: { maxInflightBytes: 6 }, sends: 3 },
    { name: 'not when they exceed max_inflight_bytes', limits: { maxInflightBytes: 5 }, sends: undefined },
    { name: 'whatever may wait, when they leave', limits: { maxQueuedMessages: 1, maxQueuedBytes: 1 }, sends: 3 },
    { name: 'when they fill max_queued_messages', window: 1, limits: { maxQueuedMessages: 4 }, before: two, sends: 0 },
    {
      name: 'not when they exceed max_queued_messages',
      window: 1,
      limits: { maxQueuedMessages: 3 },
      before: two,
      sends: undefined,
    },
    { name: 'when they fill max_queued_bytes', window: 1, limits: { maxQueuedBytes: 7 }, before: two, sends: 0 },
    {
      name: 'not when they exceed max_queued_bytes',
      window: 1,
      limits: { maxQueuedBytes: 6 },
      before: two,
      sends: undefined,
    },
    {
      name: 'behind something that waits',
      window: 4,
      before(outbound) {
        for (let i = 0; i < 5; i++) outbound.enqueue(item('x'))
        for (const id of [1, 2, 3, 4]) onPuback(outbound, id, 0)
        outbound.limits = { ...outbound.limits, maxInflightBytes: 1 }
        outbound.enqueue(item('long'))
        outbound.limits = { ...outbound.limits, maxInflightBytes: 0 }
      },
      sends: 0,
    },
    { name: 'when the connection is behind', before: (_, sink) => void (sink.isWritable = false), sends: 0 },
    {
      name: 'behind something that is to be sent again',
      before(outbound, sink) {
        outbound.enqueue(item('x'))
        outbound.detach()
        sink.isWritable = false
        outbound.attach(sink, 9, 0)
        sink.isWritable = true
      },
      sends: 0,
    },
    { name: 'not without a connection', before: (outbound) => outbound.detach(), sends: undefined },
    {
      name: 'not when they are to be on disk first',
      before(outbound) {
        const nothing = () => {}
        const journal: OutboundJournal = { queued: nothing, sending: nothing, sent: nothing, finished: nothing }
        outbound.journal = journal
      },
      sends: undefined,
    },
  ]
  for (const { name, window, limits = {}, before, sends } of cases)
    test(name, () => {
      const { outbound, sink } = connectedOutbound(window, limits)
      before?.(outbound, sink)
      const run = runOf(three)
      const room = outbound.roomForRun(run)
      assert.equal(room, sends ?? -1)
      if (sends === undefined) return
      const { queuedCount, queuedBytes, inFlightCount, inFlightBytes } = outbound
      let sent = 0
      outbound.sendRun(run, 0, { sendRun: (_, count) => void (sent = count) }, room)
      assert.equal(sent, sends)
      assert.deepEqual([outbound.inFlightCount, outbound.queuedCount], [inFlightCount + sends, queuedCount + 3 - sends])
      const bytes = three.slice(0, sends).join('').length
      assert.deepEqual([outbound.inFlightBytes, outbound.queuedBytes], [inFlightBytes + bytes, queuedBytes + 6 - bytes])
    })

  test('those that have to wait leave in their order', () => {
    const { outbound, sink } = connectedOutbound(2)
    const run = runOf(three)
    outbound.sendRun(run, 0, { sendRun: () => {} }, outbound.roomForRun(run))
    for (const id of [1, 2, 3]) onPuback(outbound, id, 0)
    assert.deepEqual(sink.take(), ['m3 ccc q1'])
    assert.ok(outbound.isEmpty)
  })

  test('as many as there are identifiers', () => {
    const { outbound } = connectedOutbound()
    for (let i = 0; i < 65_535 - 2; i++) outbound.enqueue(item('x'))
    const sent: number[] = []
    const run = runOf(three)
    const sink = { sendRun: () => void sent.push(...run.packetIds.subarray(0, 2)) }
    assert.equal(outbound.roomForRun(run), 2)
    outbound.sendRun(run, 0, sink, 2)
    assert.deepEqual(sent, [65_534, 65_535])
    assert.equal(outbound.queuedCount, 1)
  })

  test('with identifiers that are not in use, which the acknowledgements free', () => {
    const { outbound } = connectedOutbound(5, { maxInflightBytes: 100 })
    for (let i = 0; i < 2; i++) outbound.enqueue(item('x'))
    const run = runOf(three)
    const sent: number[] = []
    outbound.sendRun(run, 0, { sendRun: (_, count) => void sent.push(...run.packetIds.subarray(0, count)) }, 3)
    assert.deepEqual(sent, [3, 4, 5])
    assert.deepEqual([outbound.inFlightCount, outbound.inFlightBytes], [5, 8])
    for (const [at, id] of sent.entries())
      assert.equal(onPuback(outbound, id, 0)?.message.payload.toString(), three[at])
    assert.deepEqual([outbound.inFlightCount, outbound.inFlightBytes], [2, 2])
  })
})
