// One plugin of a running broker: calls its methods so that what goes wrong in them stays there - logged with the plugin's name -
// and says whose clients are its business. At which points it is called is decided in points.ts.

import type { Plugin, PluginFactory } from './plugin.js'
import type { ClientInfo, ListenerInfo } from './plugin-facts.js'
import { isPromise } from './soon.js'

/** A plugin that cannot be used; `message` says which and why. */
export class PluginError extends Error {
  override readonly name = 'PluginError'

  constructor(plugin: string, cause: unknown) {
    super(`plugin ${plugin}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

/** How long promises may take: counted by whoever looks at the time. */
export interface Deadlines {
  /** What `promise` comes to, or a failure when it takes too long. */
  within<T>(promise: Promise<T>): Promise<T>
}

/** Where failures are told. */
export interface FailureLog {
  error(text: string): void
}

const methods = [
  ...(['started', 'stopped', 'reload', 'tick', 'authenticate', 'exchange', 'pskKey', 'connect', 'connected'] as const),
  ...(['disconnected', 'offline', 'authorize', 'publish', 'deliver', 'enqueued', 'dropped', 'acknowledged'] as const),
  ...(['notConsumed', 'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'packetIn', 'packetOut'] as const),
  ...(['retainedLoading', 'retainedChanged', 'retainedCleared', 'sessionPrepared', 'sessionDeleted'] as const),
  'controlled',
] satisfies readonly (keyof Plugin)[]

/** Of whom a plugin is asked. */
export interface PluginScope {
  /** Undefined for everyone. */
  readonly listeners: ReadonlySet<ListenerInfo> | undefined
  /** Clients with `+`, `#` or `/` in their names have no rights, without being asked about. */
  readonly deniesSpecialChars: boolean
}

const EVERYONE: PluginScope = { listeners: undefined, deniesSpecialChars: false }

/**
 * Looks whether something is a plugin, as far as that can be seen.
 * @param origin what to call it in an error
 * @throws PluginError
 */
export function asPlugin(value: unknown, origin: string): Plugin {
  if (typeof value !== 'object' || value === null)
    throw new PluginError(origin, 'is no object: a plugin has a name and methods')
  const members = new Map(Object.entries(value))
  const member = (name: string): unknown => members.get(name) ?? (value as Readonly<Record<string, unknown>>)[name]
  const name = member('name')
  if (typeof name !== 'string' || name === '') throw new PluginError(origin, 'has no name')
  const wrong = methods.find((each) => member(each) !== undefined && typeof member(each) !== 'function')
  if (wrong !== undefined) throw new PluginError(origin, `${wrong} is no function`)
  if (methods.every((each) => member(each) === undefined) && member('control') === undefined)
    throw new PluginError(origin, `has none of the methods of a plugin: ${methods.join(', ')}`)
  return value as Plugin
}

/**
 * What a module has exported as a plugin: one, or what makes one.
 * @throws PluginError
 */
export async function madePlugin(
  exported: unknown,
  options: Readonly<Record<string, string>>,
  origin: string,
): Promise<Plugin> {
  if (typeof exported !== 'function') return asPlugin(exported, origin)
  try {
    return asPlugin(await (exported as PluginFactory)(options), origin)
  } catch (error) {
    throw error instanceof PluginError ? error : new PluginError(origin, error)
  }
}

export class LoadedPlugin {
  readonly plugin: Plugin
  readonly scope: PluginScope
  private readonly listeners: PluginScope['listeners']
  private readonly log: FailureLog
  private readonly deadlines: Deadlines

  constructor(plugin: Plugin, log: FailureLog, deadlines: Deadlines, scope: PluginScope = EVERYONE) {
    this.plugin = plugin
    this.log = log
    this.deadlines = deadlines
    this.scope = scope
    this.listeners = scope.listeners
  }

  /** Whether a listener's clients are its business. */
  serves(listener: ListenerInfo): boolean {
    return this.listeners === undefined || this.listeners.has(listener)
  }

  /** Whether a client is. */
  knows(client: ClientInfo): boolean {
    return this.listeners === undefined || this.listeners.has(client.listener)
  }

  /** Runs `call`; the answer is `otherwise` when it throws. */
  guard<T, U>(point: string, call: () => T, otherwise: U): T | U {
    try {
      return call()
    } catch (error) {
      this.failed(point, error)
      return otherwise
    }
  }

  /** Likewise where a promise may be the answer, which must not take too long. */
  guardAsync<T>(point: string, call: () => T | Promise<T>, otherwise: T): T | Promise<T> {
    const answer: T | Promise<T> = this.guard(point, call, otherwise)
    if (!isPromise(answer)) return answer
    return this.deadlines.within(answer).catch((error) => {
      this.failed(point, error)
      return otherwise
    })
  }

  failed(point: string, error: unknown): void {
    this.log.error(`Plugin ${this.plugin.name}: ${point} failed: ${textOf(error)}.`)
  }
}

/** What is known of an error, with the place in the plugin where it comes from. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const at = error.stack?.split('\n').find((line) => line.startsWith('    at '))
  return at === undefined ? error.message : `${error.message} (${at.trim()})`
}
