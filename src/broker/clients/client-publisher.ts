// A client as the publisher of messages: who it is and, for as long as its messages live, what it may write.

import type { ListenerConfig } from '../../options/config.js'
import type { Publisher } from '../../session/message.js'
import type { BrokerContext } from '../context.js'

/** Its rights are those of the access rules in force when they are asked for. */
export class ClientPublisher implements Publisher {
  readonly clientId: string
  private readonly context: BrokerContext
  private readonly listener: ListenerConfig
  private readonly username: string | undefined

  constructor(context: BrokerContext, listener: ListenerConfig, clientId: string, username: string | undefined) {
    this.context = context
    this.listener = listener
    this.clientId = clientId
    this.username = username
  }

  mayWrite(topic: string): boolean {
    return this.context.access.rightsFor(this.listener, this.username, this.clientId).mayWrite(topic)
  }
}
