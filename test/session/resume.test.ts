// What a session owes when its client comes back: resends in order, identifiers kept, never at any other time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { Outbound } from '../../src/session/outbound.js'
import { connectedOutbound, item, NO_LIMITS, onPuback, onPubcomp, onPubrec, ScriptedSink } from './scripted-sink.js'

/** a, b, c in flight of which b is released; d waits. */
function interrupted(): Outbound {
  const { outbound } = connectedOutbound(3)
  for (const delivery of [item('a', 1), item('b', 2), item('c', 2), item('d', 1)]) outbound.enqueue(delivery)
  onPubrec(outbound, 2, ReasonCode.SUCCESS, 0)
  outbound.detach()
  return outbound
}

test('F7 F16 F22 [MQTT-4.4.0-1] [MQTT-4.3.3-6] PUBLISH with DUP or PUBREL, the old ids, oldest first, then what waits', () => {
  const outbound = interrupted()
  const sink = new ScriptedSink()
  outbound.attach(sink, 10, 0)
  assert.deepEqual(sink.take(), ['m1 a q1 dup', 'pubrel m2', 'm3 c q2 dup', 'm4 d q1'])
})

test('F114 resends and PUBRELs occupy the window; what is more than the new Receive Maximum waits', () => {
  const outbound = interrupted()
  const sink = new ScriptedSink()
  outbound.attach(sink, 1, 0)
  assert.deepEqual(sink.take(), ['m1 a q1 dup'])
  onPuback(outbound, 1, 0)
  assert.deepEqual(sink.take(), ['pubrel m2'])
  onPubcomp(outbound, 2, 0)
  assert.deepEqual(sink.take(), ['m3 c q2 dup'])
  onPubrec(outbound, 3, ReasonCode.SUCCESS, 0)
  onPubcomp(outbound, 3, 0)
  assert.deepEqual(sink.take(), ['pubrel m3', 'm4 d q1'])
})

test('F115 the quota starts anew with each connection', () => {
  const { outbound } = connectedOutbound(1)
  outbound.enqueue(item('a'))
  const sink = new ScriptedSink()
  outbound.attach(sink, 2, 0)
  outbound.enqueue(item('b'))
  outbound.enqueue(item('c'))
  assert.deepEqual(sink.take(), ['m1 a q1 dup', 'm2 b q1'])
})

test('F16 a new message does not overtake those that still have to be sent again', () => {
  const outbound = interrupted()
  const sink = new ScriptedSink()
  outbound.attach(sink, 1, 0)
  assert.equal(outbound.enqueue(item('e')), 'queued')
  onPuback(outbound, 1, 0)
  onPubcomp(outbound, 2, 0)
  onPubrec(outbound, 3, ReasonCode.NOT_AUTHORIZED, 0)
  onPuback(outbound, 4, 0)
  assert.deepEqual(sink.take(), ['m1 a q1 dup', 'pubrel m2', 'm3 c q2 dup', 'm4 d q1', 'm5 e q1'])
})

test('an acknowledgement for a message whose turn to be sent again has not come gives no quota', () => {
  const outbound = interrupted()
  const sink = new ScriptedSink()
  outbound.attach(sink, 1, 0)
  onPubrec(outbound, 3, ReasonCode.NOT_AUTHORIZED, 0)
  assert.deepEqual(sink.take(), ['m1 a q1 dup'])
  onPuback(outbound, 1, 0)
  onPubcomp(outbound, 2, 0)
  assert.deepEqual(sink.take(), ['pubrel m2', 'm4 d q1'])
})

test('F14 a message that waited for the client was never sent: DUP 0', () => {
  const outbound = new Outbound(NO_LIMITS)
  assert.equal(outbound.enqueue(item('a', 2)), 'queued')
  const sink = new ScriptedSink()
  outbound.attach(sink, 10, 0)
  assert.deepEqual(sink.take(), ['m1 a q2'])
})

test('F66 [MQTT-4.3.3-7] [MQTT-4.3.3-13] what was sent is sent again and finished though it has expired meanwhile', () => {
  const { outbound } = connectedOutbound()
  outbound.enqueue(item('a', 2, 5))
  outbound.detach()
  outbound.filterQueue(60_000)
  const sink = new ScriptedSink()
  outbound.attach(sink, 10, 60_000)
  onPubrec(outbound, 1, ReasonCode.SUCCESS, 60_000)
  assert.equal(onPubcomp(outbound, 1, 60_000)?.packetId, 1)
  assert.deepEqual(sink.take(), ['m1 a q2 dup', 'pubrel m1'])
})

test('one that has become too large for the client counts as delivered', () => {
  const { outbound } = connectedOutbound()
  outbound.enqueue(item('large'))
  outbound.enqueue(item('b'))
  const sink = new ScriptedSink()
  sink.largest = 3
  outbound.attach(sink, 1, 0)
  assert.deepEqual(sink.take(), ['m2 b q1 dup'])
  assert.equal(outbound.inFlightCount, 1)
})

test('resending stops while the connection takes no more, and goes on where it stopped', () => {
  const outbound = interrupted()
  const sink = new ScriptedSink()
  sink.isWritable = false
  outbound.attach(sink, 10, 0)
  assert.deepEqual(sink.take(), [])
  sink.isWritable = true
  outbound.pump(0)
  assert.deepEqual(sink.take(), ['m1 a q1 dup', 'pubrel m2', 'm3 c q2 dup', 'm4 d q1'])
})

test('F21 nothing is sent again while the connection lasts, however often the session is asked', () => {
  const { outbound, sink } = connectedOutbound()
  outbound.enqueue(item('a', 2))
  sink.take()
  for (let now = 0; now < 1_000_000; now += 100_000) outbound.pump(now)
  assert.deepEqual(sink.take(), [])
})

test('deliveries lists what is unfinished, in flight first', () => {
  const texts = [...interrupted().deliveries()].map(({ message, packetId }) => `${message.payload} m${packetId}`)
  assert.deepEqual(texts, ['a m1', 'b m2', 'c m3', 'd m0'])
})
