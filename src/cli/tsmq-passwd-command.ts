// The command tsmq-passwd: from argv to one change of one password file, and to an exit status (spec: passwd.md). How lines are
// edited, hashes made and files replaced is in the files beside this one.
import { lstatSync, realpathSync } from 'node:fs'
import { AccessFileError } from '../access/access-file-error.js'
import { trimBlanks } from '../access/file-lines.js'
import { MAX_USERNAME_BYTES } from '../access/password-file.js'
import type { HashSettings } from '../access/password-hash.js'
import { readRestrictedFile } from '../access/restricted-file.js'
import { parseCommandLine, UsageError } from '../options/command-line.js'
import { type PasswdValues, passwdOptions } from '../options/passwd-options.js'
import { EXIT_STATUS } from './exit.js'
import { MAX_PASSWORD_BYTES, type PasswordInput, PasswordPrompt, type PromptOutput } from './password-prompt.js'
import { PasswdError, systemFailure } from './tsmq-passwd-error.js'
import { encode, hashEntries } from './tsmq-passwd-hashing.js'
import { CredentialLines } from './tsmq-passwd-lines.js'
import { replaceFile, withLock } from './tsmq-passwd-write.js'

const USAGE = [
  'tsmq-passwd [-c] [-H ALGORITHM] [-I COUNT] [--cost COST] FILE USER',
  'tsmq-passwd [-c] [-H ALGORITHM] [-I COUNT] [--cost COST] -b FILE USER PASSWORD',
  'tsmq-passwd -D FILE USER',
  'tsmq-passwd -U [-H ALGORITHM] [-I COUNT] [--cost COST] FILE',
]

/** Where the command reads and writes. */
export interface PasswdStreams {
  readonly stdin: PasswordInput
  readonly stdout: PromptOutput
  readonly stderr: PromptOutput & { readonly isTTY?: boolean; readonly columns?: number }
}

/** In place of a file name. */
const STDOUT = '-'

const QUICK_TO_GUESS = 'Warning: sha512 passwords are quick to guess; use this for old Mosquittos only.\n'

/** Carries out one command line, without node and script; returns the exit status. */
export async function passwd(argv: readonly string[], streams: PasswdStreams): Promise<number> {
  if (argv.length === 0) {
    streams.stderr.write(await help())
    return EXIT_STATUS.failure
  }
  return run(argv, streams).then(
    () => EXIT_STATUS.ok,
    (error: unknown) => report(error, streams),
  )
}

async function run(argv: readonly string[], streams: PasswdStreams): Promise<void> {
  const { values, operands } = parseCommandLine(passwdOptions, argv, { operands: true })
  if (values.help) return void streams.stdout.write(await help())
  if (values.version) return void streams.stdout.write(await version())
  const settings = hashSettings(values)
  if (values.hash_file) return hashFile(exactly(operands, 1, '-U needs FILE behind it'), settings, streams)
  if (values.delete) return deleteUser(atLeast(operands, 2, '-D needs FILE and USER behind it'), streams)
  const wanted = values.batch ? ['FILE', 'USER', 'PASSWORD'] : ['FILE', 'USER']
  const complaint = `${wanted.join(' ')} must follow the options, in this order`
  // As in Mosquitto's tool, words too many are an error only without -c.
  const words = (values.create ? atLeast : exactly)(operands, wanted.length, complaint)
  await setPassword(words, values, settings, streams)
}

async function setPassword(
  words: readonly string[],
  values: PasswdValues,
  settings: HashSettings,
  streams: PasswdStreams,
): Promise<void> {
  const [file = '', username = '', password = ''] = words
  checkUsername(username)
  if (values.batch) checkPassword(password, streams)
  const path = file === STDOUT && values.create ? undefined : resolve(file)
  // Before anyone is asked for a password: is the file as it must be?
  if (path !== undefined && values.create) refuseExisting(path)
  else if (path !== undefined) read(path, streams)

  const secret = values.batch ? Buffer.from(password) : await askTwice(streams, path === undefined)
  const encoded = await encode(secret, settings)
  if (settings.family === 'sha512') streams.stderr.write(QUICK_TO_GUESS)
  if (path === undefined) return void streams.stdout.write(`${username}:${encoded}\n`)

  const done = await withLock(path, () => {
    if (values.create) refuseExisting(path)
    const lines = values.create ? new CredentialLines(path, Buffer.alloc(0)) : read(path)
    const result = lines.set(username, encoded)
    replaceFile(path, lines.toBytes())
    return result
  })
  streams.stdout.write(`${done === 'added' ? 'Adding' : 'Updating'} password for user ${username}\n`)
}

async function deleteUser([file = '', username = '']: readonly string[], streams: PasswdStreams): Promise<void> {
  const path = resolve(file)
  await withLock(path, () => {
    const lines = read(path, streams)
    if (!lines.remove(username)) throw new PasswdError(`Warning: user ${username} not found in ${path}`)
    replaceFile(path, lines.toBytes())
  })
}

async function hashFile([file = '']: readonly string[], settings: HashSettings, streams: PasswdStreams): Promise<void> {
  const path = resolve(file)
  await withLock(path, async () => {
    const lines = read(path, streams)
    const total = lines.entries.length
    if (total === 0) throw new PasswdError(`${path} has no users`)
    const hashed = await hashEntries(path, lines, settings, streams.stderr)
    if (hashed > 0) replaceFile(path, lines.toBytes())
    streams.stderr.write(`${hashed} of ${total} passwords hashed, ${total - hashed} were hashed already\n`)
  })
}

/** The file as it is now; with `streams` also what is to be said about its permissions. */
function read(path: string, streams?: PasswdStreams): CredentialLines {
  const { content, warnings } = readRestrictedFile(path)
  for (const warning of warnings) streams?.stderr.write(`${warning}\n`)
  return new CredentialLines(path, content)
}

/** The file itself when the name is a symbolic link; the name as given when there is no file. */
function resolve(file: string): string {
  try {
    return realpathSync(file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return file
    throw systemFailure(`cannot open ${file}`, error)
  }
}

function refuseExisting(path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })) return
  throw new PasswdError(`${path} exists already; to add a user to it leave out -c, to begin anew delete it first`)
}

async function askTwice({ stdin, stdout, stderr }: PasswdStreams, lineOnStdout: boolean): Promise<Buffer> {
  const prompt = new PasswordPrompt(stdin, lineOnStdout ? stderr : stdout)
  try {
    const first = await prompt.ask('Password: ')
    if (!first || first.length === 0) throw new PasswdError('empty password')
    const second = await prompt.ask('Reenter password: ')
    if (!second || second.length === 0) throw new PasswdError('empty password')
    if (!first.equals(second)) throw new PasswdError('the passwords do not match', EXIT_STATUS.password_mismatch)
    return first
  } finally {
    prompt.close()
  }
}

function hashSettings({ hash, cost, iterations }: PasswdValues): HashSettings {
  return { family: hash, cost, iterations }
}

/** Names that a line of the file or a CONNECT packet cannot hold (spec: passwd.md section 4). */
function checkUsername(username: string): void {
  const complain = (fault: string) => {
    throw new UsageError(`the user name ${fault}`)
  }
  if (username === '') complain('is empty')
  if (Buffer.byteLength(username) > MAX_USERNAME_BYTES) complain(`is longer than ${MAX_USERNAME_BYTES} bytes`)
  if (/[\x00-\x1f\x7f]/.test(username)) complain('contains control characters')
  if (username.includes(':')) complain('contains a colon (:)')
  if (username.includes('\uFFFD')) complain('is not valid UTF-8')
  if (trimBlanks(username) !== username) complain('begins or ends with a blank')
  if (username.startsWith('#')) complain('begins with #, which makes the line a comment')
}

function checkPassword(password: string, streams: PasswdStreams): void {
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES)
    throw new UsageError(`the password is longer than ${MAX_PASSWORD_BYTES} bytes`)
  // Node has replaced the bytes that are not UTF-8.
  if (password.includes('\uFFFD')) throw new UsageError('the password is not valid UTF-8; pass it through stdin')
  if (password === '') streams.stderr.write('Warning: the password is empty.\n')
}

function exactly(words: readonly string[], count: number, complaint: string): readonly string[] {
  if (words.length !== count) throw new UsageError(complaint)
  return words
}

function atLeast(words: readonly string[], count: number, complaint: string): readonly string[] {
  if (words.length < count) throw new UsageError(complaint)
  return words
}

async function help(): Promise<string> {
  const { helpText } = await import('../options/help-text.js')
  const about = 'Adds, changes and removes the users of a password file for tsmq or Mosquitto.'
  const notes = ['Without -b the password is asked for, or read from two lines of standard input.']
  return helpText({ usage: USAGE, about, table: passwdOptions, notes })
}

async function version(): Promise<string> {
  const { packageVersion } = await import('./version.js')
  return `tsmq-passwd version ${packageVersion()}\n`
}

/** Tells what went wrong; returns the status to end with. */
function report(error: unknown, { stderr }: PasswdStreams): number {
  if (error instanceof UsageError) {
    stderr.write(`Error: ${error.message}\nTry 'tsmq-passwd --help' for all options.\n`)
    return EXIT_STATUS.failure
  }
  if (error instanceof PasswdError) {
    stderr.write(`${error.message.startsWith('Warning:') ? '' : 'Error: '}${error.message}\n`)
    return error.status
  }
  if (error instanceof AccessFileError) {
    stderr.write(`Error: ${error.message}\n${error.problems.length > 0 ? 'Nothing was changed.\n' : ''}`)
    return EXIT_STATUS.failure
  }
  throw error
}
