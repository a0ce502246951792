// WebSocket by hand for tests: requests and frames as bytes, so that they can be wrong, and RawClients over a WebSocket that is
// right. Frames are built and taken apart here, independent of the library that the broker uses.

import { connect, type Socket } from 'node:net'
import { createWebSocketStream, WebSocket } from 'ws'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import { type ConnectFields, connectPacket, RawClient } from './raw-client.js'

/** How long a test waits for the broker before it fails. */
const PATIENCE = 5000

/** RFC 6455 section 5.2. */
export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const

export interface Frame {
  readonly isFinal: boolean
  readonly opcode: number
  readonly payload: Buffer
}

export interface FrameFields {
  readonly opcode?: number
  readonly isFinal?: boolean
  readonly isMasked?: boolean
  /** RSV1 to RSV3 as a number from 0 to 7. */
  readonly reserved?: number
  /** The length as declared, where it differs. */
  readonly length?: number
}

/** A frame as a client sends it, or deliberately not. */
export function frame(payload: Buffer | string, fields: FrameFields = {}): Buffer {
  const { opcode = Opcode.BINARY, isFinal = true, isMasked = true, reserved = 0 } = fields
  const body = Buffer.from(payload as string)
  const { length = body.length } = fields
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  head[1] = (isMasked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  if (!isMasked) return Buffer.concat([head, body])
  const mask = Buffer.from([0x11, 0xa2, 0x33, 0xc4])
  for (let i = 0; i < body.length; i++) body[i] = (body[i] as number) ^ (mask[i & 3] as number)
  return Buffer.concat([head, mask, body])
}

export type Headers = Readonly<Record<string, string | undefined>>

/** A request that opens a WebSocket, with headers changed, added, or left out where undefined. */
export function upgradeRequest(headers: Headers = {}, line = 'GET /mqtt HTTP/1.1'): string {
  const all: Headers = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': 'mqtt',
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return [line, ...lines, '', ''].join('\r\n')
}

export class RawWebSocket {
  /** Status line and headers of the answer, in one piece. */
  readonly response: string
  private readonly socket: Socket
  private readonly input: Input

  private constructor(socket: Socket, input: Input, response: string) {
    this.socket = socket
    this.input = input
    this.response = response
  }

  /** Shakes hands; `request` is the whole request. Fails unless the answer is 101. */
  static async open(port: number, request: string | Buffer = upgradeRequest()): Promise<RawWebSocket> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const input = new Input(socket)
    socket.write(request)
    const end = await input.until((bytes) => bytes.indexOf('\r\n\r\n') + 4, 4)
    const response = input.take(end).toString('latin1')
    if (!response.startsWith('HTTP/1.1 101 ')) throw new Error(response)
    return new RawWebSocket(socket, input, response)
  }

  /** Sends bytes as they are, in one write. */
  send(...bytes: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(bytes))
  }

  /** The next frame; fails when the connection ends first. */
  async next(): Promise<Frame> {
    const size = await this.input.until(frameSize, 2)
    const head = headSize(this.input.bytes)
    const bytes = this.input.take(size)
    const first = bytes[0] as number
    return { isFinal: first >= 0x80, opcode: first & 15, payload: bytes.subarray(head) }
  }

  /** The status code of the close frame that comes, after any number of other frames; its answer is sent. */
  async closeCode(): Promise<number> {
    for (;;) {
      const { opcode, payload } = await this.next()
      if (opcode !== Opcode.CLOSE) continue
      this.send(frame(payload, { opcode: Opcode.CLOSE }))
      return payload.readUInt16BE(0)
    }
  }

  /** Waits until the broker has closed the connection. */
  closed(): Promise<void> {
    return this.input.closed()
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  drop(): void {
    this.socket.destroy()
  }
}

/** Sends `request` and returns everything that comes back until the connection is closed. */
export async function exchange(port: number, request: string | Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const input = new Input(socket)
  socket.write(request)
  await input.closed()
  return input.bytes.toString('utf8')
}

/** A RawClient over a WebSocket, with its CONNACK. */
export async function connectWebSocket(
  port: number,
  fields: ConnectFields = {},
): Promise<{ client: RawClient; connack: Connack }> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt')
  const stream = createWebSocketStream(webSocket)
  stream.once('end', () => stream.destroy())
  const client = new RawClient(stream)
  client.version = fields.version ?? 4
  client.send(connectPacket(fields))
  return { client, connack: (await client.expect(PacketType.CONNACK)) as Connack }
}

/** Bytes of the head of the frame that `bytes`, two at least, begin with. */
function headSize(bytes: Buffer): number {
  const length = (bytes[1] as number) & 0x7f
  return length < 126 ? 2 : length === 126 ? 4 : 10
}

/** Bytes of the frame that `bytes` begin with, 0 when it is not all there. */
function frameSize(bytes: Buffer): number {
  if (bytes.length < 2 || bytes.length < headSize(bytes)) return 0
  const head = headSize(bytes)
  const short = (bytes[1] as number) & 0x7f
  const length = head === 2 ? short : head === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  return bytes.length >= head + length ? head + length : 0
}

/** What has arrived on a socket and was not taken. */
class Input {
  bytes = Buffer.alloc(0)
  private isClosed = false
  private wake: () => void = () => {}

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
      this.wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.wake()
    })
  }

  take(size: number): Buffer {
    const taken = this.bytes.subarray(0, size)
    this.bytes = this.bytes.subarray(size)
    return taken
  }

  /** Waits until `measure` of what is there is at least `least`, and returns it. */
  async until(measure: (bytes: Buffer) => number, least: number): Promise<number> {
    await this.wait(() => this.isClosed || measure(this.bytes) >= least)
    const result = measure(this.bytes)
    if (result < least) throw new Error(`the connection was closed; pending: ${this.bytes.toString('latin1')}`)
    return result
  }

  closed(): Promise<void> {
    return this.wait(() => this.isClosed)
  }

  private async wait(condition: () => boolean): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${PATIENCE} ms`)), PATIENCE)
    })
    try {
      while (!condition())
        await Promise.race([
          late,
          new Promise<void>((resolve) => {
            this.wake = resolve
          }),
        ])
    } finally {
      clearTimeout(timer)
    }
  }
}
