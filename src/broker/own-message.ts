// Messages that do not come from the network: what a program or plugin around the broker may publish.

import { encodePublish, publish, type Qos } from '../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import { isTopicName } from '../protocol/topics.js'

/** Characters of a topic that fits in a packet in any case. */
const SHORT = 20_000

/** What is wrong with a message, in words; undefined when it can be published. */
export function faultOf(message: {
  readonly topic: string
  readonly qos?: Qos
  readonly properties?: Readonly<Properties>
}): string | undefined {
  const { topic, qos = 0, properties = NO_PROPERTIES } = message
  if (typeof topic !== 'string' || !isTopicName(topic)) return `'${topic}' is not a topic to publish to`
  if (qos !== 0 && qos !== 1 && qos !== 2) return `QoS ${qos}`
  if (properties === NO_PROPERTIES && topic.length <= SHORT) return undefined
  try {
    encodePublish(publish({ topic, properties }), 5)
    return undefined
  } catch (error) {
    return `topic or properties do not fit in a packet: ${error instanceof Error ? error.message : error}`
  }
}
