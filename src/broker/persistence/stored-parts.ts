// From records back to what lives: messages, with payloads side by side in memory that they share, and publishers that can be
// asked for their rights again.

import { Message, type Publisher } from '../../session/message.js'
import type { MessageRecord, PublisherRecord } from '../../store/message-record.js'
import { ClientPublisher } from '../clients/client-publisher.js'
import type { BrokerContext } from '../context.js'
import type { Listeners } from '../listeners.js'

/** Payloads up to a quarter of this lie in memory that several share: they are queued, and will go, together. */
const SLAB = 16_384
/** Topics that are remembered, so that equal ones are one string. */
const MOST_TOPICS = 100_000

export class StoredParts {
  private readonly context: BrokerContext
  private readonly listeners: Listeners
  private readonly publishers = new Map<string, Publisher>()
  private readonly topics = new Map<string, string>()
  private slab = Buffer.allocUnsafeSlow(SLAB)
  private used = 0

  constructor(context: BrokerContext, listeners: Listeners) {
    this.context = context
    this.listeners = listeners
  }

  message(record: MessageRecord): Message {
    const { qos, retain, properties, publisher, expiresAt, bytes, payloadStart, payloadEnd } = record
    const size = payloadEnd - payloadStart
    const { memory, at } = this.room(size)
    bytes.copy(memory, at, payloadStart, payloadEnd)
    const by = publisher && this.publisher(publisher)
    const topic = this.topic(record.topic)
    return new Message(topic, qos, retain, properties, by, expiresAt, memory, at, at + size, -1, 4, undefined)
  }

  publisher({ clientId, username, origin }: PublisherRecord): Publisher {
    // The broker's own publishers have no origin; what they have published is theirs to publish.
    if (origin === undefined) return { clientId, mayWrite: () => true }
    const name = `${origin}\0${clientId}\0${username ?? ''}`
    const known = this.publishers.get(name)
    if (known !== undefined) return known
    const made = new ClientPublisher(this.context, this.listeners.named(origin), clientId, username)
    this.publishers.set(name, made)
    return made
  }

  private room(size: number): { readonly memory: Buffer; readonly at: number } {
    if (size > SLAB / 4) return { memory: Buffer.allocUnsafeSlow(size), at: 0 }
    if (this.used + size > SLAB) {
      this.slab = Buffer.allocUnsafeSlow(SLAB)
      this.used = 0
    }
    const at = this.used
    this.used += size
    return { memory: this.slab, at }
  }

  private topic(topic: string): string {
    const known = this.topics.get(topic)
    if (known !== undefined) return known
    if (this.topics.size < MOST_TOPICS) this.topics.set(topic, topic)
    return topic
  }
}
