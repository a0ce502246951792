// A queue in which those who wait take turns by where they come from: an address with 500 waiting is served no sooner than one with
// a single one. What waits, and how much may wait, is for the owner.

export class FairQueue<T> {
  /** Who is next stands first, because a Map keeps the order in which it was filled. */
  readonly #lanes = new Map<string, T[]>()
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Puts `item` behind the others of its origin. */
  push(origin: string, item: T): void {
    const lane = this.#lanes.get(origin)
    if (lane) lane.push(item)
    else this.#lanes.set(origin, [item])
    this.#length++
  }

  /** Takes the oldest item of the origin whose turn it is, which then stands behind all others. */
  shift(): T | undefined {
    for (const [origin, lane] of this.#lanes) {
      const item = lane.shift()
      this.#lanes.delete(origin)
      if (lane.length > 0) this.#lanes.set(origin, lane)
      this.#length--
      return item
    }
    return undefined
  }

  /** Takes the newest item of the origin that has most of them, if that is more than `origin` would have with one more. */
  makeRoomFor(origin: string): T | undefined {
    let longest: T[] = []
    for (const lane of this.#lanes.values()) if (lane.length > longest.length) longest = lane
    if (longest.length <= (this.#lanes.get(origin)?.length ?? 0) + 1) return undefined
    this.#length--
    return longest.pop()
  }
}
