// What the broker knows of a client that has been let in, for its handler and for those of single packet types. Made in entry.

import type { ProtocolVersion } from '../../protocol/packet-types.js'
import type { Will } from '../../protocol/packets/connect.js'
import type { Publisher } from '../../session/message.js'
import type { ReceivedAliases } from '../../session/topic-aliases.js'
import type { Waiter } from '../persistence/journal.js'
import type { PacketSender } from './packet-sender.js'
import type { Session } from './session.js'

export interface ConnectedClient {
  readonly version: ProtocolVersion
  readonly session: Session
  readonly sender: PacketSender
  /** Of its listener. */
  readonly maxQos: number
  /** Put before its topics and filters; empty for none. */
  readonly mountPoint: string
  /** A bridge gets nothing back that it sent, and RETAIN as published (custom of 3.x). */
  readonly isBridge: boolean
  readonly publisher: Publisher
  readonly aliases: ReceivedAliases
  /** With a store: what holds its acknowledgements back. */
  readonly waiter: Waiter | undefined
  /** QoS 2 messages it may have open; announced as Receive Maximum. */
  readonly receiveMaximum: number
  /** To be published unless the client says goodbye. */
  will: Will | undefined
  /** Seconds; 0 is off. */
  readonly keepAlive: number
  /** ms: when it was let in. */
  readonly connectedAt: number
  /** Which line of the password file has admitted it: when it is another, the client has to log in again. */
  readonly credential: string | undefined
  /** A plugin has let it in: no line of the file did. */
  readonly isVouchedFor: boolean
  /** CONNECT asked for a session that outlives the connection: DISCONNECT may change for how long. */
  readonly askedForSession: boolean
}
