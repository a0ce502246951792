// How much happened per minute, over the last minutes: exponentially weighted averages of counters (spec: sys-topics.md section 2).

/** Seconds over which is averaged, by the name in the topic. */
const PERIODS = { '1min': 60, '5min': 300, '15min': 900 } as const
type Period = keyof typeof PERIODS

/** Less than this is no change. */
const STEP = 0.01

interface Average {
  readonly period: Period
  value: number
  /** As told last. */
  told: number
}

interface Load {
  counter: number
  readonly averages: readonly Average[]
}

export class LoadAverages {
  private readonly loads = new Map<string, Load>()
  private updatedAt: number

  constructor(now: number) {
    this.updatedAt = now
  }

  /**
   * Takes the counters at `now` (ms) and returns what has changed since it was last returned: `name/1min` and so on, with two
   * decimals. All are 0.00 at first.
   */
  update(counters: ReadonlyMap<string, number>, now: number): [name: string, value: string][] {
    const seconds = (now - this.updatedAt) / 1000
    if (seconds > 0) this.updatedAt = now
    const changed: [string, string][] = []
    for (const [name, counter] of counters) {
      const load = this.loads.get(name) ?? newLoad(this.loads, name)
      const rate = seconds > 0 ? ((counter - load.counter) * 60) / seconds : 0
      if (seconds > 0) load.counter = counter
      for (const average of load.averages) {
        if (seconds > 0) average.value = rate + Math.exp(-seconds / PERIODS[average.period]) * (average.value - rate)
        if (Math.abs(average.value - average.told) < STEP) continue
        average.told = average.value
        changed.push([`${name}/${average.period}`, average.value.toFixed(2)])
      }
    }
    return changed
  }
}

function newLoad(loads: Map<string, Load>, name: string): Load {
  const periods = Object.keys(PERIODS) as Period[]
  const load = { counter: 0, averages: periods.map((period) => ({ period, value: 0, told: Number.NEGATIVE_INFINITY })) }
  loads.set(name, load)
  return load
}
