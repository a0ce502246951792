// How a load generator's bytes travel: plain TCP, TLS 1.3, or WebSocket on either. A connection of it takes and gives MQTT bytes;
// like the rest of the generator it shares nothing with what it measures.
import net from 'node:net'
import tls from 'node:tls'

export interface TransportChoice {
  readonly isTls: boolean
  readonly isWebSocket: boolean
}

export interface Transport {
  readonly socket: net.Socket
  /** One packet as it is written: the same bytes, or a masked frame around them. */
  framed(packet: Buffer): Buffer
  /** Calls `onOpen` when packets may be written. */
  opened(onOpen: () => void): void
}

/** Takes bytes[0..length); they may be overwritten after the call. */
export type BytesTaker = (bytes: Buffer, length: number) => void

const readBuffer = Buffer.allocUnsafeSlow(512 * 1024)
const HOST = '127.0.0.1'
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
const REQUEST = [
  'GET /mqtt HTTP/1.1',
  `Host: ${HOST}`,
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: mqtt',
  '\r\n',
].join('\r\n')

/** Connects to this machine's `port`. */
export function openTransport(port: number, { isTls, isWebSocket }: TransportChoice, take: BytesTaker): Transport {
  const input = isWebSocket ? new FrameReader(take) : { push: take, opened: (onOpen: () => void) => onOpen() }
  const socket = isTls ? openTls(port, input.push) : openTcp(port, input.push)
  if (isWebSocket) socket.write(REQUEST)
  return { socket, framed: isWebSocket ? maskedFrame : (packet) => packet, opened: (onOpen) => input.opened(onOpen) }
}

function openTcp(port: number, take: BytesTaker): net.Socket {
  const callback = (length: number): boolean => {
    take(readBuffer, length)
    return true
  }
  return net.connect({ port, host: HOST, noDelay: true, onread: { buffer: readBuffer, callback } })
}

function openTls(port: number, take: BytesTaker): net.Socket {
  const socket = tls.connect({ port, host: HOST, minVersion: 'TLSv1.3', rejectUnauthorized: false })
  socket.setNoDelay(true)
  socket.on('data', (chunk: Buffer) => take(chunk, chunk.length))
  return socket
}

/** A final binary frame of a client. */
function maskedFrame(payload: Buffer): Buffer {
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10)
  head[0] = 0x82
  head[1] = 0x80 | (head.length === 2 ? payload.length : head.length === 4 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(payload.length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2)
  const body = Buffer.from(payload)
  for (let i = 0; i < body.length; i++) body[i] = (body[i] as number) ^ (MASK[i & 3] as number)
  return Buffer.concat([head, MASK, body])
}

/** Takes the answer to the handshake, then hands on what the frames of a server hold, as it comes. */
class FrameReader {
  private readonly take: BytesTaker
  private response: string | undefined = ''
  private onOpen: () => void = () => undefined
  /** Bytes of a frame's head that came without the rest, and of its payload that are still to come. */
  private head = Buffer.alloc(0)
  private left = 0

  constructor(take: BytesTaker) {
    this.take = take
  }

  opened(onOpen: () => void): void {
    this.onOpen = onOpen
  }

  readonly push = (bytes: Buffer, length: number): void => {
    const at = this.response === undefined ? 0 : this.readResponse(bytes.subarray(0, length), this.response)
    if (at < length) this.readFrames(bytes, at, length)
  }

  /** Returns where the first frame begins. */
  private readResponse(bytes: Buffer, before: string): number {
    const text = before + bytes.toString('latin1')
    const end = text.indexOf('\r\n\r\n')
    this.response = end < 0 ? text : undefined
    if (end < 0) return bytes.length
    if (!text.startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${text.slice(0, text.indexOf('\r'))}`)
    this.onOpen()
    return end + 4 - before.length
  }

  private readFrames(bytes: Buffer, from: number, length: number): void {
    let at = from
    while (at < length) {
      if (this.left === 0) {
        const before = this.head.length
        const head = before === 0 ? bytes.subarray(at, length) : Buffer.concat([this.head, bytes.subarray(at, length)])
        const short = head.length < 2 ? 0 : (head[1] as number)
        const size = short < 126 ? 2 : short === 126 ? 4 : 10
        if (head.length < size) {
          this.head = Buffer.from(head)
          return
        }
        this.head = Buffer.alloc(0)
        this.left = size === 2 ? short : size === 4 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2))
        at += size - before
      }
      const end = Math.min(length, at + this.left)
      this.left -= end - at
      if (end > at) this.take(bytes.subarray(at, end), end - at)
      at = end
    }
  }
}
