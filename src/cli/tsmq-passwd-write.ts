// Changing a file that others change and read at the same time: under its lock, and readers see the old file or the new one, never
// a part, whenever the machine stops. Who holds the lock is for the file beside this one.
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { PasswdError, systemFailure } from './tsmq-passwd-error.js'
import { removeFile, withLock } from './tsmq-passwd-lock.js'

const PERMISSION_BITS = 0o7777

/** What a folder says that cannot be opened or synced as such; the file itself is safe. */
const NO_FOLDER_SYNC = ['EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM']

/**
 * Runs `change` with nobody else changing the file; `replace` puts its new content in place, as `replaceFile` does. Throws
 * PasswdError, and then the file is as it was.
 */
export function changeFile<T>(
  path: string,
  change: (replace: (content: Uint8Array) => void) => T | Promise<T>,
): Promise<T> {
  return withLock(path, (isHeld) =>
    change((content) => {
      if (!isHeld()) throw new PasswdError(`another process has taken the lock of ${path}; nothing was changed`)
      replaceFile(path, content)
    }),
  )
}

/**
 * Puts `content` in the place of the file in one step, with the owner and mode the file had; a new file belongs to the caller
 * alone. Only under the lock. Throws PasswdError, and then the file is as it was.
 */
export function replaceFile(path: string, content: Uint8Array): void {
  const next = `${path}.new`
  try {
    const old = statSync(path, { throwIfNoEntry: false })
    removeFile(next)
    const descriptor = openSync(next, 'wx', 0o600)
    try {
      writeFileSync(descriptor, content)
      if (old && (old.uid !== process.getuid?.() || old.gid !== process.getgid?.()))
        fchownSync(descriptor, old.uid, old.gid)
      if (old) fchmodSync(descriptor, old.mode & PERMISSION_BITS)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(next, path)
  } catch (error) {
    removeFile(next)
    const isMount = error instanceof Error && 'code' in error && error.code === 'EBUSY'
    throw systemFailure(`cannot write ${path}`, error, isMount ? '; mount its folder instead of the file alone' : '')
  }
  syncFolder(dirname(path))
}

/** The rename itself must survive a crash as well. */
function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && NO_FOLDER_SYNC.includes(String(error.code))) return
    throw systemFailure(`the file is changed, but that may not be on disk yet: cannot sync ${folder}`, error)
  }
}
