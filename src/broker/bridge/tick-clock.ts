// Timers that go by the broker's tick, for what takes its time from a Clock: precise to a tick, and driven by tests.

import type { Cancel, Clock } from '../../client/clock.js'

interface Waiting {
  readonly due: number
  readonly call: () => void
}

export class TickClock implements Clock {
  private readonly waiting = new Set<Waiting>()
  private readonly now: () => number

  /** @param now ms */
  constructor(now: () => number) {
    this.now = now
  }

  after(ms: number, call: () => void): Cancel {
    const entry = { due: this.now() + ms, call }
    this.waiting.add(entry)
    return () => void this.waiting.delete(entry)
  }

  /** Calls what is due, in the order in which it became so. */
  tick(): void {
    const now = this.now()
    const due = [...this.waiting].filter((entry) => entry.due <= now).sort((a, b) => a.due - b.due)
    for (const entry of due) if (this.waiting.delete(entry)) entry.call()
  }
}
