// Messages of packets that came one behind the other: what they hold, and when a receiver takes them together.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { NumberedRun } from '../../src/protocol/numbered-run.js'
import { publish } from '../../src/protocol/packets/publish.js'
import type { Message } from '../../src/session/message.js'
import { MessageRun } from '../../src/session/message-run.js'
import type { Outbound, OutboundJournal } from '../../src/session/outbound.js'
import { connectedOutbound, item, type ScriptedSink } from './scripted-sink.js'

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

describe('a receiver takes them together', () => {
  const three = ['a', 'bb', 'ccc']
  const cases: readonly {
    readonly name: string
    readonly window?: number
    readonly maxInflightBytes?: number
    readonly before?: (outbound: Outbound, sink: ScriptedSink) => void
    readonly takes: boolean
  }[] = [
    { name: 'when nothing is in the way', takes: true },
    { name: 'when they fill its window', window: 3, takes: true },
    { name: 'not when its window is smaller', window: 2, takes: false },
    {
      name: 'not when too much of it is used',
      window: 3,
      before: (outbound) => void outbound.enqueue(item('x')),
      takes: false,
    },
    { name: 'when they fill max_inflight_bytes', maxInflightBytes: 6, takes: true },
    { name: 'not when they exceed it', maxInflightBytes: 5, takes: false },
    {
      name: 'not behind something that waits',
      window: 4,
      before(outbound) {
        for (let i = 0; i < 5; i++) outbound.enqueue(item('x'))
        for (const id of [1, 2, 3, 4]) outbound.onPuback(id, 0)
        outbound.limits = { ...outbound.limits, maxInflightBytes: 1 }
        outbound.enqueue(item('long'))
        outbound.limits = { ...outbound.limits, maxInflightBytes: 0 }
      },
      takes: false,
    },
    { name: 'not when the connection is behind', before: (_, sink) => void (sink.isWritable = false), takes: false },
    { name: 'not without a connection', before: (outbound) => outbound.detach(), takes: false },
    {
      name: 'not when they are to be on disk first',
      before(outbound) {
        const nothing = () => {}
        const journal: OutboundJournal = { queued: nothing, sending: nothing, sent: nothing, finished: nothing }
        outbound.journal = journal
      },
      takes: false,
    },
  ]
  for (const { name, window, maxInflightBytes = 0, before, takes } of cases)
    test(name, () => {
      const { outbound, sink } = connectedOutbound(window, { maxInflightBytes })
      before?.(outbound, sink)
      assert.equal(outbound.takesRun(runOf(three)), takes)
    })

  test('not when it would be owed more than there are identifiers', () => {
    const { outbound } = connectedOutbound()
    for (let i = 0; i < 65_535 - 3; i++) outbound.enqueue(item('x'))
    assert.equal(outbound.takesRun(runOf(three)), true)
    outbound.enqueue(item('x'))
    assert.equal(outbound.takesRun(runOf(three)), false)
  })

  test('with identifiers that are not in use, which the acknowledgements free', () => {
    const { outbound } = connectedOutbound(5, { maxInflightBytes: 100 })
    for (let i = 0; i < 2; i++) outbound.enqueue(item('x'))
    const run = runOf(three)
    const sent: number[] = []
    outbound.sendRun(run, 0, {
      sendRun: ({ packets, packetIds }) => sent.push(...packetIds.subarray(0, packets.count)),
    })
    assert.deepEqual(sent, [3, 4, 5])
    assert.deepEqual([outbound.inFlightCount, outbound.inFlightBytes], [5, 8])
    assert.equal(outbound.takesRun(runOf(['a'])), false)
    for (const [at, id] of sent.entries()) assert.equal(outbound.onPuback(id, 0)?.message.payload.toString(), three[at])
    assert.deepEqual([outbound.inFlightCount, outbound.inFlightBytes], [2, 2])
    assert.equal(outbound.takesRun(runOf(three)), true)
  })
})
