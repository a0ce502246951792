// Clients, groups and roles, and how they hang together. Rules of commands and of the file are elsewhere; here every link has its
// two ends.

import { ACL_TYPES, type AclRule, type AclType } from './acl-rule.js'
import type { Credential } from './credential.js'
import { Registry } from './registry.js'

/** What people have noted about an entry. */
export interface Notes {
  textName?: string | undefined
  textDescription?: string | undefined
  /** Members of its entry in the file that mean nothing here, and stay there. */
  readonly others: Readonly<Record<string, unknown>>
}

export interface Role extends Notes {
  readonly name: string
  /** Of each type, those with higher priorities first. */
  readonly rules: Map<AclType, AclRule[]>
}

export interface Group extends Notes {
  readonly name: string
  /** With priorities. */
  readonly roles: Map<Role, number>
  readonly members: Set<Client>
}

export interface Client extends Notes {
  readonly username: string
  /** The only one that it may use. */
  clientId?: string | undefined
  /** Undefined: it cannot log in. */
  credential?: Credential | undefined
  isDisabled: boolean
  readonly roles: Map<Role, number>
  /** With the priorities that they have for this client. */
  readonly groups: Map<Group, number>
}

/** What is done where no rule decides. */
export const DEFAULT_TYPES = ['publishClientSend', 'publishClientReceive', 'subscribe', 'unsubscribe'] as const
export type DefaultType = (typeof DEFAULT_TYPES)[number]

/** Of links to roles and groups that were given none. It is not shown. */
export const NO_PRIORITY = -1

export class Directory {
  readonly clients = new Registry<Client>()
  readonly groups = new Registry<Group>()
  readonly roles = new Registry<Role>()
  readonly defaults: Record<DefaultType, boolean> = {
    publishClientSend: false,
    publishClientReceive: true,
    subscribe: false,
    unsubscribe: true,
  }
  /** Whose roles clients without a user name have. */
  anonymousGroup: Group | undefined = undefined
  /** Members of the file that mean nothing here. */
  others: Readonly<Record<string, unknown>> = {}

  addClient(username: string, others: Notes['others'] = {}): Client {
    const client: Client = { username, isDisabled: false, roles: new Map(), groups: new Map(), others }
    this.clients.set(username, client)
    return client
  }

  addGroup(name: string, others: Notes['others'] = {}): Group {
    const group: Group = { name, roles: new Map(), members: new Set(), others }
    this.groups.set(name, group)
    return group
  }

  addRole(name: string, others: Notes['others'] = {}): Role {
    const role: Role = { name, rules: new Map(), others }
    this.roles.set(name, role)
    return role
  }

  removeClient(client: Client): void {
    for (const group of client.groups.keys()) group.members.delete(client)
    this.clients.delete(client.username)
  }

  removeGroup(group: Group): void {
    for (const client of group.members) client.groups.delete(group)
    if (this.anonymousGroup === group) this.anonymousGroup = undefined
    this.groups.delete(group.name)
  }

  removeRole(role: Role): void {
    for (const { roles } of [...this.clients.values(), ...this.groups.values()]) roles.delete(role)
    this.roles.delete(role.name)
  }

  /** Those who have a role, themselves or by a group. */
  *holdersOf(role: Role): Iterable<Client> {
    for (const client of this.clients.values()) if (client.roles.has(role)) yield client
    for (const group of this.groups.values()) if (group.roles.has(role)) yield* group.members
  }

  /** The roles of a client in the order in which they are asked: its own, then those of its groups. */
  rolesOf(client: Client): readonly Role[] {
    return [...byPriority(client.roles), ...byPriority(client.groups).flatMap((group) => byPriority(group.roles))]
  }

  /** Those of clients without a user name. */
  get anonymousRoles(): readonly Role[] {
    return this.anonymousGroup === undefined ? [] : byPriority(this.anonymousGroup.roles)
  }
}

export function join(group: Group, client: Client, priority: number): void {
  group.members.add(client)
  client.groups.set(group, priority)
}

export function leave(group: Group, client: Client): void {
  group.members.delete(client)
  client.groups.delete(group)
}

/** The highest first, those with the same by their names. */
export function byPriority<T extends Role | Group>(links: ReadonlyMap<T, number>): readonly T[] {
  return [...links].sort(([a, one], [b, other]) => other - one || (a.name < b.name ? -1 : 1)).map(([linked]) => linked)
}

/** All rules of a role, by type. */
export function rulesOf({ rules }: Role): readonly AclRule[] {
  return ACL_TYPES.flatMap((type) => rules.get(type) ?? [])
}

/** Puts a rule behind those of its type that have its priority or a higher one. */
export function addRule({ rules }: Role, rule: AclRule): void {
  const same = rules.get(rule.type) ?? []
  rules.set(rule.type, same)
  same.splice(same.findLastIndex(({ priority }) => priority >= rule.priority) + 1, 0, rule)
}
