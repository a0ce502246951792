// DISCONNECT (MQTT 5.0 section 3.14, 3.1.1 section 3.14) and AUTH (5.0 section 3.15): reason code and properties, both of which
// may be left out.

import { PacketType, type ProtocolVersion, type Sender } from '../packet-types.js'
import { NO_PROPERTIES, type Properties, readProperties, writeProperties } from '../properties.js'
import { ProtocolError } from '../protocol-error.js'
import type { Reader } from '../reader.js'
import { disconnectOf, isReasonCodeOf, ReasonCode } from '../reason-codes.js'
import { Writer } from '../writer.js'

export interface Disconnect {
  readonly type: typeof PacketType.DISCONNECT
  /** SUCCESS in 3.x, where only the client sends the packet. */
  readonly reasonCode: ReasonCode
  readonly properties: Readonly<Properties>
}

export interface Auth {
  readonly type: typeof PacketType.AUTH
  readonly reasonCode: ReasonCode
  readonly properties: Readonly<Properties>
}

/** @throws ProtocolError 0x81, 0x82 */
export function decodeDisconnect(reader: Reader, version: ProtocolVersion, sender: Sender): Disconnect {
  if (version < 5 || reader.remaining === 0) {
    reader.finish()
    return { type: PacketType.DISCONNECT, reasonCode: ReasonCode.SUCCESS, properties: NO_PROPERTIES }
  }
  const code = reader.byte()
  if (!isReasonCodeOf(disconnectOf(sender), code))
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `reason code ${code} in DISCONNECT`) // [MQTT-3.14.2-1]
  const properties = reader.remaining === 0 ? NO_PROPERTIES : readProperties(reader, 'DISCONNECT', sender) // [MQTT-3.14.2-2]
  reader.finish()
  return { type: PacketType.DISCONNECT, reasonCode: code, properties }
}

/** @throws ProtocolError 0x81, 0x82 */
export function decodeAuth(reader: Reader, sender: Sender): Auth {
  const code = reader.remaining === 0 ? ReasonCode.SUCCESS : reader.byte()
  if (!isReasonCodeOf('AUTH', code)) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `reason code ${code} in AUTH`) // [MQTT-3.15.2-1]
  // Success is the server's word, re-authentication the client's.
  if (code === (sender === 'client' ? ReasonCode.SUCCESS : ReasonCode.RE_AUTHENTICATE))
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `AUTH with reason code ${code} from a ${sender}`)
  const properties = reader.remaining === 0 ? NO_PROPERTIES : readProperties(reader, 'AUTH', sender)
  reader.finish()
  if (properties.authenticationMethod === undefined)
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'AUTH without a method') // [MQTT-4.12.0-5]
  return { type: PacketType.AUTH, reasonCode: code, properties }
}

function encodeShortened(packet: Disconnect | Auth): Buffer {
  const writer = new Writer()
  const bare = Object.keys(packet.properties).length === 0
  if (!bare || packet.reasonCode !== ReasonCode.SUCCESS) {
    writer.byte(packet.reasonCode)
    if (!bare) writeProperties(writer, packet.properties)
  }
  return writer.finish(packet.type << 4)
}

export function encodeDisconnect(packet: Disconnect, version: ProtocolVersion): Buffer {
  return version === 5 ? encodeShortened(packet) : Buffer.from([PacketType.DISCONNECT << 4, 0])
}

export function encodeAuth(packet: Auth): Buffer {
  return encodeShortened(packet)
}
