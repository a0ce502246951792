// PUBACK, PUBREC, PUBREL and PUBCOMP from a client (MQTT 5.0 section 4.3).

import { PacketType, packetTypeRow } from '../../protocol/packet-types.js'
import { type AckType, SHORT_ACK } from '../../protocol/packets/acks.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import type { ConnectedClient } from './connected-client.js'
import { handlePubrel } from './publish-in.js'

/** @throws ProtocolError 0x82 */
export function handleAck(
  context: BrokerContext,
  client: ConnectedClient,
  type: AckType,
  packetId: number,
  reasonCode: ReasonCode,
): void {
  takeAck(context, client, type, packetId, reasonCode)
  moveUp(context, client)
}

/** What waits may take the place of what is finished. Only what waits can expire. */
function moveUp({ clock }: BrokerContext, { session: { outbound } }: ConnectedClient): void {
  outbound.pump(outbound.queuedCount === 0 ? 0 : clock())
}

function takeAck(
  context: BrokerContext,
  client: ConnectedClient,
  type: AckType,
  packetId: number,
  reasonCode: ReasonCode,
): void {
  const { log, points } = context
  const { session } = client
  const { clientId, outbound } = session
  if (log.isDebug)
    log.debug(`Received ${packetTypeRow(type)?.name} from ${clientId} (Mid: ${packetId}, RC:${reasonCode})`)
  if (packetId === 0) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'packet identifier 0')
  if (type === PacketType.PUBREL) {
    handlePubrel(context, client, packetId)
    return
  }
  const finished = outbound.onAck(type, packetId, reasonCode)
  if (finished !== undefined) points.acknowledged?.(finished.message, session.info, reasonCode)
}

/**
 * Takes acknowledgements of one type, without reason code and properties, that lie one behind the other in bytes[at..limit). Returns
 * where the rest begins.
 * @throws ProtocolError 0x82
 */
export function handleFollowingAcks(
  context: BrokerContext,
  client: ConnectedClient,
  bytes: Buffer,
  at: number,
  limit: number,
): number {
  const header = bytes[at] as number
  const type = (header >> 4) as AckType
  let next = at
  while (next + SHORT_ACK <= limit && bytes[next] === header && bytes[next + 1] === SHORT_ACK - 2) {
    context.statistics.countReceived(type)
    const packetId = ((bytes[next + 2] as number) << 8) | (bytes[next + 3] as number)
    takeAck(context, client, type, packetId, ReasonCode.SUCCESS)
    next += SHORT_ACK
  }
  moveUp(context, client)
  return next
}
