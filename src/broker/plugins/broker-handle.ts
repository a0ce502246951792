// What a plugin may do with its broker, from `started` on. How it is done is in plugin-broker.ts.

import type { Qos } from '../../protocol/packets/publish.js'
import type { Properties } from '../../protocol/properties.js'
import type { ReasonCode } from '../../protocol/reason-codes.js'
import type { ClientInfo, ConnectionInfo, ListenerInfo, PluginMessage } from './plugin-facts.js'

/** A client or session as it is at the moment. */
export interface ClientState extends ClientInfo {
  /** Undefined while only the session is there. */
  readonly connection: ConnectionInfo | undefined
  /** Filters, as subscribed. */
  readonly subscriptions: readonly string[]
  /** Messages that wait, and those that are sent and not acknowledged. */
  readonly queued: number
  readonly inFlight: number
}

/** A message of a plugin's own. */
export interface OwnMessage {
  /** A topic name. */
  readonly topic: string
  readonly payload?: string | Uint8Array
  /** 0 unless given. */
  readonly qos?: Qos
  readonly retain?: boolean
  readonly properties?: Readonly<Properties>
}

/** Small state of one plugin. It is in the store with `persistence true`, otherwise it ends with the process. */
export interface PluginState {
  /** A copy; undefined for an unknown key. */
  get(key: string): Buffer | undefined
  /** @param key of 1 to 1000 bytes @param value at most 1 MiB. @throws RangeError beyond that */
  set(key: string, value: string | Uint8Array): void
  /** Returns whether there was one. */
  delete(key: string): boolean
  keys(): readonly string[]
}

/** What a plugin may do with the broker that has loaded it. */
export interface BrokerHandle {
  /** Of tsmq. */
  readonly version: string
  /** ms since 1970. */
  now(): number
  /** Writes a line to the log, with the plugin's name before it. */
  log(type: 'error' | 'warning' | 'notice' | 'information' | 'debug', text: string): void
  /**
   * Publishes as the broker: no access rules, no `publish` of plugins. Returns whether a subscription took it.
   * @throws RangeError for what is no topic name, another QoS, or properties that do not fit in a packet
   */
  publish(message: OwnMessage): boolean
  /** Every session, connected or not. */
  clients(): readonly ClientState[]
  client(clientId: string): ClientState | undefined
  /**
   * Ends a connection when the call that is under way is over; 5.0 clients are told why. Returns whether there is one.
   * @param reasonCode one of 0x80 or more that the broker's DISCONNECT may carry; 0x98, administrative action, unless given
   * @throws RangeError for another one
   */
  kick(clientId: string, reasonCode?: ReasonCode, reason?: string): boolean
  /** Ends a subscription of a session, connected or not, as UNSUBSCRIBE does; not of bridges. Returns whether there is one. */
  unsubscribe(clientId: string, filter: string): boolean
  /** Whether the clients of a listener are the plugin's business. */
  serves(listener: ListenerInfo): boolean
  /** The retained messages whose topics match `filter`, in memory that stays as it is. */
  retained(filter: string): readonly PluginMessage[]
  /** Sets the retained message of a topic without delivering it; an empty payload removes it. */
  setRetained(message: OwnMessage): void
  /** Removes all retained messages but those below `$SYS/`. */
  clearRetained(): void
  readonly state: PluginState
}
