// Messages of a subscription on their way to a program: to a function as they come, or kept until they are asked for one by one.

import type { IncomingMessage } from './message.js'

/** What a subscription needs of whoever made it. */
export interface SubscriptionOwner {
  /** No more messages, please, or again. */
  hold(subscription: Subscription, isFull: boolean): void
  unsubscribe(subscription: Subscription): Promise<void>
  /** The function that takes messages has failed with this one. Must not throw. */
  report(error: unknown, message: IncomingMessage): void
}

/**
 * Called with each message as it comes, without waiting for a promise of the one before. What it throws, now or later, goes to
 * `onError` of the client or, inside a broker, to its log.
 */
export type MessageHandler = (message: IncomingMessage) => unknown

/** Messages of one call of `subscribe`: with a function given there, they go to it; otherwise `for await` gets them. */
export class Subscription implements AsyncIterable<IncomingMessage> {
  /** As subscribed to. */
  readonly filters: readonly string[]
  private readonly owner: SubscriptionOwner
  private readonly mostWaiting: number
  private readonly handler: MessageHandler | undefined
  private readonly waiting: IncomingMessage[] = []
  private readonly readers: {
    resolve(result: IteratorResult<IncomingMessage>): void
    reject(error: Error): void
  }[] = []
  private isOver = false
  private error: Error | undefined = undefined
  private isFull = false

  /** @param mostWaiting messages that an iterator lets wait before `hold` is called */
  constructor(
    owner: SubscriptionOwner,
    filters: readonly string[],
    handler: MessageHandler | undefined,
    mostWaiting: number,
  ) {
    this.mostWaiting = mostWaiting
    this.owner = owner
    this.filters = filters
    this.handler = handler
  }

  /** Ends the subscription at the broker; an iteration is over when what has come is used up. */
  unsubscribe(): Promise<void> {
    return this.owner.unsubscribe(this)
  }

  /** Messages as they come, until `unsubscribe` or the end of the client. An error that ends the client is thrown. */
  [Symbol.asyncIterator](): AsyncIterator<IncomingMessage, undefined> {
    if (this.handler !== undefined) throw new Error('the messages of this subscription go to a function')
    return {
      next: () => this.next(),
      return: async () => {
        await this.unsubscribe()
        return { done: true, value: undefined }
      },
    }
  }

  private next(): Promise<IteratorResult<IncomingMessage, undefined>> {
    const message = this.waiting.shift()
    if (this.isFull && this.waiting.length <= this.mostWaiting / 2) this.setFull(false)
    if (message !== undefined) return Promise.resolve({ done: false, value: message })
    if (this.error !== undefined) return Promise.reject(this.error)
    if (this.isOver) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.readers.push({ resolve, reject }))
  }

  /** A message has come. */
  take(message: IncomingMessage): void {
    if (this.isOver) return
    if (this.handler !== undefined) {
      this.call(this.handler, message)
      return
    }
    const reader = this.readers.shift()
    if (reader !== undefined) reader.resolve({ done: false, value: message })
    else if (this.waiting.push(message) > this.mostWaiting) this.setFull(true)
  }

  private call(handler: MessageHandler, message: IncomingMessage): void {
    const fail = (error: unknown) => this.owner.report(error, message)
    try {
      const answer = handler(message)
      if (answer instanceof Promise) answer.catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  private setFull(isFull: boolean): void {
    if (this.isFull === isFull) return
    this.isFull = isFull
    this.owner.hold(this, isFull)
  }

  /** There will be no more. */
  finish(error: Error | undefined): void {
    if (this.isOver) return
    this.isOver = true
    this.error = error
    this.setFull(false)
    for (const { resolve, reject } of this.readers.splice(0))
      if (error === undefined) resolve({ done: true, value: undefined })
      else reject(error)
  }
}
