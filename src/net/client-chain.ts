// Verifies a client's certificate without looking at the calendar (`disable_client_cert_date_checks`). OpenSSL stops counting at the
// last fault it finds, so that an expired certificate of an unknown issuer is reported as expired: the issuers are checked here.

import type { X509Certificate } from 'node:crypto'

/** Most certificates between a client's and the authority that signs itself. */
const MOST_ISSUERS = 10
/** Extended key usage "TLS client" and "any" (RFC 5280 section 4.2.1.12). */
const CLIENT_USES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0']

/** Whether `leaf` is meant for clients and signed, through authorities that are all among `trusted`, by one that signs itself. */
export function isIssuedBy(leaf: X509Certificate, trusted: readonly X509Certificate[]): boolean {
  const uses: readonly string[] | undefined = leaf.keyUsage
  if (uses !== undefined && !uses.some((use) => CLIENT_USES.includes(use))) return false
  let below = leaf
  for (let i = 0; i < MOST_ISSUERS; i++) {
    const issuer = trusted.find((each) => each.ca && below.checkIssued(each) && below.verify(each.publicKey))
    if (issuer === undefined) return false
    if (issuer.checkIssued(issuer)) return true
    below = issuer
  }
  return false
}
