// A set of packet identifiers whose members come and go in roughly ascending order: a table indexed by their low bits, without
// allocation on the way.

const SMALLEST = 16

export class PacketIdSet {
  /** 0 where there is none: no packet identifier is 0. */
  private slots = new Uint16Array(0)
  private mask = -1
  private count = 0

  get size(): number {
    return this.count
  }

  has(packetId: number): boolean {
    return this.count > 0 && this.slots[packetId & this.mask] === packetId
  }

  /** Adds an identifier that is not in the set. */
  add(packetId: number): void {
    while (this.mask < 0 || this.slots[packetId & this.mask] !== 0) this.grow()
    this.slots[packetId & this.mask] = packetId
    this.count++
  }

  /** Removes an identifier and returns whether it was there. */
  delete(packetId: number): boolean {
    if (!this.has(packetId)) return false
    this.slots[packetId & this.mask] = 0
    this.count--
    return true
  }

  /** All of them, in no particular order. */
  values(): number[] {
    return [...this.slots].filter((packetId) => packetId > 0)
  }

  private grow(): void {
    const members = this.values()
    const size = Math.max(SMALLEST, this.slots.length * 2)
    this.slots = new Uint16Array(size)
    this.mask = size - 1
    for (const packetId of members) this.slots[packetId & this.mask] = packetId
  }
}
