// OpenSSL's names for what went wrong in a handshake, the same from every version of it.

/** Alerts have carried the protocol they came with in their names, and newer versions say `SSL/TLS` of the oldest of them. */
const ALERT = /^(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_ALERT_/

/** `ALERT_UNKNOWN_CA`, `NO_SHARED_CIPHER`: the reason of a TLS error; the code of any other error, empty when it has none. */
export function opensslReason(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return code.replace(/^ERR_SSL_(?:TLSV1_(?=UNRECOGNIZED))?/, '').replace(ALERT, 'ALERT_')
}
