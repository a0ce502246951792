// Where the password comes from when it is not on the command line, where `ps` shows it: a file, the environment, the terminal or
// a line of standard input.

import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { causeOf, codeOf } from '../net/dial-causes.js'
import { UsageError } from '../options/command-line.js'
import { bytesOfText } from '../options/text.js'
import type { ConnectionValues } from './connection-values.js'
import type { Streams, Terminal } from './terminal.js'

const MOST = 65_535
const LINE_FEED = 0x0a
/** The mode bit that lets everyone read. */
const OTHERS_READ = 0o004

/**
 * The password: of -P or the URL, of --pw-file, or of TSMQ_PASSWORD, which counts only where there is a user name.
 * @throws UsageError when a file cannot be read, nothing is typed, or it is longer than 65535 bytes
 */
export async function clientPassword(
  values: ConnectionValues,
  streams: Streams,
  terminal: Terminal,
): Promise<Buffer | undefined> {
  const { password, pw_file, username } = values
  if (password === '-') return asked(streams)
  if (password !== undefined) return bytesOfText(password)
  if (pw_file !== undefined) return ofFile(pw_file, terminal)
  const { TSMQ_PASSWORD: fromEnvironment } = streams.env
  return fromEnvironment === undefined || username === undefined
    ? undefined
    : checked('TSMQ_PASSWORD', Buffer.from(fromEnvironment))
}

function checked(where: string, password: Buffer): Buffer {
  if (password.length > MOST) throw new UsageError(`${where}: the password must not be longer than ${MOST} bytes`)
  return password
}

function ofFile(file: string, terminal: Terminal): Buffer {
  let content: Buffer
  try {
    const descriptor = openSync(file, 'r')
    try {
      if (process.platform !== 'win32' && (fstatSync(descriptor).mode & OTHERS_READ) !== 0)
        terminal.warning(`--pw-file ${file} is readable by others; chmod o-r would keep the password to you`)
      content = readFileSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw new UsageError(`--pw-file ${file}: ${causeOf(error as Error)}`)
  }
  const end = content.indexOf(LINE_FEED)
  return checked(`--pw-file ${file}`, withoutReturn(end < 0 ? content : content.subarray(0, end)))
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line
}

async function asked(streams: Streams): Promise<Buffer> {
  const { stdin, stderr } = streams
  const isTerminal = 'isTTY' in stdin && stdin.isTTY === true
  const line = () => (streams === process ? lineOfDescriptor(0) : lineOfStream(stdin))
  const typed = isTerminal ? await typedIn(stdin, stderr) : await line()
  if (typed === undefined) throw new UsageError('-P -: standard input has ended before a password')
  return checked('-P -', typed)
}

async function typedIn(stdin: Readable, stderr: Streams['stderr']): Promise<Buffer | undefined> {
  const { PasswordPrompt } = await import('./password-prompt.js')
  const keys = stdin.iterator({ destroyOnReturn: false })
  const input = Object.assign(Object.create(stdin), { [Symbol.asyncIterator]: () => keys })
  const prompt = new PasswordPrompt(input, stderr)
  try {
    return await prompt.ask('Password: ')
  } finally {
    prompt.close()
    await keys.return?.()
  }
}

/** ms to wait for a pipe that has nothing yet and does not block. */
const PAUSE = 10

/** The bytes up to the first line end, read one by one: what follows is for whoever reads next. */
function lineOfDescriptor(descriptor: number): Buffer | undefined {
  const line: number[] = []
  const byte = Buffer.alloc(1)
  for (;;) {
    try {
      const isEnd = readSync(descriptor, byte) === 0
      if (isEnd && line.length === 0) return undefined
      if (isEnd || byte[0] === LINE_FEED || line.length > MOST) return withoutReturn(Buffer.from(line))
      line.push(byte.readUInt8())
    } catch (error) {
      if (codeOf(error as Error) !== 'EAGAIN') throw new UsageError(`-P -: standard input: ${causeOf(error as Error)}`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE)
    }
  }
}

/** The same of a stream. */
function lineOfStream(stdin: Readable): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0)
    const done = (line: Buffer | undefined) => {
      stdin.off('readable', onReadable).off('end', onEnd).off('error', reject)
      resolve(line && withoutReturn(line))
    }
    const onReadable = () => {
      for (let chunk: Buffer | null = stdin.read(); chunk !== null; chunk = stdin.read()) {
        read = Buffer.concat([read, chunk])
        const end = read.indexOf(LINE_FEED)
        if (end < 0 && read.length <= MOST) continue
        done(end < 0 ? read : read.subarray(0, end))
        if (end >= 0 && end + 1 < read.length) stdin.unshift(read.subarray(end + 1))
        return
      }
    }
    const onEnd = () => done(read.length > 0 ? read : undefined)
    stdin.on('readable', onReadable).on('end', onEnd).on('error', reject)
  })
}
