// The command tsmq-passwd: from argv to one change of one password file, and to an exit status (spec: passwd.md). How lines are
// edited, hashes made and files replaced is in the files beside this one.
import { lstatSync, realpathSync } from 'node:fs'
import { AccessFileError } from '../access/access-file-error.js'
import type { HashSettings } from '../access/password-hash.js'
import { readRestrictedFile } from '../access/restricted-file.js'
import { type CommandLine, parseCommandLine, UsageError } from '../options/command-line.js'
import { type PasswdValues, passwdOptions } from '../options/passwd-options.js'
import { EXIT_STATUS } from './exit.js'
import type { PasswordInput, PromptOutput } from './password-prompt.js'
import { PasswdError, systemFailure } from './tsmq-passwd-error.js'
import { encode, hashEntries } from './tsmq-passwd-hashing.js'
import { CredentialLines } from './tsmq-passwd-lines.js'
import { askTwice, checkUsername, generatePassword, passwordOf, readOnce } from './tsmq-passwd-secret.js'
import { changeFile } from './tsmq-passwd-write.js'

const USAGE = [
  'tsmq-passwd [-c] [-H ALGORITHM] [-I COUNT] [--cost COST] [-i | --generate] FILE USER',
  'tsmq-passwd [-c] [-H ALGORITHM] [-I COUNT] [--cost COST] -b FILE USER PASSWORD',
  'tsmq-passwd -D FILE USER',
  'tsmq-passwd -U [-H ALGORITHM] [-I COUNT] [--cost COST] FILE',
  'tsmq-passwd -v [-i] FILE USER',
  'tsmq-passwd -v -b FILE USER PASSWORD',
  'tsmq-passwd --list | --lint FILE',
]

/** Where the command reads and writes. */
export interface PasswdStreams {
  readonly stdin: PasswordInput
  readonly stdout: PromptOutput & { readonly isTTY?: boolean }
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
  return run(argv, streams).catch((error: unknown) => report(error, streams))
}

async function run(argv: readonly string[], streams: PasswdStreams): Promise<number> {
  const line = parseCommandLine(passwdOptions, argv, { operands: true })
  const { values, operands } = line
  if (values.help) streams.stdout.write(await help())
  else if (values.version) streams.stdout.write(await version())
  else if (values.completion !== undefined) streams.stdout.write(await completion(values.completion))
  else if (values.list) await list(exactly(operands, 1, '--list needs FILE behind it'), streams)
  else if (values.lint) return lint(exactly(operands, 1, '--lint needs FILE behind it'), streams)
  else if (values.verify) await verify(operands, values, streams)
  else await change(line, streams)
  return EXIT_STATUS.ok
}

async function change(line: CommandLine<typeof passwdOptions>, streams: PasswdStreams): Promise<void> {
  const { values, operands } = line
  const settings = hashSettings(line, streams)
  if (values.hash_file) await hashFile(exactly(operands, 1, '-U needs FILE behind it'), settings, streams)
  // As in Mosquitto's tool, words too many are an error only without -c and -D.
  else if (values.delete) await deleteUser(atLeast(operands, 2, '-D needs FILE and USER behind it'), streams)
  else await setPassword(userWords(operands, values, values.create ? atLeast : exactly), values, settings, streams)
}

async function setPassword(
  [file = '', username = '', password = '']: readonly string[],
  values: PasswdValues,
  settings: HashSettings,
  streams: PasswdStreams,
): Promise<void> {
  checkUsername(username)
  const path = file === STDOUT && values.create ? undefined : resolve(file)
  // Before anyone is asked for a password: is the file as it must be?
  if (path !== undefined && values.create) refuseExisting(path)
  else if (path !== undefined) read(path, streams)

  const made = values.generate ? generatePassword() : undefined
  const data = path === undefined ? streams.stderr : streams.stdout
  const secret = made ? Buffer.from(made) : await givenPassword(password, values, streams, data)
  const encoded = await encode(secret, settings)
  if (secret.length === 0) streams.stderr.write('Warning: the password is empty.\n')
  if (settings.family === 'sha512') streams.stderr.write(QUICK_TO_GUESS)
  if (path === undefined) streams.stdout.write(`${username}:${encoded}\n`)
  else {
    const done = await store(path, username, encoded, values.create)
    // What was made must be the only thing there for `PASSWORD=$(tsmq-passwd --generate …)`.
    const messages = made === undefined ? streams.stdout : streams.stderr
    messages.write(`${done === 'added' ? 'Adding' : 'Updating'} password for user ${username}\n`)
  }
  if (made !== undefined) data.write(`${made}\n`)
}

function givenPassword(
  word: string,
  { batch, from_stdin: fromStdin }: PasswdValues,
  { stdin }: PasswdStreams,
  questions: PromptOutput,
): Promise<Buffer> {
  if (batch) return Promise.resolve(passwordOf(word))
  return fromStdin ? readOnce(stdin, questions) : askTwice(stdin, questions)
}

function store(path: string, username: string, encoded: string, create: boolean): Promise<'added' | 'updated'> {
  return changeFile(path, (replace) => {
    if (create) refuseExisting(path)
    const lines = create ? new CredentialLines(path, Buffer.alloc(0)) : read(path)
    const done = lines.set(username, encoded)
    replace(lines.toBytes())
    return done
  })
}

async function verify(operands: readonly string[], values: PasswdValues, streams: PasswdStreams): Promise<void> {
  const [file = '', username = '', password = ''] = userWords(operands, values, exactly)
  const given = values.batch ? passwordOf(password) : undefined
  const { verifyUser } = await import('./tsmq-passwd-inspect.js')
  await verifyUser(resolve(file), username, async () => given ?? readOnce(streams.stdin, streams.stderr))
  streams.stdout.write(`Correct password for user ${username}\n`)
}

async function list([file = '']: readonly string[], { stdout }: PasswdStreams): Promise<void> {
  const { listUsers } = await import('./tsmq-passwd-inspect.js')
  stdout.write(listUsers(file, stdout.isTTY === true))
}

async function lint([file = '']: readonly string[], { stdout }: PasswdStreams): Promise<number> {
  const { lintFile } = await import('./tsmq-passwd-inspect.js')
  const found = lintFile(file)
  stdout.write(found.map((each) => `${each}\n`).join(''))
  return found.length > 0 ? EXIT_STATUS.failure : EXIT_STATUS.ok
}

async function deleteUser([file = '', username = '']: readonly string[], streams: PasswdStreams): Promise<void> {
  const path = resolve(file)
  await changeFile(path, (replace) => {
    const lines = read(path, streams)
    if (!lines.remove(username)) throw new PasswdError(`Warning: user ${username} not found in ${path}`)
    replace(lines.toBytes())
  })
}

async function hashFile([file = '']: readonly string[], settings: HashSettings, streams: PasswdStreams): Promise<void> {
  const path = resolve(file)
  await changeFile(path, async (replace) => {
    const lines = read(path, streams)
    const total = lines.entries.length
    if (total === 0) throw new PasswdError(`${path} has no users`)
    const hashed = await hashEntries(path, lines, settings, streams.stderr)
    if (hashed > 0) replace(lines.toBytes())
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

/** How to hash; tells of flags that change nothing, which Mosquitto's tool takes in silence. */
function hashSettings({ values, given }: CommandLine<typeof passwdOptions>, { stderr }: PasswdStreams): HashSettings {
  const { hash, cost, iterations } = values
  if (given.includes('cost') && hash !== 'bcrypt') throw new UsageError(`--cost is for bcrypt, not for ${hash}`)
  const useless = (name: string, flag: string, beside: string) => {
    if (given.includes(name)) stderr.write(`Warning: ${flag} has no effect with ${beside}.\n`)
  }
  if (values.delete) useless('hash', '-H', '-D')
  if (values.delete) useless('iterations', '-I', '-D')
  else if (hash !== 'sha512-pbkdf2') useless('iterations', '-I', hash)
  if (values.hash_file) useless('batch', '-b', '-U')
  return { family: hash, cost, iterations }
}

type CheckCount = (words: readonly string[], count: number, complaint: string) => readonly string[]

/** FILE, USER and with -b PASSWORD. */
function userWords(operands: readonly string[], { batch }: PasswdValues, check: CheckCount): readonly string[] {
  const wanted = batch ? ['FILE', 'USER', 'PASSWORD'] : ['FILE', 'USER']
  return check(operands, wanted.length, `${wanted.join(' ')} must follow the options, in this order`)
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
  const notes = ['Without -b, -i and --generate the password is asked for, or read from two lines of standard input.']
  return helpText({ usage: USAGE, about, table: passwdOptions, notes })
}

async function completion(shell: 'bash' | 'zsh' | 'fish'): Promise<string> {
  const { completionScript } = await import('../options/completion.js')
  return completionScript(shell, 'tsmq-passwd', passwdOptions, true)
}

async function version(): Promise<string> {
  const { packageVersion } = await import('../version.js')
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
