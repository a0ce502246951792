// What tsmq-passwd tells about a file without changing it: whether a password is right (-v), who is in it (--list), and what is
// wrong or weak in it (--lint). The file is read as the broker reads it.
import { statSync } from 'node:fs'
import { type FileProblem, splitLines, trimBlanks } from '../access/file-lines.js'
import { HashFormatError } from '../access/hash-format.js'
import { loadPasswordFile, parsePasswordFile } from '../access/password-file.js'
import { type PasswordHash, parsePasswordHash, verifyPassword } from '../access/password-hash.js'
import { permissionWarnings, readRestrictedFile } from '../access/restricted-file.js'
import { EXIT_STATUS } from './exit.js'
import { escapeControls } from './output.js'
import { PasswdError } from './tsmq-passwd-error.js'
import { bcryptHere } from './tsmq-passwd-hashing.js'
import { CredentialLines } from './tsmq-passwd-lines.js'

/** What is quick enough to compute for whoever has stolen the file. */
const STRONG = { cost: 10, iterations: 100_000, argon2id_work: 47_104 } as const

/** Throws PasswdError with status 6 when there is no such user and 3 when the password is another, AccessFileError for a bad file. */
export async function verifyUser(path: string, username: string, password: () => Promise<Buffer>): Promise<void> {
  const { users } = loadPasswordFile(path)
  const hash = users.get(username)
  if (hash === undefined) throw new PasswdError(`user ${username} not found in ${path}`, EXIT_STATUS.not_found)
  if (await verifyPassword(await password(), hash, bcryptHere)) return
  throw new PasswdError(`this is not the password of user ${username}`, EXIT_STATUS.wrong_password)
}

/**
 * One line a user: name, algorithm, cost, with a tab between them. Throws AccessFileError naming the lines that are no entry.
 * @param escaping for a terminal, which would act on control characters
 */
export function listUsers(path: string, escaping: boolean): string {
  const { entries } = new CredentialLines(path, readRestrictedFile(path, true).content)
  return entries
    .map(({ username, password }) => {
      const name = escaping ? escapeControls(Buffer.from(username)) : username
      return `${name}\t${kindOf(password).join('\t')}\n`
    })
    .join('')
}

/** Everything worth a look, as `file:line: message`, or `file: message` for what is not in a line; empty if nothing is. */
export function lintFile(path: string): string[] {
  const { content } = readRestrictedFile(path, true)
  // Whose file it should be depends on the user the broker runs as, who need not be the one who asks here.
  const { mode, uid, gid } = statSync(path)
  const owner = process.getuid ? { uid, gid } : { uid: undefined, gid: undefined }
  const warnings = permissionWarnings(path, { mode, uid, gid }, owner)
  const { users, problems } = parsePasswordFile(content)
  const found = [...problems, ...weaknesses(content)].sort((a, b) => a.line - b.line)
  const nobody =
    users.size === 0 && found.length === 0 ? [`${path}: there are no users, so that nobody can log in`] : []
  return [
    ...warnings.map((warning) => warning.replace(/^Warning: \S+/, `${path}:`)),
    ...found.map(({ line, message }) => `${path}:${line}: ${message}`),
    ...nobody,
  ]
}

function weaknesses(content: Uint8Array): FileProblem[] {
  const found: FileProblem[] = []
  for (const { line, text } of splitLines(content).lines) {
    if (text.startsWith('#') || trimBlanks(text) === '') continue
    const [username = '', encoded = '', ...rest] = text.split(':')
    const say = (message: string) =>
      found.push({ line, message: `user ${JSON.stringify(trimBlanks(username))}: ${message}` })
    const hash = hashOf(trimBlanks(encoded))
    const weakness = hash && weaknessOf(hash)
    if (weakness !== undefined) say(weakness)
    if (hash && rest.length > 0) say('what follows the second colon is not read')
  }
  return found
}

/** Why a hash is quick to guess; undefined if it is not. */
function weaknessOf(hash: PasswordHash): string | undefined {
  switch (hash.family) {
    case 'bcrypt':
      return hash.cost < STRONG.cost ? `weak: bcrypt of cost ${hash.cost}, less than ${STRONG.cost}` : undefined
    case 'argon2id': {
      const isWeak = hash.memory * hash.passes < STRONG.argon2id_work
      return isWeak ? `weak: argon2id with ${hash.memory} KiB, less than ${STRONG.argon2id_work}` : undefined
    }
    case 'sha512-pbkdf2': {
      const isWeak = hash.iterations < STRONG.iterations
      return isWeak ? `weak: ${hash.iterations} iterations, less than ${STRONG.iterations}` : undefined
    }
    case 'sha512':
      return 'weak: sha512 takes one step, bcrypt thousands'
  }
}

function kindOf(encoded: string): readonly [algorithm: string, cost: string] {
  const hash = hashOf(encoded)
  switch (hash?.family) {
    case 'bcrypt':
      return [hash.family, String(hash.cost)]
    case 'argon2id':
      return [hash.family, `m=${hash.memory},t=${hash.passes},p=${hash.lanes}`]
    case 'sha512-pbkdf2':
      return [hash.family, String(hash.iterations)]
    case 'sha512':
      return [hash.family, '-']
    default:
      return [/^\$[0-9a-z-]{1,16}\$/.test(encoded) ? 'unusable' : 'plain', '-']
  }
}

function hashOf(encoded: string): PasswordHash | undefined {
  try {
    return parsePasswordHash(encoded)
  } catch (error) {
    if (!(error instanceof HashFormatError)) throw error
    return undefined
  }
}
