// The members of a command, with the words in which Mosquitto says what is wrong with them. As there, their names are found in
// whatever case they are written.

import { isTopicFilter } from '../../../protocol/topics.js'
import { type AclRule, type AclType, aclRule, aclTypeOf } from '../acl-rule.js'
import { type Client, type Directory, type Group, NO_PRIORITY, type Notes, type Role } from '../directory.js'
import type { Registry } from '../registry.js'

/** A command that cannot be carried out, in words for whoever sent it. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** Links to roles or groups with their priorities. */
export type Links<T> = ReadonlyMap<T, number>

const LEAST_PRIORITY = -2_147_483_648
const MOST_PRIORITY = 2_147_483_647
/** Of names and notes: what a field of a packet can carry. */
const MOST_BYTES = 65_535

export class Fields {
  private readonly members: ReadonlyMap<string, unknown>

  constructor(members: object) {
    this.members = new Map(Object.entries(members).map(([name, value]) => [name.toLowerCase(), value]))
  }

  has(name: string): boolean {
    return this.members.has(name)
  }

  /** Undefined when it is missing; `label` is what it is called in the error. */
  text(name: string, label = name): string | undefined {
    const value = this.members.get(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || !isText(value)) throw new CommandError(`Invalid/missing ${label}`)
    return value
  }

  needed(name: string, label = name): string {
    const value = this.text(name, label)
    if (value === undefined) throw new CommandError(`Invalid/missing ${label}`)
    return value
  }

  /** One that is not empty, for something new. */
  newName(name: string): string {
    const value = this.needed(name)
    if (value === '') throw new CommandError(`Invalid/missing ${name}`)
    return value
  }

  /** Undefined when it is missing. */
  password(): string | undefined {
    const value = this.text('password')
    if (value === '') throw new CommandError('Empty password is not allowed')
    return value
  }

  /** A whole number as C would have it. */
  integer(name: string, otherwise: number): number {
    const value = this.members.get(name) ?? otherwise
    if (typeof value !== 'number') throw new CommandError(`Invalid ${name}`)
    return Math.trunc(Math.min(Math.max(value, LEAST_PRIORITY), MOST_PRIORITY))
  }

  /** False when it is missing. */
  flag(name: string): boolean {
    const value = this.members.get(name) ?? false
    if (typeof value !== 'boolean') throw new CommandError(`Invalid/missing ${name}`)
    return value
  }

  /** The objects of a list; undefined when it is missing. */
  list(name: string, fault: string): readonly Fields[] | undefined {
    const value = this.members.get(name)
    if (value === undefined) return undefined
    if (!Array.isArray(value) || value.some((each) => typeof each !== 'object' || each === null || Array.isArray(each)))
      throw new CommandError(fault)
    return value.map((each: object) => new Fields(each))
  }

  /** Those notes that the command has. */
  notes(): Partial<Omit<Notes, 'others'>> {
    const [textName, textDescription] = [this.text('textname'), this.text('textdescription')]
    return {
      ...(textName === undefined ? {} : { textName }),
      ...(textDescription === undefined ? {} : { textDescription }),
    }
  }

  /** The part of `all` that is asked for. */
  part<T>(all: readonly T[]): readonly T[] {
    const offset = Math.max(this.integer('offset', 0), 0)
    const count = this.integer('count', -1)
    return all.slice(offset, count < 0 ? undefined : offset + count)
  }

  client({ clients }: Directory): Client {
    return existing(clients, this.needed('username'), 'Client not found')
  }

  group({ groups }: Directory): Group {
    return existing(groups, this.needed('groupname'), 'Group not found')
  }

  role({ roles }: Directory): Role {
    return existing(roles, this.needed('rolename'), 'Role not found')
  }

  roleLinks({ roles }: Directory): Links<Role> | undefined {
    return this.links('roles', 'rolename', roles, 'Role not found')
  }

  groupLinks({ groups }: Directory): Links<Group> | undefined {
    return this.links('groups', 'groupname', groups, 'Group not found')
  }

  clientLinks({ clients }: Directory): Links<Client> | undefined {
    return this.links('clients', 'username', clients, 'Client not found')
  }

  /** The first of two links to the same counts. */
  private links<T>(name: string, member: string, registry: Registry<T>, missing: string): Links<T> | undefined {
    const fault = `'${name}' not an array or missing/invalid ${member}`
    const links = new Map<T, number>()
    const list = this.list(name, fault)
    for (const link of list ?? []) {
      const to = link.members.get(member)
      if (typeof to !== 'string') throw new CommandError(fault)
      const entry = existing(registry, to, missing)
      if (!links.has(entry)) links.set(entry, link.integer('priority', NO_PRIORITY))
    }
    return list && links
  }

  aclType(): AclType {
    const type = aclTypeOf(this.needed('acltype'))
    if (type === undefined) throw new CommandError('Unknown acltype')
    return type
  }

  aclRule(): AclRule {
    const [type, topic] = [this.aclType(), this.needed('topic')]
    if (!isTopicFilter(topic)) throw new CommandError('Invalid ACL topic')
    return aclRule({ type, topic, priority: this.integer('priority', 0), allow: this.flag('allow') })
  }
}

/** Whether MQTT can carry it. */
function isText(value: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(value) && Buffer.byteLength(value) <= MOST_BYTES
}

function existing<T>(registry: Registry<T>, name: string, missing: string): T {
  const entry = registry.get(name)
  if (entry === undefined) throw new CommandError(missing)
  return entry
}
