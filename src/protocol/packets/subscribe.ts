// SUBSCRIBE and SUBACK (MQTT 5.0 sections 3.8 and 3.9, 3.1.1 sections 3.8 and 3.9).

import { PacketType, type ProtocolVersion } from '../packet-types.js'
import { NO_PROPERTIES, type Properties, readProperties, writeProperties } from '../properties.js'
import { ProtocolError } from '../protocol-error.js'
import type { Reader } from '../reader.js'
import { isReasonCodeOf, ReasonCode } from '../reason-codes.js'
import { type FilterParts, hasAcceptableDepth, parseFilter } from '../topics.js'
import { Writer } from '../writer.js'
import { readPacketId } from './acks.js'
import type { Qos } from './publish.js'

/** 0: send retained messages; 1: only for a subscription that is new; 2: never. */
export type RetainHandling = 0 | 1 | 2

export interface SubscriptionRequest {
  /** As sent, with `$share/group/` where it is shared. */
  readonly filter: string
  readonly qos: Qos
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: RetainHandling
}

export interface Subscribe {
  readonly type: typeof PacketType.SUBSCRIBE
  readonly packetId: number
  readonly properties: Readonly<Properties>
  readonly subscriptions: readonly SubscriptionRequest[]
}

export interface Suback {
  readonly type: typeof PacketType.SUBACK
  readonly packetId: number
  readonly properties: Readonly<Properties>
  readonly reasonCodes: readonly number[]
}

/**
 * The parts of a filter received in SUBSCRIBE or UNSUBSCRIBE.
 * @throws ProtocolError 0x81 for a malformed filter, 0x82 for a malformed share, 0x8F for too many levels.
 */
export function checkFilter(text: string): FilterParts {
  const parts = parseFilter(text)
  if (parts === undefined) {
    const share = text === '$share' || text.startsWith('$share/')
    throw share
      ? new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'malformed shared subscription') // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
      : new ProtocolError(ReasonCode.MALFORMED_PACKET, 'malformed topic filter') // [MQTT-4.7.1-1] [MQTT-4.7.1-2]
  }
  if (!hasAcceptableDepth(text)) throw new ProtocolError(ReasonCode.TOPIC_FILTER_INVALID, 'filter with too many levels')
  return parts
}

function readOptions(filter: string, options: number, version: ProtocolVersion): SubscriptionRequest {
  const shared = checkFilter(filter).group !== undefined
  const qos = options & 3
  const reserved = version === 5 ? 0xc0 : 0xfc
  // [MQTT-3.8.3-5]; MQTT 3.1 says only that these bits are not used.
  if ((options & reserved) !== 0 && version > 3)
    throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'reserved subscription options')
  if (qos === 3) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'subscription with QoS 3')
  if (version < 5) return { filter, qos: qos as Qos, noLocal: false, retainAsPublished: false, retainHandling: 0 }
  const retainHandling = (options >> 4) & 3
  if (retainHandling === 3) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'retain handling 3')
  const noLocal = (options & 4) !== 0
  if (noLocal && shared) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'no local on a shared subscription') // [MQTT-3.8.3-4]
  return {
    filter,
    qos: qos as Qos,
    noLocal,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as RetainHandling,
  }
}

/** @throws ProtocolError 0x81, 0x82, 0x8F */
export function decodeSubscribe(reader: Reader, version: ProtocolVersion): Subscribe {
  const packetId = readPacketId(reader)
  const properties = version === 5 ? readProperties(reader, 'SUBSCRIBE', 'client') : NO_PROPERTIES
  const subscriptions: SubscriptionRequest[] = []
  while (reader.remaining > 0) {
    const filter = reader.string() // [MQTT-3.8.3-1]
    subscriptions.push(readOptions(filter, reader.byte(), version))
  }
  if (subscriptions.length === 0 && version > 3)
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'SUBSCRIBE without a filter') // [MQTT-3.8.3-2]
  return { type: PacketType.SUBSCRIBE, packetId, properties, subscriptions }
}

/** The options byte of one filter (5.0 section 3.8.3.1). */
export function subscriptionOptions(request: SubscriptionRequest): number {
  return request.qos | (request.noLocal ? 4 : 0) | (request.retainAsPublished ? 8 : 0) | (request.retainHandling << 4)
}

export function encodeSubscribe(packet: Subscribe, version: ProtocolVersion): Buffer {
  const writer = new Writer()
  writer.uint16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties)
  for (const request of packet.subscriptions) {
    writer.string(request.filter)
    writer.byte(version === 5 ? subscriptionOptions(request) : request.qos)
  }
  return writer.finish((PacketType.SUBSCRIBE << 4) | 2)
}

/** @throws ProtocolError 0x81, 0x82 */
export function decodeSuback(reader: Reader, version: ProtocolVersion): Suback {
  const packetId = readPacketId(reader)
  const properties = version === 5 ? readProperties(reader, 'SUBACK', 'server') : NO_PROPERTIES
  const reasonCodes = [...reader.rest()]
  for (const code of reasonCodes) {
    const known = version === 5 ? isReasonCodeOf('SUBACK', code) : code <= 2 || code === 0x80
    if (!known) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `reason code ${code} in SUBACK`) // [MQTT-3.9.3-2] [MQTT-3.9.3-2 of 3.1.1]
  }
  return { type: PacketType.SUBACK, packetId, properties, reasonCodes }
}

export function encodeSuback(packet: Suback, version: ProtocolVersion): Buffer {
  const writer = new Writer()
  writer.uint16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties)
  for (const code of packet.reasonCodes) writer.byte(code)
  return writer.finish(PacketType.SUBACK << 4)
}
