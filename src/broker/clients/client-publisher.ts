// A client as the publisher of messages: who it is and, for as long as its messages live, what it may write.

import type { Publisher } from '../../session/message.js'
import type { BrokerContext } from '../context.js'
import type { OpenListener } from '../open-listener.js'
import { rightsOf } from '../plugins/plugin-rights.js'

/** Its rights are those of the access rules in force when they are asked for. */
export class ClientPublisher implements Publisher {
  readonly clientId: string
  private readonly context: BrokerContext
  readonly username: string | undefined
  private readonly listener: OpenListener

  constructor(context: BrokerContext, listener: OpenListener, clientId: string, username: string | undefined) {
    this.context = context
    this.listener = listener
    this.clientId = clientId
    this.username = username
  }

  get origin(): string {
    return this.listener.origin
  }

  mayWrite(topic: string): boolean {
    return rightsOf(this.context, this.listener, this.username, this.clientId).mayWrite(topic)
  }
}
