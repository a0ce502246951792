// Where the commands read bytes that may never end: standard input or a file, a chunk at a time, with nothing read ahead of who
// takes it. Pipes and files go through one buffer that is used again: memory allocated for each chunk would wait for a garbage
// collection that seldom comes, and the process would grow with its input.

import { close, fstatSync, open, read } from 'node:fs'
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import type { Readable } from 'node:stream'
import type { Streams } from './terminal.js'

export interface ByteTaker {
  /** bytes[0..length) stay as they are until the next call. Returns false to get no more until `resume`. */
  onBytes(bytes: Buffer, length: number): boolean
  onEnd(): void
  onError(error: Error): void
}

export interface ByteInput {
  /** For messages. */
  readonly name: string
  /** A person is at the other end. */
  readonly isTyped?: boolean
  start(taker: ByteTaker): void
  resume(): void
  /** Reads no more and calls nobody. */
  stop(): void
}

/** Bytes of a chunk. */
const CHUNK = 65_536

/** Standard input, beneath its stream where that is possible. */
export function standardInput(streams: Streams): ByteInput {
  const name = 'standard input'
  if (streams === process) {
    const kind = fstatSync(0)
    if (kind.isFile()) return new FileInput(name, 0)
    if (kind.isFIFO() || kind.isSocket()) return new PipeInput(name, 0)
  }
  return new StreamInput(name, streams.stdin)
}

/** The file `path`, or standard input for `-`. */
export function inputOf(path: string, streams: Streams): ByteInput {
  return path === '-' ? standardInput(streams) : new FileInput(path, path)
}

/** A file, by its path or, open already, by its descriptor. */
class FileInput implements ByteInput {
  readonly name: string
  private readonly file: string | number
  private readonly buffer = Buffer.allocUnsafeSlow(CHUNK)
  private descriptor = -1
  private taker: ByteTaker | undefined = undefined
  private isReading = false

  constructor(name: string, file: string | number) {
    this.name = name
    this.file = file
  }

  start(taker: ByteTaker): void {
    this.taker = taker
    if (typeof this.file === 'number') this.onOpen(null, this.file)
    else open(this.file, 'r', (error, descriptor) => this.onOpen(error, descriptor))
  }

  private onOpen(error: Error | null, descriptor: number): void {
    if (error !== null) {
      this.taker?.onError(error)
      return
    }
    this.descriptor = descriptor
    if (this.taker === undefined) this.close()
    else this.resume()
  }

  resume(): void {
    if (this.isReading || this.descriptor < 0 || this.taker === undefined) return
    this.isReading = true
    read(this.descriptor, this.buffer, 0, CHUNK, null, (error, length) => this.onRead(error, length))
  }

  private onRead(error: Error | null, length: number): void {
    this.isReading = false
    const { taker } = this
    if (taker === undefined || error !== null || length === 0) {
      this.stop()
      this.close()
      if (error !== null) taker?.onError(error)
      else taker?.onEnd()
    } else if (taker.onBytes(this.buffer, length)) this.resume()
  }

  stop(): void {
    this.taker = undefined
    if (!this.isReading) this.close()
  }

  private close(): void {
    if (typeof this.file === 'string' && this.descriptor >= 0) close(this.descriptor)
    this.descriptor = -1
  }
}

/** A pipe or a socket. */
class PipeInput implements ByteInput {
  readonly name: string
  private readonly descriptor: number
  private socket: Socket | undefined = undefined

  constructor(name: string, descriptor: number) {
    this.name = name
    this.descriptor = descriptor
  }

  start(taker: ByteTaker): void {
    const buffer = Buffer.allocUnsafeSlow(CHUNK)
    const onread: OnReadOpts = {
      buffer,
      callback: (length) => {
        if (this.socket !== undefined && !taker.onBytes(buffer, length)) this.socket?.pause()
        return true
      },
    }
    const options = { fd: this.descriptor, readable: true, writable: false, onread }
    const socket = new Socket(options as SocketConstructorOpts)
    this.socket = socket
    socket.on('end', () => this.socket !== undefined && taker.onEnd())
    socket.on('error', (error) => this.socket !== undefined && taker.onError(error))
    socket.resume()
  }

  resume(): void {
    this.socket?.resume()
  }

  stop(): void {
    const { socket } = this
    this.socket = undefined
    socket?.destroy()
  }
}

/** Any other stream: a terminal, or what a test makes. */
class StreamInput implements ByteInput {
  readonly name: string
  readonly isTyped: boolean
  private readonly stream: Readable
  private isOver = false

  constructor(name: string, stream: Readable) {
    this.name = name
    this.isTyped = 'isTTY' in stream && stream.isTTY === true
    this.stream = stream
  }

  start(taker: ByteTaker): void {
    const { stream } = this
    stream.on('error', (error) => !this.isOver && taker.onError(error))
    stream.on('end', () => !this.isOver && taker.onEnd())
    stream.on('data', (chunk: Buffer) => {
      if (!this.isOver && !taker.onBytes(chunk, chunk.length)) stream.pause()
    })
  }

  resume(): void {
    this.stream.resume()
  }

  stop(): void {
    this.isOver = true
    this.stream.destroy()
  }
}
