// What a plugin without a file begins with: an administrator with a password that nobody knows yet, and roles to give to others.

import { randomBytes } from 'node:crypto'
import { readRestrictedFile } from '../../access/restricted-file.js'
import { type AclType, aclRule } from './acl-rule.js'
import { credentialFor } from './credential.js'
import { addRule, Directory, NO_PRIORITY } from './directory.js'

export const ADMINISTRATOR = 'admin'

/** 24 characters. */
const PASSWORD_BYTES = 18

const readers = ['publishClientReceive', 'subscribePattern'] as const

/** What roles allow: for each of some types the topics of a filter. */
const roles: readonly {
  readonly name: string
  readonly about: string
  readonly allows: readonly (readonly [types: readonly AclType[], topic: string])[]
}[] = [
  {
    name: 'dynsec-admin',
    about: 'Administers clients, groups and roles.',
    allows: [[['publishClientSend', ...readers], '$CONTROL/dynamic-security/#']],
  },
  {
    name: 'broker-admin',
    about: 'Administers the broker.',
    allows: [[['publishClientSend', ...readers], '$CONTROL/broker/#']],
  },
  { name: 'sys-observe', about: 'Reads what the broker tells about itself.', allows: [[readers, '$SYS/#']] },
  { name: 'topic-observe', about: 'Reads all topics.', allows: [[readers, '#']] },
  {
    name: 'client',
    about: 'Reads and writes all topics.',
    allows: [[['publishClientSend', ...readers, 'unsubscribePattern'], '#']],
  },
]

const administrates = ['dynsec-admin', 'broker-admin', 'sys-observe', 'topic-observe']

/** The first password of the administrator: the first line of a file, or made up. @throws AccessFileError, Error */
export function firstPassword(file: string | undefined): string {
  if (file === undefined) return randomBytes(PASSWORD_BYTES).toString('base64url')
  const [line = ''] = readRestrictedFile(file).content.toString().split(/\r?\n/, 1)
  if (line === '') throw new Error(`${file} has no password in its first line`)
  return line
}

export async function firstDirectory(password: string): Promise<Directory> {
  const directory = new Directory()
  for (const { name, about, allows } of roles) {
    const role = Object.assign(directory.addRole(name), { textDescription: about })
    for (const [types, topic] of allows)
      for (const type of types) addRule(role, aclRule({ type, topic, priority: 0, allow: true }))
  }
  const admin = Object.assign(directory.addClient(ADMINISTRATOR), { credential: await credentialFor(password) })
  for (const name of administrates) {
    const role = directory.roles.get(name)
    if (role !== undefined) admin.roles.set(role, NO_PRIORITY)
  }
  return directory
}
