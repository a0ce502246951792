// A will that is to be published (MQTT 5.0 section 3.1.2.5), in a record: number ms since 1970 it is due, 0 while its client is
// connected; text client id, listener, mount point; byte 1 has a user name; text user name; byte QoS in bits 0-1, 2 RETAIN; text
// topic; blob properties; blob payload.

import type { Will } from '../protocol/packets/connect.js'
import type { Qos } from '../protocol/packets/publish.js'
import { type PublisherRecord, propertiesIn, propertyBytes } from './message-record.js'
import { RecordReader } from './record-reader.js'
import type { RecordWriter } from './record-writer.js'

export interface WillRecord {
  readonly will: Will
  readonly publisher: PublisherRecord
  readonly mountPoint: string
  /** ms since 1970; 0 while its client is connected. */
  readonly due: number
}

export function writeWill(writer: RecordWriter, { will, publisher, mountPoint, due }: WillRecord): void {
  writer.number(due)
  writer.text(publisher.clientId)
  writer.text(publisher.origin ?? '')
  writer.text(mountPoint)
  writer.byte(publisher.username === undefined ? 0 : 1)
  if (publisher.username !== undefined) writer.text(publisher.username)
  writer.byte(will.qos | (will.retain ? 4 : 0))
  writer.text(will.topic)
  writer.blob(propertyBytes(will.properties))
  writer.blob(will.payload)
}

export function readWill(record: Buffer): WillRecord {
  const reader = new RecordReader(record)
  const due = reader.number()
  const clientId = reader.text()
  const origin = reader.text() || undefined
  const mountPoint = reader.text()
  const username = reader.byte() === 1 ? reader.text() : undefined
  const flags = reader.byte()
  const topic = reader.text()
  const properties = propertiesIn(reader.blob(), 'Will')
  const payload = Buffer.from(reader.blob())
  return {
    will: { topic, payload, qos: (flags & 3) as Qos, retain: (flags & 4) !== 0, properties },
    publisher: { clientId, origin, username },
    mountPoint,
    due,
  }
}
