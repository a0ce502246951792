// A file in which the process tells others about itself: pid_file, --ready-file. It is whole whenever it is there, a symbolic link is
// never followed, and nothing but a file is replaced. A broker that root starts may have it in a folder that only root may write to:
// then its place is kept before the process becomes somebody else.

import { closeSync, constants, existsSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemText } from '../access/restricted-file.js'
import { ProcessError } from './process-error.js'
import { actAs, type Identity } from './process-identity.js'
import { faultOfFolder, faultOfReplacing } from './writable-file-checks.js'

const { O_NOFOLLOW = 0, O_WRONLY } = constants
/** As the umask has it. */
const MODE = 0o666

export class OwnFile {
  private readonly path: string
  /** As messages call it. */
  private readonly name: string
  /** Open where the folder is not ours to write to. */
  private file: number | undefined = undefined
  private isThere = false

  /** @param name of the option that names it */
  constructor(path: string, name: string) {
    this.path = path
    this.name = name
  }

  /** Removes what an earlier broker has left. Throws ProcessError. */
  clear(): void {
    this.attempt(() => {
      checkReplaceable(this.path)
      rmSync(this.path, { force: true })
    })
  }

  /** Makes it now, empty, if `identity`, whom the process is about to become, could not make it later. Throws ProcessError. */
  reserve(identity: Identity): void {
    if (actAs(identity, () => faultOfFolder(dirname(this.path))) === undefined) return
    this.clear()
    this.attempt(() => {
      this.file = openSync(this.path, 'wx', MODE)
      this.isThere = true
    })
  }

  /** Has it say `text`. Throws ProcessError. */
  write(text: string): void {
    this.attempt(() => {
      if (this.file === undefined) this.replace(text)
      else overwrite(this.file, text)
      this.isThere = true
    })
  }

  private replace(text: string): void {
    checkReplaceable(this.path)
    try {
      this.rename(text)
    } catch (error) {
      // Somebody has made the file for us, in a folder of theirs.
      if (!existsSync(this.path)) throw error
      this.file = openSync(this.path, O_WRONLY | O_NOFOLLOW)
      overwrite(this.file, text)
    }
  }

  private rename(text: string): void {
    const early = `${this.path}.${process.pid}`
    rmSync(early, { force: true })
    const file = openSync(early, 'wx', MODE)
    try {
      writeSync(file, text)
      renameSync(early, this.path)
    } catch (error) {
      rmSync(early, { force: true })
      throw error
    } finally {
      closeSync(file)
    }
  }

  /** Has it gone or, where that is not ours to do, empty. */
  remove(): void {
    if (!this.isThere) return
    this.isThere = false
    try {
      rmSync(this.path, { force: true })
    } catch {
      if (this.file !== undefined) ftruncateSync(this.file)
    }
    if (this.file !== undefined) closeSync(this.file)
  }

  private attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      throw new ProcessError('system', `cannot write ${this.name} ${this.path}: ${systemText(error)}`)
    }
  }
}

function overwrite(file: number, text: string): void {
  ftruncateSync(file)
  writeSync(file, text, 0)
}

function checkReplaceable(path: string): void {
  const fault = faultOfReplacing(path)
  if (fault !== undefined) throw new Error(fault)
}
