// One WebSocket as the byte stream a connection writes to: what is written in one turn leaves as one binary frame, what arrives goes
// to the taker as it comes, however the packets in it are cut. Until the handshake is done its only words are an HTTP error. Who may
// shake hands is websocket.ts's to decide; frames are read by websocket-frames.ts; pings, closing and errors are the work of `ws`.

import { STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { ProtocolError } from '../protocol/protocol-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { ChunkTaker } from './plain-socket.js'
import type { WebSocketControl } from './websocket-control.js'
import { frameHead, WebSocketFrames } from './websocket-frames.js'

/** Chunks that were written together are one frame up to this many bytes. */
const MOST_JOINED = 65_536

/** Up to this many bytes it is cheaper to copy data behind the head of its frame than to write the two by themselves. */
const MOST_COPIED = 4096

/** Status codes of RFC 6455 section 7.4.1. */
const CloseCode = { NORMAL: 1000, PROTOCOL_ERROR: 1002, UNSUPPORTED_DATA: 1003 } as const
type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

interface Written {
  readonly chunk: Buffer
}

type WriteDone = (error?: Error | null) => void

/**
 * A violation by the peer is emitted as `error` with a `ProtocolError` and leaves the stream open, so that its owner can still
 * answer and end it. Any other error has ended it. Input is not read from the stream: it goes to `taker`.
 */
export class WebSocketStream extends Duplex {
  private readonly socket: Duplex
  private readonly control: WebSocketControl
  private readonly taker: ChunkTaker
  private frames: WebSocketFrames | undefined = undefined
  private ws: WebSocket | undefined = undefined
  private isAnswered = false
  private closeCode: CloseCode = CloseCode.NORMAL

  /**
   * @param socket the transport below, whose handshake is still to come
   * @param control to where what is not data goes
   */
  constructor(socket: Duplex, control: WebSocketControl, taker: ChunkTaker) {
    super()
    this.socket = socket
    this.control = control
    this.taker = taker
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => {
      if (this.ws === undefined) this.destroy()
    })
  }

  /** Takes bytes[0..length) from the socket, and writes to them; they may be reused when the call returns. */
  receive(bytes: Buffer, length: number): void {
    if (this.frames === undefined) this.control.receive(Buffer.from(bytes.subarray(0, length)))
    else this.frames.push(bytes, length)
  }

  /**
   * The handshake is done.
   * @param ws answers pings and closes
   * @param behind bytes that came behind the handshake
   */
  attach(ws: WebSocket, behind: Buffer): void {
    this.ws = ws
    ws.on('error', (error) => this.violated(error.message))
    ws.on('close', () => this.destroy())
    if (this.socket instanceof Socket) this.socket.setNoDelay(true)
    this.frames = new WebSocketFrames({
      onPayload: this.taker,
      onControl: (bytes) => this.control.receive(bytes),
      onViolation: (violation) => {
        this.closeCode = violation === 'text frame' ? CloseCode.UNSUPPORTED_DATA : CloseCode.PROTOCOL_ERROR // [MQTT-6.0.0-1]
        this.violated(violation)
      },
    })
    if (behind.length > 0) this.frames.push(behind, behind.length)
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

  private violated(reason: string): void {
    if (!this.destroyed) this.emit('error', new ProtocolError(ReasonCode.PROTOCOL_ERROR, `websocket: ${reason}`))
  }

  /** A peer that has closed the WebSocket takes nothing any more. */
  private get isOpen(): boolean {
    return this.ws !== undefined && this.ws.readyState === this.ws.OPEN
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: WriteDone): void {
    if (this.isOpen) this.send(chunk, done)
    else done()
  }

  override _writev(written: Written[], done: WriteDone): void {
    if (!this.isOpen) {
      done()
      return
    }
    const chunks = written.map(({ chunk }) => chunk)
    const size = chunks.reduce((sum, { length }) => sum + length, 0)
    this.socket.cork()
    if (size <= MOST_COPIED) this.send(Buffer.concat(chunks, size), done)
    else {
      const isJoined = size <= MOST_JOINED
      if (isJoined) this.socket.write(frameHead(size))
      chunks.forEach((chunk, at) => {
        const written = at === chunks.length - 1 ? done : undefined
        if (isJoined) this.socket.write(chunk, written)
        else this.send(chunk, written)
      })
    }
    this.socket.uncork()
  }

  private send(chunk: Buffer, done?: WriteDone): void {
    const { socket } = this
    const head = frameHead(chunk.length)
    if (chunk.length <= MOST_COPIED) {
      socket.write(Buffer.concat([head, chunk]), done)
      return
    }
    socket.cork()
    socket.write(head)
    socket.write(chunk, done)
    socket.uncork()
  }

  /** Begins to close; the stream is over, and closed, when the socket is. */
  override _final(): void {
    if (this.ws !== undefined) this.ws.close(this.closeCode)
    else if (!this.isAnswered) this.answer(408, 'no WebSocket handshake in time')
  }

  override _destroy(error: Error | null, done: WriteDone): void {
    this.socket.destroy()
    done(error)
  }

  override pause(): this {
    this.socket.pause()
    return this
  }

  override resume(): this {
    this.socket.resume()
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
