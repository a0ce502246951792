// Notices that messages go round: the same one comes in by a bridge of another broker and leaves by a bridge from here, again and
// again. Where the other broker does not tell its name that cannot be prevented without losing messages that are only alike; the log
// says so, once.

import type { Message } from '../../session/message.js'
import type { Log } from '../admin/log.js'

/** So many of the same within a time (ms) are taken for one that goes round. */
const MANY = 500
const WINDOW = 10_000
/** Different messages that are counted, and bytes of each that are looked at. */
const MOST_COUNTED = 256
const LOOKED_AT = 64

export class CircleWatch {
  private readonly log: Log
  private readonly name: string
  private readonly counts = new Map<string, number>()
  /** ms: when counting began. */
  private since = 0
  private hasTold = false

  /** @param name of the session of the bridge that messages leave by */
  constructor(log: Log, name: string) {
    this.log = log
    this.name = name
  }

  /** A message that has come in by the bridge of another broker, as client `guest`, is to leave by this one. */
  passes({ topic, bytes, payloadStart, payloadEnd }: Message, guest: string, now: number): void {
    if (this.hasTold) return
    if (now - this.since >= WINDOW) {
      this.counts.clear()
      this.since = now
    }
    const beginning = bytes.toString('latin1', payloadStart, Math.min(payloadEnd, payloadStart + LOOKED_AT))
    const key = `${topic} ${payloadEnd - payloadStart} ${beginning}`
    const count = (this.counts.get(key) ?? 0) + 1
    if (count > 1 || this.counts.size < MOST_COUNTED) this.counts.set(key, count)
    if (count < MANY) return
    this.hasTold = true
    this.counts.clear()
    this.log.warning(
      `The same message to '${topic}' has come in by the bridge ${guest} and left by ${this.name} ${MANY} times in ${WINDOW / 1000} s: ` +
        'it seems to go round between two brokers with a bridge each. One bridge with direction both does not do that.',
    )
  }
}
