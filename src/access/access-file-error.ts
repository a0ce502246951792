// The one error for a password or ACL file that cannot be used, with everything that is wrong with it.
import type { FileProblem } from './file-lines.js'

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
