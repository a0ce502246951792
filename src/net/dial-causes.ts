// Why there is no connection, in words for people: the system's error codes and what OpenSSL reports of a handshake, as a client
// sees them. Where they stand in a sentence is the business of those who ask.

/** TABLE of error codes in words. Alerts are what the broker says of us. */
const CAUSES: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'address not available',
  EAI_AGAIN: 'the name cannot be looked up now',
  ECONNABORTED: 'connection aborted',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTDOWN: 'host is down',
  EHOSTUNREACH: 'no route to host',
  ENETDOWN: 'network is down',
  ENETUNREACH: 'network is unreachable',
  ENODATA: 'no such record',
  ENOENT: 'no such file',
  ENOTDIR: 'not a folder',
  ENOTFOUND: 'no such host',
  ENOTSOCK: 'not a socket',
  EPIPE: 'connection broken',
  EPROTOTYPE: 'not a stream socket',
  ESERVFAIL: 'the name server has failed',
  ETIMEDOUT: 'connection timed out',
  ETIMEOUT: 'the name server does not answer',
  ERR_SSL_CERTIFICATE_REQUIRED: 'the broker asks for a client certificate',
  ERR_SSL_HTTP_REQUEST: 'the broker speaks HTTP on this port',
  ERR_SSL_NO_CIPHERS_AVAILABLE: 'no cipher that this TLS version can use',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the broker does not speak TLS on this port',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the broker refuses the client certificate',
  ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC: 'the broker finds the handshake damaged (another PSK?)',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the broker finds the client certificate expired',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'the client certificate is revoked',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the broker refuses the client certificate',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'the broker accepts none of the ciphers, or asks for a client certificate',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'the broker refuses this kind of client certificate',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the broker asks for a client certificate',
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: 'the broker refuses the client certificate',
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: 'the broker cannot verify the handshake (another PSK?)',
  ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR: 'the broker has failed in the handshake',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'the broker does not know the protocol that --tls-alpn names',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the broker does not accept this TLS version',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the broker does not know the issuer of the client certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY: 'the broker does not know the PSK identity',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'the broker does not know the host by this name',
  ERR_SSL_UNKNOWN_PSK_IDENTITY: 'the broker does not know the PSK identity',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the broker offers no TLS version that is accepted here',
  ERR_SSL_VERSION_TOO_LOW: 'the broker offers no TLS version that is accepted here',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the broker does not speak TLS on this port',
}

/** The code of a system or TLS error, empty when it has none. */
export function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** A socket's error in words, without address. */
export function causeOf(error: Error): string {
  const code = codeOf(error)
  const known = CAUSES[code]
  if (known !== undefined) return known
  if ('reason' in error && typeof error.reason === 'string') return error.reason
  return error.message || code
}

/** Whether it was the TLS layer that failed. */
export function isTlsError(error: Error): boolean {
  return codeOf(error).startsWith('ERR_SSL_')
}
