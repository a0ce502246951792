// CONNACK (MQTT 5.0 section 3.2, 3.1.1 section 3.2).

import { PacketType, type ProtocolVersion } from '../packet-types.js'
import { NO_PROPERTIES, type Properties, readProperties, writeProperties } from '../properties.js'
import { ProtocolError } from '../protocol-error.js'
import type { Reader } from '../reader.js'
import { isReasonCodeOf, ReasonCode, returnCodeTexts } from '../reason-codes.js'
import { Writer } from '../writer.js'

export interface Connack {
  readonly type: typeof PacketType.CONNACK
  readonly sessionPresent: boolean
  /** A reason code in 5.0, a return code 0..5 in 3.x. */
  readonly reasonCode: number
  readonly properties: Readonly<Properties>
}

function connack(sessionPresent: boolean, reasonCode: number, properties: Readonly<Properties>): Connack {
  return { type: PacketType.CONNACK, sessionPresent, reasonCode, properties }
}

/** @throws ProtocolError 0x81, 0x82 */
export function decodeConnack(reader: Reader, version: ProtocolVersion): Connack {
  const flags = reader.byte()
  const code = reader.byte()
  if (version > 3 && flags > 1) throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'reserved CONNACK flags') // [MQTT-3.2.2-1]
  const sessionPresent = version > 3 && flags === 1
  // A server that knows only 3.x refuses a 5.0 CONNECT in its own, shorter form.
  if (version === 5 && reader.remaining === 0 && code === 1)
    return connack(false, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, NO_PROPERTIES)
  const known = version === 5 ? isReasonCodeOf('CONNACK', code) : code < returnCodeTexts.length
  if (!known) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `CONNACK code ${code}`) // [MQTT-3.2.2-8]
  if (sessionPresent && code !== 0) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'session present in a refusal') // [MQTT-3.2.2-6]
  const properties = version === 5 ? readProperties(reader, 'CONNACK', 'server') : NO_PROPERTIES
  reader.finish()
  return connack(sessionPresent, code, properties)
}

export function encodeConnack(packet: Connack, version: ProtocolVersion): Buffer {
  const writer = new Writer()
  writer.byte(packet.sessionPresent && version > 3 ? 1 : 0)
  writer.byte(packet.reasonCode)
  if (version === 5) writeProperties(writer, packet.properties)
  return writer.finish(PacketType.CONNACK << 4)
}
