// Keeps the broker within memory_limit: looks at what the process uses for its data and says what has to be refused. Refusing is done
// where clients ask for something. Garbage is no use: near the limit it is collected before anybody is refused.

import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Log } from './admin/log.js'

/** What there is memory for. */
export const Room = {
  EVERYTHING: 0,
  /** For what is passed on at once, not for new sessions, subscriptions and messages that are kept. */
  PASSING: 1,
  NOTHING: 2,
} as const
export type Room = (typeof Room)[keyof typeof Room]

/** How memory is looked at; a test has its own. */
export interface MemoryGauge {
  /** Bytes in use, garbage included. */
  used(): number
  collectGarbage(): void
}

/** From this part of the limit on nothing more is kept, the rest is for what passes; and below this part, all is well again. */
const KEPT = 0.9
const ENOUGH = 0.8
/** ms between two collections. */
const COLLECTION_INTERVAL = 1000
/** Part of the limit that publishes may take, by their size and this for each, before the next look. */
const STEP = 1 / 128
const MESSAGE_BYTES = 512

export class MemoryLimit {
  /** Asked for each message. */
  room: Room = Room.EVERYTHING
  private readonly log: Log
  private readonly clock: () => number
  private readonly gauge: MemoryGauge
  /** Bytes; 0 for none. */
  private limit = 0
  private untilLook = Number.POSITIVE_INFINITY
  private collectedAt = Number.NEGATIVE_INFINITY

  constructor(log: Log, clock: () => number, gauge: MemoryGauge = new ProcessMemory()) {
    this.log = log
    this.clock = clock
    this.gauge = gauge
  }

  /** Bytes, 0 for no limit: at the start, and after a reload. */
  set(limit: number): void {
    this.limit = limit
    this.look()
  }

  /** Messages with payloads of so many bytes have come. */
  spend(bytes: number, messages = 1): void {
    this.untilLook -= bytes + messages * MESSAGE_BYTES
    if (this.untilLook < 0) this.look()
  }

  /** Looks at the memory, twice a second at least. */
  look(): void {
    const { limit } = this
    this.untilLook = limit === 0 ? Number.POSITIVE_INFINITY : limit * STEP
    const room = limit === 0 ? Room.EVERYTHING : this.measure()
    if (room === this.room) return
    const wasFree = this.room === Room.EVERYTHING
    this.room = room
    if (wasFree)
      this.log.warning(
        `Almost all of memory_limit (${limit} bytes) is in use: new clients, subscriptions and messages are refused.`,
      )
    else if (room === Room.EVERYTHING) this.log.notice('There is memory again: nothing is refused any more.')
  }

  private measure(): Room {
    const keeps = this.limit * (this.room === Room.EVERYTHING ? KEPT : ENOUGH)
    let used = this.gauge.used()
    const now = this.clock()
    if (used >= keeps && now - this.collectedAt >= COLLECTION_INTERVAL) {
      this.collectedAt = now
      this.gauge.collectGarbage()
      used = this.gauge.used()
    }
    if (used < keeps) return Room.EVERYTHING
    return used < this.limit ? Room.PASSING : Room.NOTHING
  }
}

/** The memory of this process: objects, and the buffers outside of their heap. */
class ProcessMemory implements MemoryGauge {
  private collect: (() => void) | undefined = undefined

  used(): number {
    const { used_heap_size: objects, external_memory: buffers } = getHeapStatistics()
    return objects + buffers
  }

  collectGarbage(): void {
    if (this.collect === undefined) {
      setFlagsFromString('--expose-gc')
      this.collect = runInNewContext('gc') as () => void
    }
    this.collect()
  }
}
