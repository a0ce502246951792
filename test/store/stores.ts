// The implementations of the store, for tests that hold for each of them: how a fresh one is made, and the same one opened again
// after it was closed.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Batch, recordOf } from '../../src/store/batch.js'
import { LmdbStore } from '../../src/store/lmdb-store.js'
import { MemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import type { StoreError } from '../../src/store/store-error.js'

/** One place where a store is kept. */
export interface StorePlace {
  open(): Promise<Store>
  remove(): void
}

export const kinds: Readonly<Record<string, () => StorePlace>> = {
  memory: () => {
    const store = new MemoryStore()
    return { open: () => Promise.resolve(store), remove: () => {} }
  },
  LMDB: () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmq-store-'))
    return {
      open: () => LmdbStore.open(join(folder, 'store.db')),
      remove: () => rmSync(folder, { recursive: true, force: true }),
    }
  },
}

/** A change as a test writes it: the value's text, or undefined to remove the key. */
export type TextChange = readonly [key: string, value: string | undefined]

export function batchOf(changes: readonly TextChange[]): Batch {
  const batch = new Batch()
  for (const [key, value] of changes)
    if (value === undefined) batch.remove(Buffer.from(key))
    else {
      batch.put(Buffer.from(key))
      batch.text(value)
      batch.end()
    }
  return batch
}

export function write(store: Store, batch: Batch): Promise<StoreError | undefined> {
  return new Promise((resolve) => {
    store.write(batch, resolve)
  })
}

/** Everything in a store, as `batchOf` puts it there. */
export async function contentOf(store: Store): Promise<TextChange[]> {
  const found: TextChange[] = []
  await store.load((key, value) => {
    const record = recordOf(value)
    found.push([key.toString(), record.toString('utf8', record.length < 128 ? 1 : record.length < 16_384 ? 2 : 3)])
  })
  return found
}
