// What this side has to deliver with QoS 1 and 2: the queue, the window of unacknowledged packets, and the answers that move it
// (MQTT 5.0 sections 4.3, 4.4, 4.6, 4.9). State without I/O: packets leave through a sink, time comes in as a number.
// A broker has one for each session, a client one for its publishes.

import { PacketType } from '../protocol/packet-types.js'
import type { AckType } from '../protocol/packets/acks.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { type Delivery, delivery as newDelivery } from './delivery.js'
import { DeliveryQueue } from './delivery-queue.js'
import { InFlight } from './in-flight.js'
import type { Message } from './message.js'
import type { MessageRun } from './message-run.js'
import { MAX_PACKET_ID, PacketIds } from './packet-ids.js'

/** Where packets go while a connection exists. */
export interface OutboundSink {
  /** False while what has been sent is not leaving: deliveries then wait here. */
  readonly isWritable: boolean
  /** Sends a PUBLISH; returns false, having sent nothing, when it is too large for the receiver [MQTT-3.1.2-24]. */
  sendPublish(delivery: Delivery, dup: boolean): boolean
  sendPubrel(packetId: number, reasonCode: ReasonCode): void
}

/** Where the packets of a run go, each with an identifier of its own. */
export interface RunSink {
  /** Sends the first `count` of them. */
  sendRun(run: MessageRun, count: number): void
}

/** Who keeps what is not finished on disk. QoS 0 is none of its business. */
export interface OutboundJournal {
  /** A delivery waits. */
  queued(delivery: Delivery): void
  /** A QoS 2 packet is about to leave: not before it is on disk that it has, or the receiver might get a message twice. */
  sending(): void
  /** A delivery has its packet identifier, or its PUBREL is on the way. */
  sent(delivery: Delivery): void
  /** A delivery is acknowledged or given up; it need not have been told of before. */
  finished(delivery: Delivery): void
}

/** 0 in a limit means none. */
export interface OutboundLimits {
  /** Messages that wait beyond those in flight. */
  readonly maxQueuedMessages: number
  /** Payload bytes that wait beyond those in flight. */
  readonly maxQueuedBytes: number
  /** Payload bytes in flight; one message is always allowed. */
  readonly maxInflightBytes: number
}

export type Outcome = 'sent' | 'queued' | 'dropped'

export class Outbound {
  /** May be replaced; what is over the new ones stays. */
  limits: OutboundLimits
  journal: OutboundJournal | undefined = undefined
  private readonly ids = new PacketIds()
  private readonly inFlight = new InFlight()
  private sentCount = 0
  /** At the last call of `settle`: how many had been sent, and the last that waited. */
  private settledCount = 0
  private settledLast: Delivery | undefined = undefined
  private readonly queue = new DeliveryQueue()
  /** No later than the first moment, in ms, at which something that waits expires. */
  firstExpiry = Number.POSITIVE_INFINITY
  private inflightBytes = 0
  private sink: OutboundSink | undefined = undefined
  private quota = 0
  private receiveMaximum = 0
  /** In-flight deliveries of an earlier connection that have not been sent again yet, in order. */
  private resends: readonly Delivery[] = []
  private readonly isUsed: (packetId: number) => boolean

  /** @param isUsedElsewhere identifiers taken outside, as a client's SUBSCRIBE and UNSUBSCRIBE are [MQTT-2.2.1-3]. */
  constructor(limits: OutboundLimits, isUsedElsewhere?: (packetId: number) => boolean) {
    this.limits = limits
    this.isUsed =
      isUsedElsewhere === undefined
        ? (id) => this.inFlight.isInTheWay(id)
        : (id) => this.inFlight.isInTheWay(id) || isUsedElsewhere(id)
  }

  /** Deliveries that are sent but not finished, and those that wait. */
  get inFlightCount(): number {
    return this.inFlight.size
  }

  get queuedCount(): number {
    return this.queue.size
  }

  /** Payload bytes that are sent but not finished. */
  get inFlightBytes(): number {
    return this.inflightBytes
  }

  /** Payload bytes that wait. */
  get queuedBytes(): number {
    return this.queue.bytes
  }

  get isEmpty(): boolean {
    return this.inFlight.size === 0 && this.queuedCount === 0
  }

  /** An unused identifier for a packet that is not a PUBLISH, 0 when all are in use. */
  nextPacketId(): number {
    return this.ids.next(this.isUsed)
  }

  /**
   * A connection has come: sends again what was unacknowledged, then what waits, as far as the window allows [MQTT-4.4.0-1].
   * @param receiveMaximum the peer's, 1..65535 [MQTT-4.9.0-1]; the quota starts anew with each connection.
   */
  attach(sink: OutboundSink, receiveMaximum: number, now: number): void {
    this.sink = sink
    this.receiveMaximum = receiveMaximum
    this.quota = receiveMaximum
    this.resends = this.inFlight.inOrder()
    for (const delivery of this.resends) delivery.isOpen = false
    this.pump(now)
  }

  /** The connection is gone. */
  detach(): void {
    this.sink = undefined
    this.resends = []
    this.settledLast = undefined
    if (!this.isEmpty) for (const { message } of this.deliveries()) message.keep()
  }

  /**
   * To be called from time to time while there is a connection. What has been here since the last call is here for longer than a
   * moment, and is kept in memory of its size.
   */
  settle(): void {
    if (this.inFlight.size > 0)
      for (const { order, message } of this.inFlight.values()) if (order < this.settledCount) message.keep()
    this.settledCount = this.sentCount
    const { settledLast } = this
    this.settledLast = this.queue.last
    if (settledLast === undefined || !this.queue.has(settledLast)) return
    for (const delivery of this.queue.values()) {
      delivery.message.keep()
      if (delivery === settledLast) break
    }
  }

  /** Takes a message for the receiver. It keeps its turn: nothing overtakes what waits [MQTT-4.6.0-5] [MQTT-4.6.0-6]. */
  enqueue(delivery: Delivery): Outcome {
    const sink = this.sink
    if (sink?.isWritable === true && this.queuedCount === 0 && this.resends.length === 0 && this.hasRoom(delivery)) {
      if (delivery.qos === 0) return sink.sendPublish(delivery, false) ? 'sent' : 'dropped'
      return this.sendFirst(sink, delivery)
    }
    const { maxQueuedMessages, maxQueuedBytes } = this.limits
    const size = delivery.message.size
    if (maxQueuedMessages > 0 && this.queuedCount >= maxQueuedMessages) return 'dropped'
    if (maxQueuedBytes > 0 && this.queue.bytes + size > maxQueuedBytes) return 'dropped'
    // With a connection it is likely to leave soon.
    if (sink === undefined) delivery.message.keep()
    else delivery.message.detach()
    this.queue.push(delivery) // [MQTT-3.1.2-5 of 3.1.1]
    if (delivery.qos > 0) this.journal?.queued(delivery)
    if (delivery.message.expiresAt < this.firstExpiry) this.firstExpiry = delivery.message.expiresAt
    return 'queued'
  }

  private hasRoom(delivery: Delivery): boolean {
    if (delivery.qos === 0) return true
    if (this.quota === 0) return false // [MQTT-3.3.4-9]
    const { maxInflightBytes } = this.limits
    return (
      maxInflightBytes === 0 ||
      this.inFlight.size === 0 ||
      this.inflightBytes + delivery.message.size <= maxInflightBytes
    )
  }

  private sendFirst(sink: OutboundSink, delivery: Delivery): Outcome {
    if (this.inFlight.size >= MAX_PACKET_ID) return this.drop(delivery)
    if (delivery.qos === 2) this.journal?.sending()
    delivery.packetId = this.ids.next(this.isUsed) // [MQTT-4.3.2-1] [MQTT-4.3.3-1]
    // DUP 0 [MQTT-4.3.2-2] [MQTT-4.3.3-2]; dropped when it is too large [MQTT-3.1.2-25].
    if (!sink.sendPublish(delivery, false)) return this.drop(delivery)
    delivery.message.detach()
    delivery.isOpen = true
    this.quota-- // [MQTT-4.9.0-2]
    this.inflightBytes += delivery.message.size
    delivery.order = this.sentCount++
    this.inFlight.add(delivery)
    this.journal?.sent(delivery)
    return 'sent'
  }

  /** How many messages of a run may leave at once; -1 when the others could not all wait, or somebody keeps them on disk. */
  roomForRun({ packets }: MessageRun): number {
    const { sink } = this
    const { count, payloadBytes } = packets
    const { maxInflightBytes, maxQueuedMessages, maxQueuedBytes } = this.limits
    if (this.journal !== undefined || sink === undefined) return -1
    if (maxInflightBytes > 0 && this.inflightBytes + payloadBytes > maxInflightBytes) return -1
    const isFree = this.queue.size === 0 && this.resends.length === 0 && sink.isWritable
    if (isFree && count <= this.quota) return count
    if (maxQueuedMessages > 0 && this.queue.size + count > maxQueuedMessages) return -1
    if (maxQueuedBytes > 0 && this.queue.bytes + payloadBytes > maxQueuedBytes) return -1
    return isFree ? this.quota : 0
  }

  /** Takes the messages of a run: the first `leaving` leave, the others wait. */
  sendRun(run: MessageRun, subscriptionIdentifier: number, sink: RunSink, leaving: number): void {
    const { messages, packets, packetIds } = run
    const { count, qos } = packets
    for (let i = 0; i < leaving; i++) {
      const delivery = newDelivery(messages[i] as Message, qos, false, subscriptionIdentifier)
      const packetId = this.ids.next(this.isUsed)
      delivery.packetId = packetId
      delivery.isOpen = true
      delivery.order = this.sentCount++
      this.inFlight.add(delivery)
      packetIds[i] = packetId
    }
    this.quota -= leaving
    this.inflightBytes += packets.payloadBytesOf(leaving)
    if (leaving > 0) sink.sendRun(run, leaving)
    for (let i = leaving; i < count; i++)
      this.queue.push(newDelivery(messages[i] as Message, qos, false, subscriptionIdentifier))
  }

  private drop(delivery: Delivery): Outcome {
    this.journal?.finished(delivery)
    return 'dropped'
  }

  /** Sends what may go now: after an acknowledgement, or when the connection can take more. */
  pump(now: number): void {
    const sink = this.sink
    if (this.queue.size === 0 && this.resends.length === 0) return
    if (sink === undefined || !sink.isWritable) return
    if (this.resends.length > 0 && !this.resend(sink)) return
    for (let delivery = this.queue.first; delivery !== undefined && sink.isWritable; delivery = this.queue.first) {
      const expired = delivery.message.expiresAt <= now // [MQTT-3.3.2-5]
      if (!expired && !this.hasRoom(delivery)) break
      this.queue.shift()
      if (expired) {
        this.journal?.finished(delivery)
        continue
      }
      if (delivery.qos === 0) sink.sendPublish(delivery, false)
      else this.sendFirst(sink, delivery)
    }
  }

  /** Sends unacknowledged packets of an earlier connection, oldest first; false when some have to wait [MQTT-4.6.0-1]. */
  private resend(sink: OutboundSink): boolean {
    let sent = 0
    for (const delivery of this.resends) {
      if (this.quota === 0 || !sink.isWritable) break
      sent++
      if (this.inFlight.get(delivery.packetId) !== delivery) continue
      delivery.isOpen = true
      this.quota--
      if (delivery.released) sink.sendPubrel(delivery.packetId, ReasonCode.SUCCESS)
      else if (!sink.sendPublish(delivery, true)) this.finish(delivery) // [MQTT-3.3.1-1] [MQTT-2.3.1-3 of 3.1.1]
    }
    this.resends = this.resends.slice(sent)
    return this.resends.length === 0
  }

  private finish(delivery: Delivery): void {
    this.inFlight.remove(delivery)
    this.inflightBytes -= delivery.message.size
    this.journal?.finished(delivery)
    if (delivery.isOpen && this.quota < this.receiveMaximum) this.quota++
  }

  /**
   * PUBACK, PUBREC or PUBCOMP. Returns the delivery that has come to its end, if one has; what waits may leave with the next `pump`.
   * @throws ProtocolError 0x82 when it does not fit the QoS of the message or what has come before.
   */
  onAck(type: AckType, packetId: number, reasonCode: ReasonCode): Delivery | undefined {
    if (type === PacketType.PUBACK) return this.onPuback(packetId)
    return type === PacketType.PUBREC ? this.onPubrec(packetId, reasonCode) : this.onPubcomp(packetId)
  }

  /** The message is delivered, whatever the reason code [MQTT-4.4.0-2]. */
  private onPuback(packetId: number): Delivery | undefined {
    const delivery = this.inFlight.get(packetId)
    if (delivery === undefined) return undefined
    if (delivery.qos !== 1) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'PUBACK for a QoS 2 message')
    this.finish(delivery)
    return delivery
  }

  /**
   * Answered by PUBREL [MQTT-4.3.3-4], with 0x92 for an unknown identifier; a reason code of 0x80 or more ends the delivery
   * without one.
   */
  private onPubrec(packetId: number, reasonCode: ReasonCode): Delivery | undefined {
    const delivery = this.inFlight.get(packetId)
    if (delivery === undefined) {
      if (reasonCode < 0x80) this.sink?.sendPubrel(packetId, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)
      return undefined
    }
    if (delivery.qos !== 2) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'PUBREC for a QoS 1 message')
    if (reasonCode >= 0x80) {
      this.finish(delivery)
      return delivery
    }
    delivery.released = true
    if (this.journal !== undefined) {
      this.journal.sending()
      this.journal.sent(delivery)
    }
    this.sink?.sendPubrel(packetId, ReasonCode.SUCCESS)
    return undefined
  }

  private onPubcomp(packetId: number): Delivery | undefined {
    const delivery = this.inFlight.get(packetId)
    if (delivery === undefined) return undefined
    if (!delivery.released) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'PUBCOMP without PUBREC')
    this.finish(delivery)
    return delivery
  }

  /**
   * Forgets waiting deliveries that have expired [MQTT-3.3.2-5], and those, waiting or to be sent again, that `isAllowed` no longer
   * admits. What the present connection has been sent stays: it is going to be acknowledged.
   */
  filterQueue(now: number, isAllowed: (delivery: Delivery) => boolean = () => true): void {
    this.firstExpiry = Number.POSITIVE_INFINITY
    if (this.isEmpty) return
    for (const delivery of this.inFlight.inOrder())
      if (!delivery.released && !(delivery.isOpen && this.sink) && !isAllowed(delivery)) this.finish(delivery)
    this.queue.filter((delivery) => {
      if (delivery.message.expiresAt <= now || !isAllowed(delivery)) {
        this.journal?.finished(delivery)
        return false
      }
      this.firstExpiry = Math.min(this.firstExpiry, delivery.message.expiresAt)
      return true
    })
  }

  /** Takes back what was unfinished when it was kept, in its order; those with a packet identifier have been sent. */
  restore(deliveries: Iterable<Delivery>): void {
    for (const delivery of deliveries) {
      const { message } = delivery
      if (delivery.packetId > 0) {
        delivery.order = this.sentCount++
        this.inflightBytes += message.size
        this.inFlight.add(delivery)
      } else {
        this.queue.push(delivery)
        this.firstExpiry = Math.min(this.firstExpiry, message.expiresAt)
      }
    }
  }

  /** What has been sent and is not finished, in the order of sending. */
  sentDeliveries(): readonly Delivery[] {
    return this.inFlight.inOrder()
  }

  /** Everything unfinished: in flight in order of sending, then waiting. */
  *deliveries(): IterableIterator<Delivery> {
    yield* this.inFlight.inOrder()
    yield* this.queue.values()
  }
}
