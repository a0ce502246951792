// Commands about roles and their rules, and about what is done where no rule decides.

import type { AclRule } from '../acl-rule.js'
import { addRule, type Client, DEFAULT_TYPES, type Directory, type Role } from '../directory.js'
import { roleEntry } from '../entries.js'
import type { Command } from './command.js'
import { CommandError, type Fields } from './fields.js'

/** Those whose rights hang on a role. */
function concerned(role: Role, directory: Directory): readonly (Client | undefined)[] {
  const holders = [...directory.holdersOf(role)]
  return directory.anonymousGroup?.roles.has(role) ? [...holders, undefined] : holders
}

/** The rules that a command brings along. */
function rulesIn(fields: Fields): readonly AclRule[] | undefined {
  const rules = fields.list('acls', "'acls' not an array of objects")?.map((each) => each.aclRule())
  const names = new Set(rules?.map(({ type, topic }) => `${type} ${topic}`))
  if (names.size !== (rules?.length ?? 0)) throw new CommandError('ACL with this topic already exists')
  return rules
}

/** mosquitto_ctrl 2.0 says it in another way, of which its own broker takes no notice. */
function allowed(fields: Fields): boolean {
  if (fields.has('allow')) return fields.flag('allow')
  const access = fields.text('access')
  if (access !== 'allow' && access !== 'deny') throw new CommandError('Invalid/missing allow')
  return access === 'allow'
}

export const roleCommands: Readonly<Record<string, Command>> = {
  createRole(fields, { directory, changed }) {
    const name = fields.newName('rolename')
    const [notes, rules] = [fields.notes(), rulesIn(fields)]
    if (directory.roles.get(name) !== undefined) throw new CommandError('Role already exists')
    const role = Object.assign(directory.addRole(name), notes)
    for (const rule of rules ?? []) addRule(role, rule)
    changed()
  },

  deleteRole(fields, { directory, changed, dismiss }) {
    const role = fields.role(directory)
    dismiss(concerned(role, directory))
    directory.removeRole(role)
    changed()
  },

  modifyRole(fields, { directory, changed, dismiss }) {
    const role = fields.role(directory)
    const [notes, rules] = [fields.notes(), rulesIn(fields)]
    Object.assign(role, notes)
    if (rules !== undefined) role.rules.clear()
    for (const rule of rules ?? []) addRule(role, rule)
    dismiss(concerned(role, directory))
    changed()
  },

  getRole: (fields, { directory }) => ({ role: roleEntry(fields.role(directory)) }),

  listRoles(fields, { directory: { roles } }) {
    const all = fields.flag('verbose') ? fields.part(roles.sorted).map(roleEntry) : fields.part(roles.names)
    return { totalCount: roles.size, roles: all }
  },

  addRoleACL(fields, { directory, changed, dismiss }) {
    fields.needed('rolename')
    fields.needed('acltype')
    const role = fields.role(directory)
    const rule = fields.aclRule()
    if (role.rules.get(rule.type)?.some(({ topic }) => topic === rule.topic))
      throw new CommandError('ACL with this topic already exists')
    addRule(role, rule)
    dismiss(concerned(role, directory))
    changed()
  },

  removeRoleACL(fields, { directory, changed, dismiss }) {
    fields.needed('rolename')
    fields.needed('acltype')
    const role = fields.role(directory)
    const [type, wanted] = [fields.aclType(), fields.needed('topic')]
    const rules = role.rules.get(type) ?? []
    const others = rules.filter(({ topic }) => topic !== wanted)
    if (others.length === rules.length) throw new CommandError('ACL not found')
    role.rules.set(type, others)
    dismiss(concerned(role, directory))
    changed()
  },

  getDefaultACLAccess: (_, { directory: { defaults } }) => ({
    acls: DEFAULT_TYPES.map((type) => ({ acltype: type, allow: defaults[type] })),
  }),

  setDefaultACLAccess(fields, { directory: { defaults }, changed, review }) {
    const fault = 'Missing/invalid actions array'
    const list = fields.list('acls', fault)
    if (list === undefined) throw new CommandError(fault)
    const settings = list.map((each) => {
      const name = each.needed('acltype').toLowerCase()
      const type = DEFAULT_TYPES.find((known) => known.toLowerCase() === name)
      if (type === undefined) throw new CommandError('Unknown acltype')
      return [type, allowed(each)] as const
    })
    for (const [type, allow] of settings) defaults[type] = allow
    review()
    changed()
  },
}
