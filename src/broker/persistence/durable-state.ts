// What the store has of the small state that plugins keep: a record for each value.

import type { Batch } from '../../store/batch.js'
import { key, Table } from '../../store/keys.js'
import { RecordReader } from '../../store/record-reader.js'
import type { PluginStates, StateJournal, StateSlot } from '../plugins/plugin-state.js'
import type { Entry, Journal } from './journal.js'

export class DurableState implements Entry, StateJournal {
  isDirty = false
  private readonly journal: Journal
  private readonly slots = new Set<StateSlot>()

  constructor(journal: Journal) {
    this.journal = journal
  }

  changed(slot: StateSlot): void {
    this.slots.add(slot)
    this.journal.mark(this)
  }

  write(batch: Batch): void {
    for (const slot of this.slots) {
      const { value } = slot
      if (value !== undefined) {
        if (slot.record === 0) slot.record = this.journal.nextNumber()
        batch.put(key(Table.PLUGIN_STATE, slot.record))
        batch.text(slot.plugin)
        batch.text(slot.key)
        batch.blob(value)
        batch.end()
      } else if (slot.record > 0) {
        batch.remove(key(Table.PLUGIN_STATE, slot.record))
        slot.record = 0
      }
    }
    this.slots.clear()
  }
}

/** Takes one record back. */
export function restoreState(states: PluginStates, number: number, record: Buffer): void {
  const reader = new RecordReader(record)
  const plugin = reader.text()
  const name = reader.text()
  states.restore(plugin, name, Buffer.from(reader.blob()), number)
}
