// What the store has of wills, those that wait for their delay and those of clients that are connected: a record for each.

import type { Batch } from '../../store/batch.js'
import { key, Table } from '../../store/keys.js'
import { writeWill } from '../../store/will-record.js'
import type { DelayedWill, WillJournal } from '../routing/wills.js'
import type { Entry, Journal } from './journal.js'

export class DurableWills implements Entry, WillJournal {
  isDirty = false
  private readonly journal: Journal
  /** By client id. */
  private readonly numbers = new Map<string, number>()
  /** By client id; undefined where there is none any more. */
  private readonly changes = new Map<string, DelayedWill | undefined>()

  constructor(journal: Journal) {
    this.journal = journal
  }

  get isFailing(): boolean {
    return this.journal.isFailing
  }

  changed(clientId: string, will: DelayedWill | undefined): void {
    this.changes.set(clientId, will)
    this.journal.mark(this)
  }

  /** The store has a will under this number. */
  restore(clientId: string, number: number): void {
    this.numbers.set(clientId, number)
  }

  write(batch: Batch): void {
    for (const [clientId, will] of this.changes) {
      const number = this.numbers.get(clientId)
      if (will === undefined) {
        if (number !== undefined) batch.remove(key(Table.WILL, number))
        this.numbers.delete(clientId)
        continue
      }
      const kept = number ?? this.journal.nextNumber()
      this.numbers.set(clientId, kept)
      batch.put(key(Table.WILL, kept))
      writeWill(batch, will)
      batch.end()
    }
    this.changes.clear()
  }
}
