// One application message → the PUBLISH packets its receivers get. Encoded once for each (version family, with or without packet
// identifier); receivers share the bytes and patch their first byte and identifier in their own copy. A message that arrived in
// the form in which it leaves is not encoded at all. Large payloads stay where they are and are written by reference.

import { LARGE_PACKET } from './framer.js'
import { PacketType, type ProtocolVersion } from './packet-types.js'
import { NO_PROPERTIES, type Properties, propertiesSize, writeProperties } from './properties.js'
import type { SharedBlock } from './shared-block.js'
import { varintSize, Writer, writeVarint } from './writer.js'

/** What is sent. The payload is bytes[payloadStart..payloadEnd); `bytes` must not change while it is pending. */
export interface PublishContent {
  readonly topic: string
  readonly properties: Readonly<Properties>
  readonly bytes: Buffer
  readonly payloadStart: number
  readonly payloadEnd: number
  /** Where bytes hold the packet as it arrived, with nothing a receiver must not see; -1 when they do not. */
  readonly frameStart: number
  /** Of the packet at `frameStart`. */
  readonly frameVersion: ProtocolVersion
  readonly frameHasId: boolean
  /** Owner of `bytes` when they are pooled. */
  readonly block: SharedBlock | undefined
}

/** What differs from receiver to receiver. 0 stands for no identifier and no alias. */
export interface ReceiverFields {
  /** Empty when the receiver knows the alias. */
  readonly topic: string
  readonly subscriptionIdentifier: number
  readonly topicAlias: number
  /** Seconds left of the message's life, or undefined to leave the property as it is. */
  readonly messageExpiryInterval: number | undefined
}

/** A packet up to its payload, and the payload with it unless that is large. */
export class Frame {
  private memory: Buffer = Buffer.alloc(0)
  /** Of `bytes`, for copying by words. */
  view = new DataView(this.memory.buffer)
  start = 0
  end = 0
  /** Where the packet identifier goes; -1 with QoS 0. */
  idAt = -1
  /** Bytes of the whole packet, the payload included. */
  size = 0
  /** Follows bytes[start..end) when it is large; undefined when they hold it. */
  payload: Buffer | undefined = undefined
  /** Owner of large bytes, to be retained while they are pending; undefined when they are nobody else's. */
  block: SharedBlock | undefined = undefined
  /** The message it was made for, as `PublishFrames` counts them. */
  madeFor = 0

  get bytes(): Buffer {
    return this.memory
  }

  set bytes(bytes: Buffer) {
    if (bytes === this.memory) return
    this.memory = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
}

/**
 * Payloads above this many bytes are not copied into frames. The message that brings one must own its bytes or name the block
 * that does; a smaller one may still be a view of a buffer that is about to be reused.
 */
export const LARGE_PAYLOAD = 12_288

const HEADER_ROOM = 5
/** Small integers are quicker than large ones. */
const MOST_COUNTED = 2 ** 30 - 2
/** Longer frames are encoded into memory of their own, so that they may be written by reference. */
const SCRATCH = LARGE_PACKET

/** Writes text as UTF-8 and returns the offset behind it; most topics are short ASCII. */
function writeText(bytes: Buffer, at: number, text: string): number {
  const length = text.length
  if (length > 64) return at + bytes.write(text, at, 'utf8')
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return at + bytes.write(text, at, 'utf8')
    bytes[at + i] = unit
  }
  return at + length
}

function copyPayload({ bytes, payloadStart, payloadEnd }: PublishContent, target: Buffer, at: number): number {
  const size = payloadEnd - payloadStart
  if (size >= 64) return at + bytes.copy(target, at, payloadStart, payloadEnd)
  for (let i = 0; i < size; i++) target[at + i] = bytes[payloadStart + i] as number
  return at + size
}

/** Reused from message to message: a frame is valid until the next `use` or `release`. */
export class PublishFrames {
  private readonly shared = [new Frame(), new Frame(), new Frame(), new Frame()] as const
  private readonly own = new Frame()
  private readonly scratch = [SCRATCH, SCRATCH, SCRATCH, SCRATCH, SCRATCH].map((size) => Buffer.allocUnsafeSlow(size))
  private content: PublishContent | undefined = undefined
  /** Counts the messages. */
  private turn = 0
  private readonly mostCounted: number

  /** @param mostCounted messages before the count begins anew, at least 1 */
  constructor(mostCounted = MOST_COUNTED) {
    this.mostCounted = mostCounted
  }

  /** Turns to a message; without effect if it is the present one. */
  use(content: PublishContent): void {
    if (this.content === content) return
    this.content = content
    if (this.turn === this.mostCounted) this.countAnew()
    this.turn++
  }

  private countAnew(): void {
    this.turn = 0
    for (const frame of this.shared) frame.madeFor = 0
  }

  /** Lets go of the message: to be called before the bytes it arrived in are reused. */
  release(): void {
    this.content = undefined
  }

  /** The frame that every receiver of this version and kind of QoS shares. The first byte and the identifier are not set. */
  frame(version: ProtocolVersion, withId: boolean): Frame {
    const index = (version === 5 ? 2 : 0) + (withId ? 1 : 0)
    const frame = this.shared[index] as Frame
    if (frame.madeFor !== this.turn) {
      const content = this.content as PublishContent
      if (content.frameStart >= 0 && content.frameHasId === withId && (content.frameVersion === 5) === (version === 5))
        this.asReceived(frame, content, version, withId)
      else this.encode(frame, index, content, version, withId, undefined)
      frame.madeFor = this.turn
    }
    return frame
  }

  /** A frame for one receiver; valid until the next call. */
  frameFor(version: ProtocolVersion, receiver: ReceiverFields, withId: boolean): Frame {
    this.encode(this.own, 4, this.content as PublishContent, version, withId, receiver)
    return this.own
  }

  private asReceived(frame: Frame, content: PublishContent, version: ProtocolVersion, withId: boolean): void {
    frame.bytes = content.bytes
    frame.start = content.frameStart
    frame.end = content.payloadEnd
    frame.size = content.payloadEnd - content.frameStart
    const list = propertiesSize(content.properties)
    frame.idAt = withId ? content.payloadStart - 2 - (version === 5 ? varintSize(list) + list : 0) : -1
    frame.payload = undefined
    frame.block = content.block
  }

  private encode(
    frame: Frame,
    index: number,
    content: PublishContent,
    version: ProtocolVersion,
    withId: boolean,
    receiver: ReceiverFields | undefined,
  ): void {
    const topic = receiver?.topic ?? content.topic
    const list = version === 5 ? encodedProperties(content.properties, receiver) : undefined
    const payload = content.payloadEnd - content.payloadStart
    // A UTF-16 unit takes at most three bytes.
    const head = HEADER_ROOM + 2 + topic.length * 3 + 2 + (list?.length ?? 0)
    const apart = payload > LARGE_PAYLOAD
    const bytes = this.room(index, head + (apart ? 0 : payload))
    let at = writeText(bytes, HEADER_ROOM + 2, topic)
    const topicBytes = at - HEADER_ROOM - 2
    bytes[HEADER_ROOM] = topicBytes >> 8
    bytes[HEADER_ROOM + 1] = topicBytes
    frame.idAt = withId ? at : -1
    if (withId) at += 2
    if (list !== undefined) at += list.copy(bytes, at)
    const length = at - HEADER_ROOM + payload
    if (!apart) at = copyPayload(content, bytes, at)
    const start = HEADER_ROOM - 1 - varintSize(length)
    bytes[start] = PacketType.PUBLISH << 4
    writeVarint(bytes, start + 1, length)
    frame.bytes = bytes
    frame.start = start
    frame.end = at
    frame.size = HEADER_ROOM - start + length
    frame.payload = apart ? content.bytes.subarray(content.payloadStart, content.payloadEnd) : undefined
    frame.block = apart ? content.block : undefined
  }

  private room(index: number, size: number): Buffer {
    const scratch = this.scratch[index] as Buffer
    return size <= scratch.length ? scratch : Buffer.allocUnsafe(size)
  }
}

const EMPTY_LIST = Buffer.from([0])

/**
 * The list for a receiver: the message's properties unchanged and in their order [MQTT-3.3.2-4] [MQTT-3.3.2-15]
 * [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20], but for what is the receiver's own.
 */
function encodedProperties(list: Readonly<Properties>, receiver: ReceiverFields | undefined): Buffer {
  let merged: Properties = list
  if (receiver !== undefined) {
    merged = { ...list }
    if (receiver.messageExpiryInterval !== undefined) merged.messageExpiryInterval = receiver.messageExpiryInterval
    if (receiver.subscriptionIdentifier > 0) merged.subscriptionIdentifiers = [receiver.subscriptionIdentifier]
    if (receiver.topicAlias > 0) merged.topicAlias = receiver.topicAlias
  } else if (list === NO_PROPERTIES) return EMPTY_LIST
  const size = propertiesSize(merged)
  if (size === 0) return EMPTY_LIST
  const writer = new Writer()
  writeProperties(writer, merged)
  return writer.body()
}
