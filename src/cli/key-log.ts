// The file of --tls-keylog: lines with the keys of TLS connections, for Wireshark. Nobody but its owner may read it.

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { symlinksAllowed, systemText } from '../access/restricted-file.js'
import { ProcessError } from './process-error.js'

const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_WRONLY } = constants
const OTHERS = 0o077

export class KeyLogFile {
  private readonly file: number
  private readonly onFailure: (text: string) => void
  private isBroken = false

  /**
   * Opens it, or makes it for its owner only.
   * @param onFailure told once when it cannot be written to; TLS goes on
   * @throws ProcessError when it cannot be opened, is a symbolic link, or others can read it
   */
  constructor(path: string, onFailure: (text: string) => void) {
    this.onFailure = onFailure
    try {
      this.file = openSync(path, O_WRONLY | O_CREAT | O_APPEND | (symlinksAllowed() ? 0 : O_NOFOLLOW), 0o600)
    } catch (error) {
      throw new ProcessError('invalid', `--tls-keylog ${path}: ${systemText(error)}`)
    }
    if (process.platform === 'win32' || (fstatSync(this.file).mode & OTHERS) === 0) return
    this.close()
    throw new ProcessError('invalid', `--tls-keylog ${path}: the file must be for its owner only (chmod 600)`)
  }

  readonly write = (line: Buffer): void => {
    if (this.isBroken) return
    try {
      writeSync(this.file, line)
    } catch (error) {
      this.isBroken = true
      this.onFailure(`Keys of TLS connections are no longer written: ${systemText(error)}.`)
    }
  }

  close(): void {
    closeSync(this.file)
  }
}
