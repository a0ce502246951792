// Password files: one `user:hash` per line (spec: files.md section 1.1). Every line is either understood or an error with its number,
// so that a file can never define a user without a password (CVE-2018-12551). Checking passwords is for the authenticator.
import { AccessFileError } from './access-file-error.js'
import { type FileProblem, splitLines, trimBlanks } from './file-lines.js'
import { HashFormatError } from './hash-format.js'
import { type PasswordHash, parsePasswordHash } from './password-hash.js'
import { readRestrictedFile } from './restricted-file.js'

/** What a password file says; the users are only to be used when there are no problems. */
export interface PasswordFile {
  readonly users: ReadonlyMap<string, PasswordHash>
  readonly problems: readonly FileProblem[]
}

/** A usable password file from disk. */
export interface LoadedPasswordFile {
  readonly users: ReadonlyMap<string, PasswordHash>
  /** About its permissions. */
  readonly warnings: readonly string[]
}

/** Longest user name in bytes, as in a CONNECT packet. */
export const MAX_USERNAME_BYTES = 65_535

/** Reads and checks a whole file. Throws AccessFileError with every problem in it. */
export function loadPasswordFile(path: string): LoadedPasswordFile {
  const { content, warnings } = readRestrictedFile(path)
  const { users, problems } = parsePasswordFile(content)
  if (problems.length > 0) throw new AccessFileError(path, problems)
  return { users, warnings }
}

/** Reads the bytes of a password file; all problems are found, not only the first. */
export function parsePasswordFile(content: Uint8Array): PasswordFile {
  const { lines, problems } = splitLines(content)
  const users = new Map<string, PasswordHash>()
  const lineOf = new Map<string, number>()
  for (const { line, text } of lines) {
    if (text.startsWith('#') || trimBlanks(text) === '') continue
    const message = readEntry(text, line, users, lineOf)
    if (message !== undefined) problems.push({ line, message })
  }
  return { users, problems: problems.sort((a, b) => a.line - b.line) }
}

/** The two fields of a line, trimmed; what follows a second colon is no part of them. Undefined without a colon. */
export function splitEntry(text: string): { username: string; encoded: string } | undefined {
  const [username, encoded] = text.split(':', 2)
  return username === undefined || encoded === undefined
    ? undefined
    : { username: trimBlanks(username), encoded: trimBlanks(encoded) }
}

function readEntry(
  text: string,
  line: number,
  users: Map<string, PasswordHash>,
  lineOf: Map<string, number>,
): string | undefined {
  const entry = splitEntry(text)
  if (!entry) return 'the line has no colon; an entry has the form user:hash'
  const { username, encoded } = entry
  if (username === '') return 'the user name is empty'
  if (text.includes('\0')) return 'the line contains a zero byte'
  if (Buffer.byteLength(username) > MAX_USERNAME_BYTES) return 'the user name is longer than 65535 bytes'
  const earlier = lineOf.get(username)
  if (earlier !== undefined) return `user ${JSON.stringify(username)} already has line ${earlier}`
  lineOf.set(username, line)
  if (encoded === '') return `user ${JSON.stringify(username)} has no password`
  try {
    users.set(username, parsePasswordHash(encoded))
    return undefined
  } catch (error) {
    if (!(error instanceof HashFormatError)) throw error
    return `user ${JSON.stringify(username)}: ${error.message}`
  }
}
