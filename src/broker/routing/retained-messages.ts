// The retained message of each topic (MQTT 5.0 section 3.3.1.3), in a trie so that a wildcard filter visits only what it matches.

import type { Message } from '../../session/message.js'

/** Where the retained message of one topic is. */
export interface RetainedSlot {
  message: Message | undefined
  /** For who keeps a journal: the number of its record, 0 for none. */
  record: number
}

/** Who keeps retained messages on disk. */
export interface RetainedJournal {
  /** Another message is in the slot, or none. */
  changed(slot: RetainedSlot): void
}

interface Node extends RetainedSlot {
  readonly parent: Node | undefined
  readonly level: string
  children: Map<string, Node> | undefined
}

function node(parent: Node | undefined, level: string): Node {
  return { parent, level, children: undefined, message: undefined, record: 0 }
}

export class RetainedMessages {
  journal: RetainedJournal | undefined = undefined
  /** Hears of each topic whose message is another, or gone. */
  onChange: ((topic: string, message: Message | undefined) => void) | undefined = undefined
  private readonly root = node(undefined, '')
  private messages = 0
  private payloadBytes = 0

  get count(): number {
    return this.messages
  }

  /** Payload bytes of all of them. */
  get bytes(): number {
    return this.payloadBytes
  }

  /**
   * A message published with RETAIN: replaces the topic's [MQTT-3.3.1-5]; an empty payload removes it [MQTT-3.3.1-6] and is never
   * stored itself [MQTT-3.3.1-7].
   */
  apply(message: Message): void {
    if (message.size === 0) this.remove(message.topic)
    else this.set(message)
  }

  private set(message: Message): void {
    message.keep()
    const slot = this.put(message)
    this.journal?.changed(slot)
    this.onChange?.(message.topic, message)
  }

  /** Takes back a message that was kept under the number `record`. */
  restore(message: Message, record: number): void {
    this.put(message).record = record
  }

  private put(message: Message): RetainedSlot {
    let at = this.root
    for (const level of message.topic.split('/')) {
      at.children ??= new Map()
      let child = at.children.get(level)
      if (child === undefined) {
        child = node(at, level)
        at.children.set(level, child)
      }
      at = child
    }
    if (at.message === undefined) this.messages++
    this.payloadBytes += message.size - (at.message?.size ?? 0)
    at.message = message
    return at
  }

  /** Forgets the retained message of `topic`. */
  remove(topic: string): void {
    let at: Node | undefined = this.root
    for (const level of topic.split('/')) at = at?.children?.get(level)
    if (at?.message === undefined) return
    this.messages--
    this.payloadBytes -= at.message.size
    at.message = undefined
    this.journal?.changed(at)
    this.onChange?.(topic, undefined)
    while (at.parent !== undefined && !at.children?.size && at.message === undefined) {
      at.parent.children?.delete(at.level)
      at = at.parent
    }
  }

  /** The retained message of a topic name, expired or not. */
  get(topic: string): Message | undefined {
    let at: Node | undefined = this.root
    for (const level of topic.split('/')) at = at?.children?.get(level)
    return at?.message
  }

  /** Those whose topic matches `filter` and which have not expired at `now` (ms) [MQTT-3.3.1-9]. */
  matching(filter: string, now: number): Message[] {
    const found: Message[] = []
    const visit = (at: Node) => {
      if (at.message !== undefined && at.message.expiresAt > now) found.push(at.message)
    }
    let level: Node[] = [this.root]
    const levels = filter.split('/')
    for (let i = 0; i < levels.length; i++) {
      const name = levels[i] as string
      if (name === '#') {
        // `a/#` matches `a` as well; the root is no topic.
        for (const at of level) subtree(at, i === 0, visit)
        return found
      }
      const next: Node[] = []
      for (const at of level)
        if (name !== '+') {
          const child = at.children?.get(name)
          if (child !== undefined) next.push(child)
        } else
          for (const child of at.children?.values() ?? []) if (i > 0 || !child.level.startsWith('$')) next.push(child)
      level = next
    }
    level.forEach(visit)
    return found
  }

  /** All of them, expired or not. */
  all(): Message[] {
    const found: Message[] = []
    subtree(this.root, false, ({ message }) => {
      if (message !== undefined) found.push(message)
    })
    return found
  }

  /** Removes what has expired at `now` (ms). */
  sweep(now: number): void {
    const expired: string[] = []
    subtree(this.root, false, (at) => {
      if (at.message !== undefined && at.message.expiresAt <= now) expired.push(at.message.topic)
    })
    for (const topic of expired) this.remove(topic)
  }
}

/** Visits `top` and everything below it, at the top level without `$` topics if so told [MQTT-4.7.2-1]. */
function subtree(top: Node, withoutDollar: boolean, visit: (at: Node) => void): void {
  const open: Node[] = [top]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    visit(at)
    for (const child of at.children?.values() ?? [])
      if (!(withoutDollar && at === top && child.level.startsWith('$'))) open.push(child)
  }
}
