// What a person at a terminal sees besides the data: messages on stderr, in colour where that is wanted, and a spinner while
// something takes long, which makes way for data. Off a terminal it is plain text. chalk and ora are loaded only when they are used.

import type { Readable } from 'node:stream'
import type { ChalkInstance } from 'chalk'
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

interface Wait {
  readonly text: () => string
  /** Others, who read what is printed, may write to the terminal meanwhile. */
  readonly isAmongOthers: boolean
}

export class Terminal {
  readonly output: Output
  private readonly stderr: ErrorStream
  private readonly red: (text: string) => string
  private readonly yellow: (text: string) => string
  /** Of the spinner. */
  private readonly colour: 'cyan' | false
  private readonly spins: boolean
  /** Data goes to a terminal: to the same one, as far as anyone can tell. */
  private readonly showsData: boolean
  /** The streams are those of the process. */
  private readonly isReal: boolean
  private wait: Wait | undefined = undefined
  private timer: NodeJS.Timeout | undefined = undefined
  private spinner: Ora | undefined = undefined
  private refresh: NodeJS.Timeout | undefined = undefined

  /** @param chalk undefined for no colour. */
  constructor(streams: Streams, spins: boolean, chalk: ChalkInstance | undefined) {
    this.showsData = streams.stdout.isTTY === true
    this.output = new Output(streams.stdout, this.showsData)
    if (this.showsData && spins) this.output.beforeWrite = () => this.makeWay()
    this.isReal = streams === process
    this.stderr = streams.stderr
    this.spins = spins
    this.red = chalk?.red ?? plain
    this.yellow = chalk?.yellow ?? plain
    this.colour = chalk === undefined ? false : 'cyan'
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
    this.begin({ text: typeof text === 'string' ? () => text : text, isAmongOthers: false })
  }

  /** The same for a wait in which others, who read what is printed, may write to the terminal: it is shown where they cannot. */
  waitForMessages(text: () => string): void {
    this.begin({ text, isAmongOthers: true })
  }

  private begin(wait: Wait): void {
    if (!this.spins) return
    this.settle()
    this.wait = wait
    this.startTimer()
  }

  private startTimer(): void {
    const timer = setTimeout(() => this.show(timer), SPINNER_AFTER)
    this.timer = timer.unref()
  }

  private async show(timer: NodeJS.Timeout): Promise<void> {
    const { wait } = this
    if (wait === undefined || !this.hasPlace || !(await this.isFree(wait))) return
    const { default: ora } = await import('ora')
    if (this.timer !== timer || !this.hasPlace) return
    const text = () => escapeControls(Buffer.from(wait.text()))
    const stream = this.stderr
    // That it is a terminal is known; ora would also look at CI.
    this.spinner = ora({ text: text(), color: this.colour, stream, isEnabled: true, discardStdin: false }).start()
    this.refresh = setInterval(() => this.spinner && (this.spinner.text = text()), REFRESH).unref()
  }

  private async isFree({ isAmongOthers }: Wait): Promise<boolean> {
    if (!this.isReal) return true
    const { hasTerminalToItself, isInForeground } = await import('./foreground.js')
    return isAmongOthers ? hasTerminalToItself() : isInForeground()
  }

  /** There is none yet, and no message without its end stands on the line. */
  private get hasPlace(): boolean {
    return this.spinner === undefined && !(this.showsData && this.output.isLineOpen)
  }

  /** Data is printed to the same terminal: the spinner comes back when there has been none for a while. */
  private makeWay(): void {
    if (this.wait === undefined) return
    if (this.spinner === undefined) this.timer?.refresh()
    else {
      this.hide()
      this.startTimer()
    }
  }

  private hide(): void {
    clearTimeout(this.timer)
    clearInterval(this.refresh)
    this.timer = undefined
    this.spinner?.stop()
    this.spinner = undefined
  }

  /** Nothing is waited for any more. */
  settle(): void {
    this.hide()
    this.wait = undefined
  }
}

/** @param quiet no spinner. */
export async function openTerminal(streams: Streams, quiet: boolean): Promise<Terminal> {
  const isTerminal = streams.stderr.isTTY === true
  // A terminal that does not know its width: ora would clear lines without end.
  const hasWidth = streams.stderr.columns !== 0
  const spins = isTerminal && hasWidth && streams.env.TERM !== 'dumb' && !quiet
  if (!isColoured(isTerminal, streams.env)) return new Terminal(streams, spins, undefined)
  const { Chalk } = await import('chalk')
  return new Terminal(streams, spins, new Chalk({ level: 1 }))
}
