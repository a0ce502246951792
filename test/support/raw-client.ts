// A client for tests that does what it is told and nothing by itself: sends packets or bytes, hands out what arrives packet by
// packet. It answers no PUBLISH and keeps no state, so a test sees exactly what the broker sent.

import { connect as dial } from 'node:net'
import type { Duplex } from 'node:stream'
import { decodePacket, encodePacket, type Packet } from '../../src/protocol/codec.js'
import { Framer } from '../../src/protocol/framer.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Ack, AckType } from '../../src/protocol/packets/acks.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Connect, Will } from '../../src/protocol/packets/connect.js'
import { type Publish, type PublishFields, publish } from '../../src/protocol/packets/publish.js'
import type { Suback, SubscriptionRequest } from '../../src/protocol/packets/subscribe.js'
import type { Unsuback } from '../../src/protocol/packets/unsubscribe.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { TopicTable } from '../../src/protocol/topic-table.js'
import { openWebSocket } from './transport.js'

/** How long a test waits for a packet or for the end before it fails: generous, never reached when all is well. */
const PATIENCE = 5000

export interface ConnectFields {
  readonly clientId?: string
  readonly version?: ProtocolVersion
  readonly cleanStart?: boolean
  readonly keepAlive?: number
  readonly bridge?: boolean
  readonly username?: string
  readonly password?: string
  readonly properties?: Properties
  readonly will?: Partial<Will> & Pick<Will, 'topic'>
}

/** A CONNECT with the usual defaults: 3.1.1, clean, no keep alive. */
export function connectPacket(fields: ConnectFields = {}): Connect {
  const { will } = fields
  return {
    type: PacketType.CONNECT,
    protocolVersion: fields.version ?? 4,
    bridge: fields.bridge ?? false,
    cleanStart: fields.cleanStart ?? true,
    keepAlive: fields.keepAlive ?? 0,
    clientId: fields.clientId ?? 'test',
    properties: fields.properties ?? NO_PROPERTIES,
    will: will && { payload: Buffer.alloc(0), qos: 0, retain: false, properties: NO_PROPERTIES, ...will },
    username: fields.username,
    password: fields.password === undefined ? undefined : Buffer.from(fields.password),
  }
}

export class RawClient {
  version: ProtocolVersion = 4
  private readonly socket: Duplex
  private readonly arrived: Packet[] = []
  private waiting: (() => void) | undefined
  private isClosed = false
  private nextId = 0

  /** A client on a stream that is open. */
  constructor(socket: Duplex) {
    this.socket = socket
    const topics = new TopicTable(64)
    const onPacket = (header: number, bytes: Buffer, start: number, end: number) => {
      const copy = Buffer.from(bytes.subarray(start, end))
      this.arrived.push(decodePacket(header, copy, 0, copy.length, this.version, 'server', topics))
    }
    const framer = new Framer({ onPacket }, 'server', new BlockPool())
    socket.on('data', (chunk: Buffer) => {
      framer.version = this.version
      framer.push(chunk, chunk.length)
      this.waiting?.()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.waiting?.()
    })
  }

  /** Opens a socket and sends nothing. */
  static async open(port: number): Promise<RawClient> {
    const webSocket = openWebSocket(port)
    if (webSocket !== undefined) return new RawClient(await webSocket)
    const socket = dial({ port, host: '127.0.0.1', noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket)
  }

  /** Opens a socket, sends CONNECT and returns client and CONNACK. */
  static async connect(port: number, fields: ConnectFields = {}): Promise<{ client: RawClient; connack: Connack }> {
    const client = await RawClient.open(port)
    client.version = fields.version ?? 4
    client.send(connectPacket(fields))
    return { client, connack: (await client.expect(PacketType.CONNACK)) as Connack }
  }

  /** Sends one packet, or bytes as they are (a Buffer, or hex with or without spaces). */
  send(what: Packet | Buffer | string): void {
    if (typeof what === 'string') this.socket.write(Buffer.from(what.replaceAll(' ', ''), 'hex'))
    else this.socket.write(Buffer.isBuffer(what) ? what : encodePacket(what, this.version))
  }

  /** The next packet; fails when none comes or the connection ends first. */
  async next(): Promise<Packet> {
    await this.until(() => this.arrived.length > 0 || this.isClosed, 'a packet')
    const packet = this.arrived.shift()
    if (packet === undefined) throw new Error('the connection was closed instead')
    return packet
  }

  /** The next packet, which must be of this type. */
  async expect(type: PacketType): Promise<Packet> {
    const packet = await this.next()
    if (packet.type !== type) throw new Error(`expected packet type ${type}, got ${JSON.stringify(packet)}`)
    return packet
  }

  /** What has arrived up to now and was not taken, without asking the broker for anything. */
  taken(): Packet[] {
    return this.arrived.splice(0)
  }

  /** Waits until the broker has closed the connection; returns what had arrived before and was not taken. */
  async closed(): Promise<Packet[]> {
    await this.until(() => this.isClosed, 'the end of the connection')
    return this.arrived.splice(0)
  }

  /** Everything that has arrived up to now: sends PINGREQ and returns what comes before its PINGRESP. */
  async settled(): Promise<Packet[]> {
    this.send({ type: PacketType.PINGREQ })
    const packets: Packet[] = []
    for (;;) {
      const packet = await this.next()
      if (packet.type === PacketType.PINGRESP) return packets
      packets.push(packet)
    }
  }

  async subscribe(
    requests: string | readonly (Partial<SubscriptionRequest> & Pick<SubscriptionRequest, 'filter'>)[],
    properties: Properties = NO_PROPERTIES,
  ): Promise<Suback> {
    const list = typeof requests === 'string' ? [{ filter: requests, qos: 2 as const }] : requests
    const defaults = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    const subscriptions = list.map((request) => ({ ...defaults, ...request }))
    this.send({ type: PacketType.SUBSCRIBE, packetId: this.packetId(), properties, subscriptions })
    return (await this.expect(PacketType.SUBACK)) as Suback
  }

  async unsubscribe(...filters: string[]): Promise<Unsuback> {
    this.send({ type: PacketType.UNSUBSCRIBE, packetId: this.packetId(), properties: NO_PROPERTIES, filters })
    return (await this.expect(PacketType.UNSUBACK)) as Unsuback
  }

  /** Sends a PUBLISH; with QoS above 0 it needs a packet identifier in the fields or gets the next one. */
  publish(fields: Omit<PublishFields, 'payload'> & { readonly payload?: string | Buffer }): Publish {
    const payload =
      typeof fields.payload === 'string' ? Buffer.from(fields.payload) : (fields.payload ?? Buffer.alloc(0))
    const packetId = fields.packetId ?? ((fields.qos ?? 0) > 0 ? this.packetId() : 0)
    const packet = publish({ ...fields, payload, packetId })
    this.send(packet)
    return packet
  }

  ack(type: AckType, packetId: number, reasonCode: ReasonCode = ReasonCode.SUCCESS): void {
    const packet: Ack = { type, packetId, reasonCode, properties: NO_PROPERTIES }
    this.send(packet)
  }

  disconnect(reasonCode: ReasonCode = ReasonCode.SUCCESS, properties: Properties = NO_PROPERTIES): void {
    this.send({ type: PacketType.DISCONNECT, reasonCode, properties })
  }

  /** Stops and starts reading from the socket. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Ends the connection without DISCONNECT and waits until it is gone on this side. */
  async drop(): Promise<void> {
    this.socket.destroy()
    await this.until(() => this.isClosed, 'the end of the connection')
  }

  private packetId(): number {
    this.nextId = (this.nextId % 65_535) + 1
    return this.nextId
  }

  private async until(condition: () => boolean, what: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${PATIENCE} ms for ${what}`)), PATIENCE)
    })
    try {
      while (!condition())
        await Promise.race([
          late,
          new Promise<void>((resolve) => {
            this.waiting = resolve
          }),
        ])
    } finally {
      clearTimeout(timer)
    }
  }
}
