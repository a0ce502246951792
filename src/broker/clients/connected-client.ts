// What the handlers of single packet types need to know of the client they act for. Made when CONNECT is accepted.

import type { ProtocolVersion } from '../../protocol/packet-types.js'
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
}
