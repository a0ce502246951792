// Other programs for tests: started, listened to line by line, waited for, and never left behind. What is waited for is named, so
// that a test that waits in vain says for what, and what the program had said until then.

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** ms that anything may take unless the caller says otherwise. */
const PATIENCE = 20_000

export interface ProgramOptions {
  /** Added to the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Written to stdin, which is then closed. Undefined leaves it open for `write`. */
  readonly input?: string | undefined
}

export interface Result {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Waiting {
  readonly test: (line: string) => boolean
  readonly resolve: (line: string) => void
}

const running = new Set<ChildProcess>()
process.once('exit', killPrograms)

/** Ends what a failed test has left running, which would keep the test process from ending. For `after`. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** A running program. */
export class Program {
  readonly name: string
  readonly pid: number
  /** When it has ended and everything it said has been read. */
  readonly ended: Promise<Result>
  stdout = ''
  stderr = ''
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  private readonly seen: string[] = []
  private readonly waiting = new Set<Waiting>()
  private partial = { stdout: '', stderr: '' }

  constructor(file: string, args: readonly string[], { env = {}, cwd, input }: ProgramOptions = {}) {
    this.name = [file.split('/').at(-1), ...args].join(' ')
    const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    this.child = child
    this.pid = child.pid ?? 0
    running.add(child)
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => this.take(stream, text))
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status) => {
        running.delete(child)
        resolve({ status, stdout: this.stdout, stderr: this.stderr })
      })
    })
    this.ended.catch(() => {})
    // A program may end without having read what it was given.
    child.stdin.on('error', () => {})
    if (input !== undefined) child.stdin.end(input)
  }

  /** Whole lines of stdout and stderr, in the order they came. */
  get lines(): readonly string[] {
    return this.seen
  }

  write(text: string): void {
    this.child.stdin.write(text)
  }

  /** Closes its stdin. */
  endInput(): void {
    this.child.stdin.end()
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal)
  }

  /** Sends `signal` and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Result> {
    this.kill(signal)
    return this.end()
  }

  /** The first line, said or yet to come, that contains or matches `wanted`. Rejects when the program ends without it. */
  line(wanted: string | RegExp, patience = PATIENCE): Promise<string> {
    const test = (line: string) => (typeof wanted === 'string' ? line.includes(wanted) : wanted.test(line))
    const found = this.seen.find(test)
    if (found !== undefined) return Promise.resolve(found)
    const coming = new Promise<string>((resolve, reject) => {
      this.waiting.add({ test, resolve })
      const over = () => reject(this.failure(`ended before saying ${wanted}`))
      this.ended.then(over, over)
    })
    return this.within(coming, patience, `did not say ${wanted}`)
  }

  /** When `condition` holds, which is asked after each line. */
  async until(condition: (program: Program) => boolean, what: string, patience = PATIENCE): Promise<void> {
    if (condition(this)) return
    const coming = new Promise<void>((resolve, reject) => {
      this.waiting.add({ test: () => condition(this), resolve: () => resolve() })
      const over = () => (condition(this) ? resolve() : reject(this.failure(`ended before: ${what}`)))
      this.ended.then(over, over)
    })
    await this.within(coming, patience, `not within ${patience} ms: ${what}`)
  }

  /** Its result, when it ends by itself. */
  end(patience = PATIENCE): Promise<Result> {
    return this.within(this.ended, patience, 'did not end')
  }

  private async within<T>(promise: Promise<T>, patience: number, failure: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.failure(failure)), patience)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }

  private failure(what: string): Error {
    return new Error(`${this.name}: ${what}\n${this.seen.slice(-40).join('\n')}`)
  }

  private take(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text
    const lines = (this.partial[stream] + text).split('\n')
    this.partial[stream] = lines.pop() ?? ''
    for (const line of lines) {
      this.seen.push(line)
      for (const each of this.waiting)
        if (each.test(line)) {
          this.waiting.delete(each)
          each.resolve(line)
        }
    }
  }
}

/** Starts a program and waits for its end. */
export function run(file: string, args: readonly string[], options: ProgramOptions = {}): Promise<Result> {
  return new Program(file, args, { input: '', ...options }).end()
}
