// Tells systemd how the broker is, when systemd has started it (NOTIFY_SOCKET): it is ready, it is alive, it stops. Node has no Unix
// datagram sockets; the program systemd-notify speaks for it, which the unit has to allow with `NotifyAccess=all`.

import { spawn } from 'node:child_process'

/** ms that the last word may take. */
const PATIENCE = 1000

type State = 'READY=1' | 'WATCHDOG=1' | 'STOPPING=1'

export class ServiceManager {
  private readonly env: NodeJS.ProcessEnv
  private readonly onFailure: (message: string) => void
  private readonly isThere: boolean
  private hasFailed = false
  private timer: NodeJS.Timeout | undefined = undefined
  private isTelling = false
  private next: State | undefined = undefined
  private onTold: () => void = () => {}

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

  /** Resolves once that is told, or when it takes too long. */
  stopping(): Promise<void> {
    clearInterval(this.timer)
    this.notify('STOPPING=1')
    if (!this.isTelling) return Promise.resolve()
    return new Promise((resolve) => {
      const late = setTimeout(resolve, PATIENCE)
      this.onTold = () => {
        clearTimeout(late)
        resolve()
      }
    })
  }

  /** One program at a time, so that what is told later also arrives later. */
  private notify(state: State): void {
    if (!this.isThere || this.hasFailed) return
    if (this.isTelling) this.next = state
    else this.tell(state)
  }

  private tell(state: State): void {
    this.isTelling = true
    const child = spawn('systemd-notify', [state], { stdio: 'ignore', detached: true })
    child.on('error', ({ message }) => this.told(state, message))
    child.on('exit', (status) =>
      this.told(state, status === 0 ? undefined : `systemd-notify has ended with status ${status}`),
    )
    child.unref()
  }

  private told(state: State, failure: string | undefined): void {
    const { next } = this
    this.isTelling = false
    this.next = undefined
    if (failure !== undefined && !this.hasFailed) {
      this.hasFailed = true
      this.onFailure(`cannot tell systemd ${state}: ${failure}`)
    }
    if (next !== undefined && !this.hasFailed) this.tell(next)
    else this.onTold()
  }
}
