// One connection: bytes from its socket to the framer, packets to its outbox. Whoever owns the connection decides what packets mean
// and when it ends.

import { NO_BYTES } from '../protocol/byte-count.js'
import { Framer, type PacketSink } from '../protocol/framer.js'
import type { Sender } from '../protocol/packet-types.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { SharedBlock } from '../protocol/shared-block.js'
import type { ByteStream } from './byte-stream.js'
import { Outbox, type OutboxOwner, type SharedMemory } from './outbox.js'
import { READ_BUFFER } from './plain-socket.js'

export interface ConnectionOwner extends PacketSink, OutboxOwner {
  /** The peer sent something that cannot be read on from: a ProtocolError, or a defect of ours. Called once at most. */
  onError(error: unknown): void
  /**
   * The peer has ended its side and is to get what it is still owed, then the end of this one: `end`. Without this method Node ends
   * this side at once. Called once at most.
   */
  onPeerEnd?(): void
  /** The connection is gone. `error` is the socket's, if it had one. Called once. */
  onClose(error: Error | undefined): void
}

/** Bytes taken from one socket in one turn of the event loop; Node would read thirty times as much. */
const MOST_PER_TURN = READ_BUFFER
/** Bytes that may arrive behind a packet whose handling takes time. */
const MOST_HELD = 65_536

export class Connection {
  readonly framer: Framer
  /** Where packets to the peer go. */
  readonly outbox: Outbox
  bytesReceived = NO_BYTES
  private readonly socket: ByteStream
  private readonly owner: ConnectionOwner
  private isHolding = false
  private isPaused = false
  private isOver = false

  /** @param peer the side at the other end, whose packets arrive here. */
  constructor(socket: ByteStream, owner: ConnectionOwner, peer: Sender, shared: SharedMemory) {
    this.socket = socket
    this.outbox = new Outbox(socket, owner, shared)
    this.owner = owner
    this.framer = new Framer(owner, peer, shared.blocks)
    let failure: Error | undefined
    socket.on('error', (error) => {
      failure = error
      if (error instanceof ProtocolError) this.fail(error)
    })
    if (owner.onPeerEnd !== undefined) socket.prependListener('end', () => owner.onPeerEnd?.())
    socket.on('close', () => {
      this.isOver = true
      this.outbox.close()
      this.owner.onClose(failure)
    })
  }

  /** Bytes that have left through it or are going to. */
  get bytesSent(): number {
    return this.outbox.bytesSent
  }

  /** Bytes handed to it that have not left the process. */
  get pendingBytes(): number {
    return this.outbox.pendingBytes
  }

  /** Writes that have not left the process. */
  get pendingWrites(): number {
    return this.outbox.pendingWrites
  }

  /** Takes the next bytes[0..length) from the socket; they may be reused when the call returns, unless `block` is retained. */
  onData(bytes: Buffer, length: number, block?: SharedBlock): void {
    if (this.isOver) return
    this.bytesReceived += length
    try {
      this.framer.push(bytes, length, block)
    } catch (error) {
      this.fail(error)
    }
    if (this.isHolding && this.framer.heldBytes > MOST_HELD) {
      this.isPaused = true
      this.socket.pause()
    } else if (length >= MOST_PER_TURN) this.giveWay()
  }

  /** A sender that fills the whole buffer has more; the others get their turn before it goes on. */
  private giveWay(): void {
    this.socket.pause()
    setImmediate(() => {
      if (!this.isPaused && !this.isOver) this.socket.resume()
    })
  }

  private fail(error: unknown): void {
    if (this.isOver) return
    this.isOver = true
    this.owner.onError(error)
  }

  /**
   * Stops delivering packets, for instance while a login is checked. Reading goes on for a while, so that the end of the
   * connection is noticed.
   */
  pause(): void {
    this.framer.stop()
    this.isHolding = true
  }

  /** Delivers what was held back and reads on. */
  resume(): void {
    this.isHolding = false
    this.isPaused = false
    if (this.isOver) return
    try {
      this.framer.resume()
    } catch (error) {
      this.fail(error)
      return
    }
    this.socket.resume()
  }

  /** Sends what is pending, then closes this side; input is no longer read as packets. */
  end(): void {
    this.isOver = true
    this.outbox.end()
    this.socket.resume()
  }

  /** Drops the connection with whatever is pending. */
  destroy(): void {
    this.isOver = true
    this.socket.destroy()
  }
}
