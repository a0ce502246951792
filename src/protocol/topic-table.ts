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
  /** The name that was found last: the next packet often has the same. */
  private last: Slot = { bytes: new Uint8Array(0), topic: '' }

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
    if (isName(this.last, bytes, start, length)) return this.last.topic
    this.last = this.slotOf(bytes, start, end)
    return this.last.topic
  }

  private slotOf(bytes: Buffer, start: number, end: number): Slot {
    const length = end - start
    let hash = length
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0
    const index = (hash ^ (hash >>> 15)) & this.mask
    const slot = this.slots[index]
    if (slot !== undefined && isName(slot, bytes, start, length)) return slot
    const topic = checkedName(bytes, start, end)
    const fresh = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), topic }
    this.slots[index] = fresh
    return fresh
  }
}

/** Compares from the end: names are more alike where they begin. */
function isName({ bytes: known }: Slot, bytes: Buffer, start: number, length: number): boolean {
  if (known.length !== length) return false
  let i = length - 1
  while (i >= 0 && known[i] === bytes[start + i]) i--
  return i < 0
}

function checkedName(bytes: Buffer, start: number, end: number): string {
  const topic = decodeText(bytes, start, end)
  if (!isTopicName(topic)) throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'topic name with a wildcard')
  if (!hasAcceptableDepth(topic))
    throw new ProtocolError(ReasonCode.TOPIC_NAME_INVALID, 'topic name with too many levels')
  return topic
}
