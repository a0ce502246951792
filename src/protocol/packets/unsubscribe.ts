// UNSUBSCRIBE and UNSUBACK (MQTT 5.0 sections 3.10 and 3.11, 3.1.1 sections 3.10 and 3.11).

import { PacketType, type ProtocolVersion } from '../packet-types.js'
import { NO_PROPERTIES, type Properties, readProperties, writeProperties } from '../properties.js'
import { ProtocolError } from '../protocol-error.js'
import type { Reader } from '../reader.js'
import { isReasonCodeOf, ReasonCode } from '../reason-codes.js'
import { Writer } from '../writer.js'
import { readPacketId } from './acks.js'
import { checkFilter } from './subscribe.js'

export interface Unsubscribe {
  readonly type: typeof PacketType.UNSUBSCRIBE
  readonly packetId: number
  readonly properties: Readonly<Properties>
  readonly filters: readonly string[]
}

export interface Unsuback {
  readonly type: typeof PacketType.UNSUBACK
  readonly packetId: number
  readonly properties: Readonly<Properties>
  /** One a filter in 5.0, empty in 3.x. */
  readonly reasonCodes: readonly number[]
}

/** @throws ProtocolError 0x81, 0x82, 0x8F */
export function decodeUnsubscribe(reader: Reader, version: ProtocolVersion): Unsubscribe {
  const packetId = readPacketId(reader)
  const properties = version === 5 ? readProperties(reader, 'UNSUBSCRIBE', 'client') : NO_PROPERTIES
  const filters: string[] = []
  while (reader.remaining > 0) {
    const filter = reader.string() // [MQTT-3.10.3-1]
    checkFilter(filter)
    filters.push(filter)
  }
  if (filters.length === 0 && version > 3)
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'UNSUBSCRIBE without a filter') // [MQTT-3.10.3-2]
  return { type: PacketType.UNSUBSCRIBE, packetId, properties, filters }
}

export function encodeUnsubscribe(packet: Unsubscribe, version: ProtocolVersion): Buffer {
  const writer = new Writer()
  writer.uint16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties)
  for (const filter of packet.filters) writer.string(filter)
  return writer.finish((PacketType.UNSUBSCRIBE << 4) | 2)
}

/** @throws ProtocolError 0x81, 0x82 */
export function decodeUnsuback(reader: Reader, version: ProtocolVersion): Unsuback {
  const packetId = readPacketId(reader)
  let properties: Readonly<Properties> = NO_PROPERTIES
  let reasonCodes: number[] = []
  if (version === 5) {
    properties = readProperties(reader, 'UNSUBACK', 'server')
    reasonCodes = [...reader.rest()]
    for (const code of reasonCodes)
      if (!isReasonCodeOf('UNSUBACK', code))
        throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `reason code ${code} in UNSUBACK`) // [MQTT-3.11.3-2]
  }
  reader.finish()
  return { type: PacketType.UNSUBACK, packetId, properties, reasonCodes }
}

export function encodeUnsuback(packet: Unsuback, version: ProtocolVersion): Buffer {
  const writer = new Writer()
  writer.uint16(packet.packetId)
  if (version === 5) {
    writeProperties(writer, packet.properties)
    for (const code of packet.reasonCodes) writer.byte(code)
  }
  return writer.finish(PacketType.UNSUBACK << 4)
}
