// Where a broker listens, as --ready-file and --run tell it.

import type { BoundListener } from '../broker/listeners.js'

/** One line of JSON. */
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
