// Checks passwords against the directory as it is at the moment, with what the broker's own password file has: a few at a time, off the
// main thread, those of names that do not exist at the same cost.

import { type AuthenticationResult, PasswordAuthenticator } from '../../access/authenticator.js'
import type { Credential } from './credential.js'
import type { Directory } from './directory.js'

const NO_BCRYPT = { hash: () => Promise.reject(new Error('there are no bcrypt hashes here')) }

export class Passwords {
  private readonly directory: Directory
  private users: ReadonlyMap<string, Credential> = new Map()
  private authenticator = new PasswordAuthenticator(this.users, NO_BCRYPT)
  private isStale = true

  constructor(directory: Directory) {
    this.directory = directory
  }

  /** Something has changed. */
  forget(): void {
    this.isStale = true
  }

  /** At once for a password that was right before. */
  check(
    username: string,
    password: Uint8Array | undefined,
    address: string,
  ): AuthenticationResult | Promise<AuthenticationResult> {
    if (this.isStale) this.renew()
    if (password !== undefined && this.authenticator.checkCached(username, password)) return 'accepted'
    return this.authenticator.check(username, password, { address, isWaiting: () => true })
  }

  /** What it remembers is kept while the passwords are the same. */
  private renew(): void {
    this.isStale = false
    const users = new Map<string, Credential>()
    for (const { username, credential, isDisabled } of this.directory.clients.values())
      if (credential !== undefined && !isDisabled) users.set(username, credential)
    const isSame = users.size === this.users.size && [...users].every(([name, hash]) => this.users.get(name) === hash)
    if (isSame) return
    this.users = users
    this.authenticator = new PasswordAuthenticator(users, NO_BCRYPT)
  }
}
