// Tells the world that the subscriptions stand: a file that appears, a line on a file descriptor, a command that is run (--ready-file,
// --ready-fd, --on-ready). Once, however often the connection is made again.

import type { ChildProcess } from 'node:child_process'
import { closeSync, fstatSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { systemText } from '../access/restricted-file.js'
import { UsageError } from '../options/command-line.js'
import { type ChildEnd, startChild } from './child-process.js'

export interface ReadinessOptions {
  readonly on_ready: string | undefined
  readonly ready_file: string | undefined
  readonly ready_fd: number | undefined
}

/** The descriptors that are not ours to close. */
const STANDARD = 2

export class SubscriptionReadiness {
  private readonly options: ReadinessOptions
  private hasTold = false
  private child: ChildProcess | undefined = undefined

  /**
   * Removes a file that an earlier run has left.
   * @throws UsageError for a file or a descriptor that cannot be used
   */
  constructor(options: ReadinessOptions) {
    this.options = options
    const { ready_file, ready_fd } = options
    if (ready_file !== undefined) attempt(`--ready-file ${ready_file}`, () => rmSync(ready_file, { force: true }))
    if (ready_fd !== undefined) attempt(`--ready-fd ${ready_fd}`, () => fstatSync(ready_fd))
  }

  /** Whether the command runs. */
  get isRunning(): boolean {
    return this.child !== undefined
  }

  /**
   * The subscriptions stand.
   * @param env for the command.
   * @param onEnd is told how it has ended.
   * @throws UsageError when the file or the descriptor cannot be written
   */
  tell(env: Readonly<Record<string, string>>, onEnd: (end: ChildEnd) => void): void {
    if (this.hasTold) return
    this.hasTold = true
    const { on_ready, ready_file, ready_fd } = this.options
    if (ready_file !== undefined) attempt(`--ready-file ${ready_file}`, () => writeFileSync(ready_file, 'ready\n'))
    if (ready_fd !== undefined)
      attempt(`--ready-fd ${ready_fd}`, () => {
        writeSync(ready_fd, 'ready\n')
        if (ready_fd > STANDARD) closeSync(ready_fd)
      })
    if (on_ready === undefined) return
    this.child = startChild({ file: on_ready, shell: true, env, output: 'stderr' }, (end) => {
      this.child = undefined
      onEnd(end)
    })
  }

  /** Takes the file away, and ends the command if it runs. */
  close(): void {
    const { ready_file } = this.options
    this.child?.kill('SIGTERM')
    if (this.hasTold && ready_file !== undefined) rmSync(ready_file, { force: true })
  }
}

function attempt(what: string, action: () => void): void {
  try {
    action()
  } catch (error) {
    throw new UsageError(`${what} cannot be used: ${systemText(error)}`)
  }
}
