// Puts what Mosquitto has kept into a store: sessions, subscriptions, what they are owed and owe, retained messages. Mosquitto
// passes an incoming QoS 2 message on when it is released, tsmq when it arrives: those that were begun are passed on here.

import { matches, parseFilter } from '../protocol/topics.js'
import { Batch } from './batch.js'
import { key, sessionKey, Table } from './keys.js'
import { type MessageRecord, writeMessage } from './message-record.js'
import { MessageState, type MosquittoClientMessage, type MosquittoDb } from './mosquitto-db.js'
import { type SentRecord, writeDelivery, writeProgress, writeSession, writeSubscription } from './session-records.js'

/** Deliveries of one segment. */
const SEGMENT = 256

/** What was found, and what could not be taken over. */
export interface Imported {
  sessions: number
  subscriptions: number
  deliveries: number
  retained: number
  /** Messages and subscriptions of clients that are not in the file, or that refer to messages that are not. */
  skipped: number
}

interface Owed {
  readonly message: MessageRecord
  readonly by: MosquittoClientMessage
}

class Import {
  readonly batch = new Batch()
  readonly counts: Imported = { sessions: 0, subscriptions: 0, deliveries: 0, retained: 0, skipped: 0 }
  private readonly db: MosquittoDb
  private lastNumber = 0
  /** Numbers of sessions by client id. */
  private readonly sessions = new Map<string, number>()
  /** Numbers of messages that have a record of their own. */
  private readonly shared = new Map<bigint, number>()
  private readonly outgoing = new Map<string, Owed[]>()
  private readonly openIds = new Map<string, number[]>()

  constructor(db: MosquittoDb) {
    this.db = db
  }

  run(): void {
    for (const client of this.db.clients) {
      const number = ++this.lastNumber
      this.sessions.set(client.clientId, number)
      this.batch.put(key(Table.SESSION, number))
      writeSession(this.batch, { ...client, mountPoint: '', origin: `${client.port}` })
      this.batch.end()
      this.counts.sessions++
    }
    this.writeSubscriptions()
    for (const each of this.db.clientMessages) this.sort(each)
    this.writeShared()
    for (const clientId of this.sessions.keys()) this.writeQueue(clientId)
    this.writeRetained()
  }

  private writeSubscriptions(): void {
    for (const { clientId, ...subscription } of this.db.subscriptions) {
      const session = this.sessions.get(clientId)
      if (session === undefined || parseFilter(subscription.filter) === undefined) {
        this.counts.skipped++
        continue
      }
      this.batch.put(sessionKey(Table.SUBSCRIPTION, session, ++this.lastNumber))
      writeSubscription(this.batch, subscription)
      this.batch.end()
      this.counts.subscriptions++
    }
  }

  private sort(by: MosquittoClientMessage): void {
    const message = this.db.messages.get(by.messageId)
    if (message === undefined || !this.sessions.has(by.clientId)) {
      this.counts.skipped++
      return
    }
    // QoS 0 is not kept.
    if (!by.isIncoming) {
      if (by.qos > 0) push(this.outgoing, by.clientId, { message, by })
      return
    }
    push(this.openIds, by.clientId, by.packetId)
    this.passOn(message, by)
  }

  private passOn(message: MessageRecord, by: MosquittoClientMessage): void {
    if (message.retain) this.db.retained.push(by.messageId)
    for (const { clientId, filter, qos, noLocal, retainAsPublished, identifier } of this.db.subscriptions) {
      const parts = parseFilter(filter)
      const isMeant = parts !== undefined && parts.group === undefined && matches(parts.filter, message.topic)
      if (!isMeant || qos === 0 || (noLocal && clientId === by.clientId) || !this.sessions.has(clientId)) continue
      const least = qos < message.qos ? qos : message.qos
      const retain = retainAsPublished && message.retain
      const own = { ...by, clientId, packetId: 0, qos: least, state: 0, retain, subscriptionIdentifier: identifier }
      push(this.outgoing, clientId, { message, by: own })
    }
  }

  private writeShared(): void {
    const references = new Map<bigint, number>()
    for (const owed of this.outgoing.values())
      for (const { by } of owed) references.set(by.messageId, (references.get(by.messageId) ?? 0) + 1)
    for (const [id, count] of references) {
      const message = this.db.messages.get(id)
      if (count < 2 || message === undefined) continue
      const number = ++this.lastNumber
      this.shared.set(id, number)
      this.batch.put(key(Table.MESSAGE, number))
      writeMessage(this.batch, message)
      this.batch.end()
    }
  }

  private writeQueue(clientId: string): void {
    const session = this.sessions.get(clientId) as number
    const owed = this.outgoing.get(clientId) ?? []
    // What has been sent was sent before what waits.
    const inOrder = [...owed.filter(({ by }) => isSent(by)), ...owed.filter(({ by }) => !isSent(by))]
    const sent: SentRecord[] = []
    for (const [index, { message, by }] of inOrder.entries()) {
      const place = index + 1
      if (index % SEGMENT === 0) {
        if (index > 0) this.batch.end()
        this.batch.put(sessionKey(Table.SEGMENT, session, place))
      }
      const reference = this.shared.get(by.messageId) ?? 0
      writeDelivery(this.batch, index % SEGMENT, { ...by, share: undefined }, reference)
      if (reference === 0) writeMessage(this.batch, message)
      const { packetId, state } = by
      const released = state === MessageState.RESEND_PUBREL || state === MessageState.WAIT_FOR_PUBCOMP
      if (isSent(by)) sent.push({ place, packetId, released })
    }
    if (inOrder.length > 0) this.batch.end()
    this.batch.put(key(Table.PROGRESS, session))
    writeProgress(this.batch, { openIds: this.openIds.get(clientId) ?? [], head: 1, sent })
    this.batch.end()
    this.counts.deliveries += inOrder.length
  }

  private writeRetained(): void {
    const byTopic = new Map<string, MessageRecord>()
    for (const id of this.db.retained) {
      const message = this.db.messages.get(id)
      if (message === undefined) this.counts.skipped++
      else byTopic.set(message.topic, message)
    }
    for (const message of byTopic.values()) {
      if (message.topic.startsWith('$SYS/') || message.payloadEnd === 0) continue
      this.batch.put(key(Table.RETAINED, ++this.lastNumber))
      writeMessage(this.batch, { ...message, retain: true })
      this.batch.end()
      this.counts.retained++
    }
  }
}

function isSent({ packetId, state }: MosquittoClientMessage): boolean {
  return packetId > 0 && Object.values(MessageState).some((each) => each === state)
}

function push<K, V>(lists: Map<K, V[]>, name: K, value: V): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [value])
  else list.push(value)
}

/** Makes the batch that puts a database into an empty store. */
export function mosquittoBatch(db: MosquittoDb): { readonly batch: Batch; readonly counts: Imported } {
  const made = new Import(db)
  made.run()
  return { batch: made.batch, counts: made.counts }
}
