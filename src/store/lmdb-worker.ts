// The thread behind LmdbStore: opens the LMDB file, reads it in chunks, and writes each batch in one transaction that is on disk
// when it answers. A build entry of its own, started by file name.
//
// The file holds one database without a name. Keys are those of keys.ts; the value of the HEAD key is `tsmq`, the version of the
// layout in a byte, and the number of the last batch in 48 bits; every other value is as batch.ts says: version byte, checksum,
// record.

import { isMainThread, parentPort } from 'node:worker_threads'
import { open, type RootDatabase } from 'lmdb'
import { Batch, eachChange } from './batch.js'
import { checkPages } from './file-check.js'
import { checkRoom, FileSpace } from './file-space.js'
import { key, Table } from './keys.js'
import type { StoreFault } from './store-error.js'

/** What the thread is asked, one thing at a time. */
export type LmdbRequest =
  | { readonly ask: 'open'; readonly path: string; readonly isReadOnly: boolean; readonly isChecked: boolean }
  | { readonly ask: 'load' }
  | { readonly ask: 'write'; readonly bytes: Uint8Array }
  | { readonly ask: 'close' }

/** What it answers: an error, or, to `load`, puts as in a batch; none when there are no more. */
export interface LmdbAnswer {
  readonly error?: { readonly fault: StoreFault; readonly message: string }
  readonly chunk?: Uint8Array
}

const LAYOUT = 1
const MAGIC = Buffer.from('tsmq')
const HEAD = key(Table.HEAD, 0)
/** Bytes of a chunk while loading. */
const CHUNK = 1_048_576
/** Wait until the transaction is on disk. */
const SYNCHRONOUS = 2

type Database = RootDatabase<Buffer, Buffer>

let path = ''
let isReadOnly = false
let database: Database | undefined
let space: FileSpace | undefined
/** Number of the last batch that is on disk. */
let written = 0
let entries: Iterator<{ key: Buffer; value: Buffer }> | undefined

function openDatabase(): Database {
  const opened: Database = open<Buffer, Buffer>({
    path,
    noSubdir: true,
    readOnly: isReadOnly,
    encoding: 'binary',
    keyEncoding: 'binary',
    // One plain commit after the other, each with its own sync: an error belongs to the batch that met it.
    overlappingSync: false,
    maxDbs: 0,
  })
  try {
    const head = opened.getBinary(HEAD)
    if (head === undefined) {
      if (opened.getCount({ limit: 1 }) > 0) throw fault('foreign', 'it is an LMDB database of another program')
      written = 0
    } else {
      if (!head.subarray(0, 4).equals(MAGIC)) throw fault('foreign', 'it is an LMDB database of another program')
      if (head[4] !== LAYOUT) throw fault('foreign', `it has layout ${head[4]}, this tsmq knows ${LAYOUT}`)
      written = head.readUIntBE(5, 6)
    }
  } catch (error) {
    void opened.close()
    throw error
  }
  return opened
}

function fault(kind: StoreFault, message: string): Error {
  return Object.assign(new Error(message), { fault: kind })
}

function load(): Uint8Array | undefined {
  database ??= openDatabase()
  entries ??= database.getRange({ start: Buffer.from([Table.HEAD + 1]) })[Symbol.iterator]()
  const chunk = new Batch()
  while (chunk.size < CHUNK) {
    const next = entries.next()
    if (next.done === true) break
    chunk.putValue(Buffer.from(next.value.key), next.value.value)
  }
  if (chunk.count > 0) return chunk.bytes.subarray(0, chunk.size)
  entries = undefined
  return undefined
}

async function write(bytes: Uint8Array): Promise<void> {
  const number = written + 1
  checkRoom(path)
  database ??= openDatabase()
  const batch = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let count = 1
  eachChange(batch, batch.length, () => count++)
  space ??= new FileSpace(path)
  space.reserve(database, count, batch.length)
  try {
    writeBatch(database, batch, number)
    written = number
  } catch (error) {
    // After some errors a database refuses everything; opened anew it also tells whether the batch got there after all.
    await database.close()
    database = undefined
    database = openDatabase()
    if (written !== number) throw error
  }
}

function writeBatch(into: Database, bytes: Buffer, number: number): void {
  const head = Buffer.alloc(11)
  MAGIC.copy(head)
  head[4] = LAYOUT
  head.writeUIntBE(number, 5, 6)
  into.transactionSync(() => {
    eachChange(bytes, bytes.length, (changed, value) => {
      if (value === undefined) into.remove(changed)
      else into.put(changed, value)
    })
    into.put(HEAD, head)
  }, SYNCHRONOUS)
}

async function answer(request: LmdbRequest): Promise<LmdbAnswer> {
  switch (request.ask) {
    case 'open':
      path = request.path
      isReadOnly = request.isReadOnly
      checkRoom(path)
      if (request.isChecked) checkPages(path)
      database = openDatabase()
      return {}
    case 'load': {
      const chunk = load()
      return chunk === undefined ? {} : { chunk }
    }
    case 'write':
      await write(request.bytes)
      return {}
    case 'close':
      await database?.close()
      space?.close()
      database = undefined
      return {}
  }
}

function failure(error: unknown): LmdbAnswer {
  const text = error instanceof Error ? error.message : String(error)
  if (error instanceof Error && 'fault' in error) return { error: { fault: error.fault as StoreFault, message: text } }
  const isDamage = /MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND|VERSION_MISMATCH|PANIC)/.test(text)
  return { error: { fault: isDamage ? 'damaged' : 'system', message: text } }
}

if (!isMainThread)
  parentPort?.on('message', (request: LmdbRequest) => {
    answer(request)
      .catch(failure)
      .then((result) => parentPort?.postMessage(result))
  })
