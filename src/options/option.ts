// The shape of a row in the option tables, and the types that follow from the tables. A row is data only. How text becomes a
// value is decided by its kind (values.ts); where text comes from, by conf-file.ts (directives) and command-line.ts (flags).

/** What `log_dest` names; `none` leaves an empty list. */
export type LogDestination =
  | { readonly to: 'stdout' | 'stderr' | 'syslog' | 'topic' }
  | { readonly to: 'file'; readonly path: string }

/** One `address` of a bridge. */
export interface BridgeAddress {
  /** Name or address; the path of a Unix socket when `port` is 0. */
  readonly host: string
  readonly port: number
  /** Where MQTT is carried by WebSocket: what is asked for, and whether the scheme is that of TLS. */
  readonly webSocket?: { readonly path: string; readonly isSecure: boolean }
}

/** One `topic` line of a bridge; prefixes are joined to the pattern as they are, without a slash. */
export interface BridgeTopic {
  readonly pattern: string
  readonly direction: 'out' | 'in' | 'both'
  readonly qos: 0 | 1 | 2
  readonly localPrefix: string
  readonly remotePrefix: string
}

/** `restart_timeout`: a constant delay has `base === cap`. All in seconds. */
export interface RestartTimeout {
  readonly base: number
  readonly cap: number
  readonly stable: number
}

/** `bridge_tcp_keepalive`: seconds, seconds and a number of probes. */
export interface TcpKeepAlive {
  readonly idle: number
  readonly interval: number
  readonly count: number
}

/** One `-D`: an MQTT 5.0 property for one kind of packet; two values for a user property. Names are in lower case. */
export interface PropertyArgument {
  readonly command: string
  readonly property: string
  readonly values: readonly string[]
}

/** The value each kind of option has. `word` and `words` are narrowed by their row. */
export interface KindTypes {
  /** `true false 1 0`. */
  readonly boolean: boolean
  /** C notation (decimal, 0x…, 0… octal) within int32. */
  readonly integer: number
  readonly string: string
  readonly path: string
  readonly word: string
  /** One word a line, collected; `none` empties the list and `all` fills it. */
  readonly words: readonly string[]
  /** Start of a topic name: no wildcards. */
  readonly 'topic-prefix': string
  /** Seconds, written as a number with one of s h d w m y behind it. */
  readonly duration: number
  /** 0 to 4294967295 unless the row says otherwise: beyond the int32 of the other directives. */
  readonly 'unsigned-integer': number
  /** The levels of the CONNECT packet: 3 (3.1), 4 (3.1.1), 5 (5.0). */
  readonly 'protocol-versions': readonly (3 | 4 | 5)[]
  readonly 'log-destination': readonly LogDestination[]
  readonly addresses: readonly BridgeAddress[]
  readonly 'bridge-topic': BridgeTopic
  readonly 'restart-timeout': RestartTimeout
  readonly 'tcp-keepalive': TcpKeepAlive
  /** Present on the command line or not. */
  readonly flag: boolean
  /** A word of the command line as it is, `min` and `max` in bytes; the second is the name of a file. */
  readonly text: string
  readonly file: string
  readonly decimal: number
  readonly float: number
  /** `mqttv5 5 mqttv311 311 mqttv31 31`, as the level of the CONNECT packet. */
  readonly 'protocol-version': 3 | 4 | 5
  /** Seconds; 4294967295 for `-1` and `∞`, which mean never. */
  readonly 'session-expiry': number
  readonly property: PropertyArgument
  /** A broker's address; sets host, port, topic, user name and password as well. */
  readonly url: string
  /** The path of a Unix socket; sets host and port 0 as well. */
  readonly 'socket-path': string
  /** Lines that open a context or name a folder instead of having a value. */
  readonly structure: never
}

export type Kind = keyof KindTypes

type Scalar = string | number | boolean

/** The columns that directives and flags share. */
export interface Option {
  /** The directive as it is written; for a flag the name of its value, in the same style. */
  readonly name: string
  readonly kind: Kind
  /** One sentence for help and manual page. */
  readonly help: string
  /** Without one, the value is `undefined` until the option is given. */
  readonly default?: Scalar | readonly (Scalar | LogDestination)[]
  /** Smallest and largest value; for texts length, in bytes. */
  readonly min?: number
  readonly max?: number
  /** What happens to a number out of range that is not an error. */
  readonly below?: 'raised' | 'raised with a warning'
  readonly above?: 'lowered with a warning'
  /** A text that may be any bytes; others are UTF-8. */
  readonly bytes?: true
  /** The words that `word` and `words` accept. */
  readonly words?: readonly string[]
  /** May be given more than once; the value is a list in the order written. */
  readonly repeatable?: true
  /** Works, and warns; the text says what to use instead. */
  readonly legacy?: string
  /** Accepted without effect, and warns; the text says what replaced it. */
  readonly ignored?: string
  /** Will never work; the text says why and what to do. */
  readonly refused?: string
}

/** Where a directive may stand, and what it sets. */
export type Scope =
  | 'global'
  /** Global, but the current listener's with `per_listener_settings true`. */
  | 'global or listener'
  /** The current listener's; before any, the default listener's, which it creates. */
  | 'listener'
  /** The current listener's, which may be the default one, but there must be one. */
  | 'after listener'
  /** The current listener's, opened by `listener`. */
  | 'after explicit listener'
  /** Always the default listener's, which it opens for the network. */
  | 'default listener'
  /** The current bridge's, opened by `connection`. */
  | 'bridge'
  /** The current plugin's. */
  | 'plugin'

/** A row for a directive of the configuration file. */
export interface Directive extends Option {
  readonly scope: Scope
  /** What SIGHUP does: apply, keep the old value, apply to connections made afterwards. */
  readonly reload: 'yes' | 'no' | 'new connections'
  /** A second line replaces the first; otherwise texts are refused twice, and numbers, booleans and words replaced. */
  readonly replaces?: true
  readonly aliases?: readonly string[]
  /** Old names that work and warn. */
  readonly legacyAliases?: readonly string[]
  /** The name is the beginning of the directive; the rest is a key (`plugin_opt_…`). */
  readonly prefix?: true
  /** Mosquitto has no such option. */
  readonly own?: true
  /** Why the default is not Mosquitto's. */
  readonly differs?: string
  /** The value is a password or a key: a file that holds it should be for its owner alone. */
  readonly secret?: true
}

/** A row for a flag of a command. */
export interface Flag extends Option {
  /** As typed, short first. */
  readonly flags: readonly string[]
  /** What help calls the words behind the flag; their number is how many are taken. None for kind `flag`. */
  readonly args?: readonly string[]
  /** The one word may be left out and is this then: where none stands behind the flag, or another option does. */
  readonly leftOut?: string
  /** What stands behind the value, apart from options that need this one, is no option but an operand: a command with its arguments. */
  readonly takesRest?: true
  /** Most occurrences of a repeatable flag. */
  readonly most?: number
  /** At most one flag of a group may be given, once. */
  readonly group?: string
  /** Names of flags that may not be given together with this one. */
  readonly excludes?: readonly string[]
  /** Names of flags that must be given too. */
  readonly needs?: readonly string[]
  /** What follows is not looked at. */
  readonly ends?: true
}

type KindValue<R extends Option> = R extends { kind: 'word'; words: readonly (infer W)[] }
  ? W
  : R extends { kind: 'words'; words: readonly (infer W)[] }
    ? readonly Exclude<W, 'none' | 'all'>[]
    : KindTypes[R['kind']]

type OptionValue<R extends Option> = R extends { repeatable: true }
  ? readonly KindValue<R>[]
  : R extends { kind: 'flag' } | { default: NonNullable<Option['default']> }
    ? KindValue<R>
    : KindValue<R> | undefined

type HasValue<R extends Option> = R extends { kind: 'structure' } | { refused: string } | { ignored: string }
  ? false
  : true

/** The values of a table by name: `ValuesOf<typeof brokerOptions>['max_keepalive']` is `number`. */
export type ValuesOf<T extends readonly Option[]> = {
  readonly [R in T[number] as HasValue<R> extends true ? R['name'] : never]: OptionValue<R>
}

/** Whether the row has a value; the others are structure, refused or without effect. */
export function hasValue(row: Option): boolean {
  return row.kind !== 'structure' && row.refused === undefined && row.ignored === undefined
}

/** The value of an option that was not given. */
function defaultOf(row: Option): unknown {
  if (row.repeatable) return []
  return row.kind === 'flag' ? false : row.default
}

/** Every value of `table`: what was given, and defaults for the rest. */
export function valuesOf<const T extends readonly Option[]>(
  table: T,
  given: ReadonlyMap<string, unknown>,
): ValuesOf<T> {
  const values = table
    .filter(hasValue)
    .map((row) => [row.name, given.has(row.name) ? given.get(row.name) : defaultOf(row)])
  return Object.fromEntries(values) as ValuesOf<T>
}
