// `--proxy`: `socks5h://[user[:password]@]host[:port]` (spec: pub.md section 4.1).
import { percentDecoded } from './broker-url.js'
import { type Parsed, problem, value } from './text.js'

export interface ProxyParts {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
}

const STANDARD_PORT = 1080

export function proxyParts(url: string): Parsed<ProxyParts> {
  const match = /^socks5h:\/\/(?:([^@]*)@)?(?:\[([^\]]*)\]|([^:@/[\]]*))(?::([^/]*))?\/?$/i.exec(url)
  if (match === null) return problem('must be socks5h://[USER[:PASSWORD]@]HOST[:PORT]')
  const [, credentials, address, name, portText] = match
  const host = address ?? name ?? ''
  if (host === '') return problem('has no host')
  const port = portText === undefined ? STANDARD_PORT : Number(portText)
  if (!/^\d+$/.test(portText ?? '0') || port < 1 || port > 65_535)
    return problem('has a port that is not a number between 1 and 65535')
  if (credentials === undefined) return value({ host, port, username: undefined, password: undefined })
  const [user = '', password, extra] = credentials.split(':')
  if (extra !== undefined) return problem('has a second : in user name and password, which is written %3A')
  if (user === '') return problem('has an empty user name')
  const decoded = [user, password ?? ''].map(percentDecoded)
  if (decoded.includes(undefined))
    return problem('has a % in user name or password without two hexadecimal digits behind it; a % itself is %25')
  return value({ host, port, username: decoded[0], password: decoded[1] })
}
