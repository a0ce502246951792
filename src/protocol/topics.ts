// Topic names and topic filters: what is well-formed and which filter matches which name (MQTT 5.0 section 4.7), and the
// parts of a shared subscription (4.8.2). Strings only: that they are valid UTF-8 was checked where they were decoded.

/** A filter split as the standard names its parts; `group` is undefined for a filter that is not shared. */
export interface FilterParts {
  readonly group: string | undefined
  /** What topic names are matched against. */
  readonly filter: string
}

/** Longest topic name or filter in bytes: the length prefix of a text field has two bytes [MQTT-4.7.3-3]. */
export const MAX_TOPIC_BYTES = 65_535

/** Most levels accepted in a name or filter, so that one packet cannot make the index deep (CVE-2019-11779). */
export const MAX_TOPIC_LEVELS = 200

const SHARE = '$share/'

/** Whether `topic` has at most `MAX_TOPIC_LEVELS` levels. */
export function hasAcceptableDepth(topic: string): boolean {
  let levels = 1
  for (let at = topic.indexOf('/'); at >= 0; at = topic.indexOf('/', at + 1))
    if (++levels > MAX_TOPIC_LEVELS) return false
  return true
}

/** Whether `topic` may be published to: not empty [MQTT-4.7.3-1], no wildcard [MQTT-4.7.0-1], no U+0000 [MQTT-4.7.3-2]. */
export function isTopicName(topic: string): boolean {
  if (topic.length === 0) return false
  for (let i = 0; i < topic.length; i++) {
    const code = topic.charCodeAt(i)
    if (code === 0x2b || code === 0x23 || code === 0) return false
  }
  return true
}

/**
 * Whether `filter`, not counting a `$share` prefix, is well-formed: not empty, `#` alone in the last level [MQTT-4.7.1-1],
 * `+` alone in its level [MQTT-4.7.1-2], no U+0000.
 */
export function isTopicFilter(filter: string): boolean {
  if (filter.length === 0) return false
  for (let i = 0; i < filter.length; i++) {
    const code = filter.charCodeAt(i)
    if (code === 0) return false
    if (code !== 0x2b && code !== 0x23) continue
    if (i > 0 && filter.charCodeAt(i - 1) !== 0x2f) return false
    if (i + 1 < filter.length && (code === 0x23 || filter.charCodeAt(i + 1) !== 0x2f)) return false
  }
  return true
}

/** Whether `filter` has a wildcard; the filter is taken to be well-formed. */
export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#')
}

/**
 * Splits what a SUBSCRIBE or UNSUBSCRIBE carries. Returns undefined for a malformed filter or share: the share name has at
 * least one character [MQTT-4.8.2-1], none of `/ + #`, and a filter behind it [MQTT-4.8.2-2].
 */
export function parseFilter(text: string): FilterParts | undefined {
  if (text === '$share') return undefined
  if (!text.startsWith(SHARE)) return isTopicFilter(text) ? { group: undefined, filter: text } : undefined
  const end = text.indexOf('/', SHARE.length)
  if (end <= SHARE.length) return undefined
  const group = text.slice(SHARE.length, end)
  const filter = text.slice(end + 1)
  return hasWildcard(group) || !isTopicFilter(filter) ? undefined : { group, filter }
}

/**
 * Whether a well-formed filter matches a topic name: the plain, direct reading of section 4.7. Wildcards in the
 * first level do not match names that begin with `$` [MQTT-4.7.2-1]; characters are compared as they are [MQTT-4.7.3-4].
 */
export function matches(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0)
  if ((first === 0x2b || first === 0x23) && topic.charCodeAt(0) === 0x24) return false
  let f = 0
  let t = 0
  for (;;) {
    const wildcard = filter.charCodeAt(f)
    if (wildcard === 0x23) return true
    let end = topic.indexOf('/', t)
    if (end < 0) end = topic.length
    let next = filter.indexOf('/', f)
    if (next < 0) next = filter.length
    if (wildcard !== 0x2b && (next - f !== end - t || !topic.startsWith(filter.slice(f, next), t))) return false
    if (next === filter.length) return end === topic.length
    // `a/#` also matches the parent level `a`.
    if (end === topic.length) return filter.length === next + 2 && filter.charCodeAt(next + 1) === 0x23
    f = next + 1
    t = end + 1
  }
}
