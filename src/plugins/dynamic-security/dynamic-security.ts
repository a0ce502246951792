// The plugin dynamic-security: users, groups, roles and their rights, changed while the broker runs, with the commands and the file of
// Mosquitto's plugin of that name. Puts its parts together: what commands do is in commands, what decides in rights.

import type { BrokerHandle, ClientState } from '../../broker/plugins/broker-handle.js'
import type {
  Acceptance,
  AuthorizedAction,
  ControlAnswer,
  ControlMethod,
  LoginRequest,
  Plugin,
  Refusal,
  SessionInfo,
} from '../../broker/plugins/plugin.js'
import type { ClientInfo } from '../../broker/plugins/plugin-facts.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import { clientCommands } from './commands/clients.js'
import type { Command, Desk } from './commands/command.js'
import { CommandError, Fields } from './commands/fields.js'
import { groupCommands } from './commands/groups.js'
import { roleCommands } from './commands/roles.js'
import { readConfig, writeConfig } from './config-file.js'
import { Connections } from './connections.js'
import type { Client, Directory } from './directory.js'
import { ADMINISTRATOR, firstDirectory, firstPassword } from './first-config.js'
import { Passwords } from './passwords.js'
import { Rights } from './rights.js'
import { readIfThere, replaceFile, StoredConfig } from './stored-config.js'

const ENDPOINT = 'dynamic-security/v1'
/** ms until a file that could not be written is tried again without being asked. */
const NEXT_TRY = 5000

/** The same for everyone, so that nobody learns which names there are. */
const REFUSED: Refusal = { refuse: ReasonCode.NOT_AUTHORIZED, reason: 'wrong user name or password' }
const BUSY: Refusal = { refuse: ReasonCode.SERVER_BUSY, reason: 'too many logins at once' }
const ACCEPTED: Acceptance = { accept: true }

/** What of a command is told in the log. */
const TOLD = ['username', 'clientid', 'groupname', 'rolename', 'acltype', 'topic', 'priority', 'allow']

/** Lines with `plugin_opt_` before their names. */
export interface DynamicSecurityOptions {
  /** Where clients, groups and roles are kept. It is made, with an administrator, when it does not exist. */
  readonly config_file: string
  /** The first line is the first password of the administrator, which is made up otherwise. */
  readonly password_init_file?: string
}

/**
 * Makes the plugin. A new file and a password that was made up are written when the broker starts.
 * @throws Error naming the file and the place when it cannot be used
 */
export default async function dynamicSecurity(options: DynamicSecurityOptions): Promise<Plugin> {
  // What a configuration gives has been checked by nobody.
  const { config_file: path, password_init_file: passwordFile, ...others }: Partial<DynamicSecurityOptions> = options
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new Error(`there is no option plugin_opt_${unknown}`)
  if (path === undefined) throw new Error('plugin_opt_config_file is missing')
  const file = readIfThere(path)
  if (file === undefined) {
    const password = firstPassword(passwordFile)
    const isMadeUp = passwordFile === undefined
    return new DynamicSecurity(path, await firstDirectory(password), [], { password: isMadeUp ? password : undefined })
  }
  try {
    const { directory, warnings } = readConfig(file.text)
    return new DynamicSecurity(path, directory, [...file.warnings, ...warnings.map((text) => `${path}: ${text}`)])
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`)
  }
}

class DynamicSecurity implements Plugin {
  readonly name = 'dynamic-security'
  readonly control: NonNullable<Plugin['control']>
  private readonly directory: Directory
  private readonly rights: Rights
  private readonly passwords: Passwords
  private readonly connections = new Connections()
  private readonly file: StoredConfig
  private readonly warnings: readonly string[]
  /** The file is yet to be made; `password` is what has to be told. */
  private readonly first: { readonly password: string | undefined } | undefined
  private broker: BrokerHandle | undefined = undefined
  /** Users whose connections end when a request has been answered; undefined for those without a name. */
  private dismissed = new Set<string | undefined>()
  /** What everybody may do has changed. */
  private concernsAll = false
  private changes = 0
  /** ms: when the file is written again after a failure. */
  private nextTry = 0

  constructor(
    path: string,
    directory: Directory,
    warnings: readonly string[],
    first?: { readonly password: string | undefined },
  ) {
    this.directory = directory
    this.rights = new Rights(directory)
    this.passwords = new Passwords(directory)
    this.file = new StoredConfig(path, () => writeConfig(directory))
    this.warnings = warnings
    this.first = first
    const desk: Desk = {
      directory,
      changed: () => this.changed(),
      dismiss: (clients) => this.dismiss(clients),
      review: () => {
        this.concernsAll = true
      },
    }
    const commands = { ...clientCommands, ...groupCommands, ...roleCommands }
    const methods = Object.entries(commands).map(([name, command]) => [name, this.method(name, command, desk)] as const)
    this.control = { [ENDPOINT]: Object.fromEntries(methods) }
  }

  async started(broker: BrokerHandle): Promise<void> {
    this.broker = broker
    for (const warning of this.warnings) broker.log('warning', warning)
    // What the store has brought was subscribed by what was in the file then. Strangers may be known soon: they are looked at later.
    const { clients } = this.directory
    this.review(broker, broker.clients(), ({ username = '' }) => clients.get(username) !== undefined)
    if (this.first !== undefined) await this.begin(this.first, broker)
  }

  /** Makes the file. The password comes first: a file whose password is lost would be of no use. */
  private async begin({ password }: { readonly password: string | undefined }, broker: BrokerHandle): Promise<void> {
    const { path } = this.file
    if (password !== undefined) await replaceFile(`${path}.pw`, `${password}\n`)
    this.file.isDirty = true
    await this.file.save()
    const where = password === undefined ? 'plugin_opt_password_init_file' : `${path}.pw`
    broker.log('notice', `${path} is new: the password of user ${ADMINISTRATOR} is in ${where}.`)
  }

  async stopped(): Promise<void> {
    await this.file.save()
  }

  tick(now: number): void {
    if (!this.file.isDirty || now < this.nextTry) return
    this.nextTry = now + NEXT_TRY
    this.file.save().catch((error) => this.broker?.log('error', `${error.message}. It is tried again.`))
  }

  authenticate(login: LoginRequest): Acceptance | Refusal | undefined | Promise<Acceptance | Refusal> {
    const { username, clientId, password, address, isProven, listener } = login
    // Those are for allow_anonymous.
    if (username === undefined) return undefined
    const client = this.directory.clients.get(username)
    if (isProven) return client === undefined || isFitFor(client, clientId) ? undefined : REFUSED
    if (client === undefined && listener.hasPasswordFile) return undefined
    const credential = client?.credential
    const result = this.passwords.check(username, password, address)
    if (result === 'accepted') return this.verdict(username, clientId, credential)
    return Promise.resolve(result).then((late) => {
      if (late === 'busy') return BUSY
      return late === 'accepted' ? this.verdict(username, clientId, credential) : REFUSED
    })
  }

  /** For a client whose password is right, if that was its password and still is. */
  private verdict(username: string, clientId: string, credential: Client['credential']): Acceptance | Refusal {
    const client = this.directory.clients.get(username)
    const isIn = client !== undefined && client.credential === credential && isFitFor(client, clientId)
    return isIn ? ACCEPTED : REFUSED
  }

  authorize(client: ClientInfo, action: AuthorizedAction, topic: string): 'allow' | 'deny' | undefined {
    return this.rights.ask(client, action, topic)
  }

  reload(): void {
    this.rights.forget()
  }

  sessionPrepared({ clientId }: ClientInfo, { isPresent }: SessionInfo): void {
    const { broker } = this
    const client = isPresent ? broker?.client(clientId) : undefined
    if (broker !== undefined && client !== undefined) this.review(broker, [client])
  }

  connected(client: ClientInfo): void {
    this.connections.add(client)
  }

  disconnected(client: ClientInfo): void {
    this.connections.remove(client)
  }

  /** The answers are sent when the changes are on disk; those who have to go hear theirs before. */
  async controlled(): Promise<void> {
    const { dismissed, concernsAll, broker } = this
    this.dismissed = new Set()
    this.concernsAll = false
    try {
      await this.file.save()
    } finally {
      setImmediate(() => {
        if (broker !== undefined && (concernsAll || dismissed.size > 0))
          this.review(broker, broker.clients(), ({ username }) => concernsAll || dismissed.has(username))
        for (const username of dismissed) for (const clientId of this.connections.of(username)) broker?.kick(clientId)
      })
    }
  }

  /** Ends subscriptions, of durable sessions above all, that may not be made any more (CVE-2021-34434). */
  private review(
    broker: BrokerHandle,
    clients: readonly ClientState[],
    concerns: (client: ClientInfo) => boolean = () => true,
  ): void {
    for (const client of clients) {
      if (!concerns(client) || !broker.serves(client.listener)) continue
      for (const filter of client.subscriptions)
        if (this.rights.ask(client, 'subscribe', filter) === 'deny') broker.unsubscribe(client.clientId, filter)
    }
  }

  private changed(): void {
    this.changes++
    this.rights.forget()
    this.passwords.forget()
    this.file.isDirty = true
  }

  private dismiss(clients: Iterable<Client | undefined>): void {
    for (const client of clients) this.dismissed.add(client?.username)
  }

  private method(name: string, command: Command, desk: Desk): ControlMethod {
    return (members, clientId) => {
      const before = this.changes
      const done = (data: object | undefined): ControlAnswer => {
        if (this.changes !== before) this.tell(name, members, clientId)
        return data === undefined ? undefined : { data }
      }
      const failed = (error: unknown): ControlAnswer => {
        if (error instanceof CommandError) return { error: error.message }
        throw error
      }
      try {
        const data = command(new Fields(members), desk)
        return data instanceof Promise ? data.then(done, failed) : done(data)
      } catch (error) {
        return failed(error)
      }
    }
  }

  /** Who has changed what, without passwords. */
  private tell(name: string, members: Readonly<Record<string, unknown>>, clientId: string): void {
    const known = new Map(Object.entries(members).map(([member, value]) => [member.toLowerCase(), value]))
    const facts = TOLD.filter((each) => known.has(each)).map((each) => ` | ${each}=${known.get(each)}`)
    const who = `${clientId}/${this.connections.usernameOf(clientId) ?? ''}`
    this.broker?.log('information', `${who} | ${name}${facts.join('')}`)
  }
}

/** Whether a client may come in with a client id, as far as the directory knows. */
function isFitFor({ isDisabled, clientId: only }: Client, clientId: string): boolean {
  return !isDisabled && (only === undefined || only === clientId)
}
