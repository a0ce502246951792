// What a plugin is: an object with a name and any of the methods below, each called at one point of the broker's work. Types only;
// the methods of one plugin are put together with those of the others in points.ts, loading from files is in load-plugin.ts.

import type { Qos } from '../../protocol/packets/publish.js'
import type { Properties } from '../../protocol/properties.js'
import type { ReasonCode } from '../../protocol/reason-codes.js'
import type { BrokerHandle } from './broker-handle.js'
import type { ClientInfo, ConnectionInfo, ListenerInfo, PluginMessage } from './plugin-facts.js'

/** A CONNECT that waits for a decision. */
export interface LoginRequest extends Omit<ConnectionInfo, 'keepAlive'> {
  /** As the client sent it; made up by the broker when that was empty. */
  readonly clientId: string
  /** Of CONNECT or, where the listener says so, of the client's certificate or PSK. */
  readonly username: string | undefined
  readonly password: Uint8Array | undefined
  /** The user name is that of the certificate or PSK, which has been verified: no password is asked. */
  readonly isProven: boolean
  readonly cleanStart: boolean
  /** Of CONNECT (5.0). */
  readonly properties: Readonly<Properties>
  /**
   * What the TLS handshake has shown, here or at the load balancer: the common name of a verified certificate or a PSK identity, and
   * the certificate's subject as RFC 2253 writes it. Undefined without TLS.
   */
  readonly secured: { readonly identity: string | undefined; readonly subject: string | undefined } | undefined
}

/** What is to be different about a message; what is left out stays. Bytes must not be changed afterwards. */
export interface MessageChange {
  /** A topic name. The access rules are not asked again. */
  readonly topic?: string
  readonly payload?: string | Uint8Array
  readonly qos?: Qos
  readonly retain?: boolean
  /** In place of all that it had. */
  readonly properties?: Readonly<Properties>
}

/** Nothing comes of it. */
export interface Refusal {
  /** 0x80 or more, one that the answering packet may carry; 3.x clients hear what comes closest, if anything. */
  readonly refuse: ReasonCode
  /** For the log and, in CONNACK and DISCONNECT, for the client. */
  readonly reason?: string
}

/** A client is who it says, or who is written here. */
export interface Acceptance {
  readonly accept: true
  /** In place of its own. */
  readonly username?: string
  /** In place of its own; not empty. */
  readonly clientId?: string
}

/** One step of extended authentication (MQTT 5.0 section 4.12): on with an AUTH packet, or the end of it. */
export type ExchangeStep =
  | { readonly continue: Uint8Array }
  /** `data` goes with CONNACK or, in re-authentication, with AUTH. */
  | (Acceptance & { readonly data?: Uint8Array })
  | Refusal

/** Extended authentication of one client, under way. */
export interface Exchange {
  /** Takes the data of CONNECT, then of each AUTH; undefined where the packet has none. */
  step(data: Uint8Array | undefined): ExchangeStep | Promise<ExchangeStep>
}

/** One filter of a SUBSCRIBE. */
export interface SubscriptionInfo {
  /** As subscribed, `$share/NAME/` included. */
  readonly filter: string
  readonly qos: Qos
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: 0 | 1 | 2
}

/** What is to be different about a subscription. */
export interface SubscriptionChange {
  /** A topic filter. The client does not hear of it. */
  readonly filter?: string
  readonly qos?: Qos
}

/** What a client wants to do with a topic or filter. */
export type AuthorizedAction = 'publish' | 'deliver' | 'subscribe' | 'unsubscribe'

/**
 * Why a message is not delivered: the queue of a session is full; its client does not read fast enough; a plugin's `deliver` says so;
 * it is larger than the client takes.
 */
export type DropCause = 'queue full' | 'slow reader' | 'plugin' | 'too large'

/** Why a connection has ended. */
export interface Departure {
  /** In words; empty after DISCONNECT with 0x00. */
  readonly reason: string
  /** The client has said goodbye. */
  readonly isOrderly: boolean
}

/** A session when a client takes it up. */
export interface SessionInfo {
  /** It existed before. */
  readonly isPresent: boolean
  /** Seconds that it outlives its connection, `Infinity` for ever. */
  readonly expiryInterval: number
}

/** What `$CONTROL/NAME` has answered. */
export type ControlAnswer = { readonly data: object } | { readonly error: string } | undefined

/** Carries out one command, now or later; `command` is as it came, its members are not checked. */
export type ControlMethod = (
  command: Readonly<Record<string, unknown>>,
  clientId: string,
) => ControlAnswer | Promise<ControlAnswer>

type Answer<T> = T | undefined | Promise<T | undefined>

/**
 * A plugin. Every method is optional, and one that is absent costs nothing. Plugins are asked in the order of the configuration. What
 * is `undefined` as an answer leaves the matter to the next, then to the broker. A method that throws, or answers what makes no
 * sense, is logged with the plugin's name, and the action is refused; where it only watches, nothing else happens. Methods that
 * may return a promise have `plugin_timeout` seconds; what is late is refused. Those of one client's packets are in order: while a
 * promise is awaited, its next packet waits.
 */
export interface Plugin {
  /** For the log and for those who list plugins. */
  readonly name: string
  readonly version?: string

  /** Before the first client is served; the broker does not start when it throws or is late. */
  started?(broker: BrokerHandle): void | Promise<void>
  /** When everyone is gone; a second at most is waited for it. */
  stopped?(): void | Promise<void>
  /** Another configuration is in force. */
  reload?(): void
  /** Twice a second. @param now ms since 1970 */
  tick?(now: number): void

  /**
   * Who is it? The first that accepts or refuses decides; the password file, or the listener's settings, when none does.
   * An exception or a late answer refuses with 0x88, server unavailable.
   */
  authenticate?(login: LoginRequest): Answer<Acceptance | Refusal>
  /** Begins extended authentication for a client that names `method`; the first that answers does it, and no password is asked. */
  exchange?(method: string, login: LoginRequest): Exchange | undefined
  /** The key of a TLS-PSK identity, before the psk_file is asked. */
  pskKey?(identity: string, listener: ListenerInfo): Uint8Array | undefined
  /** May a client that is who it says come in? Any may refuse. */
  connect?(login: LoginRequest): Answer<Refusal>
  /** A client has its CONNACK. */
  connected?(client: ClientInfo, connection: ConnectionInfo): void
  /** Its connection has ended. */
  disconnected?(client: ClientInfo, departure: Departure): void
  /** Behind `disconnected`: its session goes on without it. */
  offline?(client: ClientInfo): void

  /**
   * May this client do that? The first answer counts; the ACL file decides when there is none. Asked for each message, also for wills
   * and when retained messages of the client are delivered. `topic` is a filter when it subscribes or unsubscribes.
   */
  authorize?(client: ClientInfo, action: AuthorizedAction, topic: string): 'allow' | 'deny' | undefined

  /**
   * A message comes in, or a will is published: changed for the next and for everyone, refused, or acknowledged and forgotten.
   * An exception refuses it with 0x83.
   */
  publish?(message: PluginMessage, client: ClientInfo): MessageChange | Refusal | 'drop' | undefined
  /**
   * A message is about to be sent to a client, or to wait for it: changed for that one, or dropped, as it is by an exception. QoS and
   * RETAIN are the receiver's and cannot be changed any more.
   */
  deliver?(
    message: PluginMessage,
    client: ClientInfo,
    qos: Qos,
    retain: boolean,
  ): Omit<MessageChange, 'qos' | 'retain'> | 'drop' | undefined
  /** A message waits in the queue of a session. */
  enqueued?(message: PluginMessage, client: ClientInfo): void
  /** A message for this client is lost. What waits is never overwritten: the newest is dropped. */
  dropped?(message: PluginMessage, client: ClientInfo, cause: DropCause): void
  /** A client has acknowledged a message of QoS 1 or 2. @param reasonCode 0x80 and more: it does not want it */
  acknowledged?(message: PluginMessage, client: ClientInfo, reasonCode: ReasonCode): void
  /** Nobody has subscribed to a message, or nobody who did may have it now. */
  notConsumed?(message: PluginMessage, client: ClientInfo): void

  /** One filter of a SUBSCRIBE: another filter or QoS, or a reason code for SUBACK. The access rules are asked afterwards. */
  subscribe?(subscription: SubscriptionInfo, client: ClientInfo): Answer<SubscriptionChange | Refusal>
  /** The subscription is made. */
  subscribed?(subscription: SubscriptionInfo, client: ClientInfo): void
  /** One filter of an UNSUBSCRIBE. */
  unsubscribe?(filter: string, client: ClientInfo): Answer<Pick<SubscriptionChange, 'filter'> | Refusal>
  /** There is no such subscription any more. */
  unsubscribed?(filter: string, client: ClientInfo): void

  /** A whole packet has come; its length is in the shortest form. */
  packetIn?(packet: Buffer, connection: PacketConnection): void
  /** A whole packet is handed to the connection. */
  packetOut?(packet: Buffer, connection: PacketConnection): void

  /** The store has a retained message: kept, changed, or dropped. */
  retainedLoading?(message: PluginMessage): MessageChange | 'drop' | undefined
  /** The retained message of a topic is another or, without `message`, gone. Those below `$SYS/` are not told. */
  retainedChanged?(topic: string, message: PluginMessage | undefined): void
  /** All of them have been removed. */
  retainedCleared?(): void

  /** A client takes up its session. */
  sessionPrepared?(client: ClientInfo, session: SessionInfo): void
  /** A session is over: expired, ended with its connection, or replaced by a clean one. */
  sessionDeleted?(client: ClientInfo): void

  /** Commands by name for each `$CONTROL/ENDPOINT`, in the form of Mosquitto's requests; each waits for the one before it. */
  readonly control?: Readonly<Record<string, Readonly<Record<string, ControlMethod>>>>
  /** All commands of a request are done. They are answered afterwards; each of them with an error when this fails. */
  controlled?(endpoint: string): void | Promise<void>
}

/** The connection of a packet that is watched. */
export interface PacketConnection {
  readonly address: string
  readonly port: number
  /** Empty before CONNECT is accepted. */
  readonly clientId: string
}

/** What a module exports as default: a plugin, or a function that makes one from its plugin_opt_ lines. */
export type PluginFactory = (options: Readonly<Record<string, string>>) => Plugin | Promise<Plugin>
