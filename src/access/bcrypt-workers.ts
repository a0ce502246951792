// bcrypt off the main thread: a small fixed number of worker threads, started when first needed, and a bounded queue before
// them. Knows nothing of users or files; one instance serves every password file of a process.
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { BcryptHasher } from './bcrypt-hash.js'

/** What a worker is sent. */
export interface BcryptJob {
  readonly password: string
  readonly salt: string | number
}

/** What it answers, to one job at a time. */
export type BcryptResult = { readonly hash: string } | { readonly error: string }

/** How many threads, and how many jobs may wait for one of them. */
export interface BcryptLimits {
  /** At least 1; by default a processor is left to the rest, and never more than 4 are used. */
  readonly threads?: number
  /** Jobs waiting, at least 0; further ones are rejected. */
  readonly waiting?: number
  /** Milliseconds without any job after which the threads end and give their memory back. */
  readonly idle?: number
}

interface PendingJob {
  readonly job: BcryptJob
  readonly resolve: (hash: string) => void
  readonly reject: (reason: Error) => void
}

/** Most worker threads that leave one processor free for everything else. */
export function spareProcessors(): number {
  return Math.max(1, Math.min(4, availableParallelism() - 1))
}

/** Computes bcrypt hashes in worker threads, which do not keep the process alive while they have nothing to do. */
export class BcryptWorkers implements BcryptHasher {
  readonly #threads: number
  readonly #mostWaiting: number
  readonly #idleMs: number
  readonly #file: URL
  readonly #idle: Worker[] = []
  readonly #busy = new Map<Worker, PendingJob>()
  readonly #waiting: PendingJob[] = []
  #closed = false
  #idleTimer: NodeJS.Timeout | undefined

  /** `file` is the script of the worker; the built one unless a test brings its own. */
  constructor({ threads = spareProcessors(), waiting = 1000, idle = 30_000 }: BcryptLimits = {}, file = workerFile()) {
    this.#threads = threads
    this.#mostWaiting = waiting
    this.#idleMs = idle
    this.#file = file
  }

  /** Rejects when the queue is full, the salt is no bcrypt salt, the worker dies, or after `close`. */
  hash(password: string, salt: string | number): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('bcrypt workers are closed'))
      const pending = { job: { password, salt }, resolve, reject }
      const worker = this.#idle.pop() ?? (this.#busy.size < this.#threads ? this.#start() : undefined)
      if (worker) this.#give(worker, pending)
      else if (this.#waiting.length < this.#mostWaiting) this.#waiting.push(pending)
      else reject(new Error('too many bcrypt jobs are waiting'))
    })
  }

  /** Ends the threads; what they were doing and what was waiting is rejected. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idleTimer)
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()]
    for (const { reject } of [...this.#busy.values(), ...this.#waiting]) reject(new Error('bcrypt workers are closed'))
    this.#waiting.length = 0
    this.#busy.clear()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  #start(): Worker {
    const worker = new Worker(this.#file)
    let cause = new Error('the bcrypt worker ended')
    worker.on('message', (result: BcryptResult) => this.#finish(worker, result))
    worker.on('error', (error) => {
      cause = new Error('the bcrypt worker failed', { cause: error })
    })
    worker.on('exit', () => this.#lose(worker, cause))
    return worker
  }

  #give(worker: Worker, pending: PendingJob): void {
    clearTimeout(this.#idleTimer)
    this.#busy.set(worker, pending)
    worker.ref()
    worker.postMessage(pending.job)
  }

  #finish(worker: Worker, result: BcryptResult): void {
    const pending = this.#busy.get(worker)
    if (!pending) return
    this.#busy.delete(worker)
    const next = this.#waiting.shift()
    if (next) this.#give(worker, next)
    else {
      worker.unref()
      this.#idle.push(worker)
      if (this.#busy.size === 0) this.#endIdleLater()
    }
    if ('hash' in result) pending.resolve(result.hash)
    else pending.reject(new Error(result.error))
  }

  #endIdleLater(): void {
    this.#idleTimer = setTimeout(() => {
      for (const worker of this.#idle.splice(0)) void worker.terminate()
    }, this.#idleMs)
    this.#idleTimer.unref()
  }

  /** A thread is gone: its job fails, and the next one that waits gets a new thread. */
  #lose(worker: Worker, cause: Error): void {
    const place = this.#idle.indexOf(worker)
    if (place >= 0) this.#idle.splice(place, 1)
    const pending = this.#busy.get(worker)
    if (!pending) return
    this.#busy.delete(worker)
    pending.reject(cause)
    const next = this.#waiting.shift()
    if (next) this.#give(this.#start(), next)
  }
}

/** Beside this file, or one folder up when a bundler moved this code into a shared chunk. */
function workerFile(): URL {
  const beside = new URL('./bcrypt-worker.js', import.meta.url)
  return existsSync(fileURLToPath(beside)) ? beside : new URL('../bcrypt-worker.js', import.meta.url)
}
