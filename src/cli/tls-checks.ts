// What --test-config finds about the TLS of listeners and bridges. What they would refuse when they start is asked of the code that
// starts them.

import { bridgeTarget } from '../broker/bridge/bridge-target.js'
import { socketRules } from '../broker/socket-rules.js'
import { TlsAcceptor } from '../net/tls.js'
import type { BridgeConfig } from '../options/bridge-config.js'
import type { Config, ListenerConfig } from '../options/config.js'
import { CertificateCheck } from './certificate-check.js'
import type { Findings } from './config-findings.js'

/** What the files of bridges are called. */
const BRIDGE_NAMES = {
  certfile: 'bridge_certfile',
  keyfile: 'bridge_keyfile',
  cafile: 'bridge_cafile',
  capath: 'bridge_capath',
} as const

/** @param now ms since 1970 */
export function checkTls(config: Config, findings: Findings, now = Date.now()): void {
  for (const listener of config.listeners) checkListener(config, listener, findings, now)
  for (const bridge of config.bridges) checkBridge(bridge, findings, now)
}

function checkListener(config: Config, listener: ListenerConfig, findings: Findings, now: number): void {
  const { certfile, keyfile, cafile, capath, crlfile } = listener
  const check = new CertificateCheck(
    'servers',
    {},
    (severity, directive, message) => findings.about(severity, directive, listener, message),
    now,
  )
  check.identity(certfile, keyfile)
  const authorities = check.authorities(cafile, capath)
  if (crlfile !== undefined) check.lists(crlfile, authorities)
  // Whatever else OpenSSL refuses, such as ciphers.
  const { tls } = socketRules(config, listener, () => undefined, undefined)
  if (check.isUsable && tls !== undefined) check.attempt(() => new TlsAcceptor(tls))
}

function checkBridge(bridge: BridgeConfig, findings: Findings, now: number): void {
  const { name, where, bridge_certfile: certfile, bridge_keyfile: keyfile } = bridge
  const check = new CertificateCheck(
    'clients',
    BRIDGE_NAMES,
    (severity, _, message) => findings.add(severity, where, `of bridge ${name} ${message}`),
    now,
  )
  check.identity(certfile, keyfile)
  check.authorities(bridge.bridge_cafile, bridge.bridge_capath)
  const [address] = bridge.address
  if (check.isUsable && address !== undefined) check.attempt(() => bridgeTarget(bridge, address, () => now))
}
