// The reader of mosquitto.conf: takes directives line by line to the broker, listener, bridge or plugin they belong to, and collects
// every problem instead of stopping at the first. Syntax is in conf-lines.ts, values in values.ts, what listeners result in config.ts.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { BridgeDraft } from './bridge-config.js'
import { bridgeOptions } from './bridge-options.js'
import { brokerOptions, pluginOptions } from './broker-options.js'
import { includedFiles, type Position, readLines } from './conf-lines.js'
import { assembleConfig, type Config, ConfigError, type ListenerDraft } from './config.js'
import { firstVariable, substituteVariables } from './environment.js'
import { listenerOptions } from './listener-options.js'
import { nearest } from './nearest.js'
import type { Directive } from './option.js'
import { type PluginDraft, pluginFault, takeBuiltIns } from './plugin-config.js'
import { firstWord, type Parsed, value, words } from './text.js'
import { parseValue } from './values.js'

/** What the command line adds. */
export interface ConfOptions {
  /** Ports of local-only mode (`-p`); 0 for any free one. Ignored when the file opens a listener. Default: 1883. */
  readonly ports?: readonly number[]
  /** `${NAME}` in a value stands for what NAME has here (`--env`); without it, for itself. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * Reads one configuration file, or several as if they were one. Never throws: every problem, an unreadable file included, is in
 * `problems`, and the configuration may be used only when that is empty.
 */
export function readConfFile(path: string | readonly (string | ConfText)[], options: ConfOptions = {}): Config {
  const reader = new ConfReader(options.env)
  for (const source of typeof path === 'string' ? [path] : path)
    if (typeof source === 'string') reader.readFile(source, true)
    else reader.readBytes(source.name, Buffer.from(source.text), true)
  return reader.finish(options.ports ?? [])
}

/** What stands for a file that does not exist. */
export interface ConfText {
  /** In its place in messages. */
  readonly name: string
  readonly text: string
}

/** The configuration of a broker without a file: local-only mode with every default. */
export function defaultConfig(options: ConfOptions = {}): Config {
  return new ConfReader().finish(options.ports ?? [])
}

const directives: readonly Directive[] = [...brokerOptions, ...listenerOptions, ...bridgeOptions, ...pluginOptions]

interface Found {
  readonly row: Directive
  /** The name is an old one. */
  readonly legacyName: boolean
}

/** Every name a line may begin with. */
const byName: ReadonlyMap<string, Found> = new Map(
  directives.flatMap((row) => [
    ...[row.name, ...(row.aliases ?? [])].map((name): [string, Found] => [name, { row, legacyName: false }]),
    ...(row.legacyAliases ?? []).map((name): [string, Found] => [name, { row, legacyName: true }]),
  ]),
)
const prefixes = [...byName].filter(([, { row }]) => row.prefix)
const guesses = [...byName].filter(([, { row }]) => !row.prefix).map(([name]) => name)

function findDirective(name: string): Found | undefined {
  const exact = byName.get(name)
  if (exact) return exact.row.prefix ? undefined : exact
  return prefixes.find(([prefix]) => name.startsWith(prefix) && name.length > prefix.length)?.[1]
}

/** Kinds of which a second line replaces the first in silence, or adds to it. */
const REPLACED = new Set([
  'boolean',
  'integer',
  'unsigned-integer',
  'word',
  'words',
  'log-destination',
  'duration',
  'protocol-versions',
])

/** What a directive sets, and where it notes its place. */
interface Target {
  readonly values: Map<string, unknown>
  readonly positions: Map<string, Position>
}

class ConfReader {
  readonly #env: ConfOptions['env']
  readonly #files: string[] = []
  readonly #secretFiles = new Set<string>()
  readonly #broker: Target = { values: new Map(), positions: new Map() }
  readonly #listeners: ListenerDraft[] = []
  readonly #bridges: BridgeDraft[] = []
  readonly #plugins: PluginDraft<ListenerDraft>[] = []
  #defaultListener: ListenerDraft | undefined
  readonly #defaultListenerLines: ConfigError[] = []
  #defaultListenerOpen = false
  readonly #problems: ConfigError[] = []
  readonly #warnings: ConfigError[] = []
  /** What the current lines belong to; included files begin without. */
  #listener: ListenerDraft | undefined
  #bridge: Target | undefined
  #plugin: Target | undefined
  #at: Position = { file: '', line: 0 }
  #name = ''

  constructor(env?: ConfOptions['env']) {
    this.#env = env
  }

  readFile(file: string, mayInclude: boolean): void {
    let bytes: Uint8Array
    try {
      bytes = readFileSync(file)
    } catch (error) {
      this.#problems.push(new ConfigError(file, 0, '', `cannot be read: ${systemReason(error)}`))
      return
    }
    this.#files.push(file)
    this.readBytes(file, bytes, mayInclude)
  }

  readBytes(file: string, bytes: Uint8Array, mayInclude: boolean): void {
    this.#listener = undefined
    this.#bridge = undefined
    this.#plugin = undefined
    for (const each of readLines(bytes)) {
      this.#at = { file, line: each.line }
      this.#name = 'name' in each ? each.name : ''
      const reason = 'problem' in each ? each.problem : this.#take(each.text, mayInclude)
      if (reason) this.#problem(reason)
    }
  }

  finish(ports: readonly number[]): Config {
    const { plugins, faults } = takeBuiltIns(this.#plugins)
    for (const { at, option, reason } of faults) this.#problems.push(new ConfigError(at.file, at.line, option, reason))
    const anyOpen = this.#defaultListenerOpen || this.#listeners.length > 0
    const useless = anyOpen && !this.#defaultListenerOpen ? this.#defaultListenerLines : []
    return assembleConfig(
      {
        given: this.#broker.values,
        positions: this.#broker.positions,
        files: this.#files,
        secretFiles: this.#secretFiles,
        listeners: this.#listeners,
        bridges: this.#bridges,
        // Those of plugin_load are nobody's until they are used.
        plugins: plugins.filter(({ listeners }) => listeners?.size !== 0),
        defaultListener: this.#defaultListener,
        defaultListenerOpen: this.#defaultListenerOpen,
        problems: this.#problems,
        warnings: [...this.#warnings, ...useless],
      },
      ports,
    )
  }

  #problem(reason: string): void {
    this.#problems.push(new ConfigError(this.#at.file, this.#at.line, this.#name, reason))
  }

  #warn(reason: string): void {
    this.#warnings.push(new ConfigError(this.#at.file, this.#at.line, this.#name, reason))
  }

  /** Takes one line, whose name is `#name`; what is returned is wrong with it. */
  #take(text: string, mayInclude: boolean): string | undefined {
    const name = this.#name
    const found = findDirective(name)
    if (!found) {
      const guess = nearest(name, guesses)
      return `unknown option ${name}${guess ? `; did you mean ${guess}?` : ''}`
    }
    const { row } = found
    if (row.refused) return `${name} is not supported: ${row.refused}`
    if (row.ignored) {
      this.#warn(`${name} has no effect: ${row.ignored}`)
      return undefined
    }
    if (found.legacyName) this.#warn(`${name} is an old name: use ${row.name}`)
    if (row.legacy) this.#warn(`${name} is deprecated: ${row.legacy}`)
    if (row.secret) this.#secretFiles.add(this.#at.file)
    const written = this.#substitute(text)
    if ('problem' in written) return `${name} ${written.problem}`
    return row.kind === 'structure' ? this.#structure(row, written.value, mayInclude) : this.#set(row, written.value)
  }

  /** `text` with the variables of the environment in it. */
  #substitute(text: string): Parsed<string> {
    if (this.#env !== undefined) return substituteVariables(text, this.#env)
    const variable = firstVariable(text)
    if (variable !== undefined) this.#warn(`${this.#name} has ${variable} in it, which stands for itself without --env`)
    return value(text)
  }

  #set(row: Directive, text: string): string | undefined {
    const name = this.#name
    const target = this.#target(row)
    if (typeof target === 'string') return target
    const key = row.prefix ? name : row.name
    const before = target.values.get(key)
    if (before !== undefined && !row.replaces && !row.repeatable && !REPLACED.has(row.kind))
      return `${name} is given twice`
    target.positions.set(key, this.#at)
    const parsed = parseValue(row, text, before)
    if ('problem' in parsed) return `${name} ${parsed.problem}`
    if (parsed.warning) this.#warn(`${name} ${parsed.warning}`)
    const all = row.repeatable ? [...((before as unknown[] | undefined) ?? []), parsed.value] : parsed.value
    target.values.set(key, all)
    if (row.name === 'per_listener_settings') this.#checkPerListener(before, parsed.value)
    return undefined
  }

  /** The values that the directive belongs to here, or what is wrong with its place. */
  #target(row: Directive): Target | string {
    switch (row.scope) {
      case 'global':
        return this.#broker
      case 'global or listener':
        if (!this.#perListener) return this.#broker
        return this.#ofListener('security') ?? this.#misplaced('a listener line, because of per_listener_settings')
      case 'listener':
        if (!this.#listener) this.#touchDefault()
        return this.#ofListener('given') ?? this.#misplaced('a listener line')
      case 'after listener':
        if (this.#listener && !this.#explicit) this.#touchDefault()
        return this.#ofListener('given') ?? this.#misplaced('a listener line')
      case 'after explicit listener':
        return (this.#explicit && this.#ofListener('given')) || this.#misplaced('a listener line')
      case 'default listener': {
        this.#defaultListenerOpen = true
        const { given, positions } = this.#touchDefault()
        return { values: given, positions }
      }
      case 'bridge':
        return this.#bridge ?? this.#misplaced('a connection line')
      case 'plugin':
        return this.#plugin ?? this.#misplaced('a plugin line')
    }
  }

  #ofListener(values: 'given' | 'security'): Target | undefined {
    return this.#listener && { values: this.#listener[values], positions: this.#listener.positions }
  }

  #misplaced(what: string): string {
    return `${this.#name} must stand below ${what}`
  }

  get #explicit(): boolean {
    return this.#listener !== undefined && this.#listener !== this.#defaultListener
  }

  get #perListener(): boolean {
    return this.#broker.values.get('per_listener_settings') === true
  }

  /** The line sets something of the default listener, which becomes the current one if there is none. */
  #touchDefault(): ListenerDraft {
    const { file, line } = this.#at
    const reason = `${this.#name} stands before the first listener line and has no effect`
    this.#defaultListenerLines.push(new ConfigError(file, line, this.#name, reason))
    this.#defaultListener ??= newListener(this.#at)
    this.#listener ??= this.#defaultListener
    return this.#defaultListener
  }

  #checkPerListener(before: unknown, value: unknown): void {
    if (before === true && value === false) this.#problem('per_listener_settings cannot be switched off again')
    if (value !== true) return
    const earlier = directives.filter((row) => row.scope === 'global or listener' && this.#broker.values.has(row.name))
    if (earlier.length === 0) return
    const names = earlier.map((row) => row.name).join(', ')
    this.#problem(`per_listener_settings must stand before ${names}`)
  }

  #structure(row: Directive, text: string, mayInclude: boolean): string | undefined {
    if (text.trim() === '') return `${this.#name} needs a value`
    switch (row.name) {
      case 'listener':
        return this.#openListener(row, text)
      case 'include_dir':
        return this.#include(text.trim(), mayInclude)
      case 'connection':
        return this.#openBridge(firstWord(text))
      case 'plugin_use':
        return this.#usePlugin(text.trim())
      default:
        return this.#openPlugin(row, text.trim())
    }
  }

  #openPlugin(row: Directive, text: string): string | undefined {
    const target = this.#target(row)
    this.#plugin = { values: new Map(), positions: new Map() }
    if (typeof target === 'string') return target
    const name = row.name === 'plugin_load' ? firstWord(text) : undefined
    const module = name === undefined ? text : text.slice(name.length).trim()
    if (module === '') return `${this.#name} needs a name and a path`
    if (name !== undefined && this.#plugins.some((plugin) => plugin.name === name))
      return `${this.#name} ${name} is given twice`
    const listeners =
      name !== undefined
        ? new Set<ListenerDraft>()
        : row.scope === 'global or listener' && this.#perListener && this.#listener
          ? new Set([this.#listener])
          : undefined
    this.#plugins.push({ ...this.#plugin, module, name, listeners, target, where: this.#at })
    return pluginFault(module)
  }

  #usePlugin(name: string): string | undefined {
    if (!this.#explicit) return this.#misplaced('a listener line')
    const plugin = this.#plugins.find((each) => each.name === name)
    if (plugin?.listeners === undefined) return `${this.#name}: no plugin_load line above has given the name ${name}`
    if (this.#listener) plugin.listeners.add(this.#listener)
    return undefined
  }

  #openListener(row: Directive, text: string): string | undefined {
    const [port = '', second] = words(text)
    const host = second?.startsWith('#') ? undefined : second
    const parsed = parseValue({ ...row, kind: 'integer' }, port)
    const isUnix = 'value' in parsed && parsed.value === 0 && host !== undefined && isIP(host) === 0
    const listener = newListener(this.#at, isUnix ? host : undefined)
    this.#listener = listener
    this.#listeners.push(listener)
    if ('problem' in parsed) return `the port of listener ${parsed.problem}`
    listener.given.set('port', parsed.value)
    if (host !== undefined && !isUnix) listener.given.set('bind_address', host)
    return undefined
  }

  #openBridge(name: string): string | undefined {
    const isKnown = this.#bridges.some((bridge) => bridge.name === name)
    const values = new Map<string, unknown>()
    const positions = new Map<string, Position>()
    this.#bridge = { values, positions }
    this.#bridges.push({ name, given: values, positions, where: this.#at })
    return isKnown ? `connection ${name} is given twice` : undefined
  }

  /** Reads the files of a folder, each beginning afresh, and then goes on where it was. */
  #include(folder: string, mayInclude: boolean): string | undefined {
    if (!mayInclude) return 'include_dir must not stand in an included file'
    let files: readonly string[]
    try {
      files = includedFiles(folder)
    } catch (error) {
      return `include_dir ${folder} cannot be read: ${systemReason(error)}`
    }
    const outside = { listener: this.#listener, bridge: this.#bridge, plugin: this.#plugin }
    for (const file of files) this.readFile(file, false)
    this.#listener = outside.listener
    this.#bridge = outside.bridge
    this.#plugin = outside.plugin
    return undefined
  }
}

function newListener(where: Position, path?: string): ListenerDraft {
  return { given: new Map(), security: new Map(), positions: new Map(), path, where }
}

/** The system's words for a failed call: `no such file or directory`. */
function systemReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*')?$/, '')
}
