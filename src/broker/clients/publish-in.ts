// A PUBLISH from a client, and its PUBREL: topic alias, limits, right to write, duplicate or new, routing, acknowledgement
// (MQTT 5.0 sections 3.3.4, 4.3).

import type { Rights } from '../../access/client-rights.js'
import { PacketType } from '../../protocol/packet-types.js'
import type { Publish } from '../../protocol/packets/publish.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { LARGE_PAYLOAD } from '../../protocol/publish-frames.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { SharedBlock } from '../../protocol/shared-block.js'
import { type Message, messageOf } from '../../session/message.js'
import { isControlTopic } from '../admin/control.js'
import type { BrokerContext } from '../context.js'
import { Room } from '../memory-limit.js'
import type { Journal } from '../persistence/journal.js'
import type { Points } from '../plugins/points.js'
import type { Subscription } from '../routing/receiver.js'
import type { ConnectedClient } from './connected-client.js'
import { describePublish } from './describe.js'

/**
 * @param bodyStart where the packet's body begins in its bytes.
 * @param block owner of the bytes if they are pooled.
 * @throws ProtocolError 0x82, 0x93, 0x94, 0x97, 0x9A, 0x9B
 */
export function handlePublish(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Publish,
  bodyStart: number,
  block: SharedBlock | undefined,
): void {
  const { statistics, router } = context
  router.forgetLast()
  const { topicAlias } = packet.properties
  const named = topicAlias === undefined ? packet.topic : client.aliases.resolve(topicAlias, packet.topic)
  checkLimits(context, client, packet)
  statistics.publishBytesReceived += packet.payloadEnd - packet.payloadStart
  context.memoryLimit.spend(packet.payloadEnd - packet.payloadStart)
  const topic = client.mountPoint === '' ? named : client.mountPoint + named
  const { log, journal } = context
  const touched = journal?.touched
  const reasonCode = judge(context, client, packet, named)
  if (log.isDebug) {
    const size = packet.payloadEnd - packet.payloadStart
    const what = describePublish({ topic, size }, packet.qos, packet.retain, packet.dup, packet.packetId)
    log.debug(`${reasonCode === undefined ? 'Received' : 'Denied'} PUBLISH from ${client.session.clientId} ${what}`)
  }
  // [MQTT-3.3.4-1]
  if (packet.qos === 2) handleQos2(context, client, packet, topic, bodyStart, block, reasonCode)
  else {
    const answer = reasonCode ?? route(context, client, packet, topic, bodyStart, block)
    if (packet.qos === 1) client.sender.acknowledge(PacketType.PUBACK, packet.packetId, answer) // [MQTT-4.3.2-4]
  }
  if (journal !== undefined && packet.qos > 0 && journal.touched !== touched) hold(journal, client)
}

/**
 * QoS 0 packets behind one that was handled, in bytes[at..limit): those are taken that differ from it in nothing but their payload,
 * so that whatever was asked for it has the same answer. Returns where the rest begins.
 * @param most bytes of the largest packet that may come
 */
export function handleFollowing(
  context: BrokerContext,
  client: ConnectedClient,
  bytes: Buffer,
  at: number,
  limit: number,
  most: number,
): number {
  const { settings, memoryLimit, points, router } = context
  if (memoryLimit.room !== Room.EVERYTHING) return at
  const asked = points.publish && new Asked(points.publish, client)
  const mostPayload = settings.messageSizeLimit || most
  const taken = router.publishFollowing({ bytes, at, limit, most, mostPayload, passes: asked?.passes })
  if (taken !== undefined) countFollowing(context, taken.count, taken.payloadBytes)
  const end = taken?.end ?? at
  const message = asked?.message
  if (asked === undefined || message === undefined || message.payloadEnd === end) return end
  // The last one they were asked about is another now, or goes elsewhere. It may move to other memory.
  const next = message.payloadEnd
  countFollowing(context, 1, message.size)
  if (typeof asked.answer !== 'number') hand(context, client, next - end, message, asked.answer)
  return next
}

function countFollowing({ statistics, memoryLimit }: BrokerContext, count: number, payloadBytes: number): void {
  statistics.countReceived(PacketType.PUBLISH, count)
  statistics.publishBytesReceived += payloadBytes
  memoryLimit.spend(payloadBytes, count)
}

/** What plugins are asked of each message, and have answered last. */
class Asked {
  message: Message | undefined = undefined
  answer: Message | ReasonCode = ReasonCode.SUCCESS
  readonly passes: (message: Message) => boolean

  constructor(publish: NonNullable<Points['publish']>, client: ConnectedClient) {
    const { info } = client.session
    this.passes = (message) => {
      this.message = message
      this.answer = publish(message, info)
      return this.answer === message
    }
  }
}

/** What the client hears from now on waits until what it promises is on disk. */
export function hold(journal: Journal, { waiter }: ConnectedClient): void {
  if (waiter !== undefined) journal.hold(waiter)
}

function checkLimits({ settings }: BrokerContext, { maxQos }: ConnectedClient, packet: Publish): void {
  if (packet.qos > maxQos) throw new ProtocolError(ReasonCode.QOS_NOT_SUPPORTED, `QoS ${packet.qos}`) // [MQTT-3.2.2-11]
  if (packet.retain && !settings.retainAvailable)
    throw new ProtocolError(ReasonCode.RETAIN_NOT_SUPPORTED, 'retained message') // [MQTT-3.2.2-14]
}

/** Whether a client may publish to `topic` as it calls it: what is the broker's stays so behind a mount point. */
export function mayPublish(mountPoint: string, rights: Rights, topic: string): boolean {
  if (mountPoint === '') return rights.mayWrite(topic)
  return !topic.startsWith('$SYS') && !topic.startsWith('$share') && rights.mayWrite(mountPoint + topic)
}

/** The reason code of a refusal, undefined when the message may pass. `topic` is the client's name for it. */
function judge(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Publish,
  topic: string,
): ReasonCode | undefined {
  const { settings, denials, memoryLimit, journal } = context
  const { session, mountPoint } = client
  if (!mayPublish(mountPoint, session.rights, topic)) {
    denials.report(session, 'write', mountPoint + topic)
    return ReasonCode.NOT_AUTHORIZED
  }
  const { messageSizeLimit: limit } = settings
  if (limit > 0 && packet.payloadEnd - packet.payloadStart > limit) return ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
  if (journal?.isFailing === true && packet.qos > 0 && concernsStore(context, client, packet, mountPoint + topic))
    return refuseStoring(client)
  return memoryLimit.room === Room.EVERYTHING ? undefined : judgeMemory(context, client, packet)
}

/** Whether an acknowledgement would promise something that is to be on disk. */
function concernsStore(
  { router }: BrokerContext,
  { session }: ConnectedClient,
  { qos, retain }: Publish,
  topic: string,
): boolean {
  if (retain || (qos === 2 && session.durable !== undefined)) return true
  const { subscriptions, groups } = router.subscriptions.match(topic)
  return subscriptions.some(isDurable) || groups.some(({ members }) => members.some(isDurable))
}

function isDurable({ receiver }: Subscription): boolean {
  return receiver.isDurable
}

/** The store cannot be written. 3.x has no way to say so but to end the connection. */
function refuseStoring({ version }: ConnectedClient): ReasonCode {
  if (version === 5) return ReasonCode.QUOTA_EXCEEDED
  throw new ProtocolError(ReasonCode.QUOTA_EXCEEDED, 'the store cannot be written')
}

/** There is little memory left, or none. */
function judgeMemory(
  { settings, memoryLimit, statistics }: BrokerContext,
  client: ConnectedClient,
  packet: Publish,
): ReasonCode | undefined {
  // It makes room.
  const clearsRetained = packet.retain && packet.payloadEnd === packet.payloadStart
  const isKept = packet.qos > 0 || packet.retain || settings.queueQos0
  if (clearsRetained || (memoryLimit.room === Room.PASSING && !isKept)) return undefined
  // An acknowledgement of 3.x says that the message is taken; without one, the client sends it again later.
  if (packet.qos > 0 && client.version < 5)
    throw new ProtocolError(ReasonCode.QUOTA_EXCEEDED, 'no memory left for the message (memory_limit)')
  statistics.publishesDropped++
  return ReasonCode.QUOTA_EXCEEDED
}

function handleQos2(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Publish,
  topic: string,
  bodyStart: number,
  block: SharedBlock | undefined,
  refusal: ReasonCode | undefined,
): void {
  const { session, sender } = client
  const { packetId } = packet
  // A refusal leaves no identifier open in 5.0; a 3.x client cannot be told and goes on with PUBREL [MQTT-4.3.3-9].
  if (refusal !== undefined && client.version === 5 && !session.inbound.openIds.has(packetId)) {
    sender.acknowledge(PacketType.PUBREC, packetId, refusal)
    return
  }
  const isNew = session.inbound.begin(packetId, client.receiveMaximum) // [MQTT-4.3.3-10]
  const answer =
    isNew && refusal === undefined ? route(context, client, packet, topic, bodyStart, block) : ReasonCode.SUCCESS
  // A plugin has refused it, when it was known to be new.
  if (answer >= ReasonCode.UNSPECIFIED_ERROR && client.version === 5) session.inbound.end(packetId)
  sender.acknowledge(PacketType.PUBREC, packetId, answer) // [MQTT-4.3.3-8]
}

function route(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Publish,
  topic: string,
  bodyStart: number,
  block: SharedBlock | undefined,
): ReasonCode {
  if (isControlTopic(topic)) {
    context.control.handle(topic, packet.payload, client)
    return ReasonCode.SUCCESS
  }
  const arrived = messageOf(packet, topic, client.version, client.publisher, context.clock, bodyStart, block)
  const { publish } = context.points
  const size = packet.payloadEnd - bodyStart
  if (publish === undefined) return hand(context, client, size, arrived, arrived)
  const message = publish(arrived, client.session.info)
  return typeof message === 'number' ? message : hand(context, client, size, arrived, message)
}

/**
 * Hands a message, which may refer to the bytes of its packet, to the router.
 * @param size bytes of the packet
 * @param arrived what it was before plugins changed it
 */
function hand(
  context: BrokerContext,
  client: ConnectedClient,
  size: number,
  arrived: Message,
  message: Message,
): ReasonCode {
  // Nor is a small part of a block to keep the whole of it.
  const isView =
    size > LARGE_PAYLOAD &&
    message.bytes === arrived.bytes &&
    (message.block === undefined || size < message.block.bytes.length / 8)
  const taken = isView ? routeLarge(context, message) : context.router.publish(message)
  if (taken) return ReasonCode.SUCCESS
  context.points.notConsumed?.(message, client.session.info)
  return ReasonCode.NO_MATCHING_SUBSCRIBERS
}

/** A large message that lies in the read buffer moves to memory that receivers can refer to while it is written. */
function routeLarge({ memory, router }: BrokerContext, message: Message): boolean {
  const block = message.share(memory.blocks)
  try {
    return router.publish(message)
  } finally {
    block.release()
  }
}

/** PUBREL: the message is the receiver's since PUBREC; its identifier is free again. */
export function handlePubrel({ journal }: BrokerContext, client: ConnectedClient, packetId: number): void {
  const known = client.session.inbound.end(packetId)
  if (journal !== undefined && client.session.durable !== undefined) hold(journal, client)
  const reasonCode = known ? ReasonCode.SUCCESS : ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
  client.sender.acknowledge(PacketType.PUBCOMP, packetId, reasonCode) // [MQTT-4.3.3-11]
}
