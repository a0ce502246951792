// Who gets a message: stores it if it is retained, finds the subscriptions that match, and hands it to their receivers with one
// set of encoded frames for all. Whether a receiver takes it is the receiver's business.

import type { PublishFrames } from '../../protocol/publish-frames.js'
import type { BlockPool } from '../../protocol/shared-block.js'
import type { Message } from '../../session/message.js'
import type { MessageRun } from '../../session/message-run.js'
import { Burst, type Followed, type Following } from './burst.js'
import { availabilities, type RunFollower, type Subscription } from './receiver.js'
import { RetainedMessages } from './retained-messages.js'
import { type SharedGroup, Subscriptions } from './subscriptions.js'

export class Router {
  readonly subscriptions = new Subscriptions()
  readonly retained = new RetainedMessages()
  private readonly frames: PublishFrames
  private readonly burst: Burst
  private readonly runFollowers: RunFollower[] = []
  private isPublishing = false
  /** Messages that came up while another was being delivered, for instance from the log. */
  private readonly waiting: Message[] = []

  /**
   * @param frames what receivers take their packets from
   * @param blocks where packets are kept that many receivers get
   * @param onGather messages are being gathered: `settle` is to be called when the event loop's turn is over
   */
  constructor(frames: PublishFrames, blocks: BlockPool, onGather: () => void = () => {}) {
    this.frames = frames
    this.burst = new Burst(frames, this.subscriptions, blocks, onGather)
  }

  /** Delivers to everyone concerned. Returns whether any subscription took it [MQTT-4.5.0-1]. */
  publish(message: Message): boolean {
    if (this.isPublishing) {
      message.detach()
      this.waiting.push(message)
      return true
    }
    this.isPublishing = true
    try {
      const taken = this.burst.takes(message) || this.deliver(message)
      while (this.waiting.length > 0) {
        this.burst.end()
        this.deliver(this.waiting.shift() as Message)
      }
      return taken
    } finally {
      this.isPublishing = false
      this.frames.release()
    }
  }

  /** Before a packet that may be followed by others like it. */
  forgetLast(): void {
    this.burst.forget()
  }

  /**
   * Delivers packets behind the last one, which was published since `forgetLast`, as far as they go to the same receivers in the same
   * form.
   */
  publishFollowing(following: Following): Followed | undefined {
    return this.isPublishing ? undefined : this.burst.takesFollowing(following)
  }

  /**
   * Delivers the messages of a run to everyone concerned. False when there is nobody, or somebody has to look at each of them: nothing
   * has been done then.
   */
  publishRun(run: MessageRun): boolean {
    if (this.isPublishing) return false
    const { topic } = run.messages[0] as Message
    const { subscriptions, groups } = this.subscriptions.match(topic)
    if (subscriptions.length === 0 || groups.length > 0) return false
    const { runFollowers: followers } = this
    followers.length = 0
    for (let i = 0; i < subscriptions.length; i++) {
      const subscription = subscriptions[i] as Subscription
      const follower = subscription.receiver.followRun(run, subscription)
      if (follower === undefined) return false
      followers.push(follower)
    }
    this.burst.end()
    for (let i = 0; i < subscriptions.length; i++)
      (followers[i] as RunFollower).sendRun(run, subscriptions[i] as Subscription)
    return true
  }

  /** Hands out what is still being gathered: to be called before connections are flushed, and before who gets what changes. */
  settle(): void {
    this.burst.end()
  }

  private deliver(message: Message): boolean {
    if (message.retain) this.retained.apply(message) // [MQTT-3.3.1-8] [MQTT-3.3.1-7 of 3.1.1]
    const { subscriptions, groups } = this.subscriptions.match(message.topic)
    if (subscriptions.length === 0 && groups.length === 0) return false
    let taken = false
    this.frames.use(message)
    // A copy for each subscription, at its own QoS, with its own identifier [MQTT-3.3.4-2] [MQTT-3.3.4-5].
    for (let i = 0; i < subscriptions.length; i++) {
      const subscription = subscriptions[i] as Subscription
      if (subscription.receiver.deliver(message, subscription)) taken = true
    }
    for (let i = 0; i < groups.length; i++) if (this.deliverToGroup(message, groups[i] as SharedGroup)) taken = true
    return taken
  }

  /** Delivers to one member: each in turn, those that can take it at once before those that are busy, and these before those away. */
  deliverToGroup(message: Message, group: SharedGroup): boolean {
    const { members } = group
    for (const availability of availabilities)
      for (let tries = 0; tries < members.length; tries++) {
        const index = (group.next + tries) % members.length
        const member = members[index] as Subscription
        if (member.receiver.availability !== availability || !member.receiver.deliver(message, member)) continue
        group.next = (index + 1) % members.length
        return true
      }
    return false
  }
}
