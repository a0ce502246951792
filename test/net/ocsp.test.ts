// Stapled OCSP responses (RFC 6960): which are good, what is said of the others, and that no bytes throw.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ocspFault, stapleFault } from '../../src/net/ocsp.js'
import {
  answer,
  byKey,
  der,
  extensions,
  generalizedTime,
  makeCertificate,
  makeResponse,
  oid,
  type ResponseFields,
  revoked,
  type SingleFields,
  sequence,
  UNKNOWN,
} from '../support/certificate-maker.js'

const NOW = Date.UTC(2026, 10, 21, 12)
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

const issuer = makeCertificate({ subject: 'Authority', isAuthority: true })
const rsaIssuer = makeCertificate({ subject: 'Authority', isAuthority: true, kind: 'rsa' })
const edIssuer = makeCertificate({ subject: 'Authority', isAuthority: true, kind: 'ed25519' })
const other = makeCertificate({ subject: 'Other', isAuthority: true })
const impostor = makeCertificate({ subject: 'Authority', isAuthority: true })
const leaf = makeCertificate({ subject: 'broker', issuer })
const delegate = makeCertificate({ subject: 'Responder', issuer, use: OCSP_SIGNING })
const delegates = {
  rsa: makeCertificate({ subject: 'Responder', issuer, use: OCSP_SIGNING, kind: 'rsa' }),
  useless: makeCertificate({ subject: 'Responder', issuer }),
  server: makeCertificate({ subject: 'Responder', issuer, use: '1.3.6.1.5.5.7.3.1' }),
  expired: makeCertificate({ subject: 'Responder', issuer, use: OCSP_SIGNING, until: NOW - DAY }),
  early: makeCertificate({ subject: 'Responder', issuer, use: OCSP_SIGNING, from: NOW + DAY }),
  foreign: makeCertificate({ subject: 'Responder', issuer: other, use: OCSP_SIGNING }),
  forged: makeCertificate({ subject: 'Responder', issuer: impostor, use: OCSP_SIGNING }),
  misnamed: makeCertificate({
    subject: 'Responder',
    issuer: { ...issuer, certificate: other.certificate },
    use: OCSP_SIGNING,
  }),
  weak: makeCertificate({ subject: 'Responder', issuer, use: OCSP_SIGNING, signing: 'ec-sha1' }),
}
const by = (signer: typeof delegate, more: ResponseFields = {}): ResponseFields => ({
  signer,
  chain: [signer.certificate],
  ...more,
})
const one = (single: SingleFields): ResponseFields => ({ singles: [single] })

const NOT_SIGNED = 'the OCSP response is not signed by its issuer'
const UNACCEPTED = 'the OCSP response is signed with an algorithm that is not accepted'
const MALFORMED = 'the OCSP response is malformed'
const ANOTHER = 'the OCSP response is for another certificate'
const CRITICAL = 'the OCSP response has a critical extension that is not known'

const good = makeResponse(leaf.certificate, issuer, NOW)

// biome-ignore format: one case a line
const cases: readonly (readonly [name: string, response: Buffer | ResponseFields, fault?: string])[] = [
  ['good', good],
  ['the responder named by its key', { responder: byKey(issuer) }],
  ['the version written out', { version: der(0xa0, der(0x02, Buffer.from([0]))) }],
  ['CertID with SHA-256', one({ hash: 'sha256' })],
  ['CertID with SHA-512', one({ hash: 'sha512' }), ANOTHER],
  ['another serial number', one({ serial: Buffer.from([1, 2, 4]) }), ANOTHER],
  ['a serial number that begins like it', one({ serial: Buffer.from([1, 2]) }), ANOTHER],
  ['the name of another issuer', one({ nameOf: other.certificate }), ANOTHER],
  ['the key of another issuer', one({ keyOf: other.certificate }), ANOTHER],
  ['no certificate at all', { singles: [] }, ANOTHER],
  ['several certificates', { singles: [{ serial: Buffer.from([9]), status: UNKNOWN }, { hash: 'sha512', status: UNKNOWN }, {}] }],
  ['revoked', one({ status: revoked(Date.UTC(2026, 8, 3, 4, 5, 6)) }), 'revoked on 2026-09-03'],
  ['revoked, in a response that has expired', one({ status: revoked(NOW - 9 * DAY), nextUpdate: generalizedTime(NOW - DAY) }), 'revoked on 2026-11-12'],
  ['unknown', one({ status: UNKNOWN }), 'the OCSP responder does not know it'],
  ['a status that there is not', one({ status: der(0x83) }), MALFORMED],
  ['expired', one({ nextUpdate: generalizedTime(NOW - DAY) }), 'the OCSP response expired on 2026-11-20'],
  ['expired five minutes ago', one({ nextUpdate: generalizedTime(NOW - 5 * MINUTE) })],
  ['expired a second longer ago', one({ nextUpdate: generalizedTime(NOW - 5 * MINUTE - 1000) }), 'the OCSP response expired on 2026-11-21'],
  ['from tomorrow on', one({ thisUpdate: generalizedTime(NOW + DAY), nextUpdate: generalizedTime(NOW + 2 * DAY) }), 'the OCSP response is not valid before 2026-11-22'],
  ['in five minutes', one({ thisUpdate: generalizedTime(NOW + 5 * MINUTE) })],
  ['a second later', one({ thisUpdate: generalizedTime(NOW + 5 * MINUTE + 1000) }), 'the OCSP response is not valid before 2026-11-21'],
  ['no end, a day old', one({ thisUpdate: generalizedTime(NOW - DAY), nextUpdate: undefined })],
  ['no end, two days old', one({ thisUpdate: generalizedTime(NOW - 2 * DAY), nextUpdate: undefined }), 'the OCSP response expired on 2026-11-20'],
  ['a time that there is not', one({ thisUpdate: der(0x18, Buffer.from('20261399000000Z')) }), MALFORMED],
  ['a time of another form', one({ thisUpdate: der(0x18, Buffer.from('20261121115900.5Z')) }), MALFORMED],
  ['text instead of a time', one({ thisUpdate: der(0x0c, Buffer.from('20261121115900Z')) }), MALFORMED],
  ['an extension', { ...one({ extensions: extensions(false) }), extensions: extensions(false) }],
  ['a critical extension', { extensions: extensions(true) }, CRITICAL],
  ['a critical extension of one answer', one({ extensions: extensions(true) }), CRITICAL],
  ['the same without an end', one({ extensions: extensions(true), nextUpdate: undefined }), CRITICAL],
  ['signed by nobody known', { signer: other }, NOT_SIGNED],
  ['signed by somebody else under the name of the issuer', { signer: impostor }, NOT_SIGNED],
  ['the same with the certificate for it', by(impostor), NOT_SIGNED],
  ['signed by the issuer under another name', { responder: byKey(other) }, NOT_SIGNED],
  ['signed by the certificate itself', by(leaf), 'the OCSP response is signed by a certificate that may not sign for its issuer'],
  ['signed with SHA-1', { signing: 'ec-sha1' }, UNACCEPTED],
  ['signed with a key of another type than it says', { signing: 'rsa-sha256' }, NOT_SIGNED],
  ['signed with SHA-384', { signing: 'ec-sha384' }],
  ['signed with SHA-512', { signing: 'ec-sha512' }],
  ['a responder', by(delegate)],
  ['a responder named by its key', by(delegate, { responder: byKey(delegate) })],
  ['a responder between others', by(delegate, { chain: [other.certificate, issuer.certificate, delegate.certificate] })],
  ['a responder with RSA', by(delegates.rsa)],
  ['a responder without its certificate', { signer: delegate }, NOT_SIGNED],
  ['a responder without a use', by(delegates.useless), 'the OCSP response is signed by a certificate that may not sign for its issuer'],
  ['a responder for another use', by(delegates.server), 'the OCSP response is signed by a certificate that may not sign for its issuer'],
  ['a responder that has expired', by(delegates.expired), 'the certificate of the OCSP responder expired on 2026-11-20'],
  ['a responder from tomorrow on', by(delegates.early), 'the certificate of the OCSP responder is not valid before 2026-11-22'],
  ['a responder of another issuer', by(delegates.foreign), NOT_SIGNED],
  ['a responder of somebody under the name of the issuer', by(delegates.forged), NOT_SIGNED],
  ['a responder whose certificate names another issuer', by(delegates.misnamed), NOT_SIGNED],
  ['a responder whose certificate is signed with SHA-1', by(delegates.weak), UNACCEPTED],
  ['a responder that has not signed', by(delegate, { signer: other, responder: byKey(delegate), chain: [delegate.certificate] }), NOT_SIGNED],
  ['a signature of RSA by a key of EC', by(delegates.rsa, { responder: byKey(delegate), chain: [delegate.certificate] }), NOT_SIGNED],
  ['a type that is not basic', { type: '1.3.6.1.5.5.7.48.1.2' }, MALFORMED],
  ['malformedRequest', answer(1), 'the OCSP responder has no answer: malformedRequest'],
  ['tryLater', answer(3), 'the OCSP responder has no answer: tryLater'],
  ['unauthorized', answer(6), 'the OCSP responder has no answer: unauthorized'],
  ['a status that is not used', answer(4), 'the OCSP responder has no answer: 4'],
  ['success without a response', answer(0), MALFORMED],
  ['no status', sequence(der(0x0a)), MALFORMED],
  ['garbage', Buffer.from('garbage'), MALFORMED],
  ['a length that is not known yet', Buffer.concat([Buffer.from([0x30, 0x80]), good.subarray(4), Buffer.alloc(2)]), MALFORMED],
  ['a length of 8 bytes', Buffer.from('308800000000000000020a00', 'hex'), MALFORMED],
  ['a length beyond the end', Buffer.from('3084ffffffff0a0100', 'hex'), MALFORMED],
  ['something behind it', Buffer.concat([good, Buffer.from([5, 0])]), MALFORMED],
  ['the largest, of zeros', Buffer.alloc(16_384), MALFORMED],
  ['one byte more', Buffer.alloc(16_385), 'the OCSP response has 16385 bytes, more than 16384'],
]

for (const [name, response, fault] of cases)
  test(`${name}: ${fault ?? 'accepted'}`, () => {
    const bytes = Buffer.isBuffer(response) ? response : makeResponse(leaf.certificate, issuer, NOW, response)
    assert.equal(ocspFault(bytes, leaf.certificate, issuer.certificate, NOW), fault)
  })

for (const [signer, signing, fault] of [
  [rsaIssuer, 'rsa-sha1', UNACCEPTED],
  [rsaIssuer, 'rsa-sha256'],
  [rsaIssuer, 'rsa-sha384'],
  [rsaIssuer, 'rsa-sha512'],
  [rsaIssuer, 'pss-sha1', UNACCEPTED],
  [rsaIssuer, 'pss-sha256'],
  [rsaIssuer, 'pss-sha384'],
  [rsaIssuer, 'pss-sha512'],
  [edIssuer, 'ed25519'],
] as const)
  test(`an issuer that signs with ${signing}: ${fault ?? 'accepted'}`, () => {
    const { certificate } = makeCertificate({ subject: 'broker', issuer: signer })
    for (const more of [{}, { responder: byKey(signer) }]) {
      const response = makeResponse(certificate, signer, NOW, { signing, ...more })
      assert.equal(ocspFault(response, certificate, signer.certificate, NOW), fault)
    }
  })

test('cut short or changed in any of its bytes it is refused, and nothing throws', () => {
  const response = makeResponse(leaf.certificate, issuer, NOW, by(delegate))
  for (let at = 0; at < response.length; at++) {
    const short = ocspFault(response.subarray(0, at), leaf.certificate, issuer.certificate, NOW)
    assert.equal(short, MALFORMED, `the first ${at} bytes`)
    const changed = Buffer.from(response)
    changed.writeUInt8(changed.readUInt8(at) ^ 0x10, at)
    const fault = ocspFault(changed, leaf.certificate, issuer.certificate, NOW)
    assert.notEqual(fault, undefined, `byte ${at}`)
  }
})

const middle = makeCertificate({ subject: 'Middle', issuer, isAuthority: true })
const below = makeCertificate({ subject: 'broker', issuer: middle })
const fake = makeCertificate({ subject: 'Middle', isAuthority: true })
const trusted = [other.certificate, issuer.certificate]
const aboutBelow = makeResponse(below.certificate, middle, NOW)

// biome-ignore format: one case a line
const staples: readonly (readonly [name: string, staple: Parameters<typeof stapleFault>[0], fault?: string])[] = [
  ['none', { response: undefined, certificates: [leaf.certificate] }, 'no OCSP response was stapled'],
  ['an empty one', { response: Buffer.alloc(0), certificates: [leaf.certificate] }, 'no OCSP response was stapled'],
  ['by an authority that is trusted', { response: good, certificates: [leaf.certificate] }],
  ['by one that is shown', { response: aboutBelow, certificates: [below.certificate, middle.certificate] }],
  ['by one that is not', { response: aboutBelow, certificates: [below.certificate] }, 'no authority is known to have issued it'],
  ['by one that is shown first and has not issued it', { response: makeResponse(below.certificate, fake, NOW), certificates: [below.certificate, fake.certificate, middle.certificate] }, NOT_SIGNED],
  ['for a certificate that signs itself', { response: good, certificates: [fake.certificate] }, 'no authority is known to have issued it'],
  ['without a certificate', { response: good, certificates: [] }, 'no authority is known to have issued it'],
]

for (const [name, staple, fault] of staples)
  test(`stapled ${name}: ${fault ?? 'accepted'}`, () => {
    assert.equal(stapleFault(staple, trusted, NOW), fault)
  })

test('an object identifier as X.690 has it in its example', () => {
  assert.equal(oid('2.999.3').toString('hex'), '0603883703')
})
