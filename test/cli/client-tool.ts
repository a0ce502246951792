// tsmq-pub and tsmq-sub in this process, with streams of their own, for the many cases that need no process: what they print and
// the status they end with.

import { PassThrough, Readable } from 'node:stream'
import { pub } from '../../src/cli/tsmq-pub-command.js'
import { sub } from '../../src/cli/tsmq-sub-command.js'

export { until } from '../support/until.js'

export interface ToolOptions {
  /** What stdin brings before it ends. */
  readonly input?: string | Buffer
  /** Whether stdout and stderr are terminals. */
  readonly terminal?: boolean
  /** Of that terminal; 80 unless given. */
  readonly columns?: number
  readonly env?: Readonly<Record<string, string>>
}

export interface ToolResult {
  readonly status: number
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunningTool {
  readonly result: Promise<ToolResult>
  /** What it has printed until now. */
  readonly stdout: Buffer
  readonly stderr: string
  /** Closes the reader of its stdout. */
  closeOutput(): void
}

const PATIENCE = 10_000

/** Starts a tool on a broker port; `args` do not name host and port. */
export function start(
  tool: 'tsmq-pub' | 'tsmq-sub',
  port: number,
  args: readonly string[],
  options: ToolOptions = {},
): RunningTool {
  const printed: Buffer[] = []
  const complained: Buffer[] = []
  let onError: (error: Error) => void = () => {}
  let isClosed = false
  const isTTY = options.terminal === true
  const stdout = {
    isTTY,
    on: (_event: 'error', listener: (error: Error) => void) => {
      onError = listener
    },
    write: (chunk: Uint8Array, done: () => void) => {
      if (isClosed) setImmediate(() => onError(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })))
      else {
        printed.push(Buffer.from(chunk))
        setImmediate(done)
      }
      return true
    },
  }
  const stays = () => true
  const stderr = Object.assign(new PassThrough(), {
    isTTY,
    columns: options.columns ?? 80,
    cursorTo: stays,
    clearLine: stays,
    moveCursor: stays,
  })
  stderr.on('data', (chunk: Buffer) => complained.push(chunk))
  const streams = {
    stdin: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]),
    stdout,
    stderr,
    env: { TERM: 'xterm', ...options.env },
  }
  const run = tool === 'tsmq-pub' ? pub : sub
  const status = run(['-h', '127.0.0.1', '-p', String(port), ...args], streams)
  const running = {
    get stdout() {
      return Buffer.concat(printed)
    },
    get stderr() {
      return Buffer.concat(complained).toString()
    },
    closeOutput() {
      isClosed = true
    },
    result: within(status, `${tool} ${args.join(' ')}`).then((value) => ({
      status: value,
      stdout: Buffer.concat(printed),
      stderr: Buffer.concat(complained).toString(),
    })),
  }
  running.result.catch(() => {})
  return running
}

function within<T>(promise: Promise<T>, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not end`)), PATIENCE)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Runs a tool to its end. */
export function tool(
  name: 'tsmq-pub' | 'tsmq-sub',
  port: number,
  args: readonly string[],
  options?: ToolOptions,
): Promise<ToolResult> {
  return start(name, port, args, options).result
}
