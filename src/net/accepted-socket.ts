// Accepted connections, made from the handle beneath, which Node keeps to itself: they read into one buffer that all of
// them share. One that fills the buffer brings packets faster than they can be copied for nothing: it reads into blocks of its
// own, which receivers may keep, for as long as it has so much to say.

import { type Server, Socket, type SocketConstructorOpts } from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { BlockPool, SharedBlock } from '../protocol/shared-block.js'
import type { ByteStream } from './byte-stream.js'
import { HandleStream, isStreamHandle, type ReadTarget, type StreamHandle } from './handle-stream.js'
import { type ChunkTaker, READ_BUFFER } from './plain-socket.js'

/** Bytes of a block of its own: more than the buffer, for fewer packets that end in the next one. */
const OWN_BLOCK = 2 * READ_BUFFER
/** Sockets that may have one at a time. */
const MOST_LENT = 32
/** Bytes that a read has to bring for a socket to keep its own block. */
const LEAST_READ = READ_BUFFER / 8

/** An accepted connection beneath Node's sockets. */
export type AcceptedHandle = object

interface HandleOwner {
  readonly _handle?: { onconnection?: (status: number, handle: AcceptedHandle) => void } | null
}

/** The handle of a socket that was accepted with `pauseOnConnect`; the socket itself is of no use afterwards. */
export function handleOf(accepted: Socket): AcceptedHandle {
  return (accepted as unknown as { _handle: AcceptedHandle })._handle
}

/**
 * Has a listening server hand over what it accepts as handles, so that no socket is made of them that is thrown away (a sixth of
 * the cost of a connection). Without effect on a Node that is built differently: its `connection` event goes on.
 */
export function acceptHandles(server: Server, onAccept: (handle: AcceptedHandle) => void): void {
  const { _handle: listening } = server as unknown as HandleOwner
  if (typeof listening?.onconnection !== 'function') return
  listening.onconnection = (status, handle) => {
    if (status !== 0) {
      server.emit('error', new Error(`accept ${getSystemErrorName(status)}`))
      return
    }
    onAccept(handle)
  }
}

/** Begins to read from an accepted socket. */
export function startReading(socket: Socket | HandleStream): void {
  if (socket instanceof Socket) socket.read(0)
  else socket.resume()
}

/** Makes the sockets of one listener. */
export class AcceptedSockets {
  readonly buffer = Buffer.allocUnsafeSlow(READ_BUFFER)
  private readonly blocks: BlockPool
  private lent = 0
  /** Whether its handles, which are all of one kind, can do without sockets. */
  private isDirect: boolean | undefined = undefined

  constructor(blocks: BlockPool) {
    this.blocks = blocks
  }

  /** An accepted connection. It reads nothing before `startReading`. */
  streamOf(handle: AcceptedHandle, take: ChunkTaker): Socket | HandleStream {
    this.isDirect ??= isStreamHandle(handle)
    if (!this.isDirect) return this.socketOf(handle, take)
    const reader = new SocketReader(this, take)
    const stream = new HandleStream(handle as StreamHandle, reader)
    reader.socket = stream
    return stream
  }

  /** As `streamOf`, for who needs a socket. */
  socketOf(handle: AcceptedHandle, take: ChunkTaker): Socket {
    const reader = new SocketReader(this, take)
    const onread = { buffer: () => reader.next(), callback: (length: number) => reader.read(length) }
    const socket = new Socket({ handle, onread, allowHalfOpen: false, manualStart: true } as SocketConstructorOpts)
    reader.socket = socket
    return socket
  }

  /** Begins to lend blocks to a socket, until `end`; false when too many have one. */
  lend(): boolean {
    if (this.lent === MOST_LENT) return false
    this.lent++
    return true
  }

  end(): void {
    this.lent--
  }

  block(): SharedBlock {
    return this.blocks.take(OWN_BLOCK)
  }
}

/** Where the bytes of one socket go. */
class SocketReader implements ReadTarget {
  socket: ByteStream | undefined = undefined
  private readonly sockets: AcceptedSockets
  private readonly take: ChunkTaker
  private block: SharedBlock | undefined = undefined
  private length = 0
  private isWatched = false

  constructor(sockets: AcceptedSockets, take: ChunkTaker) {
    this.sockets = sockets
    this.take = take
  }

  read(length: number): boolean {
    const { block } = this
    this.length = length
    this.take(block === undefined ? this.sockets.buffer : block.bytes, length, block)
    return true
  }

  /** The buffer of the next read; undefined when it is that of the last. */
  next(): Buffer | undefined {
    const { block, length, sockets } = this
    if (block === undefined) {
      if (length === 0) return sockets.buffer
      if (length < READ_BUFFER || this.socket?.destroyed !== false || !sockets.lend()) return undefined
      if (!this.isWatched) this.socket.on('close', () => this.giveBack())
      this.isWatched = true
      this.block = sockets.block()
    } else if (length < LEAST_READ) {
      this.giveBack()
      return sockets.buffer
    } else if (block.isShared) {
      block.release()
      this.block = sockets.block()
    }
    return this.block?.bytes
  }

  private giveBack(): void {
    if (this.block === undefined) return
    this.block.release()
    this.block = undefined
    this.sockets.end()
  }
}
