// What the broker announced in CONNACK that it takes (MQTT 5.0 section 3.2.2.3), and the checks a client owes it before sending.

import type { Qos } from '../protocol/packets/publish.js'
import type { SubscriptionRequest } from '../protocol/packets/subscribe.js'
import type { Properties } from '../protocol/properties.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { hasWildcard, parseFilter } from '../protocol/topics.js'
import { ClientError } from './client-error.js'

/** Bytes: a fixed header of five, and as many behind it as its length can say (section 1.5.5). */
const LARGEST_PACKET = 268_435_460

export class ServerLimits {
  readonly maximumQos: number
  readonly retainAvailable: boolean
  readonly receiveMaximum: number
  readonly topicAliasMaximum: number
  /** Bytes of a packet. */
  readonly maximumPacketSize: number
  readonly wildcards: boolean
  readonly subscriptionIdentifiers: boolean
  readonly sharedSubscriptions: boolean

  /** @param properties of CONNACK; what is absent has the standard's default. */
  constructor(properties: Readonly<Properties>) {
    this.maximumQos = properties.maximumQos ?? 2
    this.retainAvailable = properties.retainAvailable !== 0
    this.receiveMaximum = properties.receiveMaximum ?? 65_535
    this.topicAliasMaximum = properties.topicAliasMaximum ?? 0
    this.maximumPacketSize = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY
    this.wildcards = properties.wildcardSubscriptionAvailable !== 0
    this.subscriptionIdentifiers = properties.subscriptionIdentifierAvailable !== 0
    this.sharedSubscriptions = properties.sharedSubscriptionAvailable !== 0
  }

  /** Why a message may not be sent, if so; `topicAlias` is 0 for none. */
  refusePublish(qos: Qos, retain: boolean, topicAlias: number): ClientError | undefined {
    if (qos > this.maximumQos) return refusal(`the broker does not support QoS ${qos}`, ReasonCode.QOS_NOT_SUPPORTED) // [MQTT-3.2.2-11]
    if (retain && !this.retainAvailable)
      return refusal('the broker does not support retained messages', ReasonCode.RETAIN_NOT_SUPPORTED) // [MQTT-3.2.2-14]
    // [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-9]
    if (topicAlias > this.topicAliasMaximum)
      return refusal(`the broker takes topic aliases up to ${this.topicAliasMaximum}`, ReasonCode.TOPIC_ALIAS_INVALID)
    return undefined
  }

  /** Why a packet of `size` bytes may not be sent, if so. */
  refuseSize(size: number): ClientError | undefined {
    if (size <= Math.min(this.maximumPacketSize, LARGEST_PACKET)) return undefined
    const whose =
      size > LARGEST_PACKET ? `MQTT allows (${LARGEST_PACKET})` : `the broker takes (${this.maximumPacketSize})`
    const text = `a packet of ${size} bytes is more than ${whose}`
    return refusal(text, ReasonCode.PACKET_TOO_LARGE) // [MQTT-3.2.2-15]
  }

  /** Why subscriptions may not be asked for, if so. */
  refuseSubscribe(
    subscriptions: readonly SubscriptionRequest[],
    properties: Readonly<Properties>,
  ): ClientError | undefined {
    if (properties.subscriptionIdentifiers !== undefined && !this.subscriptionIdentifiers)
      return refusal(
        'the broker does not support subscription identifiers',
        ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
      )
    for (const { filter } of subscriptions) {
      const parts = parseFilter(filter)
      if (parts?.group !== undefined && !this.sharedSubscriptions)
        return refusal(
          'the broker does not support shared subscriptions',
          ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
        )
      if (hasWildcard(filter) && !this.wildcards)
        return refusal(
          'the broker does not support wildcards in subscriptions',
          ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
        )
    }
    return undefined
  }
}

function refusal(text: string, code: ReasonCode): ClientError {
  return new ClientError('not supported', text, code)
}
