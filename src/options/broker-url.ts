// `-L`: a broker, a user and a topic in one word, taken apart into what -h, -p, -u, -P and -t would say (spec: pub.md section 4).
// What the scheme means for the connection is asked of `urlScheme`.
import { type Parsed, problem, textOfBytes, value } from './text.js'

/** TABLE of the schemes; the ports of ws and wss are those of the web. */
const SCHEMES = {
  mqtt: { port: 1883, tls: false, ws: false },
  mqtts: { port: 8883, tls: true, ws: false },
  ws: { port: 80, tls: false, ws: true },
  wss: { port: 443, tls: true, ws: true },
} as const

export interface UrlScheme {
  readonly port: number
  readonly tls: boolean
  readonly ws: boolean
}

/** Options by name, and their texts. */
export type UrlParts = readonly (readonly [name: string, text: string])[]

/** What the scheme of `url` stands for, in capitals or not; undefined when it is unknown. */
export function urlScheme(url: string): UrlScheme | undefined {
  const scheme = /^([^:/]*):\/\//.exec(url)?.[1]?.toLowerCase() ?? ''
  return Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme as keyof typeof SCHEMES] : undefined
}

/**
 * Host, port and topic, and user and password if there are any. User and password are percent-decoded; the topic is what stands
 * behind the first slash, as it is.
 */
export function urlParts(url: string): Parsed<UrlParts> {
  const scheme = urlScheme(url)
  if (scheme === undefined)
    return problem(
      `must begin with one of ${Object.keys(SCHEMES)
        .map((name) => `${name}://`)
        .join(', ')}`,
    )
  const rest = url.slice(url.indexOf('://') + 3)
  const slash = rest.indexOf('/')
  if (slash < 0) return problem('has no topic: it stands behind the host, after a slash')
  const authority = rest.slice(0, slash)
  const topic = rest.slice(slash + 1)
  if (topic === '') return problem('has an empty topic')
  const credentials = credentialsOf(authority)
  if ('problem' in credentials) return credentials
  const place = placeOf(authority.slice(authority.lastIndexOf('@') + 1), scheme.port)
  if ('problem' in place) return place
  return value([...place.value, ['topic', topic], ...credentials.value])
}

/** What stands before the last `@`: one in a user name is written %40. */
function credentialsOf(authority: string): Parsed<UrlParts> {
  const at = authority.lastIndexOf('@')
  if (at < 0) return value([])
  const text = authority.slice(0, at)
  const colon = text.indexOf(':')
  const username = percentDecoded(colon < 0 ? text : text.slice(0, colon))
  const password = colon < 0 ? undefined : percentDecoded(text.slice(colon + 1))
  if (username === undefined || (colon >= 0 && password === undefined))
    return problem('has a % in user name or password without two hexadecimal digits behind it; a % itself is %25')
  return value([['username', username], ...(password === undefined ? [] : [['password', password] as const])])
}

/** `host`, `host:port`, `[address]` or `[address]:port`. */
function placeOf(text: string, standardPort: number): Parsed<UrlParts> {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text)
  if (match === null) return problem('has a host that cannot be read; an IPv6 address stands in brackets')
  const [, address, name, port] = match
  const host = address ?? name ?? ''
  if (host === '') return problem('has no host')
  if (port === undefined || port === '')
    return value([
      ['host', host],
      ['port', String(standardPort)],
    ])
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    return problem('has a port that is not a number between 1 and 65535')
  return value([
    ['host', host],
    ['port', port],
  ])
}

/** Undefined when a `%` is not followed by two hexadecimal digits. */
export function percentDecoded(text: string): string | undefined {
  if (!text.includes('%')) return text
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined
  const parts = text.split(/(%[0-9a-fA-F]{2})/)
  const bytes = parts.map((part) =>
    /^%[0-9a-fA-F]{2}$/.test(part) ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part),
  )
  return textOfBytes(Buffer.concat(bytes))
}
