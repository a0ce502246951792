// Commands about clients.

import { credentialFor } from '../credential.js'
import { type Client, type Group, join, leave, NO_PRIORITY } from '../directory.js'
import { clientHead, groupLinks, roleLinks } from '../entries.js'
import { type Command, replaceLinks } from './command.js'
import { CommandError, type Links } from './fields.js'

function clientEntry(client: Client): object {
  return { ...clientHead(client), roles: roleLinks(client), groups: groupLinks(client) }
}

function joinOnly(client: Client, groups: Links<Group>): void {
  for (const group of client.groups.keys()) leave(group, client)
  for (const [group, priority] of groups) join(group, client, priority)
}

export const clientCommands: Readonly<Record<string, Command>> = {
  async createClient(fields, { directory, changed }) {
    const username = fields.newName('username')
    const password = fields.password()
    const clientId = fields.text('clientid', 'client id') || undefined
    const [notes, groups, roles] = [fields.notes(), fields.groupLinks(directory), fields.roleLinks(directory)]
    if (directory.clients.get(username) !== undefined) throw new CommandError('Client already exists')
    const credential = password === undefined ? undefined : await credentialFor(password)
    const client = Object.assign(directory.addClient(username), { ...notes, clientId, credential })
    if (roles !== undefined) replaceLinks(client.roles, roles)
    if (groups !== undefined) joinOnly(client, groups)
    changed()
  },

  deleteClient(fields, { directory, changed, dismiss }) {
    const client = fields.client(directory)
    directory.removeClient(client)
    dismiss([client])
    changed()
  },

  async modifyClient(fields, { directory, changed, dismiss }) {
    const client = fields.client(directory)
    const password = fields.password()
    const clientId = fields.text('clientid', 'client id')
    const [notes, groups, roles] = [fields.notes(), fields.groupLinks(directory), fields.roleLinks(directory)]
    const credential = password === undefined ? undefined : await credentialFor(password)
    Object.assign(client, notes)
    if (clientId !== undefined) client.clientId = clientId || undefined
    if (credential !== undefined) client.credential = credential
    if (roles !== undefined) replaceLinks(client.roles, roles)
    if (groups !== undefined) joinOnly(client, groups)
    dismiss([client])
    changed()
  },

  getClient: (fields, { directory }) => ({ client: clientEntry(fields.client(directory)) }),

  listClients(fields, { directory: { clients } }) {
    const all = fields.flag('verbose') ? fields.part(clients.sorted).map(clientEntry) : fields.part(clients.names)
    return { totalCount: clients.size, clients: all }
  },

  async setClientPassword(fields, { directory, changed, dismiss }) {
    fields.needed('username')
    const password = fields.password() ?? fields.needed('password')
    const client = fields.client(directory)
    client.credential = await credentialFor(password)
    dismiss([client])
    changed()
  },

  setClientId(fields, { directory, changed, dismiss }) {
    const client = fields.client(directory)
    client.clientId = fields.text('clientid', 'client ID') || undefined
    dismiss([client])
    changed()
  },

  enableClient(fields, { directory, changed }) {
    fields.client(directory).isDisabled = false
    changed()
  },

  disableClient(fields, { directory, changed, dismiss }) {
    const client = fields.client(directory)
    client.isDisabled = true
    dismiss([client])
    changed()
  },

  addClientRole(fields, { directory, changed, dismiss }) {
    fields.needed('username')
    fields.needed('rolename')
    const [client, role] = [fields.client(directory), fields.role(directory)]
    if (client.roles.has(role)) throw new CommandError('Client already has this role')
    client.roles.set(role, fields.integer('priority', NO_PRIORITY))
    dismiss([client])
    changed()
  },

  removeClientRole(fields, { directory, changed, dismiss }) {
    fields.needed('username')
    fields.needed('rolename')
    const [client, role] = [fields.client(directory), fields.role(directory)]
    client.roles.delete(role)
    dismiss([client])
    changed()
  },
}
