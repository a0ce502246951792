// TABLE: the flags of tsmq-passwd. The file, the user and with -b the password stand behind them.
import type { Flag, ValuesOf } from './option.js'

export const passwdOptions = [
  {
    name: 'batch',
    flags: ['-b'],
    kind: 'flag',
    help: 'The password stands behind the user name instead of being asked for.',
  },
  {
    name: 'create',
    flags: ['-c'],
    kind: 'flag',
    excludes: ['delete', 'hash_file'],
    help: 'Create the file; - writes the line to standard output.',
  },
  {
    name: 'delete',
    flags: ['-D'],
    kind: 'flag',
    excludes: ['hash_file', 'batch'],
    help: 'Remove the user.',
  },
  {
    name: 'hash_file',
    flags: ['-U'],
    kind: 'flag',
    help: 'Hash the passwords of a file in which they are plain text.',
  },
  {
    name: 'hash',
    flags: ['-H'],
    kind: 'word',
    args: ['ALGORITHM'],
    words: ['bcrypt', 'argon2id', 'sha512-pbkdf2', 'sha512'],
    default: 'bcrypt',
    help: 'How passwords are hashed.',
  },
  {
    name: 'iterations',
    flags: ['-I'],
    kind: 'decimal',
    args: ['COUNT'],
    min: 1,
    max: 5_000_000,
    default: 100_000,
    help: 'Iterations of sha512-pbkdf2, at most 5000000.',
  },
  {
    name: 'cost',
    flags: ['--cost'],
    kind: 'decimal',
    args: ['COST'],
    min: 4,
    max: 16,
    default: 10,
    help: 'Cost of bcrypt, 4 to 16: each step doubles the time of a check.',
  },
  {
    name: 'help',
    flags: ['--help'],
    kind: 'flag',
    ends: true,
    help: 'Show this help.',
  },
  {
    name: 'version',
    flags: ['--version'],
    kind: 'flag',
    ends: true,
    help: 'Show the version.',
  },
] as const satisfies readonly Flag[]

/** The values of the flags of tsmq-passwd. */
export type PasswdValues = ValuesOf<typeof passwdOptions>
