// Topic names seen in PUBLISH packets, interned by their bytes: a name that repeats, as nearly all do, is neither decoded nor
// checked again, and the same string object reaches every later table. Fixed size; a new name replaces the one in its slot.

import { ProtocolError } from './protocol-error.js'
import { decodeText } from './reader.js'
import { ReasonCode } from './reason-codes.js'
import { hasAcceptableDepth, isTopicName } from './topics.js'

/** Longer names are decoded each time: they would make the table large and are rare. */
const MAX_INTERNED_BYTES = 256

interface Slot {
  readonly bytes: Uint8Array
  readonly topic: string
}

export class TopicTable {
  private readonly slots: (Slot | undefined)[]
  private readonly mask: number

  /** @param size number of slots, a power of two. */
  constructor(size = 8192) {
    this.slots = new Array<Slot | undefined>(size).fill(undefined)
    this.mask = size - 1
  }

  /**
   * The topic name in bytes[start..end); an empty one (a topic alias stands for it) is returned as ''.
   * @throws ProtocolError 0x81 for bad UTF-8 or a wildcard [MQTT-3.3.2-1] [MQTT-3.3.2-2], 0x90 for too many levels.
   */
  topicName(bytes: Buffer, start: number, end: number): string {
    const length = end - start
    if (length === 0) return ''
    if (length > MAX_INTERNED_BYTES) return checkedName(bytes, start, end)
    let hash = length
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0
    const index = (hash ^ (hash >>> 15)) & this.mask
    const slot = this.slots[index]
    if (slot !== undefined && slot.bytes.length === length) {
      const known = slot.bytes
      let i = 0
      while (i < length && known[i] === bytes[start + i]) i++
      if (i === length) return slot.topic
    }
    const topic = checkedName(bytes, start, end)
    this.slots[index] = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), topic }
    return topic
  }
}

function checkedName(bytes: Buffer, start: number, end: number): string {
  const topic = decodeText(bytes, start, end)
  if (!isTopicName(topic)) throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'topic name with a wildcard')
  if (!hasAcceptableDepth(topic))
    throw new ProtocolError(ReasonCode.TOPIC_NAME_INVALID, 'topic name with too many levels')
  return topic
}
