// The `$argon2id$` family: the PHC string Mosquitto 2.1 writes when it is built with argon2 (spec: files.md section 1.2).
// The native package is loaded when the first such hash is computed and works in the thread pool of Node.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { decodeCount, HashFormatError } from './hash-format.js'

/** `$argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<digest>`. */
export interface Argon2idHash {
  readonly family: 'argon2id'
  readonly text: string
  /** Memory for one check in KiB. */
  readonly memory: number
  readonly passes: number
  readonly lanes: number
  readonly salt: Uint8Array
  readonly digest: Uint8Array
}

/** The parameters Mosquitto uses. */
const DEFAULTS = { memory: 47_104, passes: 1, lanes: 1, salt_bytes: 64, digest_bytes: 64 } as const

/** What one line of a file may cost: 1 GiB, and as much work as four passes over it. */
const LIMITS = {
  memory: 1_048_576,
  passes: 256,
  lanes: 16,
  work: 4_194_304,
  min_salt: 8,
  min_digest: 16,
  bytes: 64,
} as const

/** Reads `$argon2id$…`; throws HashFormatError. */
export function parseArgon2id(text: string): Argon2idHash {
  const [, , version, parameters, saltText, digestText, ...rest] = text.split('$')
  const match = /^m=([0-9]+),t=([0-9]+),p=([0-9]+)$/.exec(parameters ?? '')
  if (!match || saltText === undefined || digestText === undefined || rest.length > 0)
    throw new HashFormatError('an $argon2id$ hash has the form $argon2id$v=19$m=…,t=…,p=…$salt$digest')
  if (version !== 'v=19') throw new HashFormatError('only version 19 of argon2id can be used')
  const [, m = '', t = '', p = ''] = match
  const lanes = decodeCount(p, 'argon2id parallelism (p)', 1, LIMITS.lanes)
  const memory = decodeCount(m, 'argon2id memory (m)', 8 * lanes, LIMITS.memory)
  const passes = decodeCount(t, 'argon2id time (t)', 1, Math.min(LIMITS.passes, Math.floor(LIMITS.work / memory)))
  return {
    family: 'argon2id',
    text,
    memory,
    passes,
    lanes,
    salt: decodeUnpadded(saltText, 'salt', LIMITS.min_salt),
    digest: decodeUnpadded(digestText, 'digest', LIMITS.min_digest),
  }
}

/** Whether `password` is the one of `hash`; constant time. */
export async function verifyArgon2id(password: Uint8Array, hash: Argon2idHash): Promise<boolean> {
  return timingSafeEqual(await compute(password, hash, hash.salt, hash.digest.length), hash.digest)
}

/** A new `$argon2id$` hash with Mosquitto's parameters. */
export async function generateArgon2id(password: Uint8Array): Promise<string> {
  const { memory, passes, lanes, salt_bytes, digest_bytes } = DEFAULTS
  const salt = randomBytes(salt_bytes)
  const digest = await compute(password, DEFAULTS, salt, digest_bytes)
  return `$argon2id$v=19$m=${memory},t=${passes},p=${lanes}$${encodeUnpadded(salt)}$${encodeUnpadded(digest)}`
}

async function compute(
  password: Uint8Array,
  cost: Pick<Argon2idHash, 'memory' | 'passes' | 'lanes'>,
  salt: Uint8Array,
  outputLen: number,
): Promise<Buffer> {
  const { hashRaw } = await import('@node-rs/argon2')
  // Argon2id in version 19 is what the package does unless told otherwise.
  return hashRaw(password, {
    memoryCost: cost.memory,
    timeCost: cost.passes,
    parallelism: cost.lanes,
    salt,
    outputLen,
  })
}

function decodeUnpadded(text: string, what: string, min: number): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (encodeUnpadded(bytes) !== text) throw new HashFormatError(`the ${what} is not valid base64 without padding`)
  if (bytes.length < min || bytes.length > LIMITS.bytes)
    throw new HashFormatError(`the ${what} has ${bytes.length} bytes instead of ${min} to ${LIMITS.bytes}`)
  return bytes
}

function encodeUnpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
