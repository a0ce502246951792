// A connection for tests of the session room: notes what is sent as short texts, and is as slow or narrow as the test wants.

import { PacketType } from '../../src/protocol/packet-types.js'
import type { Qos } from '../../src/protocol/packets/publish.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { type Delivery, delivery } from '../../src/session/delivery.js'
import { localMessage } from '../../src/session/message.js'
import { Outbound, type OutboundLimits, type OutboundSink } from '../../src/session/outbound.js'

export const NO_LIMITS: OutboundLimits = { maxQueuedMessages: 0, maxQueuedBytes: 0, maxInflightBytes: 0 }

export class ScriptedSink implements OutboundSink {
  isWritable = true
  /** Payloads above this do not fit. */
  largest = Number.POSITIVE_INFINITY
  /** `m1 a q1`, with ` dup` behind it; `pubrel m1`, with the reason code behind it unless it is 0. */
  readonly sent: string[] = []

  sendPublish({ message, qos, packetId }: Delivery, dup: boolean): boolean {
    if (message.size > this.largest) return false
    this.sent.push(`m${packetId} ${message.payload} q${qos}${dup ? ' dup' : ''}`)
    return true
  }

  sendPubrel(packetId: number, reasonCode: ReasonCode): void {
    this.sent.push(`pubrel m${packetId}${reasonCode === 0 ? '' : ` ${reasonCode}`}`)
  }

  /** What was sent since the last call. */
  take(): string[] {
    return this.sent.splice(0)
  }
}

/** A message to be delivered; `expiresAfter` in seconds from time 0. */
export function item(payload: string, qos: Qos = 1, expiresAfter?: number): Delivery {
  const properties = expiresAfter === undefined ? {} : { messageExpiryInterval: expiresAfter }
  return delivery(localMessage('t', Buffer.from(payload), qos, false, properties, undefined, 0), qos, false)
}

/** An outbound side with a connection. */
export function connectedOutbound(
  receiveMaximum = 65_535,
  limits: Partial<OutboundLimits> = {},
): { outbound: Outbound; sink: ScriptedSink } {
  const outbound = new Outbound({ ...NO_LIMITS, ...limits })
  const sink = new ScriptedSink()
  outbound.attach(sink, receiveMaximum, 0)
  return { outbound, sink }
}

/** Acknowledgements that come one by one: what waits moves up behind each. */
export function onPuback(outbound: Outbound, packetId: number, now: number): Delivery | undefined {
  return acknowledged(outbound, outbound.onAck(PacketType.PUBACK, packetId, ReasonCode.SUCCESS), now)
}

export function onPubrec(outbound: Outbound, packetId: number, code: ReasonCode, now: number): Delivery | undefined {
  return acknowledged(outbound, outbound.onAck(PacketType.PUBREC, packetId, code), now)
}

export function onPubcomp(outbound: Outbound, packetId: number, now: number): Delivery | undefined {
  return acknowledged(outbound, outbound.onAck(PacketType.PUBCOMP, packetId, ReasonCode.SUCCESS), now)
}

function acknowledged(outbound: Outbound, finished: Delivery | undefined, now: number): Delivery | undefined {
  outbound.pump(now)
  return finished
}
