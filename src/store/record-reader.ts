// A bounds-checked cursor over the value of one record: the counterpart of record-writer.

import { StoreError } from './store-error.js'

export class RecordReader {
  readonly bytes: Buffer
  private at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  get remaining(): number {
    return this.bytes.length - this.at
  }

  private take(size: number): number {
    const { at } = this
    if (size > this.remaining) throw new StoreError('damaged', 'a record ends inside a field')
    this.at = at + size
    return at
  }

  byte(): number {
    return this.bytes[this.take(1)] as number
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.take(2))
  }

  uint48(): number {
    return this.bytes.readUIntBE(this.take(6), 6)
  }

  number(): number {
    return this.bytes.readDoubleBE(this.take(8))
  }

  varint(): number {
    let value = 0
    for (let unit = 1; unit < Number.MAX_SAFE_INTEGER; unit *= 128) {
      const byte = this.byte()
      value += (byte & 127) * unit
      if (byte < 128) return value
    }
    throw new StoreError('damaged', 'a number in a record is too large')
  }

  text(): string {
    const length = this.varint()
    const at = this.take(length)
    return this.bytes.toString('utf8', at, at + length)
  }

  /** A view. */
  blob(): Buffer {
    const start = this.blobStart()
    return this.bytes.subarray(start, this.at)
  }

  /** Where in `bytes` a blob begins; it ends at `position`. */
  blobStart(): number {
    const length = this.varint()
    return this.take(length)
  }

  /** Where in `bytes` the next field begins. */
  get position(): number {
    return this.at
  }
}
