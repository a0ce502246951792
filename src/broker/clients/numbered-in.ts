// QoS 1 and 2 packets behind one that was handled, as they come in one piece: those that differ from it in nothing but their packet
// identifiers and payloads are judged, routed and acknowledged together (MQTT 5.0 section 4.3).

import { PacketType } from '../../protocol/packet-types.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { Message } from '../../session/message.js'
import type { BrokerContext } from '../context.js'
import { Room } from '../memory-limit.js'
import type { ConnectedClient } from './connected-client.js'
import { hold, mayPublish } from './publish-in.js'

/** Topics that are not like others begin with it. */
const DOLLAR = 0x24

/**
 * Takes packets in bytes[at..limit) behind the one at bytes[before], whose first byte they share: a PUBLISH without DUP and RETAIN.
 * Returns where the rest begins.
 * @param most bytes of the largest packet that may come
 */
export function handleNumbered(
  context: BrokerContext,
  client: ConnectedClient,
  bytes: Buffer,
  before: number,
  at: number,
  limit: number,
  most: number,
): number {
  const { settings, memoryLimit, points, journal, log, run, topics, statistics } = context
  const { session, version, mountPoint } = client
  if (log.isDebug || points.publish !== undefined || journal?.isFailing === true) return at
  if (memoryLimit.room !== Room.EVERYTHING) return at
  const { packets } = run
  let fields = before + 1
  while ((bytes[fields++] as number) >= 0x80) {}
  const nameStart = fields + 2
  const nameEnd = nameStart + (((bytes[fields] as number) << 8) | (bytes[fields + 1] as number))
  // Behind a topic alias there is no name.
  if (nameEnd === nameStart || bytes[nameStart] === DOLLAR) return at
  packets.find(bytes, fields, nameEnd, version, at, limit, most, settings.messageSizeLimit || most)
  if (packets.qos === 2) packets.shorten(countNew(client, packets.count, packets.packetIds))
  const { size, count, payloadBytes } = packets
  if (count === 0) return at
  const name = topics.topicName(bytes, nameStart, nameEnd)
  if (!mayPublish(mountPoint, session.rights, name)) return at
  statistics.countReceived(PacketType.PUBLISH, count)
  statistics.publishBytesReceived += payloadBytes
  memoryLimit.spend(payloadBytes, count)
  run.begin(mountPoint + name, client.publisher, mountPoint === '')
  publishRun(context, client)
  run.end()
  return at + size
}

/** How many of the packets begin a QoS 2 delivery, before one that repeats another or may not: identifiers that ascend are others. */
function countNew({ session, receiveMaximum }: ConnectedClient, count: number, packetIds: Uint16Array): number {
  const { openIds } = session.inbound
  const most = Math.min(count, receiveMaximum - openIds.size)
  let i = 0
  for (let last = 0; i < most; i++) {
    const packetId = packetIds[i] as number
    if (packetId <= last || openIds.has(packetId)) break
    last = packetId
  }
  return i
}

function publishRun({ router, run, journal, points }: BrokerContext, client: ConnectedClient): void {
  const { session, sender, receiveMaximum } = client
  const { packets, messages } = run
  const { count, qos, packetIds } = packets
  const type = qos === 1 ? PacketType.PUBACK : PacketType.PUBREC
  const touched = journal?.touched
  if (qos === 2) for (let i = 0; i < count; i++) session.inbound.begin(packetIds[i] as number, receiveMaximum)
  if (router.publishRun(run)) {
    if (journal !== undefined && journal.touched !== touched) hold(journal, client)
    sender.acknowledgeRun(type, packetIds, count)
    return
  }
  for (let i = 0; i < count; i++) {
    const message = messages[i] as Message
    const taken = router.publish(message)
    if (!taken) points.notConsumed?.(message, session.info)
    const reasonCode = taken ? ReasonCode.SUCCESS : ReasonCode.NO_MATCHING_SUBSCRIBERS
    sender.acknowledge(type, packetIds[i] as number, reasonCode)
    if (journal !== undefined && journal.touched !== touched) hold(journal, client)
  }
}
