// The log of a broker's process: lines of the start are kept until the destinations are open, which may be late (as another
// user); later the destinations may be opened anew, or be others. -v and -q have the last word.

import { Log, type LogType } from '../broker/admin/log.js'
import { type LogOutlets, type LogSinks, openLogSinks } from '../broker/admin/log-sinks.js'
import type { Config } from '../options/config.js'
import { LOG_TYPES } from '../options/process-options.js'
import { formatTime } from './strftime.js'

type Settings = Parameters<Log['use']>[0] & Pick<Config, 'log_facility'>

export class BrokerLog {
  readonly log: Log
  private readonly outlets: LogOutlets
  private readonly override: { readonly verbose: boolean; readonly quiet: boolean }
  private readonly early: [text: string, type: LogType, time: string][] = []
  private settings: Settings
  private open: LogSinks | undefined = undefined

  constructor(config: Config, outlets: LogOutlets, override: { readonly verbose: boolean; readonly quiet: boolean }) {
    this.outlets = outlets
    this.override = override
    this.settings = this.settingsOf(config)
    this.log = new Log(this.settings, override.quiet ? [] : [(...line) => void this.early.push(line)], formatTime)
  }

  /** Opens the destinations of `config`, by default those of the last one: after a rotation the files are others. */
  reopen(config?: Config): void {
    if (config !== undefined) this.settings = this.settingsOf(config)
    this.open?.close()
    this.open = openLogSinks(this.settings, this.outlets)
    for (const line of this.early.splice(0)) for (const sink of this.open.sinks) sink(...line)
    this.log.use(this.settings, this.open.sinks)
  }

  /** Writes what has been logged so far, for whoever is told next that something has happened. */
  flush(): void {
    this.open?.flush()
  }

  /** Writes what has not been written, and ends it. */
  close(): void {
    if (this.open === undefined) this.reopen()
    this.open?.close()
    this.log.use(this.settings, [])
  }

  private settingsOf(config: Config): Settings {
    const { verbose, quiet } = this.override
    if (quiet) return { ...config, log_dest: [], log_type: [] }
    return verbose ? { ...config, log_type: LOG_TYPES } : config
  }
}
