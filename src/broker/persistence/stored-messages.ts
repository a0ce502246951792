// Messages with a record of their own, because several deliveries refer to them or because they are large: when they get one, and
// that it goes when nobody refers to it any more.

import type { Message } from '../../session/message.js'
import type { Batch } from '../../store/batch.js'
import { key, Table } from '../../store/keys.js'
import { writeMessage } from '../../store/message-record.js'
import type { Entry, Journal } from './journal.js'

/** Payloads up to this size may stand within the delivery that is the only one to refer to them. */
const MOST_INLINE = 4096

export class StoredMessages implements Entry {
  isDirty = false
  private readonly journal: Journal
  private unreferenced: number[] = []

  constructor(journal: Journal) {
    this.journal = journal
  }

  /** Makes sure that a message has a record if it needs one. */
  keep(message: Message, batch: Batch): void {
    if (message.record > 0 || (message.references < 2 && message.size <= MOST_INLINE)) return
    message.record = this.journal.nextNumber()
    batch.put(key(Table.MESSAGE, message.record))
    writeMessage(batch, message)
    batch.end()
  }

  /** A delivery in the journal refers to `message` no longer. */
  release(message: Message): void {
    message.references--
    if (message.references > 0 || message.record === 0) return
    this.unreferenced.push(message.record)
    message.record = 0
    this.journal.mark(this)
  }

  /** A record that nothing refers to was found. */
  forget(number: number): void {
    this.unreferenced.push(number)
    this.journal.mark(this)
  }

  write(batch: Batch): void {
    for (const number of this.unreferenced) batch.remove(key(Table.MESSAGE, number))
    this.unreferenced = []
  }
}
