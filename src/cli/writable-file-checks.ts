// Whether the broker could write what it is told to write: log files, the pid file, the folder of the database. Called as the user it
// becomes. A folder is tried with a file that is removed at once: permissions alone do not tell.

import { closeSync, constants, lstatSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { symlinksAllowed, systemText } from '../access/restricted-file.js'
import { storePath } from '../broker/persistence/persistence.js'
import type { Config } from '../options/config.js'
import { StoreError } from '../store/store-error.js'
import { checkStoreFile } from '../store/store-file.js'
import type { Findings } from './config-findings.js'

const { O_WRONLY, O_APPEND, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants

export function checkWritableFiles(config: Config, findings: Findings): void {
  const report = (severity: 'error' | 'warning', directive: string, path: string, fault: string | undefined) => {
    if (fault !== undefined)
      findings.about(severity, directive, undefined, `${directive} ${path} cannot be written: ${fault}`)
  }
  // The broker goes on without its log file, which nobody may notice.
  for (const destination of config.log_dest)
    if (destination.to === 'file')
      report('error', 'log_dest', destination.path, faultOfFile(destination.path, symlinksAllowed()))
  if (config.pid_file !== undefined) report('error', 'pid_file', config.pid_file, faultOfFile(config.pid_file, true))
  if (config.persistence) {
    const folder = config.persistence_location ?? '.'
    report('error', 'persistence_location', folder, faultOfFolder(folder))
    const fault = faultOfStore(storePath(config))
    if (fault !== undefined) findings.about('error', 'persistence', undefined, fault)
  }
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

function faultOfFolder(path: string): string | undefined {
  const trial = join(path, `.tsmq-test-${process.pid}`)
  try {
    closeSync(openSync(trial, 'wx', 0o600))
    rmSync(trial)
    return undefined
  } catch (error) {
    return `folder ${path}: ${systemText(error)}`
  }
}
