// Reads DER (X.690): the elements of a value one after the other, by tag and length, and times. What they mean is for others. No
// element reaches beyond the bytes that it is in.

/** One value: its tag, its content, and all of it. */
export interface Element {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** `CONTEXT_0` to `CONTEXT_2` are constructed. */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  ENUMERATED: 0x0a,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  CONTEXT_0: 0xa0,
  CONTEXT_1: 0xa1,
  CONTEXT_2: 0xa2,
} as const

/** The content of the first element in `der`. @throws RangeError when there is none */
export function inner(der: Buffer): Buffer {
  const [first] = elements(der)
  if (first === undefined) throw new RangeError('empty')
  return first.content
}

/** @throws RangeError when the last is cut short */
export function elements(der: Buffer): readonly Element[] {
  const found: Element[] = []
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at)
    const short = der.readUInt8(at + 1)
    const lengthBytes = short < 0x80 ? 0 : short & 0x7f
    const start = at + 2 + lengthBytes
    // Without bytes for it, as BER has it for a length that is not known yet, this throws too.
    const length = short < 0x80 ? short : der.readUIntBE(at + 2, lengthBytes)
    if (start + length > der.length) throw new RangeError('cut short')
    found.push({ tag, content: der.subarray(start, start + length), whole: der.subarray(at, start + length) })
    at = start + length
  }
  return found
}

/** YYMMDDhhmmssZ or YYYYMMDDhhmmssZ, in ms since 1970: undefined if it is no time, NaN if it is none that there is. */
export function timeOf({ tag, content }: Element): number | undefined {
  if (tag !== Tag.UTC_TIME && tag !== Tag.GENERALIZED_TIME) return undefined
  const text = content.toString('latin1')
  const full = tag === Tag.UTC_TIME ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
