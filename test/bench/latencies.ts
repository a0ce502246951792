// A growing list of latencies and its percentiles.

/** Percentiles in microseconds, rounded. */
export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export class Latencies {
  private values = new Float64Array(65_536)
  private count = 0

  /** Adds one latency in milliseconds. */
  add(milliseconds: number): void {
    if (this.count === this.values.length) {
      const larger = new Float64Array(this.count * 2)
      larger.set(this.values)
      this.values = larger
    }
    this.values[this.count++] = milliseconds
  }

  clear(): void {
    this.count = 0
  }

  /** Undefined while nothing was added. */
  percentiles(): Percentiles | undefined {
    if (this.count === 0) return undefined
    const sorted = this.values.slice(0, this.count).sort()
    const at = (share: number): number =>
      Math.round((sorted[Math.min(this.count - 1, Math.floor(this.count * share))] as number) * 1000)
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) }
  }
}
