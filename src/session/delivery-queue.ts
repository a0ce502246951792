// Deliveries that wait for their turn, first in, first out: a ring that keeps its memory from one burst to the next. What may
// enter, and when something leaves, is decided by outbound.

import type { Delivery } from './delivery.js'

const SMALLEST = 16
/** A ring that has grown beyond this is given back when it is empty. */
const KEPT = 1024

export class DeliveryQueue {
  private slots: (Delivery | undefined)[] = []
  private head = 0
  private count = 0
  private payloadBytes = 0

  get size(): number {
    return this.count
  }

  /** Payload bytes of all that waits. */
  get bytes(): number {
    return this.payloadBytes
  }

  /** The next to leave. */
  get first(): Delivery | undefined {
    return this.slots[this.head]
  }

  get last(): Delivery | undefined {
    return this.slots[(this.head + this.count - 1) & (this.slots.length - 1)]
  }

  has(delivery: Delivery): boolean {
    return this.slots.includes(delivery)
  }

  push(delivery: Delivery): void {
    if (this.count === this.slots.length) this.grow()
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = delivery
    this.count++
    this.payloadBytes += delivery.message.size
  }

  /** Removes the first. */
  shift(): void {
    const { first } = this
    if (first === undefined) return
    this.payloadBytes -= first.message.size
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & (this.slots.length - 1)
    this.count--
    if (this.count === 0 && this.slots.length > KEPT) this.clear()
  }

  /** Keeps only what `isKept` says. */
  filter(isKept: (delivery: Delivery) => boolean): void {
    const kept = [...this.values()].filter(isKept)
    this.clear()
    for (const delivery of kept) this.push(delivery)
  }

  /** From first to last. */
  *values(): IterableIterator<Delivery> {
    for (let i = 0; i < this.count; i++) yield this.slots[(this.head + i) & (this.slots.length - 1)] as Delivery
  }

  private clear(): void {
    this.slots = []
    this.head = 0
    this.count = 0
    this.payloadBytes = 0
  }

  private grow(): void {
    const waiting = [...this.values()]
    const size = Math.max(SMALLEST, this.slots.length * 2)
    this.slots = new Array<Delivery | undefined>(size).fill(undefined)
    for (let i = 0; i < waiting.length; i++) this.slots[i] = waiting[i]
    this.head = 0
  }
}
