// A connection that waits for the journal: what it has to say is held back until it is true. What becomes of a client whose
// promise cannot be kept is its handler's business.

import type { Outbox } from '../../net/outbox.js'
import type { Waiter } from './journal.js'

export class HeldOutput implements Waiter {
  ticket = 0
  private readonly outbox: Outbox
  private readonly onLost: (isFirst: boolean) => void
  /** Of the batch that CONNACK waits for; 0 if for none. */
  private first = 0
  private released = 0

  /** @param onLost called when what was held back is not true and has been forgotten; `isFirst` when CONNACK was among it */
  constructor(outbox: Outbox, onLost: (isFirst: boolean) => void) {
    this.outbox = outbox
    this.onLost = onLost
  }

  holdUntil(ticket: number): void {
    this.outbox.holdUntil(ticket)
  }

  /** CONNACK is sent next. */
  beginWithConnack(): void {
    this.first = this.ticket
  }

  release(ticket: number): void {
    this.released = ticket
    this.outbox.release(ticket)
  }

  lost(): void {
    this.outbox.dropHeld()
    this.onLost(this.first > this.released)
  }
}
