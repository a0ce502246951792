// What one client may read and write: its prepared rules applied to topics (spec: files.md section 2.2), with a memory of the
// topics it was asked about. Which rules concern the client was decided by acl.ts.
import { matches } from '../protocol/topics.js'
import type { AclRule } from './acl-file.js'

export type AclVerb = 'read' | 'write' | 'subscribe' | 'unsubscribe'

/** Why a request was decided as it was, in words for a log line. */
export const DECISION_REASONS = {
  rule: 'a rule says so',
  'no-rule': 'no rule matches',
  'no-acl': 'there is no ACL file',
  'no-client-id': 'the client has no id',
  'wildcard-in-name': 'the user name or client id contains + or #, so patterns are not applied',
  'sys-write': 'topics beginning with $SYS belong to the broker',
  'share-topic': 'topics beginning with $share are not for messages',
  'per-message': 'read access is checked for each message',
  plugin: 'a plugin says so',
} as const
export type DecisionReason = keyof typeof DECISION_REASONS

/** The answer to a request, with the rule that gave it when it was one. */
export interface AclDecision {
  readonly allowed: boolean
  readonly reason: DecisionReason
  readonly rule?: AclRule
  /** The plugin that gave it, when it was one. */
  readonly by?: string
}

/** What one client may do, whoever decides it. */
export interface Rights {
  /** Whether the client may neither read nor write anything. */
  readonly grantsNothing: boolean
  /** Whether messages with this topic may be delivered to the client: to be asked for each of them. */
  mayRead(topic: string): boolean
  /** Whether the client may publish to this topic, also with its will. */
  mayWrite(topic: string): boolean
  /** Like `decide`, quick for what was asked before. */
  explain(verb: AclVerb, topic: string): AclDecision
  /** The decision and where it comes from. For subscribe and unsubscribe `topic` is the filter as the client sent it. */
  decide(verb: AclVerb, topic: string): AclDecision
}

/** A rule made ready for one client. */
export interface PreparedRule {
  readonly rule: AclRule
  readonly reads: boolean
  readonly writes: boolean
  readonly denies: boolean
  /** Text that a level must have; undefined where any will do. A `#` at the end is not part of it. */
  readonly levels: readonly (string | undefined)[]
  /** Ends with `#`. */
  readonly open: boolean
  /** Begins with `$`: such rules, and only they, match topics that do. */
  readonly dollar: boolean
}

/** The rules of a client, in the order in which they are asked. */
export interface ClientRules {
  /** False without an ACL file. */
  readonly restricted: boolean
  readonly own?: readonly PreparedRule[]
  readonly patterns?: readonly PreparedRule[]
  /** Why it is decided as it is when no rule matches. */
  readonly otherwise: DecisionReason
}

/** Decisions remembered per client, verb and topic; the oldest goes first. Longer topics are decided anew each time. */
export const REMEMBERED_TOPICS = 1000
const REMEMBERED_TOPIC_LENGTH = 256

const DOLLAR = 0x24

/** The rights of one client, or of all clients for which they are the same. */
export class ClientRights implements Rights {
  readonly #rules: readonly PreparedRule[]
  readonly #patterns: readonly PreparedRule[]
  readonly #restricted: boolean
  readonly #otherwise: DecisionReason
  readonly #limit: number
  readonly #readable = new Map<string, AclDecision>()
  readonly #writable = new Map<string, AclDecision>()
  /** The topics that were asked for last, and the answers. */
  #lastRead: string | undefined = undefined
  #mayReadLast = false
  #lastWritten: string | undefined = undefined
  #mayWriteLast = false

  constructor({ restricted, own = [], patterns = [], otherwise }: ClientRules, limit = REMEMBERED_TOPICS) {
    this.#rules = own
    this.#patterns = patterns
    this.#restricted = restricted
    this.#otherwise = otherwise
    this.#limit = limit
  }

  get grantsNothing(): boolean {
    return this.#restricted && [...this.#rules, ...this.#patterns].every(({ denies }) => denies)
  }

  mayRead(topic: string): boolean {
    if (!this.#restricted && topic.charCodeAt(0) !== DOLLAR) return true
    if (topic !== this.#lastRead) {
      this.#mayReadLast = (this.#readable.get(topic) ?? this.#remember(this.#readable, 'read', topic)).allowed
      this.#lastRead = topic
    }
    return this.#mayReadLast
  }

  mayWrite(topic: string): boolean {
    if (!this.#restricted && topic.charCodeAt(0) !== DOLLAR) return true
    if (topic !== this.#lastWritten) {
      this.#mayWriteLast = (this.#writable.get(topic) ?? this.#remember(this.#writable, 'write', topic)).allowed
      this.#lastWritten = topic
    }
    return this.#mayWriteLast
  }

  explain(verb: AclVerb, topic: string): AclDecision {
    const known = verb === 'read' ? this.#readable : verb === 'write' ? this.#writable : undefined
    return known?.get(topic) ?? this.decide(verb, topic)
  }

  decide(verb: AclVerb, topic: string): AclDecision {
    if (this.#otherwise === 'no-client-id') return { allowed: false, reason: 'no-client-id' }
    if (verb === 'subscribe' || verb === 'unsubscribe') return { allowed: true, reason: 'per-message' }
    if (topic.startsWith('$share')) return { allowed: false, reason: 'share-topic' }
    if (verb === 'write' && topic.startsWith('$SYS') && !matches('$SYS/broker/connection/+/state', topic))
      return { allowed: false, reason: 'sys-write' }
    if (!this.#restricted) return { allowed: true, reason: 'no-acl' }
    const levels = topic.split('/')
    const found = firstDeciding(this.#rules, verb, levels) ?? firstDeciding(this.#patterns, verb, levels)
    return found
      ? { allowed: !found.denies, reason: 'rule', rule: found.rule }
      : { allowed: false, reason: this.#otherwise }
  }

  #remember(decisions: Map<string, AclDecision>, verb: 'read' | 'write', topic: string): AclDecision {
    const decision = this.decide(verb, topic)
    if (topic.length > REMEMBERED_TOPIC_LENGTH) return decision
    if (decisions.size >= this.#limit) {
      const [oldest] = decisions.keys()
      if (oldest !== undefined) decisions.delete(oldest)
    }
    decisions.set(topic, decision)
    return decision
  }
}

function firstDeciding(
  rules: readonly PreparedRule[],
  verb: 'read' | 'write',
  levels: readonly string[],
): PreparedRule | undefined {
  const dollar = levels[0]?.charCodeAt(0) === DOLLAR
  for (const rule of rules)
    if (rule.dollar === dollar && (verb === 'read' ? rule.reads : rule.writes) && covers(rule, levels)) return rule
  return undefined
}

function covers({ levels: wanted, open }: PreparedRule, levels: readonly string[]): boolean {
  // With `#` the parent level matches as well: `a/#` has one level before it, as the topic `a` has.
  if (open ? levels.length < wanted.length : levels.length !== wanted.length) return false
  for (let i = 0; i < wanted.length; i++) {
    const level = wanted[i]
    if (level !== undefined && level !== levels[i]) return false
  }
  return true
}
