// Bytes to lines, for everything that is read line by line. Holds one unfinished line at most, and waits when whoever takes the
// lines asks for it.

import type { ByteInput } from './byte-input.js'
import { MAX_PAYLOAD, PayloadError, reasonOf } from './payload-source.js'

const NEWLINE = 0x0a
/** Lines of more bytes than this are given in memory of their own: the others are copied by whoever sends them. */
const MOST_SHARED = 4096

/** Where the line that begins at `start` ends, -1 when it goes on. Most lines are short, and a loop finds their end sooner. */
function lineEnd(bytes: Buffer, start: number, length: number): number {
  const near = Math.min(length, start + 64)
  for (let at = start; at < near; at++) if (bytes[at] === NEWLINE) return at
  const found = bytes.indexOf(NEWLINE, near)
  return found < length ? found : -1
}

export interface LineHandler {
  /** A line is bytes[start..end), without its newline, and stays only until this returns if it is shorter than 4 KiB. */
  onLine(bytes: Buffer, start: number, end: number): void
  /** There are no more. */
  onEnd(): void
  onError(error: PayloadError): void
}

/** The lines of `input`: ended by newline, the last one perhaps by the end. */
export class LineReader {
  private readonly input: ByteInput
  private readonly handler: LineHandler
  /** The beginning of a line, from chunks before. */
  private partial: Buffer[] = []
  private partialSize = 0
  private chunk: Buffer = Buffer.alloc(0)
  private length = 0
  private at = 0
  private isHeld = false
  private hasEnded = false
  private isOver = false

  constructor(input: ByteInput, handler: LineHandler) {
    this.input = input
    this.handler = handler
  }

  start(): void {
    this.input.start({
      onBytes: (bytes, length) => {
        this.chunk = bytes
        this.length = length
        this.at = 0
        this.readLines()
        return !this.isHeld
      },
      onEnd: () => {
        this.hasEnded = true
        this.finish()
      },
      onError: (error) => this.fail(`cannot read ${this.input.name}: ${reasonOf(error)}`),
    })
  }

  /** Gives no more lines until `resume`; may be called while one is given. */
  hold(): void {
    this.isHeld = true
  }

  resume(): void {
    if (!this.isHeld || this.isOver) return
    this.isHeld = false
    this.readLines()
    if (!this.isHeld && !this.isOver && !this.hasEnded) this.input.resume()
  }

  /** Reads no more. */
  stop(): void {
    this.isOver = true
    this.input.stop()
  }

  private readLines(): void {
    const { chunk, length } = this
    while (!this.isHeld && !this.isOver && this.at < length) {
      const start = this.at
      const end = lineEnd(chunk, start, length)
      if (end < 0) {
        this.at = length
        this.keep(Buffer.from(chunk.subarray(start, length)))
        break
      }
      this.at = end + 1
      if (this.partialSize === 0) this.give(chunk, start, end)
      else {
        this.keep(Buffer.from(chunk.subarray(start, end)))
        this.givePartial()
      }
    }
    this.finish()
  }

  private keep(bytes: Buffer): void {
    this.partial.push(bytes)
    this.partialSize += bytes.length
    if (this.partialSize > MAX_PAYLOAD) this.fail(`${this.input.name} has a line of more than ${MAX_PAYLOAD} bytes`)
  }

  private givePartial(): void {
    if (this.isOver) return
    const line = Buffer.concat(this.partial, this.partialSize)
    this.partial = []
    this.partialSize = 0
    this.handler.onLine(line, 0, line.length)
  }

  private give(bytes: Buffer, start: number, end: number): void {
    if (end - start < MOST_SHARED) this.handler.onLine(bytes, start, end)
    else this.handler.onLine(Buffer.from(bytes.subarray(start, end)), 0, end - start)
  }

  private finish(): void {
    if (!this.hasEnded || this.isHeld || this.isOver || this.at < this.length) return
    if (this.partialSize > 0) {
      this.givePartial()
      if (this.isHeld || this.isOver) return
    }
    this.isOver = true
    this.handler.onEnd()
  }

  private fail(reason: string): void {
    if (this.isOver) return
    this.stop()
    this.handler.onError(new PayloadError(reason))
  }
}
