// Reading from plain TCP and Unix sockets through one buffer that all of them share, parsed in place. A socket that cannot read
// this way (TLS, WebSocket) delivers its chunks through `data` events instead; see `readStream`.

import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'

/** Takes bytes[0..length); they are overwritten after the call. */
export type ChunkTaker = (bytes: Buffer, length: number) => void

const READ_BUFFER = 256 * 1024

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

  /** A socket that takes over a connection accepted with `pauseOnConnect`. Reading begins with `startReading`. */
  adopt(accepted: Socket, take: ChunkTaker): Socket {
    const { _handle: handle } = accepted as unknown as { _handle: unknown }
    const options = { handle, onread: this.onread(take), allowHalfOpen: false }
    return new Socket(options as SocketConstructorOpts)
  }
}

/** Begins to read from an adopted socket. */
export function startReading(socket: Socket): void {
  socket.read(0)
}

/** Delivers the chunks of any other stream. */
export function readStream(stream: Duplex, take: ChunkTaker): void {
  stream.on('data', (chunk: Buffer) => take(chunk, chunk.length))
}
