// Consecutive QoS 0 messages of one publisher to one topic, as they come in one piece from its socket: who gets them is decided
// once, they are encoded and copied once or not at all, and each receiver is handed all of them together. Whatever might change who gets them,
// or come between them, ends the burst; so does the end of the event loop's turn.

import { FrameStretch, MOST_COPIED } from '../../protocol/frame-stretch.js'
import { PacketRun } from '../../protocol/packet-run.js'
import { PLAIN_PUBLISH, type ProtocolVersion } from '../../protocol/packet-types.js'
import type { PublishFrames } from '../../protocol/publish-frames.js'
import type { BlockPool } from '../../protocol/shared-block.js'
import type { Message, Publisher } from '../../session/message.js'
import type { Follower, Subscription } from './receiver.js'
import type { Subscriptions } from './subscriptions.js'

/** Packets in bytes[at..limit), and which of them are taken: those that differ from the message before in nothing but their payload. */
export interface Following {
  readonly bytes: Buffer
  /** Where the message before ends. */
  readonly at: number
  readonly limit: number
  /** Bytes of the largest packet that is taken, and of the largest payload. */
  readonly most: number
  readonly mostPayload: number
  /** Asked for each of them, in its order; the first that does not pass is not taken, and ends it. */
  readonly passes: ((message: Message) => boolean) | undefined
}

/** Packets that were taken unseen. */
export interface Followed {
  readonly count: number
  readonly payloadBytes: number
  /** Where the last of them ends. */
  readonly end: number
}

export class Burst {
  private readonly frames: PublishFrames
  private readonly subscriptions: Subscriptions
  private readonly stretch: FrameStretch
  private readonly run = new PacketRun()
  private readonly onOpen: () => void
  /** Of the message before; the topic is undefined when no burst may begin with the next. */
  private topic: string | undefined = undefined
  private publisher: Publisher | undefined = undefined
  private isOpen = false
  /** Some receiver has to look at each message. */
  private isApart = false
  private followers: Follower[] = []
  private version: ProtocolVersion = 4
  /** Bytes of the largest packet that all followers take. */
  private mostBytes = 0
  /** The message before, until another one comes: one that others may follow. */
  private last: Message | undefined = undefined
  /** Number of the last change of subscriptions that `followers` takes into account. */
  private changes = 0
  /** Messages in the stretch, and the bytes of their payloads. */
  private count = 0
  private payloadBytes = 0

  /** @param onOpen something is being gathered: `end` is to be called when the event loop's turn is over */
  constructor(frames: PublishFrames, subscriptions: Subscriptions, blocks: BlockPool, onOpen: () => void) {
    this.frames = frames
    this.onOpen = onOpen
    this.subscriptions = subscriptions
    this.stretch = new FrameStretch(blocks)
  }

  /** Takes a message that goes to the same receivers as those before it. False when it has to be delivered by itself. */
  takes(message: Message): boolean {
    this.forget()
    if (message.topic !== this.topic || message.publisher !== this.publisher || !isPlain(message)) {
      this.end()
      this.publisher = message.publisher
      if (!isPlain(message)) return false
      this.topic = message.topic
      this.last = message
      return false
    }
    if (this.isApart) return false
    if (this.isOpen && this.changes !== this.subscriptions.changes) this.end()
    return (this.isOpen || this.open(message)) && this.add(message)
  }

  private open(message: Message): boolean {
    const { subscriptions, groups } = this.subscriptions.match(message.topic)
    const followers = groups.length > 0 ? undefined : followersOf(message, subscriptions)
    const version = followers?.[0]?.version
    if (followers === undefined || version === undefined || !areAlike(followers)) {
      this.isApart = true
      return false
    }
    this.followers = followers
    this.version = version
    this.mostBytes = Number.POSITIVE_INFINITY
    for (let i = 0; i < followers.length; i++)
      this.mostBytes = Math.min(this.mostBytes, (followers[i] as Follower).maximumPacketSize)
    this.changes = this.subscriptions.changes
    this.isOpen = true
    this.stretch.begin()
    this.onOpen()
    return true
  }

  private add(message: Message): boolean {
    this.frames.use(message)
    const frame = this.frames.frame(this.version, false)
    if (frame.size > this.mostBytes) {
      this.end()
      return false
    }
    if (!this.stretch.add(frame, PLAIN_PUBLISH)) {
      this.handOut()
      // Whoever writes may have flushed them all, and ended this.
      if (!this.isOpen) return false
      this.stretch.begin()
      if (!this.stretch.add(frame, PLAIN_PUBLISH)) {
        this.end()
        return false
      }
    }
    this.count++
    this.payloadBytes += message.size
    this.last = message
    return true
  }

  /** What is going to be published need not be like the message before. */
  forget(): void {
    this.last = undefined
  }

  /** Takes packets behind the message before; undefined when there are none to take. */
  takesFollowing({ bytes, at, limit, most, mostPayload, passes }: Following): Followed | undefined {
    const { last, stretch, run } = this
    if (last === undefined || last.bytes !== bytes || last.payloadEnd !== at || last.frameStart < 0) return undefined
    const { block, payloadStart } = last
    let fields = last.frameStart + 1
    while ((bytes[fields++] as number) >= 0x80) {}
    run.find(bytes, fields, payloadStart, at, limit, most, mostPayload, 1)
    if (run.count === 0) return undefined
    if (this.isOpen ? this.changes !== this.subscriptions.changes : !this.open(last)) return undefined
    // They leave as they come.
    if ((this.version === 5) !== (last.frameVersion === 5)) return undefined
    const largest = Math.min(most, this.mostBytes, block === undefined ? MOST_COPIED : Number.POSITIVE_INFINITY)
    let count = 0
    let payloadBytes = 0
    let end = at
    while (end < limit) {
      if (!stretch.takes(end, block)) {
        this.handOut()
        // Whoever writes may have flushed them all, and ended this.
        if (this.last !== last) break
        stretch.begin()
      }
      const reach = block === undefined ? Math.min(limit, end + stretch.room) : limit
      run.find(bytes, fields, payloadStart, end, reach, largest, mostPayload, passes === undefined ? reach : 1)
      if (run.count === 0) break
      if (passes !== undefined) {
        const isPassed = passes(last.successor(end, run.end - run.payloadBytes, run.end))
        // Or what was asked has changed who gets it.
        if (!isPassed || this.last !== last || this.changes !== this.subscriptions.changes) break
      }
      stretch.addPackets(bytes, run.view, end, run.end, block)
      this.count += run.count
      this.payloadBytes += run.payloadBytes
      count += run.count
      payloadBytes += run.payloadBytes
      end = run.end
    }
    return count === 0 ? undefined : { count, payloadBytes, end }
  }

  private handOut(): void {
    const { followers, stretch, count, payloadBytes } = this
    this.count = this.payloadBytes = 0
    if (count === 0) return
    stretch.settle()
    const { block, start, end } = stretch
    for (let i = 0; i < followers.length; i++)
      (followers[i] as Follower).sendStretch(block, start, end, count, payloadBytes)
  }

  /** Hands out what has been taken. The next message is delivered by itself. */
  end(): void {
    this.topic = undefined
    this.publisher = undefined
    this.last = undefined
    this.isApart = false
    if (!this.isOpen) return
    this.isOpen = false
    this.handOut()
    this.followers = []
  }
}

/** Whether nothing about it differs from receiver to receiver or is kept. */
function isPlain({ qos, retain, expiresAt }: Message): boolean {
  return qos === 0 && !retain && expiresAt === Number.POSITIVE_INFINITY
}

/** Whether one encoding serves all. */
function areAlike(followers: readonly Follower[]): boolean {
  const isNew = followers[0]?.version === 5
  for (let i = 1; i < followers.length; i++) if (((followers[i] as Follower).version === 5) !== isNew) return false
  return true
}

/** Undefined when one of the receivers has to look at each message. */
function followersOf(message: Message, subscriptions: readonly Subscription[]): Follower[] | undefined {
  const followers: Follower[] = []
  for (const subscription of subscriptions) {
    const follower = subscription.receiver.follow(message, subscription)
    if (follower === 'apart') return undefined
    if (follower !== 'none') followers.push(follower)
  }
  return followers
}
