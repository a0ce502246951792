// argv → values, for every command. Mosquitto's style is stricter than yargs': each option is a word of its own and the next word
// is its value whatever it looks like (`-m -5`); `--opt=value` works too. argv is brought into one form first, then parsed.
import { Parser } from 'yargs/helpers'
import { urlParts } from './broker-url.js'
import { nearest } from './nearest.js'
import { type Flag, hasValue, type Option, type ValuesOf, valuesOf } from './option.js'
import type { EarlierWords } from './options-file.js'
import { quoted } from './text.js'
import { parseValue, WORD_END } from './values.js'

/** A command line that cannot be carried out. `message` names the flag as it was typed. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface CommandLine<T extends readonly Flag[]> {
  /** By name of the row; defaults for what was not given. */
  readonly values: ValuesOf<T>
  /** Names of the rows given, in the order of the words, for rules such as "the last one counts". */
  readonly given: readonly string[]
  /** The words behind the options. */
  readonly operands: readonly string[]
}

/** An option as given. */
interface Given {
  readonly row: Flag
  /** As typed, without a value behind `=`. */
  readonly flag: string
  readonly text: string
}

export interface CommandLineRules {
  readonly operands?: boolean | 'behind --'
  /** What stands before `argv`, such as the lines of an options file; asked for once the options in `argv` are known. */
  readonly earlier?: (scanned: {
    readonly names: readonly string[]
    text(name: string): string | undefined
  }) => readonly EarlierWords[]
}

interface Scanned {
  readonly given: readonly Given[]
  readonly operands: readonly string[]
  /** An option such as `--help` has ended the scan. */
  readonly ended: boolean
}

/**
 * Reads `argv` (without node and script) by `table`. The last of several values counts, unless the option is repeatable. With
 * `operands` the first word that is not an option, and everything behind it, is an operand, or with `behind --` what follows that
 * word; otherwise such a word is an error.
 * Throws `UsageError` at the first thing wrong, from left to right.
 */
export function parseCommandLine<const T extends readonly Flag[]>(
  table: T,
  argv: readonly string[],
  { operands = false, earlier = () => [] }: CommandLineRules = {},
): CommandLine<T> {
  const scanned = scan(table, argv, operands)
  const given = scanned.ended ? scanned.given : [...scanEarlier(table, scanned.given, earlier), ...scanned.given]
  if (!scanned.ended) checkTogether(table, given)
  return {
    values: valuesOf(table, collect(table, given)),
    given: given.map(({ row }) => row.name),
    operands: scanned.operands,
  }
}

function scanEarlier(
  table: readonly Flag[],
  given: readonly Given[],
  earlier: NonNullable<CommandLineRules['earlier']>,
): readonly Given[] {
  const names = given.map(({ row }) => row.name)
  const lines = earlier({ names, text: (name) => given.findLast(({ row }) => row.name === name)?.text })
  return lines.flatMap(({ words, origin }) => {
    try {
      return scan(table, words, false).given.map((each) => ({ ...each, flag: `${origin}: ${each.flag}` }))
    } catch (error) {
      throw error instanceof UsageError ? new UsageError(`${origin}: ${error.message}`) : error
    }
  })
}

/** Finds each option and its words. */
function scan(table: readonly Flag[], argv: readonly string[], operands: boolean | 'behind --'): Scanned {
  const byFlag = new Map(table.flatMap((row) => row.flags.map((flag) => [flag, row] as const)))
  const given: Given[] = []
  let taker: Flag | undefined
  for (let at = 0; at < argv.length; ) {
    const word = argv[at++] ?? ''
    if (taker !== undefined && !byFlag.get(splitAttached(word).flag)?.needs?.includes(taker.name))
      return { given, operands: argv.slice(word === '--' ? at : at - 1), ended: false }
    if (operands === 'behind --' && word === '--') return { given, operands: argv.slice(at), ended: false }
    if (operands === true && (word === '-' || !word.startsWith('-')))
      return { given, operands: [word, ...argv.slice(at)], ended: false }
    const { flag, attached } = byFlag.has(word) ? { flag: word } : splitAttached(word)
    const row = byFlag.get(flag)
    if (row === undefined) throw new UsageError(unknownOption(word, byFlag))
    const text = takeWords(row, flag, attached, argv.slice(at))
    at += text.taken
    if (row.refused) throw new UsageError(`${flag} is not supported: ${row.refused}`)
    given.push({ row, flag, text: text.words }, ...impliedBy(table, row, flag, text.words))
    if (row.ends) return { given, operands: [], ended: true }
    if (row.takesRest) taker = row
  }
  return { given, operands: [], ended: false }
}

function splitAttached(word: string): { readonly flag: string; readonly attached?: string } {
  const equals = word.startsWith('--') ? word.indexOf('=') : -1
  return equals < 0 ? { flag: word } : { flag: word.slice(0, equals), attached: word.slice(equals + 1) }
}

/** The words that belong to an option, as one text, and how many of `rest` they were. */
function takeWords(row: Flag, flag: string, attached: string | undefined, rest: readonly string[]) {
  const { args = [] } = row
  if (row.kind === 'flag' && attached !== undefined) throw new UsageError(`${flag} takes no value`)
  const all = attached === undefined ? rest : [attached, ...rest]
  const isPair = row.kind === 'property' && all[1]?.toLowerCase() === 'user-property'
  const wanted = isPair ? [...args, 'VALUE'] : args
  if (row.leftOut !== undefined && attached === undefined && !isValue(rest[0])) return { words: row.leftOut, taken: 0 }
  if (all.length < wanted.length) throw new UsageError(`${flag} needs ${wanted.join(' ')} behind it`)
  const words = all.slice(0, wanted.length).join(WORD_END)
  return { words, taken: wanted.length - (attached === undefined ? 0 : 1) }
}

/** The options that one word sets besides its own. */
function impliedBy(table: readonly Flag[], { kind }: Flag, flag: string, text: string): readonly Given[] {
  if (kind !== 'url' && kind !== 'socket-path') return []
  const parts = kind === 'url' ? urlParts(text) : { value: [['host', text] as const, ['port', '0'] as const] }
  if ('problem' in parts) throw new UsageError(`${flag} ${parts.problem}`)
  return parts.value.flatMap(([name, part]) => {
    const row = table.find((each) => each.name === name)
    return row === undefined ? [] : [{ row, flag, text: part }]
  })
}

/** Whether a word is the value of an option that may go without: `-` is, as a name for standard input. */
function isValue(word: string | undefined): boolean {
  return word !== undefined && (word === '-' || !word.startsWith('-'))
}

function unknownOption(word: string, byFlag: ReadonlyMap<string, Flag>): string {
  if (!word.startsWith('-')) return `unexpected word ${quoted(word)}: the value of an option stands behind its flag`
  const short = word.slice(0, 2)
  const joined = byFlag.get(short)?.args && word.length > 2 ? `${short} ${word.slice(2).replace(/^=/, '')}` : undefined
  const { flag } = splitAttached(word)
  const flags = [...byFlag.keys()]
  const long = flags.filter((each) => each.startsWith('--'))
  const guess = nearest(flag, long) ?? joined ?? nearest(flag, flags)
  return `unknown option ${quoted(word)}${guess ? `; did you mean ${guess}?` : ''}`
}

/** The options by name: `--name text` is the one form that yargs is given. */
function collect(table: readonly Flag[], given: readonly Given[]): Map<string, unknown> {
  const withValue = given.filter(({ row }) => row.kind !== 'flag').map(({ row }) => row.name)
  const without = given.filter(({ row }) => row.kind === 'flag').map(({ row }) => row.name)
  const words = given.flatMap(({ row, text }) => (row.kind === 'flag' ? [`--${row.name}`] : [`--${row.name}`, text]))
  const parsed = Parser(words, {
    string: withValue,
    boolean: without,
    narg: Object.fromEntries(withValue.map((name) => [name, 1])),
    configuration: { 'nargs-eats-options': true },
  })
  const values = new Map<string, unknown>()
  for (const row of table.filter(hasValue)) {
    const texts: readonly unknown[] = [parsed[row.name] ?? []].flat()
    const typed = given.filter((each) => each.row === row)
    if (row.kind === 'flag') values.set(row.name, texts.length > 0)
    else if (texts.length > 0) values.set(row.name, readValues(row, texts.map(String), typed))
  }
  return values
}

function readValues(row: Option, texts: readonly string[], typed: readonly Given[]): unknown {
  const values = texts.map((text, at) => {
    const parsed = parseValue(row, text)
    if ('problem' in parsed) throw new UsageError(`${typed[at]?.flag} ${parsed.problem}`)
    if (parsed.warning) throw new UsageError(`${typed[at]?.flag} ${parsed.warning}`)
    return parsed.value
  })
  return row.repeatable ? values : values.at(-1)
}

/** The rules between options: `group`, `most`, `excludes`, `needs`. */
function checkTogether(table: readonly Flag[], given: readonly Given[]): void {
  const byName = new Map(given.map((each) => [each.row.name, each.flag]))
  for (const { row, flag } of given) {
    const same = given.filter((each) => each.row === row).length
    if (row.most !== undefined && same > row.most)
      throw new UsageError(`${flag} may be given ${row.most === 1 ? 'once only' : `${row.most} times at most`}`)
    if (row.group !== undefined && given.filter((each) => each.row.group === row.group).length > 1) {
      const names = table.filter((each) => each.group === row.group).map((each) => each.flags[0])
      throw new UsageError(`only one of ${names.join(' ')} may be given, and once`)
    }
    const other = row.excludes?.find((name) => byName.has(name))
    if (other !== undefined) throw new UsageError(`${flag} and ${byName.get(other)} cannot be used together`)
    const missing = row.needs?.find((name) => !byName.has(name))
    if (missing === undefined) continue
    const needed = table.find((each) => each.name === missing)?.flags.at(-1)
    throw new UsageError(`${flag} needs ${needed} too`)
  }
}
