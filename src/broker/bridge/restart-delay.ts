// How long a bridge waits before it connects again (bridges.md section 5): growing by chance from a base to a limit, and back at the
// base after a connection that has lasted.

import { reconnectDelay } from '../../client/reconnect-delay.js'
import type { RestartTimeout } from '../../options/option.js'

/** Seconds; without restart_timeout. */
const DEFAULT: RestartTimeout = { base: 5, cap: 30, stable: 0 }

export class RestartDelay {
  private readonly timeout: RestartTimeout
  private readonly random: () => number
  /** ms. */
  private last: number | undefined = undefined

  /** @param random 0 to 1 */
  constructor(timeout: RestartTimeout | undefined, random: () => number) {
    this.timeout = timeout ?? DEFAULT
    this.random = random
  }

  /** ms to wait after an attempt that failed. The first time it is less than twice the base. */
  afterFailure(): number {
    const base = this.timeout.base * 1000
    this.last = reconnectDelay({ base, cap: this.timeout.cap * 1000 }, this.last ?? (base * 2) / 3, this.random())
    return this.last
  }

  /** ms to wait after a connection that was lost. @param lived how long it stood, in ms */
  afterLoss(lived: number): number {
    if (!this.isStable(lived)) return this.afterFailure()
    this.last = this.timeout.base * 1000
    return this.last
  }

  /** Whether a connection has lasted long enough to begin anew. */
  isStable(lived: number): boolean {
    return lived >= this.timeout.stable * 1000
  }
}
