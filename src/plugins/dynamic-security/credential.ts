// Passwords as the file keeps them: PBKDF2 with SHA-512, computed outside of the main thread. Who is asked for one, and how often at
// once, is the authenticator's business.

import { pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { DEFAULT_PBKDF2_ITERATIONS, MAX_PBKDF2_ITERATIONS, type Pbkdf2Hash } from '../../access/sha512-hash.js'

export type Credential = Pbkdf2Hash

/** A credential as members of a client in the file; the bytes as base64. */
export interface CredentialText {
  readonly password: string
  readonly salt: string
  readonly iterations: number
}

const DIGEST_BYTES = 64
/** What every Mosquitto reads. */
const SALT_BYTES = 12

const derive = promisify(pbkdf2)

/** The credential for a new password, with a fresh salt. */
export async function credentialFor(password: string): Promise<Credential> {
  const salt = randomBytes(SALT_BYTES)
  const iterations = DEFAULT_PBKDF2_ITERATIONS
  return credentialOf(salt, iterations, await derive(password, salt, iterations, DIGEST_BYTES, 'sha512'))
}

/** What the file says, or in words what is wrong with it. */
export function readCredential({ password, salt, iterations }: CredentialText): Credential | string {
  const digest = bytesOf(password)
  const saltBytes = bytesOf(salt)
  if (digest?.length !== DIGEST_BYTES) return `password is not ${DIGEST_BYTES} bytes in base64`
  if (saltBytes === undefined || saltBytes.length === 0) return 'salt is no base64'
  if (!Number.isSafeInteger(iterations) || iterations < 1 || iterations > MAX_PBKDF2_ITERATIONS)
    return `iterations is no whole number from 1 to ${MAX_PBKDF2_ITERATIONS}`
  return credentialOf(saltBytes, iterations, digest)
}

export function credentialText({ salt, iterations, digest }: Credential): CredentialText {
  return { password: base64(digest), salt: base64(salt), iterations }
}

function credentialOf(salt: Uint8Array, iterations: number, digest: Uint8Array): Credential {
  const text = `$7$${iterations}$${base64(salt)}$${base64(digest)}`
  return { family: 'sha512-pbkdf2', text, iterations, salt, digest }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** Undefined for what is no base64. */
function bytesOf(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
