// Changing a file that others change and read at the same time: one writer at a time, and readers see the old file or the new
// one, never a part. The lock is a file beside it that names its owner, so that one left behind by a crash can be told.
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exit } from './exit.js'
import { PasswdError, systemFailure } from './tsmq-passwd-error.js'

const RETRY_MS = 15
const PERMISSION_BITS = 0o7777

/** How long to wait for other writers. */
export const LOCK_WAIT_MS = 60_000

/** Runs `change` while no other process holds the lock of `path`. Throws PasswdError when the lock does not come free in time. */
export async function withLock<T>(path: string, change: () => T | Promise<T>, waitMs = LOCK_WAIT_MS): Promise<T> {
  const lock = `${path}.lock`
  const deadline = Date.now() + waitMs
  while (!takeLock(lock)) {
    if (dropAbandonedLock(lock)) continue
    if (Date.now() > deadline)
      throw new PasswdError(`${path} is being changed by another process; if none is running, delete ${lock}`)
    await sleep(RETRY_MS * (0.5 + Math.random()))
  }
  const release = () => rmSync(lock, { force: true })
  const interrupted = (_signal: string, number: number) => {
    release()
    exit(128 + number)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupted)
  try {
    return await change()
  } finally {
    release()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, interrupted)
  }
}

/**
 * Puts `content` in the place of the file in one step, with the owner and mode the file had; a new file belongs to the caller
 * alone. Only under the lock. Throws PasswdError, and then the file is as it was.
 */
export function replaceFile(path: string, content: Uint8Array): void {
  const next = `${path}.new`
  try {
    const old = statSync(path, { throwIfNoEntry: false })
    rmSync(next, { force: true })
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
    rmSync(next, { force: true })
    throw systemFailure(`cannot write ${path}`, error)
  }
  syncFolder(dirname(path))
}

/** The rename itself must survive a crash as well. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, `${process.pid} ${hostname()}`, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw systemFailure('cannot lock the file', error)
  }
}

/**
 * Removes the lock of a process that is no more; false when it stays. Only one process at a time may judge, or the second would
 * remove the lock that the first has just taken.
 */
function dropAbandonedLock(lock: string): boolean {
  if (!isAbandoned(lock)) return false
  const judge = `${lock}.judge`
  if (!takeLock(judge)) return false
  const abandoned = isAbandoned(lock)
  if (abandoned) rmSync(lock, { force: true })
  rmSync(judge, { force: true })
  return abandoned
}

/** Whether the owner of the lock ran on this machine and runs no more. */
function isAbandoned(lock: string): boolean {
  try {
    const [pid, host] = readFileSync(lock, 'utf8').split(' ')
    if (host !== hostname()) return false
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}
