// A program for each message (--exec): so many at once, the others wait in order. With --exec-ack a message is acknowledged when its
// program has succeeded, in the order of arrival.

import type { ChildProcess } from 'node:child_process'
import type { Publish } from '../protocol/packets/publish.js'
import { type ChildEnd, startChild } from './child-process.js'
import { isoMicroseconds } from './message-time.js'

export interface CommandOptions {
  readonly program: string
  readonly args: readonly string[]
  /** Most programs at once. */
  readonly jobs: number
  readonly now: () => number
}

/** What the owner of the programs is told. */
export interface CommandOwner {
  /** A program has failed. */
  onFailure(end: ChildEnd, what: string): void
  /** One has ended: perhaps `isBusy` or `isIdle` has changed. */
  onProgress(): void
}

interface Job {
  readonly topic: string
  readonly env: Readonly<Record<string, string>>
  readonly payload: Buffer
  /** Acknowledges the message; undefined if that has been done. */
  readonly acknowledge: (() => void) | undefined
  state: 'waiting' | 'running' | 'done' | 'failed'
}

export class MessageCommands {
  private readonly options: CommandOptions
  private readonly owner: CommandOwner
  /** Those that wait or run, and those that are done but whose turn to be acknowledged has not come. */
  private jobs: Job[] = []
  private readonly running = new Set<ChildProcess>()
  private isStopped = false

  constructor(options: CommandOptions, owner: CommandOwner) {
    this.options = options
    this.owner = owner
  }

  /** No more messages should come for now. */
  get isBusy(): boolean {
    return this.jobs.length >= this.options.jobs
  }

  /** Nothing runs or waits. */
  get isIdle(): boolean {
    return this.running.size === 0 && (this.isStopped || this.jobs.every(({ state }) => state !== 'waiting'))
  }

  /** Runs the program for a message, of which a copy is taken. */
  add(topic: string, packet: Publish, acknowledge: (() => void) | undefined): void {
    const env = {
      TSMQ_TOPIC: topic,
      TSMQ_QOS: String(packet.qos),
      TSMQ_RETAIN: packet.retain ? '1' : '0',
      TSMQ_TST: isoMicroseconds(this.options.now()),
    }
    this.jobs.push({ topic, env, payload: Buffer.from(packet.payload), acknowledge, state: 'waiting' })
    this.startNext()
  }

  /** Starts no more programs, and ends those that run if `signal` is given. */
  stop(signal?: NodeJS.Signals): void {
    this.isStopped = true
    if (signal !== undefined) for (const child of this.running) child.kill(signal)
  }

  private startNext(): void {
    while (!this.isStopped && this.running.size < this.options.jobs) {
      const job = this.jobs.find(({ state }) => state === 'waiting')
      if (job === undefined) return
      this.start(job)
    }
  }

  private start(job: Job): void {
    const { program, args } = this.options
    const { env, payload } = job
    job.state = 'running'
    const child = startChild({ file: program, args, env, input: payload, output: 'stdout' }, (end) => {
      this.running.delete(child)
      this.finish(job, end)
    })
    this.running.add(child)
  }

  private finish(job: Job, end: ChildEnd): void {
    job.state = end.status === 0 ? 'done' : 'failed'
    if (end.status !== 0) this.owner.onFailure(end, `${this.options.program} (topic ${job.topic})`)
    this.acknowledgeFirst()
    this.startNext()
    this.owner.onProgress()
  }

  /** [MQTT-4.6.0-2]: a message is passed over only if its program has failed. */
  private acknowledgeFirst(): void {
    const next = this.jobs.findIndex(({ state }) => state === 'waiting' || state === 'running')
    const ended = this.jobs.splice(0, next < 0 ? this.jobs.length : next)
    for (const { state, acknowledge } of ended) if (state === 'done') acknowledge?.()
  }
}
