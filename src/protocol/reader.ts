// A bounds-checked cursor over the body of one packet. Every read that would pass the end is a Malformed Packet; text is
// checked as it is read (MQTT 5.0 section 1.5.4). It copies nothing: binary fields are views into the bytes it was given.

import { isUtf8 } from 'node:buffer'
import { ProtocolError } from './protocol-error.js'
import { ReasonCode } from './reason-codes.js'

function malformed(message: string): ProtocolError {
  return new ProtocolError(ReasonCode.MALFORMED_PACKET, message)
}

/** Whether a code unit may not stand in text: a control character, or a non-character of the basic plane. */
function isForbidden(unit: number): boolean {
  return unit < 0x20 || (unit >= 0x7f && unit <= 0x9f) || (unit >= 0xfdd0 && unit <= 0xfdef) || unit >= 0xfffe
}

/**
 * Decodes bytes[start..end) as a text field: RFC 3629 UTF-8 without surrogates or overlong forms [MQTT-1.5.4-1] and without
 * U+0000 [MQTT-1.5.4-2]. Control characters and non-characters, which the standard lets a receiver refuse, are refused.
 * U+FEFF is kept as a character [MQTT-1.5.4-3].
 * @throws ProtocolError 0x81
 */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  let ascii = true
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    if (byte < 0x20 || byte === 0x7f) throw malformed('control character in a text field')
    if (byte > 0x7f) {
      ascii = false
      break
    }
  }
  if (ascii) return bytes.toString('latin1', start, end)
  if (!isUtf8(bytes.subarray(start, end))) throw malformed('text field is not valid UTF-8')
  const text = bytes.toString('utf8', start, end)
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // U+nFFFE and U+nFFFF of the higher planes have these low surrogates, behind a high one that ends in 111111.
    const astral = (unit & 0xfffe) === 0xdffe && (text.charCodeAt(i - 1) & 0x3f) === 0x3f
    if (isForbidden(unit) || astral) throw malformed('control or non-character in a text field')
  }
  return text
}

/** A cursor over bytes[at..end). */
export class Reader {
  readonly bytes: Buffer
  at: number
  end: number

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** Bytes left before the end. */
  get remaining(): number {
    return this.end - this.at
  }

  private take(size: number): number {
    const at = this.at
    if (size > this.end - at) throw malformed('packet ends inside a field')
    this.at = at + size
    return at
  }

  byte(): number {
    return this.bytes[this.take(1)] as number
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.take(2))
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.take(4))
  }

  /** A variable byte integer: at most four bytes, in the shortest form [MQTT-1.5.5-1]. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw malformed('variable byte integer is not in its shortest form')
        return value
      }
    }
    throw malformed('variable byte integer has more than four bytes')
  }

  string(): string {
    const length = this.uint16()
    const at = this.take(length)
    return decodeText(this.bytes, at, at + length)
  }

  /** A view, not a copy: valid as long as the bytes of the packet are. */
  binary(): Buffer {
    const length = this.uint16()
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** A view of everything that is left. */
  rest(): Buffer {
    const at = this.take(this.remaining)
    return this.bytes.subarray(at, this.end)
  }

  /** Ends the cursor `length` bytes from here and returns the end to give to `widen` afterwards. */
  narrow(length: number): number {
    if (length > this.remaining) throw malformed('property length passes the end of the packet')
    const end = this.end
    this.end = this.at + length
    return end
  }

  widen(end: number): void {
    this.end = end
  }

  /** Refuses bytes behind the last field. */
  finish(): void {
    if (this.remaining > 0) throw malformed('bytes left over at the end of the packet')
  }
}
