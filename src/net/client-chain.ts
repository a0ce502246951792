// Verifies a client's certificate without looking at the calendar: for `disable_client_cert_date_checks`, where OpenSSL stops
// counting at the last fault it finds, so that an expired certificate of an unknown issuer is reported as expired; and for clients
// that were connected before the files of their listener changed.

import type { X509Certificate } from 'node:crypto'
import { trustedIssuer } from './authority-chain.js'
import { issuerOf, type RevocationList } from './der-fields.js'

/** Extended key usage "TLS client" and "any" (RFC 5280 section 4.2.1.12). */
const CLIENT_USES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0']

/**
 * Whether `leaf` is meant for clients and signed by one of `trusted` that signs itself, directly or through authorities that are
 * also among them.
 * @param shown authorities between the two that the client has brought along
 */
export function isIssuedBy(
  leaf: X509Certificate,
  trusted: readonly X509Certificate[],
  shown: readonly X509Certificate[] = [],
): boolean {
  const uses: readonly string[] | undefined = leaf.keyUsage
  if (uses !== undefined && !uses.some((use) => CLIENT_USES.includes(use))) return false
  return trustedIssuer(leaf, trusted, shown) !== undefined
}

/** Why a certificate that was accepted once is not any more: a sentence without its beginning, undefined when it still is. */
export function faultNow(
  leaf: X509Certificate,
  trusted: readonly X509Certificate[],
  shown: readonly X509Certificate[],
  lists: readonly RevocationList[] | undefined,
): string | undefined {
  if (!isIssuedBy(leaf, trusted, shown)) return 'its issuer is not trusted any more'
  if (lists === undefined) return undefined
  const issuer = issuerOf(leaf.raw)
  const own = lists.filter((list) => list.issuer.equals(issuer))
  if (own.length === 0) return 'no revocation list of its issuer in crlfile'
  return own.some(({ revoked }) => revoked.has(leaf.serialNumber)) ? 'revoked' : undefined
}
