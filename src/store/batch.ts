// Changes that are written together: puts and removals, one behind the other in bytes that can go to another thread as they are.
// Each value begins with the version of its format and a checksum.

import { crc32 } from 'node:zlib'
import { RecordWriter } from './record-writer.js'
import { StoreError } from './store-error.js'

/** The version of every value's format. */
export const RECORD_VERSION = 1
/** Bytes of a value before its record: version and checksum. */
const VALUE_HEAD = 5
/** Bytes before a key: its length and, plus one, the value's; 0 there removes the key. */
const CHANGE_HEAD = 5
const MOST_KEPT = 4 * 1_048_576

export class Batch extends RecordWriter {
  /** Puts and removals. */
  count = 0
  private start = 0
  private valueStart = 0

  /** Begins to put `key`: the record's fields follow, then `end`. */
  put(key: Buffer): void {
    this.key(key)
    this.valueStart = this.size
    this.reserve(VALUE_HEAD)
    this.size += VALUE_HEAD
  }

  /** The record that was begun is complete. */
  end(): void {
    const { bytes, valueStart, size } = this
    bytes[valueStart] = RECORD_VERSION
    bytes.writeUInt32LE(crc32(bytes.subarray(valueStart + VALUE_HEAD, size)), valueStart + 1)
    bytes.writeUInt32LE(size - valueStart + 1, this.start + 1)
  }

  remove(key: Buffer): void {
    this.key(key)
    this.bytes.writeUInt32LE(0, this.start + 1)
  }

  /** Puts a value as another batch has it. */
  putValue(key: Buffer, value: Uint8Array): void {
    this.key(key)
    this.reserve(value.length)
    this.bytes.set(value, this.size)
    this.size += value.length
    this.bytes.writeUInt32LE(value.length + 1, this.start + 1)
  }

  private key(key: Buffer): void {
    this.count++
    this.start = this.size
    this.reserve(CHANGE_HEAD + key.length)
    this.size += CHANGE_HEAD
    this.bytes[this.start] = key.length
    for (let i = 0; i < key.length; i++) this.bytes[this.size++] = key[i] as number
  }

  /** Takes it back to nothing; large memory is let go. */
  clear(): void {
    this.size = 0
    this.count = 0
    if (this.bytes.length > MOST_KEPT) this.bytes = Buffer.allocUnsafeSlow(65_536)
  }
}

/** Tells the changes in the bytes of a batch, in order; a removal has no value. Both are views. */
export function eachChange(bytes: Buffer, size: number, each: (key: Buffer, value: Buffer | undefined) => void): void {
  for (let at = 0; at < size; ) {
    const keyEnd = at + CHANGE_HEAD + (bytes[at] as number)
    const length = bytes.readUInt32LE(at + 1)
    const end = keyEnd + Math.max(0, length - 1)
    each(bytes.subarray(at + CHANGE_HEAD, keyEnd), length === 0 ? undefined : bytes.subarray(keyEnd, end))
    at = end
  }
}

/**
 * The record in a stored value.
 * @throws StoreError when it is damaged or of a newer version
 */
export function recordOf(value: Buffer): Buffer {
  if (value.length < VALUE_HEAD) throw new StoreError('damaged', 'a value is too short')
  const version = value[0] as number
  if (version !== RECORD_VERSION)
    throw new StoreError('foreign', `a value has format version ${version}, this tsmq knows ${RECORD_VERSION}`)
  const record = value.subarray(VALUE_HEAD)
  if (crc32(record) !== value.readUInt32LE(1)) throw new StoreError('damaged', 'the checksum of a value is wrong')
  return record
}
