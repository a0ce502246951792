// The one error for a password or ACL file that cannot be used, with everything that is wrong with it, and the step all
// line formats share: bytes to numbered lines.
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

/** A file that cannot be used: it could not be opened (`problems` is empty), or what it says is wrong. */
export class AccessFileError extends Error {
  override readonly name = 'AccessFileError'
  readonly file: string
  readonly problems: readonly FileProblem[]

  /** `reason` is what the system said about opening the file; leave it out when there are problems. */
  constructor(file: string, problems: readonly FileProblem[], reason?: string) {
    const lines = problems.map(({ line, message }) => `${file}:${line}: ${message}`)
    super(reason === undefined ? lines.join('\n') : `${file}: ${reason}`)
    this.file = file
    this.problems = problems
  }
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
