// --run: a broker for the length of one command. This process starts the broker as another one, then the command, hands signals on to
// it, and ends as it does. The broker ends when this process does, in whatever way.

import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { BoundListener } from '../broker/listeners.js'
import { EXIT_STATUS } from './exit.js'
import { type ReadyReport, readyReport } from './ready-report.js'

/** Tells the broker's process what it is; taken out of its environment at once. */
const MARK = 'TSMQ_PRIVATE'

/** Handed on to the command. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
/** A terminal sends these to the command, too. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']

/** ms that somebody who was asked to end may take. */
const PATIENCE = 5000

/** As a shell has it: found but no program, and not found. */
const NOT_EXECUTABLE = 126
const NOT_FOUND = 127

/** How a process has ended. */
interface End {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

/** The one who waits for the broker of this process, or undefined unless `runWithBroker` has started it. */
export function supervisor(): { ready(bound: readonly BoundListener[]): void } | undefined {
  if (process.env[MARK] === undefined || process.send === undefined) return undefined
  delete process.env[MARK]
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // Without a callback it would be an error to speak to one who has just gone.
  return { ready: (bound) => void process.send?.(readyReport(bound), undefined, {}, () => {}) }
}

/**
 * Runs `command` beside a broker that is started with `argv`.
 * @param argv of this process: the broker knows by other means that it is the one.
 * @returns the status of the command, 128 and the number of the signal that ended it, 126 or 127 if it cannot be started, that of
 * the broker if it cannot be started, and 70 if the broker has died
 */
export async function runWithBroker(
  argv: readonly string[],
  command: readonly string[],
  complain: (text: string) => void,
): Promise<number> {
  const signals = new SignalRelay()
  const broker = startBroker(argv)
  const brokerEnd = endOf(broker)
  const report = await Promise.race([firstReport(broker), brokerEnd])
  if (!('listeners' in report)) return report.status || EXIT_STATUS.broker_died
  try {
    const environment = environmentOf(report)
    if (environment === undefined) {
      complain('--run needs a listener that clients can reach over TCP')
      return EXIT_STATUS.invalid
    }
    if (signals.early !== undefined) return statusOf({ status: null, signal: signals.early })
    const status = await runCommand(command, environment, { signals, brokerEnd, complain })
    const { status: brokerStatus } = await stop(broker, brokerEnd)
    return brokerStatus === 0 ? status : EXIT_STATUS.broker_died
  } finally {
    await stop(broker, brokerEnd)
  }
}

function startBroker(argv: readonly string[]): ChildProcess {
  const [, script = ''] = process.argv
  return spawn(process.execPath, [...process.execArgv, script, ...argv], {
    // In a session of its own: Ctrl-C is for the command.
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [MARK]: '1' },
  })
}

function firstReport(broker: ChildProcess): Promise<ReadyReport> {
  return new Promise((resolve) => {
    broker.once('message', (report: ReadyReport) => resolve(report))
  })
}

function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('exit', (status, signal) => resolve({ status, signal }))
    child.once('error', () => resolve({ status: EXIT_STATUS.failure, signal: null }))
  })
}

async function stop(child: ChildProcess, end: Promise<End>): Promise<End> {
  child.kill('SIGTERM')
  const killing = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
  const ended = await end
  clearTimeout(killing)
  return ended
}

/** What the command is told of the broker; undefined when no listener can be reached over TCP. */
function environmentOf({ pid, listeners }: ReadyReport): Record<string, string> | undefined {
  const listener = listeners.find(({ port, protocol }) => port !== undefined && protocol !== 'http_api')
  if (listener === undefined) return undefined
  const { address = '', port, protocol, tls } = listener
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address
  const scheme = (protocol === 'websockets' ? 'ws' : 'mqtt') + (tls ? 's' : '')
  return {
    TSMQ_URL: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    TSMQ_HOST: host,
    TSMQ_PORT: String(port),
    TSMQ_PID: String(pid),
  }
}

interface Surroundings {
  readonly signals: SignalRelay
  readonly brokerEnd: Promise<End>
  complain(text: string): void
}

async function runCommand(
  [file = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
  { signals, brokerEnd, complain }: Surroundings,
): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...environment } })
  signals.relayTo(child)
  const end = new Promise<End>((resolve) => {
    child.once('exit', (status, signal) => resolve({ status, signal }))
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT'
      complain(`cannot run ${file}: ${isMissing ? 'there is no such command' : 'it is not executable'}`)
      resolve({ status: isMissing ? NOT_FOUND : NOT_EXECUTABLE, signal: null })
    })
  })
  void brokerEnd.then(({ status, signal }) => {
    // One that was asked to end, for instance by the command, has not died.
    if (status === 0 || child.exitCode !== null || child.signalCode !== null) return
    complain(`the broker has died (${signal ?? `status ${status}`})`)
    void stop(child, end)
  })
  return statusOf(await end)
}

function statusOf({ status, signal }: End): number {
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

/** Hands signals on instead of ending by them. */
class SignalRelay {
  /** One that came before there was anybody to hand it to. */
  early: NodeJS.Signals | undefined = undefined
  private child: ChildProcess | undefined = undefined

  constructor() {
    const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
    for (const signal of SIGNALS)
      process.on(signal, () => {
        if (this.child === undefined) this.early ??= signal
        else if (!hasTerminal || !FROM_TERMINAL.includes(signal)) this.child.kill(signal)
      })
  }

  relayTo(child: ChildProcess): void {
    this.child = child
  }
}
