// PUBLISH packets of QoS 1 or 2 that lie one behind the other and differ in nothing but their packet identifiers and payloads: found
// by comparing bytes, without decoding what has been decoded once.

import { copyWords, MOST_BY_WORDS, viewOf } from './copy-words.js'
import { areSame, remainingLength } from './packet-run.js'
import type { ProtocolVersion } from './packet-types.js'
import { varintSize } from './writer.js'

/** Packets of a run. */
export const MOST_NUMBERED = 64
/** Bytes of all its packets: they are copied together. */
export const MOST_RUN_BYTES = 2048

/** Reused from run to run. All offsets are from the beginning of its first packet. */
export class NumberedRun {
  /** The packets are bytes[start..start + size). */
  bytes: Buffer = Buffer.alloc(0)
  view = new DataView(this.bytes.buffer)
  start = 0
  size = 0
  count = 0
  /** Bytes of all payloads, and of the largest packet. */
  payloadBytes = 0
  largest = 0
  /** Whether it is MQTT 5.0, and the QoS. */
  version: ProtocolVersion = 4
  qos: 1 | 2 = 1
  readonly packetIds = new Uint16Array(MOST_NUMBERED)
  /** Where packets begin, where their identifiers are, and where their payloads begin and end. */
  readonly starts = new Uint16Array(MOST_NUMBERED)
  readonly idOffsets = new Uint16Array(MOST_NUMBERED)
  readonly payloadStarts = new Uint16Array(MOST_NUMBERED)
  readonly ends = new Uint16Array(MOST_NUMBERED)

  /**
   * Looks at bytes[at..limit) for whole packets without properties, to the topic of the one before, with the same first byte: that of
   * the one at `at`.
   * @param fields where the packet before has its topic, from the length of that up to the packet identifier: bytes[fields..fieldsEnd)
   * @param most bytes of the largest packet that is taken
   * @param mostPayload bytes of the largest payload that is taken
   */
  find(
    bytes: Buffer,
    fields: number,
    fieldsEnd: number,
    version: ProtocolVersion,
    at: number,
    limit: number,
    most: number,
    mostPayload: number,
  ): void {
    const words = viewOf(bytes)
    const header = words.getUint8(at)
    const topic = fieldsEnd - fields
    const isNew = version === 5
    const behindTopic = isNew ? 3 : 2
    const end = Math.min(limit, at + MOST_RUN_BYTES)
    let count = 0
    let next = at
    let payloadBytes = 0
    let largest = 0
    while (count < MOST_NUMBERED && next < end && words.getUint8(next) === header) {
      const length = remainingLength(words, next + 1, end)
      const payload = length - topic - behindTopic
      if (payload < 0 || payload > mostPayload) break
      const body = next + 1 + varintSize(length)
      const packetEnd = body + length
      if (packetEnd > end || packetEnd - next > most || !areSame(words, fields, body, topic)) break
      const idAt = body + topic
      const packetId = words.getUint16(idAt)
      if (packetId === 0 || (isNew && words.getUint8(idAt + 2) !== 0)) break
      this.packetIds[count] = packetId
      this.starts[count] = next - at
      this.idOffsets[count] = idAt - at
      this.payloadStarts[count] = idAt + behindTopic - at
      this.ends[count] = packetEnd - at
      payloadBytes += payload
      if (packetEnd - next > largest) largest = packetEnd - next
      count++
      next = packetEnd
    }
    this.bytes = bytes
    this.view = words
    this.start = at
    this.size = next - at
    this.count = count
    this.payloadBytes = payloadBytes
    this.largest = largest
    this.version = version
    this.qos = (header & 6) === 2 ? 1 : 2
  }

  /** Takes only the first `count` of them. */
  shorten(count: number): void {
    if (count >= this.count) return
    this.payloadBytes = this.payloadBytesOf(count)
    this.size = this.sizeOf(count)
    this.count = count
  }

  /** Moves the packets to other memory, which nobody is going to change while it is referred to. */
  moveTo(bytes: Buffer, view: DataView, at: number): void {
    this.copyTo(bytes, view, at, this.size)
    this.bytes = bytes
    this.view = view
    this.start = at
  }

  /** Bytes of the first `count` packets. */
  sizeOf(count: number): number {
    return count === 0 ? 0 : (this.ends[count - 1] as number)
  }

  /** Bytes of their payloads. */
  payloadBytesOf(count: number): number {
    let bytes = this.payloadBytes
    for (let i = count; i < this.count; i++) bytes -= (this.ends[i] as number) - (this.payloadStarts[i] as number)
    return bytes
  }

  /** Copies the first `count` packets, at least one, with other packet identifiers. */
  copyWithIds(bytes: Buffer, view: DataView, at: number, packetIds: Uint16Array, count: number): void {
    this.copyTo(bytes, view, at, this.sizeOf(count))
    const { idOffsets } = this
    for (let i = 0; i < count; i++) view.setUint16(at + (idOffsets[i] as number), packetIds[i] as number)
  }

  private copyTo(bytes: Buffer, view: DataView, at: number, size: number): void {
    const { start } = this
    if (size > MOST_BY_WORDS) this.bytes.copy(bytes, at, start, start + size)
    else copyWords(this.view, start, view, at, size)
  }
}
