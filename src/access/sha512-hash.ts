// The two families that need nothing but SHA-512 (spec: files.md section 1.2): `$6$`, one round over password and salt, and
// `$7$`, PBKDF2. Both are what Mosquitto's own tools write. PBKDF2 runs in the thread pool of Node.
import { createHash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { decodeBase64, decodeCount, HashFormatError } from './hash-format.js'

/** `$6$<salt>$<digest>`. */
export interface Sha512Hash {
  readonly family: 'sha512'
  readonly text: string
  readonly salt: Uint8Array
  readonly digest: Uint8Array
}

/** `$7$<iterations>$<salt>$<digest>`. */
export interface Pbkdf2Hash {
  readonly family: 'sha512-pbkdf2'
  readonly text: string
  readonly iterations: number
  readonly salt: Uint8Array
  readonly digest: Uint8Array
}

/** Iterations Mosquitto uses; one check takes about a millisecond. */
export const DEFAULT_PBKDF2_ITERATIONS = 1000

/** Most iterations accepted, in a file or from an option: some seconds for one check. */
export const MAX_PBKDF2_ITERATIONS = 5_000_000

const DIGEST_BYTES = 64
/** What every Mosquitto reads: those before 2.1 refuse the 64 bytes of later ones. */
const SALT_BYTES = 12
const SALT_LENGTHS = [SALT_BYTES, 64]
const DIGEST_LENGTHS = [DIGEST_BYTES]

const derive = promisify(pbkdf2)

/** Reads `$6$…`; throws HashFormatError. */
export function parseSha512(text: string): Sha512Hash {
  const [, , salt, digest, ...rest] = text.split('$')
  if (salt === undefined || digest === undefined || rest.length > 0)
    throw new HashFormatError('a $6$ hash has the form $6$salt$digest')
  return {
    family: 'sha512',
    text,
    salt: decodeBase64(salt, 'salt', SALT_LENGTHS),
    digest: decodeBase64(digest, 'digest', DIGEST_LENGTHS),
  }
}

/** Reads `$7$…`; throws HashFormatError. */
export function parsePbkdf2(text: string): Pbkdf2Hash {
  const [, , iterations, salt, digest, ...rest] = text.split('$')
  if (iterations === undefined || salt === undefined || digest === undefined || rest.length > 0)
    throw new HashFormatError('a $7$ hash has the form $7$iterations$salt$digest')
  return {
    family: 'sha512-pbkdf2',
    text,
    iterations: decodeCount(iterations, 'number of iterations', 1, MAX_PBKDF2_ITERATIONS),
    salt: decodeBase64(salt, 'salt', SALT_LENGTHS),
    digest: decodeBase64(digest, 'digest', DIGEST_LENGTHS),
  }
}

/** Whether `password` is the one of `hash`; constant time. */
export function verifySha512(password: Uint8Array, hash: Sha512Hash): boolean {
  return timingSafeEqual(digestSha512(password, hash.salt), hash.digest)
}

/** Whether `password` is the one of `hash`; constant time. */
export async function verifyPbkdf2(password: Uint8Array, hash: Pbkdf2Hash): Promise<boolean> {
  return timingSafeEqual(await derive(password, hash.salt, hash.iterations, DIGEST_BYTES, 'sha512'), hash.digest)
}

/** A new `$6$` hash. */
export function generateSha512(password: Uint8Array): string {
  const salt = randomBytes(SALT_BYTES)
  return `$6$${salt.toString('base64')}$${digestSha512(password, salt).toString('base64')}`
}

/** A new `$7$` hash with `iterations` from 1 to MAX_PBKDF2_ITERATIONS. */
export async function generatePbkdf2(password: Uint8Array, iterations: number): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const digest = await derive(password, salt, iterations, DIGEST_BYTES, 'sha512')
  return `$7$${iterations}$${salt.toString('base64')}$${digest.toString('base64')}`
}

function digestSha512(password: Uint8Array, salt: Uint8Array): Buffer {
  return createHash('sha512').update(password).update(salt).digest()
}
