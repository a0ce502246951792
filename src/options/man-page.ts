// The option lists of the manual pages, in mdoc, made from the tables. The prose around them is written by hand: a list replaces
// what stands between two marker lines.
import { isShown } from './help-text.js'
import { type Directive, type Flag, hasValue } from './option.js'
import { wrap } from './text.js'
import { rangeText } from './values.js'

/** The marker lines around a generated list. */
export const LIST_BEGIN = '.\\" options: made from the tables by `npm run man`'
export const LIST_END = '.\\" options end'

/** The list of flags that work. */
export function flagList(table: readonly Flag[]): string {
  const items = table.filter(isShown).map((row) => {
    const flags = row.flags.map((flag) => `Fl ${flag.slice(1)}`).join(' , ')
    const args = (row.args ?? []).map((arg) => `Ar ${arg}`).join(' ')
    const facts = [row.repeatable ? 'May be repeated.' : '', defaultText(row.default)]
    return [`.It ${[flags, args].filter(Boolean).join(' ')}`, row.help, ...facts]
  })
  return list(items)
}

/** The list of directives that work, with default, range, place, what a reload does and why a default is not Mosquitto's. */
export function directiveList(table: readonly Directive[]): string {
  const items = table
    .filter((row) => row.later !== true && (hasValue(row) || row.kind === 'structure'))
    .map((row) => [
      `.It Cm ${row.name} Ar ${row.words?.join('|') ?? row.kind}`,
      row.help,
      row.kind === 'integer' && (row.min !== undefined || row.max !== undefined) ? `Range: ${rangeText(row)}.` : '',
      defaultText(row.default),
      row.scope.startsWith('global') ? '' : `Belongs to: ${row.scope}.`,
      row.reload === 'no' ? 'Not changed by a reload.' : '',
      row.legacy ? `Deprecated: ${row.legacy}.` : '',
      row.own ? 'Mosquitto does not have it.' : '',
      row.differs ?? '',
    ])
  return list(items)
}

/** `page` with the list between the markers replaced; throws when a marker is missing. */
export function replaceList(page: string, items: string): string {
  const begin = page.indexOf(LIST_BEGIN)
  const end = page.indexOf(LIST_END)
  if (begin < 0 || end < begin) throw new Error('the page has no markers for its option list')
  return `${page.slice(0, begin)}${LIST_BEGIN}\n${items}${page.slice(end)}`
}

function defaultText(value: unknown): string {
  if (value === undefined) return ''
  if (!Array.isArray(value)) return `Default: ${String(value)}.`
  return `Default: ${value.map((each) => (typeof each === 'object' ? each.to : each)).join(', ')}.`
}

/** Sentences begin on lines of their own; a backslash and a dot at the start of a line are spelt out. */
function list(items: readonly (readonly string[])[]): string {
  const lines = items.flatMap(([head = '', ...facts]) => [
    head,
    ...facts.filter(Boolean).flatMap((fact) => wrap(fact.replaceAll('\\', '\\e'), 78).map(plainStart)),
  ])
  return ['.Bl -tag -width Ds', ...lines, '.El', ''].join('\n')
}

function plainStart(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line
}
