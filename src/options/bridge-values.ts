// The values that only bridges have: `address`, `topic`, `restart_timeout`, `bridge_tcp_keepalive`. Whether a prefix and its pattern make a valid filter
// together is checked where filters are known, by the bridge.
import type { BridgeAddress, BridgeTopic, RestartTimeout, TcpKeepAlive } from './option.js'
import { type Parsed, problem, quoted, value, words } from './text.js'

const DEFAULT_PORT = 1883
/** As the scheme says; elsewhere it is 1883, with TLS too. */
const SCHEME_PORTS = { 'ws:': 80, 'wss:': 443 } as const

/**
 * `HOST[:PORT] …`; the port is behind the last colon. Also `ws://` and `wss://HOST[:PORT][/PATH]`, and the path of a Unix socket. A
 * word that begins with `#` ends the list.
 */
export function parseAddresses(text: string): Parsed<readonly BridgeAddress[]> {
  const addresses: BridgeAddress[] = []
  for (const word of untilComment(words(text))) {
    const parsed = word.startsWith('/') ? value({ host: word, port: 0 }) : parseAddress(word)
    if ('problem' in parsed) return parsed
    addresses.push(parsed.value)
  }
  return addresses.length > 0 ? value(addresses) : problem('needs a value')
}

function parseAddress(word: string): Parsed<BridgeAddress> {
  if (/^wss?:\/\//.test(word)) return parseWebSocketAddress(word)
  if (word.includes('://')) return problem(`needs HOST:PORT, ws:// or wss:// instead of ${quoted(word)}`)
  const [, host = '', port] = /^(.*?)(?::([^:\]]*))?$/.exec(word) ?? []
  const number = port === undefined ? DEFAULT_PORT : /^\d+$/.test(port) ? Number(port) : 0
  if (host === '') return problem(`needs a host in ${quoted(word)}`)
  if (number < 1 || number > 65_535) return problem(`needs a port between 1 and 65535 in ${quoted(word)}`)
  return value({ host: withoutBrackets(host), port: number })
}

function parseWebSocketAddress(word: string): Parsed<BridgeAddress> {
  const url = URL.canParse(word) ? new URL(word) : undefined
  if (url === undefined || url.hostname === '') return problem(`needs a host and a port in ${quoted(word)}`)
  if (url.username !== '' || url.password !== '') return problem('takes no user name: give it with remote_username')
  const scheme = url.protocol === 'wss:' ? 'wss:' : 'ws:'
  const port = url.port === '' ? SCHEME_PORTS[scheme] : Number(url.port)
  if (port === 0) return problem(`needs a port between 1 and 65535 in ${quoted(word)}`)
  const webSocket = { path: url.pathname + url.search, isSecure: scheme === 'wss:' }
  return value({ host: withoutBrackets(url.hostname), port, webSocket })
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** `PATTERN [DIRECTION [QOS [LOCAL-PREFIX [REMOTE-PREFIX]]]]`; `""` is an empty text, and quotes hold a pattern with spaces together. */
export function parseBridgeTopic(text: string): Parsed<BridgeTopic> {
  const [, inQuotes, plain, rest = ''] = /^ *(?:"([^"]*)"(?= |$)|([^ "][^ ]*))(.*)$/.exec(text) ?? []
  const pattern = inQuotes ?? plain
  if (pattern === undefined)
    return problem(text.includes('"') ? 'needs a closing quote and a space behind it' : 'needs a value')
  const [direction = 'out', qos = '0', local = '', remote = ''] = untilComment(words(rest))
  const way = direction.toLowerCase()
  if (way !== 'out' && way !== 'in' && way !== 'both')
    return problem(`needs the direction out, in or both behind the pattern, not ${quoted(direction)}`)
  if (qos !== '0' && qos !== '1' && qos !== '2') return problem(`needs a QoS of 0, 1 or 2, not ${quoted(qos)}`)
  const localPrefix = local === '""' ? '' : local
  const remotePrefix = remote === '""' ? '' : remote
  if (/[+#]/.test(localPrefix + remotePrefix)) return problem('must not have the wildcards + and # in a prefix')
  if (pattern === '' && (localPrefix === '' || remotePrefix === ''))
    return problem('needs both prefixes when the pattern is empty')
  return value({ pattern, direction: way, qos: Number(qos) as 0 | 1 | 2, localPrefix, remotePrefix })
}

/** `CONSTANT`, or `BASE CAP [STABLE]`, in seconds; what is too small or too large is brought to the nearest that is not. */
export function parseRestartTimeout(text: string): Parsed<RestartTimeout> {
  const given = untilComment(words(text))
  if (given.length === 0) return problem('needs a value')
  const numbers = given.slice(0, 3).map((word) => (/^[+-]?\d+$/.test(word) ? Number(word) : Number.NaN))
  const bad = numbers.findIndex(Number.isNaN)
  if (bad >= 0) return problem(`must be whole numbers of seconds, not ${quoted(given[bad] ?? '')}`)
  const [first = 0, limit, stable = 0] = numbers
  const base = Math.min(Math.max(first, 1), 3600)
  const warning = base === first ? undefined : `is between 1 and 3600 seconds; ${base} is used instead of ${first}`
  if (limit === undefined) return value({ base, cap: base, stable: 0 }, warning)
  if (limit < base) return problem('must not have a limit below its base')
  if (stable < 0) return problem('must not have a negative time for stable connections')
  return value({ base, cap: Math.min(limit, 7200), stable }, warning)
}

/** `IDLE INTERVAL COUNT`, within what the system takes. */
export function parseTcpKeepAlive(text: string): Parsed<TcpKeepAlive> {
  const given = untilComment(words(text))
  const [idle = 0, interval = 0, count = 0] = given.map((word) => (/^\d+$/.test(word) ? Number(word) : 0))
  const isUsable = given.length === 3 && [idle, interval, count].every((each) => each > 0)
  if (!isUsable) return problem('needs IDLE INTERVAL COUNT, each a whole number above 0')
  if (idle > 32_767 || interval > 32_767) return problem('must not be more than 32767 seconds')
  if (count > 127) return problem('must not be more than 127 probes')
  return value({ idle, interval, count })
}

function untilComment(list: readonly string[]): readonly string[] {
  const end = list.findIndex((word) => word.startsWith('#'))
  return end < 0 ? list : list.slice(0, end)
}
