// As whom the broker runs once its sockets are open (spec: broker-options.md sections 3 and 8): the user of the configuration, or
// PUID and PGID. Concerns only a process started by root. Node can only change users by number or name; numbers come from id(1).

import { execFileSync } from 'node:child_process'
import { chownSync, closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ProcessError } from './process-error.js'

/** Whom to become. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** For its further groups; undefined when only numbers were given: it has none. */
  readonly name: string | undefined
}

/** What was decided, and what should be known about it. */
export interface IdentityPlan {
  /** Undefined: stay who we are. */
  readonly identity: Identity | undefined
  readonly warnings: readonly string[]
}

/** What the types of Node leave out. */
interface GroupSetter {
  initgroups?(user: string, group: number): void
}

const STAY: IdentityPlan = { identity: undefined, warnings: [] }

/**
 * Decides whom to become.
 * @param user of the configuration.
 * @param isDefault nobody has named it: then it may be replaced.
 * @throws ProcessError when a value is not a number or nobody has that name
 */
export function planIdentity(user: string, isDefault: boolean, env: NodeJS.ProcessEnv = process.env): IdentityPlan {
  if (process.geteuid?.() !== 0) return STAY
  if (env.PUID !== undefined || env.PGID !== undefined) {
    const [uid, gid] = [numberOf('PUID', env), numberOf('PGID', env)]
    return uid === 0 && gid === 0 ? STAY : { identity: { uid, gid, name: undefined }, warnings: [] }
  }
  if (user === 'root') return { identity: undefined, warnings: ['Running as root, as the configuration demands.'] }
  const warnings: string[] = []
  let identity = lookUp(user)
  if (identity === undefined) {
    if (user !== 'mosquitto') throw new ProcessError('invalid', `there is no user ${user} to become`)
    identity = lookUp('nobody')
    if (identity === undefined) throw new ProcessError('invalid', 'there is neither a user mosquitto nor a user nobody')
    warnings.push('There is no user mosquitto; running as nobody. Choose another with the option user.')
  }
  if (canReadProgram(identity)) return { identity, warnings }
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const reason = `user ${identity.name} cannot read the program in ${folder}`
  if (!isDefault) throw new ProcessError('system', reason)
  return { identity: undefined, warnings: [`Running as root, because ${reason}. Choose another with the option user.`] }
}

function numberOf(name: 'PUID' | 'PGID', env: NodeJS.ProcessEnv): number {
  const text = env[name] ?? '0'
  if (!/^\d{1,10}$/.test(text)) throw new ProcessError('invalid', `${name} must be a whole number, not '${text}'`)
  return Number(text)
}

function lookUp(name: string): Identity | undefined {
  const ask = (what: '-u' | '-g') =>
    Number(execFileSync('id', [what, '--', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  try {
    return { uid: ask('-u'), gid: ask('-g'), name }
  } catch {
    return undefined
  }
}

/** Parts of the program are loaded when they are first used. */
function canReadProgram(identity: Identity): boolean {
  try {
    actAs(identity, () => closeSync(openSync(fileURLToPath(import.meta.url), 'r')))
    return true
  } catch {
    return false
  }
}

/** Does something with files as somebody else, with all of their groups, and is root again afterwards. */
export function actAs<T>({ uid, gid, name }: Identity, action: () => T): T {
  const { setegid, seteuid, setgroups } = process
  const groups = process.getgroups?.() ?? []
  try {
    if (name !== undefined) (process as GroupSetter).initgroups?.(name, gid)
    else setgroups?.([gid])
    setegid?.(gid)
    seteuid?.(uid)
    return action()
  } finally {
    seteuid?.(0)
    setegid?.(0)
    setgroups?.(groups)
  }
}

/**
 * Becomes `identity` for good. The sockets at `paths` go with it.
 * @throws ProcessError when the system refuses
 */
export function become({ uid, gid, name }: Identity, paths: readonly string[]): void {
  try {
    for (const path of paths) chownSync(path, uid || -1, gid || -1)
    if (name !== undefined) (process as GroupSetter).initgroups?.(name, gid)
    else process.setgroups?.(gid === 0 ? [] : [gid])
    if (gid !== 0) process.setgid?.(gid)
    if (uid !== 0) process.setuid?.(uid)
  } catch (error) {
    throw new ProcessError(
      'system',
      `cannot become ${name ?? `user ${uid}`}: ${error instanceof Error ? error.message : error}`,
    )
  }
}
