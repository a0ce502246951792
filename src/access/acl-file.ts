// ACL files: their line grammar (spec: files.md section 2.1), read into rules that know the line they came from. What the rules
// mean for a client is for acl.ts.
import { hasAcceptableDepth, isTopicFilter, MAX_TOPIC_BYTES, MAX_TOPIC_LEVELS } from '../protocol/topics.js'
import { AccessFileError } from './access-file-error.js'
import { type FileProblem, type NumberedLine, splitLines, trimBlanks, trimBlanksEnd } from './file-lines.js'
import { readRestrictedFile } from './restricted-file.js'

export const ACL_ACCESS = ['read', 'write', 'readwrite', 'deny'] as const
export type AclAccess = (typeof ACL_ACCESS)[number]

/** One `topic` or `pattern` line. */
export interface AclRule {
  /** Counted from 1. */
  readonly line: number
  /** The line as written, without surrounding blanks. */
  readonly text: string
  readonly access: AclAccess
  readonly filter: string
}

/** The rules of a file, each list in file order. */
export interface AclRules {
  /** `topic` lines before the first `user` line: for clients without a user name. */
  readonly anonymous: readonly AclRule[]
  /** `topic` lines by the user named above them. */
  readonly users: ReadonlyMap<string, readonly AclRule[]>
  /** `pattern` lines: for everyone. */
  readonly patterns: readonly AclRule[]
}

/** What an ACL file says; the rules are only to be used when there are no problems. */
export interface AclFile {
  readonly rules: AclRules
  readonly problems: readonly FileProblem[]
  /** Lines that are used but hardly mean what was wanted. */
  readonly warnings: readonly FileProblem[]
}

/** A usable ACL file from disk. */
export interface LoadedAclFile {
  readonly rules: AclRules
  /** About its permissions and its lines, ready to show. */
  readonly warnings: readonly string[]
}

/** Reads and checks a whole file. Throws AccessFileError with every problem in it. */
export function loadAclFile(path: string): LoadedAclFile {
  const { content, warnings } = readRestrictedFile(path)
  const file = parseAclFile(content)
  if (file.problems.length > 0) throw new AccessFileError(path, file.problems)
  return {
    rules: file.rules,
    warnings: [...warnings, ...file.warnings.map(({ line, message }) => `Warning: ${path}:${line}: ${message}`)],
  }
}

/** Reads the bytes of an ACL file; all problems are found, not only the first. */
export function parseAclFile(content: Uint8Array): AclFile {
  const { lines, problems } = splitLines(content)
  const reader = new AclReader()
  for (const line of lines) {
    const message = reader.read(line)
    if (message !== undefined) problems.push({ line: line.line, message })
  }
  const { anonymous, users, patterns, warnings } = reader
  return { rules: { anonymous, users, patterns }, problems: problems.sort((a, b) => a.line - b.line), warnings }
}

/** Takes the lines in order and keeps the user they belong to. */
class AclReader {
  readonly anonymous: AclRule[] = []
  readonly users = new Map<string, AclRule[]>()
  readonly patterns: AclRule[] = []
  readonly warnings: FileProblem[] = []
  #block = this.anonymous

  /** Returns what is wrong with the line, if anything is. */
  read({ line, text: raw }: NumberedLine): string | undefined {
    if (raw.startsWith('#')) return undefined
    const text = trimSpaces(trimBlanksEnd(raw))
    if (text === '') return undefined
    const [keyword, rest] = splitWord(text)
    if (keyword === 'user') return this.#openUser(rest)
    if (keyword === 'topic' || keyword === 'pattern') return this.#addRule(keyword, rest, line, text)
    if (keyword.startsWith('#')) return 'a comment must begin in the first column'
    return `${JSON.stringify(keyword)} is none of user, topic and pattern`
  }

  #openUser(rest: string): string | undefined {
    const name = trimBlanks(rest)
    if (name === '') return 'the user name is missing'
    this.#block = this.users.get(name) ?? []
    this.users.set(name, this.#block)
    return undefined
  }

  #addRule(keyword: 'topic' | 'pattern', rest: string, line: number, text: string): string | undefined {
    if (rest === '') return `the ${keyword} is missing`
    const [word, afterWord] = splitWord(rest)
    const access = afterWord === '' ? 'readwrite' : ACL_ACCESS.find((known) => known === word)
    if (!access) return `${JSON.stringify(word)} is no access type; the types are ${ACL_ACCESS.join(', ')}`
    const filter = afterWord === '' ? word : afterWord
    const objection = objectionTo(filter)
    if (objection) return objection
    const list = keyword === 'topic' ? this.#block : this.patterns
    list.push({ line, text, access, filter })
    const doubt = doubtAbout(keyword, filter)
    if (doubt) this.warnings.push({ line, message: doubt })
    return undefined
  }
}

function objectionTo(filter: string): string | undefined {
  if (!isTopicFilter(filter)) return `${JSON.stringify(filter)} is not a valid topic filter`
  if (Buffer.byteLength(filter) > MAX_TOPIC_BYTES) return `the topic filter is longer than ${MAX_TOPIC_BYTES} bytes`
  if (!hasAcceptableDepth(filter)) return `the topic filter has more than ${MAX_TOPIC_LEVELS} levels`
  return undefined
}

function doubtAbout(keyword: 'topic' | 'pattern', filter: string): string | undefined {
  if (filter.includes('\t')) return 'the tab is part of the topic filter; words are separated by spaces'
  if (ACL_ACCESS.some((known) => known === filter))
    return `${JSON.stringify(filter)} is taken as the topic filter, because nothing follows it`
  if (keyword === 'pattern' && !filter.split('/').some((level) => level === '%c' || level === '%u'))
    return 'the pattern has neither %c nor %u as a whole level'
  return undefined
}

/** The first word and what follows the spaces behind it. */
function splitWord(text: string): [word: string, rest: string] {
  const end = text.indexOf(' ')
  return end < 0 ? [text, ''] : [text.slice(0, end), trimSpaces(text.slice(end))]
}

/** Leading spaces only: a tab is part of a word. */
function trimSpaces(text: string): string {
  return text.replace(/^ +/, '')
}
