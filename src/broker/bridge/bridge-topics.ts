// What a bridge shares: the filters it subscribes to on either side, and the name of a topic here and there (bridges.md sections
// 2 and 3). A prefix is put before the rest as it is; the slash belongs to it.

import type { BridgeTopic } from '../../options/option.js'
import type { Qos } from '../../protocol/packets/publish.js'
import { hasAcceptableDepth, isTopicName, MAX_TOPIC_BYTES, matches, parseFilter } from '../../protocol/topics.js'

/** A subscription of the bridge, on one of its sides. */
export interface BridgeFilter {
  /** As subscribed, `$share/group/` included. */
  readonly text: string
  /** Share name; undefined for a filter that is not shared. */
  readonly group: string | undefined
  /** What topic names are matched against. */
  readonly filter: string
  readonly qos: Qos
}

/** How topics that match `filter` are called on the other side. */
interface Mapping {
  readonly filter: string
  readonly prefix: string
  readonly replacement: string
}

const SHARE = '$share/'
const SYS_TOPIC = '$SYS'

/** The filters that an entry has here and at the remote broker. */
function filtersOf({ pattern, localPrefix, remotePrefix }: BridgeTopic): { local: string; remote: string } {
  return { local: localPrefix + pattern, remote: remotePrefix + pattern }
}

/** What is wrong with a `topic` line, in words; undefined when it can be used. */
export function topicFault(topic: BridgeTopic): string | undefined {
  const { local, remote } = filtersOf(topic)
  const { pattern, direction, localPrefix, remotePrefix } = topic
  const isMapped = localPrefix !== '' || remotePrefix !== ''
  if ((localPrefix + remotePrefix).includes(SHARE)) return 'a prefix cannot make a shared subscription'
  if (pattern.startsWith(SHARE) && (isMapped || direction === 'both'))
    return 'a shared subscription has one direction and no prefix'
  for (const filter of [local, remote]) {
    if (parseFilter(filter) === undefined) return `'${filter}' is not a valid topic filter`
    if (Buffer.byteLength(filter) > MAX_TOPIC_BYTES || !hasAcceptableDepth(filter))
      return 'the topic filter is too long'
  }
  if (direction !== 'out' && local.startsWith(SYS_TOPIC) && !matches('$SYS/broker/connection/+/state', local))
    return `${SYS_TOPIC} belongs to this broker: what comes in needs a local prefix`
  return undefined
}

/** Each filter once, with the highest QoS it was given. */
function subscriptionsOf(entries: readonly (readonly [text: string, qos: Qos])[]): readonly BridgeFilter[] {
  const highest = new Map<string, Qos>()
  for (const [text, qos] of entries) highest.set(text, Math.max(qos, highest.get(text) ?? 0) as Qos)
  return [...highest].map(([text, qos]) => ({
    text,
    qos,
    ...(parseFilter(text) ?? { group: undefined, filter: text }),
  }))
}

function mapped(mappings: readonly Mapping[], topic: string): string | undefined {
  let isShared = false
  for (const { filter, prefix, replacement } of mappings) {
    if (!matches(filter, topic)) continue
    if (prefix !== '' || replacement !== '') return replacement + topic.slice(prefix.length)
    isShared = true
  }
  return isShared ? topic : undefined
}

/** Whether what a mapping has made may be published to: it is longer than what a peer could have sent. */
function isUsable(topic: string): boolean {
  const mayBeLong = topic.length * 3 > MAX_TOPIC_BYTES
  return isTopicName(topic) && hasAcceptableDepth(topic) && !(mayBeLong && Buffer.byteLength(topic) > MAX_TOPIC_BYTES)
}

export class BridgeTopics {
  /** Subscribed to here: what goes out. */
  readonly local: readonly BridgeFilter[]
  /** Subscribed to at the remote broker, in the order of the file: what comes in. */
  readonly remote: readonly BridgeFilter[]
  /** Filters that an earlier configuration may have subscribed to there, and this one does not. */
  readonly notRemote: readonly string[]
  private readonly outgoing: readonly Mapping[]
  private readonly incoming: readonly Mapping[]

  /** @param topics in which `topicFault` finds nothing */
  constructor(topics: readonly BridgeTopic[]) {
    const sent = topics.filter(({ direction }) => direction !== 'in')
    const received = topics.filter(({ direction }) => direction !== 'out')
    this.local = subscriptionsOf(sent.map((topic) => [filtersOf(topic).local, topic.qos]))
    this.remote = subscriptionsOf(received.map((topic) => [filtersOf(topic).remote, topic.qos]))
    const asked = new Set(this.remote.map(({ text }) => text))
    this.notRemote = [...new Set(sent.map((topic) => filtersOf(topic).remote))].filter((text) => !asked.has(text))
    const matched = (text: string) => parseFilter(text)?.filter ?? text
    this.outgoing = sent.map((topic) => ({
      filter: matched(filtersOf(topic).local),
      prefix: topic.localPrefix,
      replacement: topic.remotePrefix,
    }))
    this.incoming = received.map((topic) => ({
      filter: matched(filtersOf(topic).remote),
      prefix: topic.remotePrefix,
      replacement: topic.localPrefix,
    }))
  }

  /**
   * What the remote broker calls a topic of this one: by the first entry with a prefix that matches, otherwise the same. Undefined
   * when it is not sent out, or when the name would be none.
   */
  toRemote(topic: string): string | undefined {
    const name = mapped(this.outgoing, topic)
    return name !== undefined && isUsable(name) ? name : undefined
  }

  /** What is called here what the remote broker calls `topic`. Undefined when it was not asked for, or the name would be none. */
  toLocal(topic: string): string | undefined {
    const name = mapped(this.incoming, topic)
    return name !== undefined && isUsable(name) ? name : undefined
  }
}
