// Requests of a client and the responses to them (MQTT 5.0 section 4.10): one response topic of its own, subscribed to with the first
// request; what belongs together is known by its correlation data.

import { randomUUID } from 'node:crypto'
import { ClientError } from '../client/client-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { IncomingMessage, OutgoingMessage } from './message.js'
import type { MessageHandler } from './subscription.js'

/** The client, as far as requests need it. */
export interface Requester {
  publish(message: OutgoingMessage): Promise<number>
  subscribe(filter: string, options: { readonly qos: 1 }, handler: MessageHandler): Promise<unknown>
}

export class Requests {
  private readonly client: Requester
  /** Who waits, by correlation data. */
  private readonly waiting = new Map<string, (message: IncomingMessage) => void>()
  private topic: Promise<string> | undefined = undefined

  constructor(client: Requester) {
    this.client = client
  }

  /**
   * @param timeout ms
   * @throws ClientError 'timeout', 'publish refused' when nobody listens, and what the client throws
   */
  async send(message: OutgoingMessage, timeout: number): Promise<IncomingMessage> {
    this.topic ??= this.listen()
    const responseTopic = await this.topic
    const id = randomUUID()
    let timer: NodeJS.Timeout | undefined
    try {
      const response = new Promise<IncomingMessage>((resolve, reject) => {
        this.waiting.set(id, resolve)
        const late = () => reject(new ClientError('timeout', `no response to '${message.topic}' in ${timeout} ms`))
        timer = setTimeout(late, timeout)
      })
      response.catch(() => {})
      const properties = { ...message.properties, responseTopic, correlationData: Buffer.from(id) }
      const reasonCode = await this.client.publish({ qos: 1, ...message, properties })
      if (reasonCode === ReasonCode.NO_MATCHING_SUBSCRIBERS)
        throw new ClientError('publish refused', `nobody listens to '${message.topic}'`, reasonCode)
      return await response
    } finally {
      clearTimeout(timer)
      this.waiting.delete(id)
    }
  }

  private async listen(): Promise<string> {
    const topic = `tsmq/response/${randomUUID()}`
    try {
      await this.client.subscribe(topic, { qos: 1 }, (message) => {
        const { correlationData } = message.properties
        if (correlationData !== undefined) this.waiting.get(Buffer.from(correlationData).toString())?.(message)
      })
    } catch (error) {
      this.topic = undefined
      throw error
    }
    return topic
  }
}
