// What a newly read configuration would change in a running broker (spec: broker-options.md section 2.1): either everything it
// takes, ready to be put in force, or every reason why the old one stays. Putting it in force is the broker's part.

import { isDeepStrictEqual } from 'node:util'
import type { BcryptHasher } from '../access/bcrypt-hash.js'
import { brokerOptions } from '../options/broker-options.js'
import type { Config, ListenerConfig } from '../options/config.js'
import { listenerOptions } from '../options/listener-options.js'
import { type Directive, hasValue } from '../options/option.js'
import { AccessControl, AccessError } from './access-control.js'

/** What comes after the configuration in force. `listeners` are in the order of the old ones. */
export interface Replacement {
  readonly config: Config
  readonly access: AccessControl
  /** To be logged: what changed in the files and has to wait for a restart, and what is loose about permissions. */
  readonly warnings: readonly string[]
}

export interface Rejection {
  readonly errors: readonly string[]
}

/**
 * Compares the configuration in force with `fresh` and reads the files that `fresh` names. Has no effect of its own, so that a
 * half-read state is never in force (CVE-2017-7652).
 */
export function prepareReload(
  inForce: { readonly config: Config; readonly access: AccessControl },
  fresh: Config,
  bcrypt: BcryptHasher,
): Replacement | Rejection {
  const errors = fresh.problems.map(({ message }) => message)
  // Without all of its lines a file says nothing about its listeners.
  if (errors.length === 0) errors.push(...listenerChanges(inForce.config.listeners, fresh.listeners))
  const merged = merge(inForce.config, fresh)
  let access: AccessControl | undefined
  try {
    access = new AccessControl(merged.config, bcrypt, inForce.access)
  } catch (error) {
    if (!(error instanceof AccessError)) throw error
    errors.push(...error.errors.flatMap(({ message }) => message.split('\n')))
  }
  if (errors.length > 0 || access === undefined) return { errors }
  const warnings = [...fresh.warnings.map(({ message }) => message), ...merged.kept, ...access.warnings]
  return { config: merged.config, access, warnings }
}

/** Listeners that come, go or move. */
function listenerChanges(inForce: readonly ListenerConfig[], fresh: readonly ListenerConfig[]): string[] {
  const come = fresh.filter((listener) => partner(listener, fresh, inForce) === undefined)
  const gone = inForce.filter((listener) => partner(listener, inForce, fresh) === undefined)
  return [
    ...come.map((listener) => `${place(listener)}${address(listener)} is new: it needs a restart`),
    ...gone.map((listener) => `${address(listener)} is no longer configured: it needs a restart`),
  ]
}

/** The listener with the same address among `others`; of several, the one in the same place. */
function partner(
  listener: ListenerConfig,
  own: readonly ListenerConfig[],
  others: readonly ListenerConfig[],
): ListenerConfig | undefined {
  const same = (each: ListenerConfig) => address(each) === address(listener)
  return others.filter(same)[own.filter(same).indexOf(listener)]
}

function address({ port, path, bind_address: host }: ListenerConfig): string {
  if (path !== undefined) return `listener 0 ${path}`
  return `listener ${port}${host === undefined ? '' : ` ${host}`}`
}

function place({ where }: ListenerConfig): string {
  return where === undefined ? '' : `${where.file}:${where.line}: `
}

/** `fresh`, but with the old values of the options that a reload does not change. */
function merge(inForce: Config, fresh: Config): { readonly config: Config; readonly kept: readonly string[] } {
  const global = keep(brokerOptions, inForce, fresh, (name) => {
    const at = fresh.positions.get(name)
    return at === undefined ? name : `${at.file}:${at.line}: ${name}`
  })
  const kept = [...global.kept]
  const listeners = inForce.listeners.map((old) => {
    const now = partner(old, inForce.listeners, fresh.listeners)
    if (now === undefined) return old
    const own = keep(listenerOptions, old, now, (name) => `${place(now)}${name} of ${address(now)}`)
    kept.push(...own.kept)
    return own.values
  })
  const { plugins } = inForce
  if (!isDeepStrictEqual(plugins, fresh.plugins))
    kept.push('plugins and their options are not changed by a reload: that needs a restart')
  return { config: { ...global.values, listeners, plugins }, kept }
}

function keep<T extends object>(
  table: readonly Directive[],
  inForce: T,
  fresh: T,
  describe: (name: string) => string,
): { readonly values: T; readonly kept: readonly string[] } {
  const old = new Map<string, unknown>(Object.entries(inForce))
  const now = new Map<string, unknown>(Object.entries(fresh))
  const names = table.filter((row) => row.reload === 'no' && hasValue(row)).map(({ name }) => name)
  const differing = names.filter((name) => !isDeepStrictEqual(old.get(name), now.get(name)))
  return {
    values: { ...fresh, ...Object.fromEntries(differing.map((name) => [name, old.get(name)])) },
    kept: differing.map((name) => `${describe(name)} is not changed by a reload: it needs a restart`),
  }
}
