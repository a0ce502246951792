// The way of a connection's bytes to its socket. They may be held back until something has happened that they promise, for instance
// that it is on disk; everything behind them then waits as well, so that the order stays. What is waited for is numbered in
// ascending order by whoever does it.

import type { ByteStream } from './byte-stream.js'

interface HeldWrite {
  readonly bytes: Buffer
  readonly done: (() => void) | undefined
  /** What has to happen first. */
  readonly ticket: number
}

/** Writes up to this size are copied, so that the block they lie in can be used for something else. */
const MOST_COPIED = 4096

export class Outlet {
  /** Bytes that are held back. */
  heldBytes = 0
  private readonly socket: ByteStream
  private held: HeldWrite[] = []
  private ticket = 0
  private passed = 0
  private isEnding = false

  constructor(socket: ByteStream) {
    this.socket = socket
  }

  /** Holds back what is written from now on until `release` is called with this number or a higher one. */
  holdUntil(ticket: number): void {
    this.ticket = ticket
  }

  /** Writes bytes that do not change until `done` is called, which is after this call. */
  write(bytes: Buffer, done: () => void): void {
    if (this.ticket <= this.passed) this.socket.write(bytes, done)
    else this.hold(bytes, done)
  }

  private hold(bytes: Buffer, done: () => void): void {
    const isCopied = bytes.length <= MOST_COPIED
    this.heldBytes += bytes.length
    this.held.push({
      bytes: isCopied ? Buffer.from(bytes) : bytes,
      done: isCopied ? undefined : done,
      ticket: this.ticket,
    })
    // As a socket does: whoever writes the pieces of a packet is not to hear of the first while it writes the next.
    if (isCopied) process.nextTick(done)
  }

  /** What had to happen up to this number has happened. */
  release(ticket: number): void {
    this.passed = Math.max(this.passed, ticket)
    const { held, passed, socket } = this
    let count = 0
    while (count < held.length && (held[count] as HeldWrite).ticket <= passed) count++
    if (count === 0) return
    this.held = held.slice(count)
    socket.cork()
    for (const { bytes, done } of held.slice(0, count)) {
      this.heldBytes -= bytes.length
      socket.write(bytes, done)
    }
    socket.uncork()
    if (this.isEnding && this.held.length === 0) socket.end()
  }

  /** Forgets what is held back, and holds back nothing more. */
  drop(): void {
    const { held } = this
    this.held = []
    this.heldBytes = 0
    this.ticket = 0
    for (const { done } of held) done?.()
    if (this.isEnding) this.socket.end()
  }

  /** Closes this side behind everything that was written. */
  end(): void {
    this.isEnding = true
    if (this.held.length === 0) this.socket.end()
  }
}
