// SUBSCRIBE and UNSUBSCRIBE of a client: rights and limits, the session's and the router's index, the answer, retained messages
// (MQTT 5.0 sections 3.8.4, 3.10.4).

import { PacketType, type ProtocolVersion } from '../../protocol/packet-types.js'
import type { Qos } from '../../protocol/packets/publish.js'
import { checkFilter, type Subscribe, type SubscriptionRequest } from '../../protocol/packets/subscribe.js'
import type { Unsubscribe } from '../../protocol/packets/unsubscribe.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import { Room } from '../memory-limit.js'
import type { SubscriptionInfo } from '../plugins/plugin.js'
import type { Subscription } from '../routing/receiver.js'
import type { ConnectedClient } from './connected-client.js'
import type { Session } from './session.js'

/** A filter as it was asked for, with what plugins have made of it. */
export interface JudgedSubscription extends SubscriptionRequest {
  readonly refused?: ReasonCode
}

/** One of an UNSUBSCRIBE. */
export interface JudgedFilter {
  readonly filter: string
  readonly refused?: ReasonCode
}

/** A subscription that was made, and whether the session had one with its filter. */
interface Made {
  readonly subscription: Subscription
  readonly isNew: boolean
}

/** @param requests those of the packet, with what plugins have made of them */
export function handleSubscribe(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Subscribe,
  requests: readonly JudgedSubscription[] = packet.subscriptions,
): void {
  const { log, journal, points } = context
  const { session, waiter } = client
  if (waiter !== undefined && session.isDurable && journal?.isFailing === false) journal.hold(waiter)
  if (log.isDebug) log.debug(`Received SUBSCRIBE from ${session.clientId}`)
  const identifier = packet.properties.subscriptionIdentifiers?.[0] ?? 0
  const reasonCodes: number[] = []
  const made: Made[] = []
  // [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.9.3-1]
  for (const request of requests) {
    const result = request.refused ?? subscribe(context, client, request, identifier)
    const granted = typeof result !== 'number'
    reasonCodes.push(granted ? result.subscription.qos : refusalCode(client, request, result))
    if (log.isDebug) log.debug(`\t${request.filter} ${granted ? `(QoS ${result.subscription.qos})` : '(denied)'}`)
    if (!granted) continue
    made.push(result)
    log.write('subscribe', `${session.clientId} ${result.subscription.qos} ${request.filter}`)
  }
  const { packetId } = packet
  // [MQTT-3.8.4-1] [MQTT-3.8.4-2]
  client.sender.send({ type: PacketType.SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes })
  if (log.isDebug) log.debug(`Sending SUBACK to ${session.clientId}`)
  const now = context.clock()
  for (const { subscription, isNew } of made) {
    const { retainHandling } = subscription
    points.subscribed?.(subscriptionInfo(subscription), session.info)
    // None for shared subscriptions [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4] [MQTT-3.3.1-6 of 3.1.1].
    if (subscription.group === undefined && (retainHandling === 0 || (retainHandling === 1 && isNew)))
      sendRetained(context, subscription, now)
  }
}

function subscribe(
  { config, router, denials, memoryLimit, journal }: BrokerContext,
  { version, session, mountPoint, maxQos, isBridge }: ConnectedClient,
  request: SubscriptionRequest,
  identifier: number,
): Made | ReasonCode {
  const { group, filter } = checkFilter(request.filter)
  if (!session.rights.decide('subscribe', request.filter).allowed) {
    denials.report(session, 'subscribe', request.filter)
    return ReasonCode.NOT_AUTHORIZED
  }
  if (journal?.isFailing === true && session.isDurable) return refuseStoring(version)
  const isNew = !session.subscriptions.has(request.filter)
  if (isNew && config.max_subscriptions > 0 && session.subscriptions.size >= config.max_subscriptions)
    return ReasonCode.QUOTA_EXCEEDED
  if (isNew && memoryLimit.room !== Room.EVERYTHING) return ReasonCode.QUOTA_EXCEEDED
  const subscription: Subscription = {
    receiver: session,
    text: request.filter,
    group,
    filter: mountPoint + filter,
    qos: Math.min(request.qos, maxQos) as Qos, // [MQTT-3.2.2-10]
    noLocal: request.noLocal || isBridge,
    retainAsPublished: request.retainAsPublished || isBridge,
    retainHandling: request.retainHandling,
    identifier,
  }
  session.subscriptions.set(request.filter, subscription)
  session.durable?.subscribed(subscription)
  router.subscriptions.add(subscription)
  return { subscription, isNew }
}

/** The store cannot be written. 3.1 has no way to say so but to end the connection. */
function refuseStoring(version: ProtocolVersion): ReasonCode {
  if (version > 3) return ReasonCode.QUOTA_EXCEEDED
  throw new ProtocolError(ReasonCode.QUOTA_EXCEEDED, 'the store cannot be written')
}

/**
 * 3.1 has no way to refuse a filter and hears what it asked for; 3.1.1 has one code for all reasons [MQTT-3.8.4-7]
 * [MQTT-3.9.3-2 of 3.1.1].
 */
function refusalCode(client: ConnectedClient, request: SubscriptionRequest, reasonCode: ReasonCode): number {
  if (client.version === 5) return reasonCode
  return client.version === 4 ? ReasonCode.UNSPECIFIED_ERROR : request.qos
}

/** Likewise; in 3.x UNSUBACK says nothing. */
function refuseForgetting(version: ProtocolVersion): ReasonCode {
  if (version === 5) return ReasonCode.UNSPECIFIED_ERROR
  throw new ProtocolError(ReasonCode.QUOTA_EXCEEDED, 'the store cannot be written')
}

function subscriptionInfo({ text, qos, noLocal, retainAsPublished, retainHandling }: Subscription): SubscriptionInfo {
  return { filter: text, qos, noLocal, retainAsPublished, retainHandling }
}

function sendRetained({ config, router, neighbours }: BrokerContext, subscription: Subscription, now: number): void {
  const { clientId } = subscription.receiver
  for (const message of router.retained.matching(subscription.filter, now)) {
    const publisher = message.publisher?.clientId
    // What a broker has sent by another bridge; to a subscription without No Local of its own it may go back.
    if (publisher !== undefined && publisher !== clientId && neighbours.areOne(publisher, clientId)) continue
    // The publisher may have lost the right since (CVE-2018-12546).
    if (config.check_retain_source && message.publisher?.mayWrite(message.topic) === false) continue
    subscription.receiver.deliverRetained(message, subscription)
  }
}

/** @param filters those of the packet, with what plugins have made of them */
export function handleUnsubscribe(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Unsubscribe,
  filters: readonly JudgedFilter[] = packet.filters.map((filter) => ({ filter })),
): void {
  const { log, journal, denials } = context
  const { session, sender, waiter } = client
  if (waiter !== undefined && session.isDurable && journal?.isFailing === false) journal.hold(waiter)
  if (log.isDebug) log.debug(`Received UNSUBSCRIBE from ${session.clientId}`)
  // [MQTT-3.10.4-6] [MQTT-3.11.3-1]
  const reasonCodes = filters.map(({ filter, refused }) => {
    if (log.isDebug) log.debug(`\t${filter}`)
    if (refused !== undefined) return refused
    if (!session.rights.decide('unsubscribe', filter).allowed) {
      denials.report(session, 'unsubscribe', filter)
      return ReasonCode.NOT_AUTHORIZED
    }
    log.write('unsubscribe', `${session.clientId} ${filter}`)
    const subscription = session.subscriptions.get(filter) // [MQTT-3.10.4-1]
    if (subscription === undefined) return ReasonCode.NO_SUBSCRIPTION_EXISTED
    if (journal?.isFailing === true && session.isDurable) return refuseForgetting(client.version)
    endSubscription(context, session, subscription)
    return ReasonCode.SUCCESS
  })
  const { packetId } = packet
  sender.send({ type: PacketType.UNSUBACK, packetId, properties: NO_PROPERTIES, reasonCodes }) // [MQTT-3.10.4-4] [MQTT-3.10.4-5]
}

/** Nothing new comes by a subscription from now on [MQTT-3.10.4-2]. */
export function endSubscription({ router, points }: BrokerContext, session: Session, subscription: Subscription): void {
  session.subscriptions.delete(subscription.text)
  session.durable?.unsubscribed(subscription.text)
  router.subscriptions.remove(subscription)
  points.unsubscribed?.(subscription.text, session.info)
}
