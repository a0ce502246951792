// What --test-config finds about listeners as such: two that want the same address, clients that get in from the network without
// saying who they are, what has no effect on them. With --bind their sockets are opened for a moment.

import { accessSync, constants, readdirSync } from 'node:fs'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { systemText } from '../access/restricted-file.js'
import { isIdentifiedByHandshake } from '../broker/identity.js'
import { socketRules } from '../broker/socket-rules.js'
import { type ConnectionTaker, Listener } from '../net/listener.js'
import type { Config, ListenerConfig } from '../options/config.js'
import { BlockPool } from '../protocol/shared-block.js'
import type { Findings } from './config-findings.js'

/** For sockets that are not to serve anybody. */
const NOBODY: ConnectionTaker = {
  onAccept: (accepted) => accepted.destroy(),
  onArrival: (arriving) => arriving.destroy(),
  onFailure: () => {},
}

export function checkListeners({ listeners }: Config, findings: Findings): void {
  for (const [at, listener] of listeners.entries()) {
    const twin = listeners.slice(0, at).find((earlier) => clash(earlier, listener))
    if (twin !== undefined) {
      const where = twin.where === undefined ? '' : ` (${twin.where.file}:${twin.where.line})`
      findings.add('error', listener.where, `${addressText(listener)} is already taken by ${addressText(twin)}${where}`)
    }
    if (isOpenToNetwork(listener))
      findings.add('warning', listener.where, `${addressText(listener)} accepts anonymous clients from the network`)
    checkPlaces(listener, findings)
    checkIgnored(listener, findings)
  }
}

/** `0.0.0.0:1883`, the path of a Unix socket. */
export function addressText({
  port,
  path,
  bind_address: host,
  bind_interface: name,
  socket_domain: family,
}: ListenerConfig): string {
  if (path !== undefined) return path
  const all = name ?? (family === 'ipv6' ? '::' : '0.0.0.0')
  return `${bracketed(host ?? all)}:${port === 0 ? 'any free port' : port}`
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Whether clients from elsewhere get in without a user name, a certificate or a key. */
export function isOpenToNetwork(listener: ListenerConfig): boolean {
  const { allow_anonymous: anonymous, require_certificate: needsCertificate, psk_hint: psk } = listener
  return anonymous && !needsCertificate && psk === undefined && isReachable(listener)
}

/** From other machines, as far as the configuration says. */
export function isReachable({ path, bind_address: host, bind_interface: name }: ListenerConfig): boolean {
  if (path !== undefined || name === 'lo') return false
  return host === undefined || !(host === 'localhost' || host === '::1' || /^127\./.test(host))
}

/** Whether both cannot be opened. Names are not looked up. */
function clash(a: ListenerConfig, b: ListenerConfig): boolean {
  if (a.path !== undefined || b.path !== undefined) return a.path === b.path
  if (a.port === 0 || a.port !== b.port) return false
  const shared = familiesOf(a).filter((family) => familiesOf(b).includes(family))
  if (shared.length === 0) return false
  if (a.bind_interface !== b.bind_interface) return false
  return isEveryAddress(a) || isEveryAddress(b) || a.bind_address === b.bind_address
}

function isEveryAddress({ bind_address: host }: ListenerConfig): boolean {
  return host === undefined || host === '0.0.0.0' || host === '::'
}

function familiesOf({ bind_address: host, socket_domain: family }: ListenerConfig): readonly string[] {
  const version = isIP(host ?? '')
  const own = version === 0 ? ['ipv4', 'ipv6'] : [`ipv${version}`]
  return family === undefined ? own : own.filter((each) => each === family)
}

/** What a listener stands on: its interface, or the folder of its socket. */
function checkPlaces(listener: ListenerConfig, findings: Findings): void {
  const { path, bind_interface: name } = listener
  if (path !== undefined) {
    const fault = faultOf(() => accessSync(dirname(path), constants.W_OK | constants.X_OK))
    if (fault !== undefined) findings.add('error', listener.where, `the socket ${path} cannot be made: ${fault}`)
  } else if (name !== undefined && networkInterfaces()[name] === undefined)
    findings.about('error', 'bind_interface', listener, `there is no network interface ${name} with an address`)
}

/** The folder of an HTTP listener has to be readable for the user that the broker becomes. */
export function checkSites({ listeners }: Config, findings: Findings): void {
  for (const listener of listeners) {
    const { http_dir: folder, protocol } = listener
    if (folder === undefined || protocol !== 'http_api') continue
    const fault = faultOf(() => readdirSync(folder))
    if (fault !== undefined)
      findings.about('error', 'http_dir', listener, `http_dir ${folder} cannot be read: ${fault}`)
  }
}

function faultOf(attempt: () => void): string | undefined {
  try {
    attempt()
    return undefined
  } catch (error) {
    return systemText(error)
  }
}

const NOT_ON_UNIX_SOCKETS = ['socket_domain', 'bind_interface', 'enable_proxy_protocol'] as const

function checkIgnored(listener: ListenerConfig, findings: Findings): void {
  if (listener.path !== undefined)
    for (const name of NOT_ON_UNIX_SOCKETS)
      if (listener.positions.has(name))
        findings.about('warning', name, listener, `${name} has no effect on a Unix socket`)
  if (listener.protocol !== 'http_api' && listener.positions.has('http_dir'))
    findings.about('warning', 'http_dir', listener, 'http_dir has no effect without protocol http_api')
  if (listener.password_file !== undefined && isIdentifiedByHandshake(listener)) {
    const why = listener.use_subject_as_username ? 'use_subject_as_username' : 'use_identity_as_username'
    findings.add('warning', listener.where, `passwords are not asked for on this listener, because of ${why}`)
  }
}

/** Opens each listener and closes it. Those of a running broker are in use, of course. */
export async function tryListeners(config: Config, findings: Findings): Promise<void> {
  const sockets: Listener[] = []
  for (const listener of config.listeners) {
    const socket = new Listener(NOBODY, new BlockPool())
    sockets.push(socket)
    try {
      const { path, bind_address: host, port, socket_domain: family, bind_interface: interfaceName } = listener
      await socket.listen({
        path,
        host,
        port,
        family,
        interfaceName,
        ...socketRules(config, listener, () => undefined, undefined),
      })
    } catch (error) {
      findings.add('error', listener.where, `cannot listen on ${addressText(listener)}: ${failureText(error)}`)
    }
  }
  for (const socket of sockets) socket.close()
}

function failureText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return 'it is already in use'
  if (code === 'EACCES') return 'no permission'
  return error instanceof Error ? error.message : String(error)
}
