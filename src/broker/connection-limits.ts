// How many connections there are, in all, to one listener and from one address, and how many there may be.

import type { Config } from '../options/config.js'
import type { OpenListener } from './open-listener.js'

export class ConnectionLimits {
  private total = 0
  private readonly byAddress = new Map<string, number>()

  /** The limit that one more connection would exceed, undefined when it may come in. 0 in a limit means none. */
  exceeded(config: Config, listener: OpenListener, address: string): string | undefined {
    const reached = (limit: number, count: number) => limit > 0 && count >= limit
    if (reached(config.global_max_connections, this.total)) return 'global_max_connections'
    if (reached(listener.config.max_connections, listener.connections)) return 'max_connections'
    // The clients of a Unix socket have no address that would tell them apart.
    const ofAddress = listener.config.path === undefined ? (this.byAddress.get(address) ?? 0) : 0
    if (reached(config.max_connections_per_ip, ofAddress)) return 'max_connections_per_ip'
    return undefined
  }

  add(listener: OpenListener, address: string): void {
    this.total++
    listener.connections++
    this.byAddress.set(address, (this.byAddress.get(address) ?? 0) + 1)
  }

  remove(listener: OpenListener, address: string): void {
    this.total--
    listener.connections--
    const left = (this.byAddress.get(address) ?? 0) - 1
    if (left > 0) this.byAddress.set(address, left)
    else this.byAddress.delete(address)
  }
}
