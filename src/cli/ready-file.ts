// The file that tells where a broker listens (--ready-file): there when the broker accepts clients, gone when it has ended, and
// whole whenever it is there.

import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { systemText } from '../access/restricted-file.js'
import type { BoundListener } from '../broker/listeners.js'
import { ProcessError } from './process-error.js'

/** What the file says. */
export interface ReadyReport {
  readonly pid: number
  readonly listeners: readonly ReadyListener[]
}

/** One socket: of a Unix socket there is `path`, of the others `address` and `port`. */
export interface ReadyListener {
  readonly path?: string
  readonly address?: string
  readonly port?: number
  readonly family: BoundListener['family']
  readonly protocol: string
  readonly tls: boolean
}

export function readyReport(bound: readonly BoundListener[]): ReadyReport {
  const listeners = bound.map(({ family, address, port, listener }) => ({
    ...(family === 'unix' ? { path: address } : { address, port }),
    family,
    protocol: listener.protocol,
    tls: listener.certfile !== undefined || listener.psk_hint !== undefined,
  }))
  return { pid: process.pid, listeners }
}

export class ReadyFile {
  private readonly path: string

  /** Removes what an earlier broker may have left there. Throws ProcessError. */
  constructor(path: string) {
    this.path = path
    this.attempt(() => rmSync(path, { force: true }))
  }

  /** Throws ProcessError when it cannot be written. */
  write(bound: readonly BoundListener[]): void {
    const early = `${this.path}.${process.pid}`
    this.attempt(() => {
      writeFileSync(early, `${JSON.stringify(readyReport(bound))}\n`)
      renameSync(early, this.path)
    })
  }

  remove(): void {
    try {
      rmSync(this.path, { force: true })
    } catch {
      // The folder is not ours any more: nothing can be done about it.
    }
  }

  private attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      throw new ProcessError('system', `cannot write the ready file ${this.path}: ${systemText(error)}`)
    }
  }
}
