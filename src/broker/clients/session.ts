// One session: what a client has subscribed to, what is still owed to it and by it (MQTT 5.0 section 4.1). It outlives the
// connection if it has an expiry. As the router's receiver it decides whether a message is sent, queued or dropped.

import type { Rights } from '../../access/client-rights.js'
import type { Config } from '../../options/config.js'
import type { ProtocolVersion } from '../../protocol/packet-types.js'
import type { Qos } from '../../protocol/packets/publish.js'
import type { ReasonCode } from '../../protocol/reason-codes.js'
import { delivery } from '../../session/delivery.js'
import { Inbound } from '../../session/inbound.js'
import type { Message } from '../../session/message.js'
import type { MessageRun } from '../../session/message-run.js'
import { Outbound, type OutboundLimits, type OutboundSink, type RunSink } from '../../session/outbound.js'
import type { BrokerContext } from '../context.js'
import type { OpenListener } from '../open-listener.js'
import type { Waiter } from '../persistence/journal.js'
import type { DropCause } from '../plugins/plugin.js'
import type { ClientInfo } from '../plugins/plugin-facts.js'
import type { Availability, Follower, Receiver, RunFollower, Subscription } from '../routing/receiver.js'

/** How a session's messages leave: to its client or, for a bridge, to another broker. */
export interface SessionSender extends OutboundSink {
  readonly version: ProtocolVersion
  /** Sends a message; false, with nothing sent, when it is larger than the receiver takes. */
  publish(
    message: Message,
    qos: Qos,
    retain: boolean,
    dup: boolean,
    packetId: number,
    subscriptionIdentifier: number,
  ): boolean
  /** What sends messages like this one in the same bytes as to others, if it need not look at each. */
  followerFor(message: Message, subscriptionIdentifier: number): Follower | undefined
  /** What sends the packets of a run as they came but for their identifiers, if it need not look at each. */
  runSinkFor(run: MessageRun, subscriptionIdentifier: number): RunSink | undefined
}

/** The connection of a session, as far as the session and those who manage sessions need it. */
export interface SessionClient {
  readonly sender: SessionSender
  /** What holds its output back while the store is written. */
  readonly waiter?: Waiter | undefined
  /** Another connection has taken the session; this one is to end. `endsSession` if the other starts afresh. */
  takenOver(endsSession: boolean): void
  /** Ends the connection from this side. */
  disconnect(reasonCode: ReasonCode, reason: string): void
}

/** Who keeps a session that outlives its connection on disk. */
export interface SessionJournal {
  /** Its client, its listener or the time it has left have changed. */
  changed(): void
  subscribed(subscription: Subscription): void
  /** @param filter as subscribed */
  unsubscribed(filter: string): void
  /** It is over, or not to outlive its connection any more. */
  end(): void
}

/** Whose session it is and what they may do. */
export interface SessionOwner {
  readonly clientId: string
  readonly username: string | undefined
  /** Where the client came in. */
  readonly listener: OpenListener
  /** Of the listener. */
  readonly mountPoint: string
  readonly rights: Rights
}

/** The user name of the sessions of bridges, which no client can have: CONNECT must not have this character in it. */
export const BRIDGE_USER = '\u0000bridge'

/** A session without expiry in 3.x and in 5.0 with 0xFFFFFFFF. */
export const NEVER = Number.POSITIVE_INFINITY

export class Session implements Receiver, RunFollower {
  readonly clientId: string
  /** Who it belongs to; nobody else inherits it. */
  readonly username: string | undefined
  /** What its topics and filters begin with, unseen by the client. */
  readonly mountPoint: string
  readonly outbound: Outbound
  readonly inbound = new Inbound()
  /** By filter as subscribed. */
  readonly subscriptions = new Map<string, Subscription>()
  rights: Rights
  /** Where its client came in last: its settings say which rules apply. */
  listener: OpenListener
  /** Seconds it lives without a connection; 0 ends it with the connection. */
  expiryInterval = 0
  /** ms; meaningful while there is no connection. */
  expiresAt = NEVER
  client: SessionClient | undefined = undefined
  /** Undefined for a session that ends with its connection, and without a store. */
  durable: SessionJournal | undefined = undefined
  private readonly context: BrokerContext
  private told: ClientInfo | undefined = undefined
  private isDropping = false
  private last: Message | undefined = undefined
  /** The message for which `follow` was asked last, or the first of the run for which `followRun` was. */
  private followed: Message | undefined = undefined
  /** Of the run for which `followRun` was asked last. */
  private runSink: RunSink | undefined = undefined
  private runRoom = 0

  constructor(context: BrokerContext, owner: SessionOwner) {
    this.context = context
    this.clientId = owner.clientId
    this.username = owner.username
    this.mountPoint = owner.mountPoint
    this.rights = owner.rights
    this.listener = owner.listener
    this.outbound = new Outbound(outboundLimits(context.config))
  }

  get isDurable(): boolean {
    return this.durable !== undefined
  }

  /** What plugins are told of it. */
  get info(): ClientInfo {
    const { info: listener } = this.listener
    if (this.told?.listener !== listener) {
      const { clientId, username } = this
      this.told = { clientId, username: username === BRIDGE_USER ? undefined : username, listener }
    }
    return this.told
  }

  get isConnected(): boolean {
    return this.client !== undefined
  }

  get availability(): Availability {
    if (this.client === undefined) return 'away'
    return this.client.sender.isWritable && this.outbound.queuedCount === 0 ? 'ready' : 'busy'
  }

  /** A connection has come: what is owed goes out again, unless the client may no longer read it. */
  attach(client: SessionClient, rights: Rights, receiveMaximum: number, now: number): void {
    this.context.router.settle()
    this.client = client
    this.rights = rights
    this.isDropping = false
    this.outbound.filterQueue(now, ({ message }) => rights.mayRead(message.topic))
    this.outbound.attach(client.sender, receiveMaximum, now)
  }

  detach(): void {
    this.client = undefined
    this.last = undefined
    this.followed = undefined
    this.runSink = undefined
    this.outbound.detach()
  }

  /** To be called from time to time while there is a connection: lets go of memory that was needed for a moment. */
  settle(): void {
    this.last = undefined
    this.followed = undefined
    this.outbound.settle()
  }

  /** Other rules and limits are in force, also for what waits (CVE-2021-34434). */
  renew(rights: Rights, now: number): void {
    this.rights = rights
    this.outbound.limits = outboundLimits(this.context.config)
    this.outbound.filterQueue(now, ({ message }) => rights.mayRead(message.topic))
  }

  deliver(message: Message, subscription: Subscription): boolean {
    if (subscription.noLocal && this.isOrigin(message)) return false // [MQTT-3.8.3-3]
    if (!this.mayHave(message.topic)) return false
    const { allowDuplicates, upgradeQos } = this.context.settings
    if (
      !allowDuplicates &&
      subscription.group === undefined &&
      this.client !== undefined &&
      this.client.sender.version < 5
    ) {
      if (this.last === message) return true
      this.last = message
    }
    const qos = upgradeQos || subscription.qos < message.qos ? subscription.qos : message.qos // [MQTT-3.8.4-8]
    // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
    return this.send(message, qos, subscription.retainAsPublished && message.retain, subscription)
  }

  follow(message: Message, subscription: Subscription): Follower | 'none' | 'apart' {
    if (this.context.points.isApart) return 'apart'
    if (subscription.noLocal && this.isOrigin(message)) return 'none' // [MQTT-3.8.3-3]
    if (!this.mayHave(message.topic)) return 'none'
    const { client } = this
    const { allowDuplicates, upgradeQos, queueQos0 } = this.context.settings
    const isQueued = queueQos0 && (client === undefined ? this.expiryInterval > 0 : this.outbound.queuedCount > 0)
    if (isQueued || (upgradeQos && subscription.qos > 0)) return 'apart'
    if (client === undefined) return 'none'
    const { sender } = client
    const isSecond = this.followed === message
    this.followed = message
    if (isSecond) return allowDuplicates || sender.version === 5 ? 'apart' : 'none'
    return sender.followerFor(message, subscription.identifier) ?? 'apart'
  }

  followRun(run: MessageRun, subscription: Subscription): RunFollower | undefined {
    const { client } = this
    const [first] = run.messages
    if (first === undefined || client === undefined || subscription.qos < first.qos) return undefined
    const { points, settings } = this.context
    if (points.isApart || points.enqueued !== undefined || settings.upgradeQos) return undefined
    if (subscription.noLocal && this.isOrigin(first)) return undefined
    if (first.topic.length <= this.mountPoint.length || !this.rights.mayRead(first.topic)) return undefined
    // By another subscription.
    if (this.followed === first) return undefined
    this.runRoom = this.outbound.roomForRun(run)
    if (this.runRoom < 0) return undefined
    this.followed = first
    this.runSink = client.sender.runSinkFor(run, subscription.identifier)
    return this.runSink && this
  }

  sendRun(run: MessageRun, { identifier }: Subscription): void {
    if (this.runSink !== undefined) this.outbound.sendRun(run, identifier, this.runSink, this.runRoom)
  }

  /** Whether it has published a message itself or, as one of several bridges of a broker, another of them has. */
  private isOrigin({ publisher }: Message): boolean {
    if (publisher === undefined) return false
    return publisher.clientId === this.clientId || this.context.neighbours.areOne(publisher.clientId, this.clientId)
  }

  deliverRetained(message: Message, subscription: Subscription): void {
    if (!this.mayHave(message.topic)) return
    const { upgradeQos } = this.context.settings
    const qos = upgradeQos || subscription.qos < message.qos ? subscription.qos : message.qos
    this.send(message, qos, true, subscription) // [MQTT-3.3.1-8 of 3.1.1]
  }

  /** `site/#` matches `site` as well, which is outside of the mount point `site/`. */
  private mayHave(topic: string): boolean {
    if (topic.length <= this.mountPoint.length) return false
    if (this.rights.mayRead(topic)) return true
    this.context.denials.report(this, 'read', topic)
    return false
  }

  private send(message: Message, qos: Qos, retain: boolean, subscription: Subscription): boolean {
    const { deliver } = this.context.points
    if (deliver === undefined) return this.sendAsIs(message, qos, retain, subscription)
    const changed = deliver(message, this.info, qos, retain)
    if (changed?.topic.startsWith(this.mountPoint)) return this.sendAsIs(changed, qos, retain, subscription)
    this.context.points.dropped?.(message, this.info, 'plugin')
    return true
  }

  private sendAsIs(message: Message, qos: Qos, retain: boolean, subscription: Subscription): boolean {
    if (qos > 0) return this.enqueue(message, qos, retain, subscription)
    const { client } = this
    const { queueQos0: queues } = this.context.settings
    if (client === undefined)
      return queues && this.expiryInterval > 0 ? this.enqueue(message, 0, retain, subscription) : false
    // Queued QoS 0 messages must not be overtaken.
    if (queues && this.outbound.queuedCount > 0) return this.enqueue(message, 0, retain, subscription)
    if (!client.sender.isWritable) return this.dropped(message, 'slow reader')
    if (client.sender.publish(message, 0, retain, false, 0, subscription.identifier)) return true // [MQTT-4.3.1-1]
    this.context.points.dropped?.(message, this.info, 'too large')
    return false
  }

  private enqueue(message: Message, qos: Qos, retain: boolean, subscription: Subscription): boolean {
    const share = subscription.group === undefined ? undefined : subscription.text
    const item = delivery(message, qos, retain, subscription.identifier, share)
    const { points, clock } = this.context
    let outcome = this.outbound.enqueue(item)
    if (outcome === 'dropped') {
      // What has expired makes room [MQTT-3.3.2-5].
      const now = clock()
      if (this.outbound.firstExpiry <= now) {
        this.outbound.filterQueue(now)
        outcome = this.outbound.enqueue(item)
      }
    }
    if (outcome === 'dropped') return this.dropped(message, this.outbound.queuedCount > 0 ? 'queue full' : 'too large')
    if (outcome === 'queued') points.enqueued?.(message, this.info)
    return true
  }

  private dropped(message: Message, cause: DropCause): true {
    this.context.points.dropped?.(message, this.info, cause)
    this.context.statistics.publishesDropped++
    if (!this.isDropping) {
      this.isDropping = true
      this.context.log.notice(`Outgoing messages are being dropped for client ${this.clientId}.`)
    }
    return true
  }
}

function outboundLimits(config: Config): OutboundLimits {
  return {
    maxQueuedMessages: config.max_queued_messages,
    maxQueuedBytes: config.max_queued_bytes,
    maxInflightBytes: config.max_inflight_bytes,
  }
}
