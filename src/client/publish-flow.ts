// What the client publishes, on its way from the caller to the connection: session/outbound keeps what is unfinished across
// connections, this file encodes it, respects what the broker takes, and tells the caller how each message fared.

import type { Outbox } from '../net/outbox.js'
import { encodePacket, type Packet } from '../protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../protocol/packet-types.js'
import { type Ack, ackHeader } from '../protocol/packets/acks.js'
import { Publish, publishFlags, type Qos } from '../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../protocol/properties.js'
import { type Frame, PublishFrames } from '../protocol/publish-frames.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { Delivery } from '../session/delivery.js'
import type { Message } from '../session/message.js'
import { Outbound, type OutboundSink } from '../session/outbound.js'
import { ClientError, reasonWords } from './client-error.js'
import { ServerLimits } from './server-limits.js'

/** Told once how a message fared: written (QoS 0), acknowledged (QoS 1 and 2, with the reason code), or why not. */
export type PublishDone = (error: ClientError | undefined, reasonCode: number) => void

/** Every delivery in the outbound state of a client is one of these. A class, because there is one for each message. */
class OwnDelivery implements Delivery {
  readonly message: Message
  readonly qos: Qos
  readonly retain: boolean
  readonly subscriptionIdentifier = 0
  readonly share = undefined
  packetId = 0
  order = 0
  released = false
  isOpen = false
  place = 0
  readonly done: PublishDone | undefined

  constructor(message: Message, done: PublishDone | undefined) {
    this.message = message
    this.qos = message.qos
    this.retain = message.retain
    this.done = done
  }
}

const UNLIMITED = { maxQueuedMessages: 0, maxQueuedBytes: 0, maxInflightBytes: 0 }
/** A message's life is counted by the broker, which is given the whole of it: nothing expires here. */
const AGELESS = Number.NEGATIVE_INFINITY
/** Messages and bytes that may wait for the window before the caller is asked to wait. */
const MOST_WAITING = 256
const MOST_WAITING_BYTES = 1_048_576

export class PublishFlow implements OutboundSink {
  private readonly version: ProtocolVersion
  private readonly window: number
  private readonly isUsedElsewhere: (packetId: number) => boolean
  private readonly watch: ((packet: Packet) => void) | undefined
  private readonly frames = new PublishFrames()
  private outbound: Outbound
  private outbox: Outbox | undefined = undefined
  private limits = new ServerLimits(NO_PROPERTIES)
  /** Given to the broker on this connection. */
  private aliases = new Map<number, string>()
  /** What PUBREC said, by packet identifier, where it is more than success: PUBCOMP does not say it again. */
  private readonly received = new Map<number, number>()
  private isBlocked = false

  /**
   * @param window most QoS 1 and 2 messages on their way at once, if the broker does not want fewer.
   * @param isUsedElsewhere packet identifiers that other packets have taken.
   */
  constructor(
    version: ProtocolVersion,
    window: number,
    isUsedElsewhere: (packetId: number) => boolean,
    watch: ((packet: Packet) => void) | undefined,
  ) {
    this.version = version
    this.window = window
    this.isUsedElsewhere = isUsedElsewhere
    this.watch = watch
    this.outbound = new Outbound(UNLIMITED, isUsedElsewhere)
  }

  nextPacketId(): number {
    return this.outbound.nextPacketId()
  }

  /** Whether everything published is finished. */
  get isEmpty(): boolean {
    return this.outbound.isEmpty
  }

  /** Returns false when the caller should wait for `hasDrained`; the message was taken nevertheless. */
  publish(message: Message, done: PublishDone | undefined): boolean {
    if (message.qos === 0 && this.outbox === undefined) done?.(new ClientError('lost', 'not connected'), 0)
    else {
      this.outbound.enqueue(new OwnDelivery(message, done))
    }
    this.isBlocked = this.isBehind(1)
    return !this.isBlocked
  }

  /** Whether a caller that was asked to wait may go on: true once after each time. */
  hasDrained(): boolean {
    if (!this.isBlocked || this.isBehind(0.5)) return false
    this.isBlocked = false
    return true
  }

  private isBehind(share: number): boolean {
    return (
      this.outbox?.isWritable === false ||
      this.outbound.queuedCount >= MOST_WAITING * share ||
      this.outbound.queuedBytes >= MOST_WAITING_BYTES * share
    )
  }

  /** A connection was accepted: what is unfinished goes out again, in order. */
  attach(outbox: Outbox, limits: ServerLimits, sessionPresent: boolean): void {
    this.outbox = outbox
    this.limits = limits
    this.aliases = new Map() // [MQTT-3.3.2-7]
    if (!sessionPresent) this.startAnew()
    this.outbound.attach(this, Math.min(limits.receiveMaximum, this.window), AGELESS)
  }

  /**
   * The broker knows nothing of what was sent [MQTT-3.2.2-5]: messages it has not taken over become new ones. What it has
   * answered with PUBREC is its own, and sending that again could only double it.
   */
  private startAnew(): void {
    this.received.clear()
    const unfinished = [...this.outbound.deliveries()] as OwnDelivery[]
    this.outbound = new Outbound(UNLIMITED, this.isUsedElsewhere)
    for (const { message, released, done } of unfinished) {
      if (released) done?.(undefined, 0)
      else this.outbound.enqueue(new OwnDelivery(message, done))
    }
  }

  /** The connection is gone; what is unfinished waits for the next. */
  detach(): void {
    this.outbox = undefined
    this.outbound.detach()
  }

  /** There will be no other connection. */
  fail(error: ClientError): void {
    const unfinished = [...this.outbound.deliveries()] as OwnDelivery[]
    this.outbound = new Outbound(UNLIMITED, this.isUsedElsewhere)
    for (const { done } of unfinished) done?.(error, 0)
  }

  /** The connection can take more. */
  pump(): void {
    this.outbound.pump(AGELESS)
  }

  /** PUBACK, PUBREC or PUBCOMP. @throws ProtocolError 0x82 for one that does not fit the message's QoS */
  onAck(packet: Ack): void {
    const { type, packetId, reasonCode } = packet
    const finished = this.outbound.onAck(type, packetId, reasonCode)
    this.outbound.pump(AGELESS)
    if (finished === undefined) {
      if (type === PacketType.PUBREC && reasonCode !== ReasonCode.SUCCESS) this.received.set(packetId, reasonCode)
      return
    }
    const { done } = finished as OwnDelivery
    const received = this.received.get(packetId)
    if (received !== undefined) this.received.delete(packetId)
    // PUBCOMP with 0x92 ends a handshake that the broker has forgotten, after it took the message over.
    const isRefused = reasonCode >= 0x80 && type !== PacketType.PUBCOMP
    const words = isRefused ? reasonWords(reasonCode, packet.properties.reasonString) : ''
    done?.(isRefused ? new ClientError('publish refused', words, reasonCode) : undefined, received ?? reasonCode)
  }

  get isWritable(): boolean {
    return this.outbox?.isWritable === true
  }

  sendPublish(own: Delivery, dup: boolean): boolean {
    const { message, qos, retain, packetId } = own
    const { done } = own as OwnDelivery
    const { outbox } = this
    if (outbox === undefined) return false
    const alias = message.properties === NO_PROPERTIES ? 0 : (message.properties.topicAlias ?? 0)
    const frame = alias === 0 ? this.plainFrame(message, qos > 0) : this.frameWithAlias(message, alias, qos > 0)
    const refusal = this.limits.refusePublish(qos, retain, alias) ?? this.limits.refuseSize(frame.size)
    if (refusal === undefined) {
      const flags = publishFlags(qos, retain, dup)
      outbox.writeFrame(frame, (PacketType.PUBLISH << 4) | flags, packetId)
      if (alias > 0) this.aliases.set(alias, message.topic)
      if (this.watch !== undefined) {
        const { topic, properties, bytes, payloadStart, payloadEnd } = message
        this.watch(new Publish(flags, topic, packetId, properties, bytes, payloadStart, payloadEnd))
      }
    }
    this.frames.release()
    if (refusal !== undefined || qos === 0) done?.(refusal, 0)
    return refusal === undefined
  }

  private plainFrame(message: Message, withId: boolean): Frame {
    this.frames.use(message)
    return this.frames.frame(this.version, withId)
  }

  /** With the topic the first time, without it once the broker knows the alias. */
  private frameWithAlias(message: Message, topicAlias: number, withId: boolean): Frame {
    const topic = this.aliases.get(topicAlias) === message.topic ? '' : message.topic
    this.frames.use(message)
    const fields = { topic, subscriptionIdentifier: 0, topicAlias, messageExpiryInterval: undefined }
    return this.frames.frameFor(this.version, fields, withId)
  }

  sendPubrel(packetId: number, reasonCode: ReasonCode): void {
    const packet: Ack = { type: PacketType.PUBREL, packetId, reasonCode, properties: NO_PROPERTIES }
    if (reasonCode === ReasonCode.SUCCESS) this.outbox?.writeAck(ackHeader(PacketType.PUBREL), packetId)
    else this.outbox?.write(encodePacket(packet, this.version))
    this.watch?.(packet)
  }
}
