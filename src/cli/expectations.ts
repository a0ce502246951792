// The assertions of tsmq-sub: what --expect, --expect-regex and --expect-json ask of a message, and what to say when no message had
// it. When the run ends because of them is decided in message-flow.ts.

import { isDeepStrictEqual } from 'node:util'
import { UsageError } from '../options/command-line.js'
import { quoted } from '../options/text.js'

export interface ExpectationOptions {
  readonly expect: string | undefined
  readonly expect_regex: readonly string[]
  readonly expect_json: readonly string[]
}

interface Expectation {
  /** What is wanted, in words. */
  readonly wanted: string
  holds(text: string): boolean
}

/** Bytes of a payload that a message about it shows. */
const SHOWN = 200

export class Expectations {
  private readonly all: readonly Expectation[]
  private seen = 0
  private last = ''

  /** @throws UsageError for a pattern or a place that cannot be understood */
  constructor({ expect, expect_regex, expect_json }: ExpectationOptions) {
    this.all = [
      ...(expect === undefined ? [] : [exactly(expect)]),
      ...expect_regex.map(matching),
      ...expect_json.map(member),
    ]
  }

  get isEmpty(): boolean {
    return this.all.length === 0
  }

  /** Whether all of them hold for this message. */
  areMetBy(topic: string, payload: Buffer): boolean {
    const text = payload.toString()
    this.seen++
    this.last = `${topic} ${quotedStart(text)}`
    return this.all.every((each) => each.holds(text))
  }

  /** For people: what was wanted and what came. */
  describe(): string {
    const wanted = this.all.map((each) => each.wanted).join(' and ')
    const others = this.seen > 1 ? `, the last of ${this.seen} messages` : ''
    return `wanted a message ${wanted}; got ${this.seen === 0 ? 'none' : this.last + others}`
  }
}

function quotedStart(text: string): string {
  return text.length > SHOWN ? `'${text.slice(0, SHOWN)}...'` : `'${text}'`
}

function exactly(wanted: string): Expectation {
  return { wanted: `that is ${quotedStart(wanted)}`, holds: (text) => text === wanted }
}

function matching(pattern: string): Expectation {
  let expression: RegExp
  try {
    expression = new RegExp(pattern, 'u')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`--expect-regex ${quoted(pattern)}: ${reason}`)
  }
  return { wanted: `that matches /${pattern}/`, holds: (text) => expression.test(text) }
}

/** `/place/in/it=value`: a JSON pointer (RFC 6901), and JSON or else text. */
function member(argument: string): Expectation {
  const equals = argument.indexOf('=')
  const pointer = argument.slice(0, Math.max(equals, 0))
  if (equals < 0 || (pointer !== '' && !pointer.startsWith('/')))
    throw new UsageError(`--expect-json ${quoted(argument)} is not /POINTER=VALUE`)
  const path = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  const text = argument.slice(equals + 1)
  const value = parsed(text) ?? { json: text }
  return {
    wanted: `whose ${pointer === '' ? 'JSON' : pointer} is ${JSON.stringify(value.json)}`,
    holds: (payload) => {
      const document = parsed(payload)
      return document !== undefined && isDeepStrictEqual(valueAt(document.json, path), value.json)
    },
  }
}

/** The JSON value of a text, or undefined. */
function parsed(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  let at = document
  for (const token of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, token)) return undefined
    at = (at as Record<string, unknown>)[token]
  }
  return at
}
