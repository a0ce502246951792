// Reading from plain TCP and Unix sockets through one buffer that all of them share, parsed in place. Node makes sockets that read
// so for outgoing connections only; those that are accepted are in accepted-socket.ts. A socket that cannot read this way (TLS,
// WebSocket) delivers its chunks through `data` events instead; see `readStream`.

import type { OnReadOpts, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SharedBlock } from '../protocol/shared-block.js'

/** Takes bytes[0..length); they are overwritten after the call, unless `block`, which owns them, is retained. */
export type ChunkTaker = (bytes: Buffer, length: number, block?: SharedBlock) => void

/** Bytes of the buffer: the most that one read brings. */
export const READ_BUFFER = 256 * 1024

export class SharedReadBuffer {
  private readonly buffer = Buffer.allocUnsafeSlow(READ_BUFFER)

  /** The `onread` option for `net.connect`. */
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
}

/** What lies beneath a socket that is open. */
interface WriteCounts {
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
}

/** Bytes that the system has taken from a socket. Node's own count has those that still wait above and beneath it too. */
export function bytesTaken(socket: Socket): number {
  const counts = (socket as unknown as { _handle: WriteCounts | null })._handle ?? {}
  const { bytesWritten = socket.bytesWritten, writeQueueSize = 0 } = counts
  return bytesWritten - writeQueueSize
}

/** Delivers the chunks of any other stream. */
export function readStream(stream: Duplex, take: ChunkTaker): void {
  stream.on('data', (chunk: Buffer) => take(chunk, chunk.length))
}
