// How many connections there are, in all, to one listener and from one address, and how many there may be: by the configuration,
// and by the files that the system lets the process have open, of which some are kept for reloads and logs.

import { readdirSync, readFileSync } from 'node:fs'
import type { Config } from '../options/config.js'
import type { OpenListener } from './open-listener.js'

/** The limit that the system sets. */
export const OPEN_FILES = 'the limit of open files'

/** Files that stay free for what is not a connection. */
const SPARE_FILES = 48

export class ConnectionLimits {
  /** Connections for which there are file descriptors. */
  readonly mostOpen = Math.max(0, freeDescriptors() - SPARE_FILES)
  private total = 0
  private readonly byAddress = new Map<string, number>()

  /**
   * The limit that one more connection would exceed, undefined when it may come in. 0 in a limit means none.
   * @param address undefined where it does not tell clients apart
   */
  exceeded(config: Config, listener: OpenListener, address: string | undefined): string | undefined {
    const reached = (limit: number, count: number) => limit > 0 && count >= limit
    if (this.total >= this.mostOpen) return OPEN_FILES
    if (reached(config.global_max_connections, this.total)) return 'global_max_connections'
    if (reached(listener.config.max_connections, listener.connections)) return 'max_connections'
    const fromAddress = address === undefined ? 0 : (this.byAddress.get(address) ?? 0)
    if (reached(config.max_connections_per_ip, fromAddress)) return 'max_connections_per_ip'
    return undefined
  }

  /** Whether connections are again well below what there are descriptors for. */
  get hasRoom(): boolean {
    return this.total < this.mostOpen * 0.9
  }

  add(listener: OpenListener, address: string | undefined): void {
    this.total++
    listener.connections++
    if (address !== undefined) this.byAddress.set(address, (this.byAddress.get(address) ?? 0) + 1)
  }

  remove(listener: OpenListener, address: string | undefined): void {
    this.total--
    listener.connections--
    if (address === undefined) return
    const left = (this.byAddress.get(address) ?? 0) - 1
    if (left > 0) this.byAddress.set(address, left)
    else this.byAddress.delete(address)
  }
}

/** How many more files may be opened; Infinity where the system does not say (Linux does). */
function freeDescriptors(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit) - readdirSync('/proc/self/fd').length
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
