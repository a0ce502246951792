// The way out of every command, and the only place that ends the process. Which status a failure has is decided where it is
// caught; what the statuses mean is in the table of exit-statuses.ts.

export { EXIT_STATUS } from './exit-statuses.js'

/** ms that files have to answer before the process ends without them. */
const PATIENCE = 1000

/** Node 22.15 and later. */
interface Replaceable {
  /** Has the process be another program, without any of its threads. */
  execve?(file: string, args: readonly string[]): never
}

/** Ends the process with `status` (0..255) as soon as what was written to stdout has been handed over. */
export function exit(status: number): void {
  onWritten(status, () => process.exit(status))
}

/** The same for a process that may have asked for files in folders that do not answer, such as those of a network that is gone. */
export function exitSoon(status: number): void {
  const until = performance.now() + PATIENCE
  const leave = () => {
    if (!isWaitingForFiles()) process.exit(status)
    else if (performance.now() < until) setTimeout(leave, 10)
    else exitAtOnce(status)
  }
  onWritten(status, leave)
}

/**
 * Ends the process without waiting for its threads, as `process.exit` does: one that waits for a file may never come back. Where Node
 * cannot end it with a status, it ends as by SIGTERM.
 */
export function exitAtOnce(status: number): void {
  ;(process as Replaceable).execve?.('/bin/sh', ['sh', '-c', `exit ${status}`])
  process.removeAllListeners('SIGTERM')
  process.kill(process.pid, 'SIGTERM')
}

function onWritten(status: number, leave: () => void): void {
  process.exitCode = status
  const { stdout } = process
  if (stdout.writableLength === 0) {
    leave()
    return
  }
  stdout.once('error', leave)
  stdout.write('', leave)
}

function isWaitingForFiles(): boolean {
  return process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
}
