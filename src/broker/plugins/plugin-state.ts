// The small state that plugins keep: by plugin and key, in memory. Who writes it to the store hears of changes.

import type { PluginState } from './broker-handle.js'

export const MOST_KEY_BYTES = 1000
const MOST_BYTES = 1_048_576

/** One value, and where it is in the store. */
export interface StateSlot {
  readonly plugin: string
  readonly key: string
  /** Undefined once it is deleted. */
  value: Buffer | undefined
  /** For who keeps a journal: the number of its record, 0 for none. */
  record: number
}

/** Who keeps the state on disk. */
export interface StateJournal {
  changed(slot: StateSlot): void
}

export class PluginStates {
  journal: StateJournal | undefined = undefined
  private readonly slots = new Map<string, Map<string, StateSlot>>()

  /** The state of the plugin `name`. */
  of(name: string): PluginState {
    const slots = this.slotsOf(name)
    return {
      get: (key) => {
        const value = slots.get(key)?.value
        return value && Buffer.from(value)
      },
      set: (key, value) => this.set(name, key, Buffer.from(value as Uint8Array)),
      delete: (key) => this.delete(slots, key),
      keys: () => [...slots.keys()],
    }
  }

  private slotsOf(name: string): Map<string, StateSlot> {
    const slots = this.slots.get(name) ?? new Map<string, StateSlot>()
    this.slots.set(name, slots)
    return slots
  }

  private set(plugin: string, key: string, value: Buffer): void {
    const size = Buffer.byteLength(key)
    if (size < 1 || size > MOST_KEY_BYTES) throw new RangeError(`a key has 1 to ${MOST_KEY_BYTES} bytes, not ${size}`)
    if (value.length > MOST_BYTES) throw new RangeError(`a value has at most ${MOST_BYTES} bytes, not ${value.length}`)
    const slots = this.slotsOf(plugin)
    const slot = slots.get(key) ?? { plugin, key, value, record: 0 }
    slot.value = value
    slots.set(key, slot)
    this.journal?.changed(slot)
  }

  private delete(slots: Map<string, StateSlot>, key: string): boolean {
    const slot = slots.get(key)
    if (slot === undefined) return false
    slots.delete(key)
    slot.value = undefined
    this.journal?.changed(slot)
    return true
  }

  /** Takes back what was kept under the number `record`. */
  restore(plugin: string, key: string, value: Buffer, record: number): void {
    this.slotsOf(plugin).set(key, { plugin, key, value, record })
  }
}
