// What --test-config finds, each with file and line, in the order in which it is found. What is looked for is in the files beside
// this one; how it is shown, in config-report.ts.

import type { Position } from '../options/conf-lines.js'
import type { Config, ListenerConfig } from '../options/config.js'

export interface Finding {
  readonly severity: 'error' | 'warning'
  readonly file: string
  /** Counts from 1; 0 when the whole file is meant. */
  readonly line: number
  /** Never contains a password or a key. */
  readonly message: string
}

export class Findings {
  readonly all: Finding[] = []
  private readonly config: Config
  private readonly seen = new Set<string>()

  constructor(config: Config) {
    this.config = config
  }

  /** Without `at` the configuration as a whole is meant. */
  add(severity: Finding['severity'], at: Position | undefined, message: string): void {
    const { file, line } = at ?? { file: this.config.files[0] ?? '', line: 0 }
    const key = `${file}:${line}:${message}`
    if (this.seen.has(key)) return
    this.seen.add(key)
    this.all.push({ severity, file, line, message })
  }

  /** About a directive: where it was given for the listener, or for all. */
  about(severity: Finding['severity'], name: string, listener: ListenerConfig | undefined, message: string): void {
    this.add(severity, listener?.positions.get(name) ?? this.config.positions.get(name) ?? listener?.where, message)
  }
}
