// Whether what was published comes back (--confirm): the same client subscribes to the topic and waits for a copy of each message.
// It works with every version and QoS, where an acknowledgement says nothing or does not exist.

import { createHash } from 'node:crypto'
import type { Publish } from '../protocol/packets/publish.js'

/** Messages that may be under way. */
const MOST_AWAITED = 1000
/** Payloads of more bytes are compared by their hash. */
const LONGEST_KEY = 256

function keyOf(bytes: Buffer, start: number, end: number): string {
  if (end - start <= LONGEST_KEY) return bytes.toString('latin1', start, end)
  return `${end - start}:${createHash('sha256').update(bytes.subarray(start, end)).digest('base64')}`
}

export class EchoCheck {
  /** ms for a copy to come back, counted from the last message or copy. */
  readonly timeout: number
  /** Called when that has passed. */
  onTimeout: () => void = () => {}
  /** How many copies of each payload are awaited. */
  private readonly awaited = new Map<string, number>()
  private count = 0
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(timeout: number) {
    this.timeout = timeout
  }

  /** Copies that are awaited. */
  get missing(): number {
    return this.count
  }

  get hasRoom(): boolean {
    return this.count < MOST_AWAITED
  }

  /** bytes[start..end) is about to be published. */
  expect(bytes: Buffer, start: number, end: number): void {
    const key = keyOf(bytes, start, end)
    this.awaited.set(key, (this.awaited.get(key) ?? 0) + 1)
    this.count++
    this.restart()
  }

  /** A message came; a retained one is older than the subscription. */
  onMessage({ retain, bytes, payloadStart, payloadEnd }: Publish): void {
    if (retain) return
    const key = keyOf(bytes, payloadStart, payloadEnd)
    const times = this.awaited.get(key)
    if (times === undefined) return
    if (times === 1) this.awaited.delete(key)
    else this.awaited.set(key, times - 1)
    this.count--
    if (this.count === 0) this.stop()
    else this.restart()
  }

  private restart(): void {
    if (this.timer === undefined) this.timer = setTimeout(() => this.onTimeout(), this.timeout)
    else this.timer.refresh()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
