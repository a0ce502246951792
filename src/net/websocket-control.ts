// The transport as Node's HTTP and `ws` see it: the handshake and control frames in and out, and the end of the connection in both
// directions. Frames with data pass it by. Reading the socket and sending data are websocket-stream.ts's.

import { Duplex } from 'node:stream'

export class WebSocketControl extends Duplex {
  private readonly socket: Duplex

  /** @param socket the transport, on which whole frames of others may be written in between. */
  constructor(socket: Duplex) {
    super()
    this.socket = socket
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  /** Hands on bytes that have come and are not changed afterwards. */
  receive(bytes: Buffer): void {
    if (!this.destroyed && !this.readableEnded) this.push(bytes)
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(bytes, done)
  }

  /** `ws` writes a frame in two pieces. */
  override _writev(pieces: { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.socket.write(Buffer.concat(pieces.map(({ chunk }) => chunk)), done)
  }

  override _final(done: () => void): void {
    this.socket.end(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy()
    done(error)
  }
}
