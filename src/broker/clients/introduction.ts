// How two brokers tell each other their names where MQTT 3.x has no room for it: a bridge subscribes to a topic with its own name in
// it, and the broker it has come to publishes its name there before it answers. To any other broker it is a subscription on which
// nothing ever comes.

import { PacketType } from '../../protocol/packet-types.js'
import type { Subscribe } from '../../protocol/packets/subscribe.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { localMessage } from '../../session/message.js'
import type { BrokerContext } from '../context.js'
import type { ConnectedClient } from './connected-client.js'

const TOPIC = '$SYS/broker/bridge/'

/** Where the broker `name` is told the name of another. */
export function introductionTopic(name: string): string {
  return TOPIC + name
}

/** Answers a SUBSCRIBE by which a bridge tells whose it is. Returns false for any other, which is left to be handled. */
export function answersIntroduction(
  { neighbours, router, log }: BrokerContext,
  { isBridge, session, sender, mountPoint }: ConnectedClient,
  { packetId, subscriptions }: Subscribe,
): boolean {
  const [asked] = subscriptions
  if (!isBridge || subscriptions.length !== 1 || asked?.filter.startsWith(TOPIC) !== true) return false
  router.settle()
  neighbours.introduced(session.clientId, asked.filter.slice(TOPIC.length))
  if (log.isDebug) log.debug(`Received SUBSCRIBE from ${session.clientId}, which tells whose bridge it is`)
  const answer = localMessage(mountPoint + asked.filter, Buffer.from(neighbours.name), 0, false)
  sender.publish(answer, 0, false, false, 0, 0)
  sender.send({ type: PacketType.SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [0] })
  return true
}
