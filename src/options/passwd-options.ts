// TABLE: the flags of tsmq-passwd. The file, the user and with -b the password stand behind them.
import { commonOptions, longHelpOption } from './common-options.js'
import type { Flag, ValuesOf } from './option.js'

export const passwdOptions = [
  {
    name: 'batch',
    flags: ['-b'],
    kind: 'flag',
    excludes: ['from_stdin', 'generate', 'list', 'lint'],
    help: 'The password stands behind the user name instead of being asked for.',
  },
  {
    name: 'create',
    flags: ['-c'],
    kind: 'flag',
    excludes: ['delete', 'hash_file', 'verify', 'list', 'lint'],
    help: 'Create the file; - writes the line to standard output.',
  },
  {
    name: 'delete',
    flags: ['-D'],
    kind: 'flag',
    excludes: ['hash_file', 'batch', 'verify', 'list', 'lint', 'from_stdin', 'generate', 'cost'],
    help: 'Remove the user.',
  },
  {
    name: 'hash_file',
    flags: ['-U'],
    kind: 'flag',
    excludes: ['verify', 'list', 'lint', 'from_stdin', 'generate'],
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
    name: 'from_stdin',
    flags: ['-i'],
    kind: 'flag',
    excludes: ['generate', 'list', 'lint'],
    help: 'Read the password from one line of standard input, without asking.',
  },
  {
    name: 'generate',
    flags: ['--generate'],
    kind: 'flag',
    excludes: ['verify', 'list', 'lint'],
    help: 'Make a random password and write it to standard output, this once.',
  },
  {
    name: 'verify',
    flags: ['-v'],
    kind: 'flag',
    excludes: ['list', 'lint', 'hash', 'iterations', 'cost'],
    help: 'Tell whether the password is the one of the user: status 0, or 3 when it is not and 6 without such a user.',
  },
  {
    name: 'list',
    flags: ['--list'],
    kind: 'flag',
    excludes: ['lint', 'hash', 'iterations', 'cost'],
    help: 'Write a line for each user: name, algorithm and cost, with tabs between them.',
  },
  {
    name: 'lint',
    flags: ['--lint'],
    kind: 'flag',
    excludes: ['hash', 'iterations', 'cost'],
    help: 'Write what is wrong or weak in the file, by line; status 1 if there is anything.',
  },
  longHelpOption,
  ...commonOptions,
] as const satisfies readonly Flag[]

/** The values of the flags of tsmq-passwd. */
export type PasswdValues = ValuesOf<typeof passwdOptions>
