// What the broker tells about the connection of a client to those who ask for it.

import type { Connection } from '../../net/connection.js'
import type { Peer } from '../../net/listener.js'
import type { ProtocolVersion } from '../../protocol/packet-types.js'
import type { OpenListener } from '../open-listener.js'
import type { ConnectionInfo } from '../plugins/plugin-facts.js'
import type { ConnectedClient } from './connected-client.js'

export interface ConnectionFacts {
  readonly address: string
  readonly port: number
  /** Port of its listener, or the path of its socket. */
  readonly listener: number | string
  readonly protocolVersion: ProtocolVersion
  /** Seconds in force. */
  readonly keepAlive: number
  /** ISO 8601 */
  readonly connectedAt: string
  readonly bytesReceived: number
  readonly bytesSent: number
}

/** The same for plugins, as far as it is known from the start. */
export function connectionInfo(
  { peer, listener }: { readonly peer: Peer; readonly listener: OpenListener },
  protocolVersion: ProtocolVersion,
  keepAlive: number,
): ConnectionInfo {
  const { address, port } = peer
  return { address, port, listener: listener.info, protocolVersion, keepAlive }
}

export function connectionFacts(
  { peer, listener }: { readonly peer: Peer; readonly listener: OpenListener },
  { bytesReceived, bytesSent }: Connection,
  { version: protocolVersion, keepAlive, connectedAt }: ConnectedClient,
): ConnectionFacts {
  return {
    address: peer.address,
    port: peer.port,
    listener: listener.config.path ?? listener.port,
    protocolVersion,
    keepAlive,
    connectedAt: new Date(connectedAt).toISOString(),
    bytesReceived,
    bytesSent,
  }
}
