// What tests of bridges share: a broker with one bridge to an address, whose other end is a scripted broker, and clients beside it.

import type { TestContext } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Ack, AckType } from '../../src/protocol/packets/acks.js'
import type { Publish, PublishFields } from '../../src/protocol/packets/publish.js'
import { publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { type Peer, ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker, type TestBroker, type TestBrokerOptions } from '../support/broker-kit.js'
import { line } from '../support/deliveries.js'
import { until } from '../support/until.js'

export interface BridgeScene {
  readonly broker: TestBroker
  readonly remote: ScriptedBroker
}

/** Lines of one bridge `b`, known to the remote broker as `r`. */
export function bridgeLines(port: number, lines: string): string {
  return `connection b\naddress 127.0.0.1:${port}\nremote_clientid r\n${lines}\n`
}

/** A broker whose bridge has begun to connect. `conf` are lines before those of the bridge. */
export async function bridged(
  t: TestContext,
  lines: string,
  { conf = '', files = {}, plugins = [] }: TestBrokerOptions = {},
): Promise<BridgeScene> {
  const remote = await ScriptedBroker.start(t)
  const broker = await startBroker({ conf: `${conf}\n${bridgeLines(remote.port, lines)}`, files, plugins })
  t.after(() => broker.stop())
  return { broker, remote }
}

/** The next packet that is no PUBLISH to `$SYS`, which tells the state of the bridge. */
export async function nextPublish(peer: Peer): Promise<Publish> {
  for (;;) {
    const packet = await peer.next()
    if (packet.type === PacketType.PUBLISH && !packet.topic.startsWith('$SYS/')) return packet
  }
}

/** Takes the CONNECT of connection number `count`, accepts it, and answers the requests that follow. */
export async function accepted(
  { remote }: BridgeScene,
  {
    count = 1,
    properties = NO_PROPERTIES,
    sessionPresent = false,
    requests = 0,
  }: {
    readonly count?: number
    readonly properties?: Properties
    readonly sessionPresent?: boolean
    readonly requests?: number
  } = {},
): Promise<Peer> {
  const peer = await remote.peer(count)
  const { protocolVersion } = await peer.accept(properties, sessionPresent)
  for (let answered = 0; answered < requests; ) {
    const packet = await peer.next()
    if (packet.type === PacketType.SUBSCRIBE) {
      const reasonCodes = packet.subscriptions.map(({ qos }) => qos)
      peer.send({ type: PacketType.SUBACK, packetId: packet.packetId, properties: NO_PROPERTIES, reasonCodes })
    } else if (packet.type === PacketType.UNSUBSCRIBE) {
      const reasonCodes = protocolVersion === 5 ? packet.filters.map(() => 0) : []
      peer.send({ type: PacketType.UNSUBACK, packetId: packet.packetId, properties: NO_PROPERTIES, reasonCodes })
    } else continue
    answered++
  }
  return peer
}

/** Messages as lines, in the order in which they come, acknowledged up to the end. */
export async function takeLines(peer: Peer, count: number): Promise<string[]> {
  const lines: string[] = []
  while (lines.length < count) {
    const packet = await peer.next()
    if (packet.type === PacketType.PUBREL)
      peer.send({ type: PacketType.PUBCOMP, packetId: packet.packetId, reasonCode: 0, properties: NO_PROPERTIES })
    if (packet.type !== PacketType.PUBLISH) continue
    const { packetId, qos, topic } = packet
    if (qos === 1) peer.send({ type: PacketType.PUBACK, packetId, reasonCode: 0, properties: NO_PROPERTIES })
    if (qos === 2) peer.send({ type: PacketType.PUBREC, packetId, reasonCode: 0, properties: NO_PROPERTIES })
    if (!topic.startsWith('$SYS/')) lines.push(line(packet))
  }
  return lines
}

/** Takes an acknowledgement, which must be the next packet; returns its packet identifier. */
export async function takeAck(peer: Peer, type: AckType): Promise<number> {
  const packet = await peer.next()
  if (packet.type !== type) throw new Error(`expected packet type ${type}, got ${JSON.stringify(packet)}`)
  return (packet as Ack).packetId
}

/** Has the remote broker send a message. */
export function sendMessage(peer: Peer, fields: Omit<PublishFields, 'payload'> & { readonly payload?: string }): void {
  peer.send(publish({ ...fields, payload: Buffer.from(fields.payload ?? '') }))
}

/** Waits for a line of the broker's log. */
export async function logged({ broker }: BridgeScene, pattern: RegExp, times = 1): Promise<void> {
  const count = () => broker.log.filter((each) => pattern.test(each)).length
  await until(
    () => count() >= times,
    () => `${pattern} in the log:\n${broker.log.slice(-12).join('\n')}`,
  )
}
