// Making the hashes tsmq-passwd writes: one of them right here, a file full of them on all processors and with progress on a
// terminal. Which passwords are refused is said here too, in the words of the user.
import { availableParallelism } from 'node:os'
import { AccessFileError } from '../access/access-file-error.js'
import { type BcryptHasher, bcryptObjection } from '../access/bcrypt-hash.js'
import type { FileProblem } from '../access/file-lines.js'
import { HashFormatError } from '../access/hash-format.js'
import { type HashSettings, hashPassword, parsePasswordHash } from '../access/password-hash.js'
import { isColoured } from './colour-choice.js'
import { EXIT_STATUS } from './exit.js'
import { PasswdError } from './tsmq-passwd-error.js'
import type { CredentialEntry, CredentialLines } from './tsmq-passwd-lines.js'

/** A single hash is quicker on this thread than starting another. */
export const bcryptHere: BcryptHasher = {
  hash: async (password, salt) => (await import('bcryptjs')).hash(password, salt),
}

/** Work that takes longer than a blink gets a progress line. */
const PROGRESS_FROM = 10

/** What tells whether progress can be shown. */
export interface ProgressOutput {
  readonly isTTY?: boolean
  readonly columns?: number
}

/** The encoded form of one password. Throws PasswdError when it cannot be made. */
export async function encode(password: Uint8Array, settings: HashSettings, bcrypt = bcryptHere): Promise<string> {
  const objection = objectionTo(password, settings)
  if (objection) throw new PasswdError(`the password ${objection}`)
  try {
    return await hashPassword(password, settings, bcrypt)
  } catch (error) {
    throw new PasswdError(
      `unable to hash with ${settings.family}: ${error instanceof Error ? error.message : String(error)}`,
      EXIT_STATUS.not_supported,
    )
  }
}

/**
 * Hashes every entry that is plain text, in place. Returns how many there were. Throws AccessFileError with all lines that can
 * be neither used nor hashed, before anything is changed.
 */
export async function hashEntries(
  path: string,
  lines: CredentialLines,
  settings: HashSettings,
  terminal: ProgressOutput,
): Promise<number> {
  const problems: FileProblem[] = []
  const plain: CredentialEntry[] = []
  for (const entry of lines.entries) {
    const verdict = judge(entry, settings)
    if (verdict === 'plain') plain.push(entry)
    else if (verdict !== 'hashed') problems.push({ line: entry.line, message: verdict.problem })
  }
  if (problems.length > 0) throw new AccessFileError(path, problems)
  if (plain.length > 0) await encodeAll(plain, lines, settings, terminal)
  return plain.length
}

async function encodeAll(
  plain: readonly CredentialEntry[],
  lines: CredentialLines,
  settings: HashSettings,
  terminal: ProgressOutput,
): Promise<void> {
  const progress = await startProgress(plain.length, terminal)
  const { BcryptWorkers } = await import('../access/bcrypt-workers.js')
  const workers = new BcryptWorkers({ threads: availableParallelism(), waiting: plain.length })
  try {
    await Promise.all(
      plain.map(async ({ line, username, password }) => {
        lines.replace(line, username, await encode(Buffer.from(password), settings, workers))
        progress.step()
      }),
    )
  } finally {
    progress.stop()
    await workers.close()
  }
}

function judge(entry: CredentialEntry, settings: HashSettings): 'hashed' | 'plain' | { problem: string } {
  const user = `user ${JSON.stringify(entry.username)}`
  try {
    parsePasswordHash(entry.password)
    return 'hashed'
  } catch (error) {
    if (!(error instanceof HashFormatError)) throw error
    // To hash what is a hash, however broken, would lock the user out.
    if (/^\$[0-9a-z-]{1,16}\$/.test(entry.password)) return { problem: `${user}: ${error.message}` }
  }
  if (entry.hasMore) return { problem: `${user}: a second colon; set a password with a colon with tsmq-passwd -b` }
  const objection = objectionTo(Buffer.from(entry.password), settings)
  return objection ? { problem: `${user}: the password ${objection}` } : 'plain'
}

function objectionTo(password: Uint8Array, { family }: HashSettings): string | undefined {
  const objection = family === 'bcrypt' ? bcryptObjection(password) : undefined
  return objection && `${objection}; use -H sha512-pbkdf2 for this one`
}

/** A spinner on stderr, if that is a terminal wide enough to draw one. */
async function startProgress(total: number, terminal: ProgressOutput): Promise<{ step(): void; stop(): void }> {
  if (!terminal.isTTY || !terminal.columns || process.env.TERM === 'dumb' || total < PROGRESS_FROM)
    return { step: () => {}, stop: () => {} }
  const { default: ora } = await import('ora')
  const text = (done: number) => `Hashing passwords: ${done} of ${total}`
  // Left alone, the terminal turns Ctrl-C into the signal that gives the lock back.
  const color = isColoured(true, process.env) ? 'cyan' : false
  const spinner = ora({ text: text(0), color, discardStdin: false }).start()
  let done = 0
  return {
    step: () => {
      spinner.text = text(++done)
    },
    stop: () => void spinner.stop(),
  }
}
