// Lines of the log on their way to a descriptor: written together at the end of the turn, so that a busy broker does not wait for
// each. What a full pipe or a full disk does not take waits, up to a limit; what is lost is counted and told.

import { writeSync } from 'node:fs'
import { systemText } from '../../access/restricted-file.js'
import type { LogSink, LogType } from './log.js'

/** Makes a line for a terminal: its text in the colour of its type. */
export type LogPainter = (text: string, type: LogType, time: string) => string

/** Writes bytes to a descriptor and returns how many it took; throws the system's error. */
export type WriteSome = (descriptor: number, bytes: Uint8Array) => number

/** Bytes of log that may wait; further lines are lost. */
const MOST_PENDING = 1_048_576
/** ms until a full pipe is tried again, and a full disk. */
const RETRY = 20
const FAULT_RETRY = 1000

export interface LineWriterParts {
  readonly paint?: LogPainter | undefined
  /** Told once when it cannot be written, in words to stand behind its name, and when it can be again. */
  readonly onFault?: ((message: string) => void) | undefined
  readonly writeSome?: WriteSome
}

export class LineWriter {
  private readonly descriptor: number
  private readonly paint: LogPainter
  private readonly onFault: (message: string) => void
  private readonly writeSome: WriteSome
  private pending: Buffer[] = []
  private size = 0
  /** Lines that had no room, and the time in front of the last of them. */
  private lost = 0
  private lostTime = ''
  private hasFault = false
  private retry: NodeJS.Timeout | undefined = undefined

  constructor(descriptor: number, { paint, onFault = () => {}, writeSome = writeSync }: LineWriterParts) {
    this.descriptor = descriptor
    this.paint = paint ?? ((text, _, time) => time + text)
    this.onFault = onFault
    this.writeSome = writeSome
  }

  readonly write: LogSink = (text, type, time) => {
    if (this.size > MOST_PENDING) {
      this.lost++
      this.lostTime = time
      return
    }
    if (this.size === 0) setImmediate(this.flush)
    this.append(this.paint(text, type, time))
  }

  private append(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    this.pending.push(bytes)
    this.size += bytes.length
  }

  /** Writes what is pending. */
  readonly flush = (): void => {
    clearTimeout(this.retry)
    while (this.size > 0) {
      let bytes = Buffer.concat(this.pending)
      try {
        while (bytes.length > 0) bytes = bytes.subarray(this.writeSome(this.descriptor, bytes))
      } catch (error) {
        this.keep(bytes)
        this.onError(error)
        return
      }
      this.keep(bytes)
      this.tellOfLost()
    }
  }

  /** Writes what is pending once more. */
  close(): void {
    this.flush()
    clearTimeout(this.retry)
    const rest = this.pending.reduce((count, bytes) => count + bytes.toString('latin1').split('\n').length - 1, 0)
    if (this.hasFault && rest + this.lost > 0)
      this.onFault(`could not be written to the end: ${rest + this.lost} lines are lost`)
    this.keep(Buffer.alloc(0))
  }

  private keep(bytes: Buffer): void {
    this.pending = bytes.length > 0 ? [bytes] : []
    this.size = bytes.length
  }

  private onError(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // Nobody will ever read it.
    if (code === 'EPIPE') this.keep(Buffer.alloc(0))
    else this.retry = setTimeout(this.flush, code === 'EAGAIN' ? RETRY : FAULT_RETRY).unref()
    if (code === 'EAGAIN' || code === 'EPIPE' || this.hasFault) return
    this.hasFault = true
    this.onFault(`cannot be written: ${systemText(error)}; a mebibyte of lines can wait until it can be`)
  }

  /** Everything has been written: what is missing is said where it would stand. */
  private tellOfLost(): void {
    const { lost } = this
    if (lost > 0)
      this.append(this.paint(`${lost} lines of the log are lost: they could not be written.`, 'error', this.lostTime))
    this.lost = 0
    if (!this.hasFault) return
    this.hasFault = false
    this.onFault(`can be written again; ${lost === 0 ? 'no' : lost} lines are lost`)
  }
}
