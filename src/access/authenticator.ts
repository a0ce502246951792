// Decides whether a user name and password are right according to one password file. Unknown names cost what known ones cost; only a
// few checks run at once, and addresses take turns; a login that was right before is recognised without computing its hash. A
// reload makes a new object that knows what the old one knew of lines that are still there.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { BcryptHasher } from './bcrypt-hash.js'
import { spareProcessors } from './bcrypt-workers.js'
import { Decoys } from './decoys.js'
import { FairQueue } from './fair-queue.js'
import { type PasswordHash, verifyPassword } from './password-hash.js'

/** `busy`: too many checks are waiting, nothing was decided. Only `accepted` lets a client in. */
export type AuthenticationResult = 'accepted' | 'unknown-user' | 'wrong-password' | 'busy'

/** Limits of one authenticator. */
export interface AuthenticatorLimits {
  /** Checks computed at the same time, at least 1; by default one processor is left to the rest. */
  readonly concurrent?: number
  /** Checks waiting for their turn, at least 0. */
  readonly waiting?: number
}

/** Whom a check is for. */
export interface Applicant {
  /** Addresses take turns, however many checks each of them waits for. */
  readonly address: string
  /** Asked when its turn comes: a check nobody waits for any more is not computed, and ends as `busy`. */
  readonly isWaiting: () => boolean
}

/** Computes one check; `verifyPassword` unless a test counts the calls. */
export type PasswordVerifier = typeof verifyPassword

/** A check under way or waiting, and those who wait for it. */
interface PendingCheck {
  readonly result: Promise<AuthenticationResult>
  readonly applicants: Applicant[]
}

/** What does not end with a reload, because it goes by hash and not by file. */
interface Checks {
  /** Makes what is remembered useless outside this process. */
  readonly key: Buffer
  /** The digest of the last right password per user: never more entries than the file has users. */
  readonly verified: Map<string, Buffer>
  /** Under way or waiting, by digest: many clients with one password cost one check. */
  readonly pending: Map<string, PendingCheck>
  /** Each is told whether its turn has come, or its place was given to another. */
  readonly queue: FairQueue<(isItsTurn: boolean) => void>
  running: number
}

function noChecks(): Checks {
  return { key: randomBytes(32), verified: new Map(), pending: new Map(), queue: new FairQueue(), running: 0 }
}

const SOMEONE: Applicant = { address: '', isWaiting: () => true }

/** One password file at work. */
export class PasswordAuthenticator {
  readonly #users: ReadonlyMap<string, PasswordHash>
  readonly #decoys: Decoys
  readonly #bcrypt: BcryptHasher
  readonly #concurrent: number
  readonly #mostWaiting: number
  readonly #verify: PasswordVerifier
  readonly #checks: Checks

  constructor(
    users: ReadonlyMap<string, PasswordHash>,
    bcrypt: BcryptHasher,
    { concurrent = spareProcessors(), waiting = 1000 }: AuthenticatorLimits = {},
    verify: PasswordVerifier = verifyPassword,
    checks = noChecks(),
  ) {
    this.#users = users
    this.#decoys = new Decoys(users)
    this.#bcrypt = bcrypt
    this.#concurrent = concurrent
    this.#mostWaiting = waiting
    this.#verify = verify
    this.#checks = checks
  }

  /** One for another state of the file, as after a reload: who has logged in is known to it, and who waits keeps the place. */
  renewed(users: ReadonlyMap<string, PasswordHash>, limits: AuthenticatorLimits = {}): PasswordAuthenticator {
    const { verified } = this.#checks
    for (const username of verified.keys()) if (!users.has(username)) verified.delete(username)
    return new PasswordAuthenticator(users, this.#bcrypt, limits, this.#verify, this.#checks)
  }

  /** The hash that the user's password is checked against; undefined for unknown users. */
  credentialOf(username: string): string | undefined {
    return this.#users.get(username)?.text
  }

  /** Whether this user logged in with this password before, and has the same hash as then. Takes some microseconds. */
  checkCached(username: string, password: Uint8Array): boolean {
    const hash = this.#users.get(username)
    const known = this.#checks.verified.get(username)
    return hash !== undefined && known !== undefined && timingSafeEqual(known, this.#digest(username, hash, password))
  }

  /**
   * Checks a user name and the password that came with it, if one did. Rejects when the computing fails, which decides nothing:
   * the client is not let in. The bytes of `password` are the caller's again when this returns.
   */
  async check(
    username: string,
    password: Uint8Array | undefined,
    applicant: Applicant = SOMEONE,
  ): Promise<AuthenticationResult> {
    const known = this.#users.get(username)
    const refusal = known ? 'wrong-password' : 'unknown-user'
    const hash = known ?? this.#decoys.for(username)
    if (password === undefined || hash === undefined) return refusal
    const digest = this.#digest(username, hash, password)
    const { verified, pending } = this.#checks
    const right = verified.get(username)
    if (right && timingSafeEqual(right, digest)) return 'accepted'

    const key = digest.toString('base64')
    const same = pending.get(key)
    if (same) {
      same.applicants.push(applicant)
      return same.result
    }
    const secret = Uint8Array.from(password)
    const applicants = [applicant]
    const result = this.#inTurn(applicant.address, async () => {
      if (!applicants.some(({ isWaiting }) => isWaiting())) return 'busy'
      const matches = await this.#verify(secret, hash, this.#bcrypt)
      if (!matches || !known) return refusal
      verified.set(username, digest)
      return 'accepted'
    })
    pending.set(key, { result, applicants })
    return result.finally(() => pending.delete(key))
  }

  async #inTurn(address: string, compute: () => Promise<AuthenticationResult>): Promise<AuthenticationResult> {
    const checks = this.#checks
    if (checks.running < this.#concurrent) checks.running++
    else if (!(await this.#turn(address))) return 'busy'
    try {
      return await compute()
    } finally {
      // The place is handed on, so that nobody who comes in between can take it.
      const next = checks.queue.shift()
      if (next) next(true)
      else checks.running--
    }
  }

  /** False when too many wait and this address has its share of them. */
  #turn(address: string): boolean | Promise<boolean> {
    const { queue } = this.#checks
    if (queue.length >= this.#mostWaiting) {
      const displaced = queue.makeRoomFor(address)
      if (displaced === undefined) return false
      displaced(false)
    }
    return new Promise((resolve) => queue.push(address, resolve))
  }

  #digest(username: string, hash: PasswordHash, password: Uint8Array): Buffer {
    // Neither a name nor an encoded hash can contain U+0000 or a colon in a file, so the three parts cannot run into each other.
    return createHmac('sha256', this.#checks.key).update(`${hash.text}:${username}\0`).update(password).digest()
  }
}
