// A connection that waits for the journal: what it has to say is held back until it is true. What becomes of a client whose
// promise cannot be kept is its handler's business.

import type { Connection } from '../../net/connection.js'
import type { Waiter } from './journal.js'

export class HeldOutput implements Waiter {
  ticket = 0
  private readonly connection: Connection
  private readonly onLost: () => void

  /** @param onLost called when what was held back is not true and has been forgotten */
  constructor(connection: Connection, onLost: () => void) {
    this.connection = connection
    this.onLost = onLost
  }

  holdUntil(ticket: number): void {
    this.connection.holdUntil(ticket)
  }

  release(ticket: number): void {
    this.connection.release(ticket)
  }

  lost(): void {
    this.connection.dropHeld()
    this.onLost()
  }
}
