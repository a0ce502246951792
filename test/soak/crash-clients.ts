// The clients of the crash test, each of which remembers what the broker has promised it and notices what it does not keep:
// publishers, subscribers, one that keeps retained values, one that collects subscriptions, one that dies of everything.

import type { Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { AckType } from '../../src/protocol/packets/acks.js'
import { publish, type Qos } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { StubbornClient } from '../support/stubborn-client.js'

/** Messages of a publisher that may be on their way. */
const WINDOW = 20

function ack(type: AckType, packetId: number): Packet {
  return { type, packetId, reasonCode: 0, properties: NO_PROPERTIES }
}

interface Flight {
  readonly packetId: number
  readonly number: number
  released: boolean
}

/** Publishes the numbers from 1 on to `crash/<client id>`. */
export class CrashPublisher extends StubbornClient {
  readonly topic: string
  /** Numbers from 1 to this have been published or are on their way. */
  last = 0
  acknowledged = 0
  isPublishing = true
  private readonly qos: Qos
  private readonly flights = new Map<number, Flight>()
  private packetId = 0

  constructor(port: number, clientId: string, qos: 1 | 2) {
    super(port, clientId)
    this.qos = qos
    this.topic = `crash/${clientId}`
  }

  get isDone(): boolean {
    return !this.isPublishing && this.flights.size === 0
  }

  protected override onConnected(): void {
    for (const flight of this.flights.values()) {
      if (flight.released) this.send(ack(PacketType.PUBREL, flight.packetId))
      else this.sendPublish(flight, true)
    }
    this.publishMore()
  }

  private publishMore(): void {
    while (this.isPublishing && this.isConnected && this.flights.size < WINDOW) {
      do this.packetId = (this.packetId % 1000) + 1
      while (this.flights.has(this.packetId))
      const flight = { packetId: this.packetId, number: ++this.last, released: false }
      this.flights.set(flight.packetId, flight)
      this.sendPublish(flight, false)
    }
  }

  private sendPublish({ packetId, number }: Flight, dup: boolean): void {
    const payload = Buffer.from(String(number))
    this.send(publish({ topic: this.topic, payload, qos: this.qos, packetId, dup }))
  }

  protected override onPacket(packet: Packet): void {
    if (packet.type !== PacketType.PUBACK && packet.type !== PacketType.PUBREC && packet.type !== PacketType.PUBCOMP)
      return
    const flight = this.flights.get(packet.packetId)
    if (flight === undefined) return
    if (packet.type !== PacketType.PUBCOMP && packet.reasonCode >= 0x80) {
      this.later(() => this.sendPublish(flight, false))
      return
    }
    if (packet.type === PacketType.PUBREC) {
      flight.released = true
      this.send(ack(PacketType.PUBREL, packet.packetId))
      return
    }
    this.flights.delete(packet.packetId)
    this.acknowledged++
    setImmediate(() => this.publishMore())
  }
}

/** Subscribes to `crash/#` and counts what it gets, of each publisher each number. */
export class CrashSubscriber extends StubbornClient {
  isSubscribed = false
  /** By topic: how often each number came. */
  readonly counts = new Map<string, Map<number, number>>()
  private readonly highest = new Map<string, number>()
  private readonly qos: Qos
  /** QoS 2: taken, and not released. */
  private readonly taken = new Set<number>()

  constructor(port: number, clientId: string, qos: 1 | 2) {
    super(port, clientId)
    this.qos = qos
  }

  protected override onConnected(): void {
    if (this.isSubscribed) return
    const options = { qos: this.qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    const subscriptions = [{ filter: 'crash/#', ...options }]
    this.send({ type: PacketType.SUBSCRIBE, packetId: 1, properties: NO_PROPERTIES, subscriptions })
  }

  protected override onPacket(packet: Packet): void {
    switch (packet.type) {
      case PacketType.SUBACK:
        this.isSubscribed = true
        return
      case PacketType.PUBREL:
        this.taken.delete(packet.packetId)
        this.send(ack(PacketType.PUBCOMP, packet.packetId))
        return
      case PacketType.PUBLISH: {
        const { packetId, topic, qos, bytes, payloadStart, payloadEnd } = packet
        const number = Number(bytes.toString('latin1', payloadStart, payloadEnd))
        if (qos === 2) {
          if (!this.taken.has(packetId)) this.count(topic, number)
          this.taken.add(packetId)
          this.send(ack(PacketType.PUBREC, packetId))
          return
        }
        this.count(topic, number)
        if (qos === 1) this.send(ack(PacketType.PUBACK, packetId))
      }
    }
  }

  private count(topic: string, number: number): void {
    let numbers = this.counts.get(topic)
    if (numbers === undefined) this.counts.set(topic, (numbers = new Map()))
    numbers.set(number, (numbers.get(number) ?? 0) + 1)
    this.highest.set(topic, Math.max(number, this.latest(topic)))
  }

  /** The highest number of a topic that has come; 0 before the first. */
  latest(topic: string): number {
    return this.highest.get(topic) ?? 0
  }

  /** How many different numbers of a topic have come. */
  received(topic: string): number {
    return this.counts.get(topic)?.size ?? 0
  }

  /** What is missing of the numbers from 1 to `last`, and what came more than once. */
  compare(topic: string, last: number): { readonly missing: number[]; readonly twice: number[] } {
    const numbers = this.counts.get(topic) ?? new Map<number, number>()
    const missing: number[] = []
    for (let number = 1; number <= last; number++) if (!numbers.has(number)) missing.push(number)
    return { missing, twice: [...numbers].filter(([, count]) => count > 1).map(([number]) => number) }
  }
}

/** Keeps one retained value, higher each time, and looks after each return whether the broker has forgotten what it acknowledged. */
export class CrashKeeper extends StubbornClient {
  acknowledged = 0
  checks = 0
  isPublishing = true
  private readonly topic: string
  private sent = 0
  private isChecking = false

  constructor(port: number, clientId: string) {
    super(port, clientId)
    this.topic = `kept/${clientId}`
  }

  protected override onConnected(): void {
    // Only a subscription that is new has the retained value sent.
    this.isChecking = true
    const options = { qos: 0, noLocal: true, retainAsPublished: true, retainHandling: 0 } as const
    const subscriptions = [{ filter: this.topic, ...options }]
    this.send({ type: PacketType.SUBSCRIBE, packetId: 1, properties: NO_PROPERTIES, subscriptions })
    this.send({ type: PacketType.PINGREQ })
  }

  protected override onPacket(packet: Packet): void {
    if (packet.type === PacketType.PUBACK && packet.reasonCode >= 0x80) this.later(() => this.publishNext())
    else if (packet.type === PacketType.PUBACK) {
      this.acknowledged = packet.packetId === (this.sent % 60_000) + 1 ? this.sent : this.acknowledged
      setImmediate(() => this.publishNext())
    } else if (packet.type === PacketType.PUBLISH && packet.retain && this.isChecking) {
      this.isChecking = false
      this.check(Number(packet.bytes.toString('latin1', packet.payloadStart, packet.payloadEnd)))
    } else if (packet.type === PacketType.PINGRESP) {
      if (this.isChecking) this.check(0)
      this.isChecking = false
      this.publishNext()
    }
  }

  private check(value: number): void {
    this.checks++
    if (value < this.acknowledged)
      this.faults.push(`${this.topic}: ${value} is retained, ${this.acknowledged} was acknowledged`)
  }

  private publishNext(): void {
    if (!this.isPublishing) return
    this.sent++
    const payload = Buffer.from(String(this.sent))
    this.send(publish({ topic: this.topic, payload, qos: 1, retain: true, packetId: (this.sent % 60_000) + 1 }))
  }
}

/** Leaves a will with the number of the connection whenever one ends, be it by itself. */
export class CrashMortal extends StubbornClient {
  readonly topic = 'crash/will'
  /** Numbers of the connections that were accepted. */
  readonly accepted: number[] = []
  private attempts = 0

  protected override get will() {
    const payload = Buffer.from(String(++this.attempts))
    return { topic: this.topic, payload, qos: 2 } as const
  }

  protected override onConnected(): void {
    this.accepted.push(this.attempts)
    this.later(() => this.drop())
  }

  protected override onPacket(): void {}
}

/** Subscribes to one filter after the other. */
export class CrashCollector extends StubbornClient {
  /** Filters from 1 to this are acknowledged. */
  acknowledged = 0
  isSubscribing = true
  /** Asked for by `verify`. */
  missing: number[] | undefined
  private verified = 0

  protected override onConnected(): void {
    if (this.isSubscribing) this.subscribeNext()
    else this.unsubscribeNext()
  }

  private subscribeNext(): void {
    const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    const subscriptions = [{ filter: `collected/${this.acknowledged + 1}`, ...options }]
    this.send({ type: PacketType.SUBSCRIBE, packetId: 1, properties: NO_PROPERTIES, subscriptions })
  }

  /** Ends every subscription that was acknowledged, and notes which the broker does not know. */
  verify(): void {
    this.isSubscribing = false
    this.missing = []
    this.unsubscribeNext()
  }

  get isVerified(): boolean {
    return this.missing !== undefined && this.verified === this.acknowledged
  }

  private unsubscribeNext(): void {
    if (this.isVerified) return
    const filters = [`collected/${this.verified + 1}`]
    this.send({ type: PacketType.UNSUBSCRIBE, packetId: 2, properties: NO_PROPERTIES, filters })
  }

  protected override onPacket(packet: Packet): void {
    if (packet.type === PacketType.SUBACK && (packet.reasonCodes[0] ?? 0) >= 0x80)
      this.later(() => this.subscribeNext())
    else if (packet.type === PacketType.SUBACK && this.isSubscribing) {
      this.acknowledged++
      setImmediate(() => this.isSubscribing && this.subscribeNext())
    } else if (packet.type === PacketType.UNSUBACK && this.missing !== undefined) {
      this.verified++
      if (packet.reasonCodes[0] !== 0) this.missing.push(this.verified)
      this.unsubscribeNext()
    }
  }
}
