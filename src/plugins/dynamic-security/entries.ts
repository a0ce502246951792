// Clients, groups and roles as objects for JSON: what the file and the answers to commands have in common. Members that are undefined
// are left out of JSON.

import { byPriority, type Client, type Group, NO_PRIORITY, type Notes, type Role, rulesOf } from './directory.js'

function notes({ textName, textDescription }: Notes) {
  return { textname: textName, textdescription: textDescription }
}

export function clientHead(client: Client): object {
  const { username, clientId, isDisabled } = client
  return { username, clientid: clientId, ...notes(client), disabled: isDisabled ? true : undefined }
}

export function groupHead(group: Group): object {
  return { groupname: group.name, ...notes(group) }
}

export function roleEntry(role: Role): object {
  const acls = rulesOf(role).map(({ type, topic, priority, allow }) => ({ acltype: type, topic, priority, allow }))
  return { rolename: role.name, ...notes(role), acls }
}

export function roleLinks({ roles }: Client | Group): readonly object[] {
  return byPriority(roles).map((role) => ({ rolename: role.name, priority: shown(roles.get(role)) }))
}

export function groupLinks({ groups }: Client): readonly object[] {
  return byPriority(groups).map((group) => ({ groupname: group.name, priority: shown(groups.get(group)) }))
}

/** A priority that nobody has given is not shown. */
export function shown(priority: number | undefined): number | undefined {
  return priority === NO_PRIORITY ? undefined : priority
}
