// From a certificate up to an authority that is trusted: what the other side has shown behind its own, and whom it rests on.

import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'

/** Most certificates that are looked at behind the other side's. */
const MOST_SHOWN = 10
/** Most certificates between one and the authority that signs itself. */
const MOST_ISSUERS = 10

/** The certificate of the other side and those that it has shown behind it. Node gives the latter away only once. */
export function certificatesShown(socket: TLSSocket): readonly X509Certificate[] {
  const shown: X509Certificate[] = []
  let each = socket.getPeerX509Certificate()
  for (; each !== undefined && shown.length < MOST_SHOWN; each = each.issuerCertificate) shown.push(each)
  return shown
}

/**
 * Who has signed `leaf`: one of `trusted`, or of `shown` if it rests on them. Undefined if the signatures do not lead, through either,
 * to one of `trusted` that signs itself. Dates are not looked at.
 */
export function trustedIssuer(
  leaf: X509Certificate,
  trusted: readonly X509Certificate[],
  shown: readonly X509Certificate[],
): X509Certificate | undefined {
  let first: X509Certificate | undefined
  let below = leaf
  for (let i = 0; i < MOST_ISSUERS; i++) {
    const hasSigned = (each: X509Certificate) => each.ca && below.checkIssued(each) && below.verify(each.publicKey)
    const authority = trusted.find(hasSigned)
    const issuer = authority ?? shown.find(hasSigned)
    if (issuer === undefined) return undefined
    first ??= issuer
    if (authority?.checkIssued(authority) === true) return first
    below = issuer
  }
  return undefined
}
