// What the store has of retained messages: a record for each topic that has one, except what the broker says of itself.

import type { Batch } from '../../store/batch.js'
import { key, Table } from '../../store/keys.js'
import { writeMessage } from '../../store/message-record.js'
import type { RetainedJournal, RetainedSlot } from '../routing/retained-messages.js'
import type { Entry, Journal } from './journal.js'

export class DurableRetained implements Entry, RetainedJournal {
  isDirty = false
  private readonly journal: Journal
  private readonly slots = new Set<RetainedSlot>()

  constructor(journal: Journal) {
    this.journal = journal
  }

  changed(slot: RetainedSlot): void {
    const { message, record } = slot
    if (message?.topic.startsWith('$SYS/')) return
    if (message === undefined && record === 0) this.slots.delete(slot)
    else this.slots.add(slot)
    this.journal.mark(this)
  }

  write(batch: Batch): void {
    for (const slot of this.slots) {
      const { message } = slot
      if (message !== undefined) {
        if (slot.record === 0) slot.record = this.journal.nextNumber()
        batch.put(key(Table.RETAINED, slot.record))
        writeMessage(batch, message)
        batch.end()
      } else if (slot.record > 0) {
        batch.remove(key(Table.RETAINED, slot.record))
        slot.record = 0
      }
    }
    this.slots.clear()
  }
}
