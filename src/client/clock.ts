// Where the client gets its time from, so that tests can drive it.

/** Takes back a timer. */
export type Cancel = () => void

export interface Clock {
  /** Calls `call` after `ms` milliseconds, unless it is taken back. */
  after(ms: number, call: () => void): Cancel
}

export const systemClock: Clock = {
  after(ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}
