// How long a client waits before it connects again. Pure: what chance contributes comes in as a number.

/** ms. With `base` equal to `cap` every delay is the same, as mosquitto's tools have it. */
export interface ReconnectDelays {
  readonly base: number
  readonly cap: number
  /** Most attempts in a row; without end unless given. A connection that has stood for a while begins a new row. */
  readonly attempts?: number | undefined
  /** Only to get back what the broker had accepted before: not after a first failure, and not after a refusal. */
  readonly onlyAfterLoss?: boolean
}

/**
 * The next delay in ms: between `base` and three times the previous one, at most `cap`, so that many clients of a broker that
 * comes back do not return at once.
 * @param previous the delay before, undefined for the first after a connection that worked.
 * @param random 0 to 1.
 */
export function reconnectDelay({ base, cap }: ReconnectDelays, previous: number | undefined, random: number): number {
  if (base >= cap) return base
  const widest = Math.max(base, (previous ?? base) * 3)
  return Math.min(cap, Math.round(base + random * (widest - base)))
}
