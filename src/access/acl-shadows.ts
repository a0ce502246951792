// ACL rules that can never decide anything, because a rule of the same scope that is asked before them covers all they are about.
// The scopes are the block for anonymous clients, the block of one user, and the patterns; the order is that of acl.ts.

import { inOrder } from './acl.js'
import type { AclRule, AclRules } from './acl-file.js'
import type { FileProblem } from './file-lines.js'

/** A rule with what is compared. */
interface Scope {
  readonly rule: AclRule
  readonly reads: boolean
  readonly writes: boolean
  /** Without a `#` at the end. */
  readonly levels: readonly string[]
  readonly open: boolean
}

/**
 * The rules that can go, by line. A rule can if for each right it speaks of (read, write) there is one that is asked earlier, speaks
 * of that right, and covers its filter: by a single rule, not by several together. `%u` and `%c` in patterns cover themselves.
 */
export function shadowedRules({ anonymous, users, patterns }: AclRules): FileProblem[] {
  const found = [anonymous, ...users.values(), patterns].flatMap(shadowedIn)
  return found.sort((a, b) => a.line - b.line)
}

function shadowedIn(rules: readonly AclRule[]): FileProblem[] {
  const asked = inOrder(rules).map(scopeOf)
  return asked.flatMap((scope) => {
    const deciding: (AclRule | undefined)[] = []
    if (scope.reads) deciding.push(firstBefore(scope, asked, ({ reads }) => reads))
    if (scope.writes) deciding.push(firstBefore(scope, asked, ({ writes }) => writes))
    const rules = deciding.filter((rule) => rule !== undefined)
    if (rules.length < deciding.length) return []
    return [{ line: scope.rule.line, message: shadowText(scope.rule, [...new Set(rules)]) }]
  })
}

function firstBefore(scope: Scope, asked: readonly Scope[], speaks: (each: Scope) => boolean): AclRule | undefined {
  for (const earlier of asked) {
    if (earlier === scope) return undefined
    if (speaks(earlier) && covers(earlier, scope)) return earlier.rule
  }
  return undefined
}

function shadowText(rule: AclRule, deciding: readonly AclRule[]): string {
  const before = deciding.map(({ line, text }) => `line ${line} (${text})`).join(' and ')
  const isLater = deciding.some(({ line }) => line > rule.line)
  const why = isLater ? ', because denies are asked first, the last of them before the others' : ''
  return `this rule (${rule.text}) never decides: ${before} ${deciding.length > 1 ? 'do' : 'does'}${why}`
}

function scopeOf(rule: AclRule): Scope {
  const levels = rule.filter.split('/')
  const open = levels.at(-1) === '#'
  return {
    rule,
    reads: rule.access !== 'write',
    writes: rule.access !== 'read',
    levels: open ? levels.slice(0, -1) : levels,
    open,
  }
}

/** Whether every topic that `inner` matches is matched by `outer`. */
function covers(outer: Scope, inner: Scope): boolean {
  // What begins with `$` is only matched by what does.
  if (outer.rule.filter.startsWith('$') !== inner.rule.filter.startsWith('$')) return false
  if (inner.open && !outer.open) return false
  // A topic has one level at least, whatever `#` leaves open.
  const least = inner.open ? Math.max(inner.levels.length, 1) : inner.levels.length
  if (outer.open ? outer.levels.length > least : outer.levels.length !== least) return false
  return outer.levels.every((level, at) => level === '+' || level === inner.levels[at])
}
