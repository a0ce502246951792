// Opening files that hold secrets or decide who may do what (spec: files.md section 7): symbolic links and anything but a regular
// file are refused, loose permissions are reported. What the file says is for those who read it.
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { userInfo } from 'node:os'
import { AccessFileError } from './access-file-error.js'

/** A file's bytes and what is loose about its permissions, as sentences to show. */
export interface RestrictedFile {
  readonly content: Buffer
  readonly warnings: readonly string[]
}

/** The user and group a file is expected to belong to; undefined where the system has none. */
export interface FileOwner {
  readonly uid: number | undefined
  readonly gid: number | undefined
}

const OTHERS = 0o007

/** Whether the environment asks for symbolic links to be followed. */
export function symlinksAllowed(): boolean {
  return process.env.MOSQUITTO_UNSAFE_ALLOW_SYMLINKS !== undefined
}

/** Reads a whole file. Throws AccessFileError when it cannot be opened, is a symbolic link, or is not a regular file. */
export function readRestrictedFile(path: string, followLinks = symlinksAllowed()): RestrictedFile {
  try {
    // Without O_NONBLOCK opening a named pipe would wait for its writer.
    const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants
    if (!followLinks && lstatSync(path).isSymbolicLink()) throw new AccessFileError(path, [], 'is a symbolic link')
    const descriptor = openSync(path, O_RDONLY | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW))
    try {
      const stats = fstatSync(descriptor)
      if (!stats.isFile()) throw new AccessFileError(path, [], 'is not a regular file')
      return { content: readFileSync(descriptor), warnings: permissionWarnings(path, stats) }
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (error instanceof AccessFileError) throw error
    throw new AccessFileError(path, [], systemText(error))
  }
}

/** What is loose about the permissions of a file that holds secrets. */
export function permissionWarnings(
  path: string,
  stats: Pick<Stats, 'mode' | 'uid' | 'gid'>,
  expected: FileOwner = { uid: process.geteuid?.(), gid: process.getegid?.() },
): string[] {
  const warnings: string[] = []
  // Windows has neither owners nor these bits.
  if (expected.uid === undefined) return warnings
  if (stats.mode & OTHERS)
    warnings.push(`Warning: ${path} can be used by everyone on this machine. To fix this: chmod 0600 ${path}`)
  if (stats.uid !== expected.uid)
    warnings.push(`Warning: ${path} belongs to another user. To fix this: chown ${expected.uid} ${path}`)
  if (expected.gid !== undefined && stats.gid !== expected.gid)
    warnings.push(`Warning: ${path} belongs to another group. To fix this: chgrp ${expected.gid} ${path}`)
  return warnings
}

/** The system's words for a failed call, without the call and the path that Node adds; who it was that had no permission. */
export function systemText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const words = /^[A-Z0-9]+: (.*?)(?:, \w+.*)?$/.exec(text)?.[1] ?? text
  return text.startsWith('EACCES') ? `${words} for user ${userName()}` : words
}

/** Whose permissions count at the moment. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A container's user need not be known in it.
    return String(process.geteuid?.())
  }
}
