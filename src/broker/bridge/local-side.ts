// The bridge as a client of this broker: a session of its own in which messages wait, subscriptions to what goes out, and the
// identity under which what comes in is published. Nothing that came in from the remote broker goes back to it.

import { PacketType } from '../../protocol/packet-types.js'
import type { Qos } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import { type Delivery, delivery } from '../../session/delivery.js'
import { localMessage, type Message, type Publisher } from '../../session/message.js'
import { BRIDGE_USER, NEVER, type Session, type SessionClient } from '../clients/session.js'
import type { Sessions } from '../clients/sessions.js'
import type { BrokerContext } from '../context.js'
import type { OpenListener } from '../open-listener.js'
import type { Availability, Receiver, Subscription } from '../routing/receiver.js'
import type { BridgeTopics } from './bridge-topics.js'
import { CircleWatch } from './circle-watch.js'

export interface LocalSettings {
  readonly clientId: string
  /** Where nothing is restricted. */
  readonly listener: OpenListener
  readonly topics: BridgeTopics
  /** Whether messages wait while there is no connection. */
  readonly isDurable: boolean
  /** Whether QoS 0 messages wait too. */
  readonly queuesQos0: boolean
}

const UNLIMITED = { maxQueuedMessages: 0, maxQueuedBytes: 0, maxInflightBytes: 0 }

export class LocalSide implements Receiver, Publisher {
  readonly clientId: string
  private readonly context: BrokerContext
  private readonly sessions: Sessions
  private readonly settings: LocalSettings
  private readonly onWaiting: (count: number) => void
  private session: Session | undefined = undefined
  private subscribedQos: Qos | undefined = undefined
  private last: Message | undefined = undefined
  private readonly watch: CircleWatch

  /** @param onWaiting told how many messages wait, while there is no connection. */
  constructor(context: BrokerContext, sessions: Sessions, settings: LocalSettings, onWaiting: (count: number) => void) {
    this.context = context
    this.sessions = sessions
    this.settings = settings
    this.onWaiting = onWaiting
    this.clientId = settings.clientId
    this.watch = new CircleWatch(context.log, settings.clientId)
  }

  /** Of the session that exists; without one there is no connection either. */
  get opened(): Session {
    if (this.session === undefined) throw new Error(`the session ${this.clientId} is not open`)
    return this.session
  }

  /** Messages that wait or are on their way. */
  get unfinished(): number {
    const { outbound } = this.session ?? {}
    return outbound === undefined ? 0 : outbound.queuedCount + outbound.inFlightCount
  }

  /** Whether messages wait while there is no connection. */
  get isDurable(): boolean {
    return this.settings.isDurable
  }

  /** What this broker's rules say of it: nothing is forbidden but what is the broker's own. */
  mayWrite(topic: string): boolean {
    const { access } = this.context
    return access.rightsFor(this.settings.listener.config, undefined, this.clientId).mayWrite(topic)
  }

  /** Reserves the client id; a durable session is opened, so that messages begin to wait. */
  open(): void {
    this.sessions.reserved.add(this.clientId)
    if (this.settings.isDurable) this.openSession(2)
  }

  private openSession(maxQos: Qos): void {
    const { clientId, listener, isDurable } = this.settings
    const rights = this.context.access.rightsFor(listener.config, undefined, clientId)
    const expiryInterval = isDurable ? NEVER : 0
    // A session that Mosquitto has left behind for the bridge has no user.
    const existing = this.sessions.get(clientId)
    const username = existing !== undefined && existing.username === undefined ? undefined : BRIDGE_USER
    const request = { clientId, username, listener, mountPoint: '', rights }
    this.session = this.sessions.open({ ...request, cleanStart: !isDurable, expiryInterval }).session
    this.session.rights = rights
    this.subscribe(maxQos)
  }

  /** Replaces the subscriptions by those of the configuration. */
  private subscribe(maxQos: Qos): void {
    const { router, log } = this.context
    const { subscriptions, durable } = this.opened
    router.settle()
    // Those of an earlier configuration, which may be in the store; the others are made anew with each start.
    for (const earlier of subscriptions.values()) {
      router.subscriptions.remove(earlier)
      durable?.unsubscribed(earlier.text)
    }
    subscriptions.clear()
    this.subscribedQos = maxQos
    for (const { text, group, filter, qos } of this.settings.topics.local) {
      const subscription: Subscription = {
        receiver: this,
        text,
        group,
        filter,
        qos: Math.min(qos, maxQos) as Qos,
        noLocal: true,
        retainAsPublished: true,
        retainHandling: 0,
        identifier: 0,
      }
      log.debug(`Bridge ${this.clientId} doing local SUBSCRIBE on topic ${text}`)
      subscriptions.set(text, subscription)
      router.subscriptions.add(subscription)
    }
  }

  /**
   * A connection to the remote broker has been accepted: brings the session in line with what that knows, and returns it.
   * @param isRemembered whether it still knows what has been sent before
   */
  prepare(isRemembered: boolean, maxQos: Qos): Session {
    if (this.session === undefined) this.openSession(maxQos)
    else if (this.subscribedQos !== maxQos) this.subscribe(maxQos)
    const session = this.opened
    if (!isRemembered) for (const packetId of session.inbound.openIds.values()) session.inbound.end(packetId) // [MQTT-3.2.2-5]
    this.beginAnew(session, isRemembered, maxQos, this.context.clock())
    return session
  }

  /**
   * Has what waits sent. Returns what does the same with what is retained.
   * @param window QoS 1 and 2 messages that may be on their way
   */
  attach(client: SessionClient, window: number): () => void {
    const now = this.context.clock()
    const session = this.opened
    const waiting = new Map([...session.outbound.deliveries()].map(({ message }) => [message.topic, message]))
    session.attach(client, session.rights, window, now)
    return () => this.sendRetained(waiting, now)
  }

  /** Whether a message has come from the broker at the other end, over this bridge or another. */
  private isFromThere({ publisher }: Message): boolean {
    if (publisher === undefined) return false
    return publisher.clientId === this.clientId || this.context.neighbours.areOne(publisher.clientId, this.clientId)
  }

  /**
   * What the remote broker has forgotten is a new message to it, unless it had taken it over; what it does not take at its QoS is
   * lowered.
   */
  private beginAnew({ outbound }: Session, isRemembered: boolean, maxQos: Qos, now: number): void {
    const unfinished = [...outbound.deliveries()]
    const isChanged = ({ packetId, qos }: Delivery) => (packetId > 0 && !isRemembered) || qos > maxQos
    if (!unfinished.some(isChanged)) return
    const { limits } = outbound
    outbound.limits = UNLIMITED
    outbound.filterQueue(now, () => false)
    for (const { message, qos, retain, packetId, released } of unfinished)
      if (released) outbound.onAck(PacketType.PUBCOMP, packetId, ReasonCode.SUCCESS)
      else if (message.expiresAt > now) outbound.enqueue(delivery(message, Math.min(qos, maxQos) as Qos, retain))
    outbound.limits = limits
  }

  /** Each retained message once, unless it is from there, or has been waiting. */
  private sendRetained(waiting: ReadonlyMap<string, Message>, now: number): void {
    const { router } = this.context
    const sent = new Set<string>()
    for (const subscription of this.opened.subscriptions.values())
      for (const message of router.retained.matching(subscription.filter, now)) {
        const { topic } = message
        if (sent.has(topic) || this.isFromThere(message)) continue
        sent.add(topic)
        if (waiting.get(topic)?.payload.equals(message.payload) !== true)
          this.opened.deliverRetained(message, subscription)
      }
  }

  /** The connection is gone. A session that is not durable ends with it. */
  detach(): void {
    this.last = undefined
    if (this.session === undefined) return
    this.sessions.detached(this.session, this.context.clock())
    if (!this.settings.isDurable) this.session = undefined
  }

  /** The bridge is no longer configured, or another session is to take this one's place. */
  close(): void {
    if (this.session !== undefined) this.sessions.end(this.session)
    this.session = undefined
    this.sessions.reserved.delete(this.clientId)
  }

  /** Publishes a retained value of the bridge's own. */
  publishState(topic: string, value: string): void {
    const { clock, router } = this.context
    router.publish(localMessage(topic, Buffer.from(value), 1, true, NO_PROPERTIES, this, clock()))
  }

  get availability(): Availability {
    return this.session?.availability ?? 'away'
  }

  follow(): 'apart' {
    return 'apart'
  }

  followRun(): undefined {
    return undefined
  }

  deliver(message: Message, subscription: Subscription): boolean {
    const { session } = this
    if (session === undefined || this.isFromThere(message)) return false
    const { clock, neighbours } = this.context
    const from = message.publisher?.clientId
    if (from !== undefined && neighbours.isGuest(from)) this.watch.passes(message, from, clock())
    // One copy, whatever the number of subscriptions: they all lead to the same broker.
    if (message === this.last) return true
    this.last = message
    if (session.isConnected) return session.deliver(message, subscription)
    const isTaken = this.enqueues(message, subscription)
      ? this.enqueue(session, message)
      : session.deliver(message, subscription)
    this.onWaiting(this.unfinished)
    return isTaken
  }

  /** Has a message wait that is not kept otherwise. */
  private enqueue({ info, outbound }: Session, message: Message): boolean {
    const { points } = this.context
    const { retain } = message
    const changed = points.deliver === undefined ? message : points.deliver(message, info, 0, retain)
    if (changed === undefined) points.dropped?.(message, info, 'plugin')
    return changed === undefined || outbound.enqueue(delivery(changed, 0, retain)) !== 'dropped'
  }

  private enqueues({ qos }: Message, subscription: Subscription): boolean {
    return this.settings.queuesQos0 && (qos === 0 || subscription.qos === 0)
  }

  deliverRetained(message: Message, subscription: Subscription): void {
    this.session?.deliverRetained(message, subscription)
  }
}
