// The deliveries of one session as its store has them: in segments of consecutive places, each written once when its deliveries
// came, and removed when the last of them is finished. What is finished in the order of places costs nothing but the head that is
// kept with the session's progress; only what is finished out of order has a segment written again.

import type { Delivery } from '../../session/delivery.js'
import type { Batch } from '../../store/batch.js'
import { sessionKey, Table } from '../../store/keys.js'
import { writeMessage } from '../../store/message-record.js'
import { writeDelivery } from '../../store/session-records.js'

/** A segment ends when it has so many deliveries or bytes. */
const MOST_DELIVERIES = 256
const MOST_BYTES = 32_768

class Segment {
  readonly first: number
  /** By place behind `first`; undefined where the delivery is finished. */
  readonly slots: (Delivery | undefined)[] = []
  alive = 0
  isTouched = false

  constructor(first: number) {
    this.first = first
  }

  /** Index of the first delivery that is not finished. */
  get head(): number {
    return this.slots.findIndex((delivery) => delivery !== undefined)
  }
}

export class Segments {
  private readonly session: number
  private list: Segment[] = []
  private touched: Segment[] = []
  private nextPlace = 1

  /** @param session the session's number */
  constructor(session: number) {
    this.session = session
  }

  /** Every delivery before this place is finished. */
  get head(): number {
    const [first] = this.list
    return first === undefined ? this.nextPlace : first.first + first.head
  }

  /** Places that come from now on are not below this one. */
  startAt(place: number): void {
    this.nextPlace = Math.max(this.nextPlace, place)
  }

  /** Takes up deliveries that the store has, as one segment at the place `first`; each has its own place. */
  restore(first: number, deliveries: readonly Delivery[]): void {
    const segment = new Segment(first)
    for (const delivery of deliveries) {
      while (segment.slots.length < delivery.place - first) segment.slots.push(undefined)
      segment.slots.push(delivery)
      segment.alive++
    }
    this.list.push(segment)
    this.startAt(first + segment.slots.length)
    if (segment.alive === 0) this.touch(segment)
  }

  /** Writes new deliveries, whose messages have a record if they need one, and gives them their places. */
  append(deliveries: readonly Delivery[], batch: Batch): void {
    let segment: Segment | undefined
    let start = 0
    for (const delivery of deliveries) {
      if (segment !== undefined && (segment.slots.length === MOST_DELIVERIES || batch.size - start > MOST_BYTES)) {
        batch.end()
        segment = undefined
      }
      if (segment === undefined) {
        segment = new Segment(this.nextPlace)
        this.list.push(segment)
        start = batch.size
        batch.put(sessionKey(Table.SEGMENT, this.session, segment.first))
      }
      delivery.place = this.nextPlace++
      write(batch, segment.slots.length, delivery)
      segment.slots.push(delivery)
      segment.alive++
    }
    if (segment !== undefined) batch.end()
  }

  /** The delivery at this place is finished. */
  finish(place: number): void {
    const segment = this.segmentOf(place)
    if (segment === undefined) return
    segment.slots[place - segment.first] = undefined
    segment.alive--
    this.touch(segment)
  }

  private touch(segment: Segment): void {
    if (segment.isTouched) return
    segment.isTouched = true
    this.touched.push(segment)
  }

  private segmentOf(place: number): Segment | undefined {
    const { list } = this
    let low = 0
    let high = list.length - 1
    // Nearly always it is the first.
    for (let middle = 0; low <= high; middle = (low + high) >> 1) {
      const segment = list[middle] as Segment
      if (place < segment.first) high = middle - 1
      else if (place >= segment.first + segment.slots.length) low = middle + 1
      else return segment
    }
    return undefined
  }

  /** Writes what has become of segments since the last time. */
  update(batch: Batch): void {
    const { touched } = this
    if (touched.length === 0) return
    this.touched = []
    if (touched.some(({ alive }) => alive === 0)) this.list = this.list.filter(({ alive }) => alive > 0)
    for (const segment of touched) {
      segment.isTouched = false
      const key = sessionKey(Table.SEGMENT, this.session, segment.first)
      if (segment.alive === 0) batch.remove(key)
      else if (segment !== this.list[0] || segment.alive < segment.slots.length - segment.head)
        this.rewrite(segment, key, batch)
    }
  }

  private rewrite({ slots }: Segment, key: Buffer, batch: Batch): void {
    batch.put(key)
    for (const [offset, delivery] of slots.entries()) if (delivery !== undefined) write(batch, offset, delivery)
    batch.end()
  }

  /** Removes all of them. */
  clear(batch: Batch): void {
    for (const { first } of this.list) batch.remove(sessionKey(Table.SEGMENT, this.session, first))
    this.list = []
    this.touched = []
  }
}

function write(batch: Batch, offset: number, delivery: Delivery): void {
  const { message } = delivery
  writeDelivery(batch, offset, delivery, message.record)
  if (message.record === 0) writeMessage(batch, message)
}
