// A store in one LMDB file. A thread of its own does the work, so that the thread that serves clients never waits for a disk; this
// file asks it. Layout of the file: lmdb-worker and batch.

import { existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type Batch, eachChange } from './batch.js'
import type { LmdbAnswer, LmdbRequest } from './lmdb-worker.js'
import type { EachEntry, Store } from './store.js'
import { StoreError, type StoreFault } from './store-error.js'
import { checkStoreFile, prepareStoreFile } from './store-file.js'
import { StoreLock } from './store-lock.js'

/** Below this many free bytes a failed write is put down to the lack of them. */
const LITTLE_SPACE = 1_048_576

type Reply = (answer: LmdbAnswer) => void

export class LmdbStore implements Store {
  private readonly path: string
  /** Undefined for one that is only read. */
  private readonly lock: StoreLock | undefined
  private worker: Worker | undefined = undefined
  /** Waits for the thread's answer. */
  private reply: Reply | undefined = undefined

  private constructor(path: string, lock: StoreLock | undefined) {
    this.path = path
    this.lock = lock
  }

  /**
   * Opens the store in the file `path`, which is made when it is not there. Any other file is left as it is.
   * @throws StoreError
   */
  static async open(path: string): Promise<LmdbStore> {
    prepareStoreFile(path)
    return LmdbStore.started(new LmdbStore(path, await StoreLock.take(path)))
  }

  /**
   * Opens the store in the file `path` to be read only, as it is at this moment; a broker may be using it.
   * @throws StoreError
   */
  static async read(path: string): Promise<LmdbStore> {
    checkStoreFile(path)
    const isUsed = (await StoreLock.owner(path)) !== undefined
    return LmdbStore.started(new LmdbStore(path, undefined), !isUsed)
  }

  /** @param isChecked false while somebody writes to it, or for a store that was checked before */
  private static async started(store: LmdbStore, isChecked = true): Promise<LmdbStore> {
    try {
      await store.request(store.opening(isChecked))
      return store
    } catch (error) {
      await store.end()
      throw error
    }
  }

  private opening(isChecked: boolean): LmdbRequest {
    return { ask: 'open', path: this.path, isReadOnly: this.lock === undefined, isChecked }
  }

  async load(each: EachEntry): Promise<void> {
    let next = this.request({ ask: 'load' })
    for (;;) {
      const { chunk } = await next
      if (chunk === undefined) return
      next = this.request({ ask: 'load' })
      // A failure is met by the `await` above, unless this chunk is already more than the caller can take.
      next.catch(() => {})
      try {
        eachChange(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length), chunk.length, (key, value) => {
          if (value !== undefined) each(key, value)
        })
      } catch (error) {
        throw error instanceof StoreError ? this.named(error) : error
      }
    }
  }

  write({ bytes, size }: Batch, done: (error: StoreError | undefined) => void): void {
    const copy = new Uint8Array(bytes.subarray(0, size))
    this.ask({ ask: 'write', bytes: copy }, [copy.buffer], ({ error }) =>
      done(error === undefined ? undefined : new StoreError(error.fault, this.describe(error.message))),
    )
  }

  async close(): Promise<void> {
    await this.idle()
    if (this.worker !== undefined) await this.request({ ask: 'close' }).catch(() => {})
    await this.end()
  }

  /** The answer to what was asked last has come. */
  private async idle(): Promise<void> {
    const { reply } = this
    if (reply === undefined) return
    await new Promise<void>((resolve) => {
      this.reply = (answer) => {
        reply(answer)
        resolve()
      }
    })
    return this.idle()
  }

  private async end(): Promise<void> {
    const { worker } = this
    this.worker = undefined
    await worker?.terminate()
    await this.lock?.release()
  }

  private request(what: LmdbRequest): Promise<LmdbAnswer> {
    return new Promise((resolve, reject) => {
      this.ask(what, [], (answer) => {
        const { error } = answer
        if (error === undefined) resolve(answer)
        else reject(this.named(error))
      })
    })
  }

  /** The same failure, with the file and what to do about it. */
  private named({ fault, message }: { readonly fault: StoreFault; readonly message: string }): StoreError {
    const advice = fault === 'damaged' ? '. Restore a copy, or move it away to begin with an empty one' : ''
    return new StoreError(fault, `cannot use the store ${this.path}: ${message}${advice}`)
  }

  private ask(what: LmdbRequest, transfer: ArrayBuffer[], reply: Reply): void {
    this.reply = reply
    this.worker ??= this.start(what.ask === 'open')
    this.worker.postMessage(what, transfer)
  }

  /** A thread that has died is replaced when there is something to ask. */
  private start(isFirst: boolean): Worker {
    const worker = new Worker(workerFile())
    let cause = 'its thread ended'
    worker.on('message', (answer: LmdbAnswer) => this.answered(answer))
    worker.on('error', (error) => {
      cause = String(error)
    })
    worker.on('exit', () => {
      if (this.worker !== worker) return
      this.worker = undefined
      this.answered({ error: { fault: 'system', message: cause } })
    })
    if (!isFirst) {
      // The answer to this comes first and concerns nobody.
      const { reply } = this
      this.reply = () => {
        this.reply = reply
      }
      worker.postMessage(this.opening(false))
    }
    return worker
  }

  private answered(answer: LmdbAnswer): void {
    const { reply } = this
    this.reply = undefined
    reply?.(answer)
  }

  private describe(message: string): string {
    let free = Number.POSITIVE_INFINITY
    try {
      const { bavail, bsize } = statfsSync(dirname(this.path))
      free = bavail * bsize
    } catch {
      // The folder may be gone; the message of the write says enough.
    }
    return free < LITTLE_SPACE ? `no space left for ${this.path} (${message})` : `cannot write ${this.path}: ${message}`
  }
}

/** Beside this file, or one folder up when a bundler moved this code into a shared chunk. */
function workerFile(): URL {
  const beside = new URL('./lmdb-worker.js', import.meta.url)
  return existsSync(fileURLToPath(beside)) ? beside : new URL('../lmdb-worker.js', import.meta.url)
}
