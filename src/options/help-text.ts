// The usage text of a command, made from its table: aligned, wrapped, without colour. Flags that do not work yet are left out.
import type { Flag } from './option.js'
import { wrap } from './text.js'

export interface HelpTopic {
  /** How the command is called, one line each. */
  readonly usage: readonly string[]
  /** One sentence. */
  readonly about: string
  readonly table: readonly Flag[]
  /** What stands behind the list. */
  readonly notes?: readonly string[]
}

const INDENT = 2
/** Flags longer than this have their text on the next line. */
const WIDEST_FLAGS = 30

/** The text for `--help`, at most `width` columns wide where the words allow it, with a newline at the end. */
export function helpText({ usage, about, table, notes = [] }: HelpTopic, width = 80): string {
  const shown = table.filter(isShown)
  const left = shown.map(flagsText)
  const fitting = left.map((text) => text.length).filter((length) => length <= WIDEST_FLAGS)
  const column = INDENT + Math.max(...fitting, 0) + 2
  const lines = shown.flatMap((row, at) => optionLines(left[at] ?? '', describe(row), column, width))
  const calls = usage.map((line, at) => `${at === 0 ? 'Usage: ' : '       '}${line}`)
  const parts = [calls, wrap(about, width), lines, ...notes.map((note) => wrap(note, width))]
  return `${parts.map((part) => part.join('\n')).join('\n\n')}\n`
}

/** Whether a flag works. */
export function isShown(row: Flag): boolean {
  return row.refused === undefined
}

/** `-h, --host HOST`; flags without a short form are indented to the others. */
function flagsText(row: Flag): string {
  const names = row.flags.join(', ')
  const aligned = row.flags[0]?.startsWith('--') ? `    ${names}` : names
  return [aligned, ...(row.args ?? [])].join(' ')
}

function describe(row: Flag): string {
  const repeatable = row.repeatable ? ' May be repeated.' : ''
  return `${row.help}${repeatable}${row.default === undefined ? '' : ` Default: ${String(row.default)}.`}`
}

function optionLines(flags: string, text: string, column: number, width: number): string[] {
  const [first = '', ...rest] = wrap(text, Math.max(width - column, 20))
  const start = `${' '.repeat(INDENT)}${flags}`
  const margin = ' '.repeat(column)
  const others = rest.map((line) => margin + line)
  return start.length + 2 > column ? [start, margin + first, ...others] : [start.padEnd(column) + first, ...others]
}
