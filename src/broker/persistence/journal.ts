// Has what changed written to the store, and lets connections speak only when what they promise is on disk (design: memory is the
// truth, the store its journal). What has changed is asked for its present state when a batch is put together: everything of one
// turn of the event loop is in one batch, and what came and went since the batch before is in none. What is written for what is
// the entries' business.

import { Batch, eachChange } from '../../store/batch.js'
import type { Store } from '../../store/store.js'
import type { StoreError } from '../../store/store-error.js'
import type { Log } from '../admin/log.js'

/** Something whose state is kept. */
export interface Entry {
  /** It has changed since it was written; the journal's to set. */
  isDirty: boolean
  /** Puts its present state into the batch, or removes what an earlier batch has of it. */
  write(batch: Batch): void
}

/** A connection that has something to say when a batch is on disk. */
export interface Waiter {
  /** Of the batch it waits for; the journal's to set. */
  ticket: number
  holdUntil(ticket: number): void
  release(ticket: number): void
  /** The batch could not be written: what was promised cannot be kept. */
  lost(): void
}

/** When changes are written. */
export interface Durability {
  /** At once, and nobody is told before it is done; otherwise now and then. */
  readonly isImmediate: boolean
  /** Otherwise: ms, or changes, between two writes; 0 for none but the last. */
  readonly interval: number
  readonly countsChanges: boolean
}

/** ms between two attempts to write what could not be written. */
const RETRY = 1000

export class Journal {
  durability: Durability
  /** Changes so far: whoever finds it greater than before has something to wait for. */
  touched = 0
  private readonly store: Store
  private readonly log: Log
  private readonly clock: () => number
  private readonly batch = new Batch()
  /** Of the batch that is gathering. */
  private ticket = 1
  private dirty: Entry[] = []
  private waiters: Waiter[] = []
  /** Also before `begin`: what changes while the store is being read waits for the end of that. */
  private isScheduled = true
  private isWriting = false
  /** What could not be written, by key, a byte a character; undefined while everything could. */
  private unwritten: Map<string, Buffer | undefined> | undefined = undefined
  private triedAt = 0
  private savedAt: number
  private savedTouched = 0
  private lastNumber = 0
  private onIdle: (() => void) | undefined = undefined
  private readonly flushTurn = () => {
    this.isScheduled = false
    if (!this.isWriting && this.unwritten === undefined) this.flush()
  }

  constructor(store: Store, log: Log, clock: () => number, durability: Durability) {
    this.store = store
    this.log = log
    this.clock = clock
    this.durability = durability
    this.savedAt = clock()
  }

  /** The store has been read: from now on changes are written, those that came up meanwhile too. */
  begin(): void {
    this.isScheduled = false
    if (this.dirty.length > 0 && this.isDue()) this.schedule()
  }

  /** A number for a record that nothing had before. */
  nextNumber(): number {
    return ++this.lastNumber
  }

  /** A number that something has from an earlier run. */
  usedNumber(number: number): void {
    this.lastNumber = Math.max(this.lastNumber, number)
  }

  /** Nothing can be written at the moment: no new promises. */
  get isFailing(): boolean {
    return this.unwritten !== undefined
  }

  /** An entry has changed. */
  mark(entry: Entry): void {
    this.touched++
    if (!entry.isDirty) {
      entry.isDirty = true
      this.dirty.push(entry)
    }
    if (!this.isScheduled && this.isDue()) this.schedule()
  }

  private isDue(): boolean {
    const { isImmediate, countsChanges, interval } = this.durability
    return isImmediate || (countsChanges && interval > 0 && this.touched - this.savedTouched >= interval)
  }

  private schedule(): void {
    this.isScheduled = true
    setImmediate(this.flushTurn)
  }

  /** Has a connection wait until everything that has changed so far is on disk. */
  hold(waiter: Waiter): void {
    if (!this.durability.isImmediate || waiter.ticket === this.ticket) return
    waiter.ticket = this.ticket
    this.waiters.push(waiter)
    waiter.holdUntil(this.ticket)
    if (!this.isScheduled) this.schedule()
  }

  /** Writes what has changed, whatever the interval says. */
  save(): void {
    if (!this.isWriting) this.flush()
  }

  /** Looks at the time: the interval, and another attempt to write what could not be written. */
  tick(now: number): void {
    const { isImmediate, countsChanges, interval } = this.durability
    if (this.isWriting) return
    if (this.unwritten !== undefined) {
      if (now - this.triedAt >= RETRY) this.flush()
    } else if (!isImmediate && !countsChanges && interval > 0 && now - this.savedAt >= interval) this.flush()
  }

  private flush(): void {
    const { batch, ticket, waiters, dirty } = this
    this.savedAt = this.triedAt = this.clock()
    this.savedTouched = this.touched
    this.waiters = []
    this.dirty = []
    this.ticket++
    batch.clear()
    for (const entry of dirty) {
      entry.isDirty = false
      entry.write(batch)
    }
    if (this.unwritten !== undefined) this.addUnwritten(this.unwritten)
    if (batch.count === 0) {
      release(waiters, ticket)
      return
    }
    this.isWriting = true
    this.store.write(batch, (error) => this.written(error, ticket, waiters))
  }

  private written(error: StoreError | undefined, ticket: number, waiters: readonly Waiter[]): void {
    this.isWriting = false
    if (error === undefined) {
      if (this.unwritten !== undefined) this.log.notice('The store can be written again; nothing is missing in it.')
      this.unwritten = undefined
      release(waiters, ticket)
    } else this.failed(error, waiters)
    if (this.unwritten === undefined && !this.isScheduled && this.isPending()) this.flush()
    if (!this.isWriting) this.onIdle?.()
  }

  private isPending(): boolean {
    return (this.dirty.length > 0 && this.isDue()) || this.waiters.length > 0
  }

  private failed({ message }: StoreError, waiters: readonly Waiter[]): void {
    if (this.unwritten === undefined) {
      this.log.error(
        `${message}. Messages with QoS 1 and 2 and sessions that last are refused until it can be written.`,
      )
      this.unwritten = new Map()
      this.remember(this.unwritten)
    }
    for (const waiter of waiters) waiter.lost()
  }

  private remember(unwritten: Map<string, Buffer | undefined>): void {
    const { bytes, size } = this.batch
    eachChange(bytes, size, (key, value) => unwritten.set(key.toString('latin1'), value && Buffer.from(value)))
  }

  /** Makes the batch one with everything that could not be written before. */
  private addUnwritten(unwritten: Map<string, Buffer | undefined>): void {
    const { batch } = this
    this.remember(unwritten)
    batch.clear()
    for (const [text, value] of unwritten) {
      const key = Buffer.from(text, 'latin1')
      if (value === undefined) batch.remove(key)
      else batch.putValue(key, value)
    }
  }

  /** Writes what is left and closes the store. */
  async close(): Promise<void> {
    while (this.isWriting || (this.dirty.length > 0 && this.unwritten === undefined)) {
      const idle = new Promise<void>((resolve) => {
        this.onIdle = resolve
      })
      if (!this.isWriting) this.flush()
      if (this.isWriting) await idle
    }
    if (this.unwritten !== undefined) await this.tryOnce()
    await this.store.close()
  }

  private async tryOnce(): Promise<void> {
    const idle = new Promise<void>((resolve) => {
      this.onIdle = resolve
    })
    this.flush()
    if (this.isWriting) await idle
    if (this.unwritten !== undefined) this.log.error('What has changed since the store could be written last is lost.')
  }
}

function release(waiters: readonly Waiter[], ticket: number): void {
  for (const waiter of waiters) waiter.release(ticket)
}
