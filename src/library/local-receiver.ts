// A subscriber inside the broker's process: takes messages from the router without a connection.

import type { Availability, Receiver, Subscription as Route } from '../broker/routing/receiver.js'
import type { Qos } from '../protocol/packets/publish.js'
import type { Message } from '../session/message.js'
import { copyOf, type IncomingMessage } from './message.js'

export class LocalReceiver implements Receiver {
  readonly clientId = ''
  readonly isDurable = false
  readonly availability: Availability = 'ready'
  private readonly take: (message: IncomingMessage) => void

  /** @param take must not throw */
  constructor(take: (message: IncomingMessage) => void) {
    this.take = take
  }

  deliver(message: Message, route: Route): boolean {
    this.hand(message, route, route.retainAsPublished && message.retain)
    return true
  }

  deliverRetained(message: Message, route: Route): void {
    this.hand(message, route, true)
  }

  follow(): 'apart' {
    return 'apart'
  }

  followRun(): undefined {
    return undefined
  }

  private hand({ topic, payload, qos, properties }: Message, route: Route, retain: boolean): void {
    const granted = Math.min(qos, route.qos) as Qos
    this.take({
      topic,
      payload: Buffer.from(payload),
      qos: granted,
      retain,
      dup: false,
      properties: copyOf(properties),
    })
  }
}
