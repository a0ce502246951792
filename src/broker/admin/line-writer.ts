// Lines of the log on their way to a descriptor: those of a turn of the event loop are written together at its end, and in a busy time
// those of 10 ms, because a system call costs more than making a line. What a full pipe or a full disk does not take waits, up to a
// limit; what is lost is counted and told.

import { writeSync } from 'node:fs'
import { systemText } from '../../access/restricted-file.js'
import type { LogSink, LogType } from './log.js'

/** Makes a line for a terminal: its text in the colour of its type. */
export type LogPainter = (text: string, type: LogType, time: string) => string

/** Writes bytes to a descriptor and returns how many it took; throws the system's error. */
export type WriteSome = (descriptor: number, bytes: Uint8Array) => number

/** How much of the log may wait; further lines are lost. */
const MOST_PENDING = 1_048_576
/** Writes within so many ms; what comes behind them waits until those are over. */
const MOST_WRITES = 10
const PERIOD = 10
/** ms until a full pipe is tried again, and a full disk. */
const RETRY = 20
const FAULT_RETRY = 1000
const NOTHING = Buffer.alloc(0)

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
  /** What the descriptor has not taken, and what has come since. */
  private rest: Buffer = NOTHING
  private text = ''
  /** Lines that had no room, and the time in front of the last of them. */
  private lost = 0
  private lostTime = ''
  private hasFault = false
  /** Ends the period, or the wait until it is tried again. */
  private timer: NodeJS.Timeout | undefined = undefined
  /** In this period. */
  private writes = 0
  private isDue = false

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
    this.append(this.paint(text, type, time))
    if (this.isDue || this.writes === MOST_WRITES) return
    this.isDue = true
    setImmediate(this.flush)
  }

  /** In bytes, or nearly so. */
  private get size(): number {
    return this.rest.length + this.text.length
  }

  private append(line: string): void {
    this.text += `${line}\n`
  }

  /** Writes what is pending. */
  readonly flush = (): void => {
    this.isDue = false
    if (this.size === 0) return
    while (this.size > 0) {
      let bytes = this.taken()
      try {
        while (bytes.length > 0) bytes = bytes.subarray(this.writeSome(this.descriptor, bytes))
      } catch (error) {
        this.rest = bytes
        this.onError(error)
        return
      }
      this.tellOfLost()
    }
    if (this.writes < MOST_WRITES) this.writes++
    this.timer ??= setTimeout(this.onPeriod, PERIOD).unref()
  }

  private readonly onPeriod = (): void => {
    this.timer = undefined
    this.writes = 0
    this.flush()
  }

  /** All that is pending, which is not pending any more. */
  private taken(): Buffer {
    const text = Buffer.from(this.text)
    const bytes = this.rest.length === 0 ? text : Buffer.concat([this.rest, text])
    this.rest = NOTHING
    this.text = ''
    return bytes
  }

  /** Nothing is written for so many ms. */
  private wait(ms: number): void {
    clearTimeout(this.timer)
    this.writes = MOST_WRITES
    this.timer = setTimeout(this.onPeriod, ms).unref()
  }

  /** Writes what is pending once more. */
  close(): void {
    this.flush()
    clearTimeout(this.timer)
    const rest = this.taken().toString('latin1').split('\n').length - 1
    if (this.hasFault && rest + this.lost > 0)
      this.onFault(`could not be written to the end: ${rest + this.lost} lines are lost`)
  }

  private onError(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // Nobody will ever read it.
    if (code === 'EPIPE') this.rest = NOTHING
    else this.wait(code === 'EAGAIN' ? RETRY : FAULT_RETRY)
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
