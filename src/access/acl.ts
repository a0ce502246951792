// Access control for all clients of a listener: picks the rules that concern one client and prepares them (spec: files.md
// section 2.2, steps 3, 6 and 7; 2.3). Applying them to topics is for ClientRights.
import type { AclRule, AclRules } from './acl-file.js'
import { ClientRights, type PreparedRule } from './client-rights.js'

/** Where the two values of a pattern stand in its levels. */
interface Pattern {
  readonly rule: AclRule
  readonly levels: readonly string[]
  readonly usesUsername: boolean
  readonly usesClientId: boolean
}

/** The rules of one ACL file, or the absence of such a file. A reload makes a new object. */
export class Acl {
  readonly #users = new Map<string, readonly PreparedRule[]>()
  readonly #anonymous: readonly PreparedRule[]
  readonly #patterns: readonly Pattern[]
  readonly #restricted: boolean
  readonly #patternsUseClientId: boolean
  /** Clients of the same user are one object when nothing depends on the client id; bounded by the users in the file. */
  readonly #shared = new Map<string | undefined, ClientRights>()

  /** `rules` is undefined without an acl_file: then everything is allowed that `$SYS` and `$share` do not forbid. */
  constructor(rules: AclRules | undefined) {
    this.#restricted = rules !== undefined
    for (const [user, list] of rules?.users ?? []) this.#users.set(user, inOrder(list).map(prepareTopic))
    this.#anonymous = inOrder(rules?.anonymous ?? []).map(prepareTopic)
    this.#patterns = inOrder(rules?.patterns ?? []).map(readPattern)
    this.#patternsUseClientId = this.#patterns.some(({ usesClientId }) => usesClientId)
  }

  /** What a client may do. `username` is undefined for a client that sent none. */
  rightsFor(username: string | undefined, clientId: string): ClientRights {
    if (!this.#canShare(username, clientId)) return this.#compile(username, clientId)
    const key = this.#restricted ? username : undefined
    const shared = this.#shared.get(key) ?? this.#compile(username, clientId)
    this.#shared.set(key, shared)
    return shared
  }

  #canShare(username: string | undefined, clientId: string): boolean {
    if (clientId === '') return false
    if (!this.#restricted) return true
    const listed = username === undefined || this.#users.has(username)
    return listed && !this.#patternsUseClientId && !holdsWildcard(clientId)
  }

  #compile(username: string | undefined, clientId: string): ClientRights {
    if (clientId === '') return new ClientRights({ restricted: true, otherwise: 'no-client-id' })
    if (!this.#restricted) return new ClientRights({ restricted: false, otherwise: 'no-acl' })
    const own = username === undefined ? this.#anonymous : (this.#users.get(username) ?? [])
    // A name that is itself a wildcard gets nothing from patterns (CVE-2017-7650).
    if (this.#patterns.length > 0 && (holdsWildcard(username ?? '') || holdsWildcard(clientId)))
      return new ClientRights({ restricted: true, own, otherwise: 'wildcard-in-name' })
    const patterns = this.#patterns.flatMap((pattern) => substitute(pattern, username ?? '', clientId))
    return new ClientRights({ restricted: true, own, patterns, otherwise: 'no-rule' })
  }
}

/** The order of evaluation: denies first, the latest of them first; then the others as they stand in the file. */
export function inOrder(rules: readonly AclRule[]): AclRule[] {
  const denies = rules.filter(({ access }) => access === 'deny').reverse()
  return [...denies, ...rules.filter(({ access }) => access !== 'deny')]
}

function prepareTopic(rule: AclRule): PreparedRule {
  return prepare(rule, rule.filter.split('/').map(wildcardOrText))
}

function readPattern(rule: AclRule): Pattern {
  const levels = rule.filter.split('/')
  return { rule, levels, usesUsername: levels.includes('%u'), usesClientId: levels.includes('%c') }
}

/** The values become literal levels, never wildcards. A value that cannot be one level of a topic makes the pattern unusable. */
function substitute(pattern: Pattern, username: string, clientId: string): PreparedRule[] {
  if (pattern.usesUsername && !isOneLevel(username)) return []
  if (pattern.usesClientId && !isOneLevel(clientId)) return []
  const levels = pattern.levels.map((level) => {
    if (level === '%u') return username
    return level === '%c' ? clientId : wildcardOrText(level)
  })
  return [prepare(pattern.rule, levels)]
}

function prepare(rule: AclRule, levels: (string | undefined | null)[]): PreparedRule {
  const open = levels.at(-1) === null
  return {
    rule,
    reads: rule.access !== 'write',
    writes: rule.access !== 'read',
    denies: rule.access === 'deny',
    levels: (open ? levels.slice(0, -1) : levels).map((level) => level ?? undefined),
    open,
    dollar: rule.filter.startsWith('$'),
  }
}

/** `null` stands for `#` and undefined for `+`, so that a literal level can be any string. */
function wildcardOrText(level: string): string | undefined | null {
  if (level === '#') return null
  return level === '+' ? undefined : level
}

function isOneLevel(value: string): boolean {
  return value !== '' && !value.includes('/') && !holdsWildcard(value)
}

function holdsWildcard(value: string): boolean {
  return value.includes('+') || value.includes('#')
}
