// What password and ACL files have in common before their grammars begin: bytes to numbered lines, blanks, and how a fault of a
// line is told.
import { isUtf8 } from 'node:buffer'

/** One fault of a file, or something in it that deserves a look. */
export interface FileProblem {
  /** Counted from 1. */
  readonly line: number
  /** Never contains a password or a hash. */
  readonly message: string
}

/** A line with its number and without its line end. */
export interface NumberedLine {
  readonly line: number
  readonly text: string
}

/** Splits a file at LF and CRLF, without a byte order mark. Lines that are not UTF-8 become problems and are left out. */
export function splitLines(content: Uint8Array): { lines: NumberedLine[]; problems: FileProblem[] } {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length)
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '')
  const suspect = !isUtf8(bytes)
  const lines: NumberedLine[] = []
  const problems: FileProblem[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1
    if (suspect && raw.includes('\uFFFD')) problems.push({ line, message: 'the line is not valid UTF-8' })
    else lines.push({ line, text: raw.endsWith('\r') ? raw.slice(0, -1) : raw })
  }
  return { lines, problems }
}

/** Without the ASCII blanks around it. Other spaces of Unicode may belong to a name. */
export function trimBlanks(text: string): string {
  let start = 0
  while (start < text.length && isBlank(text.charCodeAt(start))) start++
  return trimBlanksEnd(text.slice(start))
}

/** Without the ASCII blanks behind it. */
export function trimBlanksEnd(text: string): string {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(0, end)
}

/** Space, tab, line feed, vertical tab, form feed, carriage return. */
function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}
