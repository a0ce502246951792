// What a person at a terminal sees besides the data: messages on stderr, in colour where that is wanted, and a spinner while
// something takes long. Off a terminal it is plain text. chalk and ora are loaded only when they are used.

import type { Readable } from 'node:stream'
import type { Ora } from 'ora'
import { isColoured } from './colour-choice.js'
import { escapeControls, Output, type OutputStream } from './output.js'

type ErrorStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }

/** The streams and the environment of the process. */
export interface Streams {
  readonly stdin: Readable
  readonly stdout: OutputStream & { readonly isTTY?: boolean }
  readonly stderr: ErrorStream
  readonly env: NodeJS.ProcessEnv
}

/** ms that pass before a spinner shows. */
const SPINNER_AFTER = 300
/** ms between two looks at a text that changes. */
const REFRESH = 200

const plain = (text: string) => text

export class Terminal {
  readonly output: Output
  private readonly stderr: ErrorStream
  private readonly red: (text: string) => string
  private readonly yellow: (text: string) => string
  private readonly spins: boolean
  private spinnerTimer: NodeJS.Timeout | undefined = undefined
  private spinner: Ora | undefined = undefined
  private refresh: NodeJS.Timeout | undefined = undefined

  constructor(streams: Streams, spins: boolean, red: (text: string) => string, yellow: (text: string) => string) {
    this.output = new Output(streams.stdout, streams.stdout.isTTY === true)
    this.stderr = streams.stderr
    this.spins = spins
    this.red = red
    this.yellow = yellow
  }

  error(text: string): void {
    this.write(this.red('Error:'), text)
  }

  warning(text: string): void {
    this.write(this.yellow('Warning:'), text)
  }

  private write(label: string, text: string): void {
    this.settle()
    // Where both go to one place, what was printed before comes before.
    this.output.flush()
    // The broker may have had a say in it.
    this.stderr.write(`${label} ${this.stderr.isTTY ? escapeControls(Buffer.from(text)) : text}\n`)
  }

  /** Shows a spinner if what begins now takes long, with `text`, or with what that says at the time. */
  waitFor(text: string | (() => string)): void {
    if (!this.spins) return
    this.settle()
    const timer = setTimeout(async () => {
      const { default: ora } = await import('ora')
      if (this.spinnerTimer !== timer) return
      const isStill = typeof text === 'string'
      this.spinner = ora({ text: isStill ? text : text(), stream: this.stderr, discardStdin: false }).start()
      if (!isStill) this.refresh = setInterval(() => this.spinner && (this.spinner.text = text()), REFRESH).unref()
    }, SPINNER_AFTER)
    timer.unref()
    this.spinnerTimer = timer
  }

  /** Takes the spinner away. */
  settle(): void {
    clearTimeout(this.spinnerTimer)
    clearInterval(this.refresh)
    this.spinnerTimer = undefined
    this.spinner?.stop()
    this.spinner = undefined
  }
}

/** @param quiet no spinner. */
export async function openTerminal(streams: Streams, quiet: boolean): Promise<Terminal> {
  const isTerminal = streams.stderr.isTTY === true
  // A terminal that does not know its width: ora would clear lines without end.
  const hasWidth = streams.stderr.columns !== 0
  const spins = isTerminal && hasWidth && streams.env.TERM !== 'dumb' && !quiet
  if (!isColoured(isTerminal, streams.env)) return new Terminal(streams, spins, plain, plain)
  const { Chalk } = await import('chalk')
  const chalk = new Chalk({ level: 1 })
  return new Terminal(streams, spins, chalk.red, chalk.yellow)
}
