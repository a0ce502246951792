// The flow of QoS 1 and 2 messages to one receiver while it is connected: first sending, answers, window, queue and limits.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import type { Delivery } from '../../src/session/delivery.js'
import { protocolErrorOf } from '../protocol/decoding.js'
import { connectedOutbound, item, onPuback, onPubcomp, onPubrec, ScriptedSink } from './scripted-sink.js'

describe('answers to what was sent', () => {
  test('[MQTT-4.3.2-2] [MQTT-4.3.2-3] QoS 1: one PUBLISH with DUP 0, unacknowledged until PUBACK', () => {
    const { outbound, sink } = connectedOutbound()
    assert.equal(outbound.enqueue(item('a')), 'sent')
    assert.deepEqual(sink.take(), ['m1 a q1'])
    assert.equal(outbound.inFlightCount, 1)
    assert.equal(onPuback(outbound, 1, 0)?.message.payload.toString(), 'a')
    assert.equal(outbound.isEmpty, true)
    assert.deepEqual(sink.take(), [])
  })

  test('[MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT-4.3.3-5] QoS 2: PUBLISH, PUBREL after PUBREC, done after PUBCOMP', () => {
    const { outbound, sink } = connectedOutbound()
    outbound.enqueue(item('a', 2))
    assert.equal(onPubrec(outbound, 1, ReasonCode.SUCCESS, 0), undefined)
    assert.deepEqual(sink.take(), ['m1 a q2', 'pubrel m1'])
    assert.equal(outbound.inFlightCount, 1)
    assert.equal(onPubcomp(outbound, 1, 0)?.message.payload.toString(), 'a')
    assert.equal(outbound.isEmpty, true)
  })

  test('[MQTT-4.3.1-1] QoS 0 takes neither identifier nor quota', () => {
    const { outbound, sink } = connectedOutbound(1)
    outbound.enqueue(item('full'))
    assert.equal(outbound.enqueue(item('free', 0)), 'sent')
    assert.deepEqual(sink.take(), ['m1 full q1', 'm0 free q0'])
    assert.equal(outbound.inFlightCount, 1)
  })

  test('E126 PUBREC repeated after PUBREL: PUBREL again', () => {
    const { outbound, sink } = connectedOutbound()
    outbound.enqueue(item('a', 2))
    onPubrec(outbound, 1, ReasonCode.SUCCESS, 0)
    onPubrec(outbound, 1, ReasonCode.SUCCESS, 0)
    assert.deepEqual(sink.take(), ['m1 a q2', 'pubrel m1', 'pubrel m1'])
  })

  test('F1 PUBREC of 0x80 or more ends the flow without PUBREL and frees identifier and quota', () => {
    const { outbound, sink } = connectedOutbound(1)
    outbound.enqueue(item('a', 2))
    outbound.enqueue(item('b', 2))
    assert.equal(onPubrec(outbound, 1, ReasonCode.QUOTA_EXCEEDED, 0)?.message.payload.toString(), 'a')
    assert.deepEqual(sink.take(), ['m1 a q2', 'm2 b q2'])
    assert.equal(outbound.inFlightCount, 1)
  })

  test('F3 PUBREC for an unknown identifier is answered with PUBREL 0x92, a refusing one not at all', () => {
    const { outbound, sink } = connectedOutbound()
    onPubrec(outbound, 9, ReasonCode.SUCCESS, 0)
    onPubrec(outbound, 8, ReasonCode.NOT_AUTHORIZED, 0)
    assert.deepEqual(sink.take(), ['pubrel m9 146'])
  })

  test('E118 E122 PUBACK and PUBCOMP for an unknown identifier are ignored', () => {
    const { outbound, sink } = connectedOutbound()
    assert.equal(onPuback(outbound, 7, 0), undefined)
    assert.equal(onPubcomp(outbound, 7, 0), undefined)
    assert.deepEqual(sink.take(), [])
  })

  const wrong = [
    { name: 'E123 PUBREC for a QoS 1 message', qos: 1, act: PacketType.PUBREC },
    { name: 'E123 PUBCOMP for a QoS 1 message', qos: 1, act: PacketType.PUBCOMP },
    { name: 'E124 PUBACK for a QoS 2 message', qos: 2, act: PacketType.PUBACK },
    { name: 'E125 PUBCOMP before PUBREC', qos: 2, act: PacketType.PUBCOMP },
  ] as const
  for (const { name, qos, act } of wrong)
    test(`${name} is a protocol error and changes nothing`, () => {
      const { outbound } = connectedOutbound()
      outbound.enqueue(item('a', qos))
      const error = protocolErrorOf(() => outbound.onAck(act, 1, ReasonCode.SUCCESS))
      assert.equal(error?.reasonCode, ReasonCode.PROTOCOL_ERROR)
      assert.equal(outbound.inFlightCount, 1)
    })
})

describe('window', () => {
  test('[MQTT-4.9.0-1] [MQTT-4.9.0-2] no more than Receive Maximum are open, the rest follows in order', () => {
    const { outbound, sink } = connectedOutbound(2)
    const outcomes = ['a', 'b', 'c', 'd'].map((payload) => outbound.enqueue(item(payload)))
    assert.deepEqual(outcomes, ['sent', 'sent', 'queued', 'queued'])
    assert.deepEqual(sink.take(), ['m1 a q1', 'm2 b q1'])
    onPuback(outbound, 2, 0)
    assert.deepEqual(sink.take(), ['m3 c q1'])
    onPuback(outbound, 1, 0)
    assert.deepEqual(sink.take(), ['m4 d q1'])
  })

  test('F112 QoS 2 holds its place until PUBCOMP; F117 PUBREC gives none back', () => {
    const { outbound, sink } = connectedOutbound(1)
    outbound.enqueue(item('a', 2))
    outbound.enqueue(item('b', 1))
    onPubrec(outbound, 1, ReasonCode.SUCCESS, 0)
    assert.deepEqual(sink.take(), ['m1 a q2', 'pubrel m1'])
    onPubcomp(outbound, 1, 0)
    assert.deepEqual(sink.take(), ['m2 b q1'])
  })

  test('F116 acknowledgements of unknown identifiers do not raise the quota', () => {
    const { outbound, sink } = connectedOutbound(1)
    outbound.enqueue(item('a'))
    for (let id = 2; id < 10; id++) {
      onPuback(outbound, id, 0)
      onPubcomp(outbound, id, 0)
      onPubrec(outbound, id, ReasonCode.NOT_AUTHORIZED, 0)
    }
    outbound.enqueue(item('b'))
    assert.deepEqual(sink.take(), ['m1 a q1'])
  })

  test('a repeated PUBACK does not raise the quota above its start', () => {
    const { outbound, sink } = connectedOutbound(1)
    outbound.enqueue(item('a'))
    onPuback(outbound, 1, 0)
    onPuback(outbound, 1, 0)
    outbound.enqueue(item('b'))
    outbound.enqueue(item('c'))
    assert.deepEqual(sink.take(), ['m1 a q1', 'm2 b q1'])
  })

  test('F107 a message too large for the receiver takes neither identifier nor quota', () => {
    const { outbound, sink } = connectedOutbound(1)
    sink.largest = 3
    assert.equal(outbound.enqueue(item('large', 1)), 'dropped')
    assert.equal(outbound.inFlightCount, 0)
    assert.equal(outbound.enqueue(item('ok')), 'sent')
    assert.equal(sink.take().length, 1)
  })

  test('[MQTT-3.1.2-25] one too large in the queue is passed over, the next one goes', () => {
    const { outbound, sink } = connectedOutbound(1)
    for (const payload of ['a', 'large', 'b']) outbound.enqueue(item(payload))
    sink.largest = 3
    onPuback(outbound, 1, 0)
    assert.equal(outbound.queuedCount, 0)
    assert.match(sink.take().join(), /^m1 a q1,m\d b q1$/)
  })

  const byteLimits = [
    { name: 'max_inflight_bytes 0 is no limit', maxInflightBytes: 0, sent: 3 },
    { name: 'max_inflight_bytes 1 lets one message through at a time', maxInflightBytes: 1, sent: 1 },
    { name: 'max_inflight_bytes counts payload bytes', maxInflightBytes: 8, sent: 2 },
    { name: 'max_inflight_bytes at its maximum', maxInflightBytes: 2_147_483_647, sent: 3 },
  ]
  for (const { name, maxInflightBytes, sent } of byteLimits)
    test(name, () => {
      const { outbound, sink } = connectedOutbound(10, { maxInflightBytes })
      for (let i = 0; i < 3; i++) outbound.enqueue(item('four'))
      assert.equal(sink.take().length, sent)
      for (let id = 1; id <= 3; id++) onPuback(outbound, id, 0)
      assert.equal(sink.take().length, 3 - sent)
      assert.equal(outbound.isEmpty, true)
    })

  test('F12 identifiers wrap at 65535, skip 0 and those still open; with all of them open the next message waits', () => {
    const { outbound, sink } = connectedOutbound()
    for (let i = 0; i < 65_535; i++) outbound.enqueue(item('x'))
    assert.equal(outbound.enqueue(item('waits')), 'queued')
    assert.equal(outbound.inFlightCount, 65_535)
    sink.take()
    onPuback(outbound, 40_000, 0)
    assert.deepEqual(sink.take(), ['m40000 waits q1'])
  })
})

describe('queue', () => {
  test('F105 nothing overtakes what waits, also when the window has room again', () => {
    const { outbound, sink } = connectedOutbound()
    sink.isWritable = false
    outbound.enqueue(item('a'))
    sink.isWritable = true
    assert.equal(outbound.enqueue(item('b')), 'queued')
    outbound.pump(0)
    assert.deepEqual(sink.take(), ['m1 a q1', 'm2 b q1'])
  })

  const limits = [
    { name: 'max_queued_messages 0 is no limit', limits: { maxQueuedMessages: 0 }, kept: 5 },
    { name: 'max_queued_messages 1', limits: { maxQueuedMessages: 1 }, kept: 1 },
    { name: 'max_queued_messages at its maximum', limits: { maxQueuedMessages: 2_147_483_647 }, kept: 5 },
    { name: 'max_queued_bytes 0 is no limit', limits: { maxQueuedBytes: 0 }, kept: 5 },
    { name: 'max_queued_bytes 1 is too little for four bytes', limits: { maxQueuedBytes: 1 }, kept: 0 },
    { name: 'max_queued_bytes counts payload bytes', limits: { maxQueuedBytes: 11 }, kept: 2 },
    { name: 'max_queued_bytes at its maximum', limits: { maxQueuedBytes: 2_147_483_647 }, kept: 5 },
    { name: 'the limit that is reached first counts', limits: { maxQueuedMessages: 3, maxQueuedBytes: 8 }, kept: 2 },
  ]
  for (const { name, limits: some, kept } of limits)
    test(`${name}; F94 what comes last is dropped`, () => {
      const { outbound, sink } = connectedOutbound(10, some)
      sink.isWritable = false
      const outcomes = ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee'].map((payload) => outbound.enqueue(item(payload)))
      assert.equal(outcomes.filter((outcome) => outcome === 'queued').length, kept)
      assert.equal(outbound.queuedBytes, kept * 4)
      sink.isWritable = true
      outbound.pump(0)
      assert.deepEqual(
        sink.take().map((text) => text.slice(3, 7)),
        ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee'].slice(0, kept),
      )
      assert.equal(outbound.queuedBytes, 0)
    })

  test('[MQTT-3.3.2-5] what has expired while waiting is not sent and takes no quota', () => {
    const { outbound, sink } = connectedOutbound(1)
    outbound.enqueue(item('first'))
    outbound.enqueue(item('old', 1, 5))
    outbound.enqueue(item('young', 1, 60))
    onPuback(outbound, 1, 5000)
    assert.deepEqual(sink.take(), ['m1 first q1', 'm2 young q1'])
  })

  test('an expired message at the head does not wait for a place in the window', () => {
    const { outbound } = connectedOutbound(1)
    outbound.enqueue(item('first'))
    outbound.enqueue(item('old', 1, 5))
    outbound.pump(5000)
    assert.equal(outbound.queuedCount, 0)
  })

  test('filterQueue forgets what is no longer allowed, also in flight, unless its PUBREL has gone', () => {
    const { outbound, sink } = connectedOutbound(3)
    for (const delivery of [item('no', 1), item('no', 2), item('yes', 1), item('no', 1)]) outbound.enqueue(delivery)
    onPubrec(outbound, 2, ReasonCode.SUCCESS, 0)
    outbound.detach()
    outbound.filterQueue(0, ({ message }) => message.payload.toString() !== 'no')
    sink.take()
    outbound.attach(sink, 10, 0)
    assert.deepEqual(sink.take(), ['pubrel m2', 'm3 yes q1 dup'])
  })

  test('filterQueue forgets what has expired and what is no longer allowed', () => {
    const { outbound, sink } = connectedOutbound(1)
    for (const delivery of [item('open'), item('old', 1, 5), item('no'), item('yes')]) outbound.enqueue(delivery)
    outbound.filterQueue(5000, ({ message }) => message.payload.toString() !== 'no')
    assert.equal(outbound.queuedCount, 1)
    assert.equal(outbound.queuedBytes, 3)
    onPuback(outbound, 1, 5000)
    assert.deepEqual(sink.take(), ['m1 open q1', 'm2 yes q1'])
  })

  test('thousands of waiting messages keep their order', () => {
    const { outbound, sink } = connectedOutbound(1)
    for (let i = 0; i < 5000; i++) outbound.enqueue(item(`${i}`))
    for (let id = 1; id <= 5000; id++) onPuback(outbound, id, 0)
    assert.deepEqual(
      sink.take(),
      Array.from({ length: 5000 }, (_, i) => `m${i + 1} ${i} q1`),
    )
    assert.equal(outbound.isEmpty, true)
  })

  test('while a connection does not take more, nothing goes; it goes on when it does', () => {
    const { outbound, sink } = connectedOutbound()
    sink.isWritable = false
    outbound.enqueue(item('a', 2))
    outbound.pump(0)
    assert.deepEqual(sink.take(), [])
    sink.isWritable = true
    outbound.pump(0)
    assert.deepEqual(sink.take(), ['m1 a q2'])
  })

  test('a queued message owns its bytes, those sent at QoS 0 do not need to', () => {
    const { outbound } = connectedOutbound(1)
    const network = Buffer.from('waits')
    const waiting = item('')
    waiting.message.bytes = network
    waiting.message.payloadEnd = network.length
    outbound.enqueue(item('open'))
    outbound.enqueue(waiting)
    network.fill(0x21)
    const sink = new ScriptedSink()
    outbound.attach(sink, 10, 0)
    assert.deepEqual(sink.take(), ['m1 open q1 dup', 'm2 waits q1'])
  })
})

describe('memory of small messages', () => {
  /** A message in a small part of a buffer that others have filled. */
  function small(qos: 1 | 2 = 1) {
    const each = item('small', qos)
    each.message.detach()
    assert.ok(each.message.bytes.buffer.byteLength > 1000)
    return each
  }
  const memoryOf = (deliveries: Iterable<Delivery>) =>
    [...deliveries].map(({ message }) => message.bytes.buffer.byteLength)

  test('without a connection, those in flight and those that wait take their size and no more', () => {
    const { outbound } = connectedOutbound(2)
    for (let i = 0; i < 4; i++) outbound.enqueue(small(i % 2 === 0 ? 1 : 2))
    outbound.detach()
    assert.deepEqual(memoryOf(outbound.deliveries()), [5, 5, 5, 5])
    assert.equal([...outbound.deliveries()][0]?.message.payload.toString(), 'small')
  })

  test('with one, those that have been there since the last call', () => {
    const { outbound } = connectedOutbound(2)
    for (let i = 0; i < 4; i++) outbound.enqueue(small())
    outbound.settle()
    assert.ok(memoryOf(outbound.deliveries()).every((size) => size > 1000))
    onPuback(outbound, 1, 0)
    for (let i = 0; i < 2; i++) outbound.enqueue(small())
    outbound.settle()
    assert.deepEqual(
      memoryOf(outbound.deliveries()).map((size) => size === 5),
      [true, false, true, false, false],
    )
    outbound.settle()
    assert.deepEqual(memoryOf(outbound.deliveries()), [5, 5, 5, 5, 5])
  })
})

test('one that is never acknowledged does not make the table of those in flight grow: what would fall together with it is passed over', () => {
  const { outbound, sink } = connectedOutbound()
  outbound.enqueue(item('stuck'))
  sink.take()
  const used = new Set<number>()
  for (let i = 0; i < 200_000; i++) {
    outbound.enqueue(item('a'))
    const id = Number(sink.take()[0]?.slice(1).split(' ')[0])
    assert.equal(onPuback(outbound, id, 0)?.packetId, id)
    used.add(id % 16)
  }
  assert.equal(used.size, 15)
  assert.equal(outbound.inFlightCount, 1)
})

test('[MQTT-2.2.1-4] all identifiers are given out, none of them twice', () => {
  const { outbound, sink } = connectedOutbound()
  for (let i = 0; i < 65_535; i++) assert.equal(outbound.enqueue(item('a')), 'sent')
  assert.equal(new Set(sink.take()).size, 65_535)
  assert.equal(outbound.nextPacketId(), 0)
})
