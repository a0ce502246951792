// Who may connect and what they may do, for the listeners of one configuration: loads the files it names and asks them. A reload
// makes a new object, so that a half-read state is never in force.

import { Acl } from '../access/acl.js'
import { loadAclFile } from '../access/acl-file.js'
import { PasswordAuthenticator } from '../access/authenticator.js'
import type { BcryptHasher } from '../access/bcrypt-hash.js'
import type { ClientRights } from '../access/client-rights.js'
import { loadPasswordFile } from '../access/password-file.js'
import type { Config, ListenerConfig } from '../options/config.js'

/** `undefined` lets the client in; anything else says in words which check failed. */
export type Refusal = string | undefined

const OPEN = new Acl(undefined)

export class AccessControl {
  /** About the permissions and contents of the files, to be logged. */
  readonly warnings: readonly string[]
  private readonly authenticators = new Map<string, PasswordAuthenticator>()
  private readonly acls = new Map<string, Acl>()

  /**
   * Reads every file the listeners name.
   * @throws AccessFileError for the first file that cannot be used: nobody is let in by mistake.
   */
  constructor(config: Config, bcrypt: BcryptHasher) {
    const warnings: string[] = []
    for (const { password_file: passwords, acl_file: rules } of config.listeners) {
      if (passwords !== undefined && !this.authenticators.has(passwords)) {
        const file = loadPasswordFile(passwords)
        warnings.push(...file.warnings)
        const { max_concurrent_auth: concurrent } = config
        const limits = concurrent > 0 ? { concurrent } : {}
        this.authenticators.set(passwords, new PasswordAuthenticator(file.users, bcrypt, limits))
      }
      if (rules !== undefined && !this.acls.has(rules)) {
        const file = loadAclFile(rules)
        warnings.push(...file.warnings)
        this.acls.set(rules, new Acl(file.rules))
      }
    }
    this.warnings = warnings
  }

  /** Judges the credentials of a CONNECT; at once where nothing has to be computed. */
  authenticate(
    listener: ListenerConfig,
    username: string | undefined,
    password: Uint8Array | undefined,
  ): Refusal | Promise<Refusal> {
    const { password_file: file } = listener
    if (username === undefined) return listener.allow_anonymous ? undefined : 'anonymous clients are not allowed'
    if (file === undefined) return listener.allow_anonymous ? undefined : 'there is no password file to check against'
    const authenticator = this.authenticators.get(file)
    if (authenticator === undefined) return 'the password file is not loaded'
    if (password !== undefined && authenticator.checkCached(username, password)) return undefined
    return authenticator.check(username, password).then(
      (result) => refusalTexts[result],
      (error) => `the check failed: ${error instanceof Error ? error.message : error}`,
    )
  }

  /** What a client of this listener may read and write. */
  rightsFor(listener: ListenerConfig, username: string | undefined, clientId: string): ClientRights {
    const acl = listener.acl_file === undefined ? OPEN : this.acls.get(listener.acl_file)
    if (acl === undefined) throw new Error(`ACL file ${listener.acl_file} is not loaded`)
    return acl.rightsFor(username, clientId)
  }
}

const refusalTexts = {
  accepted: undefined,
  'unknown-user': 'no such user',
  'wrong-password': 'wrong password',
  busy: 'too many logins at once',
} as const
