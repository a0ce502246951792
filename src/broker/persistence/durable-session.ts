// What the store has of one session that outlives its connection: itself, its subscriptions, what it owes and is owed. Made when
// such a session comes to be, ended with it.

import type { Delivery } from '../../session/delivery.js'
import type { OutboundJournal } from '../../session/outbound.js'
import type { Batch } from '../../store/batch.js'
import { key, sessionKey, Table } from '../../store/keys.js'
import { writeProgress, writeSession, writeSubscription } from '../../store/session-records.js'
import type { Session, SessionJournal } from '../clients/session.js'
import type { Subscription } from '../routing/receiver.js'
import type { Entry, Journal } from './journal.js'
import { Segments } from './segments.js'
import type { StoredMessages } from './stored-messages.js'

/** The place of a delivery that is in the journal, but not in the store yet. */
const NOT_YET = -1
/** Finished ones among the deliveries that wait for the next batch, before they are looked through. */
const MOST_FINISHED = 64

/** A subscription's record: its number, and what is to be in it. */
interface KeptSubscription {
  readonly number: number
  subscription: Subscription | undefined
}

export class DurableSession implements Entry, OutboundJournal, SessionJournal {
  isDirty = false
  readonly number: number
  readonly segments: Segments
  private readonly journal: Journal
  private readonly messages: StoredMessages
  private readonly session: Session
  /** Deliveries that are not in the store yet; those with the place 0 have been finished meanwhile. */
  private pending: Delivery[] = []
  private pendingFinished = 0
  private isSessionDirty = false
  private isProgressDirty = false
  private hasEnded = false
  /** By filter as subscribed. */
  private readonly subscriptions = new Map<string, KeptSubscription>()
  private readonly dirtySubscriptions = new Set<KeptSubscription>()
  private lastSubscription = 0

  constructor(journal: Journal, messages: StoredMessages, session: Session, number = journal.nextNumber()) {
    this.journal = journal
    this.messages = messages
    this.session = session
    this.number = number
    this.segments = new Segments(number)
    session.outbound.journal = this
    session.inbound.onChange = () => this.progressed()
  }

  // --- what changes ---

  changed(): void {
    this.isSessionDirty = true
    this.journal.mark(this)
  }

  private progressed(): void {
    this.isProgressDirty = true
    this.journal.mark(this)
  }

  subscribed(subscription: Subscription): void {
    const kept = this.subscriptions.get(subscription.text) ?? { number: ++this.lastSubscription, subscription }
    kept.subscription = subscription
    this.subscriptions.set(subscription.text, kept)
    this.dirtySubscriptions.add(kept)
    this.journal.mark(this)
  }

  unsubscribed(filter: string): void {
    const kept = this.subscriptions.get(filter)
    if (kept === undefined) return
    kept.subscription = undefined
    this.subscriptions.delete(filter)
    this.dirtySubscriptions.add(kept)
    this.journal.mark(this)
  }

  /** A subscription that the store has. */
  restoreSubscription(subscription: Subscription, number: number): void {
    this.subscriptions.set(subscription.text, { number, subscription })
    this.lastSubscription = Math.max(this.lastSubscription, number)
  }

  queued(delivery: Delivery): void {
    delivery.place = NOT_YET
    delivery.message.references++
    this.pending.push(delivery)
    this.journal.mark(this)
  }

  sending(): void {
    const waiter = this.session.client?.waiter
    if (waiter !== undefined) this.journal.hold(waiter)
  }

  sent(delivery: Delivery): void {
    if (delivery.place === 0) this.queued(delivery)
    this.progressed()
  }

  finished(delivery: Delivery): void {
    const { place, packetId } = delivery
    if (place === 0) return
    delivery.place = 0
    if (place === NOT_YET) this.forgetPending()
    else this.segments.finish(place)
    this.messages.release(delivery.message)
    if (packetId > 0 || place !== NOT_YET) this.isProgressDirty = true
    this.journal.mark(this)
  }

  /** What came and went is not kept until the next batch, which may be far away. */
  private forgetPending(): void {
    this.pendingFinished++
    if (this.pendingFinished < MOST_FINISHED || this.pendingFinished * 2 < this.pending.length) return
    this.pending = this.pending.filter(({ place }) => place === NOT_YET)
    this.pendingFinished = 0
  }

  /** The session is over, or is not to outlive its connection any more. */
  end(): void {
    this.hasEnded = true
    for (const { place, message } of this.session.outbound.deliveries()) if (place !== 0) this.messages.release(message)
    this.session.outbound.journal = undefined
    this.session.inbound.onChange = undefined
    this.journal.mark(this)
  }

  // --- what is written ---

  write(batch: Batch): void {
    if (this.hasEnded) {
      this.remove(batch)
      return
    }
    if (this.isSessionDirty) this.writeSession(batch)
    if (this.dirtySubscriptions.size > 0) this.writeSubscriptions(batch)
    if (this.pending.length > 0) this.writePending(batch)
    this.segments.update(batch)
    if (this.isProgressDirty) this.writeProgress(batch)
  }

  private writeSession(batch: Batch): void {
    const { clientId, username, mountPoint, listener, expiryInterval, expiresAt, isConnected } = this.session
    this.isSessionDirty = false
    batch.put(key(Table.SESSION, this.number))
    writeSession(batch, {
      clientId,
      username,
      mountPoint,
      origin: listener.origin,
      expiryInterval,
      expiresAt: isConnected ? 0 : expiresAt,
    })
    batch.end()
  }

  private writeSubscriptions(batch: Batch): void {
    for (const { number, subscription } of this.dirtySubscriptions) {
      const at = sessionKey(Table.SUBSCRIPTION, this.number, number)
      if (subscription === undefined) batch.remove(at)
      else {
        batch.put(at)
        writeSubscription(batch, { ...subscription, filter: subscription.text })
        batch.end()
      }
    }
    this.dirtySubscriptions.clear()
  }

  private writePending(batch: Batch): void {
    const alive = this.pending.filter(({ place }) => place === NOT_YET)
    this.pending = []
    this.pendingFinished = 0
    for (const { message } of alive) this.messages.keep(message, batch)
    this.segments.append(alive, batch)
  }

  private writeProgress(batch: Batch): void {
    const { outbound, inbound } = this.session
    this.isProgressDirty = false
    batch.put(key(Table.PROGRESS, this.number))
    writeProgress(batch, {
      openIds: inbound.openIds.values(),
      head: this.segments.head,
      sent: outbound.sentDeliveries(),
    })
    batch.end()
  }

  private remove(batch: Batch): void {
    batch.remove(key(Table.SESSION, this.number))
    batch.remove(key(Table.PROGRESS, this.number))
    const kept = [...this.subscriptions.values(), ...this.dirtySubscriptions]
    for (const { number } of kept) batch.remove(sessionKey(Table.SUBSCRIPTION, this.number, number))
    this.segments.clear(batch)
  }
}
