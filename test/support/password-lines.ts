// Lines of a password file for brokers under test, made with the standard library alone and cheap to check.

import { pbkdf2Sync } from 'node:crypto'

/** A file in which each user's password is the user name: `$7$` lines with one iteration. */
export function passwordFile(...names: readonly string[]): string {
  const salt = Buffer.alloc(12, 7)
  return names
    .map((name) => {
      const hash = pbkdf2Sync(name, salt, 1, 64, 'sha512')
      return `${name}:$7$1$${salt.toString('base64')}$${hash.toString('base64')}\n`
    })
    .join('')
}
