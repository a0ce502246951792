// What tsmq-pub publishes, one after the other. A source decides when there is a next message; what becomes of it is for
// publish-run.ts. Here is the payload that is known in advance; line-source.ts and replay-source.ts have the others.

import type { Qos } from '../protocol/packets/publish.js'
import type { Properties } from '../protocol/properties.js'
import type { SendProgress } from './send-progress.js'

/** What a message has unless it says otherwise itself. */
export interface MessageDefaults {
  readonly topic: string | undefined
  readonly qos: Qos
  readonly retain: boolean
  readonly properties: Readonly<Properties>
}

export interface MessageSink {
  readonly defaults: MessageDefaults
  /** Publishes bytes[start..end). Returns false when the source is to wait for `resume`; this message was taken. */
  publish(message: OutgoingMessage, bytes: Buffer, start: number, end: number): boolean
  /** There are no more. */
  end(): void
  /** There can be no more. */
  fail(text: string): void
}

export interface OutgoingMessage {
  readonly topic: string
  readonly qos: Qos
  readonly retain: boolean
  readonly properties: Readonly<Properties>
}

export interface MessageSource {
  /** The broker has accepted the connection. */
  start(sink: MessageSink): void
  /** The sink can take no more until `resume`. */
  hold(): void
  resume(): void
  /** A message was delivered, or cannot be. */
  onSettled(): void
  /** Nothing more is wanted. */
  stop(): void
  /** For people who wait: what is going on. Undefined where it is they who are waited for. */
  readonly progress: string | undefined
}

export interface RepeatOptions {
  readonly count: number
  /** ms between the delivery of a message and the next one, at least. */
  readonly delay: number
  /** Watches a payload that takes long to send. */
  readonly sending?: SendProgress | undefined
}

/** One payload, as often as it is wanted. */
export class RepeatSource implements MessageSource {
  private readonly payload: Buffer
  private readonly options: RepeatOptions
  private sink: MessageSink | undefined = undefined
  private published = 0
  private timer: NodeJS.Timeout | undefined = undefined
  private isHeld = false
  private isDue = false

  constructor(payload: Buffer, options: RepeatOptions) {
    this.payload = payload
    this.options = options
  }

  get progress(): string {
    const { count, sending } = this.options
    const which = count > 1 ? ` message ${this.published} of ${count}` : ''
    return `publishing${which}${sending === undefined ? '' : `: ${sending.text}`}`
  }

  private get isLast(): boolean {
    return this.published === this.options.count
  }

  start(sink: MessageSink): void {
    this.sink = sink
    this.publish(sink)
  }

  private publish(sink: MessageSink): void {
    const { defaults } = sink
    this.isDue = false
    this.published++
    this.options.sending?.begin(this.payload.length)
    sink.publish({ ...defaults, topic: defaults.topic ?? '' }, this.payload, 0, this.payload.length)
    if (this.isLast) sink.end()
  }

  hold(): void {
    this.isHeld = true
  }

  resume(): void {
    this.isHeld = false
    if (this.isDue && this.sink !== undefined) this.publish(this.sink)
  }

  onSettled(): void {
    const { sink } = this
    if (sink === undefined || this.isLast) return
    this.timer = setTimeout(() => {
      if (this.isHeld) this.isDue = true
      else this.publish(sink)
    }, this.options.delay)
  }

  stop(): void {
    this.sink = undefined
    clearTimeout(this.timer)
  }
}
