// Options of a broker as a program gives them: an object with the names of mosquitto.conf, read by the reader of such files, so that
// names, values and mistakes are the same.

import type { BrokerValues } from '../options/broker-options.js'
import { type ConfText, readConfFile } from '../options/conf-file.js'
import type { Config } from '../options/config.js'
import type { ListenerValues } from '../options/listener-options.js'

/** As in the file; a list stands for several lines. `undefined` counts as not given. */
export type OptionValue = string | number | boolean | readonly (string | number)[] | undefined

/** What a program may give for an option whose value is a `T`. */
type Given<T> = [T] extends [boolean | undefined] ? boolean | undefined : OptionValue

/** Options of one listener (tsmq.conf(5)); `protocol`, `certfile`, `max_connections` and so on. */
export type ListenerOptions = { readonly [Name in keyof ListenerValues]?: Given<ListenerValues[Name]> } & {
  /** 0 for any free port, which is the default. */
  readonly port?: number
  /** Address of this machine; `127.0.0.1` unless given, `0.0.0.0` or `::` for all. */
  readonly bind_address?: string
  /** Path of a Unix socket, instead of a port. */
  readonly path?: string
}

/** Options of the whole broker, with the names and defaults of tsmq.conf(5). */
export type BrokerSettings = { readonly [Name in keyof BrokerValues]?: Given<BrokerValues[Name]> } & {
  /** A configuration file, or several; other options are read after it. */
  readonly conf?: string | readonly string[]
  /** What to listen on. Without it: what `conf` says, otherwise ports 1883 of 127.0.0.1 and ::1. Empty for nothing. */
  readonly listeners?: readonly ListenerOptions[]
}

/** Options that cannot be used. `problems` has one line for each mistake. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** What stands for the file in messages. */
const OPTIONS = 'options'

/**
 * The configuration that the options come to, with a listener for connections that the program hands over.
 * @throws OptionsError
 */
export function configOf({ conf, listeners, ...settings }: BrokerSettings): Config {
  const files = conf === undefined ? [] : typeof conf === 'string' ? [conf] : conf
  const lines = linesOf(settings)
  for (const { port = 0, bind_address: host = '127.0.0.1', path, ...own } of listeners ?? [])
    lines.push(path === undefined ? `listener ${port} ${host}` : `listener 0 ${path}`, ...linesOf(own))
  const config = read([...files, { name: OPTIONS, text: lines.join('\n') }])
  // One more listener has every default of a listener, and what the options say for all of them.
  const last = `listener 0 127.0.0.1`
  const handed = read([...files, { name: OPTIONS, text: [...linesOf(settings), last].join('\n') }]).listeners.at(-1)
  const opened = listeners?.length === 0 && files.length === 0 ? [] : config.listeners
  return { ...config, listeners: handed === undefined ? opened : [...opened, { ...handed, without_socket: true }] }
}

function read(sources: readonly (string | ConfText)[]): Config {
  const config = readConfFile(sources)
  if (config.problems.length === 0) return config
  throw new OptionsError(
    config.problems.map(({ file, option, reason, message }) => (file === OPTIONS ? `${option}: ${reason}` : message)),
  )
}

function linesOf(options: Readonly<Record<string, OptionValue>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined) return []
    if (value === null) throw new OptionsError([`${name}: null is no value`])
    const values = typeof value === 'object' ? value : [value]
    return values.map((each) => {
      const text = String(each)
      if (/[\n\r\0]/.test(`${name}${text}`)) throw new OptionsError([`${name}: a value has one line`])
      return `${name} ${text}`
    })
  })
}
