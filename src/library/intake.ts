// Keeps a client from being given more than its iterators are read: acknowledgements wait while one of them has enough, so that the
// broker stops at its window of QoS 1 and 2; reading stops as well. What somebody awaits would then never come: for an answer of the
// broker reading goes on, for a message of somebody else acknowledging, too. Counts nothing: those who have enough say so.

import type { Publish } from '../protocol/packets/publish.js'

/** The client that the commands use, as far as this concerns it. */
export interface Source {
  pause(): void
  resume(): void
  holdAcknowledgement(packet: Publish): () => void
}

export class Intake {
  private readonly source: Source
  /** Those who have enough. */
  private readonly full = new Set<object>()
  /** Acknowledgements that wait for them, in order of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3]. */
  private readonly held: (() => void)[] = []
  private answers = 0
  private messages = 0
  private isPaused = false

  constructor(source: Source) {
    this.source = source
  }

  /** Somebody has enough, or not any more. */
  hold(who: object, isFull: boolean): void {
    if (isFull) this.full.add(who)
    else this.full.delete(who)
    this.steer()
  }

  /** What somebody awaits from now on. Calling what is returned ends that. */
  await(what: 'answer' | 'message'): () => void {
    const by = what === 'answer' ? 'answers' : 'messages'
    this[by]++
    this.steer()
    return () => {
      this[by]--
      this.steer()
    }
  }

  /** A message has been handed out; called while it is being handled. */
  received(packet: Publish): void {
    if (this.isHolding && packet.qos > 0) this.held.push(this.source.holdAcknowledgement(packet))
  }

  /** Another connection, which is being read. */
  begin(): void {
    this.isPaused = false
    this.steer()
  }

  private get isHolding(): boolean {
    return this.full.size > 0 && this.messages === 0
  }

  private steer(): void {
    if (!this.isHolding) for (const acknowledge of this.held.splice(0)) acknowledge()
    const isPaused = this.isHolding && this.answers === 0
    if (isPaused === this.isPaused) return
    this.isPaused = isPaused
    if (isPaused) this.source.pause()
    else this.source.resume()
  }
}
