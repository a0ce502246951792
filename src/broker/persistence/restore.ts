// Reads a store into the memory of a broker that is about to serve: sessions with what they own, then retained messages and wills.

import { parseFilter } from '../../protocol/topics.js'
import { type Delivery, delivery } from '../../session/delivery.js'
import type { Message } from '../../session/message.js'
import { recordOf } from '../../store/batch.js'
import { firstNumber, secondNumber, Table } from '../../store/keys.js'
import { readMessage } from '../../store/message-record.js'
import { RecordReader } from '../../store/record-reader.js'
import {
  type DeliveryRecord,
  readProgress,
  readSegment,
  readSession,
  readSubscription,
  type SentRecord,
} from '../../store/session-records.js'
import type { Store } from '../../store/store.js'
import { StoreError } from '../../store/store-error.js'
import { readWill } from '../../store/will-record.js'
import { Session } from '../clients/session.js'
import type { Sessions } from '../clients/sessions.js'
import type { BrokerContext } from '../context.js'
import type { Listeners } from '../listeners.js'
import { rightsOf } from '../plugins/plugin-rights.js'
import type { PluginStates } from '../plugins/plugin-state.js'
import type { Subscription } from '../routing/receiver.js'
import { dueOf, type Wills } from '../routing/wills.js'
import { DurableSession } from './durable-session.js'
import { restoreState } from './durable-state.js'
import type { DurableWills } from './durable-wills.js'
import type { Journal } from './journal.js'
import type { StoredMessages } from './stored-messages.js'
import { StoredParts } from './stored-parts.js'

/** The parts of a broker that are filled. */
export interface Destination {
  readonly context: BrokerContext
  readonly listeners: Listeners
  readonly sessions: Sessions
  readonly wills: Wills
  readonly journal: Journal
  readonly messages: StoredMessages
  readonly durableWills: DurableWills
  readonly states: PluginStates
}

/** How much there was. */
export interface Restored {
  sessions: number
  subscriptions: number
  deliveries: number
  retained: number
  wills: number
  /** Entries that refer to something that is not there. */
  orphans: number
}

interface Owner {
  readonly session: Session
  readonly durable: DurableSession
  /** Deliveries before this place are finished. */
  head: number
  /** By place: what has been sent. */
  readonly sent: Map<number, SentRecord>
  readonly deliveries: Delivery[]
}

class Restoration {
  readonly counts: Restored = { sessions: 0, subscriptions: 0, deliveries: 0, retained: 0, wills: 0, orphans: 0 }
  private readonly to: Destination
  private readonly parts: StoredParts
  private readonly now: number
  /** By number. */
  private readonly owners = new Map<number, Owner>()
  private readonly messages = new Map<number, Message>()

  constructor(to: Destination) {
    this.to = to
    this.parts = new StoredParts(to.context, to.listeners)
    this.now = to.context.clock()
  }

  take(key: Buffer, value: Buffer): void {
    const record = recordOf(value)
    const number = firstNumber(key)
    this.to.journal.usedNumber(number)
    switch (key[0]) {
      case Table.SESSION:
        this.session(number, record)
        return
      case Table.RETAINED:
        this.to.context.router.retained.restore(this.parts.message(readMessage(new RecordReader(record))), number)
        this.counts.retained++
        return
      case Table.MESSAGE:
        this.message(number, record)
        return
      case Table.WILL:
        this.will(number, record)
        return
      case Table.PLUGIN_STATE:
        restoreState(this.to.states, number, record)
        return
    }
    const owner = this.owners.get(number)
    if (owner === undefined) this.counts.orphans++
    else if (key[0] === Table.PROGRESS) this.progress(owner, record)
    else if (key[0] === Table.SUBSCRIPTION) this.subscription(owner, record, secondNumber(key))
    else if (key[0] === Table.SEGMENT) this.segment(owner, record, secondNumber(key))
    else throw new StoreError('foreign', `the store has a table ${key[0]} that this tsmq does not know`)
  }

  private session(number: number, record: Buffer): void {
    const { context, listeners, sessions, journal, messages } = this.to
    const { clientId, username, mountPoint, origin, expiryInterval, expiresAt } = readSession(record)
    const listener = listeners.named(origin)
    const rights = rightsOf(context, listener, username, clientId)
    const session = new Session(context, { clientId, username, listener, mountPoint, rights })
    const durable = new DurableSession(journal, messages, session, number)
    session.durable = durable
    session.expiryInterval = expiryInterval
    // Its client was connected: its time begins now.
    const wasConnected = expiresAt === 0
    session.expiresAt = wasConnected ? this.now + expiryInterval * 1000 : expiresAt
    if (wasConnected) durable.changed()
    sessions.restore(session)
    this.owners.set(number, { session, durable, head: 0, sent: new Map(), deliveries: [] })
    this.counts.sessions++
  }

  private progress(owner: Owner, record: Buffer): void {
    const { openIds, head, sent } = readProgress(record)
    owner.head = head
    for (const each of sent) owner.sent.set(each.place, each)
    for (const packetId of openIds) owner.session.inbound.openIds.add(packetId)
    owner.durable.segments.startAt(head)
  }

  private subscription({ session, durable }: Owner, record: Buffer, number: number): void {
    const { filter: text, ...options } = readSubscription(record)
    const parts = parseFilter(text)
    if (parts === undefined) throw new StoreError('damaged', `'${text}' is no topic filter`)
    const { group, filter } = parts
    const subscription: Subscription = {
      ...options,
      receiver: session,
      text,
      group,
      filter: session.mountPoint + filter,
    }
    session.subscriptions.set(text, subscription)
    this.to.context.router.subscriptions.add(subscription)
    durable.restoreSubscription(subscription, number)
    this.counts.subscriptions++
  }

  private message(number: number, record: Buffer): void {
    const message = this.parts.message(readMessage(new RecordReader(record)))
    message.record = number
    this.messages.set(number, message)
  }

  private segment(owner: Owner, record: Buffer, first: number): void {
    const { head, sent, deliveries, durable } = owner
    const found: Delivery[] = []
    for (const each of readSegment(record, first)) {
      if (each.place < head) continue
      const message =
        typeof each.message === 'number' ? this.messages.get(each.message) : this.parts.message(each.message)
      if (message === undefined) this.counts.orphans++
      else found.push(deliveryOf(each, message, sent.get(each.place)))
    }
    durable.segments.restore(first, found)
    for (const each of found) deliveries.push(each)
    this.counts.deliveries += found.length
  }

  private will(number: number, record: Buffer): void {
    const { publisher, due, ...rest } = readWill(record)
    const { wills, durableWills, sessions } = this.to
    const { clientId } = publisher
    const pending = { ...rest, publisher: this.parts.publisher(publisher) }
    // Its client was connected: it is gone now.
    const wasConnected = due === 0
    const expiry = sessions.get(clientId)?.expiryInterval ?? 0
    const will = { ...pending, due: wasConnected ? dueOf(pending, expiry, this.now) : due }
    wills.restore(will)
    durableWills.restore(clientId, number)
    if (wasConnected) durableWills.changed(clientId, will)
    this.counts.wills++
  }

  /** Everything has been read. */
  finish(): void {
    for (const { session, deliveries } of this.owners.values()) session.outbound.restore(deliveries)
    for (const [number, { references }] of this.messages) if (references === 0) this.to.messages.forget(number)
  }
}

function deliveryOf(record: DeliveryRecord, message: Message, sent: SentRecord | undefined): Delivery {
  const { qos, retain, subscriptionIdentifier, share, place } = record
  const made = delivery(message, qos, retain, subscriptionIdentifier, share)
  message.references++
  made.place = place
  if (sent === undefined) return made
  made.packetId = sent.packetId
  made.released = sent.released
  return made
}

/**
 * Fills `to` with what `store` has.
 * @throws StoreError
 */
export async function restore(store: Store, to: Destination): Promise<Restored> {
  const restoration = new Restoration(to)
  await store.load((key, value) => restoration.take(key, value))
  restoration.finish()
  return restoration.counts
}
