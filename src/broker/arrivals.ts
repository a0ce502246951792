// Connections whose handshake (TLS, PROXY protocol) is not over: no clients yet, but given no more time than a login has. What
// became of each is logged here; counting connections and serving clients is the broker's part.

import type { Accepted, Arriving } from '../net/listener.js'
import type { BrokerContext } from './context.js'

/** Who is told how a handshake ended; one of the two is called, once. */
export interface ArrivalHost {
  /** @param since ms: when the connection was accepted */
  onReady(accepted: Accepted, since: number): void
  onGone(): void
}

export class Arrivals {
  private readonly context: BrokerContext
  /** And since when, in ms. */
  private readonly waiting = new Map<Arriving, number>()

  constructor(context: BrokerContext) {
    this.context = context
  }

  add(arriving: Arriving, host: ArrivalHost): void {
    const since = this.context.clock()
    this.waiting.set(arriving, since)
    arriving.shakeHands(
      (accepted) => {
        this.waiting.delete(arriving)
        host.onReady(accepted, since)
      },
      (reason) => {
        this.waiting.delete(arriving)
        if (reason !== undefined) this.log(arriving, reason)
        host.onGone()
      },
    )
  }

  /** Ends those that take longer than `connect_timeout`. */
  tick(now: number): void {
    const longest = this.context.config.connect_timeout * 1000
    for (const [arriving, since] of this.waiting)
      if (now - since >= longest) {
        this.waiting.delete(arriving)
        this.log(arriving, 'no handshake in time')
        arriving.destroy()
      }
  }

  /** Ends all of them. */
  close(): void {
    for (const arriving of this.waiting.keys()) arriving.destroy()
    this.waiting.clear()
  }

  private log({ peer: { address, port } }: Arriving, reason: string): void {
    this.context.log.error(`Client ${address} [${address}:${port}] disconnected: ${reason}.`)
  }
}
