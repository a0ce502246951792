// Removes retained messages (--remove-retained): an empty retained message on the topic of each, and the wait until the broker has
// taken them all.

import type { ClientError } from '../client/client-error.js'
import { localMessage, type Message } from '../session/message.js'

const NOTHING = Buffer.alloc(0)

/** The part of a client that is needed. */
export interface Publisher {
  publish(message: Message, done: (error: ClientError | undefined) => void): boolean
}

export class RetainedRemoval {
  private readonly client: Publisher
  private readonly onProgress: (failure: ClientError | undefined, topic: string) => void
  private pending = 0

  /** @param onProgress is told of each removal that has been acknowledged or has failed. */
  constructor(client: Publisher, onProgress: (failure: ClientError | undefined, topic: string) => void) {
    this.client = client
    this.onProgress = onProgress
  }

  /** Whether the broker has taken all that was sent. */
  get isIdle(): boolean {
    return this.pending === 0
  }

  remove(topic: string): void {
    this.pending++
    this.client.publish(localMessage(topic, NOTHING, 1, true), (failure) => {
      this.pending--
      this.onProgress(failure, topic)
    })
  }
}
