// The few fields of a certificate and of a revocation list that Node does not tell (RFC 5280 sections 4.1 and 5.1). Nothing is
// verified here.

import { type Element, elements, inner, Tag, timeOf } from './der.js'

/** Of a revocation list. Times are ms since 1970. */
export interface RevocationList {
  /** The name of the authority, as DER. */
  readonly issuer: Buffer
  readonly thisUpdate: number
  /** Undefined when the list does not say. */
  readonly nextUpdate: number | undefined
  /** Serial numbers, as Node writes them: in upper-case hexadecimal digits. */
  readonly revoked: ReadonlySet<string>
}

/** @throws RangeError when it is none */
export function readRevocationList(der: Buffer): RevocationList {
  const fields = elements(inner(inner(der))).filter(({ tag }, at) => at > 0 || tag !== Tag.INTEGER)
  const [, issuer, thisUpdate, nextUpdate] = fields
  if (issuer === undefined || thisUpdate === undefined) throw new RangeError('not a revocation list')
  const next = nextUpdate && timeOf(nextUpdate)
  const entries = fields.slice(3).find(({ tag }) => tag === Tag.SEQUENCE)
  const revoked = new Set(entries && elements(entries.content).map(({ content }) => serialIn(content)))
  return { issuer: issuer.whole, thisUpdate: timeOf(thisUpdate) ?? Number.NaN, nextUpdate: next, revoked }
}

/** The number that an entry of a revocation list begins with. */
function serialIn(entry: Buffer): string {
  return inner(entry)
    .toString('hex')
    .toUpperCase()
    .replace(/^(00)+(?=..)/, '')
}

/** The subject of a certificate, as DER. @throws RangeError when it is none */
export function subjectOf(der: Buffer): Buffer {
  return certificateField(der, 4).whole
}

/** Who has signed a certificate, as DER. @throws RangeError when it is none */
export function issuerOf(der: Buffer): Buffer {
  return certificateField(der, 2).whole
}

/** The bytes of its serial number. @throws RangeError when it is no certificate */
export function serialOf(der: Buffer): Buffer {
  return certificateField(der, 0).content
}

/** The public key of a certificate without its algorithm. @throws RangeError when it is no certificate */
export function keyBitsOf(der: Buffer): Buffer {
  const [, bits] = elements(certificateField(der, 5).content)
  if (bits === undefined) throw new RangeError('not a certificate')
  return bits.content.subarray(1)
}

function certificateField(der: Buffer, at: number): Element {
  const fields = elements(inner(inner(der))).filter(({ tag }, index) => index > 0 || tag !== Tag.CONTEXT_0)
  const field = fields[at]
  if (field === undefined) throw new RangeError('not a certificate')
  return field
}
