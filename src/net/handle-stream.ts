// An accepted TCP or Unix connection on the handle that lies beneath Node's sockets, without the two streams a socket is made of,
// which are a fifth of what a connection costs. Handles and their requests are Node's own; where they are not as expected,
// `isStreamHandle` says so and a socket is made instead.

import { EventEmitter } from 'node:events'
import { getSystemErrorName } from 'node:util'
import type { ByteStream } from './byte-stream.js'

/** One write or shutdown that is under way; whoever made it hangs on to what it needs. */
interface Request {
  oncomplete: (this: Request, status: number) => void
  stream?: HandleStream
  bytes?: Buffer | readonly Buffer[]
  done?: (() => void) | undefined
}

interface PeerName {
  address?: string
  port?: number
}

/** A handle: functions return 0 or a negative error number of the system. */
export interface StreamHandle {
  onread: (this: StreamHandle) => Uint8Array | undefined
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: Request, bytes: Buffer): number
  writev(request: Request, chunks: readonly Buffer[], areBuffers: true): number
  shutdown(request: Request): number
  close(onClosed: () => void): void
  /** Of TCP. */
  setNoDelay?(isOn: boolean): number
  getpeername?(name: PeerName): number
  stream?: HandleStream
}

/** What Node keeps beside its handles. */
interface StreamBinding {
  readonly WriteWrap: new () => Request
  readonly ShutdownWrap: new () => Request
  /** The result of the last read and write, at the two offsets. */
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

/** Where the bytes of a connection go. */
export interface ReadTarget {
  /** Takes what a read has brought into the buffer that `next` gave. */
  read(length: number): void
  /** The buffer of the next read; undefined when it is that of the last. */
  next(): Buffer | undefined
}

const EOF = -4095
const NOTHING: () => undefined = () => undefined

function findBinding(): StreamBinding | undefined {
  try {
    const node = process as unknown as { binding(name: string): Partial<StreamBinding> }
    const found = node.binding('stream_wrap')
    const isWhole =
      typeof found.WriteWrap === 'function' &&
      typeof found.ShutdownWrap === 'function' &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kReadBytesOrError === 'number' &&
      typeof found.kLastWriteWasAsync === 'number'
    return isWhole ? (found as StreamBinding) : undefined
  } catch {
    return undefined
  }
}

const binding = findBinding()

/** Whether a handle, and others of its kind, can be used so. */
export function isStreamHandle(handle: object): handle is StreamHandle {
  const { useUserBuffer, readStart, readStop, writeBuffer, writev, shutdown, close } = handle as Partial<StreamHandle>
  const needed = [useUserBuffer, readStart, readStop, writeBuffer, writev, shutdown, close]
  return binding !== undefined && needed.every((one) => typeof one === 'function')
}

const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } =
  binding ?? ({} as StreamBinding)

function failure(code: number, call: string): Error {
  const name = getSystemErrorName(code)
  return Object.assign(new Error(`${call} ${name}`), { code: name, errno: code, syscall: call })
}

/** What has been written and is to be told when the present callback is over. */
const finished: (() => void)[] = []

function tellFinished(): void {
  for (const done of finished) done()
  finished.length = 0
}

function finish(done: (() => void) | undefined): void {
  if (done === undefined) return
  if (finished.length === 0) process.nextTick(tellFinished)
  finished.push(done)
}

function newWrite(): Request {
  const request = new WriteWrap()
  request.oncomplete = onWritten
  return request
}

/** Used for every write that the system takes at once: then Node keeps nothing of it. */
let spareWrite: Request

function onRead(this: StreamHandle): Uint8Array | undefined {
  return this.stream?.onRead(streamBaseState[kReadBytesOrError] as number)
}

function onWritten(this: Request, status: number): void {
  const { stream, done } = this
  done?.()
  if (status < 0) stream?.destroy(failure(status, 'write'))
}

export class HandleStream extends EventEmitter implements ByteStream {
  destroyed = false
  private readonly handle: StreamHandle
  private readonly target: ReadTarget
  private name: PeerName | undefined = undefined
  private isReading = false
  /** The other side has ended. */
  private isOver = false
  private isEnding = false
  private isEnded = false
  private corks = 0
  private chunks: Buffer[] = []
  private dones: (() => void)[] = []

  /** It reads nothing before `resume`. */
  constructor(handle: StreamHandle, target: ReadTarget) {
    super()
    this.handle = handle
    spareWrite ??= newWrite()
    this.target = target
    handle.stream = this
    handle.onread = onRead
    handle.useUserBuffer(target.next() as Buffer)
  }

  /** Of TCP, as long as there is another side. */
  get remoteAddress(): string | undefined {
    return this.peer.address
  }

  get remotePort(): number | undefined {
    return this.peer.port
  }

  private get peer(): PeerName {
    if (this.name === undefined) {
      this.name = {}
      this.handle.getpeername?.(this.name)
    }
    return this.name
  }

  get writable(): boolean {
    return !this.isEnding && !this.destroyed
  }

  setNoDelay(isOn: boolean): void {
    this.handle.setNoDelay?.(isOn)
  }

  resume(): void {
    if (this.isReading || this.isOver || this.destroyed) return
    this.isReading = true
    const code = this.handle.readStart()
    if (code !== 0) this.destroy(failure(code, 'read'))
  }

  pause(): void {
    if (!this.isReading || this.destroyed) return
    this.isReading = false
    this.handle.readStop()
  }

  /** @param result bytes that a read has brought, or an error number */
  onRead(result: number): Buffer | undefined {
    if (this.destroyed) return undefined
    if (result > 0) {
      this.target.read(result)
      return this.target.next()
    }
    if (result === EOF) this.onOver()
    else if (result < 0) this.destroy(failure(result, 'read'))
    return undefined
  }

  private onOver(): void {
    this.pause()
    this.isOver = true
    if (this.isEnded) this.destroy()
    // Who listens ends this side.
    else if (!this.emit('end')) this.end()
  }

  write(bytes: Buffer, done?: () => void): void {
    if (!this.writable) finish(done)
    else if (this.corks > 0) {
      this.chunks.push(bytes)
      if (done !== undefined) this.dones.push(done)
    } else this.afterWrite(this.handle.writeBuffer(spareWrite, bytes), bytes, done)
  }

  private afterWrite(code: number, bytes: Buffer | readonly Buffer[], done: (() => void) | undefined): void {
    if (code !== 0) {
      finish(done)
      this.destroy(failure(code, 'write'))
    } else if (streamBaseState[kLastWriteWasAsync] === 0) finish(done)
    else {
      const request = spareWrite
      spareWrite = newWrite()
      request.stream = this
      request.bytes = bytes
      request.done = done
    }
  }

  cork(): void {
    this.corks++
  }

  uncork(): void {
    if (--this.corks > 0) return
    const { chunks, dones } = this
    if (chunks.length === 0) return
    this.chunks = []
    this.dones = []
    const done = () => {
      for (const one of dones) one()
    }
    if (this.destroyed) finish(done)
    else this.afterWrite(this.handle.writev(spareWrite, chunks, true), chunks, done)
  }

  end(done?: () => void): void {
    if (!this.writable) {
      finish(done)
      return
    }
    this.isEnding = true
    const request = new ShutdownWrap()
    request.oncomplete = (status) => {
      done?.()
      this.isEnded = true
      if (this.isOver || status < 0) this.destroy()
    }
    const code = this.handle.shutdown(request)
    // The other side has gone already.
    if (code !== 0) {
      finish(done)
      this.destroy()
    }
  }

  destroy(error?: Error): void {
    if (this.destroyed) return
    this.destroyed = true
    this.handle.onread = NOTHING
    this.handle.close(() => {
      if (error !== undefined) this.emit('error', error)
      this.emit('close')
    })
  }
}
