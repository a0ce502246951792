// What the router delivers to, and why: receivers and their subscriptions. Sessions implement it; anything else that wants messages can.

import type { ProtocolVersion } from '../../protocol/packet-types.js'
import type { Qos } from '../../protocol/packets/publish.js'
import type { RetainHandling } from '../../protocol/packets/subscribe.js'
import type { SharedBlock } from '../../protocol/shared-block.js'
import type { Message } from '../../session/message.js'
import type { MessageRun } from '../../session/message-run.js'

/** How soon a receiver can take a message, best first: at once, after what is before it, when its client is back. */
export const availabilities = ['ready', 'busy', 'away'] as const
export type Availability = (typeof availabilities)[number]

/** A connection that takes the messages of a burst together. */
export interface Follower {
  readonly version: ProtocolVersion
  /** Bytes. */
  readonly maximumPacketSize: number
  /** Sends block.bytes[start..end), `count` PUBLISH packets with `payloadBytes` bytes of payload, or drops all of them. */
  sendStretch(block: SharedBlock, start: number, end: number, count: number, payloadBytes: number): void
}

/** A receiver that takes the messages of a run together. */
export interface RunFollower {
  sendRun(run: MessageRun, subscription: Subscription): void
}

export interface Receiver {
  readonly clientId: string
  /** Whether messages for it are kept on disk. */
  readonly isDurable: boolean
  /** Decides which member of a shared group gets a message. */
  readonly availability: Availability
  /**
   * Takes a message that matched `subscription`: sends it, queues it, or drops it for a reason of its own.
   * Returns false when it is none of this receiver's business (No Local, no right to read, too large, away and not durable).
   */
  deliver(message: Message, subscription: Subscription): boolean
  /**
   * Who would send a QoS 0 message like this and those that follow it from the same publisher to the same topic: a connection that
   * takes them as they are for everyone, nobody, or this receiver itself, because it has to look at each of them.
   */
  follow(message: Message, subscription: Subscription): Follower | 'none' | 'apart'
  /** Who would send the messages of a run, all of them at once and as they came; undefined when this receiver has to look at each. */
  followRun(run: MessageRun, subscription: Subscription): RunFollower | undefined
  /** Takes a retained message because of a new subscription. */
  deliverRetained(message: Message, subscription: Subscription): void
}

/** One filter of one session. */
export interface Subscription {
  readonly receiver: Receiver
  /** As subscribed, `$share/group/` included. */
  readonly text: string
  /** Share name; undefined for a subscription that is not shared. */
  readonly group: string | undefined
  /** What topic names are matched against. */
  readonly filter: string
  readonly qos: Qos
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: RetainHandling
  /** 0 for none. */
  readonly identifier: number
}
