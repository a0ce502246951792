// CONNECT (MQTT 5.0 section 3.1, 3.1.1 section 3.1, MQTT 3.1 section 3.1).

import { PacketType, type ProtocolVersion } from '../packet-types.js'
import { NO_PROPERTIES, type Properties, readProperties, writeProperties } from '../properties.js'
import { ProtocolError } from '../protocol-error.js'
import type { Reader } from '../reader.js'
import { ReasonCode } from '../reason-codes.js'
import { hasAcceptableDepth, isTopicName } from '../topics.js'
import { Writer } from '../writer.js'
import { checkResponseTopic, type Qos } from './publish.js'

/** What the server publishes for a client that goes away without saying so (section 3.1.2.5). */
export interface Will {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: Qos
  readonly retain: boolean
  readonly properties: Readonly<Properties>
}

export interface Connect {
  readonly type: typeof PacketType.CONNECT
  readonly protocolVersion: ProtocolVersion
  /** The sender is a bridge: bit 7 of the protocol level in 3.x, custom of several brokers. */
  readonly bridge: boolean
  /** Clean Session in 3.x. */
  readonly cleanStart: boolean
  /** Seconds; 0 is off. */
  readonly keepAlive: number
  readonly clientId: string
  readonly properties: Readonly<Properties>
  readonly will: Will | undefined
  readonly username: string | undefined
  readonly password: Uint8Array | undefined
}

const USERNAME = 0x80
const PASSWORD = 0x40
const WILL_RETAIN = 0x20
const WILL = 0x04
const CLEAN_START = 0x02
const BRIDGE_LEVEL = 0x80

function malformed(message: string): ProtocolError {
  return new ProtocolError(ReasonCode.MALFORMED_PACKET, message)
}

function versionOf(name: string, level: number): ProtocolVersion | undefined {
  const plain = level & ~BRIDGE_LEVEL
  if (name === 'MQIsdp') return plain === 3 ? 3 : undefined
  if (plain === 4) return 4
  return level === 5 ? 5 : undefined
}

/**
 * The version in whose form a CONNECT that cannot be served is refused: 3.1.1 up to level 4, 5.0 above.
 * Undefined when the bytes do not begin like MQTT at all; then nothing is answered.
 */
export function refusalVersion(reader: Reader): ProtocolVersion | undefined {
  try {
    const name = reader.string()
    if (name !== 'MQTT' && name !== 'MQIsdp') return undefined
    return (reader.byte() & ~BRIDGE_LEVEL) < 5 ? 4 : 5
  } catch {
    return undefined
  }
}

function readWill(reader: Reader, flags: number, version: ProtocolVersion): Will {
  const qos = (flags >> 3) & 3
  if (qos === 3) throw malformed('will QoS 3') // [MQTT-3.1.2-12]
  const properties = version === 5 ? readProperties(reader, 'Will', 'client') : NO_PROPERTIES
  checkResponseTopic(properties)
  const topic = reader.string() // [MQTT-3.1.3-11]
  if (topic.length === 0) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'empty will topic') // [MQTT-4.7.3-1]
  if (!isTopicName(topic)) throw malformed('will topic with a wildcard') // [MQTT-4.7.0-1]
  if (!hasAcceptableDepth(topic))
    throw new ProtocolError(ReasonCode.TOPIC_NAME_INVALID, 'will topic with too many levels')
  return { topic, payload: reader.binary(), qos: qos as Qos, retain: (flags & WILL_RETAIN) !== 0, properties }
}

/**
 * Decodes and validates a CONNECT [MQTT-3.1.4-1].
 * @throws ProtocolError 0x81, 0x82, 0x84 (name or level), 0x90 (will topic)
 */
export function decodeConnect(reader: Reader): Connect {
  const name = reader.string()
  if (name !== 'MQTT' && name !== 'MQIsdp') throw new ProtocolError(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, 'not MQTT') // [MQTT-3.1.2-1]
  const level = reader.byte()
  const version = versionOf(name, level)
  if (version === undefined)
    throw new ProtocolError(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, `protocol level ${level} of ${name}`) // [MQTT-3.1.2-2]
  const flags = reader.byte()
  const strict = version > 3 // MQTT 3.1 leaves unused bits undefined and does not insist on the credentials it announces.
  if (strict && (flags & 1) !== 0) throw malformed('reserved connect flag') // [MQTT-3.1.2-3]
  if ((flags & WILL) === 0) {
    if ((flags & 0x18) !== 0 && strict) throw malformed('will QoS without a will') // [MQTT-3.1.2-11] [MQTT-3.1.2-11 of 3.1.1]
    if ((flags & WILL_RETAIN) !== 0 && strict) throw malformed('will retain without a will') // [MQTT-3.1.2-13]
  }
  // [MQTT-3.1.2-22 of 3.1.1]; 5.0 allows a password alone.
  if (version < 5 && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) throw malformed('password without user name')
  const keepAlive = reader.uint16()
  const properties = version === 5 ? readProperties(reader, 'CONNECT', 'client') : NO_PROPERTIES
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined)
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'authentication data without a method')
  const clientId = reader.string() // [MQTT-3.1.3-3] [MQTT-3.1.3-4]
  const will = (flags & WILL) !== 0 ? readWill(reader, flags, version) : undefined // [MQTT-3.1.2-9] [MQTT-3.1.3-1]
  const absent = (flag: number) => (flags & flag) === 0 || (!strict && reader.remaining === 0)
  const username = absent(USERNAME) ? undefined : reader.string() // [MQTT-3.1.2-17] [MQTT-3.1.3-12]
  const password = absent(PASSWORD) ? undefined : reader.binary() // [MQTT-3.1.2-19]
  reader.finish() // [MQTT-3.1.2-16] [MQTT-3.1.2-18]
  return {
    type: PacketType.CONNECT,
    protocolVersion: version,
    bridge: (level & BRIDGE_LEVEL) !== 0,
    cleanStart: (flags & CLEAN_START) !== 0,
    keepAlive,
    clientId,
    properties,
    will,
    username,
    password,
  }
}

export function encodeConnect(packet: Connect): Buffer {
  const { will, protocolVersion: version } = packet
  const writer = new Writer()
  writer.string(version === 3 ? 'MQIsdp' : 'MQTT')
  writer.byte(version | (packet.bridge ? BRIDGE_LEVEL : 0))
  writer.byte(
    (packet.username === undefined ? 0 : USERNAME) |
      (packet.password === undefined ? 0 : PASSWORD) |
      (will === undefined ? 0 : WILL | (will.qos << 3) | (will.retain ? WILL_RETAIN : 0)) |
      (packet.cleanStart ? CLEAN_START : 0),
  )
  writer.uint16(packet.keepAlive)
  if (version === 5) writeProperties(writer, packet.properties)
  writer.string(packet.clientId)
  if (will !== undefined) {
    if (version === 5) writeProperties(writer, will.properties)
    writer.string(will.topic)
    writer.binary(will.payload)
  }
  if (packet.username !== undefined) writer.string(packet.username)
  if (packet.password !== undefined) writer.binary(packet.password)
  return writer.finish(PacketType.CONNECT << 4)
}
