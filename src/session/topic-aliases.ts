// Topic aliases of one connection (MQTT 5.0 section 3.3.2.3.4): those the peer has set, and those this side gives out. They end
// with the connection [MQTT-3.3.2-7].

import { ProtocolError } from '../protocol/protocol-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'

/** The peer's aliases. */
export class ReceivedAliases {
  /** By alias. */
  private readonly topics: (string | undefined)[] = []
  private readonly maximum: number

  /** @param maximum the Topic Alias Maximum this side announced; 0 allows none [MQTT-3.2.2-18]. */
  constructor(maximum: number) {
    this.maximum = maximum
  }

  /**
   * The topic of a PUBLISH that carries `alias`; a topic that is not empty sets the mapping [MQTT-3.3.2-10] [MQTT-3.3.2-12].
   * @throws ProtocolError 0x94 above the maximum [MQTT-3.2.2-17], 0x82 for an alias that was never set.
   */
  resolve(alias: number, topic: string): string {
    if (alias > this.maximum) throw new ProtocolError(ReasonCode.TOPIC_ALIAS_INVALID, `topic alias ${alias}`)
    if (topic.length > 0) {
      this.topics[alias] = topic
      return topic
    }
    const known = this.topics[alias]
    if (known === undefined) throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `unknown topic alias ${alias}`)
    return known
  }
}

/** Aliases given to the peer: the first topics get them. */
export class SentAliases {
  private readonly aliases = new Map<string, number>()
  private readonly maximum: number

  /**
   * @param maximum the smaller of what the peer takes and what this side is willing to give [MQTT-3.1.2-26] [MQTT-3.1.2-27]
   * [MQTT-3.3.2-11].
   */
  constructor(maximum: number) {
    this.maximum = maximum
  }

  /** The alias the peer knows for `topic`, 0 for none. */
  known(topic: string): number {
    return this.aliases.get(topic) ?? 0
  }

  /** The alias that `topic` would get, 0 when all are given out. It counts once `commit` says that the packet was sent. */
  proposed(): number {
    return this.aliases.size < this.maximum ? this.aliases.size + 1 : 0
  }

  commit(topic: string, alias: number): void {
    this.aliases.set(topic, alias)
  }
}
