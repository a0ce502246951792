// The broker in the background. Node cannot fork, so the process in front starts the broker as a new one in a session of its own,
// shows its complaints, and ends when the broker is running or has failed.

import { spawn } from 'node:child_process'

/** Tells the new process what it is; taken out of its environment at once. */
const MARK = 'TSMQ_DAEMON'

interface Report {
  /** To be shown. */
  readonly text?: string
  readonly isRunning?: true
}

/** The process in front, as the one in the background sees it. */
export interface Foreground {
  show(text: string): void
  /** The broker is running: the process in front may end. */
  release(): void
  /** When everything has been told. */
  told(): Promise<void>
}

/** Undefined unless this process was started by `startDaemon`. */
export function foreground(): Foreground | undefined {
  if (process.env[MARK] === undefined || process.send === undefined) return undefined
  delete process.env[MARK]
  // Whoever waits in front may be gone, for instance interrupted.
  process.on('disconnect', () => {})
  let last = Promise.resolve()
  const report = (what: Report) => {
    if (!process.connected) return
    last = new Promise((resolve) => {
      process.send?.(what, undefined, {}, () => resolve())
    })
  }
  return {
    show: (text) => report({ text }),
    release() {
      report({ isRunning: true })
      last.then(() => process.connected && process.disconnect())
    },
    told: () => last,
  }
}

/** Starts the broker in the background with the same arguments. Returns its status if it fails, 0 when it runs. */
export function startDaemon(argv: readonly string[], show: (text: string) => void): Promise<number> {
  const [, script = ''] = process.argv
  const child = spawn(process.execPath, [...process.execArgv, script, ...argv], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, [MARK]: '1' },
  })
  return new Promise((resolve) => {
    child.on('error', ({ message }) => {
      show(message)
      resolve(1)
    })
    child.on('message', ({ text, isRunning }: Report) => {
      if (text !== undefined) show(text)
      if (!isRunning) return
      child.unref()
      resolve(0)
    })
    child.on('close', (status) => resolve(status ?? 1))
  })
}
