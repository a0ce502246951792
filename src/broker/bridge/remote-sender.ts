// Packets on their way to the remote broker of a bridge: messages under the names they have there, within what it takes and with
// topic aliases, and acknowledgements. Lives as long as the connection; what is to be sent is decided by the local session.

import { ServerLimits } from '../../client/server-limits.js'
import type { Outbox } from '../../net/outbox.js'
import type { BridgeConfig } from '../../options/bridge-config.js'
import { encodePacket } from '../../protocol/codec.js'
import { PacketType, type ProtocolVersion, packetTypeRow } from '../../protocol/packet-types.js'
import { type AckType, ackHeader } from '../../protocol/packets/acks.js'
import { publishFlags, type Qos } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../protocol/properties.js'
import type { Frame } from '../../protocol/publish-frames.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { Delivery } from '../../session/delivery.js'
import { type Message, remainingExpiry } from '../../session/message.js'
import { SentAliases } from '../../session/topic-aliases.js'
import { describePublish } from '../clients/describe.js'
import type { SessionSender } from '../clients/session.js'
import type { BrokerContext } from '../context.js'
import type { BridgeTopics } from './bridge-topics.js'

/** What the remote broker takes, and what the configuration lets it have. */
export class RemoteLimits {
  readonly maxQos: Qos
  readonly retain: boolean
  readonly receiveMaximum: number
  readonly topicAliases: number
  /** Bytes of a packet. */
  readonly packetSize: number

  /**
   * @param announced the properties of CONNACK
   * @param learned the highest QoS, and whether RETAIN is left, after refusals
   */
  constructor(
    config: BridgeConfig,
    announced: Readonly<Properties>,
    learned: { readonly maxQos: Qos; readonly retain: boolean },
  ) {
    const limits = new ServerLimits(announced)
    this.maxQos = Math.min(learned.maxQos, limits.maximumQos) as Qos
    this.retain = learned.retain && limits.retainAvailable
    this.receiveMaximum = limits.receiveMaximum
    this.topicAliases = Math.min(config.bridge_max_topic_alias, limits.topicAliasMaximum)
    this.packetSize = Math.min(config.bridge_max_packet_size || Number.POSITIVE_INFINITY, limits.maximumPacketSize)
  }
}

export class RemoteSender implements SessionSender {
  readonly version: ProtocolVersion
  /** ms: when a message was last sent. */
  lastPublish: number
  private readonly context: BrokerContext
  private readonly outbox: Outbox
  private readonly name: string
  private readonly topics: BridgeTopics
  private readonly limits: RemoteLimits
  private readonly forwardsRetain: boolean
  private readonly aliases: SentAliases | undefined
  private isTooLarge = false

  /** @param name of the local session, as the log calls it. */
  constructor(
    context: BrokerContext,
    outbox: Outbox,
    version: ProtocolVersion,
    name: string,
    topics: BridgeTopics,
    limits: RemoteLimits,
    config: BridgeConfig,
  ) {
    this.context = context
    this.outbox = outbox
    this.version = version
    this.name = name
    this.topics = topics
    this.limits = limits
    this.forwardsRetain = config.bridge_outgoing_retain && limits.retain
    this.aliases = limits.topicAliases > 0 ? new SentAliases(limits.topicAliases) : undefined
    this.lastPublish = context.clock()
  }

  get isWritable(): boolean {
    return this.outbox.isWritable
  }

  /** Each message has a name of its own there. */
  followerFor(): undefined {
    return undefined
  }

  runSinkFor(): undefined {
    return undefined
  }

  sendPublish({ message, qos, retain, packetId }: Delivery, dup: boolean): boolean {
    return this.publish(message, qos, retain, dup, packetId)
  }

  /** Sends a message; false, with nothing sent, when it is larger than the remote broker takes or no longer shared. */
  publish(message: Message, qos: Qos, retain: boolean, dup: boolean, packetId: number): boolean {
    const { frames, statistics, log, clock } = this.context
    const topic = this.topics.toRemote(message.topic)
    if (topic === undefined || qos > this.limits.maxQos) return false
    const known = this.aliases?.known(topic) ?? 0
    const topicAlias = known > 0 ? known : (this.aliases?.proposed() ?? 0)
    frames.use(message)
    const now = clock()
    const isAsItIs =
      topic === message.topic &&
      (this.version < 5 || (this.aliases === undefined && message.expiresAt === Number.POSITIVE_INFINITY))
    const frame: Frame = isAsItIs
      ? frames.frame(this.version, qos > 0)
      : frames.frameFor(
          this.version,
          {
            topic: known > 0 ? '' : topic,
            subscriptionIdentifier: 0,
            topicAlias,
            messageExpiryInterval: remainingExpiry(message, now),
          },
          qos > 0,
        )
    if (frame.size > this.limits.packetSize) return this.tooLarge(frame.size, topic)
    if (topicAlias > 0) this.aliases?.commit(topic, topicAlias)
    this.isTooLarge = false
    this.lastPublish = now
    const flags = publishFlags(qos, retain && this.forwardsRetain, dup)
    this.outbox.writeFrame(frame, (PacketType.PUBLISH << 4) | flags, packetId)
    statistics.countSent(PacketType.PUBLISH)
    statistics.publishBytesSent += message.size
    if (log.isDebug) {
      const what = describePublish({ topic, size: message.size }, qos, retain && this.forwardsRetain, dup, packetId)
      log.debug(`Sending PUBLISH to ${this.name} ${what}`)
    }
    return true
  }

  private tooLarge(size: number, topic: string): false {
    if (!this.isTooLarge) {
      const most = this.limits.packetSize
      this.context.log.notice(
        `Bridge session ${this.name}: a message to '${topic}' is dropped, its packet of ${size} bytes is larger than ${most}.`,
      )
    }
    this.isTooLarge = true
    return false
  }

  sendPubrel(packetId: number, reasonCode: ReasonCode): void {
    this.acknowledge(PacketType.PUBREL, packetId, reasonCode)
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. A 3.x broker hears of success only. */
  acknowledge(type: AckType, packetId: number, reasonCode: ReasonCode): void {
    if (reasonCode === ReasonCode.SUCCESS || this.version < 5) this.outbox.writeAck(ackHeader(type), packetId)
    else this.outbox.write(encodePacket({ type, packetId, reasonCode, properties: NO_PROPERTIES }, this.version))
    const { log, statistics } = this.context
    statistics.countSent(type)
    if (log.isDebug) log.debug(`Sending ${packetTypeRow(type)?.name} to ${this.name} (m${packetId}, rc${reasonCode})`)
  }
}
