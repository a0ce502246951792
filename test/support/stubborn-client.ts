// A client for crash tests: comes back as often as its connection is lost, and hands out packets as they come. What it does with
// them, and what it keeps from one connection to the next, is in those that extend it.

import { connect as dial, type Socket } from 'node:net'
import { decodePacket, encodePacket, type Packet } from '../../src/protocol/codec.js'
import { Framer } from '../../src/protocol/framer.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { TopicTable } from '../../src/protocol/topic-table.js'
import { type ConnectFields, connectPacket } from './raw-client.js'

/** ms before the next attempt. */
const PAUSE = 20
const FOREVER = 0xffff_ffff

export abstract class StubbornClient {
  readonly clientId: string
  /** Connections that were accepted. */
  connections = 0
  isConnected = false
  /** What the broker has done wrong. */
  readonly faults: string[] = []
  private readonly port: number
  private socket: Socket | undefined
  private isStopped = true
  /** A session was promised: CONNACK has come. */
  private hasSession = false

  constructor(port: number, clientId: string) {
    this.port = port
    this.clientId = clientId
  }

  /** Connects, now and whenever the connection is lost. */
  start(): void {
    this.isStopped = false
    this.connect()
  }

  /** Ends the connection without a word and stays away. */
  stop(): void {
    this.isStopped = true
    this.socket?.destroy()
  }

  private connect(): void {
    const socket = dial({ port: this.port, host: '127.0.0.1', noDelay: true })
    this.socket = socket
    const topics = new TopicTable(64)
    const onPacket = (header: number, bytes: Buffer, start: number, end: number) => {
      const copy = Buffer.from(bytes.subarray(start, end))
      if (this.socket === socket) this.take(decodePacket(header, copy, 0, copy.length, 5, 'server', topics))
    }
    const framer = new Framer({ onPacket }, 'server', new BlockPool())
    framer.version = 5
    socket.on('data', (chunk: Buffer) => framer.push(chunk, chunk.length))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isConnected = false
      if (!this.isStopped && this.socket === socket) setTimeout(() => this.isStopped || this.connect(), PAUSE)
    })
    const properties = { sessionExpiryInterval: FOREVER, receiveMaximum: 100 }
    const { clientId, will } = this
    const connect = connectPacket({ clientId, version: 5, cleanStart: false, properties, ...(will && { will }) })
    socket.on('connect', () => socket.write(encodePacket(connect, 5)))
  }

  private take(packet: Packet): void {
    if (packet.type !== PacketType.CONNACK) {
      this.onPacket(packet)
      return
    }
    // It may come back later.
    if (packet.reasonCode === ReasonCode.QUOTA_EXCEEDED) return
    if (packet.reasonCode !== 0) {
      this.faults.push(`${this.clientId}: refused with ${packet.reasonCode}`)
      return
    }
    if (this.hasSession && !packet.sessionPresent) this.faults.push(`${this.clientId}: the session is gone`)
    this.hasSession = true
    this.connections++
    this.isConnected = true
    this.onConnected()
  }

  /** Of the connection that is made next. */
  protected get will(): ConnectFields['will'] {
    return undefined
  }

  /** Loses the connection, which comes back. */
  protected drop(): void {
    this.socket?.destroy()
  }

  send(packet: Packet): void {
    if (this.isConnected) this.socket?.write(encodePacket(packet, 5))
  }

  /** Does something in a while, unless the connection is another by then. */
  protected later(action: () => void): void {
    const { socket } = this
    setTimeout(() => this.socket === socket && this.isConnected && action(), 100)
  }

  protected abstract onConnected(): void
  protected abstract onPacket(packet: Packet): void
}
