// Text → value, one parser per kind of option. A problem or warning is a sentence without its subject ("must be …"): the reader that
// knows how the option was written puts the name in front. Bridges' own kinds are in bridge-values.ts.
import { parseAddresses, parseBridgeTopic, parseRestartTimeout, parseTcpKeepAlive } from './bridge-values.js'
import type { Kind, KindTypes, LogDestination, Option, PropertyArgument } from './option.js'
import { firstWord, hasForeignBytes, isWellFormed, type Parsed, problem, quoted, value, words } from './text.js'

/** Value of `text` for `row`. `before` is the earlier value of an option whose lines add up (`words`, `log-destination`). */
type Parser<K extends Kind> = (text: string, row: Option, before: unknown) => Parsed<KindTypes[K]>

const INT32_MIN = -2_147_483_648
const INT32_MAX = 2_147_483_647
const NEVER = 4_294_967_295
const SECONDS = { s: 1, h: 3600, d: 86_400, w: 604_800, m: 2_592_000, y: 31_536_000 } as const
const LEVELS: ReadonlyMap<string, 3 | 4 | 5> = new Map([
  ['31', 3],
  ['311', 4],
  ['5', 5],
  ['mqttv31', 3],
  ['mqttv311', 4],
  ['mqttv5', 5],
])

const parsers: { readonly [K in Kind]: Parser<K> } = {
  boolean: parseBoolean,
  integer: (text, row) => parseInteger(text, row, INT32_MIN, INT32_MAX),
  'unsigned-integer': (text, row) => parseInteger(text, row, 0, row.max ?? NEVER),
  string: parseString,
  path: parseString,
  word: parseWord,
  words: parseWords,
  'topic-prefix': parseTopicPrefix,
  duration: parseDuration,
  'protocol-versions': parseProtocolVersions,
  'log-destination': parseLogDestination,
  addresses: parseAddresses,
  'bridge-topic': parseBridgeTopic,
  'restart-timeout': parseRestartTimeout,
  'tcp-keepalive': parseTcpKeepAlive,
  flag: () => value(true),
  text: parseText,
  file: parseText,
  decimal: (text, row) => (/^[+-]?\d+$/.test(text) ? inRange(Number(text), text, row) : notWhole(text)),
  float: parseFloatNumber,
  'protocol-version': parseProtocolVersion,
  'session-expiry': (text, row) =>
    text === '-1' || text === '∞' ? value(NEVER) : parseInteger(text, { ...row, min: 0 }, 0, NEVER),
  property: parseProperty,
  url: parseText,
  'socket-path': parseText,
  structure: () => problem('has no value'),
}

/** The words of one `-D` arrive as one text, with this between them; no word of a command line can contain it. */
export const WORD_END = '\0'

/** Reads `text` as the row's kind asks, with its range and words. */
export function parseValue(row: Option, text: string, before?: unknown): Parsed<unknown> {
  return parsers[row.kind](text, row, before)
}

function parseBoolean(text: string): Parsed<boolean> {
  const word = firstWord(text)
  if (word === 'true' || word === '1') return value(true)
  if (word === 'false' || word === '0') return value(false)
  return word === '' ? missing() : problem(`must be true or false, not ${quoted(word)}`)
}

function parseInteger(text: string, row: Option, lowest: number, highest: number): Parsed<number> {
  const word = firstWord(text)
  if (word === '') return missing()
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(word)
  if (!match) return notWhole(word)
  const [, sign, digits = ''] = match
  const octal = digits.length > 1 && !/^0[xX]/.test(digits)
  const size = digits.startsWith('0') && octal ? Number.parseInt(digits, 8) : Number(digits)
  const number = sign === '-' ? -size : size
  if (number < lowest || number > highest)
    return problem(`must be ${rangeText({ min: row.min ?? lowest, max: row.max ?? highest })}, not ${word}`)
  return inRange(number + 0, word, row)
}

function inRange(number: number, text: string, row: Option): Parsed<number> {
  const { min = -Infinity, max = Infinity } = row
  if (number < min && row.below === 'raised') return value(min)
  if (number < min && row.below) return value(min, `is at least ${min}, which is used instead of ${text}`)
  if (number > max && row.above) return value(max, `is at most ${max}, which is used instead of ${text}`)
  if (number < min || number > max) return problem(`must be ${rangeText(row)}, not ${text}`)
  return value(number)
}

/** "between 0 and 2", "at least 20". */
export function rangeText({ min, max }: { readonly min?: number; readonly max?: number }): string {
  if (min !== undefined && max !== undefined && max !== INT32_MAX) return `between ${min} and ${max}`
  if (min !== undefined) return `at least ${min}`
  return `at most ${max}`
}

function parseString(text: string, row: Option): Parsed<string> {
  const trimmed = text.replace(/^[ \t]+|[ \t]+$/g, '')
  if (trimmed === '') return missing()
  if (!isWellFormed(trimmed)) return problem('must not contain control characters')
  const longest = row.max ?? 65_535
  return Buffer.byteLength(trimmed) > longest ? problem(`must not be longer than ${longest} bytes`) : value(trimmed)
}

function parseText(text: string, row: Option): Parsed<string> {
  const { min = row.kind === 'text' ? 0 : 1, max = Infinity } = row
  if (text.length < min) return problem('must not be empty')
  if (!row.bytes && hasForeignBytes(text)) return problem('must be UTF-8')
  return Buffer.byteLength(text) > max ? problem(`must not be longer than ${max} bytes`) : value(text)
}

function parseWord(text: string, row: Option): Parsed<string> {
  const [word, extra] = words(text)
  if (word === undefined) return missing()
  if (!row.words?.includes(word)) return notAmong(word, row)
  return value(word, ignoredWord(word, extra))
}

function parseWords(text: string, row: Option, before: unknown): Parsed<readonly string[]> {
  const parsed = parseWord(text, row)
  if ('problem' in parsed) return parsed
  const { value: word, warning } = parsed
  if (word === 'none') return value([], warning)
  if (word === 'all') return value(row.words?.filter((each) => each !== 'none' && each !== 'all') ?? [], warning)
  const earlier = (before ?? []) as readonly string[]
  return value(earlier.includes(word) ? earlier : [...earlier, word], warning)
}

function parseLogDestination(text: string, row: Option, before: unknown): Parsed<readonly LogDestination[]> {
  const [to, extra] = words(text)
  if (to === undefined) return missing()
  const earlier = (before ?? []) as readonly LogDestination[]
  switch (to) {
    case 'none':
      return value([], ignoredWord(to, extra))
    case 'stdout':
    case 'stderr':
    case 'syslog':
    case 'topic':
      return value([...earlier.filter((each) => each.to !== to), { to }], ignoredWord(to, extra))
    case 'file': {
      const path = text.replace(/^ *file/, '').trim()
      if (path === '') return problem('file needs a path')
      if (!isWellFormed(path)) return problem('must not contain control characters')
      if (earlier.some((each) => each.to === 'file')) return problem('file is given twice; one log file is possible')
      return value([...earlier, { to, path }])
    }
    default:
      return notAmong(to, row)
  }
}

function parseTopicPrefix(text: string, row: Option): Parsed<string> {
  const parsed = parseString(text, row)
  if ('value' in parsed && /[+#]/.test(parsed.value)) return problem('must not contain the wildcards + and #')
  return parsed
}

function parseDuration(text: string): Parsed<number> {
  const word = firstWord(text)
  if (word === '') return missing()
  const match = /^(\d+)([shdwmy])$/.exec(word)
  const seconds = match ? Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS] : 0
  if (seconds > 0 && Number.isSafeInteger(seconds)) return value(seconds)
  return problem(`must be a number above 0 with one of s, h, d, w, m, y behind it, not ${quoted(word)}`)
}

function parseProtocolVersions(text: string): Parsed<readonly (3 | 4 | 5)[]> {
  const given = text.split(/[, \t]+/).filter((word) => word !== '')
  if (given.length === 0) return missing()
  const known = ([3, 4, 5] as const).filter((version) => given.includes(String(version)))
  if (known.length === 0) return problem(`must name at least one of 3, 4 and 5, not ${quoted(text.trim())}`)
  const unknown = given.filter((word) => !/^[345]$/.test(word))
  return value(known, unknown.length > 0 ? `knows 3, 4 and 5; ${unknown.map(quoted).join(' ')} is ignored` : undefined)
}

function parseFloatNumber(text: string, row: Option): Parsed<number> {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return problem(`must be a number, not ${quoted(text)}`)
  return inRange(Number(text), text, row)
}

function parseProtocolVersion(text: string): Parsed<3 | 4 | 5> {
  const level = LEVELS.get(text)
  if (level !== undefined) return value(level)
  return problem(`must be one of ${[...LEVELS.keys()].join(', ')}, not ${quoted(text)}`)
}

function parseProperty(text: string): Parsed<PropertyArgument> {
  const [command = '', property = '', ...values] = text.split(WORD_END)
  return value({ command: command.toLowerCase(), property: property.toLowerCase(), values })
}

function missing(): { readonly problem: string } {
  return problem('needs a value')
}

function notWhole(text: string): { readonly problem: string } {
  return problem(text === '' ? 'needs a value' : `must be a whole number, not ${quoted(text)}`)
}

function notAmong(word: string, row: Option): { readonly problem: string } {
  return problem(`must be one of ${row.words?.join(', ')}, not ${quoted(word)}`)
}

/** A second word does nothing, which surprises people who write `log_type error warning`; a comment does not. */
function ignoredWord(word: string, extra: string | undefined): string | undefined {
  if (extra === undefined || extra.startsWith('#')) return undefined
  return `takes one word a line: ${quoted(extra)} behind ${word} is ignored`
}
