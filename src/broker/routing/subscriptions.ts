// Which subscriptions match a topic name: a trie of filter levels with a bounded cache of results in front. A change empties
// only the cached topics it concerns. Shared subscriptions stay groups in a result; the member is chosen at delivery.

import { matches } from '../../protocol/topics.js'
import type { Receiver, Subscription } from './receiver.js'

/** The members of `$share/name/filter`; each message goes to one of them [MQTT-4.8.2-3]. */
export class SharedGroup {
  readonly text: string
  members: readonly Subscription[] = []
  /** Index of the member whose turn it is. */
  next = 0

  constructor(text: string) {
    this.text = text
  }
}

/** What matches a topic name. Must not be changed: it is cached. */
export interface Matches {
  readonly subscriptions: readonly Subscription[]
  readonly groups: readonly SharedGroup[]
}

interface Node {
  readonly parent: Node | undefined
  readonly level: string
  children: Map<string, Node> | undefined
  /** By receiver, so that a session replaces its own [MQTT-3.8.4-3]. */
  subscriptions: Map<Receiver, Subscription> | undefined
  /** By share name. */
  groups: Map<string, SharedGroup> | undefined
}

interface CachedMatches extends Matches {
  /** Number of the last change this result takes into account. */
  checked: number
}

/** Topics of one generation of the cache. */
const CACHED_TOPICS = 32_768
/** After more changes than this a cached result is made anew rather than compared with each of them. */
const REMEMBERED_CHANGES = 16

function node(parent: Node | undefined, level: string): Node {
  return { parent, level, children: undefined, subscriptions: undefined, groups: undefined }
}

export class Subscriptions {
  private readonly root = node(undefined, '')
  /** Results in two generations: when the younger is full it becomes the older, and what is not asked for again is forgotten. */
  private cache = new Map<string, CachedMatches>()
  private olderCache = new Map<string, CachedMatches>()
  /** The topic that was asked for last, and what was found. */
  private lastTopic = ''
  private last: CachedMatches | undefined = undefined
  private readonly changedFilters: string[] = new Array<string>(REMEMBERED_CHANGES).fill('')
  private changeCount = 0
  private plainCount = 0
  private sharedCount = 0

  /** Subscriptions that are not shared, and those that are. */
  get count(): number {
    return this.plainCount
  }

  get sharedSubscriptionCount(): number {
    return this.sharedCount
  }

  /** Grows with each change. */
  get changes(): number {
    return this.changeCount
  }

  /** Adds a subscription, in place of one that the same receiver had with the same filter. */
  add(subscription: Subscription): void {
    const { receiver, group } = subscription
    const at = this.nodeFor(subscription.filter)
    if (group === undefined) {
      at.subscriptions ??= new Map()
      if (!at.subscriptions.has(receiver)) this.plainCount++
      at.subscriptions.set(receiver, subscription)
    } else {
      at.groups ??= new Map()
      const shared = at.groups.get(group) ?? new SharedGroup(subscription.text)
      at.groups.set(group, shared)
      const others = shared.members.filter((member) => member.receiver !== receiver)
      if (others.length === shared.members.length) this.sharedCount++
      shared.members = [...others, subscription]
    }
    this.note(subscription.filter)
  }

  /** Removes a subscription that was added. */
  remove(subscription: Subscription): void {
    const { receiver, group, filter } = subscription
    const at = this.find(filter)
    if (at === undefined) return
    if (group === undefined) {
      if (at.subscriptions?.delete(receiver) === true) this.plainCount--
      if (at.subscriptions?.size === 0) at.subscriptions = undefined
    } else {
      const shared = at.groups?.get(group)
      if (shared === undefined) return
      const others = shared.members.filter((member) => member.receiver !== receiver)
      this.sharedCount -= shared.members.length - others.length
      shared.members = others
      if (others.length === 0) at.groups?.delete(group)
      if (at.groups?.size === 0) at.groups = undefined
    }
    this.prune(at)
    this.note(filter)
  }

  /** The group of a shared filter, if it has members. */
  group(filter: string, name: string): SharedGroup | undefined {
    return this.find(filter)?.groups?.get(name)
  }

  /** Subscriptions and groups whose filter matches `topic` [MQTT-3.3.2-3]. */
  match(topic: string): Matches {
    // Messages of one topic often come together.
    if (topic !== this.lastTopic || this.last?.checked !== this.changeCount) {
      this.last = this.lookUp(topic)
      this.lastTopic = topic
    }
    return this.last
  }

  private lookUp(topic: string): CachedMatches {
    const cached = this.cache.get(topic)
    if (cached !== undefined && this.isCurrent(cached, topic)) return cached
    const older = cached === undefined ? this.olderCache.get(topic) : undefined
    const found = older !== undefined && this.isCurrent(older, topic) ? older : this.search(topic)
    if (this.cache.size >= CACHED_TOPICS) {
      this.olderCache = this.cache
      this.cache = new Map()
    }
    this.cache.set(topic, found)
    return found
  }

  private isCurrent(cached: CachedMatches, topic: string): boolean {
    return cached.checked === this.changeCount || this.isUnchanged(cached, topic)
  }

  private isUnchanged(cached: CachedMatches, topic: string): boolean {
    if (this.changeCount - cached.checked > REMEMBERED_CHANGES) return false
    for (let i = cached.checked; i < this.changeCount; i++)
      if (matches(this.changedFilters[i % REMEMBERED_CHANGES] as string, topic)) return false
    cached.checked = this.changeCount
    return true
  }

  private note(filter: string): void {
    this.changedFilters[this.changeCount % REMEMBERED_CHANGES] = filter
    this.changeCount++
  }

  private search(topic: string): CachedMatches {
    const subscriptions: Subscription[] = []
    const groups: SharedGroup[] = []
    const collect = (at: Node | undefined) => {
      if (at?.subscriptions !== undefined) subscriptions.push(...at.subscriptions.values())
      if (at?.groups !== undefined) groups.push(...at.groups.values())
    }
    let level: Node[] = [this.root]
    // Wildcards in the first level do not match names that begin with `$` [MQTT-4.7.2-1].
    let wildcards = topic.charCodeAt(0) !== 0x24
    for (let start = 0; start <= topic.length; ) {
      let end = topic.indexOf('/', start)
      if (end < 0) end = topic.length
      const name = topic.slice(start, end)
      const next: Node[] = []
      for (const at of level) {
        const { children } = at
        if (children === undefined) continue
        const literal = children.get(name)
        if (literal !== undefined) next.push(literal)
        if (!wildcards) continue
        collect(children.get('#'))
        const plus = children.get('+')
        if (plus !== undefined) next.push(plus)
      }
      level = next
      wildcards = true
      start = end + 1
    }
    for (const at of level) {
      collect(at)
      // `a/#` matches `a` as well.
      collect(at.children?.get('#'))
    }
    // The highest QoS of a receiver comes first, for those that take one copy of overlapping subscriptions.
    subscriptions.sort((a, b) => b.qos - a.qos)
    return { subscriptions, groups, checked: this.changeCount }
  }

  private nodeFor(filter: string): Node {
    let at = this.root
    for (const level of filter.split('/')) {
      at.children ??= new Map()
      let child = at.children.get(level)
      if (child === undefined) {
        child = node(at, level)
        at.children.set(level, child)
      }
      at = child
    }
    return at
  }

  private find(filter: string): Node | undefined {
    let at: Node | undefined = this.root
    for (const level of filter.split('/')) at = at?.children?.get(level)
    return at
  }

  private prune(from: Node): void {
    let at = from
    while (at.parent !== undefined && !at.children?.size && !at.subscriptions && !at.groups) {
      at.parent.children?.delete(at.level)
      at = at.parent
    }
  }
}
