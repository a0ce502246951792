// Reads the database file of Mosquitto, versions 6 and 5 (spec: files.md section 6): chunks with a type and a length, whose fixed
// parts are C structs. What becomes of the content is mosquitto-import's.

import type { Qos } from '../protocol/packets/publish.js'
import type { RetainHandling } from '../protocol/packets/subscribe.js'
import { NO_PROPERTIES } from '../protocol/properties.js'
import { type MessageRecord, propertiesIn } from './message-record.js'
import { StoreError } from './store-error.js'

const MAGIC = Buffer.from('\x00\xb5\x00mosquitto db', 'latin1')
/** Magic, checksum, version. */
const HEAD = MAGIC.length + 8
const NEVER = 0xffff_ffff

const Chunk = { CONFIG: 1, MESSAGE: 2, CLIENT_MESSAGE: 3, RETAIN: 4, SUBSCRIPTION: 5, CLIENT: 6 } as const

export interface MosquittoClient {
  readonly clientId: string
  readonly username: string | undefined
  readonly port: number
  /** Seconds, Infinity for ever. */
  readonly expiryInterval: number
  /** ms since 1970; 0 while it was connected. */
  readonly expiresAt: number
}

/** How far a QoS flow had come. */
export const MessageState = {
  WAIT_FOR_PUBACK: 3,
  WAIT_FOR_PUBREC: 5,
  RESEND_PUBREL: 6,
  WAIT_FOR_PUBCOMP: 9,
} as const

export interface MosquittoClientMessage {
  readonly clientId: string
  readonly messageId: bigint
  readonly packetId: number
  readonly qos: Qos
  /** Of outgoing ones; see MessageState. */
  readonly state: number
  readonly retain: boolean
  /** From the client, and not yet passed on. */
  readonly isIncoming: boolean
  readonly subscriptionIdentifier: number
}

export interface MosquittoSubscription {
  readonly clientId: string
  readonly filter: string
  readonly qos: Qos
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: RetainHandling
  readonly identifier: number
}

/** Everything in the file, in its order. */
export interface MosquittoDb {
  readonly clients: MosquittoClient[]
  readonly messages: Map<bigint, MessageRecord>
  readonly clientMessages: MosquittoClientMessage[]
  readonly subscriptions: MosquittoSubscription[]
  readonly retained: bigint[]
}

/** The fields of a chunk, one behind the other; 64-bit ones are as the machine has them. */
class Fields {
  private at = 0
  private readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  private take(size: number): number {
    const { at } = this
    if (at + size > this.bytes.length)
      throw new StoreError('damaged', 'a chunk of the Mosquitto database ends too early')
    this.at = at + size
    return at
  }

  byte(): number {
    return this.bytes[this.take(1)] as number
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.take(2))
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.take(4))
  }

  uint64(): bigint {
    return this.bytes.readBigUInt64LE(this.take(8))
  }

  /** Bytes that align the struct. */
  skip(size: number): void {
    this.take(size)
  }

  text(size: number): string {
    const at = this.take(size)
    return this.bytes.toString('utf8', at, at + size)
  }

  blob(size: number): Buffer {
    const at = this.take(size)
    return this.bytes.subarray(at, at + size)
  }

  rest(): Buffer {
    return this.blob(this.bytes.length - this.at)
  }
}

/**
 * Reads the bytes of a database.
 * @throws StoreError 'foreign' for anything else, or another version; 'damaged' where it makes no sense
 */
export function readMosquittoDb(bytes: Buffer): MosquittoDb {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new StoreError('foreign', 'it is no database of Mosquitto')
  if (bytes.length < HEAD) throw new StoreError('damaged', 'it ends within its head')
  const version = bytes.readUInt32BE(MAGIC.length + 4)
  if (version !== 6 && version !== 5)
    throw new StoreError(
      'foreign',
      `it has version ${version}; versions 5 and 6 can be read. A newer Mosquitto writes 6`,
    )
  const db: MosquittoDb = { clients: [], messages: new Map(), clientMessages: [], subscriptions: [], retained: [] }
  for (let at = HEAD; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw new StoreError('damaged', 'it ends within a chunk')
    const end = at + 8 + bytes.readUInt32BE(at + 4)
    if (end > bytes.length) throw new StoreError('damaged', 'it ends within a chunk')
    readChunk(db, version, bytes.readUInt32BE(at), new Fields(bytes.subarray(at + 8, end)))
    at = end
  }
  return db
}

function readChunk(db: MosquittoDb, version: number, type: number, fields: Fields): void {
  if (type === Chunk.MESSAGE) readMessage(db, fields)
  else if (type === Chunk.CLIENT_MESSAGE) db.clientMessages.push(readClientMessage(fields))
  else if (type === Chunk.RETAIN) db.retained.push(fields.uint64())
  else if (type === Chunk.SUBSCRIPTION) db.subscriptions.push(readSubscription(fields))
  else if (type === Chunk.CLIENT) db.clients.push(readClient(version, fields))
  else if (type !== Chunk.CONFIG) throw new StoreError('damaged', `it has a chunk of the unknown type ${type}`)
}

function readMessage(db: MosquittoDb, fields: Fields): void {
  const id = fields.uint64()
  const expiry = Number(fields.uint64())
  const payloadSize = fields.uint32()
  fields.skip(2)
  const idSize = fields.uint16()
  const userSize = fields.uint16()
  const topicSize = fields.uint16()
  const port = fields.uint16()
  const qos = fields.byte() as Qos
  const retain = fields.byte() === 1
  const clientId = fields.text(idSize)
  const username = userSize > 0 ? fields.text(userSize) : undefined
  const topic = fields.text(topicSize)
  const payload = fields.blob(payloadSize)
  const properties = fields.rest()
  db.messages.set(id, {
    topic,
    qos,
    retain,
    properties: properties.length > 1 ? propertiesIn(properties, 'PUBLISH') : NO_PROPERTIES,
    publisher: clientId === '' ? undefined : { clientId, username, origin: `${port}` },
    expiresAt: expiry === 0 ? Number.POSITIVE_INFINITY : expiry * 1000,
    bytes: payload,
    payloadStart: 0,
    payloadEnd: payloadSize,
  })
}

function readClientMessage(fields: Fields): MosquittoClientMessage {
  const messageId = fields.uint64()
  const packetId = fields.uint16()
  const idSize = fields.uint16()
  const qos = fields.byte() as Qos
  const state = fields.byte()
  const retain = fields.byte() >> 4 === 1
  const isIncoming = fields.byte() === 0
  const clientId = fields.text(idSize)
  const properties = fields.rest()
  const identifiers =
    properties.length > 1 ? propertiesIn(properties, 'PUBLISH', 'server').subscriptionIdentifiers : undefined
  return {
    clientId,
    messageId,
    packetId,
    qos,
    state,
    retain,
    isIncoming,
    subscriptionIdentifier: identifiers?.[0] ?? 0,
  }
}

function readSubscription(fields: Fields): MosquittoSubscription {
  const identifier = fields.uint32()
  const idSize = fields.uint16()
  const filterSize = fields.uint16()
  const qos = (fields.byte() & 3) as Qos
  const options = fields.byte()
  fields.skip(2)
  return {
    clientId: fields.text(idSize),
    filter: fields.text(filterSize),
    qos,
    noLocal: (options & 4) !== 0,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: ((options >> 4) & 3) as RetainHandling,
    identifier,
  }
}

function readClient(version: number, fields: Fields): MosquittoClient {
  const expiry = Number(fields.uint64())
  const interval = fields.uint32()
  fields.skip(2)
  const idSize = fields.uint16()
  // Version 5 has neither of the two, nor the bytes that align them.
  const port = version === 5 ? 0 : fields.uint16()
  const userSize = version === 5 ? 0 : fields.uint16()
  if (version > 5) fields.skip(4)
  const isLasting = interval === NEVER
  const clientId = fields.text(idSize)
  const username = fields.text(userSize)
  return {
    clientId,
    // Mosquitto 2.0 writes whatever lies in its memory for a client that has none.
    username: username === '' || username.includes('\0') ? undefined : username,
    port,
    expiryInterval: isLasting ? Number.POSITIVE_INFINITY : interval,
    expiresAt: isLasting ? Number.POSITIVE_INFINITY : expiry * 1000,
  }
}
