// Texts, for the other files here: the result of reading one, the words of a line, which are fit for use, and how to show them.
// Blanks between words are spaces; a TAB is part of its word, as in mosquitto.conf.
import { isUtf8 } from 'node:buffer'

/** A value, perhaps with something worth saying about it, or what is wrong with the text. */
export type Parsed<V> = { readonly value: V; readonly warning?: string | undefined } | { readonly problem: string }

export function value<V>(of: V, warning?: string): { readonly value: V; readonly warning?: string | undefined } {
  return { value: of, warning }
}

export function problem(reason: string): { readonly problem: string } {
  return { problem: reason }
}

export function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

export function firstWord(text: string): string {
  return words(text)[0] ?? ''
}

/** The text in quotes, on one line and not too long, for a message. */
export function quoted(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return `'${shown.replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`
}

/** Printable ASCII. Asked first, because patterns with `u` take a while to get ready, which start-up has to pay. */
function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

/** Without control characters, lone surrogates and Unicode non-characters. */
export function isWellFormed(text: string): boolean {
  return isAscii(text) || !/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text)
}

/**
 * Bytes as text that can be turned back into them: what is not UTF-8 becomes, byte by byte, a lone surrogate, which no well-formed
 * text has.
 */
export function textOfBytes(bytes: Uint8Array): string {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf8(source)) return source.toString()
  let text = ''
  for (let at = 0; at < source.length; ) {
    const length = [1, 2, 3, 4].find((size) => at + size <= source.length && isUtf8(source.subarray(at, at + size)))
    text +=
      length === undefined
        ? String.fromCharCode(FOREIGN_BYTES + source.readUInt8(at))
        : source.toString('utf8', at, at + length)
    at += length ?? 1
  }
  return text
}

/** The bytes that `textOfBytes` was given; for other text, UTF-8. */
export function bytesOfText(text: string): Buffer {
  if (!hasForeignBytes(text)) return Buffer.from(text)
  const parts = text.split(/([\udc80-\udcff])/u)
  return Buffer.concat(
    parts.map((part) => (hasForeignBytes(part) ? Buffer.of(part.charCodeAt(0) - FOREIGN_BYTES) : Buffer.from(part))),
  )
}

/** Whether text holds bytes that are not UTF-8. */
export function hasForeignBytes(text: string): boolean {
  return !isAscii(text) && /[\udc80-\udcff]/u.test(text)
}

/** Added to such a byte. */
const FOREIGN_BYTES = 0xdc00

/** Lines of at most `width` columns, longer only where a word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
