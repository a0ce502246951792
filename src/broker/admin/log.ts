// The broker's log: which kinds of lines are written, in which form, and where to. What a line says is decided where the event is.

import { closeSync, openSync, writeSync } from 'node:fs'
import type { Config } from '../../options/config.js'

export type LogType = Config['log_type'][number]

/** Settings of `mosquitto.conf` that concern the log, and what the command line made of them. */
export type LogSettings = Pick<Config, 'log_dest' | 'log_type' | 'log_timestamp' | 'log_timestamp_format'>

/** Writes one line, without its end, somewhere. */
export type LogSink = (line: string) => void

const MAX_LINE = 1000
/** Bytes of log that may wait for a pipe nobody reads; further lines are lost. */
const MOST_PENDING = 1_048_576
/** ms */
const RETRY = 20

/** Control characters but TAB as \n or \xNN: what clients send must not steer a terminal or forge a line. */
export function escapeControls(text: string): string {
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, (char) =>
    char === '\n' ? '\\n' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

export class Log {
  /** Asked before a line is made that costs something on a busy path. */
  readonly isDebug: boolean
  private readonly types: ReadonlySet<LogType>
  private readonly timestamp: (time: Date) => string
  private readonly sinks: readonly LogSink[]

  /** @param formatTime strftime(3) for `log_timestamp_format`. */
  constructor(settings: LogSettings, sinks: readonly LogSink[], formatTime: (format: string, time: Date) => string) {
    this.types = new Set(settings.log_type)
    this.isDebug = this.types.has('debug') && sinks.length > 0
    this.sinks = sinks
    const { log_timestamp_format: format } = settings
    if (!settings.log_timestamp) this.timestamp = () => ''
    else if (format === undefined) this.timestamp = (time) => `${Math.floor(time.getTime() / 1000)}: `
    else this.timestamp = (time) => `${formatTime(format, time) || 'Time error'}: `
  }

  write(type: LogType, text: string): void {
    if (!this.types.has(type) || this.sinks.length === 0) return
    const line = escapeControls(this.timestamp(new Date()) + text).slice(0, MAX_LINE)
    for (const sink of this.sinks) sink(line)
  }

  debug(text: string): void {
    this.write('debug', text)
  }

  info(text: string): void {
    this.write('information', text)
  }

  notice(text: string): void {
    this.write('notice', text)
  }

  warning(text: string): void {
    this.write('warning', text)
  }

  error(text: string): void {
    this.write('error', text)
  }
}

/** Lines on their way to a descriptor: written together at the end of the turn, so that a busy broker does not wait for each. */
class LineWriter {
  private readonly descriptor: number
  private pending: Buffer[] = []
  private size = 0

  constructor(descriptor: number) {
    this.descriptor = descriptor
  }

  readonly write: LogSink = (line) => {
    if (this.size > MOST_PENDING) return
    if (this.size === 0) setImmediate(this.flush)
    const bytes = Buffer.from(`${line}\n`)
    this.pending.push(bytes)
    this.size += bytes.length
  }

  /** Writes what is pending. What a full pipe does not take waits for its reader, up to a limit. */
  readonly flush = (): void => {
    let bytes = Buffer.concat(this.pending)
    try {
      while (bytes.length > 0) bytes = bytes.subarray(writeSync(this.descriptor, bytes))
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      if (isFull) setTimeout(this.flush, RETRY).unref()
      else bytes = Buffer.alloc(0)
    }
    this.pending = bytes.length > 0 ? [bytes] : []
    this.size = bytes.length
  }
}

export interface LogSinks {
  readonly sinks: readonly LogSink[]
  /** Writes what is pending and closes the files. */
  close(): void
}

const STDOUT = 1
const STDERR = 2

/** Opens the destinations of `log_dest`. A file that cannot be opened is replaced by stderr and reported through `onFailure`. */
export function openLogSinks(destinations: Config['log_dest'], onFailure: (message: string) => void): LogSinks {
  const writers: LineWriter[] = []
  const files: number[] = []
  for (const destination of destinations)
    if (destination.to === 'stdout') writers.push(new LineWriter(STDOUT))
    else if (destination.to === 'stderr') writers.push(new LineWriter(STDERR))
    else if (destination.to === 'file')
      try {
        const file = openSync(destination.path, 'a', 0o600)
        files.push(file)
        writers.push(new LineWriter(file))
      } catch (error) {
        onFailure(`cannot open log file ${destination.path}: ${error instanceof Error ? error.message : error}`)
        writers.push(new LineWriter(STDERR))
      }
  const close = () => {
    for (const writer of writers) writer.flush()
    for (const file of files) closeSync(file)
  }
  return { sinks: writers.map(({ write }) => write), close }
}
