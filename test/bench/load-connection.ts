// One raw MQTT connection of a load generator: bytes out in batches, frames in through one read buffer that all connections
// share. It does the handshakes; what happens to the frames after `start` is the generator's business.
import type net from 'node:net'
import { openTransport, type Transport, type TransportChoice } from './transport.js'
import { connectFrame, type FrameHandler, FrameScanner, subscribeFrame } from './wire.js'

const BLOCK_BYTES = 16_384
const TCP: TransportChoice = { isTls: false, isWebSocket: false }
const freeBlocks: Block[] = []

/** Bytes waiting to be written; back in the pool when the write is done. */
class Block {
  readonly bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  used = 0
  readonly release = (): void => {
    this.used = 0
    freeBlocks.push(this)
  }
}

/** Who a connection opens as; `username` and `password` together or not at all. */
export interface Identity {
  readonly clientId: string
  readonly username?: string
  readonly password?: string
  /** False: messages wait while it is away. */
  readonly cleanSession?: boolean
}

/** What a generator does with a connection that is up. */
export interface Traffic {
  readonly onFrame: FrameHandler
  /** Runs after each chunk read. */
  readonly afterRead?: () => void
  /** Runs if the connection fails; without it that is fatal to the process. */
  readonly onLost?: (reason: string) => void
}

export class LoadConnection {
  private readonly socket: net.Socket
  private readonly transport: Transport
  private readonly scanner: FrameScanner
  private block: Block | undefined
  private afterRead: (() => void) | undefined
  private readonly isFramed: boolean
  private awaited = 1
  private onReady: () => void = () => undefined
  private onLost: (reason: string) => void = () => undefined

  private constructor(port: number, identity: Identity, choice: TransportChoice) {
    this.isFramed = choice.isWebSocket
    this.scanner = new FrameScanner((bytes, start, body) => this.onHandshake(bytes, start, body))
    this.transport = openTransport(port, choice, (bytes, length) => {
      this.scanner.scan(bytes, length)
      this.afterRead?.()
    })
    this.socket = this.transport.socket
    this.socket.on('error', (error) => this.onLost(error.message))
    this.socket.on('end', () => this.onLost('the broker closed a connection'))
    const { clientId, username, password, cleanSession } = identity
    const packet = connectFrame(clientId, username, password, cleanSession)
    this.transport.opened(() => this.socket.write(this.framed(packet)))
  }

  /** Connects to 127.0.0.1:`port`; resolves when the broker has accepted, rejects when it refused or hung up. */
  static async open(port: number, identity: Identity, choice = TCP): Promise<LoadConnection> {
    const connection = new LoadConnection(port, identity, choice)
    await connection.handshake()
    return connection
  }

  /** Subscribes to each filter in a packet of its own; resolves when all are acknowledged, rejects when one is refused. */
  async subscribe(filters: readonly string[], qos: number): Promise<void> {
    this.awaited = filters.length
    for (const [index, filter] of filters.entries()) this.append(subscribeFrame(index + 1, filter, qos))
    this.flush()
    await this.handshake()
  }

  /** Hands all further frames to `traffic`. */
  start(traffic: Traffic): void {
    this.scanner.handle = traffic.onFrame
    this.afterRead = traffic.afterRead
    this.onLost =
      traffic.onLost ??
      ((reason) => {
        throw new Error(reason)
      })
  }

  /** Stops reading, and never starts again. */
  stopReading(): void {
    this.socket.pause()
  }

  /** One packet as the transport carries it: what `write` takes. */
  framed(packet: Buffer): Buffer {
    return this.transport.framed(packet)
  }

  /** Writes bytes that nobody will change afterwards, without copying them; `done` when the system has taken them. */
  write(bytes: Buffer, done?: () => void): void {
    this.flush()
    this.socket.write(bytes, done)
  }

  /** Copies a packet into what the next `flush` sends. */
  append(packet: Buffer): void {
    const bytes = this.framed(packet)
    if (bytes.length > BLOCK_BYTES) {
      this.write(Buffer.from(bytes))
      return
    }
    const block = this.reserve(bytes.length)
    block.used += bytes.copy(block.bytes, block.used)
  }

  /** Like `append`, for a packet that is only a header byte and a packet identifier. */
  appendAck(header: number, high: number, low: number): void {
    if (this.isFramed) {
      this.append(Buffer.from([header, 2, high, low]))
      return
    }
    const block = this.reserve(4)
    block.bytes[block.used++] = header
    block.bytes[block.used++] = 2
    block.bytes[block.used++] = high
    block.bytes[block.used++] = low
  }

  flush(): void {
    const block = this.block
    if (!block) return
    this.block = undefined
    this.socket.write(block.bytes.subarray(0, block.used), block.release)
  }

  close(): void {
    this.onLost = () => undefined
    this.socket.destroy()
  }

  private reserve(size: number): Block {
    if (this.block && this.block.used + size > BLOCK_BYTES) this.flush()
    this.block ??= freeBlocks.pop() ?? new Block()
    return this.block
  }

  private handshake(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onReady = resolve
      this.onLost = (reason) => reject(new Error(reason))
    })
  }

  /** CONNACK's second byte and SUBACK's third are return codes; a PUBLISH may come between them and is not counted. */
  private onHandshake(bytes: Buffer, start: number, body: number): void {
    const header = bytes[start] as number
    if (header >> 4 === 3) return
    const code = bytes[body + (header === 0x20 ? 1 : 2)] as number
    const isRefused = header === 0x20 ? code > 0 : code > 2
    if (isRefused) this.onLost(`refused with code ${code}`)
    else if (--this.awaited === 0) this.onReady()
  }
}
