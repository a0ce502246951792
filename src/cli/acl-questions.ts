// --acl-check and --acl-test: what a client with a given user name and id may do, asked of the evaluator that the broker uses, without
// a broker. The answers name file, line and rule. Who may connect at all is another matter, which a note tells.

import { readFileSync } from 'node:fs'
import { AccessFileError } from '../access/access-file-error.js'
import { Acl } from '../access/acl.js'
import { loadAclFile } from '../access/acl-file.js'
import { DECISION_REASONS } from '../access/client-rights.js'
import { loadPasswordFile } from '../access/password-file.js'
import { systemText } from '../access/restricted-file.js'
import { mayPublish } from '../broker/clients/publish-in.js'
import { isIdentifiedByHandshake } from '../broker/identity.js'
import type { Config, ListenerConfig } from '../options/config.js'
import { quoted } from '../options/text.js'
import { WORD_END } from '../options/values.js'
import { isTopicName, parseFilter } from '../protocol/topics.js'

const VERBS = ['read', 'write', 'subscribe'] as const

/** May this client do this? */
export interface AclQuestion {
  /** Undefined for a client that sends none. */
  readonly username: string | undefined
  /** Undefined when none was named. */
  readonly clientId: string | undefined
  readonly verb: (typeof VERBS)[number]
  /** As the client writes it: without the mount point. */
  readonly topic: string
}

/** One line of a table of questions. */
export interface ExpectedAnswer {
  readonly line: number
  readonly expected: 'allow' | 'deny'
  readonly question: AclQuestion
}

export interface AclAnswer {
  readonly allowed: boolean
  /** File and line of the rule, the file when none matches, `-` where no file is concerned. */
  readonly where: string
  /** The rule as written, or why it is decided without one. */
  readonly why: string
}

/** A question that makes no sense, or cannot be asked of this configuration. */
export class QuestionError extends Error {
  override readonly name = 'QuestionError'
}

/** A client id that is none for patterns: it stands for one that was not named. */
const ANY_ID = '/'

/**
 * Reads the three words of `--acl-check` as the command line has joined them.
 * @throws QuestionError
 */
export function parseQuestion(words: string): AclQuestion {
  const [client = '', verb = '', topic = ''] = words.split(WORD_END)
  return questionOf(client, verb, topic)
}

function questionOf(client: string, word: string, topic: string): AclQuestion {
  const verb = VERBS.find((each) => each === word)
  if (verb === undefined) throw new QuestionError(`the verb is one of ${VERBS.join(', ')}, not ${quoted(word)}`)
  if (verb === 'subscribe' ? parseFilter(topic) === undefined : !isTopicName(topic))
    throw new QuestionError(
      `${quoted(topic)} is not a topic ${verb === 'subscribe' ? 'filter' : 'name (those have no + and #)'}`,
    )
  return { ...clientOf(client), verb, topic }
}

/** `user=NAME`, `id=CLIENT` or both with a comma between them; nothing for an anonymous client without a known id. */
function clientOf(text: string): Pick<AclQuestion, 'username' | 'clientId'> {
  const found = new Map<string, string>()
  for (const part of text === '' ? [] : text.split(/,(?=user=|id=)/)) {
    const [, name, of] = /^(user|id)=(.*)$/s.exec(part) ?? []
    if (name === undefined || of === undefined)
      throw new QuestionError(`the client is user=NAME, id=CLIENT or user=NAME,id=CLIENT, not ${quoted(text)}`)
    if (found.has(name)) throw new QuestionError(`${name}= is given twice in ${quoted(text)}`)
    found.set(name, of)
  }
  if (found.get('id') === '') throw new QuestionError('id= is empty: a client without an id is given one by the broker')
  return { username: found.get('user'), clientId: found.get('id') }
}

/**
 * Reads a table of questions: `allow|deny user=NAME,id=CLIENT read|write|subscribe TOPIC`, `#` in the first column for comments.
 * @throws QuestionError with every line that is none, or when the file cannot be read
 */
export function readQuestions(file: string): readonly ExpectedAnswer[] {
  const faults: string[] = []
  const questions = readText(file)
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap((text, index): ExpectedAnswer[] => {
      const line = index + 1
      if (text.startsWith('#') || text.trim() === '') return []
      try {
        return [{ line, ...expectedAnswer(text.trim()) }]
      } catch (error) {
        if (!(error instanceof QuestionError)) throw error
        faults.push(`${file}:${line}: ${error.message}`)
        return []
      }
    })
  if (faults.length > 0) throw new QuestionError(faults.join('\n'))
  if (questions.length === 0) throw new QuestionError(`${file}: there is no question in it`)
  return questions
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new QuestionError(`${file}: ${systemText(error)}`)
  }
}

function expectedAnswer(text: string): Omit<ExpectedAnswer, 'line'> {
  const [, expected, rest = ''] = /^(allow|deny)(?: +(.*))?$/.exec(text) ?? []
  if (expected !== 'allow' && expected !== 'deny')
    throw new QuestionError(`a line begins with allow or deny, not ${quoted(text)}`)
  const [, client = '', verb, topic] = /^(?:(.*?) +)?(read|write|subscribe) +(.+)$/.exec(rest) ?? []
  if (verb === undefined || topic === undefined)
    throw new QuestionError(`${quoted(rest)} is not user=NAME,id=CLIENT, one of ${VERBS.join(', ')}, and a topic`)
  return { expected, question: questionOf(client, verb, topic) }
}

/** Answers questions about the clients of one listener. */
export class AclOracle {
  private readonly listener: ListenerConfig
  private readonly acl: Acl
  private readonly usesClientIds: boolean
  /** Undefined without a password file that can be read. */
  private readonly users: ReadonlySet<string> | undefined = undefined
  private readonly passwordNote: string | undefined = undefined

  /**
   * Reads the ACL and password files of the listener at `place`, a port or a path; by default of any, if they do not differ.
   * @throws QuestionError when there is no such listener, or they differ; AccessFileError of the ACL file
   */
  constructor(config: Config, place: string | undefined) {
    this.listener = chooseListener(config, place)
    const { acl_file: aclFile, password_file: passwordFile } = this.listener
    const rules = aclFile === undefined ? undefined : loadAclFile(aclFile).rules
    this.acl = new Acl(rules)
    this.usesClientIds = rules?.patterns.some(({ filter }) => filter.split('/').includes('%c')) ?? false
    try {
      if (passwordFile !== undefined) this.users = new Set(loadPasswordFile(passwordFile).users.keys())
    } catch (error) {
      if (!(error instanceof AccessFileError)) throw error
      this.passwordNote = `whether the broker lets the client in is not known: ${error.message.split('\n')[0]}`
    }
  }

  answer({ username, clientId, verb, topic }: AclQuestion): AclAnswer {
    const { acl_file: file = '-', mount_point: prefix = '', use_username_as_clientid: usesName } = this.listener
    const id = usesName && username ? username : clientId
    const rights = this.acl.rightsFor(username, id ?? ANY_ID)
    const { allowed, reason, rule } = rights.decide(verb, verb === 'subscribe' ? topic : prefix + topic)
    if (verb === 'write' && allowed && !mayPublish(prefix, rights, topic))
      return { allowed: false, where: '-', why: DECISION_REASONS['sys-write'] }
    if (rule !== undefined) return { allowed, where: `${file}:${rule.line}`, why: rule.text }
    const isOfFile = reason === 'no-rule' || reason === 'wildcard-in-name'
    return { allowed, where: isOfFile ? file : '-', why: DECISION_REASONS[reason] }
  }

  /** What else should be known about the client of a question, as sentences. */
  notes({ username, clientId, verb }: AclQuestion): readonly string[] {
    const { use_username_as_clientid: usesName } = this.listener
    const refusal = this.refusalOf(username)
    return [
      ...(clientId === undefined && verb !== 'subscribe' && !usesName && this.usesClientIds
        ? ['without id= the patterns with %c are left out']
        : []),
      ...(refusal === undefined ? [] : [refusal]),
    ]
  }

  private refusalOf(username: string | undefined): string | undefined {
    const { allow_anonymous: anonymous, password_file: file } = this.listener
    if (isIdentifiedByHandshake(this.listener)) return undefined
    if (username === undefined)
      return anonymous ? undefined : 'the broker does not let clients without a user name in (allow_anonymous)'
    const who = quoted(username)
    if (file === undefined)
      return anonymous ? undefined : `the broker does not let ${who} in: there is no password_file`
    if (this.users === undefined) return this.passwordNote
    return this.users.has(username) ? undefined : `the broker does not let ${who} in: there is no such user in ${file}`
  }
}

function chooseListener({ listeners }: Config, place: string | undefined): ListenerConfig {
  const chosen =
    place === undefined ? listeners : listeners.filter(({ port, path }) => (path ?? String(port)) === place)
  const [first] = chosen
  const places = [...new Set(listeners.map(({ port, path }) => path ?? String(port)))].join(', ')
  if (first === undefined) throw new QuestionError(`there is no listener ${place}; there is ${places}`)
  const differs = chosen.some(
    ({ acl_file: file, mount_point: prefix }) => file !== first.acl_file || prefix !== first.mount_point,
  )
  if (!differs) return first
  throw new QuestionError(
    `the listeners have different ACL files or mount points: choose one with --listener (${places})`,
  )
}
