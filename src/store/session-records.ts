// What a store holds of a session: the session itself, its progress, its subscriptions, and its deliveries in segments. Messages
// stand within the segment while nobody else refers to them, otherwise in a record of their own.
//
//   SESSION       text client id; byte 1 has a user name; text user name; text mount point; text listener;
//                 number seconds it lives alone; number ms since 1970 it ends, 0 while connected
//   PROGRESS      varint count, uint16 each: QoS 2 messages that were begun by the client and wait for PUBREL;
//                 varint place: every delivery before it is finished;
//                 varint count, each: varint place behind that one, uint16 packet id, byte 1 PUBREL has gone
//   SUBSCRIPTION  text filter as subscribed; byte QoS in bits 0-1, 2 no local, 3 retain as published, 4-5 retain handling;
//                 varint subscription identifier
//   SEGMENT       each delivery: varint place behind the segment's; byte QoS in bits 0-1, 2 RETAIN, 3 has an identifier,
//                 4 came by a share, 5 refers to a message; varint identifier; text share; varint number of the message,
//                 or the message itself

import type { Qos } from '../protocol/packets/publish.js'
import type { RetainHandling } from '../protocol/packets/subscribe.js'
import type { Delivery } from '../session/delivery.js'
import { type MessageRecord, readMessage } from './message-record.js'
import { RecordReader } from './record-reader.js'
import type { RecordWriter } from './record-writer.js'

export interface SessionRecord {
  readonly clientId: string
  readonly username: string | undefined
  readonly mountPoint: string
  /** The listener where its client was last, as the broker calls it. */
  readonly origin: string
  /** Seconds it lives without a connection; Infinity for ever. */
  readonly expiryInterval: number
  /** ms since 1970; 0 while its client is connected. */
  readonly expiresAt: number
}

/** A delivery that has been sent and is not finished. */
export interface SentRecord {
  readonly place: number
  readonly packetId: number
  readonly released: boolean
}

export interface ProgressRecord {
  readonly openIds: readonly number[]
  /** Deliveries before this place are finished. */
  readonly head: number
  /** By place. */
  readonly sent: readonly SentRecord[]
}

export interface SubscriptionRecord {
  readonly filter: string
  readonly qos: Qos
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: RetainHandling
  readonly identifier: number
}

/** A delivery, with its message or the number of the record that has it. */
export interface DeliveryRecord {
  readonly place: number
  readonly qos: Qos
  readonly retain: boolean
  readonly subscriptionIdentifier: number
  readonly share: string | undefined
  readonly message: MessageRecord | number
}

export function writeSession(writer: RecordWriter, session: SessionRecord): void {
  writer.text(session.clientId)
  writer.byte(session.username === undefined ? 0 : 1)
  if (session.username !== undefined) writer.text(session.username)
  writer.text(session.mountPoint)
  writer.text(session.origin)
  writer.number(session.expiryInterval)
  writer.number(session.expiresAt)
}

export function readSession(record: Buffer): SessionRecord {
  const reader = new RecordReader(record)
  return {
    clientId: reader.text(),
    username: reader.byte() === 1 ? reader.text() : undefined,
    mountPoint: reader.text(),
    origin: reader.text(),
    expiryInterval: reader.number(),
    expiresAt: reader.number(),
  }
}

export function writeProgress(writer: RecordWriter, { openIds, head, sent }: ProgressRecord): void {
  writer.varint(openIds.length)
  for (const id of openIds) writer.uint16(id)
  writer.varint(head)
  writer.varint(sent.length)
  for (const { place, packetId, released } of sent) {
    writer.varint(place - head)
    writer.uint16(packetId)
    writer.byte(released ? 1 : 0)
  }
}

export function readProgress(record: Buffer): ProgressRecord {
  const reader = new RecordReader(record)
  const openIds = Array.from({ length: reader.varint() }, () => reader.uint16())
  const head = reader.varint()
  const sent = Array.from({ length: reader.varint() }, () => ({
    place: head + reader.varint(),
    packetId: reader.uint16(),
    released: reader.byte() === 1,
  }))
  return { openIds, head, sent }
}

export function writeSubscription(writer: RecordWriter, subscription: SubscriptionRecord): void {
  const { qos, noLocal, retainAsPublished, retainHandling } = subscription
  writer.text(subscription.filter)
  writer.byte(qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4))
  writer.varint(subscription.identifier)
}

export function readSubscription(record: Buffer): SubscriptionRecord {
  const reader = new RecordReader(record)
  const filter = reader.text()
  const options = reader.byte()
  return {
    filter,
    qos: (options & 3) as Qos,
    noLocal: (options & 4) !== 0,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: ((options >> 4) & 3) as RetainHandling,
    identifier: reader.varint(),
  }
}

const RETAIN = 4
const IDENTIFIER = 8
const SHARE = 16
const REFERENCE = 32

/**
 * Writes one delivery of a segment, except for a message that stands within it: that follows.
 * @param offset its place behind the segment's
 * @param reference number of the message's record, 0 when the message follows
 */
export function writeDelivery(
  writer: RecordWriter,
  offset: number,
  delivery: Pick<Delivery, 'qos' | 'retain' | 'subscriptionIdentifier' | 'share'>,
  reference: number,
): void {
  const { subscriptionIdentifier: identifier, share } = delivery
  let flags: number = delivery.qos
  if (delivery.retain) flags |= RETAIN
  if (identifier > 0) flags |= IDENTIFIER
  if (share !== undefined) flags |= SHARE
  if (reference > 0) flags |= REFERENCE
  writer.varint(offset)
  writer.byte(flags)
  if (identifier > 0) writer.varint(identifier)
  if (share !== undefined) writer.text(share)
  if (reference > 0) writer.varint(reference)
}

/** The deliveries of a segment whose first place is `first`. */
export function* readSegment(record: Buffer, first: number): IterableIterator<DeliveryRecord> {
  const reader = new RecordReader(record)
  while (reader.remaining > 0) {
    const place = first + reader.varint()
    const flags = reader.byte()
    yield {
      place,
      qos: (flags & 3) as Qos,
      retain: (flags & RETAIN) !== 0,
      subscriptionIdentifier: flags & IDENTIFIER ? reader.varint() : 0,
      share: flags & SHARE ? reader.text() : undefined,
      message: flags & REFERENCE ? reader.varint() : readMessage(reader),
    }
  }
}
