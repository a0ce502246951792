// The text of a password file as tsmq-passwd edits it (spec: passwd.md sections 7 and 8): every byte that is not part of the change
// stays. Comments and blank lines are fine; any other line must be an entry. Disk and hashes are for others.
import { AccessFileError } from '../access/access-file-error.js'
import { splitLines, trimBlanks } from '../access/file-lines.js'
import { splitEntry } from '../access/password-file.js'

/** One `user:password` line. */
export interface CredentialEntry {
  /** Counted from 1. */
  readonly line: number
  readonly username: string
  /** Hashed or not. */
  readonly password: string
  /** Something stands behind a second colon. */
  readonly hasMore: boolean
}

/** The lines of one file, for one change. */
export class CredentialLines {
  /** Without their LF; the last is empty when the file ends with one. */
  #raw: string[]
  /** As they were read. */
  readonly entries: readonly CredentialEntry[]

  /** Throws AccessFileError naming `path` and every line that is no entry, comment or blank line. */
  constructor(path: string, content: Buffer) {
    this.#raw = content.toString('utf8').split('\n')
    this.entries = readEntries(path, content)
  }

  /** Gives the first line of the user the password, or adds a line at the end. */
  set(username: string, encoded: string): 'added' | 'updated' {
    const entry = this.entries.find((each) => each.username === username)
    if (entry) this.replace(entry.line, username, encoded)
    else this.#append(`${username}:${encoded}`)
    return entry ? 'updated' : 'added'
  }

  /** Rewrites one line. */
  replace(line: number, username: string, encoded: string): void {
    const old = this.#raw[line - 1] ?? ''
    const mark = old.startsWith('\uFEFF') ? '\uFEFF' : ''
    this.#raw[line - 1] = `${mark}${username}:${encoded}${old.endsWith('\r') ? '\r' : ''}`
  }

  /** Removes every line of the user; false when there is none. */
  remove(username: string): boolean {
    const lines = new Set(this.entries.filter((each) => each.username === username).map(({ line }) => line))
    this.#raw = this.#raw.filter((_, index) => !lines.has(index + 1))
    return lines.size > 0
  }

  toBytes(): Buffer {
    return Buffer.from(this.#raw.join('\n'))
  }

  #append(text: string): void {
    const ending = this.#raw[0]?.endsWith('\r') ? '\r' : ''
    const last = this.#raw.pop() ?? ''
    // A last line without line end gets one, or the new entry would be glued to it.
    if (last !== '') this.#raw.push(last.endsWith('\r') ? last : last + ending)
    this.#raw.push(text + ending, '')
  }
}

function readEntries(path: string, content: Buffer): CredentialEntry[] {
  const { lines, problems } = splitLines(content)
  const entries: CredentialEntry[] = []
  for (const { line, text } of lines) {
    if (text.startsWith('#') || trimBlanks(text) === '') continue
    const { username = '', encoded = '' } = splitEntry(text) ?? {}
    if (username === '' || encoded === '') problems.push({ line, message: 'the line is not of the form user:password' })
    else entries.push({ line, username, password: encoded, hasMore: text.split(':', 3).length > 2 })
  }
  if (problems.length === 0) return entries
  throw new AccessFileError(
    path,
    problems.sort((a, b) => a.line - b.line),
  )
}
