// How a bridge reaches an address: TCP, a Unix socket, TLS and WebSocket above, as its directives say. Files are read for each
// connection, so that a renewed certificate counts from the next on.

import { DEFAULT_CIPHERS } from 'node:tls'
import type { DialLayer, DialTarget } from '../../net/dial.js'
import { setProbes } from '../../net/keep-alive.js'
import { stapleFault } from '../../net/ocsp.js'
import { TlsDialer } from '../../net/tls-dial.js'
import { WebSocketDialer } from '../../net/websocket-dial.js'
import type { BridgeConfig } from '../../options/bridge-config.js'
import type { BridgeAddress } from '../../options/option.js'

/** What the files are called in messages. */
const NAMES = {
  certfile: 'bridge_certfile',
  keyfile: 'bridge_keyfile',
  cafile: 'bridge_cafile',
  capath: 'bridge_capath',
  ciphers: 'bridge_ciphers',
} as const

const DEFAULTS = DEFAULT_CIPHERS.split(':')
const isSuite = (name: string) => name.startsWith('TLS_')

/**
 * Where to connect to.
 * @param clock in ms since 1970
 * @throws TlsFileError when a file cannot be used
 */
export function bridgeTarget(
  config: BridgeConfig,
  { host, port, webSocket }: BridgeAddress,
  clock: () => number,
): DialTarget {
  const layers: DialLayer[] = []
  const tls = tlsLayer(config, port === 0, clock)
  if (tls !== undefined) layers.push(tls)
  if (webSocket !== undefined) layers.push(new WebSocketDialer(webSocket.path, webSocket.isSecure))
  return { ...plainTarget(config, { host, port }), layers }
}

/** The same without anything above TCP. */
export function plainTarget(config: BridgeConfig, { host, port }: BridgeAddress): DialTarget {
  const { bridge_bind_address: localAddress, bridge_tcp_keepalive: keepAlive } = config
  if (port === 0) return { host, port }
  return { host, port, localAddress, onSocket: keepAlive && ((socket) => setProbes(socket, keepAlive)) }
}

function tlsLayer(config: BridgeConfig, isLocal: boolean, clock: () => number): TlsDialer | undefined {
  const { bridge_cafile: cafile, bridge_capath: capath, bridge_tls_use_os_certs: usesSystem } = config
  const { bridge_identity: identity, bridge_psk: key } = config
  const psk = identity === undefined || key === undefined ? undefined : { identity, key: Buffer.from(key, 'hex') }
  if (cafile === undefined && capath === undefined && !usesSystem && psk === undefined) return undefined
  return new TlsDialer(
    {
      cafile,
      capath,
      usesSystem,
      certfile: config.bridge_certfile,
      keyfile: config.bridge_keyfile,
      psk,
      minVersion: config.bridge_tls_version === 'tlsv1.3' ? 'TLSv1.3' : 'TLSv1.2',
      ciphers: cipherList(config),
      alpn: config.bridge_alpn,
      keyLog: undefined,
      verifies: true,
      ignoresName: config.bridge_insecure,
      isLocal,
      judgeStaple: config.bridge_require_ocsp ? (staple, trusted) => stapleFault(staple, trusted, clock()) : undefined,
    },
    NAMES,
  )
}

/** One list for TLS 1.2 and 1.3; of what is not given, the standard's. */
function cipherList(config: BridgeConfig): string | undefined {
  const { bridge_ciphers: list, 'bridge_ciphers_tls1.3': suites } = config
  if (list === undefined && suites === undefined) return undefined
  if (config.bridge_psk !== undefined) return list
  const standard = (isWanted: (name: string) => boolean) => DEFAULTS.filter(isWanted).join(':')
  return `${suites ?? standard(isSuite)}:${list ?? standard((name) => !isSuite(name))}`
}
