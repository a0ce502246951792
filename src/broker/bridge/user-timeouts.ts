// Finds connections of bridges on which nothing of what was sent is acknowledged any more (bridge_tcp_user_timeout). Mosquitto has
// the system do so (TCP_USER_TIMEOUT of tcp(7), RFC 5482); Node.js cannot ask for that, so the system's own account of the
// connections is looked at instead. What becomes of a connection is the business of whoever has it watched.

import type { Socket } from 'node:net'
import { bytesTaken } from '../../net/plain-socket.js'
import type { ConnectionEnds, SendQueue } from '../../net/tcp-table.js'

/** How the system's account is read: one answer for each, undefined where it knows nothing. */
export type ReadSendQueues = (all: readonly ConnectionEnds[]) => Promise<readonly (SendQueue | undefined)[]>

/** ms between two looks at the least. */
const LOOK_INTERVAL = 1000

export class UserTimeouts {
  private readonly read: ReadSendQueues
  private readonly clock: () => number
  private readonly onFault: (error: Error) => void
  private readonly watched = new Set<Watched>()
  private isReading = false
  private lookedAt = Number.NEGATIVE_INFINITY
  private hasFailed = false

  /**
   * @param clock ms
   * @param onFault told once when the account cannot be read, and again only after it could be
   */
  constructor(read: ReadSendQueues, clock: () => number, onFault: (error: Error) => void) {
    this.read = read
    this.clock = clock
    this.onFault = onFault
  }

  /**
   * Calls `onTimeout` once what was sent on `socket`, which need not be connected yet, has waited for `limit` ms without a byte of it
   * being acknowledged. A Unix socket never has.
   * @returns what ends the watch
   */
  watch(socket: Socket, limit: number, onTimeout: () => void): () => void {
    const entry = new Watched(socket, limit, onTimeout)
    this.watched.add(entry)
    return () => void this.watched.delete(entry)
  }

  tick(now: number): void {
    if (this.isReading || now - this.lookedAt < LOOK_INTERVAL) return
    const entries = [...this.watched].filter((entry) => entry.mayWait)
    if (entries.length === 0) return
    this.lookedAt = now
    this.isReading = true
    void this.look(entries, now).finally(() => {
      this.isReading = false
    })
  }

  private async look(entries: readonly Watched[], now: number): Promise<void> {
    const before = entries.map(({ socket }) => bytesTaken(socket))
    let queues: readonly (SendQueue | undefined)[]
    try {
      queues = await this.read(entries.map(({ ends }) => ends))
      this.hasFailed = false
    } catch (error) {
      if (!this.hasFailed) this.onFault(error as Error)
      this.hasFailed = true
      return
    }
    entries.forEach((entry, at) => {
      if (!this.watched.has(entry)) return
      if (entry.note(queues[at], before[at] ?? 0, now, this.clock())) entry.onTimeout()
    })
  }
}

class Watched {
  readonly socket: Socket
  readonly onTimeout: () => void
  private readonly limit: number
  /** ms: since when data waits and nothing has been acknowledged. */
  private since: number | undefined = undefined
  /** Of all bytes, how many may have been acknowledged then. */
  private most = 0
  /** Bytes taken by the system when all of them were acknowledged. */
  private settledAt = 0

  constructor(socket: Socket, limit: number, onTimeout: () => void) {
    this.socket = socket
    this.limit = limit
    this.onTimeout = onTimeout
  }

  /** Whether there is a TCP connection, on which something has been sent that was not seen acknowledged. */
  get mayWait(): boolean {
    const { socket, settledAt } = this
    return socket.remotePort !== undefined && socket.localPort !== undefined && bytesTaken(socket) !== settledAt
  }

  get ends(): ConnectionEnds {
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = this.socket
    return { localAddress, localPort, remoteAddress, remotePort }
  }

  /**
   * Takes what a look has found, and tells whether the time is up. That data waits means nothing: on a busy connection it does at
   * each look, and the window of a slow reader is closed most of the time. What counts is for how long no byte has been
   * acknowledged, and that the system has reason to try again.
   * @param before bytes that the system had taken when the look began
   * @param began ms
   * @param ended ms
   */
  note(queue: SendQueue | undefined, before: number, began: number, ended: number): boolean {
    if (queue === undefined) return false
    const after = bytesTaken(this.socket)
    const { unacknowledged: waiting, isRetrying } = queue
    if (waiting === 0) {
      this.since = undefined
      if (before === after) this.settledAt = after
      return false
    }
    // Bytes that were taken during the look may be among those that wait, or not.
    const [least, most] = [before - waiting, after - waiting]
    if (this.since === undefined || least > this.most) {
      this.since = ended
      this.most = most
      return false
    }
    this.most = Math.min(this.most, most)
    return isRetrying && began - this.since >= this.limit
  }
}
