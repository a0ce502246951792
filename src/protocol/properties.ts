// TABLE of the MQTT 5.0 properties (section 2.2.2.2) and the two functions it drives: reading and writing a property list.
// Which packets may carry a property, how often, and in which range is in the table, nowhere else.

import type { PacketName, Sender } from './packet-types.js'
import { ProtocolError } from './protocol-error.js'
import type { Reader } from './reader.js'
import { ReasonCode } from './reason-codes.js'
import { varintSize, type Writer } from './writer.js'

/** A name and a value of a program's own (MQTT 5.0 section 2.2.2.2). */
export type UserProperty = readonly [name: string, value: string]

/**
 * The properties of a packet under the standard's names. Intervals are seconds, sizes bytes. Keys are in wire order when decoded.
 * `subscriptionIdentifiers` and `userProperties` are the repeatable ones.
 */
export interface Properties {
  payloadFormatIndicator?: number
  messageExpiryInterval?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Uint8Array
  subscriptionIdentifiers?: readonly number[]
  sessionExpiryInterval?: number
  assignedClientIdentifier?: string
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Uint8Array
  requestProblemInformation?: number
  willDelayInterval?: number
  requestResponseInformation?: number
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQos?: number
  retainAvailable?: number
  userProperties?: readonly UserProperty[]
  maximumPacketSize?: number
  wildcardSubscriptionAvailable?: number
  subscriptionIdentifierAvailable?: number
  sharedSubscriptionAvailable?: number
}

/** The empty list, shared: most packets have no properties. */
export const NO_PROPERTIES: Readonly<Properties> = Object.freeze({})

export type WireType = 'byte' | 'uint16' | 'uint32' | 'varint' | 'string' | 'binary' | 'pair'

/** A packet that carries properties; `Will` is the list inside CONNECT's payload. */
export type PropertyCarrier = Exclude<PacketName, 'PINGREQ' | 'PINGRESP'> | 'Will'

export interface PropertyRow {
  readonly id: number
  readonly key: keyof Properties
  /** Name with dashes, as the command line (`-D`), `%P` and JSON write it. */
  readonly name: string
  readonly type: WireType
  readonly carriers: readonly PropertyCarrier[]
  /** A carrier in which only this side may send it, otherwise a Protocol Error [MQTT-3.3.4-6] [MQTT-3.14.2-2]. */
  readonly only?: { readonly carrier: PropertyCarrier; readonly sender: Sender }
  /** Carriers in which it may occur more than once; its values are then a list in `Properties`, in every carrier. */
  readonly repeatable?: readonly PropertyCarrier[]
  readonly min?: number
  readonly max?: number
  /** Reason code for a value outside min..max, as for Topic Alias 0 [MQTT-3.3.2-8]; 0x82 when absent. */
  readonly rangeError?: ReasonCode
}

const message: readonly PropertyCarrier[] = ['PUBLISH', 'Will']
const auth: readonly PropertyCarrier[] = ['CONNECT', 'CONNACK', 'AUTH']
const connection: readonly PropertyCarrier[] = ['CONNECT', 'CONNACK']
const acks: readonly PropertyCarrier[] = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBACK', 'UNSUBACK']
// biome-ignore format: one line
const anywhere: readonly PropertyCarrier[] = ['CONNECT', 'CONNACK', 'PUBLISH', 'Will', ...acks, 'SUBSCRIBE', 'UNSUBSCRIBE', 'DISCONNECT', 'AUTH']

// biome-ignore format: one row a line
export const properties: readonly PropertyRow[] = [
  { id: 0x01, key: 'payloadFormatIndicator', name: 'payload-format-indicator', type: 'byte', carriers: message, max: 1 },
  { id: 0x02, key: 'messageExpiryInterval', name: 'message-expiry-interval', type: 'uint32', carriers: message },
  { id: 0x03, key: 'contentType', name: 'content-type', type: 'string', carriers: message },
  { id: 0x08, key: 'responseTopic', name: 'response-topic', type: 'string', carriers: message },
  { id: 0x09, key: 'correlationData', name: 'correlation-data', type: 'binary', carriers: message },
  { id: 0x0b, key: 'subscriptionIdentifiers', name: 'subscription-identifier', type: 'varint', carriers: ['SUBSCRIBE', 'PUBLISH'], only: { carrier: 'PUBLISH', sender: 'server' }, repeatable: ['PUBLISH'], min: 1 },
  { id: 0x11, key: 'sessionExpiryInterval', name: 'session-expiry-interval', type: 'uint32', carriers: ['CONNECT', 'CONNACK', 'DISCONNECT'], only: { carrier: 'DISCONNECT', sender: 'client' } },
  { id: 0x12, key: 'assignedClientIdentifier', name: 'assigned-client-identifier', type: 'string', carriers: ['CONNACK'] },
  { id: 0x13, key: 'serverKeepAlive', name: 'server-keep-alive', type: 'uint16', carriers: ['CONNACK'] },
  { id: 0x15, key: 'authenticationMethod', name: 'authentication-method', type: 'string', carriers: auth },
  { id: 0x16, key: 'authenticationData', name: 'authentication-data', type: 'binary', carriers: auth },
  { id: 0x17, key: 'requestProblemInformation', name: 'request-problem-information', type: 'byte', carriers: ['CONNECT'], max: 1 },
  { id: 0x18, key: 'willDelayInterval', name: 'will-delay-interval', type: 'uint32', carriers: ['Will'] },
  { id: 0x19, key: 'requestResponseInformation', name: 'request-response-information', type: 'byte', carriers: ['CONNECT'], max: 1 },
  { id: 0x1a, key: 'responseInformation', name: 'response-information', type: 'string', carriers: ['CONNACK'] },
  { id: 0x1c, key: 'serverReference', name: 'server-reference', type: 'string', carriers: ['CONNACK', 'DISCONNECT'], only: { carrier: 'DISCONNECT', sender: 'server' } },
  { id: 0x1f, key: 'reasonString', name: 'reason-string', type: 'string', carriers: ['CONNACK', ...acks, 'DISCONNECT', 'AUTH'] },
  { id: 0x21, key: 'receiveMaximum', name: 'receive-maximum', type: 'uint16', carriers: connection, min: 1 },
  { id: 0x22, key: 'topicAliasMaximum', name: 'topic-alias-maximum', type: 'uint16', carriers: connection },
  { id: 0x23, key: 'topicAlias', name: 'topic-alias', type: 'uint16', carriers: ['PUBLISH'], min: 1, rangeError: ReasonCode.TOPIC_ALIAS_INVALID },
  { id: 0x24, key: 'maximumQos', name: 'maximum-qos', type: 'byte', carriers: ['CONNACK'], max: 1 },
  { id: 0x25, key: 'retainAvailable', name: 'retain-available', type: 'byte', carriers: ['CONNACK'], max: 1 },
  { id: 0x26, key: 'userProperties', name: 'user-property', type: 'pair', carriers: anywhere, repeatable: anywhere },
  { id: 0x27, key: 'maximumPacketSize', name: 'maximum-packet-size', type: 'uint32', carriers: connection, min: 1 },
  { id: 0x28, key: 'wildcardSubscriptionAvailable', name: 'wildcard-subscription-available', type: 'byte', carriers: ['CONNACK'], max: 1 },
  { id: 0x29, key: 'subscriptionIdentifierAvailable', name: 'subscription-identifier-available', type: 'byte', carriers: ['CONNACK'], max: 1 },
  { id: 0x2a, key: 'sharedSubscriptionAvailable', name: 'shared-subscription-available', type: 'byte', carriers: ['CONNACK'], max: 1 },
]

const byId = new Map<number, PropertyRow>(properties.map((row) => [row.id, row]))
const byKey = new Map<string, PropertyRow>(properties.map((row) => [row.key, row]))

type PropertyValue = number | string | Uint8Array | UserProperty

function readValue(reader: Reader, type: WireType): PropertyValue {
  switch (type) {
    case 'byte':
      return reader.byte()
    case 'uint16':
      return reader.uint16()
    case 'uint32':
      return reader.uint32()
    case 'varint':
      return reader.varint()
    case 'string':
      return reader.string() // [MQTT-3.3.2-13] [MQTT-3.3.2-19]
    case 'binary':
      return reader.binary()
    case 'pair':
      return [reader.string(), reader.string()] // [MQTT-1.5.7-1]
  }
}

function checkRange(row: PropertyRow, value: PropertyValue): void {
  if (typeof value !== 'number') return
  if (value < (row.min ?? 0) || value > (row.max ?? Number.MAX_SAFE_INTEGER))
    throw new ProtocolError(row.rangeError ?? ReasonCode.PROTOCOL_ERROR, `${row.name} ${value} is out of range`)
}

/**
 * Most user properties that a client may put in one packet. Each costs as much as a small packet: without a limit one packet of 2 MB
 * holds 280,000 of them and keeps everyone waiting for a third of a second (CVE-2021-41039).
 */
export const MAX_USER_PROPERTIES = 1000

/**
 * Reads a property list with its length prefix, as sent by `sender` in `carrier`.
 * @throws ProtocolError 0x81 for an unknown or misplaced property or a bad length, 0x82 for a repetition, a property the other
 * side alone may send, or a value out of range (0x94 for Topic Alias), 0x97 for too many user properties of a client.
 */
export function readProperties(reader: Reader, carrier: PropertyCarrier, sender: Sender): Readonly<Properties> {
  const length = reader.varint()
  if (length === 0) return NO_PROPERTIES
  const list: Record<string, unknown> = {}
  const outerEnd = reader.narrow(length)
  while (reader.remaining > 0) {
    const id = reader.varint()
    const row = byId.get(id)
    if (row === undefined) throw new ProtocolError(ReasonCode.MALFORMED_PACKET, `unknown property 0x${id.toString(16)}`)
    if (!row.carriers.includes(carrier))
      throw new ProtocolError(ReasonCode.MALFORMED_PACKET, `${row.name} is not a property of ${carrier}`)
    if (row.only?.carrier === carrier && row.only.sender !== sender)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `${row.name} in ${carrier} from a ${sender}`)
    const before = list[row.key]
    if (before !== undefined && row.repeatable?.includes(carrier) !== true)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `${row.name} occurs twice`)
    const value = readValue(reader, row.type)
    checkRange(row, value)
    if (row.repeatable === undefined) list[row.key] = value
    else if (before === undefined) list[row.key] = [value]
    else if (sender === 'client' && (before as PropertyValue[]).length >= MAX_USER_PROPERTIES)
      throw new ProtocolError(ReasonCode.QUOTA_EXCEEDED, `more than ${MAX_USER_PROPERTIES} user properties`)
    else (before as PropertyValue[]).push(value)
  }
  reader.widen(outerEnd)
  return list as Properties
}

function valueSize(type: WireType, value: PropertyValue): number {
  switch (type) {
    case 'byte':
      return 1
    case 'uint16':
      return 2
    case 'uint32':
      return 4
    case 'varint':
      return varintSize(value as number)
    case 'string':
      return 2 + Buffer.byteLength(value as string)
    case 'binary':
      return 2 + (value as Uint8Array).length
    case 'pair':
      return 4 + Buffer.byteLength((value as UserProperty)[0]) + Buffer.byteLength((value as UserProperty)[1])
  }
}

function writeValue(writer: Writer, type: WireType, value: PropertyValue): void {
  if (type === 'byte') writer.byte(value as number)
  else if (type === 'uint16') writer.uint16(value as number)
  else if (type === 'uint32') writer.uint32(value as number)
  else if (type === 'varint') writer.varint(value as number)
  else if (type === 'string') writer.string(value as string)
  else if (type === 'binary') writer.binary(value as Uint8Array)
  else for (const part of value as UserProperty) writer.string(part)
}

/** Calls `visit` once for each value on the wire, in the order of the object's keys. */
function eachValue(list: Readonly<Properties>, visit: (row: PropertyRow, value: PropertyValue) => void): void {
  for (const [key, value] of Object.entries(list)) {
    const row = byKey.get(key)
    if (row === undefined || value === undefined) continue
    if (row.repeatable !== undefined) for (const item of value as readonly PropertyValue[]) visit(row, item)
    else visit(row, value as PropertyValue)
  }
}

/** Bytes that `list` takes on the wire without its length prefix. */
export function propertiesSize(list: Readonly<Properties>): number {
  if (list === NO_PROPERTIES) return 0
  let size = 0
  eachValue(list, (row, value) => {
    size += 1 + valueSize(row.type, value)
  })
  return size
}

/** Writes `list` with its length prefix; an empty list is the single byte 0 [MQTT-2.2.2-1]. */
export function writeProperties(writer: Writer, list: Readonly<Properties>): void {
  writer.varint(propertiesSize(list))
  if (list === NO_PROPERTIES) return
  eachValue(list, (row, value) => {
    writer.byte(row.id)
    writeValue(writer, row.type, value)
  })
}
