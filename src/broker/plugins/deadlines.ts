// Time limits of promises that come from outside. There is no timer for each: the broker's tick looks at all of them.

import type { Deadlines } from './loaded-plugin.js'

interface Waiting {
  readonly due: number
  readonly expire: () => void
}

export class PromiseDeadlines implements Deadlines {
  private readonly clock: () => number
  private readonly longest: () => number
  private readonly waiting = new Set<Waiting>()

  /** @param longest ms */
  constructor(clock: () => number, longest: () => number) {
    this.clock = clock
    this.longest = longest
  }

  within<T>(promise: Promise<T>): Promise<T> {
    const longest = this.longest()
    return new Promise<T>((resolve, reject) => {
      const expire = () => reject(new Error(`no answer in ${longest / 1000} s`))
      const waiting = { due: this.clock() + longest, expire }
      this.waiting.add(waiting)
      Promise.resolve(promise)
        .then(resolve, reject)
        .finally(() => this.waiting.delete(waiting))
    })
  }

  /** Gives up on those whose time is over at `now` (ms). */
  tick(now: number): void {
    for (const each of this.waiting)
      if (each.due <= now) {
        this.waiting.delete(each)
        each.expire()
      }
  }

  /** Gives up on all of them. */
  close(): void {
    this.tick(Number.POSITIVE_INFINITY)
  }
}
