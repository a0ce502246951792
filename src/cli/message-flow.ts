// What becomes of each message that tsmq-sub receives, step by step (spec: sub.md section 3): what is left out, what is removed,
// recorded, handed to a program and printed, and when enough have come. How any of that is done is in the parts it is given.

import type { SubValues } from '../options/sub-options.js'
import type { Publish } from '../protocol/packets/publish.js'
import { matches } from '../protocol/topics.js'
import { EXIT_STATUS } from './exit.js'
import type { Expectations } from './expectations.js'
import type { MessageCommands } from './message-commands.js'
import type { MessagePrinter } from './message-printer.js'
import type { MessageRecording } from './message-record.js'
import type { Output } from './output.js'
import type { RetainedRemoval } from './retained-removal.js'
import type { TopicChanges } from './topic-changes.js'
import type { TopicSummary } from './topic-summary.js'
import type { WatchScreen } from './watch-screen.js'

/** What a run is made of; what was not asked for is undefined. */
export interface FlowParts {
  readonly output: Output
  readonly printer: MessagePrinter
  readonly expectations: Expectations
  readonly removal: RetainedRemoval | undefined
  readonly changes: TopicChanges | undefined
  readonly recording: MessageRecording | undefined
  readonly commands: MessageCommands | undefined
  readonly summary: TopicSummary | undefined
  readonly watch: WatchScreen | undefined
  /** ms since 1970. */
  readonly now: () => number
  /** 0 to 1. */
  readonly random: () => number
}

export interface FlowOwner {
  /** Enough has come: the run ends with this status as soon as all that it began is done; `problem` is to be told. */
  onEnough(status: number, problem?: string): void
  /** Leaves the message at hand, of QoS 1 or 2, unacknowledged until the function returned is called. */
  holdAcknowledgement(packet: Publish): () => void
}

export class MessageFlow {
  /** Messages since this was last set to 0. */
  rate = 0
  /** When a message that counts last came, ms since 1970; kept up with --idle only. */
  lastTime = 0
  private readonly values: SubValues
  private readonly parts: FlowParts
  private readonly owner: FlowOwner
  private readonly prints: boolean
  private remaining: number
  private isOver = false

  constructor(values: SubValues, parts: FlowParts, owner: FlowOwner) {
    this.values = values
    this.parts = parts
    this.owner = owner
    this.remaining = values.message_rate ? Number.POSITIVE_INFINITY : (values.count ?? Number.POSITIVE_INFINITY)
    const isReplaced = values.record === '-' || values.summary !== undefined || values.message_rate
    const isChosen = values.verbose || values.format !== undefined
    this.prints = !isReplaced && (isChosen || values.exec === undefined)
  }

  take(topic: string, packet: Publish): void {
    const { parts, values } = this
    this.rate++
    if (this.isOver) {
      // It was not asked for any more: whoever comes next with this session gets it.
      if (packet.qos > 0) this.owner.holdAcknowledgement(packet)
      return
    }
    if (packet.retain) {
      if (values.skip_retained) return
    } else if (values.retained_only) {
      this.finishUnmet()
      return
    }
    if (values.filter_out.length > 0 && values.filter_out.some((filter) => matches(filter, topic))) return
    if (values.idle !== undefined) this.lastTime = parts.now()
    if (packet.retain) parts.removal?.remove(topic)
    if (parts.changes !== undefined && !parts.changes.isNew(topic, packet.payload)) return
    this.keep(topic, packet)
    if (this.prints) this.print(topic, packet)
    this.judge(topic, packet)
  }

  private keep(topic: string, packet: Publish): void {
    const { commands, recording, summary, now } = this.parts
    recording?.add(topic, packet)
    summary?.add(topic, packet, now())
    if (commands === undefined) return
    const holds = this.values.exec_ack && packet.qos > 0
    commands.add(topic, packet, holds ? this.owner.holdAcknowledgement(packet) : undefined)
  }

  private print(topic: string, packet: Publish): void {
    const { values, parts } = this
    const { random_filter } = values
    const isChosen = random_filter === undefined || parts.random() * 100 < random_filter
    const isListed = values.dry_run && !values.verbose && values.format === undefined
    if (parts.watch !== undefined) parts.watch.show(topic, () => isChosen && parts.printer.print(topic, packet))
    else if (isListed) {
      if (packet.retain) parts.output.receivedText(topic)
      if (packet.retain) parts.output.text('\n')
    } else if (isChosen) parts.printer.print(topic, packet)
  }

  /** Whether this was the message that was waited for, or one too many, or the last. */
  private judge(topic: string, packet: Publish): void {
    const { expectations } = this.parts
    if (this.values.expect_none) {
      this.finish(EXIT_STATUS.unexpected, `no message was expected; got one on ${topic}`)
      return
    }
    if (!expectations.isEmpty && expectations.areMetBy(topic, packet.payload)) {
      this.finish(EXIT_STATUS.ok)
      return
    }
    if (--this.remaining === 0) this.finishUnmet()
  }

  /** Whether some message ends the run. */
  get hasEnd(): boolean {
    const { expectations } = this.parts
    return this.values.expect_none || !expectations.isEmpty || this.remaining < Number.POSITIVE_INFINITY
  }

  /** What is waited for, for a person. */
  get waitingText(): string {
    const { count } = this.values
    if (this.values.expect_none) return 'waiting: no message is to come'
    if (!this.parts.expectations.isEmpty) return 'waiting for the message that is expected'
    if (count === undefined || this.values.message_rate) return 'waiting for messages'
    return `waiting for message ${count - this.remaining + 1} of ${count}`
  }

  /** What to say of expectations that have not been met, if there are any. */
  get complaint(): string | undefined {
    const { expectations } = this.parts
    return expectations.isEmpty ? undefined : expectations.describe()
  }

  /** The run ends by itself, without having found what it waits for. */
  finishUnmet(): void {
    const { complaint } = this
    this.finish(complaint === undefined ? EXIT_STATUS.ok : EXIT_STATUS.unexpected, complaint)
  }

  /** Takes no more messages. */
  private finish(status: number, problem?: string): void {
    if (this.isOver) return
    this.isOver = true
    this.owner.onEnough(status, problem)
  }
}
