// QoS 0 PUBLISH packets that lie one behind the other and differ in nothing but their payloads: found by comparing bytes, without
// decoding what has been decoded once.

import { PLAIN_PUBLISH } from './packet-types.js'
import { varintSize } from './writer.js'

/** Bits of a remaining length, which has at most four bytes. */
const LENGTH_BITS = 28

/** Whether `size` bytes are the same at both places. */
export function areSame(bytes: DataView, one: number, other: number, size: number): boolean {
  let i = 0
  for (; i + 4 <= size; i += 4) if (bytes.getInt32(one + i) !== bytes.getInt32(other + i)) return false
  for (; i < size; i++) if (bytes.getUint8(one + i) !== bytes.getUint8(other + i)) return false
  return true
}

/** The remaining length at bytes[at], -1 unless all of it is in front of `limit` and in its shortest form. */
export function remainingLength(bytes: DataView, at: number, limit: number): number {
  let length = 0
  for (let shift = 0, next = at; shift < LENGTH_BITS && next < limit; shift += 7) {
    const byte = bytes.getUint8(next++)
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) return byte === 0 && shift > 0 ? -1 : length
  }
  return -1
}

/** Reused from run to run. */
export class PacketRun {
  /** Packets found, where the last of them ends, and the bytes of their payloads. */
  count = 0
  end = 0
  payloadBytes = 0
  private memory: Buffer = Buffer.alloc(0)
  private words = new DataView(this.memory.buffer)

  /** Of the bytes that were looked at last, for copying by words. */
  get view(): DataView {
    return this.words
  }

  /**
   * Looks at bytes[at..limit) for whole packets without DUP, QoS and RETAIN.
   * @param fields where a packet before has what they must have, too: bytes[fields..fieldsEnd), from the length of its topic up to
   *   its payload
   * @param most bytes of the largest packet that is taken
   * @param mostPayload bytes of the largest payload that is taken
   * @param mostPackets how many are taken
   */
  find(
    bytes: Buffer,
    fields: number,
    fieldsEnd: number,
    at: number,
    limit: number,
    most: number,
    mostPayload: number,
    mostPackets: number,
  ): void {
    if (bytes !== this.memory) {
      this.memory = bytes
      this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    const { words } = this
    const size = fieldsEnd - fields
    let count = 0
    let end = at
    let payloadBytes = 0
    while (count < mostPackets && end < limit && words.getUint8(end) === PLAIN_PUBLISH) {
      const length = remainingLength(words, end + 1, limit)
      const payload = length - size
      if (payload < 0 || payload > mostPayload) break
      const body = end + 1 + varintSize(length)
      const next = body + length
      if (next > limit || next - end > most || !areSame(words, fields, body, size)) break
      count++
      payloadBytes += payload
      end = next
    }
    this.count = count
    this.end = end
    this.payloadBytes = payloadBytes
  }
}
