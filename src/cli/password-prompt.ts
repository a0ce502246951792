// Asks for passwords: on a terminal without showing what is typed, otherwise one line of the input for each. The terminal is
// given back as it was, whatever ends the asking.
import { constants } from 'node:os'
import { exit } from './exit.js'

/** Where passwords are typed; the terminal part is there only on a terminal. */
export interface PasswordInput extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean
  setRawMode?(raw: boolean): unknown
  pause(): unknown
}

/** Where the questions are written. */
export interface PromptOutput {
  write(text: string): unknown
}

const CTRL_C = 0x03
const CTRL_D = 0x04
const BACKSPACE = 0x08
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const CTRL_U = 0x15
const DELETE = 0x7f

/** Longest line that is taken, in bytes, as a password in a CONNECT packet. */
export const MAX_PASSWORD_BYTES = 65_535

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** One password: asked for on a terminal, otherwise a line of the input, without a word. Undefined when the input has ended. */
export async function askOnce(input: PasswordInput, output: PromptOutput): Promise<Buffer | undefined> {
  const prompt = new PasswordPrompt(input, input.isTTY ? output : { write: () => {} })
  try {
    return await prompt.ask('Password: ')
  } finally {
    prompt.close()
  }
}

/** A sequence of questions on one input; `close` must be called after the last. */
export class PasswordPrompt {
  readonly #input: PasswordInput
  readonly #output: PromptOutput
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()
  readonly #interrupted = (signal: string, number: number) => this.#end(signal, number)

  constructor(input: PasswordInput, output: PromptOutput) {
    this.#input = input
    this.#output = output
    this.#chunks = input[Symbol.asyncIterator]()
    if (!input.isTTY) return
    input.setRawMode?.(true)
    for (const signal of SIGNALS) process.on(signal, this.#interrupted)
  }

  /**
   * One answer without its line end, possibly empty, and cut a byte above MAX_PASSWORD_BYTES; undefined when the input has ended.
   * Ctrl-C ends the process as the signal would, with status 130.
   */
  async ask(question: string): Promise<Buffer | undefined> {
    this.#output.write(question)
    const line = this.#input.isTTY ? await this.#typedLine() : await this.#inputLine()
    this.#output.write('\n')
    return line && Buffer.from(line)
  }

  /** Gives the terminal back. */
  close(): void {
    this.#input.pause()
    if (!this.#input.isTTY) return
    this.#input.setRawMode?.(false)
    for (const signal of SIGNALS) process.off(signal, this.#interrupted)
  }

  async #inputLine(): Promise<number[] | undefined> {
    const line: number[] = []
    if (!(await this.#hasMore())) return undefined
    do {
      const end = this.#rest.indexOf(LINE_FEED)
      const part = end < 0 ? this.#rest : this.#rest.subarray(0, end)
      // One byte too many, and the CR that is not part of it, are enough to know that the line is too long.
      line.push(...part.subarray(0, MAX_PASSWORD_BYTES + 2 - line.length))
      this.#rest = this.#rest.subarray(end < 0 ? part.length : end + 1)
      if (end >= 0) break
    } while (await this.#hasMore())
    while (line.at(-1) === CARRIAGE_RETURN) line.pop()
    return line.slice(0, MAX_PASSWORD_BYTES + 1)
  }

  /** In raw mode the keys that edit a line are ours to obey. */
  async #typedLine(): Promise<number[] | undefined> {
    const line: number[] = []
    for (;;) {
      const byte = await this.#nextByte()
      if (byte === undefined || (byte === CTRL_D && line.length === 0)) return undefined
      if (byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === CTRL_D) return line
      if (byte === CTRL_C) this.#end('SIGINT', constants.signals.SIGINT)
      else if (byte === CTRL_U) line.length = 0
      else if (byte === BACKSPACE || byte === DELETE) dropCharacter(line)
      else if (line.length <= MAX_PASSWORD_BYTES) line.push(byte)
    }
  }

  async #nextByte(): Promise<number | undefined> {
    if (!(await this.#hasMore())) return undefined
    const [byte] = this.#rest
    this.#rest = this.#rest.subarray(1)
    return byte
  }

  async #hasMore(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next()
      if (done) return false
      this.#rest = value
    }
    return true
  }

  #end(_signal: string, number: number): void {
    this.close()
    this.#output.write('\n')
    exit(128 + number)
  }
}

/** Removes the last character, which in UTF-8 is its first byte and the bytes 10xxxxxx behind it. */
function dropCharacter(line: number[]): void {
  while (line.length > 0) if (((line.pop() ?? 0) & 0xc0) !== 0x80) return
}
