// One rule of a role: what kind of request it is about, for which topics, and whether a topic or filter is one of them.

/** In the order in which they are listed. */
export const ACL_TYPES = [
  'publishClientSend',
  'publishClientReceive',
  'subscribeLiteral',
  'subscribePattern',
  'unsubscribeLiteral',
  'unsubscribePattern',
] as const
export type AclType = (typeof ACL_TYPES)[number]

const byName = new Map<string, AclType>(ACL_TYPES.map((type) => [type.toLowerCase(), type]))

/** The type of this name, in whatever case it is written. */
export function aclTypeOf(name: string): AclType | undefined {
  return byName.get(name.toLowerCase())
}

export interface AclRule {
  readonly type: AclType
  /** As given: a topic filter; `%u` and `%c` as whole levels stand for the user name and the client id. */
  readonly topic: string
  /** Rules with higher numbers are asked first. */
  readonly priority: number
  readonly allow: boolean
  /** Those of `topic`, but for a `#` at the end. */
  readonly levels: readonly string[]
  /** There is one. */
  readonly isOpen: boolean
  /** It is about a group of shared subscriptions, not only about their filter. */
  readonly isShared: boolean
}

export function aclRule({ topic, ...rest }: Omit<AclRule, 'levels' | 'isOpen' | 'isShared'>): AclRule {
  const levels = topic.split('/')
  const isOpen = levels.at(-1) === '#'
  const isShared = topic.startsWith('$share/')
  return { topic, ...rest, levels: isOpen ? levels.slice(0, -1) : levels, isOpen, isShared }
}

/** Who asks, as far as patterns know. */
export interface Asking {
  readonly username: string | undefined
  readonly clientId: string
}

const DOLLAR = 0x24

/** A topic or filter that somebody asks about. */
export interface Asked {
  readonly text: string
  readonly levels: readonly string[]
}

export function asked(text: string): Asked {
  return { text, levels: text.split('/') }
}

/** Whether a rule is about a topic: for subscribe and unsubscribe, whether it is about everything that a filter matches. */
export function covers(rule: AclRule, { text, levels }: Asked, asking: Asking): boolean {
  const { type, topic, levels: parts, isOpen } = rule
  if (type === 'subscribeLiteral' || type === 'unsubscribeLiteral') return topic === text
  if (text.charCodeAt(0) === DOLLAR && topic.charCodeAt(0) !== DOLLAR && !reachesDollar(rule)) return false
  // With `#` the parent level matches as well: `a/#` has one level before it, as the topic `a` has.
  if (isOpen ? levels.length < parts.length : levels.length !== parts.length) return false
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at]
    const level = levels[at]
    if (part === '+' ? level === '#' : level !== levelOf(part, asking)) return false
  }
  return true
}

/**
 * Wildcards in the first level do not match what begins with `$` [MQTT-4.7.2-1]. Mosquitto's do for filters; that is kept where it
 * takes something away.
 */
function reachesDollar({ type, allow }: AclRule): boolean {
  return type === 'unsubscribePattern' || (type === 'subscribePattern' && !allow)
}

/** What a level of a pattern stands for; undefined when nothing can be like it. */
function levelOf(part: string | undefined, { username, clientId }: Asking): string | undefined {
  if (part === '%u') return oneLevel(username)
  return part === '%c' ? oneLevel(clientId) : part
}

/** A name that is a wildcard, or more than a level, must not widen a pattern (CVE-2017-7650). */
function oneLevel(name: string | undefined): string | undefined {
  return name === undefined || name === '' || /[+#/]/.test(name) ? undefined : name
}
