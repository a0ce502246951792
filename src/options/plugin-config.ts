// A plugin as the configuration file names it: its module, its options, and whose plugin it is; and what stands for Mosquitto's
// plugins here, a directive or a plugin that comes with tsmq. Loading modules is the broker's business.
import { basename, dirname } from 'node:path'
import type { Position } from './conf-lines.js'

export interface PluginConfig {
  /** Path of a file, or name of a package. */
  readonly module: string
  /** Where it is looked for: the folder of the configuration file. */
  readonly folder: string
  /** Without `plugin_opt_`. */
  readonly options: Readonly<Record<string, string>>
  /** Its `authorize` is not asked about clients with + # or / in their names: they are denied. */
  readonly deniesSpecialChars: boolean
  /** Indexes of the listeners whose clients are its business; undefined for all. */
  readonly listeners: readonly number[] | undefined
  readonly where: Position
}

/** A plugin as the lines have described it; `L` is how a listener is described. */
export interface PluginDraft<L> {
  readonly module: string
  /** Given by plugin_load. */
  readonly name: string | undefined
  readonly values: Map<string, unknown>
  readonly positions: Map<string, Position>
  /** Undefined for all. */
  readonly listeners: Set<L> | undefined
  /** What a built-in one sets: the broker's values or a listener's. */
  readonly target: { readonly values: Map<string, unknown>; readonly positions: Map<string, Position> }
  readonly where: Position
}

/** Mosquitto's own plugins whose one option is a directive here. */
const builtIns = ['password_file', 'acl_file'] as const
/** Those that are plugins here, too. */
const shipped: readonly (readonly [name: string, module: string])[] = [
  ['mosquitto_dynamic_security', 'tsmq/plugins/dynamic-security'],
]
/** Those that are not. */
const foreign: readonly (readonly [name: string, instead: string])[] = [
  ['mosquitto_persist_sqlite', 'use persistence true'],
]

/** Where a plugin that a configuration names is found. */
function moduleFor(module: string): string {
  return shipped.find(([name]) => basename(module).startsWith(name))?.[1] ?? module
}

/** The directive that a plugin of this name stands for. */
function directiveOf(module: string): (typeof builtIns)[number] | undefined {
  return builtIns.find((name) => basename(module).startsWith(`mosquitto_${name}`))
}

/** Why there can be no such plugin. */
export function pluginFault(module: string): string | undefined {
  const found = foreign.find(([name]) => basename(module).startsWith(name))
  return found && `plugin ${found[0]} is not supported: ${found[1]}`
}

const KEY = /^(?:plugin|auth)_opt_/

/** What is wrong with a line. */
export interface PluginFault {
  readonly at: Position
  /** As written. */
  readonly option: string
  readonly reason: string
}

/** Has plugins that are built in set their directives; returns the others and what is wrong with the built-in ones. */
export function takeBuiltIns<L>(drafts: readonly PluginDraft<L>[]): {
  readonly plugins: readonly PluginDraft<L>[]
  readonly faults: readonly PluginFault[]
} {
  const faults: PluginFault[] = []
  const plugins = drafts.filter((draft) => {
    const directive = directiveOf(draft.module)
    if (directive !== undefined) faults.push(...takeBuiltIn(draft, directive))
    return directive === undefined
  })
  return { plugins, faults }
}

function takeBuiltIn<L>({ values, positions, target, where }: PluginDraft<L>, directive: string): PluginFault[] {
  const unknown = [...positions]
    .filter(([option]) => option.replace(KEY, '') !== directive)
    .map(([option, at]) => ({ at, option, reason: `the plugin mosquitto_${directive} has no option ${option}` }))
  const option = `plugin_opt_${directive}`
  const path = values.get(option) ?? values.get(`auth_opt_${directive}`)
  if (path === undefined) return [...unknown, { at: where, option, reason: `${option} is missing` }]
  if (target.values.has(directive))
    return [...unknown, { at: where, option: directive, reason: `${directive} is given as well` }]
  target.values.set(directive, path)
  target.positions.set(directive, positions.get(option) ?? where)
  return unknown
}

/** @param indexesOf where in the list of listeners those of a draft are */
export function pluginConfig<L>(
  { module, values, listeners, where }: PluginDraft<L>,
  indexesOf: (listener: L) => readonly number[],
): PluginConfig {
  const options = [...values].filter(([name]) => KEY.test(name)).map(([name, text]) => [name.replace(KEY, ''), text])
  return {
    module: moduleFor(module),
    folder: dirname(where.file),
    options: Object.fromEntries(options) as Record<string, string>,
    deniesSpecialChars: values.get('auth_plugin_deny_special_chars') !== false,
    listeners: listeners && [...listeners].flatMap(indexesOf),
    where,
  }
}
