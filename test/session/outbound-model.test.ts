// Outbound against a peer that acknowledges at random, loses its connection at random and reads at random: whatever happens,
// the window holds, QoS 1 arrives at least once, QoS 2 exactly once, and first arrivals are in order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodePacket } from '../../src/protocol/codec.js'
import { NumberedRun } from '../../src/protocol/numbered-run.js'
import { publish } from '../../src/protocol/packets/publish.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { type Delivery, delivery } from '../../src/session/delivery.js'
import type { Message } from '../../src/session/message.js'
import { MessageRun } from '../../src/session/message-run.js'
import { Outbound, type OutboundSink, type RunSink } from '../../src/session/outbound.js'
import { item, NO_LIMITS, onPuback, onPubcomp, onPubrec } from './scripted-sink.js'

/** A receiver that follows the standard: QoS 2 by identifier, everything it has not answered yet in a list. */
class Peer implements OutboundSink, RunSink {
  isWritable = true
  readonly firstArrivals: string[] = []
  readonly counts = new Map<string, number>()
  /** Identifiers between PUBREC and PUBREL. */
  readonly begun = new Set<number>()
  unanswered: { readonly kind: 'publish' | 'pubrel'; readonly id: number; readonly qos: number }[] = []
  open = new Set<number>()
  mostOpen = 0

  sendPublish({ message, packetId, qos }: Delivery, dup: boolean): boolean {
    return this.took(message, packetId, qos, dup)
  }

  sendRun({ messages, packets, packetIds }: MessageRun, count: number): void {
    for (let i = 0; i < count; i++) this.took(messages[i] as Message, packetIds[i] as number, packets.qos, false)
  }

  private took(message: Message, packetId: number, qos: number, dup: boolean): boolean {
    assert.ok(packetId > 0)
    assert.ok(!this.open.has(packetId), 'an identifier that is in use')
    const payload = message.payload.toString()
    const isRepeated = qos === 2 && this.begun.has(packetId)
    if (!isRepeated) {
      if (!this.counts.has(payload)) this.firstArrivals.push(payload)
      assert.ok(dup || !this.counts.has(payload), 'a first sending has DUP 0, later ones have DUP 1')
      this.counts.set(payload, (this.counts.get(payload) ?? 0) + 1)
      if (qos === 2) this.begun.add(packetId)
    }
    this.opened(packetId)
    this.unanswered.push({ kind: 'publish', id: packetId, qos })
    return true
  }

  sendPubrel(packetId: number): void {
    this.opened(packetId)
    this.unanswered.push({ kind: 'pubrel', id: packetId, qos: 2 })
  }

  private opened(packetId: number): void {
    this.open.add(packetId)
    this.mostOpen = Math.max(this.mostOpen, this.open.size)
  }

  /** Answers one of the packets it has received. */
  answer(outbound: Outbound, which: number): void {
    const [packet] = this.unanswered.splice(which % Math.max(1, this.unanswered.length), 1)
    if (packet === undefined) return
    const { kind, id, qos } = packet
    if (kind === 'publish' && qos === 2) {
      onPubrec(outbound, id, ReasonCode.SUCCESS, 0)
      return
    }
    this.open.delete(id)
    this.begun.delete(id)
    if (kind === 'pubrel') onPubcomp(outbound, id, 0)
    else onPuback(outbound, id, 0)
  }

  /** The connection is lost with everything that was on its way. */
  lost(): void {
    this.unanswered = []
    this.open = new Set()
    this.mostOpen = 0
  }
}

/** A run with the payloads `first`, `first + 1`, … */
function runOf(first: number, count: number, qos: 1 | 2): MessageRun {
  const texts = Array.from({ length: count + 1 }, (_, at) => `${first + at - 1}`)
  const packets = texts.map((text, at) =>
    encodePacket(publish({ topic: 't', qos, packetId: at + 1, payload: Buffer.from(text) }), 4),
  )
  const bytes = Buffer.concat(packets)
  const at = packets[0]?.length ?? 0
  const run = new MessageRun(new NumberedRun())
  run.packets.find(bytes, 2, 5, 4, at, bytes.length, 1e9, 1e9)
  assert.equal(run.packets.count, count)
  run.begin('t', { clientId: 'p', mayWrite: () => true }, true)
  return run
}

const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      qos: fc.constantFrom(1 as const, 2 as const),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('enqueue' as const), qos: fc.constantFrom(1 as const, 2 as const) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('reconnect' as const), receiveMaximum: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('writable' as const), is: fc.boolean() }) },
)

test('[MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.4.0-1] [MQTT-4.6.0-6] [MQTT-4.9.0-2] random answers, losses and stalls', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (steps, first) => {
      const outbound = new Outbound(NO_LIMITS)
      const peer = new Peer()
      const sent: { readonly payload: string; readonly qos: number }[] = []
      let window = first
      outbound.attach(peer, window, 0)
      for (const what of steps) {
        if (what.do === 'enqueue') {
          const payload = `${sent.length}`
          sent.push({ payload, qos: what.qos })
          outbound.enqueue(item(payload, what.qos))
        } else if (what.do === 'run') {
          const run = runOf(sent.length, what.count, what.qos)
          for (let i = 0; i < what.count; i++) sent.push({ payload: `${sent.length}`, qos: what.qos })
          const room = outbound.roomForRun(run)
          if (room >= 0) outbound.sendRun(run, 0, peer, room)
          else for (const message of run.messages) outbound.enqueue(delivery(message, what.qos, false))
          run.end()
        } else if (what.do === 'answer') peer.answer(outbound, what.which)
        else if (what.do === 'reconnect') {
          outbound.detach()
          peer.lost()
          window = what.receiveMaximum
          outbound.attach(peer, window, 0)
        } else {
          peer.isWritable = what.is
          outbound.pump(0)
        }
        assert.ok(peer.mostOpen <= window, `${peer.mostOpen} open with Receive Maximum ${window}`)
      }
      peer.isWritable = true
      outbound.pump(0)
      while (peer.unanswered.length > 0) peer.answer(outbound, 0)
      assert.ok(outbound.isEmpty)
      assert.deepEqual(
        peer.firstArrivals,
        sent.map(({ payload }) => payload),
      )
      for (const { payload, qos } of sent) if (qos === 2) assert.equal(peer.counts.get(payload), 1, 'QoS 2 twice')
    }),
    { numRuns: 500 },
  )
})
