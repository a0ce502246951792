// What --test-config finds in the password, ACL and PSK files: what would keep the broker from starting, what they say about nobody,
// rules that never decide, and permissions.

import { AccessFileError } from '../access/access-file-error.js'
import { loadAclFile } from '../access/acl-file.js'
import { shadowedRules } from '../access/acl-shadows.js'
import type { FileProblem } from '../access/file-lines.js'
import { loadPasswordFile } from '../access/password-file.js'
import { loadPskFile } from '../access/psk-file.js'
import type { Config, ListenerConfig } from '../options/config.js'
import type { Findings } from './config-findings.js'

/** Something to warn of. `line` 0 means the whole file. */
type Remarks = readonly FileProblem[]

const READERS = {
  password_file: readPasswords,
  acl_file: readAcl,
  psk_file: readPsks,
} as const satisfies Partial<Record<keyof ListenerConfig, (path: string) => Remarks>>

type FileDirective = keyof typeof READERS

/** Reads each file once. */
export function checkAccessFiles({ listeners }: Config, findings: Findings): void {
  for (const directive of Object.keys(READERS) as FileDirective[]) {
    const byPath = new Map(listeners.map((listener) => [listener[directive], listener]))
    for (const [path, listener] of byPath) if (path !== undefined) checkFile(directive, path, listener, findings)
  }
}

function checkFile(directive: FileDirective, path: string, listener: ListenerConfig, findings: Findings): void {
  try {
    for (const { line, message } of READERS[directive](path)) findings.add('warning', { file: path, line }, message)
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error
    for (const { line, message } of error.problems) findings.add('error', { file: path, line }, message)
    if (error.problems.length === 0) findings.about('error', directive, listener, `${directive} ${error.message}`)
  }
}

function readPasswords(path: string): Remarks {
  const { users, warnings } = loadPasswordFile(path)
  return [...remarks(path, warnings), ...nobodyIf(users.size === 0, 'there is no user in it: nobody can log in')]
}

function readAcl(path: string): Remarks {
  const { rules, warnings } = loadAclFile(path)
  const count = [rules.anonymous, rules.patterns, ...rules.users.values()].reduce((sum, { length }) => sum + length, 0)
  const isEmpty = nobodyIf(count === 0, 'there is no rule in it: nobody may read or write anything')
  return [...remarks(path, warnings), ...isEmpty, ...shadowedRules(rules)]
}

function readPsks(path: string): Remarks {
  const { keys, warnings } = loadPskFile(path)
  return [...remarks(path, warnings), ...nobodyIf(keys.size === 0, 'there is no identity in it: nobody can connect')]
}

function nobodyIf(is: boolean, message: string): Remarks {
  return is ? [{ line: 0, message }] : []
}

/** Sentences as the log has them: `Warning: FILE:LINE: TEXT`, or about the file as a whole. */
function remarks(path: string, warnings: readonly string[]): Remarks {
  return warnings.map((text) => {
    const message = text.replace(/^Warning: /, '')
    const rest = message.startsWith(`${path}:`) ? /^(\d+): (.*)$/s.exec(message.slice(path.length + 1)) : null
    return rest === null ? { line: 0, message } : { line: Number(rest[1]), message: rest[2] ?? '' }
  })
}
