// Tells systemd how the broker is, when systemd has started it (NOTIFY_SOCKET): it is ready, it is alive, it stops. Node has no Unix
// datagram sockets; the program systemd-notify speaks for it, which the unit has to allow with `NotifyAccess=all`.

import { spawn } from 'node:child_process'

type State = 'READY=1' | 'WATCHDOG=1' | 'STOPPING=1'

export class ServiceManager {
  private readonly env: NodeJS.ProcessEnv
  private readonly onFailure: (message: string) => void
  private readonly isThere: boolean
  private hasFailed = false
  private timer: NodeJS.Timeout | undefined = undefined

  /** @param onFailure called once, when systemd-notify cannot be used. */
  constructor(env: NodeJS.ProcessEnv, onFailure: (message: string) => void) {
    this.env = env
    this.onFailure = onFailure
    this.isThere = env.NOTIFY_SOCKET !== undefined && env.NOTIFY_SOCKET !== ''
  }

  /** The broker serves; from now on it tells that it is alive, twice as often as is asked for. */
  ready(): void {
    this.notify('READY=1')
    const { WATCHDOG_USEC: time, WATCHDOG_PID: pid } = this.env
    if (!this.isThere || time === undefined || !/^[1-9]\d*$/.test(time)) return
    if (pid !== undefined && pid !== String(process.pid)) return
    this.timer = setInterval(() => this.notify('WATCHDOG=1'), Number(time) / 2000).unref()
  }

  stopping(): void {
    clearInterval(this.timer)
    this.notify('STOPPING=1')
  }

  private notify(state: State): void {
    if (!this.isThere || this.hasFailed) return
    const fail = (reason: string) => {
      if (this.hasFailed) return
      this.hasFailed = true
      this.onFailure(`cannot tell systemd ${state}: ${reason}`)
    }
    const child = spawn('systemd-notify', [state], { stdio: 'ignore', detached: true })
    child.on('error', ({ message }) => fail(message))
    child.on('exit', (status) => status !== 0 && fail(`systemd-notify has ended with status ${status}`))
    child.unref()
  }
}
