// One encoded password of a password file, whatever its family: reading it, checking a password against it, making a new one
// (spec: files.md section 1.2). The families are in files of their own; who may log in is for the authenticator.
import { randomBytes } from 'node:crypto'
import { type Argon2idHash, generateArgon2id, parseArgon2id, verifyArgon2id } from './argon2id-hash.js'
import { type BcryptHash, type BcryptHasher, generateBcrypt, parseBcrypt, verifyBcrypt } from './bcrypt-hash.js'
import { HashFormatError } from './hash-format.js'
import {
  generatePbkdf2,
  generateSha512,
  type Pbkdf2Hash,
  parsePbkdf2,
  parseSha512,
  type Sha512Hash,
  verifyPbkdf2,
  verifySha512,
} from './sha512-hash.js'

/** A usable encoded password; `text` is the field as it stands in the file. */
export type PasswordHash = BcryptHash | Argon2idHash | Pbkdf2Hash | Sha512Hash

/** The names `tsmq-passwd -H` takes, safest first. */
export const HASH_FAMILIES = ['bcrypt', 'argon2id', 'sha512-pbkdf2', 'sha512'] as const
export type HashFamily = (typeof HASH_FAMILIES)[number]

/** How to make a new hash; a number that the family does not use is ignored. */
export interface HashSettings {
  readonly family: HashFamily
  /** bcrypt: MIN_BCRYPT_COST to MAX_BCRYPT_COST. */
  readonly cost: number
  /** sha512-pbkdf2: 1 to MAX_PBKDF2_ITERATIONS. */
  readonly iterations: number
}

/** Longest encoded password in bytes. */
export const MAX_ENCODED_BYTES = 65_535

/** Reads the encoded field of a password line. Throws HashFormatError, whose message does not show the field. */
export function parsePasswordHash(text: string): PasswordHash {
  if (text.length > MAX_ENCODED_BYTES) throw new HashFormatError('the password field is longer than 65535 bytes')
  if (/^\$2[aby]\$/.test(text)) return parseBcrypt(text)
  if (text.startsWith('$7$')) return parsePbkdf2(text)
  if (text.startsWith('$6$')) return parseSha512(text)
  if (text.startsWith('$argon2id$')) return parseArgon2id(text)
  const scheme = /^\$[0-9a-z-]{1,16}\$/.exec(text)?.[0]
  throw new HashFormatError(scheme ? `passwords of the kind ${scheme} are not supported` : 'the password is not hashed')
}

/** Whether `password` is the one of `hash`. Compares in constant time; rejects only if the computing fails. */
export async function verifyPassword(password: Uint8Array, hash: PasswordHash, bcrypt: BcryptHasher): Promise<boolean> {
  switch (hash.family) {
    case 'bcrypt':
      return verifyBcrypt(password, hash, bcrypt)
    case 'argon2id':
      return verifyArgon2id(password, hash)
    case 'sha512-pbkdf2':
      return verifyPbkdf2(password, hash)
    case 'sha512':
      return verifySha512(password, hash)
  }
}

/** The encoded field for `password` with a fresh salt. For bcrypt ask `bcryptObjection` before. */
export async function hashPassword(
  password: Uint8Array,
  settings: HashSettings,
  bcrypt: BcryptHasher,
): Promise<string> {
  switch (settings.family) {
    case 'bcrypt':
      return generateBcrypt(password, settings.cost, bcrypt)
    case 'argon2id':
      return generateArgon2id(password)
    case 'sha512-pbkdf2':
      return generatePbkdf2(password, settings.iterations)
    case 'sha512':
      return generateSha512(password)
  }
}

/** The family with what makes one check cost more or less: hashes with the same description take the same time. */
export function describeHash(hash: PasswordHash): string {
  switch (hash.family) {
    case 'bcrypt':
      return `bcrypt, cost ${hash.cost}`
    case 'argon2id':
      return `argon2id, ${hash.memory} KiB, ${hash.passes} passes, ${hash.lanes} lanes`
    case 'sha512-pbkdf2':
      return `sha512-pbkdf2, ${hash.iterations} iterations`
    case 'sha512':
      return 'sha512'
  }
}

/** A hash that costs as much to check as `hash` and that no password has. */
export function decoyOf(hash: PasswordHash): PasswordHash {
  return { ...hash, text: '', digest: randomBytes(hash.digest.length) }
}
