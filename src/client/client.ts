// An MQTT client for all three versions: publishes, subscribes, keeps its session across connections and connects again when one
// breaks. What a single connection does is in link.ts, what becomes of a publish in publish-flow.ts. Knows no command line.

import type { DialTarget } from '../net/dial.js'
import { sharedMemory } from '../net/outbox.js'
import { SharedReadBuffer } from '../net/plain-socket.js'
import { encodePacket, type Packet } from '../protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../protocol/packet-types.js'
import { type Ack, type AckType, ackHeader } from '../protocol/packets/acks.js'
import type { Connack } from '../protocol/packets/connack.js'
import type { Connect, Will } from '../protocol/packets/connect.js'
import type { Publish } from '../protocol/packets/publish.js'
import type { SubscriptionRequest } from '../protocol/packets/subscribe.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { TopicTable } from '../protocol/topic-table.js'
import { isTopicName } from '../protocol/topics.js'
import { Inbound } from '../session/inbound.js'
import type { Message } from '../session/message.js'
import { ReceivedAliases } from '../session/topic-aliases.js'
import { ClientError, canHeal } from './client-error.js'
import { type Cancel, type Clock, systemClock } from './clock.js'
import { type ClientMemory, Link, type LinkOwner, type PacketWatcher, type SessionPacket } from './link.js'
import { checkProperties } from './property-checks.js'
import { type PublishDone, PublishFlow } from './publish-flow.js'
import { type ReconnectDelays, reconnectDelay } from './reconnect-delay.js'
import { type RequestDone, Requests } from './requests.js'
import { ServerLimits } from './server-limits.js'

export interface ClientOptions {
  readonly target: DialTarget
  readonly version: ProtocolVersion
  /** Empty to have the broker choose one (not in 3.1). */
  readonly clientId: string
  /** Clean Session in 3.x. */
  readonly cleanStart: boolean
  /** Seconds, 0 for none. */
  readonly keepAlive: number
  readonly username?: string | undefined
  readonly password?: Uint8Array | undefined
  readonly will?: Will | undefined
  /** Of CONNECT; Receive Maximum, Topic Alias Maximum and Maximum Packet Size are kept to. */
  readonly properties?: Readonly<Properties>
  /** Most QoS 1 and 2 publishes on their way at once; 65535 unless given. */
  readonly maxInflight?: number
  /** Without it, the end of a connection is the end of the client. */
  readonly reconnect?: ReconnectDelays | undefined
  /** ms from the first step of a connection to CONNACK; as long as it takes unless given. */
  readonly connectTimeout?: number | undefined
  /** Marks a 3.x connection as a bridge's. */
  readonly bridge?: boolean
}

/** What happens to a client. */
export interface ClientHandler {
  /** Before `onConnect`, and before what is unfinished goes out again: the place to subscribe anew to what its answers come to. */
  onSession?(connack: Connack): void
  /** The broker has accepted a connection: the first or, after `onDisconnect` with a delay, another. */
  onConnect(connack: Connack): void
  /** A message for one of the subscriptions. Payload and binary properties are only valid until it returns. */
  onMessage(topic: string, packet: Publish): void
  /** Publishing may go on after `publish` returned false. */
  onDrain(): void
  /**
   * A connection has ended or could not be made; without `error` if `disconnect` or `stop` asked for it.
   * @param retryIn ms until the next attempt; undefined when there is none.
   */
  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void
}

/** What a client takes from its surroundings; the defaults are the real ones. */
export interface ClientEnvironment {
  readonly clock?: Clock
  /** 0 to 1, for the delay before a reconnect. */
  readonly random?: () => number
  /** Shared by the clients of a process. */
  readonly memory?: ClientMemory
  readonly watcher?: PacketWatcher | undefined
}

/** Topics that are recognised without being decoded again. */
const INTERNED_TOPICS = 1024
/** ms for which a connection has stood when its failures before no longer count. */
const STABLE_AFTER = 10_000

export class Client implements LinkOwner {
  private readonly options: ClientOptions
  private readonly handler: ClientHandler
  private readonly clock: Clock
  private readonly random: () => number
  private readonly memory: ClientMemory
  private readonly watcher: PacketWatcher | undefined
  private readonly properties: Readonly<Properties>
  private readonly topics = new TopicTable(INTERNED_TOPICS)
  private readonly requests = new Requests()
  private readonly flow: PublishFlow
  private inbound = new Inbound()
  private aliases: ReceivedAliases
  private limits = new ServerLimits(NO_PROPERTIES)
  private link: Link | undefined = undefined
  /** From `start` to the last `onDisconnect`. */
  private isActive = false
  private isOpen = false
  private cancelRetry: Cancel = () => {}
  private cancelStable: Cancel = () => {}
  private delay: number | undefined = undefined
  /** Attempts since a connection has last stood for a while. */
  private attempts = 0
  private wasAccepted = false
  private checkedTopic: string | undefined = undefined
  /** What to do when the packet at hand has been dealt with. */
  private goodbye: (() => void) | undefined = undefined
  private isHandling = false
  /** Whether the acknowledgement of the message at hand is left to its receiver. */
  private isHeld = false
  /** Those messages by packet id, as long as the session lasts. */
  private held = new Map<number, object>()
  private id: string

  constructor(options: ClientOptions, handler: ClientHandler, environment: ClientEnvironment = {}) {
    this.options = options
    this.handler = handler
    this.clock = environment.clock ?? systemClock
    this.random = environment.random ?? Math.random
    this.memory = environment.memory ?? {
      ...sharedMemory(),
      reads: new SharedReadBuffer(),
    }
    this.watcher = environment.watcher
    this.properties = options.properties ?? NO_PROPERTIES
    this.id = options.clientId
    const { watcher } = this
    this.flow = new PublishFlow(
      options.version,
      options.maxInflight ?? 65_535,
      (packetId) => this.requests.isUsed(packetId),
      watcher === undefined ? undefined : (packet) => watcher.onSent(packet),
    )
    this.aliases = new ReceivedAliases(0)
  }

  /** The client id, once known the one that the broker has chosen. */
  get clientId(): string {
    return this.id
  }

  /** Whether the broker has accepted the present connection. */
  get isConnected(): boolean {
    return this.isOpen
  }

  /** What the broker announced that it takes; the standard's defaults before. */
  get serverLimits(): ServerLimits {
    return this.limits
  }

  /**
   * Connects, and goes on doing so if `reconnect` says so.
   * @throws ClientError 'invalid' for options that MQTT forbids
   */
  start(): void {
    const { version, will } = this.options
    checkProperties(this.properties, 'CONNECT')
    if (will !== undefined) checkProperties(will.properties, 'Will')
    if (version < 5 && (this.properties !== NO_PROPERTIES || (will?.properties ?? NO_PROPERTIES) !== NO_PROPERTIES))
      throw new ClientError('invalid', 'properties need MQTT 5.0')
    if (version < 5 && this.options.password !== undefined && this.options.username === undefined)
      throw new ClientError('invalid', 'a password needs a user name') // [MQTT-3.1.2-22 of 3.1.1]
    this.isActive = true
    this.connect()
  }

  private connect(): void {
    const { options } = this
    const packet: Connect = {
      type: PacketType.CONNECT,
      protocolVersion: options.version,
      bridge: options.bridge ?? false,
      cleanStart: options.cleanStart,
      keepAlive: options.keepAlive,
      clientId: this.id,
      properties: this.properties,
      will: options.will,
      username: options.username,
      password: options.password,
    }
    const { clock, memory, topics, watcher } = this
    const { connectTimeout } = options
    this.link = new Link(options.target, packet, this, { clock, memory, topics, watcher, connectTimeout })
    this.link.start()
  }

  /**
   * Publishes a message. While there is no connection QoS 0 fails and QoS 1 and 2 wait. A payload of more than 12 KiB must not be
   * changed afterwards, a smaller one only until this returns.
   * @returns false when the caller should wait for `onDrain` before it publishes more; this message was taken.
   * @throws ClientError 'invalid' for a topic, or properties, that may not be published
   */
  publish(message: Message, done?: PublishDone): boolean {
    const { topic, properties } = message
    if (topic !== this.checkedTopic) {
      if (!isTopicName(topic)) throw new ClientError('invalid', `'${topic}' is not a topic to publish to`) // [MQTT-3.3.2-2]
      this.checkedTopic = topic
    }
    if (properties !== NO_PROPERTIES) {
      if (this.options.version < 5) throw new ClientError('invalid', 'properties need MQTT 5.0')
      checkProperties(properties, 'PUBLISH') // [MQTT-3.3.2-8] [MQTT-3.3.4-6]
    }
    return this.flow.publish(message, done)
  }

  /** Asks for subscriptions. Without a connection they fail; `onConnect` is the place to ask. */
  subscribe(
    subscriptions: readonly SubscriptionRequest[],
    properties: Readonly<Properties> = NO_PROPERTIES,
    done?: RequestDone,
  ): void {
    checkProperties(properties, 'SUBSCRIBE')
    const refusal = this.limits.refuseSubscribe(subscriptions, properties)
    if (refusal !== undefined) {
      done?.(refusal, [])
      return
    }
    const packetId = this.flow.nextPacketId()
    const packet: Packet = { type: PacketType.SUBSCRIBE, packetId, properties, subscriptions }
    this.request(packet, packetId, PacketType.SUBACK, subscriptions.length, done)
  }

  /** Ends subscriptions. */
  unsubscribe(filters: readonly string[], properties: Readonly<Properties> = NO_PROPERTIES, done?: RequestDone): void {
    checkProperties(properties, 'UNSUBSCRIBE')
    const packetId = this.flow.nextPacketId()
    const packet: Packet = { type: PacketType.UNSUBSCRIBE, packetId, properties, filters }
    const codes = this.options.version === 5 ? filters.length : 0
    this.request(packet, packetId, PacketType.UNSUBACK, codes, done)
  }

  private request(
    packet: Packet,
    packetId: number,
    answer: typeof PacketType.SUBACK | typeof PacketType.UNSUBACK,
    codes: number,
    done: RequestDone | undefined,
  ): void {
    const refusal = this.isOpen
      ? this.limits.refuseSize(encodePacket(packet, this.options.version).length)
      : new ClientError('lost', 'not connected')
    if (refusal !== undefined) {
      done?.(refusal, [])
      return
    }
    this.requests.add(packetId, answer, codes, done)
    this.link?.send(packet)
  }

  /** Stops taking packets from the broker, while messages cannot be handled as fast as they come. */
  pause(): void {
    this.link?.pause()
  }

  resume(): void {
    this.link?.resume()
  }

  /**
   * Ends with DISCONNECT; what was published before goes out first, unfinished handshakes are not waited for. A message that is
   * being handled is acknowledged. `onDisconnect` tells when it is done; that may be before this returns.
   */
  disconnect(reasonCode: ReasonCode = ReasonCode.SUCCESS, properties: Readonly<Properties> = NO_PROPERTIES): void {
    this.leave((link) => link.disconnect(reasonCode, properties))
  }

  /** Ends without DISCONNECT as soon as what was published has gone out, so that the broker publishes the will. */
  hangUp(): void {
    this.leave((link) => link.hangUp())
  }

  /** Ends at once, without DISCONNECT and with whatever is on its way. */
  stop(): void {
    this.leave((link) => link.abort())
  }

  private leave(how: (link: Link) => void): void {
    this.goodbye = () => {
      this.cancelRetry()
      if (this.link !== undefined) how(this.link)
      else if (this.isActive) this.onEnd(undefined)
    }
    if (!this.isHandling) this.goodbye()
  }

  onOpen(connack: Connack): void {
    const { properties } = connack
    const { version, cleanStart } = this.options
    // 3.1 does not say; to send again what the broker has forgotten harms nobody, to lose what it remembers does.
    const sessionPresent = connack.sessionPresent || (version === 3 && !cleanStart)
    const connection = this.link?.connection
    if (connection === undefined) return
    this.isOpen = true
    this.wasAccepted = true
    this.delay = undefined
    if (this.attempts > 0)
      this.cancelStable = this.clock.after(STABLE_AFTER, () => {
        this.attempts = 0
      })
    this.limits = new ServerLimits(properties)
    this.aliases = new ReceivedAliases(this.properties.topicAliasMaximum ?? 0)
    if (properties.assignedClientIdentifier !== undefined) this.id = properties.assignedClientIdentifier
    if (!sessionPresent) {
      this.inbound = new Inbound() // [MQTT-3.2.2-5]
      this.held.clear()
    }
    this.handler.onSession?.(connack)
    this.flow.attach(connection.outbox, this.limits, sessionPresent)
    this.handler.onConnect(connack)
  }

  onPacket(packet: SessionPacket): void {
    switch (packet.type) {
      case PacketType.PUBLISH:
        this.onPublish(packet)
        return
      case PacketType.PUBREL: {
        const isKnown = this.inbound.end(packet.packetId)
        this.acknowledge(
          PacketType.PUBCOMP,
          packet.packetId,
          isKnown ? ReasonCode.SUCCESS : ReasonCode.PACKET_IDENTIFIER_NOT_FOUND,
        )
        return
      }
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        this.requests.onAnswer(packet)
        return
      default:
        this.flow.onAck(packet)
        if (this.flow.hasDrained()) this.handler.onDrain()
    }
  }

  private onPublish(packet: Publish): void {
    const { qos, packetId, properties } = packet
    const alias = properties.topicAlias
    const topic = alias === undefined ? packet.topic : this.aliases.resolve(alias, packet.topic)
    // Sent again while its receiver is still at it.
    if (this.held.size > 0 && this.held.has(packetId) && qos > 0) return
    // [MQTT-4.3.3-10]
    const isNew = qos < 2 || this.inbound.begin(packetId, this.properties.receiveMaximum ?? 65_535)
    this.isHandling = true
    try {
      if (isNew) this.handler.onMessage(topic, packet)
    } finally {
      this.isHandling = false
    }
    if (this.isHeld) this.isHeld = false
    else if (qos === 1) this.acknowledge(PacketType.PUBACK, packetId, ReasonCode.SUCCESS)
    else if (qos === 2) this.acknowledge(PacketType.PUBREC, packetId, ReasonCode.SUCCESS)
    this.goodbye?.()
  }

  /**
   * Within `onMessage`, for a message with QoS 1 or 2: it is acknowledged when the function returned is called, or not at all. That
   * is to happen in order of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3]. Sent again by the broker meanwhile, it is not handed over again.
   */
  holdAcknowledgement({ packetId, qos }: Publish): () => void {
    const token = {}
    this.isHeld = true
    this.held.set(packetId, token)
    return () => {
      if (this.held.get(packetId) !== token) return
      this.held.delete(packetId)
      this.acknowledge(qos === 1 ? PacketType.PUBACK : PacketType.PUBREC, packetId, ReasonCode.SUCCESS)
    }
  }

  /** [MQTT-4.5.0-2]; in order of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3]. */
  private acknowledge(type: AckType, packetId: number, reasonCode: ReasonCode): void {
    const connection = this.link?.connection
    const { version } = this.options
    if (reasonCode === ReasonCode.SUCCESS || version < 5) connection?.outbox.writeAck(ackHeader(type), packetId)
    else connection?.outbox.write(encodePacket({ type, packetId, reasonCode, properties: NO_PROPERTIES }, version))
    if (this.watcher === undefined) return
    const packet: Ack = { type, packetId, reasonCode, properties: NO_PROPERTIES }
    this.watcher.onSent(packet)
  }

  onDrain(): void {
    this.flow.pump()
    if (this.flow.hasDrained()) this.handler.onDrain()
  }

  onEnd(error: ClientError | undefined): void {
    this.isOpen = false
    this.link = undefined
    this.flow.detach()
    const reason = error ?? new ClientError('stopped', 'the client was stopped')
    this.requests.fail(reason)
    this.cancelStable()
    const { reconnect } = this.options
    const isLeaving = this.goodbye !== undefined
    const willRetry = reconnect !== undefined && error !== undefined && !isLeaving && this.mayRetry(reconnect, error)
    if (willRetry) {
      this.attempts++
      this.delay = reconnectDelay(reconnect, this.delay, this.random())
      this.cancelRetry = this.clock.after(this.delay, () => this.connect())
    } else {
      this.isActive = false
      this.flow.fail(reason)
    }
    this.handler.onDisconnect(isLeaving ? undefined : error, willRetry ? this.delay : undefined)
  }

  private mayRetry({ attempts, onlyAfterLoss }: ReconnectDelays, error: ClientError): boolean {
    if (onlyAfterLoss && (!this.wasAccepted || error.kind === 'refused')) return false
    return this.attempts < (attempts ?? Number.POSITIVE_INFINITY) && canHeal(error)
  }
}
