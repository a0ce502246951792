// Which messages say something new (--changes): whether a payload differs from the last one on its topic. Remembers a fingerprint
// for each topic, of a limited number of topics.

import { createHash } from 'node:crypto'

/** Topics remembered; the one that has been known longest is forgotten first. */
const MOST_TOPICS = 100_000
/** Payloads up to this size are their own fingerprint. */
const SHORT = 32

export class TopicChanges {
  private readonly last = new Map<string, string>()
  private readonly most: number

  constructor(most = MOST_TOPICS) {
    this.most = most
  }

  /** Whether this is the first payload on the topic or another one than the last; from now on it is the last. */
  isNew(topic: string, payload: Buffer): boolean {
    const { last } = this
    const fingerprint =
      payload.length <= SHORT ? payload.toString('latin1') : createHash('sha256').update(payload).digest('base64')
    if (last.get(topic) === fingerprint) return false
    if (!last.has(topic) && last.size >= this.most) last.delete(last.keys().next().value ?? '')
    last.set(topic, fingerprint)
    return true
  }
}
