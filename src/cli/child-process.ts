// Programs that tsmq-sub starts: their end as a status and in words. What they write goes to our stderr or stdout as it is.

import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

export interface ChildPlan {
  readonly file: string
  readonly args?: readonly string[]
  /** Have the shell run `file`, a line of its language. */
  readonly shell?: boolean
  /** Added to our environment. */
  readonly env: Readonly<Record<string, string>>
  /** Its standard input; nothing if undefined. */
  readonly input?: Buffer
  /** Where its standard output goes: to ours, or with our messages to stderr. */
  readonly output: 'stdout' | 'stderr'
}

/** How a program ended. */
export interface ChildEnd {
  /** As a shell has it: 128 and the number of a signal that ended it, 126 or 127 when it could not be started. */
  readonly status: number
  /** What went wrong, in words; empty with status 0. */
  readonly words: string
  readonly wasStarted: boolean
}

const STDERR = 2
/** As a shell has it. */
const NOT_EXECUTABLE = 126
const NOT_FOUND = 127

/** Starts a program; `onEnd` is called once, never before this returns. */
export function startChild(plan: ChildPlan, onEnd: (end: ChildEnd) => void): ChildProcess {
  const { file, args = [], shell = false, env, input, output } = plan
  const child = spawn(file, args, {
    shell,
    env: { ...process.env, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', output === 'stdout' ? 'inherit' : STDERR, 'inherit'],
  })
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return
    const [, reason = error.message] = getSystemErrorMap().get(error.errno ?? 0) ?? []
    onEnd({
      status: error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE,
      words: `cannot be run: ${reason}`,
      wasStarted: false,
    })
  })
  child.once('exit', (code, signal) => onEnd(endOf(code, signal)))
  // It need not read what it is given.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return child
}

function endOf(code: number | null, signal: NodeJS.Signals | null): ChildEnd {
  if (signal !== null)
    return { status: 128 + constants.signals[signal], words: `was ended by ${signal}`, wasStarted: true }
  return { status: code ?? 1, words: code === 0 ? '' : `ended with status ${code}`, wasStarted: true }
}
