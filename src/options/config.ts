// What the configuration file comes to: the values of the whole broker and the listeners that exist. Computes what a listener
// takes over from the global values; reading lines is conf-file.ts's business, binding sockets the broker's.
import { type BridgeConfig, type BridgeDraft, bridgeConfig, bridgeFaults } from './bridge-config.js'
import type { BrokerValues, PerListenerName } from './broker-options.js'
import { brokerOptions } from './broker-options.js'
import { checkBroker } from './broker-rules.js'
import type { Position } from './conf-lines.js'
import type { ListenerValues } from './listener-options.js'
import { listenerOptions } from './listener-options.js'
import { checkListener } from './listener-rules.js'
import { valuesOf } from './option.js'
import { type PluginConfig, type PluginDraft, pluginConfig } from './plugin-config.js'

/** One thing wrong with a configuration file. `message` is `file:line: reason`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly file: string
  /** Counts from 1; 0 when the whole file is meant. */
  readonly line: number
  /** The directive as written; empty when none could be made out. */
  readonly option: string
  readonly reason: string

  constructor(file: string, line: number, option: string, reason: string) {
    super(line > 0 ? `${file}:${line}: ${reason}` : `${file}: ${reason}`)
    this.file = file
    this.line = line
    this.option = option
    this.reason = reason
  }
}

/** One listener with its effective values: per-listener and inherited settings are already decided. */
export interface ListenerConfig extends ListenerValues, Omit<Pick<BrokerValues, PerListenerName>, 'allow_anonymous'> {
  /** TCP port, 0 for any free one. */
  readonly port: number
  /** Address or host name; undefined for all addresses. */
  readonly bind_address: string | undefined
  /** Path of a Unix socket, which has neither port nor address. */
  readonly path: string | undefined
  readonly allow_anonymous: boolean
  /** One of the loopback sockets of local-only mode: if one of the two families cannot be bound, the other is enough. */
  readonly local_only: boolean
  /** Nothing is bound for it: it is for connections that a program hands over. */
  readonly without_socket: boolean
  /** Where it was opened; undefined in local-only mode. */
  readonly where: Position | undefined
  /** Where each of its own directives was given last. */
  readonly positions: ReadonlyMap<string, Position>
}

/** The whole configuration. It may be used only if `problems` is empty. */
export interface Config extends BrokerValues {
  readonly listeners: readonly ListenerConfig[]
  /** In the order of the file. */
  readonly bridges: readonly BridgeConfig[]
  /** To be loaded, in the order in which they are asked. */
  readonly plugins: readonly PluginConfig[]
  /** Errors, in the order of the lines. */
  readonly problems: readonly ConfigError[]
  /** What works but should be known. */
  readonly warnings: readonly ConfigError[]
  /** Where each global directive was given last. */
  readonly positions: ReadonlyMap<string, Position>
  /** Every file that was read, in this order. */
  readonly files: readonly string[]
  /** Those that hold a password or a key. */
  readonly secretFiles: ReadonlySet<string>
}

/** A listener as the lines have described it. */
export interface ListenerDraft {
  readonly given: Map<string, unknown>
  /** What `per_listener_settings true` has put here. */
  readonly security: Map<string, unknown>
  readonly positions: Map<string, Position>
  readonly path: string | undefined
  readonly where: Position | undefined
}

/** What has been read before it is made into a `Config`. */
export interface ConfigDraft extends Pick<Config, 'positions' | 'files' | 'secretFiles'> {
  readonly given: ReadonlyMap<string, unknown>
  /** Opened by `listener`, in order. */
  readonly listeners: readonly ListenerDraft[]
  /** Opened by `connection`, in order. */
  readonly bridges: readonly BridgeDraft[]
  /** Without those that are built in. */
  readonly plugins: readonly PluginDraft<ListenerDraft>[]
  /** The default listener, if a line has set something of it. */
  readonly defaultListener: ListenerDraft | undefined
  /** `port` or `bind_address` was given: the default listener is open to the network. */
  readonly defaultListenerOpen: boolean
  readonly problems: readonly ConfigError[]
  readonly warnings: readonly ConfigError[]
}

/** Where a broker listens that was not told where. */
const LOOPBACK = ['127.0.0.1', '::1'] as const
const DEFAULT_PORT = 1883

/**
 * Whether a client without a user name may connect to a listener. The listener's own word counts first; then, unless each listener
 * has its own settings, the global one; a broker that nobody configured admits everybody, because it is reached from this host only.
 */
export function anonymousAllowed(rule: {
  readonly listener: boolean | undefined
  readonly global: boolean | undefined
  readonly perListener: boolean
  readonly localOnly: boolean
}): boolean {
  if (rule.listener !== undefined) return rule.listener
  if (rule.perListener) return false
  return rule.global ?? rule.localOnly
}

/**
 * Makes the effective configuration. `ports` are those of the command line, used in local-only mode: when no `listener`, `port` or
 * `bind_address` was given, the broker listens on 127.0.0.1 and ::1, with whatever was set for the default listener.
 */
export function assembleConfig(draft: ConfigDraft, ports: readonly number[]): Config {
  const broker = valuesOf(brokerOptions, draft.given)
  const { defaultListener } = draft
  const opened = defaultListener && draft.defaultListenerOpen ? [defaultListener, ...draft.listeners] : draft.listeners
  const localOnly = opened.length === 0
  const listeners = localOnly
    ? (ports.length > 0 ? ports : [DEFAULT_PORT]).flatMap((port) =>
        LOOPBACK.map((address) => listenerConfig(broker, loopbackDraft(defaultListener, port, address), true)),
      )
    : opened.map((listener) => listenerConfig(broker, listener, false))
  const plugged: readonly (readonly [string, unknown])[] = draft.plugins.length > 0 ? [['plugin', true]] : []
  const faults = (localOnly && defaultListener ? [defaultListener] : opened).flatMap(({ given, security, where }) =>
    checkListener(new Map([...plugged, ...(broker.per_listener_settings ? security : draft.given), ...given])).map(
      ({ name, reason, isHarmless }) => ({
        isHarmless,
        error: new ConfigError(where?.file ?? '', where?.line ?? 0, name, `of this listener ${reason}`),
      }),
    ),
  )
  for (const bridge of draft.bridges)
    for (const { at, name, reason, isHarmless } of bridgeFaults(bridge))
      faults.push({ isHarmless, error: new ConfigError(at.file, at.line, name, `of bridge ${bridge.name} ${reason}`) })
  for (const { name, reason, isHarmless } of checkBroker(draft.given, broker, listeners)) {
    const { file = '', line = 0 } = draft.positions.get(name) ?? {}
    faults.push({ isHarmless, error: new ConfigError(file, line, name, reason) })
  }
  const used = listeners.filter((listener) => !localOnly || servesFamily(listener))
  const errors = (harmless: boolean) => faults.filter((each) => each.isHarmless === harmless).map(({ error }) => error)
  return {
    ...broker,
    listeners: used,
    bridges: draft.bridges.map(bridgeConfig),
    plugins: draft.plugins.map((plugin) =>
      pluginConfig(plugin, (listener) => (localOnly ? [...used.keys()] : [opened.indexOf(listener)])),
    ),
    positions: draft.positions,
    files: draft.files,
    secretFiles: draft.secretFiles,
    problems: [...draft.problems, ...errors(false)],
    warnings: [...draft.warnings, ...errors(true)],
  }
}

function loopbackDraft(settings: ListenerDraft | undefined, port: number, address: string): ListenerDraft {
  const given = new Map([...(settings?.given ?? []), ['port', port], ['bind_address', address]] as [string, unknown][])
  const { security = new Map(), positions = new Map() } = settings ?? {}
  return { given, security, positions, path: undefined, where: undefined }
}

function servesFamily(listener: ListenerConfig): boolean {
  const family = listener.bind_address === '::1' ? 'ipv6' : 'ipv4'
  return listener.socket_domain === undefined || listener.socket_domain === family
}

function listenerConfig(broker: BrokerValues, draft: ListenerDraft, localOnly: boolean): ListenerConfig {
  const own = valuesOf(listenerOptions, draft.given)
  const perListener = broker.per_listener_settings
  const source = perListener ? valuesOf(brokerOptions, draft.security) : broker
  return {
    ...own,
    acl_file: source.acl_file,
    password_file: source.password_file,
    psk_file: source.psk_file,
    allow_zero_length_clientid: source.allow_zero_length_clientid,
    auto_id_prefix: own.listener_auto_id_prefix ?? source.auto_id_prefix,
    allow_anonymous: anonymousAllowed({
      listener: own.listener_allow_anonymous ?? (perListener ? source.allow_anonymous : undefined),
      global: broker.allow_anonymous,
      perListener,
      localOnly,
    }),
    path: draft.path,
    local_only: localOnly,
    without_socket: false,
    where: draft.where,
    positions: draft.positions,
  }
}
