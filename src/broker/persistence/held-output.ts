// A connection that waits for the journal: what it has to say is held back until it is true. What becomes of a client whose
// promise cannot be kept is its handler's business.

import type { Connection } from '../../net/connection.js'
import type { Waiter } from './journal.js'

export class HeldOutput implements Waiter {
  ticket = 0
  private readonly connection: Connection
  private readonly onLost: (isFirst: boolean) => void
  /** Of the batch that CONNACK waits for; 0 if for none. */
  private first = 0
  private released = 0

  /** @param onLost called when what was held back is not true and has been forgotten; `isFirst` when CONNACK was among it */
  constructor(connection: Connection, onLost: (isFirst: boolean) => void) {
    this.connection = connection
    this.onLost = onLost
  }

  holdUntil(ticket: number): void {
    this.connection.holdUntil(ticket)
  }

  /** CONNACK is sent next. */
  beginWithConnack(): void {
    this.first = this.ticket
  }

  release(ticket: number): void {
    this.released = ticket
    this.connection.release(ticket)
  }

  lost(): void {
    this.connection.dropHeld()
    this.onLost(this.first > this.released)
  }
}
