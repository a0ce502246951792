// The option lists of the manual pages, in mdoc, made from the tables. The prose around them is written by hand: a list replaces
// what stands between two marker lines. Which page has which lists is decided by those who write the pages.
import { isShown } from './help-text.js'
import { type Directive, type Flag, hasValue, type Kind, type Scope } from './option.js'
import { wrap } from './text.js'
import { rangeText } from './values.js'

/** The marker lines around the generated list `name`. */
export function listMarkers(name: string): { readonly begin: string; readonly end: string } {
  return { begin: `.\\" ${name}: made from the tables by \`npm run man\``, end: `.\\" ${name} end` }
}

/** What stands for a value whose kind is no word for readers. */
const PLACEHOLDERS: Partial<Record<Kind, string>> = {
  structure: 'value',
  'topic-prefix': 'prefix',
  'unsigned-integer': 'integer',
  'protocol-versions': 'versions',
  words: 'word',
  'tcp-keepalive': 'seconds seconds count',
}

/** Where a directive that is not global stands. */
const PLACES: Readonly<Record<Scope, string>> = {
  global: '',
  'global or listener': '',
  listener: 'Belongs to: listener.',
  'after listener': 'Stands below a listener line, or below one for the default listener.',
  'after explicit listener': 'Stands below a listener line.',
  'default listener': 'Belongs to: default listener.',
  bridge: 'Belongs to: bridge.',
  plugin: 'Belongs to: plugin.',
}

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
    .filter((row) => hasValue(row) || row.kind === 'structure')
    .map((row) => [
      `.It Cm ${row.name} Ar ${PLACEHOLDERS[row.kind] ?? row.words?.join('|') ?? row.kind}`,
      row.help,
      row.kind === 'words' ? `One of ${row.words?.join(', ')}.` : '',
      row.kind === 'integer' && (row.min !== undefined || row.max !== undefined) ? `Range: ${rangeText(row)}.` : '',
      defaultText(row.default),
      PLACES[row.scope],
      row.reload === 'no' ? 'Not changed by a reload.' : '',
      row.legacy ? `Deprecated: ${row.legacy}.` : '',
      row.own ? 'Mosquitto does not have it.' : '',
      row.differs ?? '',
      row.aliases ? `Also called ${row.aliases.join(', ')}.` : '',
    ])
  return list(items)
}

/** The list of names that are accepted without effect, and of those that never will be. */
export function unusedList(table: readonly (Directive | Flag)[]): string {
  const items = table
    .filter((row) => row.ignored !== undefined || row.refused !== undefined)
    .map((row) => [
      'flags' in row ? `.It Fl ${row.flags[0]?.slice(1)}` : `.It Cm ${row.name}`,
      row.ignored ? `Has no effect: ${row.ignored}.` : `Refused: ${row.refused}.`,
    ])
  return list(items)
}

/** `page` with the list `name` between its markers replaced; throws when a marker is missing. */
export function replaceList(page: string, name: string, items: string): string {
  const markers = listMarkers(name)
  const begin = page.indexOf(`${markers.begin}\n`)
  const end = page.indexOf(`${markers.end}\n`)
  if (begin < 0 || end < begin) throw new Error(`the page has no markers for its list ${name}`)
  return `${page.slice(0, begin)}${markers.begin}\n${items}${page.slice(end)}`
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
    ...facts
      .filter(Boolean)
      .flatMap((fact) => fact.split(/(?<=\.) (?=[A-Z0-9])/))
      .flatMap((sentence) => wrap(sentence.replaceAll('\\', '\\e'), 78).map(plainStart)),
  ])
  return ['.Bl -tag -width Ds', ...lines, '.El', ''].join('\n')
}

function plainStart(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line
}
