// A store in the memory of the process, for tests and for trying things out: what one broker leaves in it the next one finds.

import { type Batch, eachChange } from './batch.js'
import type { EachEntry, Store } from './store.js'
import type { StoreError } from './store-error.js'

export class MemoryStore implements Store {
  /** By key, a byte a character. */
  private readonly values = new Map<string, Buffer>()

  load(each: EachEntry): Promise<void> {
    for (const key of [...this.values.keys()].sort()) each(Buffer.from(key, 'latin1'), this.values.get(key) as Buffer)
    return Promise.resolve()
  }

  write({ bytes, size }: Batch, done: (error: StoreError | undefined) => void): void {
    eachChange(bytes, size, (key, value) => {
      const text = key.toString('latin1')
      if (value === undefined) this.values.delete(text)
      else this.values.set(text, Buffer.from(value))
    })
    setImmediate(done, undefined)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
