// Judges a stapled OCSP response (RFC 6960, in the handshake RFC 6066 section 8): whether the issuer of a certificate, or a responder
// that it has authorized, says that it is good now. Nothing is believed before its signature is verified. Left out is whether the
// responder's own certificate has been revoked, which section 4.2.2.2.1 leaves to the client.

import { constants, createHash, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { trustedIssuer } from './authority-chain.js'
import { type Element, elements, inner, Tag, timeOf } from './der.js'
import { keyBitsOf, serialOf, subjectOf } from './der-fields.js'
import { day } from './tls-reasons.js'

/** What a handshake has shown of the other side. */
export interface Staple {
  readonly response: Buffer | undefined
  /** Its own first; those behind it may be of anybody's making. */
  readonly certificates: readonly X509Certificate[]
}

/** Bytes of a response; in TLS 1.2 OpenSSL takes no more either. */
const MOST_BYTES = 16_384
/** ms by which the clock of a responder may differ from ours. */
const SKEW = 5 * 60_000
/** ms for which a response counts that does not say until when. */
const LIFETIME = 24 * 3_600_000

/** Extended key usage of those who may answer for an issuer. */
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
const BASIC_RESPONSE = '2b0601050507300101'

/** TABLE of the answers that say nothing of a certificate (section 4.2.1). */
const STATUSES: readonly (string | undefined)[] = [
  undefined,
  'malformedRequest',
  'internalError',
  'tryLater',
  undefined,
  'sigRequired',
  'unauthorized',
]

/** TABLE of hashes that name an issuer: object identifier, as its bytes → what Node calls it. */
const HASHES = new Map([
  ['2b0e03021a', 'sha1'],
  ['608648016503040201', 'sha256'],
])

interface Algorithm {
  /** Undefined where the algorithm has its own. */
  readonly hash: string | undefined
  /** Types of keys, as Node calls them. */
  readonly keys: readonly string[]
  readonly padding?: number
}

const RSA = ['rsa']
const EC = ['ec']
const PSS = '2a864886f70d01010a'

/** TABLE of accepted signatures: object identifier, as its bytes. */
const SIGNATURES: ReadonlyMap<string, Algorithm> = new Map([
  ['2a864886f70d01010b', { hash: 'sha256', keys: RSA }],
  ['2a864886f70d01010c', { hash: 'sha384', keys: RSA }],
  ['2a864886f70d01010d', { hash: 'sha512', keys: RSA }],
  ['2a8648ce3d040302', { hash: 'sha256', keys: EC }],
  ['2a8648ce3d040303', { hash: 'sha384', keys: EC }],
  ['2a8648ce3d040304', { hash: 'sha512', keys: EC }],
  ['2b6570', { hash: undefined, keys: ['ed25519'] }],
])

/** TABLE of the hashes of RSASSA-PSS, which names its own. */
const PSS_HASHES = new Map([
  ['608648016503040201', 'sha256'],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
])

const NOT_SIGNED = 'the OCSP response is not signed by its issuer'

/**
 * What is wrong with the response for a certificate that has been verified up to one of `trusted`; undefined if it is good.
 * @param now ms since 1970
 */
export function stapleFault(
  { response, certificates: [certificate, ...shown] }: Staple,
  trusted: readonly X509Certificate[],
  now: number,
): string | undefined {
  if (response === undefined || response.length === 0) return 'no OCSP response was stapled'
  // Not whoever is shown as its issuer: a key can be made that fits a signature.
  const issuer = certificate && trustedIssuer(certificate, trusted, shown)
  if (certificate === undefined || issuer === undefined) return 'no authority is known to have issued it'
  return ocspFault(response, certificate, issuer, now)
}

/**
 * What is wrong with `response` as one for `certificate`; undefined if it is good. Throws nothing.
 * @param now ms since 1970
 */
export function ocspFault(
  response: Buffer,
  certificate: X509Certificate,
  issuer: X509Certificate,
  now: number,
): string | undefined {
  if (response.length > MOST_BYTES) return `the OCSP response has ${response.length} bytes, more than ${MOST_BYTES}`
  try {
    return responseFault(response, certificate, issuer, now)
  } catch {
    return 'the OCSP response is malformed'
  }
}

/** @throws RangeError or what node:crypto throws when it is none */
function responseFault(
  response: Buffer,
  certificate: X509Certificate,
  issuer: X509Certificate,
  now: number,
): string | undefined {
  const [status, bytes] = sequence(response)
  const code = content(status, Tag.ENUMERATED).readUInt8()
  if (code !== 0) return `the OCSP responder has no answer: ${STATUSES[code] ?? code}`
  const [type, octets] = sequence(content(bytes, Tag.CONTEXT_0))
  if (hex(content(type, Tag.OBJECT_IDENTIFIER)) !== BASIC_RESPONSE) throw new RangeError('not a basic response')
  const basic = content(octets, Tag.OCTET_STRING)
  const [data, , , chain] = sequence(basic)
  const [responder, , responses, ...more] = elements(content(data, Tag.SEQUENCE)).filter(
    ({ tag }, at) => at > 0 || tag !== Tag.CONTEXT_0,
  )
  const certificates = chain === undefined ? [] : sequence(content(chain, Tag.CONTEXT_0))
  const candidates = certificates.map(({ whole }) => whole)
  const fault = signerFault(basic, present(responder), candidates, issuer, now)
  if (fault !== undefined) return fault
  const single = elements(content(responses, Tag.SEQUENCE))
    .map((each) => elements(content(each, Tag.SEQUENCE)))
    .find(([id]) => isFor(id, certificate, issuer))
  if (single === undefined) return 'the OCSP response is for another certificate'
  if (hasCritical(more) || hasCritical(single.slice(3)))
    return 'the OCSP response has a critical extension that is not known'
  return statusFault(single, now)
}

/** Who has signed it, of the issuer and the certificates that came with it, must be whom it names (section 4.2.2.2). */
function signerFault(
  basic: Buffer,
  responder: Element,
  candidates: readonly Buffer[],
  issuer: X509Certificate,
  now: number,
): string | undefined {
  if (isNamed(responder, issuer.raw)) return signatureFault(basic, issuer.publicKey)
  const raw = candidates.find((each) => isNamed(responder, each))
  if (raw === undefined) return NOT_SIGNED
  const delegate = new X509Certificate(raw)
  if (!delegate.checkIssued(issuer)) return NOT_SIGNED
  const fault = signatureFault(raw, issuer.publicKey) ?? signatureFault(basic, delegate.publicKey)
  if (fault !== undefined) return fault
  const uses: readonly string[] | undefined = delegate.keyUsage
  if (uses?.includes(OCSP_SIGNING) !== true)
    return 'the OCSP response is signed by a certificate that may not sign for its issuer'
  const { validFrom, validTo } = delegate
  return dateFault('the certificate of the OCSP responder', Date.parse(validFrom), Date.parse(validTo), now)
}

/** Whether a responder, by name or by the SHA-1 of its key, is the subject of a certificate. */
function isNamed({ tag, content: name }: Element, raw: Buffer): boolean {
  if (tag === Tag.CONTEXT_1) return name.equals(subjectOf(raw))
  return tag === Tag.CONTEXT_2 && inner(name).equals(digest('sha1', keyBitsOf(raw)))
}

/** `signed` is a response or a certificate: what is signed, the algorithm, and the signature. */
function signatureFault(signed: Buffer, key: KeyObject): string | undefined {
  const [data, algorithm, bits] = sequence(signed)
  const known = algorithmOf(elements(content(algorithm, Tag.SEQUENCE)))
  if (known === undefined) return 'the OCSP response is signed with an algorithm that is not accepted'
  const { hash: name, keys, padding } = known
  if (!keys.includes(key.asymmetricKeyType ?? '')) return NOT_SIGNED
  const signature = content(bits, Tag.BIT_STRING)
  if (signature.readUInt8() !== 0) throw new RangeError('not whole bytes')
  const how = { key, ...(padding !== undefined && { padding }) }
  const isRight = verify(name, present(data).whole, how, signature.subarray(1))
  return isRight ? undefined : NOT_SIGNED
}

function algorithmOf([type, parameters]: readonly Element[]): Algorithm | undefined {
  const name = hex(content(type, Tag.OBJECT_IDENTIFIER))
  if (name !== PSS) return SIGNATURES.get(name)
  const [first] = elements(content(parameters, Tag.SEQUENCE))
  // Without it the hash is SHA-1. Node takes the same for the mask, as everybody does.
  if (first?.tag !== Tag.CONTEXT_0) return undefined
  const hash = PSS_HASHES.get(hex(inner(inner(first.content))))
  return hash === undefined ? undefined : { hash, keys: ['rsa', 'rsa-pss'], padding: constants.RSA_PKCS1_PSS_PADDING }
}

/** Whether a CertID names the certificate (section 4.1.1). */
function isFor(id: Element | undefined, certificate: X509Certificate, issuer: X509Certificate): boolean {
  const [algorithm, nameHash, keyHash, serial] = elements(content(id, Tag.SEQUENCE))
  const name = HASHES.get(hex(inner(content(algorithm, Tag.SEQUENCE))))
  if (name === undefined) return false
  return (
    content(serial, Tag.INTEGER).equals(serialOf(certificate.raw)) &&
    content(nameHash, Tag.OCTET_STRING).equals(digest(name, subjectOf(issuer.raw))) &&
    content(keyHash, Tag.OCTET_STRING).equals(digest(name, keyBitsOf(issuer.raw)))
  )
}

/** Whether extensions, in [1], have one that must be understood: none of them is here (section 4.4). */
function hasCritical(fields: readonly Element[]): boolean {
  const extensions = fields.find(({ tag }) => tag === Tag.CONTEXT_1)
  if (extensions === undefined) return false
  return sequence(extensions.content).some((each) => elements(each.content)[1]?.tag === Tag.BOOLEAN)
}

function statusFault([, status, thisUpdate, nextUpdate]: readonly Element[], now: number): string | undefined {
  const { tag, content: info } = present(status)
  if (tag === Tag.CONTEXT_1) return `revoked on ${day(time(elements(info)[0]))}`
  if (tag === Status.UNKNOWN) return 'the OCSP responder does not know it'
  if (tag !== Status.GOOD) throw new RangeError('no status of a certificate')
  const from = time(thisUpdate)
  const [until] = nextUpdate?.tag === Tag.CONTEXT_0 ? elements(nextUpdate.content) : []
  return dateFault('the OCSP response', from, until === undefined ? from + LIFETIME : time(until), now)
}

/** Tags. */
const Status = { GOOD: 0x80, UNKNOWN: 0x82 } as const

/** Times are ms since 1970. */
function dateFault(what: string, from: number, until: number, now: number): string | undefined {
  if (from <= now + SKEW && now - SKEW <= until) return undefined
  return until < now ? `${what} expired on ${day(until)}` : `${what} is not valid before ${day(from)}`
}

function time(element: Element | undefined): number {
  const found = timeOf(present(element))
  if (found === undefined || Number.isNaN(found)) throw new RangeError('no time')
  return found
}

function present(element: Element | undefined): Element {
  if (element === undefined) throw new RangeError('cut short')
  return element
}

/** What is in the one sequence that `der` is. */
function sequence(der: Buffer): readonly Element[] {
  const [first, ...more] = elements(der)
  if (more.length > 0) throw new RangeError('something behind it')
  return elements(content(first, Tag.SEQUENCE))
}

function content(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw new RangeError('another tag')
  return element.content
}

function digest(name: string, bytes: Buffer): Buffer {
  return createHash(name).update(bytes).digest()
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex')
}
