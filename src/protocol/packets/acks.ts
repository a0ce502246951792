// PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5.0 sections 3.4 to 3.7): a packet identifier, in 5.0 with reason code and
// properties, both of which may be left out of a success.

import { PacketType, type ProtocolVersion, packetTypeRow, type Sender } from '../packet-types.js'
import { NO_PROPERTIES, type Properties, readProperties, writeProperties } from '../properties.js'
import { ProtocolError } from '../protocol-error.js'
import type { Reader } from '../reader.js'
import { isReasonCodeOf, ReasonCode } from '../reason-codes.js'
import { Writer } from '../writer.js'

export type AckType =
  | typeof PacketType.PUBACK
  | typeof PacketType.PUBREC
  | typeof PacketType.PUBREL
  | typeof PacketType.PUBCOMP

export interface Ack {
  readonly type: AckType
  readonly packetId: number
  /** SUCCESS in 3.x. */
  readonly reasonCode: ReasonCode
  readonly properties: Readonly<Properties>
}

const names = {
  [PacketType.PUBACK]: 'PUBACK',
  [PacketType.PUBREC]: 'PUBREC',
  [PacketType.PUBREL]: 'PUBREL',
  [PacketType.PUBCOMP]: 'PUBCOMP',
} as const

/** Bytes of an acknowledgement without reason code and properties. */
export const SHORT_ACK = 4

/** The first byte of an acknowledgement [MQTT-3.6.1-1]. */
export function ackHeader(type: AckType): number {
  return (type << 4) | (packetTypeRow(type)?.flags ?? 0)
}

/** A packet identifier that may not be 0 [MQTT-2.2.1-3]. */
export function readPacketId(reader: Reader): number {
  const packetId = reader.uint16()
  if (packetId === 0) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'packet identifier 0')
  return packetId
}

/** @throws ProtocolError 0x81, 0x82 */
export function decodeAck(reader: Reader, type: AckType, version: ProtocolVersion, sender: Sender): Ack {
  const packetId = readPacketId(reader)
  if (version < 5 || reader.remaining === 0) {
    reader.finish()
    return { type, packetId, reasonCode: ReasonCode.SUCCESS, properties: NO_PROPERTIES }
  }
  const code = reader.byte()
  // [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
  if (!isReasonCodeOf(names[type], code))
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `reason code ${code} in ${names[type]}`)
  const properties = reader.remaining === 0 ? NO_PROPERTIES : readProperties(reader, names[type], sender)
  reader.finish()
  return { type, packetId, reasonCode: code, properties }
}

export function encodeAck(packet: Ack, version: ProtocolVersion): Buffer {
  const writer = new Writer()
  writer.uint16(packet.packetId)
  const bare = Object.keys(packet.properties).length === 0
  if (version === 5 && !(bare && packet.reasonCode === ReasonCode.SUCCESS)) {
    writer.byte(packet.reasonCode)
    if (!bare) writeProperties(writer, packet.properties)
  }
  return writer.finish(ackHeader(packet.type))
}
