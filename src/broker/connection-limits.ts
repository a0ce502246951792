// How many connections there are, in all, to one listener and from one address, and how many there may be.

import type { Config } from '../options/config.js'
import type { OpenListener } from './open-listener.js'

export class ConnectionLimits {
  private total = 0
  private readonly byAddress = new Map<string, number>()

  /**
   * The limit that one more connection would exceed, undefined when it may come in. 0 in a limit means none.
   * @param address undefined where it does not tell clients apart
   */
  exceeded(config: Config, listener: OpenListener, address: string | undefined): string | undefined {
    const reached = (limit: number, count: number) => limit > 0 && count >= limit
    if (reached(config.global_max_connections, this.total)) return 'global_max_connections'
    if (reached(listener.config.max_connections, listener.connections)) return 'max_connections'
    const fromAddress = address === undefined ? 0 : (this.byAddress.get(address) ?? 0)
    if (reached(config.max_connections_per_ip, fromAddress)) return 'max_connections_per_ip'
    return undefined
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
