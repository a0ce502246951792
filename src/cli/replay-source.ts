// A recording, published as it was recorded: JSON objects whose `tst` says when. The time between two of them is kept, or shortened
// or stretched; an object without `tst` goes out right behind the one before.

import type { ByteInput } from './byte-input.js'
import { type JsonMessage, JsonMessageError } from './json-message.js'
import { LineError } from './line-error.js'
import { LineReader } from './line-reader.js'
import { publishJson, readJsonLine } from './line-source.js'
import type { MessageSink, MessageSource } from './message-source.js'

/** A beginning of topics, and what stands there instead. */
export type TopicMap = readonly [from: string, to: string]

export interface ReplayOptions {
  /** How many times as fast as it was recorded; Infinity for no time between the messages. */
  readonly speed: number
  readonly maps: readonly TopicMap[]
}

/** Longest delay of a timer, in ms. */
const LONGEST_TIMER = 2_147_483_647

export class ReplaySource implements MessageSource {
  private readonly input: ByteInput
  private readonly reader: LineReader
  private readonly options: ReplayOptions
  private sink: MessageSink | undefined = undefined
  private lines = 0
  private published = 0
  /** When it began, and what was the time in the recording then. */
  private began = 0
  private firstTime: number | undefined = undefined
  /** Read, and not sent yet. */
  private next: JsonMessage | undefined = undefined
  private due = 0
  private isHeld = false
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(input: ByteInput, options: ReplayOptions) {
    this.input = input
    this.options = options
    this.reader = new LineReader(input, {
      onLine: (bytes, start, end) => this.guarded(() => this.onLine(bytes.subarray(start, end))),
      onEnd: () => this.sink?.end(),
      onError: (error) => this.sink?.fail(error.message),
    })
  }

  get progress(): string | undefined {
    return this.input.isTyped ? undefined : `publishing message ${this.published}`
  }

  start(sink: MessageSink): void {
    this.sink = sink
    this.began = performance.now()
    this.reader.start()
  }

  private onLine(line: Buffer): void {
    this.lines++
    const message = readJsonLine(line)
    if (message === undefined) return
    this.next = message
    this.due = this.dueTime(message)
    this.sendWhenDue()
    if (this.next !== undefined) this.reader.hold()
  }

  /** On the clock of `performance`; what was recorded earlier than the one before is due with it. */
  private dueTime({ time }: JsonMessage): number {
    if (time === undefined) return this.due
    this.firstTime ??= time
    return Math.max(this.due, this.began + (time - this.firstTime) / this.options.speed)
  }

  private sendWhenDue(): void {
    const { next, sink } = this
    if (next === undefined || sink === undefined || this.isHeld) return
    const wait = this.due - performance.now()
    if (wait >= 1) {
      this.timer = setTimeout(() => this.guarded(() => this.sendAndGoOn()), Math.min(wait, LONGEST_TIMER))
      return
    }
    this.next = undefined
    this.published++
    if (!publishJson(sink, next, this.mapped(next.topic))) this.hold()
  }

  private sendAndGoOn(): void {
    this.sendWhenDue()
    if (this.next === undefined && !this.isHeld) this.reader.resume()
  }

  private mapped(topic: string | undefined): string | undefined {
    const map = this.options.maps.find(([from]) => topic?.startsWith(from))
    return topic === undefined || map === undefined ? topic : map[1] + topic.slice(map[0].length)
  }

  private guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof LineError || error instanceof JsonMessageError)) throw error
      this.sink?.fail(`${this.input.name}, line ${this.lines}: ${error.message}`)
    }
  }

  hold(): void {
    this.isHeld = true
    clearTimeout(this.timer)
    this.reader.hold()
  }

  resume(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.guarded(() => this.sendAndGoOn())
  }

  onSettled(): void {
    // The recording says when the next one goes out.
  }

  stop(): void {
    this.sink = undefined
    clearTimeout(this.timer)
    this.reader.stop()
  }
}
