// An accepted connection as an ordinary stream, for a protocol that Node speaks itself.

import { Duplex } from 'node:stream'
import type { Accepted } from './listener.js'

/** Opens the connection and begins to read. */
export function acceptedStream(accepted: Accepted): Duplex {
  const socket = accepted.open((bytes, length) => {
    if (!stream.push(Buffer.from(bytes.subarray(0, length)))) socket.pause()
  })
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  socket.on('error', (error) => stream.destroy(error))
  socket.on('close', () => stream.destroy())
  accepted.start()
  return stream
}
