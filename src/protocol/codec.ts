// Bytes of one whole packet ↔ the packet. Dispatches by type to packets/*; what a packet may contain is decided there.

import { PacketType, type ProtocolVersion, type Sender } from './packet-types.js'
import { type Ack, decodeAck, encodeAck } from './packets/acks.js'
import { type Connack, decodeConnack, encodeConnack } from './packets/connack.js'
import { type Connect, decodeConnect, encodeConnect } from './packets/connect.js'
import {
  type Auth,
  type Disconnect,
  decodeAuth,
  decodeDisconnect,
  encodeAuth,
  encodeDisconnect,
} from './packets/disconnect.js'
import { decodePing, encodePing, type Ping } from './packets/ping.js'
import { decodePublish, encodePublish, type Publish } from './packets/publish.js'
import {
  decodeSuback,
  decodeSubscribe,
  encodeSuback,
  encodeSubscribe,
  type Suback,
  type Subscribe,
} from './packets/subscribe.js'
import {
  decodeUnsuback,
  decodeUnsubscribe,
  encodeUnsuback,
  encodeUnsubscribe,
  type Unsuback,
  type Unsubscribe,
} from './packets/unsubscribe.js'
import { NO_PROPERTIES } from './properties.js'
import { ProtocolError } from './protocol-error.js'
import { Reader } from './reader.js'
import { ReasonCode } from './reason-codes.js'
import type { TopicTable } from './topic-table.js'

/** Any packet of MQTT 3.1, 3.1.1 or 5.0, told apart by `type`. */
export type Packet =
  | Connect
  | Connack
  | Publish
  | Ack
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Ping
  | Disconnect
  | Auth

/**
 * Decodes the body bytes[start..end) of a packet whose first byte is `header`; the framer has checked type, flags and sender.
 * Binary fields and payloads are views into `bytes`. For CONNECT the version is read from the packet.
 * @throws ProtocolError with the reason code that the sender is to be told
 */
export function decodePacket(
  header: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
  sender: Sender,
  topics: TopicTable,
): Packet {
  const type = header >> 4
  if (type === PacketType.PUBLISH) return decodePublish(header & 15, bytes, start, end, version, sender, topics)
  const reader = new Reader(bytes, start, end)
  switch (type) {
    case PacketType.CONNECT:
      return decodeConnect(reader)
    case PacketType.CONNACK:
      return decodeConnack(reader, version)
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return decodeAck(reader, type, version, sender)
    case PacketType.SUBSCRIBE:
      return decodeSubscribe(reader, version)
    case PacketType.SUBACK:
      return decodeSuback(reader, version)
    case PacketType.UNSUBSCRIBE:
      return decodeUnsubscribe(reader, version)
    case PacketType.UNSUBACK:
      return decodeUnsuback(reader, version)
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
      return decodePing(reader, type)
    case PacketType.DISCONNECT:
      return decodeDisconnect(reader, version, sender)
    case PacketType.AUTH:
      return decodeAuth(reader, sender)
    default:
      throw new ProtocolError(ReasonCode.MALFORMED_PACKET, `packet type ${type}`)
  }
}

/** Encodes a whole packet. RangeError for values that do not fit their field; CONNECT carries its own version. */
export function encodePacket(packet: Packet, version: ProtocolVersion): Buffer {
  switch (packet.type) {
    case PacketType.CONNECT:
      return encodeConnect(packet)
    case PacketType.CONNACK:
      return encodeConnack(packet, version)
    case PacketType.PUBLISH:
      return encodePublish(packet, version)
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return encodeAck(packet, version)
    case PacketType.SUBSCRIBE:
      return encodeSubscribe(packet, version)
    case PacketType.SUBACK:
      return encodeSuback(packet, version)
    case PacketType.UNSUBSCRIBE:
      return encodeUnsubscribe(packet, version)
    case PacketType.UNSUBACK:
      return encodeUnsuback(packet, version)
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
      return encodePing(packet)
    case PacketType.DISCONNECT:
      return encodeDisconnect(packet, version)
    case PacketType.AUTH:
      return encodeAuth(packet)
  }
}

/** Packets that may carry Reason String and User Property, and in which the receiver can do without. */
export type Trimmable = Connack | Ack | Suback | Unsuback | Disconnect | Auth

/** The packet without Reason String and User Property. */
export function withoutReason<P extends Trimmable>(packet: P): P {
  const { reasonString, userProperties, ...kept } = packet.properties
  if (reasonString === undefined && userProperties === undefined) return packet
  return { ...packet, properties: Object.keys(kept).length === 0 ? NO_PROPERTIES : kept }
}

/**
 * Encodes a packet for a receiver that takes at most `maximumPacketSize` bytes: Reason String and User Property are left out
 * rather than exceed it, in CONNACK [MQTT-3.2.2-19] [MQTT-3.2.2-20], PUBACK [MQTT-3.4.2-2] [MQTT-3.4.2-3], PUBREC
 * [MQTT-3.5.2-2] [MQTT-3.5.2-3], PUBREL [MQTT-3.6.2-2] [MQTT-3.6.2-3], PUBCOMP [MQTT-3.7.2-2] [MQTT-3.7.2-3], SUBACK
 * [MQTT-3.9.2-1] [MQTT-3.9.2-2], UNSUBACK [MQTT-3.11.2-1] [MQTT-3.11.2-2], DISCONNECT [MQTT-3.14.2-3] [MQTT-3.14.2-4] and AUTH
 * [MQTT-3.15.2-2] [MQTT-3.15.2-3]. Undefined when it is still too large.
 */
export function encodeWithin(
  packet: Trimmable,
  version: ProtocolVersion,
  maximumPacketSize: number,
): Buffer | undefined {
  const whole = encodePacket(packet, version)
  if (whole.length <= maximumPacketSize) return whole
  const trimmed = encodePacket(withoutReason(packet), version)
  return trimmed.length <= maximumPacketSize ? trimmed : undefined
}
