// How many connections there are, in all, to one listener and from one address, and how many there may be.

import type { Config, ListenerConfig } from '../options/config.js'

export class ConnectionLimits {
  private total = 0
  private readonly byListener = new Map<ListenerConfig, number>()
  private readonly byAddress = new Map<string, number>()

  /** The limit that one more connection would exceed, undefined when it may come in. 0 in a limit means none. */
  exceeded(config: Config, listener: ListenerConfig, address: string): string | undefined {
    const reached = (limit: number, count: number) => limit > 0 && count >= limit
    if (reached(config.global_max_connections, this.total)) return 'global_max_connections'
    if (reached(listener.max_connections, this.byListener.get(listener) ?? 0)) return 'max_connections'
    if (reached(config.max_connections_per_ip, this.byAddress.get(address) ?? 0)) return 'max_connections_per_ip'
    return undefined
  }

  add(listener: ListenerConfig, address: string): void {
    this.total++
    this.byListener.set(listener, (this.byListener.get(listener) ?? 0) + 1)
    this.byAddress.set(address, (this.byAddress.get(address) ?? 0) + 1)
  }

  remove(listener: ListenerConfig, address: string): void {
    this.total--
    this.byListener.set(listener, (this.byListener.get(listener) ?? 0) - 1)
    const left = (this.byAddress.get(address) ?? 0) - 1
    if (left > 0) this.byAddress.set(address, left)
    else this.byAddress.delete(address)
  }
}
