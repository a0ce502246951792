// Bytes of records as they are made, one behind the other in one growing buffer. What is written in which order is in records.

const SMALLEST = 65_536

export class RecordWriter {
  bytes = Buffer.allocUnsafeSlow(SMALLEST)
  /** Bytes that have been written. */
  size = 0

  /** Makes room for `more` bytes. */
  protected reserve(more: number): void {
    if (this.size + more <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.size + more))
    this.bytes.copy(grown, 0, 0, this.size)
    this.bytes = grown
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.size++] = value
  }

  uint16(value: number): void {
    this.reserve(2)
    this.bytes[this.size++] = value >> 8
    this.bytes[this.size++] = value
  }

  /** A number of 48 bits. */
  uint48(value: number): void {
    this.reserve(6)
    this.size = this.bytes.writeUIntBE(value, this.size, 6)
  }

  /** Any number, `Infinity` included. */
  number(value: number): void {
    this.reserve(8)
    this.size = this.bytes.writeDoubleBE(value, this.size)
  }

  /** A whole number from 0 to 2^53 - 1, in as few bytes as it takes. */
  varint(value: number): void {
    this.reserve(8)
    let rest = value
    while (rest > 127) {
      this.bytes[this.size++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.size++] = rest
  }

  text(value: string): void {
    const { length } = value
    if (length > 42) {
      this.varint(Buffer.byteLength(value))
      this.reserve(length * 3)
      this.size += this.bytes.write(value, this.size)
      return
    }
    // At most 126 bytes: their number takes one.
    this.reserve(1 + length * 3)
    const written = this.bytes.write(value, this.size + 1)
    this.bytes[this.size] = written
    this.size += 1 + written
  }

  /** Bytes with their number before them. */
  blob(value: Uint8Array, start = 0, end = value.length): void {
    const length = end - start
    this.varint(length)
    this.reserve(length)
    const { bytes, size } = this
    if (length < 64) for (let i = 0; i < length; i++) bytes[size + i] = value[start + i] as number
    else bytes.set(value.subarray(start, end), size)
    this.size += length
  }
}
