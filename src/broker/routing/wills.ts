// Wills (MQTT 5.0 section 3.1.2.5): those that wait for their delay are published when it is over or the session ends, whichever is
// first [MQTT-3.1.2-8], and dropped when the client comes back to its session in time [MQTT-3.1.3-9]. Those of clients that are
// connected are their handlers'; with a store they are written down, so that they are published even if the broker is killed.

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
  /** ms; 0 while its client is connected. */
  readonly due: number
}

/** Who keeps wills on disk. */
export interface WillJournal {
  /** Nothing can be written at the moment. */
  readonly isFailing: boolean
  /** A client has another will that waits, or none any more. */
  changed(clientId: string, will: DelayedWill | undefined): void
}

export class Wills {
  journal: WillJournal | undefined = undefined
  private readonly delayed = new Map<string, DelayedWill>()
  /** Clients that are connected and have a will in the journal. */
  private readonly entrusted = new Set<string>()
  private readonly publish: (pending: PendingWill) => void

  constructor(publish: (pending: PendingWill) => void) {
    this.publish = publish
  }

  /** A client has connected with a will: from now on the journal answers for it as well. */
  entrust(pending: PendingWill): void {
    if (this.journal === undefined || this.journal.isFailing) return
    const { clientId } = pending.publisher
    this.entrusted.add(clientId)
    this.journal.changed(clientId, { ...pending, due: 0 })
  }

  /** A client is gone that leaves no will, or none any more. */
  withdraw(clientId: string): void {
    if (this.entrusted.delete(clientId)) this.journal?.changed(clientId, undefined)
  }

  /** Publishes at once, or after the will's delay. @param longest seconds that the session has left, which ends the delay too */
  leave(pending: PendingWill, longest: number, now: number): void {
    const { clientId } = pending.publisher
    const will = { ...pending, due: dueOf(pending, longest, now) }
    if (will.due <= now) {
      this.withdraw(clientId)
      this.publish(pending)
      return
    }
    this.entrusted.delete(clientId)
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

/** ms: when a will is to be published whose client is gone at `now`, from a session that lives for `longest` seconds more. */
export function dueOf({ will }: PendingWill, longest: number, now: number): number {
  return now + Math.min(will.properties.willDelayInterval ?? 0, longest) * 1000
}
