// Whether the broker could write what it is told to write: log files, the pid file, the folder of the database. A
// folder is tried with a file that is removed at once: permissions alone do not tell.

import { closeSync, constants, lstatSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { symlinksAllowed, systemText } from '../access/restricted-file.js'
import { storePath } from '../broker/persistence/persistence.js'
import type { Config } from '../options/config.js'
import { StoreError } from '../store/store-error.js'
import { checkStoreFile } from '../store/store-file.js'
import type { Findings } from './config-findings.js'

const { O_WRONLY, O_APPEND, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants

/** The log file and the database. To be called as the user that the broker becomes. */
export function checkWritableFiles(config: Config, findings: Findings): void {
  // The broker goes on without its log file, which nobody may notice.
  for (const destination of config.log_dest)
    if (destination.to === 'file')
      report(findings, 'log_dest', destination.path, faultOfFile(destination.path, symlinksAllowed()))
  if (!config.persistence) return
  const folder = config.persistence_location ?? '.'
  report(findings, 'persistence_location', folder, faultOfFolder(folder))
  const fault = faultOfStore(storePath(config))
  if (fault !== undefined) findings.about('error', 'persistence', undefined, fault)
}

/** To be called as the user who starts the broker, because its place is kept before the broker becomes somebody else. */
export function checkPidFile({ pid_file: path }: Config, findings: Findings): void {
  if (path !== undefined) report(findings, 'pid_file', path, faultOfReplacing(path) ?? faultOfFile(path, false))
}

function report(findings: Findings, directive: string, path: string, fault: string | undefined): void {
  if (fault !== undefined)
    findings.about('error', directive, undefined, `${directive} ${path} cannot be written: ${fault}`)
}

/** Why a file could not be opened for writing; one that is not there is not made. */
function faultOfFile(path: string, followsLinks: boolean): string | undefined {
  try {
    const stats = lstatSync(path)
    if (stats.isSymbolicLink() && !followsLinks) return 'is a symbolic link'
    if (stats.isDirectory()) return 'is a directory'
    closeSync(openSync(path, O_WRONLY | O_APPEND | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW)))
    return undefined
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return isMissing ? faultOfFolder(dirname(path)) : systemText(error)
  }
}

/** Why the database that is there could not be opened; it may well not be there yet. */
function faultOfStore(path: string): string | undefined {
  try {
    if (statSync(path).size > 0) checkStoreFile(path)
    return undefined
  } catch (error) {
    // Anything else is about the folder, of which enough is said.
    return error instanceof StoreError ? error.message : undefined
  }
}

/** What is more than a file, a link to one or a device, is not replaced by one. Undefined when nothing or a file is there. */
export function faultOfReplacing(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined || stats.isFile()) return undefined
  if (stats.isSymbolicLink()) return 'is a symbolic link'
  return stats.isDirectory() ? 'is a directory' : 'is not a regular file'
}

/** Why no file can be made there; undefined when one can. */
export function faultOfFolder(path: string): string | undefined {
  const trial = join(path, `.tsmq-test-${process.pid}`)
  try {
    closeSync(openSync(trial, 'wx', 0o600))
    rmSync(trial)
    return undefined
  } catch (error) {
    return `folder ${path}: ${systemText(error)}`
  }
}
