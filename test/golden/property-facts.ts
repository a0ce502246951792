// What MQTT 5.0 says of its properties, written down a second time from the standard: a sample of each, the packets that may
// carry it (section 2.2.2.2), and a packet around any property list. The table in src/protocol is checked against this one.

import type { Sender } from '../../src/protocol/packet-types.js'
import { publish } from '../../src/protocol/packets/publish.js'
import type { Properties } from '../../src/protocol/properties.js'
import { type Bytes, binary, hex, packet, text, u8, u16, utf8 } from './bytes.js'
import {
  ackPacket,
  authPacket,
  connackPacket,
  connectPacket,
  disconnectPacket,
  type GoldenPacket,
  request,
  subackPacket,
  subscribePacket,
  unsubackPacket,
  unsubscribePacket,
  willOf,
} from './golden-packet.js'

export interface PropertyFact {
  readonly id: number
  readonly name: string
  readonly properties: Properties
  /** Identifier and value on the wire. */
  readonly bytes: Bytes
}

// biome-ignore format: one row a line
export const propertyFacts: readonly PropertyFact[] = [
  { id: 0x01, name: 'Payload Format Indicator', properties: { payloadFormatIndicator: 1 }, bytes: hex('01 01') },
  { id: 0x02, name: 'Message Expiry Interval', properties: { messageExpiryInterval: 0x01020304 }, bytes: hex('02 01 02 03 04') },
  { id: 0x03, name: 'Content Type', properties: { contentType: 'json' }, bytes: hex('03 00 04 6a 73 6f 6e') },
  { id: 0x08, name: 'Response Topic', properties: { responseTopic: 'r/1' }, bytes: hex('08 00 03 72 2f 31') },
  { id: 0x09, name: 'Correlation Data', properties: { correlationData: Buffer.from([0, 255, 7]) }, bytes: hex('09 00 03 00 ff 07') },
  { id: 0x0b, name: 'Subscription Identifier', properties: { subscriptionIdentifiers: [321] }, bytes: hex('0b c1 02') },
  { id: 0x11, name: 'Session Expiry Interval', properties: { sessionExpiryInterval: 0xffffffff }, bytes: hex('11 ff ff ff ff') },
  { id: 0x12, name: 'Assigned Client Identifier', properties: { assignedClientIdentifier: 'id' }, bytes: hex('12 00 02 69 64') },
  { id: 0x13, name: 'Server Keep Alive', properties: { serverKeepAlive: 0x0102 }, bytes: hex('13 01 02') },
  { id: 0x15, name: 'Authentication Method', properties: { authenticationMethod: 'm' }, bytes: hex('15 00 01 6d') },
  { id: 0x16, name: 'Authentication Data', properties: { authenticationData: Buffer.from([0, 1]) }, bytes: hex('16 00 02 00 01') },
  { id: 0x17, name: 'Request Problem Information', properties: { requestProblemInformation: 0 }, bytes: hex('17 00') },
  { id: 0x18, name: 'Will Delay Interval', properties: { willDelayInterval: 5 }, bytes: hex('18 00 00 00 05') },
  { id: 0x19, name: 'Request Response Information', properties: { requestResponseInformation: 1 }, bytes: hex('19 01') },
  { id: 0x1a, name: 'Response Information', properties: { responseInformation: 'r' }, bytes: hex('1a 00 01 72') },
  { id: 0x1c, name: 'Server Reference', properties: { serverReference: 'b:1883' }, bytes: hex('1c 00 06 62 3a 31 38 38 33') },
  { id: 0x1f, name: 'Reason String', properties: { reasonString: 'no' }, bytes: hex('1f 00 02 6e 6f') },
  { id: 0x21, name: 'Receive Maximum', properties: { receiveMaximum: 1 }, bytes: hex('21 00 01') },
  { id: 0x22, name: 'Topic Alias Maximum', properties: { topicAliasMaximum: 0 }, bytes: hex('22 00 00') },
  { id: 0x23, name: 'Topic Alias', properties: { topicAlias: 0x0100 }, bytes: hex('23 01 00') },
  { id: 0x24, name: 'Maximum QoS', properties: { maximumQos: 1 }, bytes: hex('24 01') },
  { id: 0x25, name: 'Retain Available', properties: { retainAvailable: 0 }, bytes: hex('25 00') },
  { id: 0x26, name: 'User Property', properties: { userProperties: [['k', 'é']] }, bytes: hex('26 00 01 6b 00 02 c3 a9') },
  { id: 0x27, name: 'Maximum Packet Size', properties: { maximumPacketSize: 0x80000001 }, bytes: hex('27 80 00 00 01') },
  { id: 0x28, name: 'Wildcard Subscription Available', properties: { wildcardSubscriptionAvailable: 0 }, bytes: hex('28 00') },
  { id: 0x29, name: 'Subscription Identifier Available', properties: { subscriptionIdentifierAvailable: 0 }, bytes: hex('29 00') },
  { id: 0x2a, name: 'Shared Subscription Available', properties: { sharedSubscriptionAvailable: 0 }, bytes: hex('2a 00') },
]

export type Carrier =
  | 'CONNECT'
  | 'Will'
  | 'CONNACK'
  | 'PUBLISH'
  | 'PUBACK'
  | 'PUBREC'
  | 'PUBREL'
  | 'PUBCOMP'
  | 'SUBSCRIBE'
  | 'SUBACK'
  | 'UNSUBSCRIBE'
  | 'UNSUBACK'
  | 'DISCONNECT'
  | 'AUTH'

/** Property identifiers by carrier. */
export const allowed: Readonly<Record<Carrier, Bytes>> = {
  CONNECT: hex('11 15 16 17 19 21 22 26 27'),
  Will: hex('01 02 03 08 09 18 26'),
  CONNACK: hex('11 12 13 15 16 1a 1c 1f 21 22 24 25 26 27 28 29 2a'),
  PUBLISH: hex('01 02 03 08 09 0b 23 26'),
  PUBACK: hex('1f 26'),
  PUBREC: hex('1f 26'),
  PUBREL: hex('1f 26'),
  PUBCOMP: hex('1f 26'),
  SUBSCRIBE: hex('0b 26'),
  SUBACK: hex('1f 26'),
  UNSUBSCRIBE: hex('26'),
  UNSUBACK: hex('1f 26'),
  DISCONNECT: hex('11 1c 1f 26'),
  AUTH: hex('15 16 1f 26'),
}

export const carriers = Object.keys(allowed) as readonly Carrier[]

/** Properties that one side alone may send in a carrier; the other side's is a Protocol Error. */
export const oneSided: readonly { readonly carrier: Carrier; readonly id: number; readonly sender: Sender }[] = [
  { carrier: 'PUBLISH', id: 0x0b, sender: 'server' },
  { carrier: 'DISCONNECT', id: 0x11, sender: 'client' },
  { carrier: 'DISCONNECT', id: 0x1c, sender: 'server' },
]

const clientOnly: readonly Carrier[] = ['CONNECT', 'Will', 'SUBSCRIBE', 'UNSUBSCRIBE']
const serverOnly: readonly Carrier[] = ['CONNACK', 'SUBACK', 'UNSUBACK']

/** Who sends the carrier at all. */
export function sendersOf(carrier: Carrier): readonly Sender[] {
  if (clientOnly.includes(carrier)) return ['client']
  return serverOnly.includes(carrier) ? ['server'] : ['client', 'server']
}

/** Who may send property `id` in it. */
export function sendersOfProperty(carrier: Carrier, id: number): readonly Sender[] {
  const limit = oneSided.find((row) => row.carrier === carrier && row.id === id)
  return limit === undefined ? sendersOf(carrier) : [limit.sender]
}

/** AUTH is nothing without a method, and in CONNECT data is nothing without it. */
export function companions(carrier: Carrier, id: number): Bytes {
  const needsMethod = (carrier === 'AUTH' && id !== 0x15) || (carrier === 'CONNECT' && id === 0x16)
  return needsMethod ? hex('15 00 01 6d') : []
}

/** A 5.0 packet with these bytes where its property list, length included, belongs. */
export function packetWith(carrier: Carrier, list: Bytes): Buffer {
  const mqtt5 = [...text('MQTT'), 5]
  switch (carrier) {
    case 'CONNECT':
      return packet(0x10, mqtt5, u8(2), u16(60), list, text('c'))
    case 'Will':
      return packet(0x10, mqtt5, u8(6), u16(60), u8(0), text('c'), list, text('w'), binary(utf8('gone')))
    case 'CONNACK':
      return packet(0x20, u8(0), u8(0), list)
    case 'PUBLISH':
      return packet(0x30, text('t'), list)
    case 'PUBACK':
      return packet(0x40, u16(1), u8(0), list)
    case 'PUBREC':
      return packet(0x50, u16(1), u8(0), list)
    case 'PUBREL':
      return packet(0x62, u16(1), u8(0), list)
    case 'PUBCOMP':
      return packet(0x70, u16(1), u8(0), list)
    case 'SUBSCRIBE':
      return packet(0x82, u16(1), list, text('t'), u8(0))
    case 'SUBACK':
      return packet(0x90, u16(1), list, u8(0))
    case 'UNSUBSCRIBE':
      return packet(0xa2, u16(1), list, text('t'))
    case 'UNSUBACK':
      return packet(0xb0, u16(1), list, u8(0))
    case 'DISCONNECT':
      return packet(0xe0, u8(0), list)
    case 'AUTH':
      return packet(0xf0, u8(0x18), list)
  }
}

/** The packet that `packetWith` means. */
export function meaningOf(carrier: Carrier, properties: Properties): GoldenPacket['packet'] {
  switch (carrier) {
    case 'CONNECT':
      return connectPacket(5, { properties })
    case 'Will':
      return connectPacket(5, { will: willOf({ properties }) })
    case 'CONNACK':
      return connackPacket(0, { properties })
    case 'PUBLISH':
      return publish({ topic: 't', properties })
    case 'PUBACK':
      return ackPacket(4, 1, 0, properties)
    case 'PUBREC':
      return ackPacket(5, 1, 0, properties)
    case 'PUBREL':
      return ackPacket(6, 1, 0, properties)
    case 'PUBCOMP':
      return ackPacket(7, 1, 0, properties)
    case 'SUBSCRIBE':
      return subscribePacket(1, [request('t')], properties)
    case 'SUBACK':
      return subackPacket(1, [0], properties)
    case 'UNSUBSCRIBE':
      return unsubscribePacket(1, ['t'], properties)
    case 'UNSUBACK':
      return unsubackPacket(1, [0], properties)
    case 'DISCONNECT':
      return disconnectPacket(0, properties)
    case 'AUTH':
      return authPacket(0x18, properties)
  }
}
