// TABLE: which directives of one bridge need or exclude each other. A directive that is to protect the connection is refused where it
// would have no effect; others are reported.
import type { BridgeAddress, BridgeTopic } from './option.js'
import { checkTogether, type Exclusion, type Fault, type Need } from './together.js'

const CERTIFICATE_TLS = ['bridge_cafile', 'bridge_capath', 'bridge_tls_use_os_certs']
const TLS = [...CERTIFICATE_TLS, 'bridge_identity']
const VERSION_5 = ['bridge_protocol_version mqttv50']
const LAZY = ['start_type lazy']

// biome-ignore format: one rule a line
const needs: readonly Need[] = [
  { name: 'bridge_certfile', needs: ['bridge_keyfile'] },
  { name: 'bridge_keyfile', needs: ['bridge_certfile'] },
  { name: 'bridge_certfile', needs: CERTIFICATE_TLS },
  { name: 'bridge_identity', needs: ['bridge_psk'] },
  { name: 'bridge_psk', needs: ['bridge_identity'] },
  { name: 'bridge_ciphers', needs: TLS },
  { name: 'bridge_ciphers_tls1.3', needs: CERTIFICATE_TLS },
  { name: 'bridge_tls_version', needs: TLS },
  { name: 'bridge_alpn', needs: TLS },
  { name: 'bridge_require_ocsp', needs: CERTIFICATE_TLS },
  { name: 'bridge_insecure', needs: CERTIFICATE_TLS, harmless: true },
  { name: 'remote_password', needs: ['remote_username', ...VERSION_5] },
  { name: 'bridge_receive_maximum', needs: VERSION_5, harmless: true },
  { name: 'bridge_session_expiry_interval', needs: VERSION_5, harmless: true },
  { name: 'bridge_max_topic_alias', needs: VERSION_5, harmless: true },
  { name: 'idle_timeout', needs: LAZY, harmless: true },
  { name: 'threshold', needs: LAZY, harmless: true },
]

const NO_BOTH = 'a bridge has either certificates or a pre-shared key'
const NOTHING_WAITS = 'it connects when messages wait, and then none would'

const excludes: readonly Exclusion[] = [
  ...[...CERTIFICATE_TLS, 'bridge_certfile'].map(
    (name): Exclusion => ({ names: ['bridge_identity', name], reason: NO_BOTH }),
  ),
  { names: ['bridge_identity', 'bridge_tls_version tlsv1.3'], reason: 'it ends at TLS 1.2' },
  { names: ['start_type lazy', 'local_cleansession true'], reason: NOTHING_WAITS },
  { names: ['notification_topic', 'notifications false'], reason: 'nothing is published to it' },
]

/** What is wrong with the directives of one bridge, by name, taken together. */
export function checkBridge(given: ReadonlyMap<string, unknown>): readonly Fault[] {
  const addresses = (given.get('address') ?? []) as readonly BridgeAddress[]
  const topics = (given.get('topic') ?? []) as readonly BridgeTopic[]
  const all = new Map([['local_cleansession', given.get('cleansession')], ...given])
  const faults = [...checkTogether(needs, excludes, all)]
  const fault = (name: string, reason: string, isHarmless = false) => faults.push({ name, reason, isHarmless })
  if (addresses.length === 0) fault('address', 'an address is missing')
  if (topics.length === 0) fault('topic', 'a topic is missing')
  const isSecure = TLS.some((name) => (given.get(name) ?? false) !== false)
  for (const { webSocket } of addresses) {
    if (webSocket?.isSecure === true && !isSecure) fault('address', `wss:// needs ${TLS.join(' or ')}`)
    if (webSocket?.isSecure === false && isSecure) fault('address', 'with TLS ws:// has to be wss://')
  }
  const psk = given.get('bridge_psk')
  if (typeof psk === 'string' && !/^(?:[0-9a-fA-F]{2})+$/.test(psk))
    fault('bridge_psk', 'bridge_psk is not hexadecimal')
  const isLazy = given.get('start_type') === 'lazy'
  if (isLazy && topics.length > 0 && topics.every(({ direction }) => direction === 'in'))
    fault('start_type', 'start_type lazy never connects, because no topic is sent out', true)
  if (given.get('bridge_insecure') === true && isSecure)
    fault('bridge_insecure', 'bridge_insecure lets whoever answers be the other broker, whatever its name', true)
  return faults
}
