// Writes certificates and OCSP responses as the test wants them, right or wrong (RFC 5280, RFC 6960): DER by hand, signed with
// node:crypto. Shares nothing with what reads them.

import { constants, createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'

type Part = Buffer | readonly Buffer[]

/** One element. */
export function der(tag: number, ...parts: readonly Part[]): Buffer {
  const content = Buffer.concat(parts.flat())
  const { length } = content
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(head), content])
}

export const sequence = (...parts: readonly Part[]) => der(0x30, ...parts)
const integer = (value: number) => der(0x02, Buffer.from([value]))
const octets = (bytes: Buffer) => der(0x04, bytes)
const bits = (bytes: Buffer) => der(0x03, Buffer.from([0]), bytes)
const NULL = Buffer.from([5, 0])

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...others].flatMap((arc) => {
    const base128 = [arc & 0x7f]
    for (let rest = arc >> 7; rest > 0; rest >>= 7) base128.unshift((rest & 0x7f) | 0x80)
    return base128
  })
  return der(0x06, Buffer.from(bytes))
}

/** GeneralizedTime. @param at ms since 1970 */
export function generalizedTime(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\D/g, '').slice(0, 14)
  return der(0x18, Buffer.from(`${digits}Z`))
}

const name = (commonName: string) => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(commonName)))))

const HASH_OIDS = {
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
} as const
export type Hash = keyof typeof HASH_OIDS

const hashAlgorithm = (hash: Hash) => sequence(oid(HASH_OIDS[hash]), NULL)

/** How something is signed. */
export type Signing = `${'rsa' | 'pss' | 'ec'}-${Hash}` | 'ed25519'

const SIGNING_OIDS: Readonly<Record<string, string>> = {
  'rsa-sha1': '1.2.840.113549.1.1.5',
  'rsa-sha256': '1.2.840.113549.1.1.11',
  'rsa-sha384': '1.2.840.113549.1.1.12',
  'rsa-sha512': '1.2.840.113549.1.1.13',
  'ec-sha1': '1.2.840.10045.4.1',
  'ec-sha256': '1.2.840.10045.4.3.2',
  'ec-sha384': '1.2.840.10045.4.3.3',
  'ec-sha512': '1.2.840.10045.4.3.4',
  ed25519: '1.3.101.112',
}

function algorithm(signing: Signing): Buffer {
  const [kind, hash] = signing.split('-') as [string, Hash]
  if (kind === 'rsa') return sequence(oid(SIGNING_OIDS[signing] ?? ''), NULL)
  if (kind !== 'pss') return sequence(oid(SIGNING_OIDS[signing] ?? ''))
  const mask = sequence(oid('1.2.840.113549.1.1.8'), hashAlgorithm(hash))
  const salt = integer(createHash(hash).digest().length)
  const parameters = hash === 'sha1' ? [] : [der(0xa0, hashAlgorithm(hash)), der(0xa1, mask), der(0xa2, salt)]
  return sequence(oid('1.2.840.113549.1.1.10'), sequence(parameters))
}

/** SIGNED{data}, with more behind it. */
function signed(data: Buffer, key: KeyObject, signing: Signing, ...more: readonly Buffer[]): Buffer {
  const [kind, hash] = signing.split('-')
  const pss = kind === 'pss' && {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }
  return sequence(data, algorithm(signing), bits(sign(hash, data, { key, ...pss })), ...more)
}

/** A certificate with its key. */
export interface Made {
  readonly certificate: X509Certificate
  readonly key: KeyObject
  /** How it signs. */
  readonly signing: Signing
}

export interface CertificateFields {
  /** The common name. */
  readonly subject: string
  /** Of the key of its own. */
  readonly kind?: 'rsa' | 'ec' | 'ed25519'
  /** Itself unless given. */
  readonly issuer?: Made
  readonly signing?: Signing
  readonly serial?: Buffer
  readonly isAuthority?: boolean
  /** Extended key usage, as an object identifier. */
  readonly use?: string
  /** ms since 1970. */
  readonly from?: number
  readonly until?: number
}

const KEYS = {
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ec: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ed25519: () => generateKeyPairSync('ed25519'),
}
const SIGNINGS = { rsa: 'rsa-sha256', ec: 'ec-sha256', ed25519: 'ed25519' } as const

export function makeCertificate({
  subject,
  kind = 'ec',
  issuer,
  signing = issuer?.signing ?? SIGNINGS[kind],
  serial = Buffer.from([1, 2, 3]),
  isAuthority = false,
  use,
  from = Date.UTC(2020, 0, 1),
  until = Date.UTC(2040, 0, 1),
}: CertificateFields): Made {
  const { publicKey, privateKey } = KEYS[kind]()
  const extension = (id: string, value: Buffer) => sequence(oid(id), octets(value))
  const extensions = [
    extension('2.5.29.19', sequence(isAuthority ? [der(0x01, Buffer.from([0xff]))] : [])),
    ...(use === undefined ? [] : [extension('2.5.29.37', sequence(oid(use)))]),
  ]
  const data = sequence(
    der(0xa0, integer(2)),
    der(0x02, serial),
    algorithm(signing),
    issuer === undefined ? name(subject) : nameIn(issuer.certificate),
    sequence(generalizedTime(from), generalizedTime(until)),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extensions)),
  )
  const whole = signed(data, issuer?.key ?? privateKey, signing)
  return { certificate: new X509Certificate(whole), key: privateKey, signing: SIGNINGS[kind] }
}

/** The name of one whose only part is a common name. */
function nameIn({ subject }: X509Certificate): Buffer {
  return name(subject.replace(/^CN=/, ''))
}

/** The last bytes of SubjectPublicKeyInfo. */
function keyBits({ publicKey }: X509Certificate): Buffer {
  if (publicKey.asymmetricKeyType === 'rsa') return publicKey.export({ type: 'pkcs1', format: 'der' })
  const whole = publicKey.export({ type: 'spki', format: 'der' })
  return whole.subarray(publicKey.asymmetricKeyType === 'ec' ? -65 : -32)
}

export interface SingleFields {
  readonly hash?: Hash
  readonly serial?: Buffer
  /** Whose name and whose key are hashed. */
  readonly nameOf?: X509Certificate
  readonly keyOf?: X509Certificate
  /** CertStatus as DER; good unless given. */
  readonly status?: Buffer
  readonly thisUpdate?: Buffer
  readonly nextUpdate?: Buffer | undefined
  readonly extensions?: Buffer
}

export interface ResponseFields {
  /** Signs; the issuer of `about` unless given. */
  readonly signer?: Made
  readonly signing?: Signing
  /** ResponderID; the signer, by name, unless given. */
  readonly responder?: Buffer
  readonly singles?: readonly SingleFields[]
  /** Certificates that go with it. */
  readonly chain?: readonly X509Certificate[]
  readonly extensions?: Buffer
  readonly type?: string
  readonly version?: Buffer
}

/** CertStatus. */
export const GOOD = der(0x80)
export const UNKNOWN = der(0x82)
export const revoked = (at: number) => der(0xa1, generalizedTime(at), der(0xa0, der(0x0a, Buffer.from([1]))))

export const byName = ({ certificate }: Made) => der(0xa1, nameIn(certificate))
export const byKey = ({ certificate }: Made) =>
  der(0xa2, octets(createHash('sha1').update(keyBits(certificate)).digest()))

/** Extensions with one of them, as `[1]` has them. */
export const extensions = (isCritical: boolean) =>
  der(0xa1, sequence(sequence(oid('1.2.3.4'), isCritical ? der(0x01, Buffer.from([0xff])) : [], octets(NULL))))

/**
 * An OCSP response about `about`, issued by `issuer`.
 * @param now ms since 1970, in the hour before and behind which it is valid
 */
export function makeResponse(
  about: X509Certificate,
  issuer: Made,
  now: number,
  {
    signer = issuer,
    signing = signer.signing,
    responder = byName(signer),
    singles = [{}],
    chain = [],
    extensions: more,
    type = '1.3.6.1.5.5.7.48.1.1',
    version,
  }: ResponseFields = {},
): Buffer {
  const hour = 3_600_000
  const responses = singles.map((single) => {
    const { hash = 'sha1', nameOf = issuer.certificate, keyOf = issuer.certificate } = single
    const digest = (bytes: Buffer) => octets(createHash(hash).update(bytes).digest())
    const { serial = Buffer.from(about.serialNumber, 'hex'), status = GOOD, extensions: own } = single
    const { thisUpdate = generalizedTime(now - hour) } = single
    const nextUpdate = 'nextUpdate' in single ? single.nextUpdate : generalizedTime(now + hour)
    return sequence(
      sequence(hashAlgorithm(hash), digest(nameIn(nameOf)), digest(keyBits(keyOf)), der(0x02, serial)),
      status,
      thisUpdate,
      nextUpdate === undefined ? [] : der(0xa0, nextUpdate),
      own ?? [],
    )
  })
  const data = sequence(version ?? [], responder, generalizedTime(now - hour), sequence(responses), more ?? [])
  const certificates = chain.length === 0 ? [] : [der(0xa0, sequence(chain.map(({ raw }) => raw)))]
  const basic = signed(data, signer.key, signing, ...certificates)
  return answer(0, der(0xa0, sequence(oid(type), octets(basic))))
}

/** OCSPResponse with a status, and what else is in it. */
export function answer(status: number, ...bytes: readonly Buffer[]): Buffer {
  return sequence(der(0x0a, Buffer.from([status])), ...bytes)
}
