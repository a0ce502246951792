// Reading from plain TCP and Unix sockets through one buffer that all of them share, parsed in place. Node makes sockets that read
// so only for outgoing connections; accepted ones are made here from the handle beneath, which Node keeps to itself. A socket that
// cannot read this way (TLS, WebSocket) delivers its chunks through `data` events instead; see `readStream`.

import { type OnReadOpts, type Server, Socket, type SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { getSystemErrorName } from 'node:util'

/** Takes bytes[0..length); they are overwritten after the call. */
export type ChunkTaker = (bytes: Buffer, length: number) => void

/** Bytes of the buffer: the most that one read brings. */
export const READ_BUFFER = 256 * 1024

export class SharedReadBuffer {
  private readonly buffer = Buffer.allocUnsafeSlow(READ_BUFFER)

  /** The `onread` option for `net.connect` and `net.Socket`. */
  onread(take: ChunkTaker): OnReadOpts {
    const { buffer } = this
    return {
      buffer,
      callback: (length) => {
        take(buffer, length)
        return true
      },
    }
  }

  /** The socket of an accepted connection. It reads nothing before `startReading`. */
  socketOf(handle: AcceptedHandle, take: ChunkTaker): Socket {
    const options = { handle, onread: this.onread(take), allowHalfOpen: false, manualStart: true }
    return new Socket(options as SocketConstructorOpts)
  }
}

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

/** Bytes that the system has taken from a socket. Node's own count has those that still wait beneath it too. */
export function bytesTaken(socket: Socket): number {
  const { writeQueueSize = 0 } = (socket as unknown as { _handle: { writeQueueSize?: number } | null })._handle ?? {}
  return socket.bytesWritten - writeQueueSize
}

/** Begins to read from an accepted socket. */
export function startReading(socket: Socket): void {
  socket.read(0)
}

/** Delivers the chunks of any other stream. */
export function readStream(stream: Duplex, take: ChunkTaker): void {
  stream.on('data', (chunk: Buffer) => take(chunk, chunk.length))
}
