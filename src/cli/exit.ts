// The way out of every command, and the only place that ends the process. Which status a failure has is decided where it is
// caught; what the statuses mean is in the table of exit-statuses.ts.

export { EXIT_STATUS } from './exit-statuses.js'

/** Ends the process with `status` (0..255) as soon as what was written to stdout has been handed over. */
export function exit(status: number): void {
  process.exitCode = status
  const { stdout } = process
  if (stdout.writableLength === 0) process.exit(status)
  stdout.once('error', () => process.exit(status))
  stdout.write('', () => process.exit(status))
}
