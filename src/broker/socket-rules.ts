// What the settings of a listener mean for its sockets: WebSocket, TLS, PROXY protocol. Opening them is the broker's part, obeying the rules net's.

import type { SocketRules } from '../net/listener.js'
import type { ProxyRules } from '../net/proxy-acceptor.js'
import type { KeyLog, PskRules, TlsRules } from '../net/tls.js'
import type { WebSocketRules } from '../net/websocket.js'
import type { Config, ListenerConfig } from '../options/config.js'

/**
 * The rules for connections to one listener.
 * @param keyOf asked in each handshake, so that it may answer from the files in force then
 */
export function socketRules(
  config: Config,
  listener: ListenerConfig,
  keyOf: PskRules['keyOf'],
  keyLog: KeyLog | undefined,
): SocketRules {
  return {
    noDelay: config.set_tcp_nodelay,
    webSocket: listener.protocol === 'websockets' ? webSocketRules(config, listener) : undefined,
    tls: tlsRules(listener, keyOf, keyLog),
    proxy: proxyRules(listener),
  }
}

function webSocketRules(config: Config, listener: ListenerConfig): WebSocketRules {
  return {
    origins: listener.websockets_origin,
    maxHeaderSize: config.packet_buffer_size,
  }
}

function tlsRules(
  listener: ListenerConfig,
  keyOf: PskRules['keyOf'],
  keyLog: KeyLog | undefined,
): TlsRules | undefined {
  const { certfile, keyfile, psk_hint: hint, require_certificate: isRequired } = listener
  const certificate = certfile === undefined || keyfile === undefined ? undefined : { certfile, keyfile }
  if (certificate === undefined && hint === undefined) return undefined
  const isAsked = listener.use_identity_as_username || listener.use_subject_as_username
  return {
    certificate,
    psk: hint === undefined ? undefined : { hint, keyOf },
    cafile: listener.cafile,
    capath: listener.capath,
    crlfile: listener.crlfile,
    ciphers: listener.ciphers,
    cipherSuites: listener['ciphers_tls1.3'],
    minVersion: listener.tls_version === 'tlsv1.3' ? 'TLSv1.3' : 'TLSv1.2',
    clientCertificate: certificate === undefined ? 'unused' : isRequired ? 'required' : isAsked ? 'asked' : 'unused',
    ignoresDates: listener.disable_client_cert_date_checks,
    keyLog,
  }
}

function proxyRules(listener: ListenerConfig): ProxyRules | undefined {
  const { enable_proxy_protocol: version } = listener
  if (version === undefined) return undefined
  return {
    version: version === 1 ? 1 : 2,
    requiresTls: listener.proxy_protocol_v2_require_tls,
    // In version 1 the certificate is shown here.
    requiresCertificate: version === 2 && listener.require_certificate,
  }
}
