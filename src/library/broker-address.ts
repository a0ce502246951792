// From the URL of a broker, as a program gives it, to the layers a connection to it takes. What is not asked for is not loaded.

import { ClientError } from '../client/client-error.js'
import type { DialLayer, DialTarget } from '../net/dial.js'

/** How a broker proves who it is, and this client to it. Paths of files in PEM. */
export interface ClientTlsOptions {
  /** Certificates of the authorities to trust; the system's unless given. */
  readonly cafile?: string
  /** A folder of such files. */
  readonly capath?: string
  /** Certificate of this client, with `keyfile`. */
  readonly certfile?: string
  readonly keyfile?: string
  /** Application protocol to negotiate. */
  readonly alpn?: string
  /** Accept any certificate: whoever is in between can read and change everything. */
  readonly insecure?: boolean
}

/** What a URL says. */
export interface BrokerAddress {
  readonly target: DialTarget
  readonly username: string | undefined
  readonly password: string | undefined
}

const PORTS = new Map([
  ['mqtt:', 1883],
  ['mqtts:', 8883],
  ['ws:', 80],
  ['wss:', 443],
])

/**
 * Takes `mqtt://`, `mqtts://`, `ws://`, `wss://` URLs with user name and password, percent-encoded, and `unix:/path` apart.
 * @throws ClientError 'invalid' for another URL, and for files that cannot be used
 */
export async function brokerAddress(url: string, tls: ClientTlsOptions = {}): Promise<BrokerAddress> {
  if (!URL.canParse(url)) throw new ClientError('invalid', `'${url}' is not a URL such as mqtt://localhost`)
  const { protocol, hostname, port, pathname, username, password } = new URL(url)
  const isLocal = protocol === 'unix:'
  const standardPort = PORTS.get(protocol)
  if (standardPort === undefined && !isLocal)
    throw new ClientError('invalid', `'${protocol}' is none of ${[...PORTS.keys(), 'unix:'].join(' ')}`)
  const place = isLocal
    ? { host: decodeURIComponent(pathname), port: 0 }
    : { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (standardPort ?? 0) : Number(port) }
  if (place.host === '') throw new ClientError('invalid', `'${url}' has no host`)
  const isSecure = protocol === 'mqtts:' || protocol === 'wss:'
  const layers: DialLayer[] = []
  if (isSecure) layers.push(await tlsLayer(tls))
  if (protocol === 'ws:' || protocol === 'wss:') {
    const { WebSocketDialer } = await import('../net/websocket-dial.js')
    layers.push(new WebSocketDialer(pathname === '' || pathname === '/' ? '/mqtt' : pathname, isSecure))
  }
  return {
    target: { ...place, layers },
    username: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
  }
}

async function tlsLayer({ cafile, capath, certfile, keyfile, alpn, insecure }: ClientTlsOptions): Promise<DialLayer> {
  const { TlsDialer } = await import('../net/tls-dial.js')
  const { TlsFileError } = await import('../net/tls-files.js')
  try {
    return new TlsDialer({
      cafile,
      capath,
      usesSystem: cafile === undefined && capath === undefined,
      certfile,
      keyfile,
      psk: undefined,
      minVersion: 'TLSv1.2',
      ciphers: undefined,
      alpn,
      keyLog: undefined,
      verifies: insecure !== true,
      isLocal: false,
    })
  } catch (error) {
    if (error instanceof TlsFileError)
      // The names are those of flags.
      throw new ClientError('invalid', error.message.replace(/^--/, 'tls.'), 0, { cause: error })
    throw error
  }
}
