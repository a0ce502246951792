// What plugins are told of clients, connections and messages. Types only.

import type { ProtocolVersion } from '../../protocol/packet-types.js'
import type { Qos } from '../../protocol/packets/publish.js'
import type { Properties } from '../../protocol/properties.js'

/** Where clients come in. */
export interface ListenerInfo {
  /** TCP port as it is bound; 0 for a Unix socket. */
  readonly port: number
  /** Of a Unix socket. */
  readonly path: string | undefined
  /** Passwords are looked up in a file when no plugin decides. */
  readonly hasPasswordFile: boolean
  /** Rights are looked up in a file when no plugin decides. */
  readonly hasAclFile: boolean
}

/** A client, or a session without one at the moment. */
export interface ClientInfo {
  readonly clientId: string
  readonly username: string | undefined
  /** Where it came in last. */
  readonly listener: ListenerInfo
}

/** The connection of a client. */
export interface ConnectionInfo {
  /** Of the other end; empty for a Unix socket. */
  readonly address: string
  readonly port: number
  readonly listener: ListenerInfo
  readonly protocolVersion: ProtocolVersion
  /** Seconds in force; 0 for none. */
  readonly keepAlive: number
}

/** An application message. To be used before the call returns: the broker may reuse the memory of the payload. */
export interface PluginMessage {
  /** With the mount point of the publisher's listener. */
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  /** Without Topic Alias and Subscription Identifier. */
  readonly properties: Readonly<Properties>
}
