// A store that can fail: writes that are refused, that take their time, or that were told to be on disk and are not when the power
// goes. What is on its disk at any moment can be copied, as a crash would leave it.

import { Batch, eachChange } from '../../src/store/batch.js'
import { MemoryStore } from '../../src/store/memory-store.js'
import type { EachEntry, Store } from '../../src/store/store.js'
import { StoreError } from '../../src/store/store-error.js'

type Done = (error: StoreError | undefined) => void

export class FaultStore implements Store {
  /** Writes fail with this message while it is set. */
  failure: string | undefined = undefined
  /** Writes wait for `proceed`, as on a slow disk. */
  isSlow = false
  /** Batches that were written. */
  written = 0
  /** Changes in the last of them. */
  lastCount = 0
  private disk = new MemoryStore()
  private waiting: (() => void)[] = []

  load(each: EachEntry): Promise<void> {
    return this.disk.load(each)
  }

  write(batch: Batch, done: Done): void {
    const copy = new Batch()
    eachChange(batch.bytes, batch.size, (key, value) => {
      if (value === undefined) copy.remove(key)
      else copy.putValue(key, value)
    })
    const proceed = () => this.finish(copy, done)
    if (this.isSlow) this.waiting.push(proceed)
    else setImmediate(proceed)
  }

  private finish(batch: Batch, done: Done): void {
    if (this.failure !== undefined) {
      done(new StoreError('system', this.failure))
      return
    }
    this.written++
    this.lastCount = batch.count
    this.disk.write(batch, done)
  }

  /** Lets the writes go on that wait. */
  proceed(): void {
    for (const next of this.waiting.splice(0)) next()
  }

  /** Batches that wait for `proceed`. */
  get pending(): number {
    return this.waiting.length
  }

  /** What is on the disk at this moment, as another store. */
  async copy(): Promise<FaultStore> {
    const other = new FaultStore()
    const batch = new Batch()
    await this.disk.load((key, value) => batch.putValue(key, value))
    await new Promise<void>((resolve) => {
      other.disk.write(batch, () => resolve())
    })
    return other
  }

  /** Keys on the disk. */
  async count(): Promise<number> {
    let count = 0
    await this.disk.load(() => count++)
    return count
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
