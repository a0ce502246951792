// Packets on their way to one client: in its protocol version, within its Maximum Packet Size, with its topic aliases. Lives as
// long as the connection. What to send is decided by the session and the handlers.

import { encodePacket, encodeWithin, type Trimmable, withoutReason } from '../../protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../protocol/packet-types.js'
import { type AckType, ackHeader } from '../../protocol/packets/acks.js'
import type { Connect } from '../../protocol/packets/connect.js'
import { publishFlags, type Qos } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import type { Frame } from '../../protocol/publish-frames.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { SharedBlock } from '../../protocol/shared-block.js'
import type { Delivery } from '../../session/delivery.js'
import { type Message, remainingExpiry } from '../../session/message.js'
import type { MessageRun } from '../../session/message-run.js'
import type { RunSink } from '../../session/outbound.js'
import { SentAliases } from '../../session/topic-aliases.js'
import type { BrokerContext } from '../context.js'
import type { PacketOutlet } from '../plugins/watched-packets.js'
import type { Follower } from '../routing/receiver.js'
import { describePublish } from './describe.js'
import type { SessionSender } from './session.js'

const NO_LIMIT = Number.POSITIVE_INFINITY

export class PacketSender implements SessionSender, Follower, RunSink {
  readonly version: ProtocolVersion
  private readonly context: BrokerContext
  private readonly outlet: PacketOutlet
  private readonly name: string
  private readonly mountPoint: string
  readonly maximumPacketSize: number
  private readonly problemInformation: boolean
  /** Undefined for a client that takes no aliases. */
  private readonly aliases: SentAliases | undefined

  /** @param name the client as the log calls it. */
  constructor(
    context: BrokerContext,
    outlet: PacketOutlet,
    connect: Connect,
    name: string,
    listener: { readonly mount_point: string | undefined; readonly max_topic_alias_broker: number },
  ) {
    const { properties } = connect
    this.context = context
    this.outlet = outlet
    this.version = connect.protocolVersion
    this.name = name
    this.mountPoint = listener.mount_point ?? ''
    this.maximumPacketSize = properties.maximumPacketSize ?? NO_LIMIT
    this.problemInformation = properties.requestProblemInformation !== 0
    const aliases = Math.min(properties.topicAliasMaximum ?? 0, listener.max_topic_alias_broker)
    this.aliases = aliases > 0 ? new SentAliases(aliases) : undefined
  }

  get isWritable(): boolean {
    return this.outlet.isWritable
  }

  sendPublish(delivery: Delivery, dup: boolean): boolean {
    const { message, qos, retain, packetId, subscriptionIdentifier } = delivery
    return this.publish(message, qos, retain, dup, packetId, subscriptionIdentifier)
  }

  /** Sends a message; false, with nothing sent, when it is larger than the client takes [MQTT-3.1.2-24]. */
  publish(
    message: Message,
    qos: Qos,
    retain: boolean,
    dup: boolean,
    packetId: number,
    subscriptionIdentifier: number,
  ): boolean {
    const { frames, statistics, log } = this.context
    frames.use(message)
    let topicAlias = 0
    let frame: Frame
    if (this.isShared(message, subscriptionIdentifier)) frame = frames.frame(this.version, qos > 0)
    else {
      const topic = message.topic.slice(this.mountPoint.length)
      const known = this.aliases?.known(topic) ?? 0
      topicAlias = known > 0 ? known : (this.aliases?.proposed() ?? 0)
      const messageExpiryInterval = remainingExpiry(message, this.context.clock())
      // [MQTT-3.3.4-3] [MQTT-3.3.2-6]
      const fields = { topic: known > 0 ? '' : topic, subscriptionIdentifier, topicAlias, messageExpiryInterval }
      frame = frames.frameFor(this.version, fields, qos > 0)
    }
    if (frame.size > this.maximumPacketSize) return false
    if (topicAlias > 0) this.aliases?.commit(message.topic.slice(this.mountPoint.length), topicAlias)
    this.outlet.writeFrame(frame, (PacketType.PUBLISH << 4) | publishFlags(qos, retain, dup), packetId)
    statistics.countSent(PacketType.PUBLISH)
    statistics.publishBytesSent += message.size
    if (log.isDebug)
      log.debug(`Sending PUBLISH to ${this.name} ${describePublish(message, qos, retain, dup, packetId)}`)
    return true
  }

  followerFor(message: Message, subscriptionIdentifier: number): Follower | undefined {
    return !this.context.log.isDebug && this.isShared(message, subscriptionIdentifier) ? this : undefined
  }

  /** Sends QoS 0 packets that others get as well, or drops them when the client is behind [MQTT-4.3.1-1]. */
  sendStretch(block: SharedBlock, start: number, end: number, count: number, payloadBytes: number): void {
    const { statistics } = this.context
    if (!this.outlet.isWritable) {
      statistics.publishesDropped += count
      return
    }
    this.outlet.writeStretch(block, start, end)
    statistics.countSent(PacketType.PUBLISH, count)
    statistics.publishBytesSent += payloadBytes
  }

  runSinkFor({ messages, packets }: MessageRun, subscriptionIdentifier: number): RunSink | undefined {
    const [first] = messages
    const isAlike = first !== undefined && first.frameStart >= 0 && (packets.version === 5) === (this.version === 5)
    if (!isAlike || packets.largest > this.maximumPacketSize || this.context.log.isDebug) return undefined
    return this.isShared(first, subscriptionIdentifier) ? this : undefined
  }

  sendRun({ packets, packetIds }: MessageRun, count: number): void {
    const { statistics } = this.context
    this.outlet.writeRun(packets, packetIds, count)
    statistics.countSent(PacketType.PUBLISH, count)
    statistics.publishBytesSent += packets.payloadBytesOf(count)
  }

  /** Whether the client gets the same bytes as others. */
  private isShared(message: Message, subscriptionIdentifier: number): boolean {
    if (this.mountPoint.length > 0) return false
    if (this.version < 5) return true
    return subscriptionIdentifier === 0 && this.aliases === undefined && message.expiresAt === NO_LIMIT
  }

  sendPubrel(packetId: number, reasonCode: ReasonCode): void {
    this.acknowledge(PacketType.PUBREL, packetId, reasonCode)
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP [MQTT-2.2.1-5]. A 3.x client hears of success only [MQTT-3.3.5-2 of 3.1.1]. */
  acknowledge(type: AckType, packetId: number, reasonCode: ReasonCode): void {
    if (reasonCode !== ReasonCode.SUCCESS && this.version === 5)
      this.send({ type, packetId, reasonCode, properties: NO_PROPERTIES })
    else {
      this.outlet.writeAck(ackHeader(type), packetId)
      this.context.statistics.countSent(type)
    }
    const { log } = this.context
    if (log.isDebug) log.debug(`Sending ${ackNames[type]} to ${this.name} (m${packetId}, rc${reasonCode})`)
  }

  /** PUBACK or PUBREC of success for each of the first `count` packets. */
  acknowledgeRun(type: AckType, packetIds: Uint16Array, count: number): void {
    const header = ackHeader(type)
    for (let i = 0; i < count; i++) this.outlet.writeAck(header, packetIds[i] as number)
    this.context.statistics.countSent(type, count)
  }

  /**
   * Sends a packet other than PUBLISH. Reason String and User Property are left out where the client did not ask for problem
   * information [MQTT-3.1.2-29] or has no room for them. False when even the rest is larger than the client takes.
   */
  send(packet: Trimmable): boolean {
    const informs = packet.type === PacketType.CONNACK || packet.type === PacketType.DISCONNECT
    const bytes =
      informs || this.problemInformation
        ? encodeWithin(packet, this.version, this.maximumPacketSize)
        : encodeWithin(withoutReason(packet), this.version, this.maximumPacketSize)
    if (bytes === undefined) return false
    this.outlet.write(bytes)
    this.context.statistics.countSent(packet.type)
    return true
  }

  sendPingresp(): void {
    this.outlet.write(encodePacket({ type: PacketType.PINGRESP }, this.version))
    this.context.statistics.countSent(PacketType.PINGRESP)
    if (this.context.log.isDebug) this.context.log.debug(`Sending PINGRESP to ${this.name}`)
  }
}

const ackNames = {
  [PacketType.PUBACK]: 'PUBACK',
  [PacketType.PUBREC]: 'PUBREC',
  [PacketType.PUBREL]: 'PUBREL',
  [PacketType.PUBCOMP]: 'PUBCOMP',
} as const
