// Where the lines of the log go: the standard streams, a file, syslog, topics. A place that cannot be used is replaced by standard
// error, so that what is logged is never lost in silence.

import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { symlinksAllowed } from '../../access/restricted-file.js'
import type { Config } from '../../options/config.js'
import type { LogSink, LogType } from './log.js'
import { openSyslog } from './syslog.js'

/** Bytes of log that may wait for a pipe nobody reads; further lines are lost. */
const MOST_PENDING = 1_048_576
/** ms */
const RETRY = 20

const STDOUT = 1
const STDERR = 2

/** Makes a line for a terminal: its text in the colour of its type. */
export type LogPainter = (text: string, type: LogType, time: string) => string

/** What the log needs from outside. */
export interface LogOutlets {
  /** Undefined where the stream is no terminal, or colour is not wanted. */
  readonly painters: { readonly stdout: LogPainter | undefined; readonly stderr: LogPainter | undefined }
  /** Publishes a line, not retained, to `topic`. */
  publish(topic: string, line: string): void
  onFailure(message: string): void
}

export interface LogSinks {
  readonly sinks: readonly LogSink[]
  /** Writes what is pending and closes the files. */
  close(): void
}

/** Behind `$SYS/broker/log/`; lines of other types are not published. */
const TOPICS: Partial<Record<LogType, string>> = {
  error: 'E',
  warning: 'W',
  notice: 'N',
  information: 'I',
  subscribe: 'M/subscribe',
  unsubscribe: 'M/unsubscribe',
}

/** Opens the destinations of `log_dest`. */
export function openLogSinks(
  { log_dest: destinations, log_facility: facility }: Pick<Config, 'log_dest' | 'log_facility'>,
  outlets: LogOutlets,
): LogSinks {
  const { painters, publish, onFailure } = outlets
  const sinks: LogSink[] = []
  const closers: (() => void)[] = []
  const stream = (descriptor: number, paint?: LogPainter): LogSink => {
    const writer = new LineWriter(descriptor, paint)
    closers.push(writer.flush)
    return writer.write
  }
  const instead = (): LogSink => stream(STDERR, painters.stderr)
  for (const destination of destinations)
    switch (destination.to) {
      case 'stdout':
        sinks.push(stream(STDOUT, painters.stdout))
        break
      case 'stderr':
        sinks.push(stream(STDERR, painters.stderr))
        break
      case 'file':
        try {
          const file = openLogFile(destination.path)
          sinks.push(stream(file))
          closers.push(() => closeSync(file))
        } catch (error) {
          onFailure(`cannot open log file ${destination.path}: ${error instanceof Error ? error.message : error}`)
          sinks.push(instead())
        }
        break
      case 'syslog': {
        const syslog = openSyslog(facility, instead(), onFailure)
        sinks.push(syslog.write)
        closers.push(syslog.close)
        break
      }
      case 'topic':
        sinks.push((text, type, time) => {
          const topic = TOPICS[type]
          if (topic !== undefined) publish(`$SYS/broker/log/${topic}`, time + text)
        })
    }
  const close = () => {
    for (const closer of closers) closer()
  }
  return { sinks, close }
}

/** For appending, readable by its owner only when it is made; no symbolic link (spec: files.md section 7). */
function openLogFile(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0 } = constants
  return openSync(path, O_WRONLY | O_APPEND | O_CREAT | (symlinksAllowed() ? 0 : O_NOFOLLOW), 0o600)
}

/** Lines on their way to a descriptor: written together at the end of the turn, so that a busy broker does not wait for each. */
class LineWriter {
  private readonly descriptor: number
  private readonly paint: LogPainter
  private pending: Buffer[] = []
  private size = 0

  constructor(descriptor: number, paint: LogPainter = (text, _, time) => time + text) {
    this.descriptor = descriptor
    this.paint = paint
  }

  readonly write: LogSink = (text, type, time) => {
    if (this.size > MOST_PENDING) return
    if (this.size === 0) setImmediate(this.flush)
    const bytes = Buffer.from(`${this.paint(text, type, time)}\n`)
    this.pending.push(bytes)
    this.size += bytes.length
  }

  /** Writes what is pending. What a full pipe does not take waits for its reader, up to a limit. */
  readonly flush = (): void => {
    if (this.size === 0) return
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
