// A second encoder, made apart from src/protocol so that a fault in its writer cannot hide: each function returns the bytes of
// one field of the standard as plain numbers, `packet` puts the fixed header before them.

export type Bytes = readonly number[]

export function u8(value: number): Bytes {
  return [value]
}

export function u16(value: number): Bytes {
  return [Math.floor(value / 256), value % 256]
}

export function u32(value: number): Bytes {
  return [...u16(Math.floor(value / 65_536)), ...u16(value % 65_536)]
}

/** Section 1.5.5, as its pseudo code has it. */
export function varint(value: number): Bytes {
  const bytes: number[] = []
  let left = value
  do {
    const digit = left % 128
    left = Math.floor(left / 128)
    bytes.push(left > 0 ? digit + 128 : digit)
  } while (left > 0)
  return bytes
}

export function utf8(value: string): Bytes {
  return [...new TextEncoder().encode(value)]
}

export function text(value: string): Bytes {
  return binary(utf8(value))
}

/** A two-byte length and the bytes: also a text field with bytes that are no text. */
export function binary(bytes: Bytes): Bytes {
  return [...u16(bytes.length), ...bytes]
}

export function pair(name: string, value: string): Bytes {
  return [...text(name), ...text(value)]
}

/** Bytes in hexadecimal, spaces ignored. */
export function hex(digits: string): Bytes {
  return (digits.match(/[0-9a-f]{2}/gi) ?? []).map((byte) => Number.parseInt(byte, 16))
}

/** A property list with its length. */
export function props(...list: readonly Bytes[]): Bytes {
  const bytes = list.flat()
  return [...varint(bytes.length), ...bytes]
}

/** A whole packet: first byte, Remaining Length, body. */
export function packet(header: number, ...body: readonly Bytes[]): Buffer {
  const bytes = body.flat()
  return Buffer.from([header, ...varint(bytes.length)].concat(bytes))
}

/** Bytes that are no well-formed packet, as they are. */
export function raw(...parts: readonly Bytes[]): Buffer {
  return Buffer.from(parts.flat())
}
