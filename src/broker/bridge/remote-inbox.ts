// What a remote broker sends over a bridge, treated as what any stranger sends: aliases and QoS 2 identifiers within their limits,
// only topics that were asked for, the name that results checked again, and only then published here (bridges.md section 3).

import { PacketType, type ProtocolVersion } from '../../protocol/packet-types.js'
import type { Publish } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../protocol/properties.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { LARGE_PAYLOAD } from '../../protocol/publish-frames.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import { localMessage, type Message, type Publisher } from '../../session/message.js'
import { ReceivedAliases } from '../../session/topic-aliases.js'
import { isControlTopic } from '../admin/control.js'
import { describePublish } from '../clients/describe.js'
import type { Session } from '../clients/session.js'
import type { BrokerContext } from '../context.js'
import { Room } from '../memory-limit.js'
import type { Waiter } from '../persistence/journal.js'
import type { BridgeTopics } from './bridge-topics.js'
import type { RemoteSender } from './remote-sender.js'

/** What this side has announced in CONNECT. */
export interface AnnouncedLimits {
  readonly receiveMaximum: number
  readonly topicAliasMaximum: number
}

export class RemoteInbox {
  /** ms: when a message last came in. */
  lastPublish: number
  private readonly context: BrokerContext
  private readonly version: ProtocolVersion
  private readonly sender: RemoteSender
  private readonly topics: BridgeTopics
  private readonly session: Session
  private readonly waiter: Waiter | undefined
  private readonly publisher: Publisher
  private readonly receiveMaximum: number
  private readonly aliases: ReceivedAliases
  private hasComplained = false

  /** @param waiter with a store: what holds acknowledgements back until what they promise is on disk. */
  constructor(
    context: BrokerContext,
    version: ProtocolVersion,
    sender: RemoteSender,
    topics: BridgeTopics,
    session: Session,
    waiter: Waiter | undefined,
    publisher: Publisher,
    announced: AnnouncedLimits,
  ) {
    this.context = context
    this.version = version
    this.sender = sender
    this.topics = topics
    this.session = session
    this.waiter = waiter
    this.publisher = publisher
    this.receiveMaximum = announced.receiveMaximum
    this.aliases = new ReceivedAliases(announced.topicAliasMaximum)
    this.lastPublish = context.clock()
  }

  /** @throws ProtocolError 0x82, 0x93, 0x94, 0x97 */
  onPublish(packet: Publish): void {
    const { journal } = this.context
    const touched = journal?.touched
    this.take(packet)
    if (journal !== undefined && packet.qos > 0 && journal.touched !== touched) this.hold()
  }

  private hold(): void {
    if (this.waiter !== undefined) this.context.journal?.hold(this.waiter)
  }

  private take(packet: Publish): void {
    const { topicAlias } = packet.properties
    const named = topicAlias === undefined ? packet.topic : this.aliases.resolve(topicAlias, packet.topic)
    const { qos, packetId } = packet
    const { log, statistics, clock, memoryLimit } = this.context
    this.lastPublish = clock()
    const size = packet.payloadEnd - packet.payloadStart
    statistics.publishBytesReceived += size
    memoryLimit.spend(size)
    const topic = this.topics.toLocal(named)
    const refusal = this.judge(named, topic, size) ?? this.judgeMemory(packet)
    if (log.isDebug) {
      const what = describePublish({ topic: named, size }, qos, packet.retain, packet.dup, packetId)
      log.debug(`${refusal === undefined ? 'Received' : 'Denied'} PUBLISH from ${this.publisher.clientId} ${what}`)
    }
    if (qos === 2) {
      // In 5.0 a refusal leaves no identifier open [MQTT-4.3.3-9].
      const { inbound } = this.session
      const isRefused = refusal !== undefined && this.version === 5 && !inbound.openIds.has(packetId)
      const isNew = !isRefused && inbound.begin(packetId, this.receiveMaximum) // [MQTT-4.3.3-10]
      const answer = isRefused ? refusal : isNew ? this.pass(packet, topic, refusal) : ReasonCode.SUCCESS
      // A plugin has refused it, when it was known to be new.
      if (isNew && answer >= ReasonCode.UNSPECIFIED_ERROR && this.version === 5) inbound.end(packetId)
      this.sender.acknowledge(PacketType.PUBREC, packetId, answer)
      return
    }
    const answer = this.pass(packet, topic, refusal)
    if (qos === 1) this.sender.acknowledge(PacketType.PUBACK, packetId, answer)
  }

  onPubrel(packetId: number): void {
    if (this.session.durable !== undefined) this.hold()
    const isKnown = this.session.inbound.end(packetId)
    const answer = isKnown ? ReasonCode.SUCCESS : ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
    this.sender.acknowledge(PacketType.PUBCOMP, packetId, answer)
  }

  /** Why a message is not published here, if so. `named` is its topic over there. */
  private judge(named: string, topic: string | undefined, size: number): ReasonCode | undefined {
    const { settings, config } = this.context
    if (topic === undefined) return this.complain(named, 'no topic line of the bridge is for it')
    if (!this.publisher.mayWrite(topic)) return this.complain(named, `'${topic}' belongs to this broker`)
    if (isControlTopic(topic) && config.per_listener_settings)
      return this.complain(named, 'with per_listener_settings a bridge may not control this broker')
    const { messageSizeLimit: most } = settings
    if (most === 0 || size <= most) return undefined
    this.complain(named, `its ${size} bytes are more than message_size_limit`)
    return ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
  }

  /** There is little memory left, or none: what would be kept is refused, and in 3.x, which cannot be told, comes again later. */
  private judgeMemory({ qos, retain }: Publish): ReasonCode | undefined {
    const { memoryLimit, statistics } = this.context
    const isKept = qos > 0 || retain
    if (memoryLimit.room === Room.EVERYTHING || (memoryLimit.room === Room.PASSING && !isKept)) return undefined
    if (qos > 0 && this.version < 5) throw new ProtocolError(ReasonCode.QUOTA_EXCEEDED, 'no memory left for a message')
    statistics.publishesDropped++
    return ReasonCode.QUOTA_EXCEEDED
  }

  /** Once for each connection. */
  private complain(named: string, why: string): ReasonCode {
    if (!this.hasComplained)
      this.context.log.notice(
        `A message to '${named}' that came in over ${this.publisher.clientId} is dropped: ${why}. Others are dropped in silence.`,
      )
    this.hasComplained = true
    return ReasonCode.NOT_AUTHORIZED
  }

  private pass(packet: Publish, topic: string | undefined, refusal: ReasonCode | undefined): ReasonCode {
    if (refusal !== undefined || topic === undefined) return refusal ?? ReasonCode.SUCCESS
    const { clock, settings, control, points } = this.context
    if (isControlTopic(topic)) {
      control.handle(topic, packet.payload, { session: this.session, sender: this.sender })
      return ReasonCode.SUCCESS
    }
    const retain = packet.retain && settings.retainAvailable
    const properties = ownProperties(packet.properties)
    const arrived = localMessage(topic, packet.payload, packet.qos, retain, properties, this.publisher, clock())
    const message = points.publish === undefined ? arrived : points.publish(arrived, this.session.info)
    if (typeof message === 'number') return message
    if (this.route(message)) return ReasonCode.SUCCESS
    points.notConsumed?.(message, this.session.info)
    return ReasonCode.NO_MATCHING_SUBSCRIBERS
  }

  /** A large payload moves out of the read buffer to memory that receivers can refer to while it is written. */
  private route(message: Message): boolean {
    const { memory, router } = this.context
    if (message.size <= LARGE_PAYLOAD) return router.publish(message)
    const block = message.share(memory.blocks)
    try {
      return router.publish(message)
    } finally {
      block.release()
    }
  }
}

/** Without those that belong to the connection. */
function ownProperties(properties: Readonly<Properties>): Readonly<Properties> {
  if (properties === NO_PROPERTIES) return properties
  const { topicAlias: _alias, subscriptionIdentifiers: _identifiers, ...rest } = properties
  return Object.keys(rest).length === 0 ? NO_PROPERTIES : rest
}
