// From flags to the broker to connect to, and what lies between: proxy, TLS, WebSocket (spec: pub.md section 2). The rules between
// those flags are here; each layer is loaded only when it is asked for.

import type { DialLayer, DialTarget, HostPort } from '../net/dial.js'
import type { TlsDialRules } from '../net/tls-dial.js'
import { urlScheme } from '../options/broker-url.js'
import { UsageError } from '../options/command-line.js'
import type { ConnectionValues } from './connection-values.js'

const PORT = 1883
const TLS_PORT = 8883
/** What `localhost` is, everywhere (RFC 6761 section 6.3). To ask the system takes as long as the rest of a short run. */
const LOOPBACK = ['127.0.0.1', '::1']

/**
 * @param warn is told of what has no effect or is unsafe.
 * @throws UsageError for flags that contradict each other and for files that cannot be used
 */
export async function clientTarget(values: ConnectionValues, warn: (text: string) => void): Promise<DialTarget> {
  const { bind_address, host, proxy, srv, unix } = values
  const usesKeyOrAuthority = values.cafile !== undefined || values.capath !== undefined || values.psk !== undefined
  const port = values.port ?? (usesKeyOrAuthority ? TLS_PORT : PORT)
  checkKeyForm(values)
  const tls = tlsRules(values, port, usesKeyOrAuthority, warn)
  if (port === 0 && (srv || proxy !== undefined || bind_address !== undefined)) {
    const other = srv ? '-S' : proxy === undefined ? '-A' : '--proxy'
    throw new UsageError(`${unix === undefined ? '-p 0' : '--unix'} and ${other} cannot be used together`)
  }
  const through = proxy === undefined ? undefined : await proxyOf(proxy)
  const layers: DialLayer[] = []
  if (through !== undefined) layers.push(through.layer)
  if (tls !== undefined) layers.push(await tlsLayer(tls))
  const { ws, path } = webSocketOf(values, warn)
  if (ws) layers.push(await webSocketLayer(path, tls !== undefined))
  if (bind_address !== undefined) await checkAddress(bind_address)
  return {
    host,
    port,
    addresses: isAtHand(values, port) ? LOOPBACK : undefined,
    localAddress: bind_address,
    proxy: through?.place,
    ...(layers.length > 0 && { layers }),
    ...(srv && { locate: await locator(tls !== undefined) }),
  }
}

function isAtHand({ host, bind_address, proxy, srv }: ConnectionValues, port: number): boolean {
  return host === 'localhost' && port !== 0 && bind_address === undefined && proxy === undefined && !srv
}

function checkKeyForm({ keyform }: ConnectionValues): void {
  if (keyform === 'engine')
    throw new UsageError('--keyform engine is not supported: OpenSSL engines do not work here: give the key with --key')
}

/** Undefined without TLS. */
function tlsRules(
  values: ConnectionValues,
  port: number,
  usesKeyOrAuthority: boolean,
  warn: (text: string) => void,
): TlsDialRules | undefined {
  const { psk, psk_identity, insecure, tls_version } = values
  const isImplied = port === TLS_PORT || (values.url !== undefined && urlScheme(values.url)?.tls === true)
  const usesSystem = values.tls_use_os_certs || (isImplied && !usesKeyOrAuthority)
  if (values.no_tls) return undefined
  if (!usesKeyOrAuthority && !usesSystem) {
    warnOfUnused(values, warn)
    return undefined
  }
  if (psk !== undefined && !/^[0-9a-f]+$/i.test(psk)) throw new UsageError('--psk must be hexadecimal digits')
  if (psk !== undefined && tls_version === 'tlsv1.3')
    throw new UsageError('--psk works with TLS 1.2 and not with --tls-version tlsv1.3')
  if (insecure && psk === undefined) warn('--insecure: the certificate of the broker is not verified')
  return {
    cafile: values.cafile,
    capath: values.capath,
    usesSystem: usesSystem && psk === undefined,
    certfile: values.cert,
    keyfile: values.key,
    psk: psk === undefined ? undefined : { key: keyOf(psk), identity: psk_identity ?? '' },
    minVersion: tls_version === 'tlsv1.3' ? 'TLSv1.3' : 'TLSv1.2',
    ciphers: values.ciphers,
    alpn: values.tls_alpn,
    keyLog: values.tls_keylog,
    verifies: !insecure,
    isLocal: port === 0,
  }
}

/** An odd number of digits means a leading zero. */
function keyOf(hex: string): Buffer {
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
}

function warnOfUnused(values: ConnectionValues, warn: (text: string) => void): void {
  const flags = [
    [values.cert, '--cert'],
    [values.ciphers, '--ciphers'],
    [values.insecure || undefined, '--insecure'],
    [values.tls_alpn, '--tls-alpn'],
    [values.tls_keylog, '--tls-keylog'],
    [values.tls_version, '--tls-version'],
  ] as const
  const unused = flags.filter(([given]) => given !== undefined).map(([, flag]) => flag)
  if (unused.length === 0) return
  const has = unused.length > 1 ? 'have' : 'has'
  warn(
    `${unused.join(' ')} ${has} no effect without TLS: --cafile, --capath, --psk, --tls-use-os-certs, -p 8883 or mqtts://`,
  )
}

async function tlsLayer(rules: TlsDialRules): Promise<DialLayer> {
  const { TlsDialer } = await import('../net/tls-dial.js')
  const { TlsFileError } = await import('../net/tls-files.js')
  try {
    return new TlsDialer(rules)
  } catch (error) {
    throw error instanceof TlsFileError ? new UsageError(error.message) : error
  }
}

function webSocketOf(values: ConnectionValues, warn: (text: string) => void) {
  const { ws_path, url } = values
  const ws = values.ws || (url !== undefined && urlScheme(url)?.ws === true)
  if (!ws && ws_path !== undefined) warn('--ws-path has no effect without --ws')
  const path = ws_path ?? '/mqtt'
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw new UsageError('--ws-path must begin with / and have no blanks')
  return { ws, path }
}

async function webSocketLayer(path: string, isSecure: boolean): Promise<DialLayer> {
  const { WebSocketDialer } = await import('../net/websocket-dial.js')
  return new WebSocketDialer(path, isSecure)
}

async function proxyOf(url: string): Promise<{ readonly place: HostPort; readonly layer: DialLayer }> {
  const { proxyParts } = await import('../options/proxy-url.js')
  const parts = proxyParts(url)
  if ('problem' in parts) throw new UsageError(`--proxy ${parts.problem}`)
  const { host, port, username, password } = parts.value
  const { SocksDialer } = await import('../net/socks-dial.js')
  return { place: { host, port }, layer: new SocksDialer(username, password) }
}

async function checkAddress(address: string): Promise<void> {
  const { isIP } = await import('node:net')
  if (isIP(address) === 0) throw new UsageError(`-A must be an address of this machine, not '${address}'`)
}

async function locator(isSecure: boolean): Promise<(host: string) => Promise<readonly HostPort[]>> {
  const { locate } = await import('../net/srv-records.js')
  return (host) => locate(`${isSecure ? '_secure-mqtt' : '_mqtt'}._tcp.${host}`)
}
