// One WebSocket as the byte stream a connection writes to: what is written in one turn leaves as one binary frame, what arrives goes
// to the taker frame by frame, however the packets in them are cut. Until the handshake is done its only words are an HTTP error.
// Who may shake hands is websocket.ts's to decide; framing, masks and pings are the work of `ws`.

import { STATUS_CODES } from 'node:http'
import { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { ProtocolError } from '../protocol/protocol-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { ChunkTaker } from './plain-socket.js'

/** Chunks that were written together are joined into one frame up to this many bytes; larger ones are not worth the copy. */
const MAX_JOINED = 65_536

/** Status codes of RFC 6455 section 7.4.1. */
const CloseCode = { NORMAL: 1000, UNSUPPORTED_DATA: 1003 } as const
type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

interface Written {
  readonly chunk: Buffer
}

/**
 * A violation by the peer is emitted as `error` with a `ProtocolError` and leaves the stream open, so that its owner can still
 * answer and end it. Any other error has ended it. Input is not read from the stream: it goes to `taker`.
 */
export class WebSocketStream extends Duplex {
  private readonly socket: Duplex
  private readonly taker: ChunkTaker
  private ws: WebSocket | undefined = undefined
  private isAnswered = false
  private closeCode: CloseCode = CloseCode.NORMAL

  /** @param socket the transport below, whose handshake is still to come. */
  constructor(socket: Duplex, taker: ChunkTaker) {
    super()
    this.socket = socket
    this.taker = taker
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => {
      if (this.ws === undefined) this.destroy()
    })
  }

  /** The handshake is done: from now on `ws` carries the bytes. */
  attach(ws: WebSocket): void {
    this.ws = ws
    ws.binaryType = 'fragments'
    ws.on('message', (data, isBinary) => this.onMessage(data, isBinary))
    ws.on('error', (error) => this.violated(error.message))
    ws.on('close', () => this.destroy())
  }

  /** Answers the handshake with an HTTP error and tells the owner, who then ends the stream. */
  refuse(status: number, reasonCode: ReasonCode, reason: string): void {
    if (this.destroyed || this.isAnswered) return
    this.answer(status, reason)
    this.emit('error', new ProtocolError(reasonCode, reason))
  }

  private answer(status: number, reason: string): void {
    this.isAnswered = true
    this.socket.end(httpError(status, reason))
  }

  private onMessage(data: RawData, isBinary: boolean): void {
    if (isBinary) for (const part of data as Buffer[]) this.taker(part, part.length)
    else {
      this.closeCode = CloseCode.UNSUPPORTED_DATA
      this.violated('text frame') // [MQTT-6.0.0-1]
    }
  }

  private violated(reason: string): void {
    if (!this.destroyed) this.emit('error', new ProtocolError(ReasonCode.PROTOCOL_ERROR, `websocket: ${reason}`))
  }

  /** The socket to send on; undefined when the peer has closed the WebSocket, which takes nothing any more. */
  private get open(): WebSocket | undefined {
    const { ws } = this
    return ws?.readyState === ws?.OPEN ? ws : undefined
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const { open } = this
    if (open === undefined) done()
    else open.send(chunk, done)
  }

  override _writev(written: Written[], done: (error?: Error | null) => void): void {
    const { open } = this
    if (open === undefined) {
      done()
      return
    }
    const chunks = written.map(({ chunk }) => chunk)
    const size = chunks.reduce((sum, { length }) => sum + length, 0)
    const frames = size <= MAX_JOINED ? [Buffer.concat(chunks, size)] : chunks
    const last = frames.pop() as Buffer
    this.socket.cork()
    for (const frame of frames) open.send(frame)
    open.send(last, done)
    this.socket.uncork()
  }

  /** Begins to close; the stream is over, and closed, when the socket is. */
  override _final(): void {
    if (this.ws !== undefined) this.ws.close(this.closeCode)
    else if (!this.isAnswered) this.answer(408, 'no WebSocket handshake in time')
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy()
    done(error)
  }

  override pause(): this {
    this.ws?.pause()
    return this
  }

  override resume(): this {
    this.ws?.resume()
    return this
  }
}

function httpError(status: number, reason: string): string {
  const body = `${reason}\n`
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Sec-WebSocket-Version: 13',
    ...(status === 426 ? ['Upgrade: websocket', 'Connection: Upgrade, close'] : ['Connection: close']),
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
