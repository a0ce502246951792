// How log lines describe packets: the shapes that users of Mosquitto search for.

import type { Peer } from '../../net/listener.js'
import type { Connect } from '../../protocol/packets/connect.js'

/** `(d0, q1, r0, m5, 'topic', ... (12 bytes))` */
export function describePublish(
  message: { readonly topic: string; readonly size: number },
  qos: number,
  retain: boolean,
  dup: boolean,
  packetId: number,
): string {
  return `(d${Number(dup)}, q${qos}, r${Number(retain)}, m${packetId}, '${message.topic}', ... (${message.size} bytes))`
}

/** `New client connected from 127.0.0.1:4711 as ID (p5, c1, k60, u'NAME').` */
export function describeArrival({ address, port }: Peer, connect: Connect, clientId: string): string {
  const { protocolVersion, cleanStart, keepAlive, username, bridge } = connect
  const user = username === undefined ? '' : `, u'${username}'`
  const flags = `p${protocolVersion}, c${Number(cleanStart)}, k${keepAlive}${user}`
  return `New ${bridge ? 'bridge' : 'client'} connected from ${address}:${port} as ${clientId} (${flags}).`
}
