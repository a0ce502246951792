// Where tsmq-passwd gets a password from: the command line, two questions, one line of input, or chance. What may be a user name
// or a password at all is said here too (spec: passwd.md sections 4 and 5).
import { randomInt } from 'node:crypto'
import { trimBlanks } from '../access/file-lines.js'
import { MAX_USERNAME_BYTES } from '../access/password-file.js'
import { UsageError } from '../options/command-line.js'
import { EXIT_STATUS } from './exit.js'
import {
  askOnce,
  MAX_PASSWORD_BYTES,
  type PasswordInput,
  PasswordPrompt,
  type PromptOutput,
} from './password-prompt.js'
import { PasswdError } from './tsmq-passwd-error.js'

/** Letters and digits that are not taken for each other; 22 of them are 128 random bits. */
const ALPHABET = '23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ'
const GENERATED_CHARACTERS = 22

/** Asks twice, as Mosquitto's tool does. Throws PasswdError. */
export async function askTwice(input: PasswordInput, output: PromptOutput): Promise<Buffer> {
  const prompt = new PasswordPrompt(input, output)
  try {
    const first = usable(await prompt.ask('Password: '))
    const second = usable(await prompt.ask('Reenter password: '))
    if (!first.equals(second)) throw new PasswdError('the passwords do not match', EXIT_STATUS.password_mismatch)
    return first
  } finally {
    prompt.close()
  }
}

/** Reads one line; on a terminal it is asked for. Throws PasswdError. */
export async function readOnce(input: PasswordInput, output: PromptOutput): Promise<Buffer> {
  return usable(await askOnce(input, output))
}

export function generatePassword(): string {
  return Array.from({ length: GENERATED_CHARACTERS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}

/** The password of the command line as bytes; may be empty. Throws UsageError. */
export function passwordOf(word: string): Buffer {
  const bytes = Buffer.from(word)
  if (bytes.length > MAX_PASSWORD_BYTES) throw new UsageError(`the password is longer than ${MAX_PASSWORD_BYTES} bytes`)
  // Node has replaced the bytes that are not UTF-8.
  if (word.includes('\uFFFD')) throw new UsageError('the password is not valid UTF-8; pass it through stdin')
  return bytes
}

/** Throws UsageError for names that a line of the file or a CONNECT packet cannot hold. */
export function checkUsername(username: string): void {
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

function usable(password: Buffer | undefined): Buffer {
  if (!password || password.length === 0) throw new PasswdError('empty password')
  if (password.length > MAX_PASSWORD_BYTES)
    throw new PasswdError(`the password is longer than ${MAX_PASSWORD_BYTES} bytes`)
  return password
}
