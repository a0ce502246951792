// The row of the golden table, and literals for the packets in it with the protocol's defaults filled in.

import type { Packet } from '../../src/protocol/codec.js'
import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import type { Ack, AckType } from '../../src/protocol/packets/acks.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Connect, Will } from '../../src/protocol/packets/connect.js'
import type { Auth, Disconnect } from '../../src/protocol/packets/disconnect.js'
import type { Suback, Subscribe, SubscriptionRequest } from '../../src/protocol/packets/subscribe.js'
import type { Unsuback, Unsubscribe } from '../../src/protocol/packets/unsubscribe.js'
import type { ReasonCode } from '../../src/protocol/reason-codes.js'

/** A packet and its only right bytes. */
export interface GoldenPacket {
  readonly name: string
  readonly version: ProtocolVersion
  readonly sender: Sender
  readonly bytes: Buffer
  readonly packet: Packet
  /** These bytes must be understood, but the packet is written in another form (shorter, or without unused bits). */
  readonly readOnly?: true
}

export const versions = [3, 4, 5] as const
export const senders = ['client', 'server'] as const
export const versionNames = { 3: '3.1', 4: '3.1.1', 5: '5.0' } as const

export const none = {}

export function connectPacket(version: ProtocolVersion, fields: Partial<Connect> = {}): Connect {
  return {
    type: 1,
    protocolVersion: version,
    bridge: false,
    cleanStart: true,
    keepAlive: 60,
    clientId: 'c',
    properties: none,
    will: undefined,
    username: undefined,
    password: undefined,
    ...fields,
  }
}

export function willOf(fields: Partial<Will> = {}): Will {
  return { topic: 'w', payload: Buffer.from('gone'), qos: 0, retain: false, properties: none, ...fields }
}

export function connackPacket(reasonCode: number, fields: Partial<Connack> = {}): Connack {
  return { type: 2, sessionPresent: false, reasonCode, properties: none, ...fields }
}

export function ackPacket(type: AckType, packetId: number, reasonCode = 0, properties: Ack['properties'] = none): Ack {
  return { type, packetId, reasonCode: reasonCode as ReasonCode, properties }
}

export function request(filter: string, fields: Partial<SubscriptionRequest> = {}): SubscriptionRequest {
  return { filter, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0, ...fields }
}

export function subscribePacket(
  packetId: number,
  subscriptions: readonly SubscriptionRequest[],
  properties: Subscribe['properties'] = none,
): Subscribe {
  return { type: 8, packetId, properties, subscriptions }
}

export function subackPacket(
  packetId: number,
  reasonCodes: readonly number[],
  properties: Suback['properties'] = none,
): Suback {
  return { type: 9, packetId, properties, reasonCodes }
}

export function unsubscribePacket(
  packetId: number,
  filters: readonly string[],
  properties: Unsubscribe['properties'] = none,
): Unsubscribe {
  return { type: 10, packetId, properties, filters }
}

export function unsubackPacket(
  packetId: number,
  reasonCodes: readonly number[],
  properties: Unsuback['properties'] = none,
): Unsuback {
  return { type: 11, packetId, properties, reasonCodes }
}

export function disconnectPacket(reasonCode = 0, properties: Disconnect['properties'] = none): Disconnect {
  return { type: 14, reasonCode: reasonCode as ReasonCode, properties }
}

export function authPacket(reasonCode: number, properties: Auth['properties']): Auth {
  return { type: 15, reasonCode: reasonCode as ReasonCode, properties }
}
