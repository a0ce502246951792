// One connection of a bridge that the remote broker has accepted: what is said first, subscriptions there, and which part of the
// bridge each packet is for (bridges.md sections 3 and 6).

import type { Link, SessionPacket } from '../../client/link.js'
import { type RequestDone, Requests } from '../../client/requests.js'
import type { Connection } from '../../net/connection.js'
import type { BridgeConfig } from '../../options/bridge-config.js'
import { PacketType } from '../../protocol/packet-types.js'
import type { Ack } from '../../protocol/packets/acks.js'
import type { Connack } from '../../protocol/packets/connack.js'
import { publish, type Qos } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { ReasonCode, reasonText } from '../../protocol/reason-codes.js'
import type { Outbound } from '../../session/outbound.js'
import { introductionTopic } from '../clients/introduction.js'
import type { SessionClient } from '../clients/session.js'
import type { BrokerContext } from '../context.js'
import { nameIn } from '../neighbours.js'
import { HeldOutput } from '../persistence/held-output.js'
import type { Waiter } from '../persistence/journal.js'
import type { BridgeConnect } from './bridge-connect.js'
import type { BridgeNames } from './bridge-names.js'
import type { BridgeFilter, BridgeTopics } from './bridge-topics.js'
import type { LocalSide } from './local-side.js'
import { RemoteInbox } from './remote-inbox.js'
import { RemoteLimits, RemoteSender } from './remote-sender.js'

/** What a bridge is made of for as long as its configuration lasts. */
export interface BridgeParts {
  readonly config: BridgeConfig
  readonly names: BridgeNames
  readonly topics: BridgeTopics
  readonly connect: BridgeConnect
  readonly local: LocalSide
}

export class BridgeConnection {
  readonly sender: RemoteSender
  /** With a store: what holds back what is not true yet. */
  readonly waiter: Waiter | undefined
  private readonly context: BrokerContext
  private readonly parts: BridgeParts
  private readonly link: Link
  private readonly limits: RemoteLimits
  private readonly inbox: RemoteInbox
  private readonly requests = new Requests()
  /** Where the remote broker tells its name, once it has been asked; whether its answer is awaited, and what has been told. */
  private introduction: string | undefined = undefined
  private isAsking = false
  private theirName: string | undefined = undefined
  private onAnswer: () => void = () => {}
  private hasComplained = false

  /** Opens the local session if there is none yet, and brings it in line with what the remote broker remembers. */
  constructor(context: BrokerContext, parts: BridgeParts, link: Link, connection: Connection, connack: Connack) {
    const { config, topics, connect, local } = parts
    this.context = context
    this.parts = parts
    this.link = link
    connection.framer.maximumPacketSize = context.config.max_packet_size
    connection.outbox.maxPendingBytes = context.config.max_outgoing_bytes || Number.POSITIVE_INFINITY
    this.limits = new RemoteLimits(config, connack.properties, connect)
    const { version } = connect
    this.sender = new RemoteSender(context, connection.outbox, version, local.clientId, topics, this.limits, config)
    const { journal } = context
    const touched = journal?.touched
    this.waiter = journal && new HeldOutput(connection.outbox, () => link.abort())
    // 3.1 does not say: what was asked for is taken to be there.
    const isRemembered = version === 3 ? !config.cleansession : connack.sessionPresent
    const session = local.prepare(isRemembered, this.limits.maxQos)
    if (this.waiter !== undefined && journal?.touched !== touched) journal?.hold(this.waiter)
    // In 3.x what was known goes on until it is asked for again.
    if (version === 5) context.neighbours.introduced(local.clientId, nameIn(connack.properties))
    const announced = connect.announced(context.config)
    this.inbox = new RemoteInbox(context, version, this.sender, topics, session, this.waiter, local, announced)
  }

  /** ms: when a message was last sent or came in. */
  get lastPublish(): number {
    return Math.max(this.sender.lastPublish, this.inbox.lastPublish)
  }

  private get outbound(): Outbound {
    return this.parts.local.opened.outbound
  }

  /** Tells the remote broker that the bridge is there, subscribes, and has what waits sent. */
  begin(client: SessionClient): void {
    const { config, connect, local, topics } = this.parts
    if (connect.announces) this.announce('1')
    this.introduce()
    for (const filter of topics.remote) this.subscribe(filter)
    if (config.bridge_attempt_unsubscribe) for (const filter of topics.notRemote) this.unsubscribe(filter)
    const { max_inflight_messages: window } = this.context.config
    // One is for the announcement.
    const most = connect.announces ? Math.max(1, this.limits.receiveMaximum - 1) : this.limits.receiveMaximum
    const sendRetained = local.attach(client, Math.min(window || 65_535, most))
    // Whose messages are retained here is to be known first.
    if (this.isAsking) this.onAnswer = sendRetained
    else sendRetained()
  }

  /** Tells a remote broker that speaks 3.x whose bridge this is, and asks for its name, where that can matter. */
  introduce(): void {
    const { neighbours } = this.context
    const { connect, local } = this.parts
    if (!connect.isMarked || !neighbours.hasGuests || this.introduction !== undefined) return
    const filter = introductionTopic(neighbours.name)
    const packetId = this.outbound.nextPacketId()
    this.introduction = filter
    this.isAsking = true
    this.theirName = undefined
    this.requests.add(packetId, PacketType.SUBACK, 1, () => {
      this.isAsking = false
      this.context.router.settle()
      neighbours.introduced(local.clientId, this.theirName)
      this.onAnswer()
    })
    const subscriptions = [{ filter, qos: 0, noLocal: true, retainAsPublished: true, retainHandling: 0 } as const]
    this.link.send({ type: PacketType.SUBSCRIBE, packetId, properties: NO_PROPERTIES, subscriptions })
  }

  /** Publishes the state of the bridge there; at QoS 0 where nothing else may be on its way at the same time. */
  announce(state: '0' | '1'): void {
    const { maxQos, receiveMaximum, retain } = this.limits
    const qos: Qos = receiveMaximum > 1 && maxQos > 0 ? 1 : 0
    const packetId = qos === 0 ? 0 : this.outbound.nextPacketId()
    const { stateTopic: topic } = this.parts.names
    this.link.send(publish({ topic, payload: Buffer.from(state), qos, retain, packetId }))
  }

  private subscribe({ text, group, qos }: BridgeFilter): void {
    const packetId = this.outbound.nextPacketId()
    // A shared subscription must not have No Local [MQTT-3.8.3-4].
    const options = { noLocal: group === undefined, retainAsPublished: true, retainHandling: 0 } as const
    const bits = this.parts.connect.version === 5 ? (options.noLocal ? 0x0c : 0x08) : 0
    const { log } = this.context
    log.debug(
      `Bridge ${this.parts.names.localClientId} sending SUBSCRIBE (Mid: ${packetId}, Topic: ${text}, QoS: ${qos}, Options: 0x${bits.toString(16).padStart(2, '0')})`,
    )
    this.requests.add(packetId, PacketType.SUBACK, 1, this.answerTo('subscribing to', text))
    const subscriptions = [{ filter: text, qos, ...options }]
    this.link.send({ type: PacketType.SUBSCRIBE, packetId, properties: NO_PROPERTIES, subscriptions })
  }

  private unsubscribe(text: string): void {
    const packetId = this.outbound.nextPacketId()
    this.context.log.debug(
      `Bridge ${this.parts.names.localClientId} sending UNSUBSCRIBE (Mid: ${packetId}, Topic: ${text})`,
    )
    const codes = this.parts.connect.version === 5 ? 1 : 0
    this.requests.add(packetId, PacketType.UNSUBACK, codes, this.answerTo('unsubscribing from', text))
    this.link.send({ type: PacketType.UNSUBSCRIBE, packetId, properties: NO_PROPERTIES, filters: [text] })
  }

  private answerTo(what: string, text: string): RequestDone {
    return (_error, [code = 0]) => {
      if (code < 0x80) return
      const { log } = this.context
      log.warning(`Bridge ${this.parts.config.name}: ${what} '${text}' is refused: ${reasonText(code)}.`)
    }
  }

  /** @throws ProtocolError for what a broker may not send */
  onPacket(packet: SessionPacket): void {
    switch (packet.type) {
      case PacketType.PUBLISH:
        if (packet.topic === this.introduction) this.theirName = packet.payload.toString('latin1')
        else this.inbox.onPublish(packet)
        return
      case PacketType.PUBREL:
        this.inbox.onPubrel(packet.packetId)
        return
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        this.requests.onAnswer(packet)
        return
      default:
        this.onAck(packet)
    }
  }

  private onAck({ type, packetId, reasonCode }: Ack): void {
    const { outbound, info } = this.parts.local.opened
    const { points, clock } = this.context
    const finished = outbound.onAck(type, packetId, reasonCode)
    outbound.pump(clock())
    if (finished !== undefined) points.acknowledged?.(finished.message, info, reasonCode)
    if (reasonCode < ReasonCode.UNSPECIFIED_ERROR || type === PacketType.PUBCOMP || this.hasComplained) return
    this.hasComplained = true
    this.context.log.warning(
      `Bridge ${this.parts.config.name}: the remote broker refuses a message: ${reasonText(reasonCode)}. Others are refused in silence.`,
    )
  }

  onDrain(): void {
    this.outbound.pump(this.context.clock())
  }
}
