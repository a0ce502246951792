// Where the lines of the log go: the standard streams, a file, syslog, topics. A place that cannot be used is replaced by standard
// error, so that what is logged is never lost in silence.

import { closeSync, constants, openSync } from 'node:fs'
import { symlinksAllowed } from '../../access/restricted-file.js'
import type { Config } from '../../options/config.js'
import { LineWriter, type LineWriterParts, type LogPainter } from './line-writer.js'
import type { LogSink, LogType } from './log.js'
import { openSyslog } from './syslog.js'

const STDOUT = 1
const STDERR = 2

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
  /** Writes what is pending, as far as it is taken at once. */
  flush(): void
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
  const flushers: (() => void)[] = []
  const closers: (() => void)[] = []
  const stream = (descriptor: number, parts: LineWriterParts): LogSink => {
    const writer = new LineWriter(descriptor, parts)
    flushers.push(writer.flush)
    closers.push(() => writer.close())
    return writer.write
  }
  const instead = (): LogSink => stream(STDERR, { paint: painters.stderr })
  for (const destination of destinations)
    switch (destination.to) {
      case 'stdout':
        sinks.push(stream(STDOUT, { paint: painters.stdout }))
        break
      case 'stderr':
        sinks.push(instead())
        break
      case 'file':
        try {
          const file = openLogFile(destination.path)
          sinks.push(stream(file, { onFault: (message) => onFailure(`log file ${destination.path} ${message}`) }))
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
  const flush = () => {
    for (const flusher of flushers) flusher()
  }
  const close = () => {
    for (const closer of closers) closer()
  }
  return { sinks, flush, close }
}

/** For appending, readable by its owner only when it is made; no symbolic link (spec: files.md section 7). */
function openLogFile(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0 } = constants
  return openSync(path, O_WRONLY | O_APPEND | O_CREAT | (symlinksAllowed() ? 0 : O_NOFOLLOW), 0o600)
}
