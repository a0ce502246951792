// PSK files: one `identity:hex key` per line, for TLS without certificates (spec: files.md section 3). A line without a usable
// identity is reported and defines nobody; a key that is none makes the file unusable. The handshake is net/tls's.
import { AccessFileError } from './access-file-error.js'
import { type FileProblem, splitLines, trimBlanks } from './file-lines.js'
import { readRestrictedFile } from './restricted-file.js'

/** What a PSK file says; the keys are only to be used when there are no problems. */
export interface PskFile {
  /** By identity. */
  readonly keys: ReadonlyMap<string, Buffer>
  readonly problems: readonly FileProblem[]
  /** Lines that define nobody. */
  readonly warnings: readonly FileProblem[]
}

/** A usable PSK file from disk. */
export interface LoadedPskFile {
  readonly keys: ReadonlyMap<string, Buffer>
  /** About its permissions and its lines, ready to show. */
  readonly warnings: readonly string[]
}

/** What OpenSSL takes, in bytes. */
const MAX_IDENTITY_BYTES = 128
const MAX_KEY_BYTES = 256

/** Reads and checks a whole file. Throws AccessFileError with every problem in it. */
export function loadPskFile(path: string): LoadedPskFile {
  const { content, warnings } = readRestrictedFile(path)
  const file = parsePskFile(content)
  if (file.problems.length > 0) throw new AccessFileError(path, file.problems)
  return {
    keys: file.keys,
    warnings: [...warnings, ...file.warnings.map(({ line, message }) => `Warning: ${path}:${line}: ${message}`)],
  }
}

/** Reads the bytes of a PSK file; all problems are found, not only the first. */
export function parsePskFile(content: Uint8Array): PskFile {
  const { lines, problems } = splitLines(content)
  const keys = new Map<string, Buffer>()
  const warnings: FileProblem[] = []
  for (const { line, text } of lines) {
    if (text.startsWith('#') || trimBlanks(text) === '') continue
    const colon = text.indexOf(':')
    const identity = trimBlanks(colon < 0 ? '' : text.slice(0, colon))
    const digits = trimBlanks(text.slice(colon + 1))
    const fault =
      colon < 0 ? 'the line has no colon; an entry has the form identity:key' : identityFault(identity, keys)
    if (fault !== undefined) {
      warnings.push({ line, message: `${fault}; the line is not used` })
      continue
    }
    const key = keyOf(digits)
    if (typeof key === 'string') problems.push({ line, message: key })
    else keys.set(identity, key)
  }
  return { keys, problems: problems.sort((a, b) => a.line - b.line), warnings }
}

function identityFault(identity: string, known: ReadonlyMap<string, Buffer>): string | undefined {
  if (identity === '') return 'the identity is empty'
  if (identity.includes('\0')) return 'the identity contains a zero byte'
  if (Buffer.byteLength(identity) > MAX_IDENTITY_BYTES) return `the identity is longer than ${MAX_IDENTITY_BYTES} bytes`
  return known.has(identity) ? `identity ${JSON.stringify(identity)} has a line above` : undefined
}

/** An odd number of digits has a zero put before it, as by Mosquitto's broker and clients. */
function keyOf(digits: string): Buffer | string {
  if (digits === '') return 'the key is missing'
  if (!/^[0-9a-fA-F]+$/.test(digits)) return 'the key is not made of hexadecimal digits'
  const key = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  return key.length > MAX_KEY_BYTES ? `the key is longer than ${MAX_KEY_BYTES} bytes` : key
}
