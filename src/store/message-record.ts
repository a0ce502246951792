// One application message in a record: content, properties, publisher and the moment it expires.
//
//   byte   QoS in bits 0-1; 2 RETAIN, 3 expires, 4 has properties, 5 has a publisher, 6 who has a user name
//   text   topic
//   number when it expires, in ms since 1970 (bit 3)
//   text   client id, listener, user name (bits 5, 6)
//   blob   properties as in PUBLISH, length included (bit 4)
//   blob   payload

import type { Sender } from '../protocol/packet-types.js'
import type { Qos } from '../protocol/packets/publish.js'
import {
  NO_PROPERTIES,
  type Properties,
  type PropertyCarrier,
  readProperties,
  writeProperties,
} from '../protocol/properties.js'
import { Reader } from '../protocol/reader.js'
import { Writer } from '../protocol/writer.js'
import type { RecordReader } from './record-reader.js'
import type { RecordWriter } from './record-writer.js'
import { StoreError } from './store-error.js'

/** Who published a message, to be asked again for the right to. */
export interface PublisherRecord {
  readonly clientId: string
  readonly username?: string | undefined
  /** The listener where it came in, as the broker calls it; undefined for the broker itself. */
  readonly origin?: string | undefined
}

/** A message as it is stored; the payload lies in bytes[payloadStart..payloadEnd). */
export interface MessageRecord {
  readonly topic: string
  readonly qos: Qos
  readonly retain: boolean
  readonly properties: Readonly<Properties>
  readonly publisher: PublisherRecord | undefined
  /** ms since 1970; Infinity for never. */
  readonly expiresAt: number
  readonly bytes: Buffer
  readonly payloadStart: number
  readonly payloadEnd: number
}

const RETAIN = 4
const EXPIRES = 8
const PROPERTIES = 16
const PUBLISHER = 32
const USERNAME = 64

export function writeMessage(writer: RecordWriter, message: MessageRecord): void {
  const { publisher, properties, expiresAt } = message
  const expires = expiresAt !== Number.POSITIVE_INFINITY
  let flags: number = message.qos
  if (message.retain) flags |= RETAIN
  if (expires) flags |= EXPIRES
  if (properties !== NO_PROPERTIES) flags |= PROPERTIES
  if (publisher !== undefined) flags |= publisher.username === undefined ? PUBLISHER : PUBLISHER | USERNAME
  writer.byte(flags)
  writer.text(message.topic)
  if (expires) writer.number(expiresAt)
  if (publisher !== undefined) {
    writer.text(publisher.clientId)
    writer.text(publisher.origin ?? '')
    if (publisher.username !== undefined) writer.text(publisher.username)
  }
  if (properties !== NO_PROPERTIES) writer.blob(propertyBytes(properties))
  writer.blob(message.bytes, message.payloadStart, message.payloadEnd)
}

export function readMessage(reader: RecordReader): MessageRecord {
  const flags = reader.byte()
  const topic = reader.text()
  const expiresAt = flags & EXPIRES ? reader.number() : Number.POSITIVE_INFINITY
  const publisher =
    flags & PUBLISHER
      ? {
          clientId: reader.text(),
          origin: reader.text() || undefined,
          username: flags & USERNAME ? reader.text() : undefined,
        }
      : undefined
  const properties = flags & PROPERTIES ? propertiesIn(reader.blob(), 'PUBLISH') : NO_PROPERTIES
  const payloadStart = reader.blobStart()
  return {
    topic,
    qos: (flags & 3) as Qos,
    retain: (flags & RETAIN) !== 0,
    properties,
    publisher,
    expiresAt,
    bytes: reader.bytes,
    payloadStart,
    payloadEnd: reader.position,
  }
}

/** A property list as in a packet, length included. */
export function propertyBytes(properties: Readonly<Properties>): Uint8Array {
  const writer = new Writer()
  writeProperties(writer, properties)
  return writer.body()
}

/** @throws StoreError for a list that no packet of the kind could have */
export function propertiesIn(bytes: Buffer, carrier: PropertyCarrier, sender: Sender = 'client'): Readonly<Properties> {
  try {
    const list = readProperties(new Reader(bytes), carrier, sender)
    const { correlationData } = list
    return correlationData === undefined ? list : { ...list, correlationData: Buffer.from(correlationData) }
  } catch (error) {
    throw new StoreError('damaged', 'the properties in a record make no sense', error)
  }
}
