// Builds one packet in one pass: the body grows from a fixed offset, then the fixed header is set right before it. Used for
// everything but PUBLISH on its way to subscribers (publish-frames) and bare acknowledgements, which have a path of their own.

const HEADER_ROOM = 5

/** Largest Remaining Length, 268,435,455 bytes (section 1.5.5). */
export const MAX_REMAINING_LENGTH = 0x0f_ff_ff_ff

/** Bytes that `value` takes as a variable byte integer: 1 to 4. */
export function varintSize(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4
}

/** Writes a variable byte integer in its shortest form and returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let offset = at
  while (rest > 127) {
    bytes[offset++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[offset++] = rest
  return offset
}

/** A growing packet body. Values out of the range of their field are the caller's fault: RangeError. */
export class Writer {
  private bytes = Buffer.allocUnsafe(256)
  private at = HEADER_ROOM

  private reserve(size: number): number {
    const at = this.at
    if (at + size > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, at + size))
      this.bytes.copy(grown, 0, 0, at)
      this.bytes = grown
    }
    this.at = at + size
    return at
  }

  byte(value: number): void {
    const at = this.reserve(1)
    this.bytes.writeUInt8(value, at)
  }

  uint16(value: number): void {
    const at = this.reserve(2)
    this.bytes.writeUInt16BE(value, at)
  }

  uint32(value: number): void {
    const at = this.reserve(4)
    this.bytes.writeUInt32BE(value, at)
  }

  varint(value: number): void {
    if (value < 0 || value > MAX_REMAINING_LENGTH)
      throw new RangeError(`variable byte integer ${value} is out of range`)
    const at = this.reserve(varintSize(value))
    writeVarint(this.bytes, at, value)
  }

  string(value: string): void {
    const size = Buffer.byteLength(value)
    this.uint16(size)
    const at = this.reserve(size)
    this.bytes.write(value, at, size, 'utf8')
  }

  binary(value: Uint8Array): void {
    this.uint16(value.length)
    this.raw(value)
  }

  raw(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.bytes.set(value, at)
  }

  /** What has been written so far, without a fixed header. */
  body(): Buffer {
    return this.bytes.subarray(HEADER_ROOM, this.at)
  }

  /** The whole packet with `header` as its first byte; the writer must not be used afterwards. */
  finish(header: number): Buffer {
    const length = this.at - HEADER_ROOM
    if (length > MAX_REMAINING_LENGTH) throw new RangeError(`packet of ${length} bytes is too long for MQTT`)
    const start = HEADER_ROOM - 1 - varintSize(length)
    this.bytes[start] = header
    writeVarint(this.bytes, start + 1, length)
    return this.bytes.subarray(start, this.at)
  }
}
