// One writer of a file at a time, across processes: a file beside it that names its owner. A lock whose owner is gone, or has not
// said for a while that it works, is taken away; whoever lost its lock so is told before it changes anything.
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { exit } from './exit.js'
import { PasswdError, systemFailure } from './tsmq-passwd-error.js'

const RETRY_MS = 15
/** Between the making of a lock and its owner's name lies a moment, unless the owner has ended in it. */
const NAMELESS_MS = 1_000
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** In milliseconds. */
export interface LockTimes {
  /** How long to wait for other writers. */
  readonly wait: number
  /** A lock that looks the same for so long belongs to nobody. */
  readonly stale: number
  /** How often the owner gives a sign of life. */
  readonly beat: number
}

const TIMES: LockTimes = { wait: 60_000, stale: 20_000, beat: 4_000 }

/**
 * Runs `change` while no other process holds the lock of `path`. `isHeld` tells at any moment whether that is still so. Throws
 * PasswdError when the lock cannot be had in time.
 */
export async function withLock<T>(
  path: string,
  change: (isHeld: () => boolean) => T | Promise<T>,
  times: LockTimes = TIMES,
): Promise<T> {
  const lock = `${path}.lock`
  const owner = `${process.pid} ${hostname()} ${randomBytes(8).toString('hex')}`
  await acquire(path, lock, owner, times)
  const isHeld = () => contentOf(lock) === owner
  const release = () => {
    if (isHeld()) removeFile(lock)
  }
  const interrupted = (_signal: string, number: number) => {
    release()
    exit(128 + number)
  }
  const beat = setInterval(() => isHeld() && touch(lock), times.beat)
  for (const signal of SIGNALS) process.on(signal, interrupted)
  try {
    return await change(isHeld)
  } finally {
    clearInterval(beat)
    release()
    for (const signal of SIGNALS) process.off(signal, interrupted)
  }
}

async function acquire(path: string, lock: string, owner: string, times: LockTimes): Promise<void> {
  const end = now() + times.wait
  let seen = ''
  let since = now()
  while (!takeLock(path, lock, owner)) {
    const content = contentOf(lock)
    const look = `${content} ${statSync(lock, { throwIfNoEntry: false })?.mtimeMs}`
    const time = now()
    if (look !== seen) {
      seen = look
      since = time
    }
    const patience = content === '' ? Math.min(NAMELESS_MS, times.stale) : times.stale
    if (content !== undefined && (isOwnerGone(content) || time - since >= patience)) breakLock(lock, content, owner)
    else if (time > end)
      throw new PasswdError(`${path} is being changed by another process; if none is running, delete ${lock}`)
    else await new Promise((resolve) => setTimeout(resolve, RETRY_MS * (0.5 + Math.random())))
  }
}

/** Milliseconds of a clock that nobody sets; the module of `performance` takes longer to load than a lock to take. */
function now(): number {
  return process.uptime() * 1000
}

function takeLock(path: string, lock: string, owner: string): boolean {
  try {
    const descriptor = openSync(lock, 'wx', 0o600)
    try {
      writeFileSync(descriptor, owner)
    } catch (error) {
      removeFile(lock)
      throw error
    } finally {
      closeSync(descriptor)
    }
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    const isForbidden = hasCode(error, 'EACCES') || hasCode(error, 'EPERM') || hasCode(error, 'EROFS')
    const hint = isForbidden ? '; the file is replaced by a new one, so its folder must be writable' : ''
    throw systemFailure(`cannot lock ${path}`, error, hint)
  }
}

/** Takes away the lock that says `content`. It may be another one's by now: that one gets it back. */
function breakLock(lock: string, content: string, breaker: string): void {
  const aside = `${lock}.${breaker.split(' ').at(-1)}`
  try {
    renameSync(lock, aside)
    if (contentOf(aside) !== content) linkSync(aside, lock)
  } catch {
    // Others were quicker: the next look at the lock tells.
  }
  removeFile(aside)
}

/** Removes what is ours, if it is there and can be removed: what stays behind is in nobody's way. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // A lock without its owner is taken away by the next, another file written anew.
  }
}

function isOwnerGone(content: string): boolean {
  const [pid, host] = content.split(' ')
  if (host !== hostname()) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return hasCode(error, 'ESRCH')
  }
}

function contentOf(lock: string): string | undefined {
  try {
    return readFileSync(lock, 'utf8')
  } catch {
    return undefined
  }
}

function touch(lock: string): void {
  const now = new Date()
  try {
    utimesSync(lock, now, now)
  } catch {
    // A sign of life that fails only shortens the time until others give us up.
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
