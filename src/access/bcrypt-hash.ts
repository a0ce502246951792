// The bcrypt families `$2a$`, `$2b$` and `$2y$`, which differ only in their letter here. What a bcrypt password can be is
// decided here; the computing itself is behind `BcryptHasher`, because it takes a tenth of a second and more.
import { timingSafeEqual } from 'node:crypto'
import { HashFormatError } from './hash-format.js'

/** `$2b$<cost>$<22 characters of salt><31 characters of digest>`. */
export interface BcryptHash {
  readonly family: 'bcrypt'
  readonly text: string
  readonly cost: number
  /** Everything before the digest, as bcrypt takes it. */
  readonly salt: string
  /** The 31 characters of the digest, as bytes. */
  readonly digest: Uint8Array
}

/** Computes bcrypt somewhere; `salt` is the first 29 characters of a hash, or the cost for a new salt. */
export interface BcryptHasher {
  hash(password: string, salt: string | number): Promise<string>
}

export const DEFAULT_BCRYPT_COST = 10
export const MIN_BCRYPT_COST = 4
/** Each step doubles the time of a check, which is about 7 seconds at 16. */
export const MAX_BCRYPT_COST = 16

/** bcrypt takes no notice of what comes after these bytes. */
export const MAX_BCRYPT_PASSWORD_BYTES = 72

const SALT_CHARACTERS = 29
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads `$2a$…`, `$2b$…` or `$2y$…`; throws HashFormatError. */
export function parseBcrypt(text: string): BcryptHash {
  const match = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/.exec(text)
  if (!match) throw new HashFormatError('a bcrypt hash has the form $2b$10$ and 53 characters of bcrypt base64')
  const cost = Number(match[1])
  if (cost < MIN_BCRYPT_COST || cost > MAX_BCRYPT_COST)
    throw new HashFormatError(`the bcrypt cost is not a number from ${MIN_BCRYPT_COST} to ${MAX_BCRYPT_COST}`)
  return {
    family: 'bcrypt',
    text,
    cost,
    salt: text.slice(0, SALT_CHARACTERS),
    digest: Buffer.from(text.slice(SALT_CHARACTERS), 'latin1'),
  }
}

/**
 * Whether `password` is the one of `hash`; constant time. What bcrypt cannot tell apart from something else (more than
 * 72 bytes, a zero byte) and what its implementation cannot take (not UTF-8) is never the password.
 */
export async function verifyBcrypt(password: Uint8Array, hash: BcryptHash, hasher: BcryptHasher): Promise<boolean> {
  const text = bcryptText(password)
  if (text === undefined) return false
  const computed = await hasher.hash(text, hash.salt)
  return timingSafeEqual(Buffer.from(computed.slice(SALT_CHARACTERS), 'latin1'), hash.digest)
}

/** A new `$2b$` hash with `cost` from 4 to 16; `password` must be one that `bcryptObjection` has nothing against. */
export function generateBcrypt(password: Uint8Array, cost: number, hasher: BcryptHasher): Promise<string> {
  const text = bcryptText(password)
  if (text === undefined) throw new RangeError('not a password for bcrypt')
  return hasher.hash(text, cost)
}

/** Why bcrypt cannot keep `password`, as the end of a sentence that begins with "the password"; undefined if it can. */
export function bcryptObjection(password: Uint8Array): string | undefined {
  if (password.length > MAX_BCRYPT_PASSWORD_BYTES)
    return `has ${password.length} bytes, and bcrypt uses only the first ${MAX_BCRYPT_PASSWORD_BYTES}`
  if (password.includes(0)) return 'has a zero byte, where bcrypt may stop reading'
  return bcryptText(password) === undefined ? 'is not valid UTF-8, which bcrypt needs here' : undefined
}

function bcryptText(password: Uint8Array): string | undefined {
  if (password.length > MAX_BCRYPT_PASSWORD_BYTES || password.includes(0)) return undefined
  try {
    return utf8.decode(password)
  } catch {
    return undefined
  }
}
