// Who may connect and what they may do, for the listeners of one configuration: loads the files it names and asks them. A reload
// makes a new object, so that a half-read state is never in force.

import { AccessFileError } from '../access/access-file-error.js'
import { Acl } from '../access/acl.js'
import { loadAclFile } from '../access/acl-file.js'
import { type Applicant, PasswordAuthenticator } from '../access/authenticator.js'
import type { BcryptHasher } from '../access/bcrypt-hash.js'
import type { ClientRights } from '../access/client-rights.js'
import { loadPasswordFile } from '../access/password-file.js'
import { loadPskFile } from '../access/psk-file.js'
import type { Config, ListenerConfig } from '../options/config.js'
import { isIdentifiedByHandshake } from './identity.js'

/** Which check of a login failed, in words, and what of it the client may hear: not whether there is such a user, nor what failed here. */
export interface LoginRefusal {
  readonly reason: string
  readonly told: string
}

const OPEN = new Acl(undefined)

/** The files that cannot be used. */
export class AccessError extends Error {
  override readonly name = 'AccessError'
  readonly errors: readonly AccessFileError[]

  constructor(errors: readonly AccessFileError[]) {
    super(errors.map(({ message }) => message).join('\n'))
    this.errors = errors
  }
}

export class AccessControl {
  /** About the permissions and contents of the files, to be logged. */
  readonly warnings: readonly string[]
  private readonly authenticators = new Map<string, PasswordAuthenticator>()
  private readonly acls = new Map<string, Acl>()
  private readonly psks = new Map<string, ReadonlyMap<string, Buffer>>()

  /**
   * Reads every file the listeners name.
   * @param earlier what this is to come after: it knows who has logged in
   * @throws AccessError when one cannot be used: nobody is let in by mistake.
   */
  constructor(config: Config, bcrypt: BcryptHasher, earlier?: AccessControl) {
    const warnings: string[] = []
    const errors: AccessFileError[] = []
    const load = (files: readonly (string | undefined)[], read: (path: string) => readonly string[]) => {
      for (const path of new Set(files))
        try {
          if (path !== undefined) warnings.push(...read(path))
        } catch (error) {
          if (!(error instanceof AccessFileError)) throw error
          errors.push(error)
        }
    }
    const { listeners, max_concurrent_auth: concurrent } = config
    load(
      listeners.map((listener) => listener.password_file),
      (path) => {
        const file = loadPasswordFile(path)
        const limits = concurrent > 0 ? { concurrent } : {}
        const known = earlier?.authenticators.get(path)
        const authenticator =
          known?.renewed(file.users, limits) ?? new PasswordAuthenticator(file.users, bcrypt, limits)
        this.authenticators.set(path, authenticator)
        return file.warnings
      },
    )
    load(
      listeners.map((listener) => listener.acl_file),
      (path) => {
        const file = loadAclFile(path)
        this.acls.set(path, new Acl(file.rules))
        return file.warnings
      },
    )
    load(
      listeners.map((listener) => listener.psk_file),
      (path) => {
        const file = loadPskFile(path)
        this.psks.set(path, file.keys)
        return file.warnings
      },
    )
    if (errors.length > 0) throw new AccessError(errors)
    if (config.enable_control_api)
      for (const { port, path } of listeners.filter((listener) => listener.acl_file === undefined))
        warnings.push(
          `enable_control_api is true and the listener on ${path ?? `port ${port}`} has no acl_file: all of its clients may disconnect others.`,
        )
    this.warnings = warnings
  }

  /** Judges the credentials of a CONNECT, at once where nothing has to be computed: `undefined` lets the client in. */
  authenticate(
    listener: ListenerConfig,
    username: string | undefined,
    password: Uint8Array | undefined,
    applicant: Applicant,
  ): LoginRefusal | undefined | Promise<LoginRefusal | undefined> {
    if (isIdentifiedByHandshake(listener)) return undefined
    const { password_file: file } = listener
    if (username === undefined)
      return listener.allow_anonymous ? undefined : openly('anonymous clients are not allowed')
    if (file === undefined)
      return listener.allow_anonymous ? undefined : openly('there is no password file to check against')
    const authenticator = this.authenticators.get(file)
    if (authenticator === undefined) return openly('the password file is not loaded')
    if (password !== undefined && authenticator.checkCached(username, password)) return undefined
    return authenticator.check(username, password, applicant).then(
      (result) => refusals[result],
      (error) => ({ reason: `${FAILED}: ${error instanceof Error ? error.message : error}`, told: FAILED }),
    )
  }

  /** The key of a PSK identity; undefined if it is not known to the listener. */
  pskOf({ psk_file: file }: ListenerConfig, identity: string): Buffer | undefined {
    return file === undefined ? undefined : this.psks.get(file)?.get(identity)
  }

  /** What admitted a user who has just logged in, as text that is another once the password has changed. */
  credentialOf(listener: ListenerConfig, username: string | undefined): string | undefined {
    const { password_file: file } = listener
    if (username === undefined || file === undefined || isIdentifiedByHandshake(listener)) return undefined
    return this.authenticators.get(file)?.credentialOf(username)
  }

  /** Why a connected client, admitted by `credential` under earlier rules, would not be let in again; undefined if it would. */
  refusalNow(
    listener: ListenerConfig,
    username: string | undefined,
    credential: string | undefined,
  ): string | undefined {
    // Whether its certificate or key still counts is known to net/tls.
    if (isIdentifiedByHandshake(listener)) return undefined
    const isAnonymous = username === undefined || listener.password_file === undefined
    if (isAnonymous) return listener.allow_anonymous ? undefined : 'anonymous clients are no longer allowed'
    const now = this.credentialOf(listener, username)
    if (now === undefined) return 'the user no longer exists'
    return now === credential ? undefined : 'the password has changed'
  }

  /** What a client of this listener may read and write. */
  rightsFor(listener: ListenerConfig, username: string | undefined, clientId: string): ClientRights {
    const acl = listener.acl_file === undefined ? OPEN : this.acls.get(listener.acl_file)
    if (acl === undefined) throw new Error(`ACL file ${listener.acl_file} is not loaded`)
    return acl.rightsFor(username, clientId)
  }
}

/** What may be told of a name and of a password is the same, whichever is wrong (CWE-204). */
const NOT_ACCEPTED = 'wrong username or password'
const FAILED = 'the check failed'

const refusals = {
  accepted: undefined,
  'unknown-user': { reason: 'no such user', told: NOT_ACCEPTED },
  'wrong-password': { reason: 'wrong password', told: NOT_ACCEPTED },
  busy: openly('too many logins at once'),
} as const

/** What the client may hear as well. */
function openly(reason: string): LoginRefusal {
  return { reason, told: reason }
}
