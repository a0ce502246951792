// What the router delivers to. Sessions implement it; anything else that wants messages can.

import type { Message } from '../../session/message.js'
import type { Subscription } from './subscriptions.js'

export interface Receiver {
  readonly clientId: string
  /** Whether a connection exists: of a shared group, such members are preferred. */
  readonly isConnected: boolean
  /**
   * Takes a message that matched `subscription`: sends it, queues it, or drops it for a reason of its own.
   * Returns false when it is none of this receiver's business (No Local, no right to read, too large, away and not durable).
   */
  deliver(message: Message, subscription: Subscription): boolean
  /** Takes a retained message because of a new subscription. */
  deliverRetained(message: Message, subscription: Subscription): void
}
