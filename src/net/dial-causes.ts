// Why there is no connection, in words for people: the system's error codes and what OpenSSL reports of a handshake, as a client
// sees them. Where they stand in a sentence is the business of those who ask.

import { opensslReason } from './openssl-reason.js'

/** TABLE of error codes in words: the system's, then OpenSSL's reasons. Alerts are what the broker says of us. */
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
  ALERT_ACCESS_DENIED: 'the broker refuses the client certificate',
  ALERT_BAD_CERTIFICATE: 'the broker refuses the client certificate',
  ALERT_BAD_RECORD_MAC: 'the broker finds the handshake damaged (another PSK?)',
  ALERT_CERTIFICATE_EXPIRED: 'the broker finds the client certificate expired',
  ALERT_CERTIFICATE_REQUIRED: 'the broker asks for a client certificate',
  ALERT_CERTIFICATE_REVOKED: 'the client certificate is revoked',
  ALERT_CERTIFICATE_UNKNOWN: 'the broker refuses the client certificate',
  ALERT_DECRYPT_ERROR: 'the broker cannot verify the handshake (another PSK?)',
  ALERT_HANDSHAKE_FAILURE: 'the broker accepts none of the ciphers, or asks for a client certificate',
  ALERT_ILLEGAL_PARAMETER: 'the broker cannot verify the handshake (another PSK?)',
  ALERT_INTERNAL_ERROR: 'the broker has failed in the handshake',
  ALERT_NO_APPLICATION_PROTOCOL: 'the broker does not know the protocol that --tls-alpn names',
  ALERT_PROTOCOL_VERSION: 'the broker does not accept this TLS version',
  ALERT_UNKNOWN_CA: 'the broker does not know the issuer of the client certificate',
  ALERT_UNKNOWN_PSK_IDENTITY: 'the broker does not know the PSK identity',
  ALERT_UNSUPPORTED_CERTIFICATE: 'the broker refuses this kind of client certificate',
  CERTIFICATE_REQUIRED: 'the broker asks for a client certificate',
  HTTP_REQUEST: 'the broker speaks HTTP on this port',
  NO_CIPHERS_AVAILABLE: 'no cipher that this TLS version can use',
  PACKET_LENGTH_TOO_LONG: 'the broker does not speak TLS on this port',
  UNKNOWN_PSK_IDENTITY: 'the broker does not know the PSK identity',
  UNRECOGNIZED_NAME: 'the broker does not know the host by this name',
  UNSUPPORTED_PROTOCOL: 'the broker offers no TLS version that is accepted here',
  VERSION_TOO_LOW: 'the broker offers no TLS version that is accepted here',
  WRONG_VERSION_NUMBER: 'the broker does not speak TLS on this port',
}

/** The code of a system or TLS error, empty when it has none. */
export function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** A socket's error in words, without address. */
export function causeOf(error: Error): string {
  const code = codeOf(error)
  const known = CAUSES[opensslReason(error)]
  if (known !== undefined) return known
  if ('reason' in error && typeof error.reason === 'string') return error.reason
  return error.message || code
}

/** Whether it was the TLS layer that failed. */
export function isTlsError(error: Error): boolean {
  return codeOf(error).startsWith('ERR_SSL_')
}
