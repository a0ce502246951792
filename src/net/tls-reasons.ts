// Why a TLS handshake failed, in words for the log: what OpenSSL reports of the protocol, and what it finds wrong with a client's
// certificate. Which certificate is acceptable is decided in tls.ts.

import type { PeerCertificate } from 'node:tls'
import { opensslReason } from './openssl-reason.js'

/** TABLE of OpenSSL's reasons in words. Alerts are what the client says of us. */
const HANDSHAKE: Readonly<Record<string, string>> = {
  ALERT_ACCESS_DENIED: 'the client refuses the certificate of this listener',
  ALERT_BAD_CERTIFICATE: 'the client refuses the certificate of this listener',
  ALERT_CERTIFICATE_EXPIRED: 'the client finds the certificate of this listener expired',
  ALERT_CERTIFICATE_UNKNOWN: 'the client refuses the certificate of this listener',
  ALERT_DECRYPT_ERROR: 'the client cannot verify the handshake (another PSK?)',
  ALERT_HANDSHAKE_FAILURE: 'the client and this listener share no settings',
  // What mosquitto_pub and its like say when the certificate is for another name.
  ALERT_INTERNAL_ERROR: 'the client refuses the certificate of this listener, or has failed itself',
  ALERT_PROTOCOL_VERSION: 'protocol version not accepted by the client',
  ALERT_UNKNOWN_CA: 'the client does not know the issuer of the certificate of this listener',
  BINDER_DOES_NOT_VERIFY: 'the handshake does not verify (another PSK?)',
  CERTIFICATE_VERIFY_FAILED: 'the client certificate does not verify',
  DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 'the handshake does not verify (another PSK?)',
  HTTP_REQUEST: 'HTTP on a TLS port',
  NO_SHARED_CIPHER: 'no shared cipher',
  NO_SUITABLE_SIGNATURE_ALGORITHM: 'no shared signature algorithm',
  PEER_DID_NOT_RETURN_A_CERTIFICATE: 'client certificate missing',
  PSK_IDENTITY_NOT_FOUND: 'unknown PSK identity',
  UNEXPECTED_MESSAGE: 'a message out of order',
  UNSUPPORTED_PROTOCOL: 'protocol version not accepted here',
  VERSION_TOO_LOW: 'protocol version not accepted here',
  WRONG_VERSION_NUMBER: 'what the client sends is not TLS',
}

/** The error of a TLS socket in words. */
export function tlsReason(error: Error): string {
  const code = opensslReason(error)
  const known = HANDSHAKE[code]
  if (known !== undefined) return known
  if ('reason' in error && typeof error.reason === 'string') return error.reason
  return error.message || code
}

/** What the first byte of a connection that should begin with a TLS handshake shows instead; undefined if it is one. */
export function notTls(first: number): string | undefined {
  if (first === FirstByte.TLS_HANDSHAKE) return undefined
  return first === FirstByte.MQTT_CONNECT ? 'plain MQTT on a TLS port' : 'what the client sends is not TLS'
}

const FirstByte = { MQTT_CONNECT: 0x10, TLS_HANDSHAKE: 0x16 } as const

/** TABLE of what may be wrong with a certificate; `{}` stands for the names or the date. */
const VERIFICATION: Readonly<Record<string, (leaf: PeerCertificate) => string>> = {
  CERT_HAS_EXPIRED: (leaf) => `expired on ${day(earliestEnd(leaf))}`,
  CERT_NOT_YET_VALID: (leaf) => `not valid before ${day(leaf.valid_from)}`,
  CERT_REJECTED: () => 'not meant for this use',
  CERT_REVOKED: () => 'revoked',
  CRL_HAS_EXPIRED: () => 'the revocation list of its issuer, in crlfile, has expired',
  CRL_NOT_YET_VALID: () => 'the revocation list of its issuer, in crlfile, is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: (leaf) => `unknown issuer ${nameOf(leaf.issuer)} (signed by itself)`,
  INVALID_CA: () => 'its issuer is no authority',
  INVALID_PURPOSE: () => 'not meant for clients',
  SELF_SIGNED_CERT_IN_CHAIN: (leaf) => `unknown issuer ${nameOf(leaf.issuer)}`,
  UNABLE_TO_GET_CRL: () => 'no revocation list of its issuer in crlfile',
  UNABLE_TO_GET_ISSUER_CERT: (leaf) => `unknown issuer ${nameOf(leaf.issuer)}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: (leaf) => `unknown issuer ${nameOf(leaf.issuer)}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: (leaf) => `unknown issuer ${nameOf(leaf.issuer)}`,
}

/** A certificate that was not accepted, in words. `code` is OpenSSL's. */
export function certificateReason(code: string, leaf: PeerCertificate): string {
  return `client certificate of ${nameOf(leaf.subject)}: ${verification(code, leaf)}`
}

/** A broker's certificate that was not accepted, in words. */
export function serverCertificateReason(code: string, leaf: PeerCertificate): string {
  return serverCertificateFault(code === 'INVALID_PURPOSE' ? 'not meant for servers' : verification(code, leaf), leaf)
}

/** The same where it is known what is wrong. */
export function serverCertificateFault(fault: string, leaf: PeerCertificate): string {
  return `certificate of the broker, ${nameOf(leaf.subject)}: ${fault}`
}

function verification(code: string, leaf: PeerCertificate): string {
  const say = VERIFICATION[code]
  return say === undefined ? code.toLowerCase().replaceAll('_', ' ') : say(leaf)
}

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const { CN, O } = name ?? {}
  return `'${CN ?? O ?? 'nobody'}'`
}

/** When the first certificate of a chain ends: the one that has expired, if one has. */
function earliestEnd(leaf: PeerCertificate): string {
  const ends = new Map<number, string>()
  const seen = new Set<string>()
  for (let each: PeerCertificate | undefined = leaf; each !== undefined && !seen.has(each.fingerprint256); ) {
    seen.add(each.fingerprint256)
    ends.set(Date.parse(each.valid_to), each.valid_to)
    each = 'issuerCertificate' in each ? (each.issuerCertificate as PeerCertificate) : undefined
  }
  return ends.get(Math.min(...ends.keys())) ?? leaf.valid_to
}

/** @param time in ms since 1970, or as a certificate has it */
export function day(time: string | number): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? `${time}` : date.toISOString().slice(0, 10)
}
