// Where tsmq-pub's payloads come from: the command line, a file, or standard input, whole or line by line.

import { readFile, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** Largest payload that fits a packet, with the shortest topic there is; what else stands in the packet is checked when it is sent. */
export const MAX_PAYLOAD = 268_435_455

/** A payload that cannot be had; `message` says why. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError'
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, (open|read|stat) .*$/s, '') : String(error)
}

/** The contents of `path`. @throws PayloadError */
export async function payloadOfFile(path: string): Promise<Buffer> {
  let bytes: Buffer
  try {
    const { size } = await stat(path)
    if (size > MAX_PAYLOAD) throw new PayloadError(`${path} has more than ${MAX_PAYLOAD} bytes`)
    bytes = await readFile(path)
  } catch (error) {
    if (error instanceof PayloadError) throw error
    throw new PayloadError(`cannot read ${path}: ${reasonOf(error)}`)
  }
  if (bytes.length > MAX_PAYLOAD) throw new PayloadError(`${path} has more than ${MAX_PAYLOAD} bytes`)
  return bytes
}

/** All of `input`, which may not be empty. @throws PayloadError */
export async function payloadOfStream(input: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of input) {
      chunks.push(chunk)
      size += chunk.length
      if (size > MAX_PAYLOAD) throw new PayloadError(`standard input has more than ${MAX_PAYLOAD} bytes`)
    }
  } catch (error) {
    if (error instanceof PayloadError) throw error
    throw new PayloadError(`cannot read standard input: ${reasonOf(error)}`)
  }
  if (size === 0) throw new PayloadError('standard input is empty')
  return Buffer.concat(chunks, size)
}

const NEWLINE = 0x0a

/** Where the line that begins at `start` ends, -1 when it goes on. Most lines are short, and a loop finds their end sooner. */
function lineEnd(bytes: Buffer, start: number): number {
  const near = Math.min(bytes.length, start + 64)
  for (let at = start; at < near; at++) if (bytes[at] === NEWLINE) return at
  return bytes.indexOf(NEWLINE, near)
}

export interface LineHandler {
  /** A line is bytes[start..end), without its newline; returns false to hold the next ones back until `resume`. */
  onLine(bytes: Buffer, start: number, end: number): boolean
  /** There are no more. */
  onEnd(): void
  onError(error: PayloadError): void
}

/**
 * The lines of a stream, as mosquitto_pub -l has them: ended by newline, the last one perhaps by the end; cut at the first NUL.
 * Holds one chunk of input and one unfinished line.
 */
export class LineReader {
  private readonly input: Readable
  private readonly handler: LineHandler
  /** The beginning of a line, from chunks before. */
  private partial: Buffer[] = []
  private partialSize = 0
  private chunk: Buffer = Buffer.alloc(0)
  private at = 0
  private isHeld = false
  private hasEnded = false
  private isOver = false

  constructor(input: Readable, handler: LineHandler) {
    this.input = input
    this.handler = handler
  }

  start(): void {
    this.input.on('error', (error) => this.fail(`cannot read standard input: ${reasonOf(error)}`))
    this.input.on('end', () => {
      this.hasEnded = true
      this.finish()
    })
    this.input.on('data', (chunk: Buffer) => {
      this.chunk = chunk
      this.at = 0
      this.readLines()
    })
  }

  /** Goes on after a line was answered with false. */
  resume(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.readLines()
    if (!this.isHeld) this.input.resume()
  }

  /** Reads no more. */
  stop(): void {
    this.isOver = true
    this.input.destroy()
  }

  private readLines(): void {
    const { chunk } = this
    while (!this.isHeld && !this.isOver && this.at < chunk.length) {
      const start = this.at
      const end = lineEnd(chunk, start)
      if (end < 0) {
        this.keep(chunk.subarray(start))
        break
      }
      this.at = end + 1
      if (this.partialSize === 0) this.give(chunk, start, end)
      else {
        this.keep(chunk.subarray(start, end))
        this.givePartial()
      }
    }
    if (this.isHeld) this.input.pause()
    else {
      this.at = this.chunk.length
      this.finish()
    }
  }

  private keep(bytes: Buffer): void {
    this.partial.push(bytes)
    this.partialSize += bytes.length
    if (this.partialSize > MAX_PAYLOAD) this.fail(`a line has more than ${MAX_PAYLOAD} bytes`)
  }

  private givePartial(): void {
    const line = Buffer.concat(this.partial, this.partialSize)
    this.partial = []
    this.partialSize = 0
    this.give(line, 0, line.length)
  }

  private give(bytes: Buffer, start: number, end: number): void {
    let at = start
    while (at < end && bytes[at] !== 0) at++
    if (!this.handler.onLine(bytes, start, at)) this.isHeld = true
  }

  private finish(): void {
    if (!this.hasEnded || this.isHeld || this.isOver || this.at < this.chunk.length) return
    if (this.partialSize > 0) {
      this.givePartial()
      if (this.isHeld) return
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
