// What a store is: keys and values that outlive the process, written in batches that are kept as a whole or not at all. What the
// values say is in records; when a batch is written, and who waits for it, is the broker's business.

import type { Batch } from './batch.js'
import type { StoreError } from './store-error.js'

/** Hears of one key and its value; both are views that are valid until the call returns. */
export type EachEntry = (key: Buffer, value: Buffer) => void

export interface Store {
  /**
   * Tells everything it holds, in the order of the keys. To be called before the first batch is written.
   * @throws StoreError
   */
  load(each: EachEntry): Promise<void>
  /**
   * Writes a batch, which must not be changed until it is done: everything in it is then safe from a crash and a power cut, or,
   * with an error, nothing of it has happened. One batch at a time.
   */
  write(batch: Batch, done: (error: StoreError | undefined) => void): void
  /** Closes the store once the batch that is being written is done; nothing may be written afterwards. */
  close(): Promise<void>
}
