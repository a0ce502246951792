// The file of the plugin: JSON in the form of Mosquitto's dynamic security plugin, read into a directory and made from one. What does not
// fit is an error that names its place: the file decides who may do what, and is not guessed at.

import { aclRule, aclTypeOf } from './acl-rule.js'
import { credentialText, readCredential } from './credential.js'
import {
  addRule,
  type Client,
  DEFAULT_TYPES,
  Directory,
  type Group,
  join,
  NO_PRIORITY,
  type Notes,
} from './directory.js'
import { clientHead, groupHead, roleEntry, roleLinks, shown } from './entries.js'
import { placeOfFault } from './json-fault.js'

/** What is wrong with a file; `message` begins with the place. */
export class ConfigFileError extends Error {
  override readonly name = 'ConfigFileError'
}

export interface ReadConfig {
  readonly directory: Directory
  /** Links that lead nowhere, and were left out. */
  readonly warnings: readonly string[]
}

/**
 * @param text of the file
 * @throws ConfigFileError
 */
export function readConfig(text: string): ReadConfig {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const { line, column } = placeOfFault(text)
    throw new ConfigFileError(`line ${line}, column ${column}: not valid JSON`)
  }
  return new Reading().read(Entry.of(value, 'the file'))
}

/** An object of the file. Its members are found whatever the case of their names, because Mosquitto writes them in two ways. */
class Entry {
  readonly place: string
  private readonly members: Map<string, readonly [name: string, value: unknown]>

  private constructor(value: object, place: string) {
    this.place = place
    this.members = new Map(Object.entries(value).map((member) => [member[0].toLowerCase(), member]))
  }

  static of(value: unknown, place: string): Entry {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new ConfigFileError(`${place} is no object`)
    return new Entry(value, place)
  }

  /** Takes a member out; what nobody has taken is left in `rest`. */
  private take(name: string): unknown {
    const key = name.toLowerCase()
    const value = this.members.get(key)?.[1]
    this.members.delete(key)
    return value
  }

  private fault(name: string, what: string): ConfigFileError {
    return new ConfigFileError(`${this.place}: ${name} ${what}`)
  }

  text(name: string): string | undefined {
    const value = this.take(name)
    if (value !== undefined && typeof value !== 'string') throw this.fault(name, 'is no text')
    return value
  }

  needed(name: string): string {
    const value = this.text(name)
    if (value === undefined) throw this.fault(name, 'is missing')
    return value
  }

  number(name: string): number | undefined {
    const value = this.take(name)
    if (value !== undefined && typeof value !== 'number') throw this.fault(name, 'is no number')
    return value
  }

  flag(name: string): boolean | undefined {
    const value = this.take(name)
    if (value !== undefined && typeof value !== 'boolean') throw this.fault(name, 'is neither true nor false')
    return value
  }

  list(name: string): Entry[] {
    const value = this.take(name) ?? []
    if (!Array.isArray(value)) throw this.fault(name, 'is no list')
    const place = this.place === 'the file' ? name : `${this.place}.${name}`
    return value.map((each, at) => Entry.of(each, `${place}[${at}]`))
  }

  object(name: string): Entry | undefined {
    const value = this.take(name)
    return value === undefined ? undefined : Entry.of(value, name)
  }

  get rest(): Record<string, unknown> {
    return Object.fromEntries(this.members.values())
  }
}

class Reading {
  private readonly directory = new Directory()
  private readonly warnings: string[] = []

  read(file: Entry): ReadConfig {
    const { directory } = this
    // Roles first, then those who refer to them.
    for (const entry of file.list('roles')) this.role(entry)
    const defaults = file.object('defaultACLAccess')
    for (const type of DEFAULT_TYPES) directory.defaults[type] = defaults?.flag(type) ?? directory.defaults[type]
    for (const entry of file.list('clients')) this.client(entry)
    for (const entry of file.list('groups')) this.group(entry)
    const anonymous = file.text('anonymousGroup')
    if (anonymous !== undefined && anonymous !== '')
      directory.anonymousGroup = this.found(directory.groups.get(anonymous), `anonymousGroup: no group '${anonymous}'`)
    directory.others = file.rest
    return { directory, warnings: this.warnings }
  }

  /** Undefined, with a warning, for what is not there. */
  private found<T>(entry: T | undefined, warning: string): T | undefined {
    if (entry === undefined) this.warnings.push(warning)
    return entry
  }

  private role(entry: Entry): void {
    const { roles } = this.directory
    const name = this.unused(entry, 'rolename', roles.get.bind(roles))
    const [notes, acls] = [notesOf(entry), entry.list('acls')]
    const role = Object.assign(this.directory.addRole(name, entry.rest), notes)
    for (const acl of acls) {
      const [word, topic] = [acl.needed('acltype'), acl.needed('topic')]
      const type = aclTypeOf(word)
      if (type === undefined) throw new ConfigFileError(`${acl.place}: acltype '${word}' is unknown`)
      addRule(role, aclRule({ type, topic, priority: acl.number('priority') ?? 0, allow: acl.flag('allow') ?? false }))
    }
  }

  private client(entry: Entry): void {
    const { clients } = this.directory
    const username = this.unused(entry, 'username', clients.get.bind(clients))
    const facts = {
      ...notesOf(entry),
      clientId: entry.text('clientid'),
      isDisabled: entry.flag('disabled') ?? false,
      credential: credentialIn(entry),
    }
    const links = entry.list('roles')
    this.link(Object.assign(this.directory.addClient(username, entry.rest), facts), links)
  }

  private group(entry: Entry): void {
    const { directory } = this
    const name = this.unused(entry, 'groupname', directory.groups.get.bind(directory.groups))
    const notes = notesOf(entry)
    const [links, members] = [entry.list('roles'), entry.list('clients')]
    const group = Object.assign(directory.addGroup(name, entry.rest), notes)
    this.link(group, links)
    for (const member of members) {
      const username = member.needed('username')
      const client = this.found(directory.clients.get(username), `${member.place}: no client '${username}'`)
      if (client !== undefined) join(group, client, member.number('priority') ?? NO_PRIORITY)
    }
  }

  private link({ roles }: Client | Group, links: readonly Entry[]): void {
    for (const link of links) {
      const name = link.needed('rolename')
      const role = this.found(this.directory.roles.get(name), `${link.place}: no role '${name}'`)
      if (role !== undefined) roles.set(role, link.number('priority') ?? NO_PRIORITY)
    }
  }

  private unused(entry: Entry, member: string, find: (name: string) => unknown): string {
    const name = entry.needed(member)
    if (find(name) !== undefined) throw new ConfigFileError(`${entry.place}: ${member} '${name}' is there twice`)
    return name
  }
}

function notesOf(entry: Entry): Omit<Notes, 'others'> {
  return { textName: entry.text('textname'), textDescription: entry.text('textdescription') }
}

function credentialIn(entry: Entry): Client['credential'] {
  const [password, salt, iterations] = [entry.text('password'), entry.text('salt'), entry.number('iterations')]
  if (password === undefined && salt === undefined) return undefined
  const credential = readCredential({ password: password ?? '', salt: salt ?? '', iterations: iterations ?? 0 })
  if (typeof credential === 'string') throw new ConfigFileError(`${entry.place}: ${credential}`)
  return credential
}

/** The text of the file for a directory. */
export function writeConfig({ clients, groups, roles, defaults, anonymousGroup, others }: Directory): string {
  const config = {
    ...others,
    defaultACLAccess: defaults,
    clients: clients.sorted.map((client) => ({
      ...client.others,
      ...clientHead(client),
      roles: roleLinks(client),
      ...(client.credential && credentialText(client.credential)),
    })),
    groups: groups.sorted.map((group) => ({
      ...group.others,
      ...groupHead(group),
      roles: roleLinks(group),
      clients: [...group.members].map((client) => ({
        username: client.username,
        priority: shown(client.groups.get(group)),
      })),
    })),
    anonymousGroup: anonymousGroup?.name,
    roles: roles.sorted.map((role) => ({ ...role.others, ...roleEntry(role) })),
  }
  return `${JSON.stringify(config, null, '\t')}\n`
}
