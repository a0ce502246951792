// Commands about groups, and which group clients without a user name are in.

import { type Client, type Directory, type Group, join, leave, NO_PRIORITY } from '../directory.js'
import { groupHead, roleLinks } from '../entries.js'
import { type Command, replaceLinks } from './command.js'
import { CommandError, type Links } from './fields.js'

function groupEntry(group: Group): object {
  const clients = [...group.members].map(({ username }) => ({ username }))
  return { ...groupHead(group), clients, roles: roleLinks(group) }
}

/** Those whose rights hang on a group. */
function concerned(group: Group, { anonymousGroup }: Directory): readonly (Client | undefined)[] {
  return anonymousGroup === group ? [...group.members, undefined] : [...group.members]
}

function fill(group: Group, clients: Links<Client>): void {
  for (const client of group.members) leave(group, client)
  for (const [client, priority] of clients) join(group, client, priority)
}

export const groupCommands: Readonly<Record<string, Command>> = {
  createGroup(fields, { directory, changed, dismiss }) {
    const name = fields.newName('groupname')
    const [notes, roles, clients] = [fields.notes(), fields.roleLinks(directory), fields.clientLinks(directory)]
    if (directory.groups.get(name) !== undefined) throw new CommandError('Group already exists')
    const group = Object.assign(directory.addGroup(name), notes)
    if (roles !== undefined) replaceLinks(group.roles, roles)
    if (clients !== undefined) fill(group, clients)
    dismiss(group.members)
    changed()
  },

  deleteGroup(fields, { directory, changed, dismiss }) {
    const group = fields.group(directory)
    dismiss(concerned(group, directory))
    directory.removeGroup(group)
    changed()
  },

  modifyGroup(fields, { directory, changed, dismiss }) {
    const group = fields.group(directory)
    const [notes, roles, clients] = [fields.notes(), fields.roleLinks(directory), fields.clientLinks(directory)]
    dismiss(concerned(group, directory))
    Object.assign(group, notes)
    if (roles !== undefined) replaceLinks(group.roles, roles)
    if (clients !== undefined) fill(group, clients)
    dismiss(group.members)
    changed()
  },

  getGroup: (fields, { directory }) => ({ group: groupEntry(fields.group(directory)) }),

  listGroups(fields, { directory: { groups } }) {
    const all = fields.flag('verbose') ? fields.part(groups.sorted).map(groupEntry) : fields.part(groups.names)
    return { totalCount: groups.size, groups: all }
  },

  addGroupClient(fields, { directory, changed, dismiss }) {
    fields.needed('username')
    const [group, client] = [fields.group(directory), fields.client(directory)]
    if (group.members.has(client)) throw new CommandError('Client is already in this group')
    join(group, client, fields.integer('priority', NO_PRIORITY))
    dismiss([client])
    changed()
  },

  removeGroupClient(fields, { directory, changed, dismiss }) {
    fields.needed('username')
    const [group, client] = [fields.group(directory), fields.client(directory)]
    leave(group, client)
    dismiss([client])
    changed()
  },

  addGroupRole(fields, { directory, changed, dismiss }) {
    fields.needed('groupname')
    fields.needed('rolename')
    const [group, role] = [fields.group(directory), fields.role(directory)]
    if (group.roles.has(role)) throw new CommandError('Group is already in this role')
    group.roles.set(role, fields.integer('priority', NO_PRIORITY))
    dismiss(concerned(group, directory))
    changed()
  },

  removeGroupRole(fields, { directory, changed, dismiss }) {
    fields.needed('groupname')
    fields.needed('rolename')
    const [group, role] = [fields.group(directory), fields.role(directory)]
    group.roles.delete(role)
    dismiss(concerned(group, directory))
    changed()
  },

  getAnonymousGroup: (_, { directory: { anonymousGroup } }) => ({ group: { groupname: anonymousGroup?.name ?? '' } }),

  /** An empty name leaves them without. */
  setAnonymousGroup(fields, { directory, changed, dismiss }) {
    directory.anonymousGroup = fields.needed('groupname') === '' ? undefined : fields.group(directory)
    dismiss([undefined])
    changed()
  },
}
