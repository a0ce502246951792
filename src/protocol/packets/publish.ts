// PUBLISH (MQTT 5.0 section 3.3, 3.1.1 section 3.3). Decoding is on the hot path: the topic comes from the topic table and the
// payload is a range of the bytes it arrived in, which its owner may reuse once the packet has been handled.

import { PacketType, type ProtocolVersion, type Sender } from '../packet-types.js'
import { NO_PROPERTIES, type Properties, readProperties, writeProperties } from '../properties.js'
import { ProtocolError } from '../protocol-error.js'
import { Reader } from '../reader.js'
import { ReasonCode } from '../reason-codes.js'
import type { TopicTable } from '../topic-table.js'
import { isTopicName } from '../topics.js'
import { Writer } from '../writer.js'

/** Quality of service (MQTT 5.0 section 4.3): 0 at most once, 1 at least once, 2 exactly once. */
export type Qos = 0 | 1 | 2

const NO_BYTES = Buffer.alloc(0)

/** A PUBLISH; its payload is bytes[payloadStart..payloadEnd). */
export class Publish {
  readonly type = PacketType.PUBLISH
  readonly dup: boolean
  readonly qos: Qos
  readonly retain: boolean
  /** Empty when a topic alias stands for it (5.0). */
  readonly topic: string
  /** 1..65535; 0 with QoS 0. */
  readonly packetId: number
  readonly properties: Readonly<Properties>
  readonly bytes: Buffer
  readonly payloadStart: number
  readonly payloadEnd: number

  constructor(
    flags: number,
    topic: string,
    packetId: number,
    properties: Readonly<Properties>,
    bytes: Buffer,
    payloadStart: number,
    payloadEnd: number,
  ) {
    this.dup = (flags & 8) !== 0
    this.qos = ((flags >> 1) & 3) as Qos
    this.retain = (flags & 1) !== 0
    this.topic = topic
    this.packetId = packetId
    this.properties = properties
    this.bytes = bytes
    this.payloadStart = payloadStart
    this.payloadEnd = payloadEnd
  }

  /** A view of the payload, valid as long as the bytes it arrived in. */
  get payload(): Buffer {
    return this.bytes.subarray(this.payloadStart, this.payloadEnd)
  }
}

/** The low four bits of the first byte. */
export function publishFlags(qos: Qos, retain: boolean, dup: boolean): number {
  return (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
}

/** What a sender fills in; the rest has the protocol's defaults. */
export interface PublishFields {
  readonly topic: string
  readonly payload?: Buffer
  readonly qos?: Qos
  readonly retain?: boolean
  readonly dup?: boolean
  readonly packetId?: number
  readonly properties?: Readonly<Properties>
}

/** A PUBLISH to be encoded. */
export function publish(fields: PublishFields): Publish {
  const payload = fields.payload ?? NO_BYTES
  const flags = publishFlags(fields.qos ?? 0, fields.retain ?? false, fields.dup ?? false)
  const properties = fields.properties ?? NO_PROPERTIES
  return new Publish(flags, fields.topic, fields.packetId ?? 0, properties, payload, 0, payload.length)
}

/** Refuses a Response Topic that is no topic name [MQTT-3.3.2-14]. */
export function checkResponseTopic(properties: Readonly<Properties>): void {
  const { responseTopic } = properties
  if (responseTopic !== undefined && !isTopicName(responseTopic))
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'response topic is not a topic name')
}

/**
 * Decodes bytes[start..end), the body behind the fixed header.
 * @throws ProtocolError 0x81, 0x82, 0x90 (too many levels), 0x94 (topic alias 0)
 */
export function decodePublish(
  flags: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
  sender: Sender,
  topics: TopicTable,
): Publish {
  const qos = flags & 6
  if (qos === 6) throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'QoS 3') // [MQTT-3.3.1-4]
  if (qos === 0 && (flags & 8) !== 0 && version > 3)
    throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'DUP with QoS 0') // [MQTT-3.3.1-2]
  const topicStart = start + 2
  const topicEnd = topicStart + (end - start < 2 ? 0 : ((bytes[start] as number) << 8) | (bytes[start + 1] as number))
  let at = topicEnd
  if (qos !== 0) at += 2
  if (at > end || topicStart > end) throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'packet ends inside a field')
  const topic = topics.topicName(bytes, topicStart, topicEnd)
  let packetId = 0
  if (qos !== 0) {
    packetId = ((bytes[topicEnd] as number) << 8) | (bytes[topicEnd + 1] as number)
    if (packetId === 0) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'packet identifier 0') // [MQTT-2.2.1-3]
  }
  let properties: Readonly<Properties> = NO_PROPERTIES
  if (version === 5) {
    if (at < end && bytes[at] === 0) at++
    else {
      const reader = new Reader(bytes, at, end)
      properties = readProperties(reader, 'PUBLISH', sender)
      checkResponseTopic(properties)
      at = reader.at
    }
  }
  if (topicEnd === topicStart && properties.topicAlias === undefined)
    throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'empty topic name') // [MQTT-4.7.3-1]
  return new Publish(flags, topic, packetId, properties, bytes, at, end)
}

export function encodePublish(packet: Publish, version: ProtocolVersion): Buffer {
  const writer = new Writer()
  writer.string(packet.topic)
  if (packet.qos > 0) writer.uint16(packet.packetId) // [MQTT-2.2.1-2]
  if (version === 5) writeProperties(writer, packet.properties)
  writer.raw(packet.payload)
  return writer.finish((PacketType.PUBLISH << 4) | publishFlags(packet.qos, packet.retain, packet.dup))
}
