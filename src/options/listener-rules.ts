// TABLE: which directives of one listener need or exclude each other. A directive that decides who may connect is refused where it
// would have no effect (CVE-2018-20145); one that does not is reported.
import { checkTogether, type Exclusion, type Fault, type Need } from './together.js'

const PROXY_2 = 'enable_proxy_protocol 2'

const needs: readonly Need[] = [
  { name: 'certfile', needs: ['keyfile'] },
  { name: 'keyfile', needs: ['certfile'] },
  { name: 'cafile', needs: ['certfile'] },
  { name: 'capath', needs: ['certfile'] },
  { name: 'crlfile', needs: ['cafile', 'capath'] },
  { name: 'require_certificate', needs: ['cafile', 'capath', PROXY_2] },
  { name: 'psk_hint', needs: ['psk_file', 'plugin'] },
  { name: 'use_identity_as_username', needs: ['certfile', 'psk_hint', PROXY_2] },
  { name: 'use_identity_as_username', needs: ['cafile', 'capath'], with: 'certfile' },
  { name: 'use_subject_as_username', needs: ['cafile', 'capath'] },
  { name: 'proxy_protocol_v2_require_tls', needs: [PROXY_2] },
  { name: 'websockets_origin', needs: ['protocol websockets'], harmless: true },
  { name: 'ciphers', needs: ['certfile', 'psk_hint'], harmless: true },
  { name: 'ciphers_tls1.3', needs: ['certfile'], harmless: true },
  { name: 'tls_version', needs: ['certfile', 'psk_hint'], harmless: true },
  { name: 'disable_client_cert_date_checks', needs: ['cafile', 'capath'], harmless: true },
]

const NO_BOTH = 'a listener has either certificates or pre-shared keys'

const TLS_IS_OUTSIDE = 'TLS ends at the load balancer'

const excludes: readonly Exclusion[] = [
  { names: ['psk_hint', 'certfile'], reason: NO_BOTH },
  { names: ['psk_hint', 'cafile'], reason: NO_BOTH },
  { names: ['psk_hint', 'capath'], reason: NO_BOTH },
  { names: ['psk_hint', 'tls_version tlsv1.3'], reason: 'it ends at TLS 1.2' },
  { names: ['certfile', PROXY_2], reason: TLS_IS_OUTSIDE },
  { names: ['psk_hint', PROXY_2], reason: TLS_IS_OUTSIDE },
  { names: ['use_subject_as_username', PROXY_2], reason: 'the load balancer tells the common name only' },
  {
    names: ['disable_client_cert_date_checks', 'crlfile'],
    reason: 'an expired certificate is not looked for in revocation lists',
  },
]

/** What is wrong with the directives of one listener, by name, taken together. */
export function checkListener(given: ReadonlyMap<string, unknown>): readonly Fault[] {
  return checkTogether(needs, excludes, given)
}
