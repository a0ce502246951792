// The table of --summary: for each topic how many messages and bytes came, how fast, how many were retained and when the last one
// was there. Counts; when it is printed is decided by its owner.

import type { Publish } from '../protocol/packets/publish.js'
import { isoSeconds } from './message-time.js'

/** Topics with a line of their own; what comes on others is counted together. */
const MOST_TOPICS = 100_000
const OTHERS = '(other topics)'

interface Counts {
  messages: number
  /** Of `messages`, those since the last table. */
  recent: number
  bytes: number
  retained: number
  /** ms since 1970. */
  last: number
}

const HEADINGS = ['COUNT', 'RATE', 'BYTES', 'RETAINED', 'LAST SEEN', 'TOPIC'] as const

export class TopicSummary {
  private readonly topics = new Map<string, Counts>()
  private readonly most: number
  private since: number

  /** @param now ms since 1970, from which rates are counted. */
  constructor(now: number, most = MOST_TOPICS) {
    this.since = now
    this.most = most
  }

  add(topic: string, packet: Publish, now: number): void {
    const { topics } = this
    const key = topics.has(topic) || topics.size < this.most ? topic : OTHERS
    let counts = topics.get(key)
    if (counts === undefined) {
      counts = { messages: 0, recent: 0, bytes: 0, retained: 0, last: 0 }
      topics.set(key, counts)
    }
    counts.messages++
    counts.recent++
    counts.bytes += packet.payloadEnd - packet.payloadStart
    if (packet.retain) counts.retained++
    counts.last = now
  }

  /** The table, sorted by topic. Rates are messages a second since the last one. */
  table(now: number, shown: (topic: string) => string): string {
    const seconds = Math.max(now - this.since, 1) / 1000
    this.since = now
    const rows: string[][] = [[...HEADINGS]]
    for (const topic of [...this.topics.keys()].sort()) {
      const counts = this.topics.get(topic)
      if (counts === undefined) continue
      const { messages, recent, bytes, retained, last } = counts
      counts.recent = 0
      const rate = `${(recent / seconds).toFixed(1)}/s`
      rows.push([String(messages), rate, String(bytes), String(retained), isoSeconds(last), shown(topic)])
    }
    const widths = HEADINGS.map((_, column) =>
      rows.reduce((most, row) => Math.max(most, (row[column] ?? '').length), 0),
    )
    return rows.map((row) => `${layOut(row, widths)}\n`).join('')
  }
}

/** Numbers to the right; the last column as it is. */
function layOut(row: readonly string[], widths: readonly number[]): string {
  const last = row.length - 1
  return row.map((text, column) => (column === last ? text : text.padStart(widths[column] ?? 0))).join('  ')
}
