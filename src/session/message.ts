// An application message on its way through a broker or client: what is sent, to be combined with who receives it. It starts as
// a view of the packet it arrived in and is detached once if anything keeps it longer than the call that brought it.

import { copyWords, MOST_BY_WORDS, viewOf } from '../protocol/copy-words.js'
import type { ProtocolVersion } from '../protocol/packet-types.js'
import type { Publish, Qos } from '../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import type { PublishContent } from '../protocol/publish-frames.js'
import type { BlockPool, SharedBlock } from '../protocol/shared-block.js'
import { varintSize } from '../protocol/writer.js'
import { LARGEST_PIECE, Slab } from './slab.js'

/** Who published a message: compared for No Local, asked again before a retained message is delivered. */
export interface Publisher {
  readonly clientId: string
  /** What it takes to ask the same question after a restart; the broker's own need nothing of it. */
  readonly username?: string | undefined
  readonly origin?: string
  /** Whether it may, at this moment, publish to `topic`. */
  mayWrite(topic: string): boolean
}

const slab = new Slab()

export class Message implements PublishContent {
  readonly topic: string
  readonly qos: Qos
  readonly retain: boolean
  /** Without topic alias and subscription identifiers: those belong to one connection. */
  readonly publisher: Publisher | undefined
  /** When it is to be forgotten, in ms of the caller's clock; Infinity for never. */
  readonly expiresAt: number
  properties: Readonly<Properties>
  bytes: Buffer
  payloadStart: number
  payloadEnd: number
  frameStart: number
  readonly frameVersion: ProtocolVersion
  readonly frameHasId: boolean
  block: SharedBlock | undefined
  /** For who keeps a journal: deliveries in it that refer to this message, and the number of its record, 0 for none. */
  references = 0
  record = 0
  private isDetached: boolean

  /** @param isDetached whether nobody is going to reuse `bytes` */
  constructor(
    topic: string,
    qos: Qos,
    retain: boolean,
    properties: Readonly<Properties>,
    publisher: Publisher | undefined,
    expiresAt: number,
    bytes: Buffer,
    payloadStart: number,
    payloadEnd: number,
    frameStart: number,
    frameVersion: ProtocolVersion,
    block: SharedBlock | undefined,
    isDetached = false,
  ) {
    this.isDetached = isDetached
    this.topic = topic
    this.qos = qos
    this.retain = retain
    this.properties = properties
    this.publisher = publisher
    this.expiresAt = expiresAt
    this.bytes = bytes
    this.payloadStart = payloadStart
    this.payloadEnd = payloadEnd
    this.frameStart = frameStart
    this.frameVersion = frameVersion
    this.frameHasId = qos > 0
    this.block = block
  }

  /** A view of the payload. */
  get payload(): Buffer {
    return this.bytes.subarray(this.payloadStart, this.payloadEnd)
  }

  /** Bytes of the payload. */
  get size(): number {
    return this.payloadEnd - this.payloadStart
  }

  /** A message that has come behind this one, in the same bytes, and differs from it in nothing but its payload. */
  successor(frameStart: number, payloadStart: number, payloadEnd: number): Message {
    const { topic, qos, retain, properties, publisher, expiresAt, bytes, frameVersion, block } = this
    return new Message(
      topic,
      qos,
      retain,
      properties,
      publisher,
      expiresAt,
      bytes,
      payloadStart,
      payloadEnd,
      frameStart,
      frameVersion,
      block,
    )
  }

  /**
   * Copies what it refers to, so that it outlives the packet it came in. Receivers share the copy. A small packet stays whole, to be
   * passed on as it is.
   */
  detach(): void {
    if (this.isDetached) return
    const { frameStart } = this
    const isWhole = frameStart >= 0 && this.payloadEnd - frameStart <= LARGEST_PIECE
    const start = isWhole ? frameStart : this.payloadStart
    const size = this.payloadEnd - start
    if (size > LARGEST_PIECE) this.copyFrom(start, Buffer.allocUnsafeSlow(size), 0)
    else {
      const at = slab.take(size)
      this.copyFrom(start, slab.bytes, at)
    }
  }

  /** Like `detach`, for long: in memory of exactly its size, so that a small payload does not hold on to a larger buffer. */
  keep(): void {
    if (!this.isDetached || this.bytes.buffer.byteLength > this.size)
      this.copyFrom(this.payloadStart, Buffer.allocUnsafeSlow(this.size), 0)
  }

  /** Moves out of a buffer that is about to be reused, into a block that receivers may refer to. The caller releases it. */
  share(blocks: BlockPool): SharedBlock {
    const start = this.frameStart < 0 ? this.payloadStart : this.frameStart
    const block = blocks.take(this.payloadEnd - start)
    this.bytes.copy(block.bytes, 0, start, this.payloadEnd)
    this.bytes = block.bytes
    this.block = block
    this.payloadStart -= start
    this.payloadEnd -= start
    if (this.frameStart >= 0) this.frameStart = 0
    return block
  }

  /** Moves bytes[start..payloadEnd), the payload or the packet with it, to memory[at..]. */
  private copyFrom(start: number, memory: Buffer, at: number): void {
    const { bytes, payloadStart, payloadEnd } = this
    const size = payloadEnd - start
    this.isDetached = true
    if (memory === slab.bytes && size >= 4 && size <= MOST_BY_WORDS)
      copyWords(viewOf(bytes), start, slab.view, at, size)
    else bytes.copy(memory, at, start, payloadEnd)
    this.bytes = memory
    this.payloadStart = at + payloadStart - start
    this.payloadEnd = at + size
    this.frameStart = start < payloadStart ? at : -1
    this.block = undefined
    const { correlationData } = this.properties
    if (correlationData !== undefined)
      this.properties = { ...this.properties, correlationData: Buffer.from(correlationData) }
  }
}

/** When a message with these properties expires, in the ms of `now`. */
export function expiryOf(properties: Readonly<Properties>, now: number): number {
  const seconds = properties.messageExpiryInterval
  return seconds === undefined ? Number.POSITIVE_INFINITY : now + seconds * 1000
}

/** Seconds left to a message at `now`, at least 1 while it lives [MQTT-3.3.2-6]; undefined when it does not expire. */
export function remainingExpiry(message: Message, now: number): number | undefined {
  if (message.expiresAt === Number.POSITIVE_INFINITY) return undefined
  return Math.max(1, Math.ceil((message.expiresAt - now) / 1000))
}

function withoutConnectionProperties(properties: Readonly<Properties>): Readonly<Properties> {
  if (properties === NO_PROPERTIES) return properties
  const { topicAlias, subscriptionIdentifiers, ...rest } = properties
  if (topicAlias === undefined && subscriptionIdentifiers === undefined) return properties
  return Object.keys(rest).length === 0 ? NO_PROPERTIES : rest
}

/**
 * The message in a PUBLISH. `topic` is the packet's, or what its alias stands for.
 * @param bodyStart where the packet's body begins in its bytes, so that the packet can be passed on as it is.
 */
export function messageOf(
  packet: Publish,
  topic: string,
  version: ProtocolVersion,
  publisher: Publisher | undefined,
  clock: () => number,
  bodyStart: number,
  block: SharedBlock | undefined,
): Message {
  const properties = withoutConnectionProperties(packet.properties)
  const length = packet.payloadEnd - bodyStart
  // Reusable as it stands: no property, no alias, the same topic, and a length in its shortest form.
  const reusable = packet.properties === NO_PROPERTIES && topic === packet.topic && packet.bytes[bodyStart - 1] !== 0
  return new Message(
    topic,
    packet.qos,
    packet.retain,
    properties,
    publisher,
    properties === NO_PROPERTIES ? Number.POSITIVE_INFINITY : expiryOf(properties, clock()),
    packet.bytes,
    packet.payloadStart,
    packet.payloadEnd,
    reusable ? bodyStart - 1 - varintSize(length) : -1,
    version,
    block,
  )
}

/** A message that did not come from the network, for instance a will or a `$SYS` value. */
export function localMessage(
  topic: string,
  payload: Buffer,
  qos: Qos,
  retain: boolean,
  properties: Readonly<Properties> = NO_PROPERTIES,
  publisher?: Publisher,
  now = 0,
): Message {
  const expiresAt = expiryOf(properties, now)
  return new Message(topic, qos, retain, properties, publisher, expiresAt, payload, 0, payload.length, -1, 4, undefined)
}
