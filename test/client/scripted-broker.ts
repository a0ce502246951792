// A broker for tests of the client that says what the test tells it to, on a loopback port, and a handler that remembers what the
// client reported. Time moves only when the test moves it.

import { Server as HttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TestContext } from 'node:test'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { Client, type ClientEnvironment, type ClientHandler, type ClientOptions } from '../../src/client/client.js'
import type { ClientError } from '../../src/client/client-error.js'
import type { Clock } from '../../src/client/clock.js'
import { WebSocketDialer } from '../../src/net/websocket-dial.js'
import { decodePacket, encodePacket, type Packet } from '../../src/protocol/codec.js'
import { Framer } from '../../src/protocol/framer.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Connect } from '../../src/protocol/packets/connect.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { TopicTable } from '../../src/protocol/topic-table.js'
import { isOverWebSocket } from '../support/transport.js'

const PATIENCE = 5000

/** Resolves when `condition`, which is asked after each call of `poke`, holds. */
class Condition {
  private readonly waiting = new Set<() => void>()

  poke(): void {
    for (const ask of [...this.waiting]) ask()
  }

  until(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(ask)
        reject(new Error(`waited ${PATIENCE} ms for ${what}`))
      }, PATIENCE)
      const ask = () => {
        if (!condition()) return
        clearTimeout(timer)
        this.waiting.delete(ask)
        resolve()
      }
      this.waiting.add(ask)
    })
  }
}

/** The broker's end of one connection. */
export class Peer {
  readonly arrived: Packet[] = []
  isClosed = false
  private readonly socket: Duplex
  private readonly change = new Condition()
  private version: 3 | 4 | 5 = 4

  constructor(socket: Duplex) {
    this.socket = socket
    const topics = new TopicTable(64)
    const onPacket = (header: number, bytes: Buffer, start: number, end: number) => {
      const copy = Buffer.from(bytes.subarray(start, end))
      const packet = decodePacket(header, copy, 0, copy.length, this.version, 'client', topics)
      if (packet.type === PacketType.CONNECT) this.version = framer.version = packet.protocolVersion
      this.arrived.push(packet)
    }
    const framer = new Framer({ onPacket }, 'client', new BlockPool())
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk, chunk.length)
      this.change.poke()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.change.poke()
    })
  }

  /** Sends packets, or bytes in hexadecimal. */
  send(...items: readonly (Packet | string)[]): void {
    const bytes = items.map((item) =>
      typeof item === 'string' ? Buffer.from(item.replaceAll(' ', ''), 'hex') : encodePacket(item, this.version),
    )
    this.socket.write(Buffer.concat(bytes))
  }

  async next(): Promise<Packet> {
    await this.change.until(() => this.arrived.length > 0 || this.isClosed, 'a packet')
    const packet = this.arrived.shift()
    if (packet === undefined) throw new Error('the client closed the connection instead')
    return packet
  }

  async take(count: number): Promise<Packet[]> {
    const packets: Packet[] = []
    while (packets.length < count) packets.push(await this.next())
    return packets
  }

  async expect<T extends Packet['type']>(type: T): Promise<Extract<Packet, { type: T }>> {
    const packet = await this.next()
    if (packet.type !== type) throw new Error(`expected packet type ${type}, got ${JSON.stringify(packet)}`)
    return packet as Extract<Packet, { type: T }>
  }

  /** Takes CONNECT and answers with CONNACK. */
  async accept(properties: Properties = NO_PROPERTIES, sessionPresent = false): Promise<Connect> {
    const connect = await this.expect(PacketType.CONNECT)
    this.send({ type: PacketType.CONNACK, sessionPresent, reasonCode: 0, properties })
    return connect
  }

  /** Waits for the client's end of the connection; returns what it sent before that was not taken. */
  async closed(): Promise<Packet[]> {
    await this.change.until(() => this.isClosed, 'the end of the connection')
    return this.arrived.splice(0)
  }

  /** Ends the connection without a word. */
  drop(): void {
    this.socket.destroy()
  }

  /** Ends it in a way that no client comes back from: with PINGREQ, which no broker may send. */
  finish(): void {
    this.socket.end(Buffer.from([0xc0, 0]))
  }
}

/** Timers that fire when the test says so. */
export class ManualClock implements Clock {
  private now = 0
  private timers: { readonly at: number; readonly call: () => void }[] = []

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.now + ms, call }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((each) => each !== timer)
    }
  }

  /** Delays of the timers that are set. */
  get delays(): readonly number[] {
    return this.timers.map(({ at }) => at - this.now)
  }

  advance(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.now = due.at
      this.timers = this.timers.filter((each) => each !== due)
      due.call()
    }
    this.now = end
  }
}

export interface Received {
  readonly topic: string
  readonly payload: string
  readonly packet: Publish
}

/** Remembers what the client reports. */
export class Recorder implements ClientHandler {
  readonly connacks: Connack[] = []
  readonly messages: Received[] = []
  readonly ends: { readonly error: ClientError | undefined; readonly retryIn: number | undefined }[] = []
  drains = 0
  onEachMessage: () => void = () => {}
  private readonly change = new Condition()

  onConnect(connack: Connack): void {
    this.connacks.push(connack)
    this.change.poke()
  }

  onMessage(topic: string, packet: Publish): void {
    this.messages.push({ topic, payload: packet.payload.toString(), packet })
    this.onEachMessage()
    this.change.poke()
  }

  onDrain(): void {
    this.drains++
    this.change.poke()
  }

  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    this.ends.push({ error, retryIn })
    this.change.poke()
  }

  connected(times = 1): Promise<void> {
    return this.change.until(() => this.connacks.length >= times, `connection ${times}`)
  }

  received(count: number): Promise<void> {
    return this.change.until(() => this.messages.length >= count, `message ${count}`)
  }

  drained(): Promise<void> {
    return this.change.until(() => this.drains > 0, 'room for more')
  }

  /** The error that ended the connection number `times`. */
  async ended(times = 1): Promise<ClientError | undefined> {
    await this.change.until(() => this.ends.length >= times, `end ${times}`)
    return this.ends[times - 1]?.error
  }
}

export class ScriptedBroker {
  private readonly server: Server
  private readonly peers: Peer[] = []
  private readonly change = new Condition()

  private constructor(server: Server) {
    this.server = server
    if (server instanceof HttpServer)
      new WebSocketServer({ server }).on('connection', (socket) => {
        const stream = createWebSocketStream(socket)
        this.accept(stream.once('end', () => stream.destroy()))
      })
    else server.on('connection', (socket) => this.accept(socket))
  }

  private accept(stream: Duplex): void {
    this.peers.push(new Peer(stream))
    this.change.poke()
  }

  static async start(t: TestContext): Promise<ScriptedBroker> {
    const server = isOverWebSocket() ? new HttpServer() : createServer({ noDelay: true })
    const broker = new ScriptedBroker(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      for (const peer of broker.peers) peer.finish()
      server.close()
    })
    return broker
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** The connection number `count`, counted from 1. */
  async peer(count = 1): Promise<Peer> {
    await this.change.until(() => this.peers.length >= count, `connection ${count}`)
    return this.peers[count - 1] as Peer
  }
}

export interface Scene {
  readonly broker: ScriptedBroker
  readonly peer: Peer
  readonly client: Client
  readonly recorder: Recorder
  readonly clock: ManualClock
}

/** A client that has begun to connect to a scripted broker; its first connection is open. */
export async function begin(
  t: TestContext,
  options: Partial<ClientOptions> = {},
  environment: ClientEnvironment = {},
): Promise<Scene> {
  const broker = await ScriptedBroker.start(t)
  const recorder = new Recorder()
  const clock = new ManualClock()
  const layers = isOverWebSocket() ? [new WebSocketDialer('/mqtt', false)] : []
  const target = { host: '127.0.0.1', port: broker.port, layers }
  const defaults: ClientOptions = { target, version: 5, clientId: 'c', cleanStart: true, keepAlive: 0 }
  const client = new Client({ ...defaults, ...options }, recorder, { clock, random: () => 0.5, ...environment })
  client.start()
  t.after(() => client.stop())
  return { broker, peer: await broker.peer(), client, recorder, clock }
}

/** The same, accepted by the broker. */
export async function connected(
  t: TestContext,
  options: Partial<ClientOptions> = {},
  connack: Properties = NO_PROPERTIES,
): Promise<Scene> {
  const scene = await begin(t, options)
  await scene.peer.accept(connack, options.cleanStart === false)
  await scene.recorder.connected()
  return scene
}
