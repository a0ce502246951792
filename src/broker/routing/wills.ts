// Wills that wait for their delay (MQTT 5.0 section 3.1.2.5): published when it is over or the session ends, whichever is first
// [MQTT-3.1.2-8], and dropped when the client comes back to its session in time [MQTT-3.1.3-9].

import type { Will } from '../../protocol/packets/connect.js'
import type { Publisher } from '../../session/message.js'

/** A will with what is needed to publish it as its client. */
export interface PendingWill {
  readonly will: Will
  readonly publisher: Publisher
  /** Of the listener where the client was. */
  readonly mountPoint: string
}

export interface DelayedWill extends PendingWill {
  /** ms. */
  readonly due: number
}

/** Who keeps wills on disk. */
export interface WillJournal {
  /** A client has another will that waits, or none any more. */
  changed(clientId: string, will: DelayedWill | undefined): void
}

export class Wills {
  journal: WillJournal | undefined = undefined
  private readonly delayed = new Map<string, DelayedWill>()
  private readonly publish: (pending: PendingWill) => void

  constructor(publish: (pending: PendingWill) => void) {
    this.publish = publish
  }

  /** Publishes at once, or after `delaySeconds`. */
  leave(pending: PendingWill, delaySeconds: number, now: number): void {
    if (delaySeconds === 0) {
      this.publish(pending)
      return
    }
    const { clientId } = pending.publisher
    const will = { ...pending, due: now + delaySeconds * 1000 }
    this.delayed.set(clientId, will)
    this.journal?.changed(clientId, will)
  }

  /** Takes back a will that was waiting. */
  restore(will: DelayedWill): void {
    this.delayed.set(will.publisher.clientId, will)
  }

  /** Returns whether there was one. */
  private forget(clientId: string): boolean {
    if (!this.delayed.delete(clientId)) return false
    this.journal?.changed(clientId, undefined)
    return true
  }

  /** The client is back in time. */
  cancel(clientId: string): void {
    this.forget(clientId)
  }

  /** The session is over: its will waits no longer. */
  sessionEnded(clientId: string): void {
    const pending = this.delayed.get(clientId)
    if (pending !== undefined && this.forget(clientId)) this.publish(pending)
  }

  /** Publishes what is due at `now` (ms). */
  tick(now: number): void {
    for (const [clientId, pending] of this.delayed) {
      if (pending.due > now) continue
      this.forget(clientId)
      this.publish(pending)
    }
  }

  /** Publishes everything that waits, because the broker stops. */
  publishAll(): void {
    this.tick(Number.POSITIVE_INFINITY)
  }
}
