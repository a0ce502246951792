// Deliveries that have been sent and are not finished, by packet identifier. Identifiers are given out in ascending order and
// windows are small, so a table indexed by the identifier's low bits beats a Map; it doubles when two identifiers fall together.

import type { Delivery } from './delivery.js'

const SMALLEST = 16
const NONE: readonly Delivery[] = []

/** They stay until they are acknowledged [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-5]. */
export class InFlight {
  private slots: (Delivery | undefined)[] = []
  private mask = -1
  private count = 0

  get size(): number {
    return this.count
  }

  get(packetId: number): Delivery | undefined {
    const delivery = this.slots[packetId & this.mask]
    return delivery !== undefined && delivery.packetId === packetId ? delivery : undefined
  }

  /**
   * Whether the next delivery is to have another identifier: this one is in use or, while half of the table is free, would make it
   * grow for a message that is never acknowledged.
   */
  isInTheWay(packetId: number): boolean {
    const delivery = this.slots[packetId & this.mask]
    return delivery !== undefined && (delivery.packetId === packetId || this.count * 2 < this.slots.length)
  }

  /** Adds a delivery under its packet identifier, which must not be in use. */
  add(delivery: Delivery): void {
    while (this.mask < 0 || this.slots[delivery.packetId & this.mask] !== undefined) this.grow()
    this.slots[delivery.packetId & this.mask] = delivery
    this.count++
  }

  remove(delivery: Delivery): void {
    const at = delivery.packetId & this.mask
    if (this.slots[at] !== delivery) return
    this.slots[at] = undefined
    this.count--
  }

  /** All of them, in the order in which they were first sent. */
  inOrder(): readonly Delivery[] {
    if (this.count === 0) return NONE
    return this.slots.filter((delivery) => delivery !== undefined).sort((a, b) => a.order - b.order)
  }

  /** All of them, in any order. */
  *values(): IterableIterator<Delivery> {
    if (this.count === 0) return
    for (const delivery of this.slots) if (delivery !== undefined) yield delivery
  }

  private grow(): void {
    const size = Math.max(SMALLEST, this.slots.length * 2)
    const slots = new Array<Delivery | undefined>(size).fill(undefined)
    this.mask = size - 1
    for (const delivery of this.slots) if (delivery !== undefined) slots[delivery.packetId & this.mask] = delivery
    this.slots = slots
  }
}
