// The broker's log: which kinds of lines are written, and in which form. What a line says is decided where the event is; where it
// goes to is in log-sinks.ts.

import type { Config } from '../../options/config.js'

/** Kind of a line in the log, as `log_type` names it. */
export type LogType = Config['log_type'][number]

/** Settings of `mosquitto.conf` that concern the log, and what the command line made of them. */
export type LogSettings = Pick<Config, 'log_dest' | 'log_type' | 'log_timestamp' | 'log_timestamp_format'>

/** Writes one line, without its end, somewhere. `time` stands before the text where the place has no time of its own. */
export type LogSink = (text: string, type: LogType, time: string) => void

const MAX_LINE = 1000

/** Characters that must not stand in a line as they are. */
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * Control characters but TAB as \n or \xNN, those that end a line or turn the direction of writing as \uNNNN: what clients send must
 * not steer a terminal or forge a line.
 */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (char) => {
    const code = char.charCodeAt(0).toString(16)
    if (code.length > 2) return `\\u${code.padStart(4, '0')}`
    return char === '\n' ? '\\n' : `\\x${code.padStart(2, '0')}`
  })
}

export class Log {
  /** Asked before a line is made that costs something on a busy path. */
  isDebug = false
  private types: ReadonlySet<LogType> = new Set()
  private timestamp: (seconds: number) => string = () => ''
  /** The second of the last line, and its timestamp: neither of the forms tells more than the second. */
  private second = 0
  private time = ''
  private sinks: readonly LogSink[] = []
  private readonly formatTime: (format: string, time: Date) => string

  /** @param formatTime strftime(3) for `log_timestamp_format`. */
  constructor(settings: LogSettings, sinks: readonly LogSink[], formatTime: (format: string, time: Date) => string) {
    this.formatTime = formatTime
    this.use(settings, sinks)
  }

  /** Has other settings and places hold from now on. */
  use(settings: LogSettings, sinks: readonly LogSink[]): void {
    const { formatTime } = this
    this.types = new Set(settings.log_type)
    this.isDebug = this.types.has('debug') && sinks.length > 0
    this.sinks = sinks
    const { log_timestamp_format: format } = settings
    this.second = 0
    if (!settings.log_timestamp) this.timestamp = () => ''
    else if (format === undefined) this.timestamp = (seconds) => `${seconds}: `
    else
      this.timestamp = (seconds) => escapeControls(`${formatTime(format, new Date(seconds * 1000)) || 'Time error'}: `)
  }

  write(type: LogType, text: string): void {
    if (!this.types.has(type) || this.sinks.length === 0) return
    const second = Math.floor(Date.now() / 1000)
    if (second !== this.second) {
      this.second = second
      this.time = this.timestamp(second)
    }
    const { time } = this
    const line = escapeControls(text).slice(0, MAX_LINE - time.length)
    for (const sink of this.sinks) sink(line, type, time)
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
