// The log in syslog. Node has no Unix datagram sockets, which /dev/log is; the program logger(1) of every Linux has, reads lines
// from its standard input and takes the priority from the front of each. One such process lives as long as the log is open.

import { spawn } from 'node:child_process'
import type { LogSink, LogType } from './log.js'

/** RFC 5424 section 6.2.1. */
const SEVERITIES: Readonly<Record<LogType, number>> = {
  error: 3,
  warning: 4,
  notice: 5,
  information: 6,
  subscribe: 5,
  unsubscribe: 5,
  debug: 7,
  websockets: 7,
  internal: 7,
}

/** Bytes that may wait for the program; further lines are lost. */
const MOST_PENDING = 1_048_576

export interface Syslog {
  readonly write: LogSink
  readonly close: () => void
}

/**
 * Starts to write to syslog under the name `tsmq` with the number of this process.
 * @param facility local0 to local7 by number; daemon when undefined.
 * @param instead takes the lines when the program cannot be used, which `onFailure` reports once.
 */
export function openSyslog(
  facility: number | undefined,
  instead: LogSink,
  onFailure: (message: string) => void,
): Syslog {
  const priority = `${facility === undefined ? 'daemon' : `local${facility}`}.notice`
  const args = ['--prio-prefix', '--priority', priority, '--tag', 'tsmq', `--id=${process.pid}`]
  // A process group of its own: what ends the broker from the terminal leaves the last lines to be written.
  const child = spawn('logger', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  let isOpen = true
  const fail = (reason: string) => {
    if (!isOpen) return
    isOpen = false
    onFailure(`cannot write to syslog: ${reason}`)
  }
  child.on('error', ({ message }) => fail(message))
  child.on('exit', (status, signal) => fail(`logger has ended with ${signal ?? `status ${status}`}`))
  child.stdin.on('error', ({ message }) => fail(message))
  child.unref()
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  return {
    write(text, type, time) {
      if (!isOpen) instead(text, type, time)
      else if (child.stdin.writableLength <= MOST_PENDING) child.stdin.write(`<${SEVERITIES[type]}>${text}\n`)
    },
    close() {
      isOpen = false
      child.stdin.end()
    },
  }
}
