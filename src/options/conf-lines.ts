// The syntax of mosquitto.conf: bytes → directives. A line is a name, a space and the rest; what the rest means depends on the
// directive. Also finds the files of an include_dir.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A line of a configuration file; lines count from 1. */
export interface Position {
  readonly file: string
  readonly line: number
}

/** One line that says something. */
export interface ConfLine {
  /** Counts from 1. */
  readonly line: number
  /** As written; what was behind the spaces at the start. */
  readonly name: string
  /** Everything behind the space after the name, not trimmed. */
  readonly text: string
}

export interface BadLine {
  readonly line: number
  readonly problem: string
}

const NEWLINE = 0x0a
const HASH = 0x23

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Splits a file into directives. Lines end with LF or CRLF. A comment has `#` in its first column; blank lines mean nothing; the
 * name ends at the first space, so a TAB is part of it and makes it unknown.
 */
export function* readLines(bytes: Uint8Array): Generator<ConfLine | BadLine> {
  let line = 0
  for (let start = startOf(bytes); start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start)
    const raw = bytes.subarray(start, end < 0 ? bytes.length : end)
    start = end < 0 ? bytes.length : end + 1
    line++
    if (raw.includes(0)) yield { line, problem: 'contains a NUL byte' }
    else if (raw[0] !== HASH) yield* readLine(raw, line)
  }
}

function* readLine(raw: Uint8Array, line: number): Generator<ConfLine | BadLine> {
  let content: string
  try {
    content = decoder.decode(raw).replace(/\r$/, '')
  } catch {
    yield { line, problem: 'is not valid UTF-8' }
    return
  }
  if (content.trim() === '') return
  const begin = content.search(/[^ ]/)
  const space = content.indexOf(' ', begin)
  const name = space < 0 ? content.slice(begin) : content.slice(begin, space)
  if (name.trimStart().startsWith('#')) yield { line, problem: 'a comment must begin in the first column' }
  else if (name.includes('\t')) yield { line, problem: 'a TAB does not end a name: put a space between name and value' }
  else yield { line, name, text: space < 0 ? '' : content.slice(space + 1) }
}

/** Behind a byte order mark, which some editors put at the start. */
function startOf(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}

/**
 * The files of an `include_dir`: those whose names end in `.conf`, hidden ones too, in the order of their paths, byte by byte, capitals
 * before small letters: `00 A Ab a B`. Throws what `readdir` throws.
 */
export function includedFiles(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.length > '.conf'.length && name.endsWith('.conf'))
  return names.map((name) => join(folder, name)).sort(comparePaths)
}

function comparePaths(a: string, b: string): number {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  for (const [at, byte] of left.entries()) {
    const other = right[at]
    if (other === undefined) return 1
    if (byte !== other) return upperCase(byte) - upperCase(other) || byte - other
  }
  return left.length - right.length
}

function upperCase(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte
}
