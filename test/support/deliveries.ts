// What tests of message flows share: clients that end with their test, and messages in a form that is short enough to compare
// as a list: `topic payload q1 retain dup`.

import type { TestContext } from 'node:test'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import type { TestBroker } from './broker-kit.js'
import { type ConnectFields, RawClient } from './raw-client.js'

export interface Joined {
  readonly client: RawClient
  readonly connack: Connack
}

/** Connects; the connection is dropped when the test is over. */
export async function join(t: TestContext, broker: TestBroker, fields: ConnectFields): Promise<Joined> {
  const joined = await RawClient.connect(broker.port, fields)
  t.after(() => joined.client.drop())
  return joined
}

/** Like `join`, for tests that do not look at CONNACK. */
export async function client(t: TestContext, broker: TestBroker, fields: ConnectFields): Promise<RawClient> {
  return (await join(t, broker, fields)).client
}

export function publishesOf(packets: readonly Packet[]): Publish[] {
  return packets.filter((packet): packet is Publish => packet.type === PacketType.PUBLISH)
}

/** `topic payload q1 retain dup`; the last two only where they apply. */
export function line({ topic, payload, qos, retain, dup }: Publish): string {
  return `${topic} ${payload} q${qos}${retain ? ' retain' : ''}${dup ? ' dup' : ''}`
}

/** The messages that have arrived up to now, as lines. */
export async function received(from: RawClient): Promise<string[]> {
  return publishesOf(await from.settled()).map(line)
}

/** The payloads that have arrived up to now. */
export async function payloads(from: RawClient): Promise<string[]> {
  return publishesOf(await from.settled()).map(({ payload }) => payload.toString())
}

/** The next packet, which must be a PUBLISH. */
export async function nextPublish(from: RawClient): Promise<Publish> {
  return (await from.expect(PacketType.PUBLISH)) as Publish
}

/** Takes and acknowledges messages until `count` have come. */
export async function take(from: RawClient, count: number): Promise<Publish[]> {
  const taken: Publish[] = []
  while (taken.length < count) {
    const packet = await from.next()
    if (packet.type === PacketType.PUBREL) from.ack(PacketType.PUBCOMP, packet.packetId)
    if (packet.type !== PacketType.PUBLISH) continue
    taken.push(packet)
    if (packet.qos === 1) from.ack(PacketType.PUBACK, packet.packetId)
    if (packet.qos === 2) from.ack(PacketType.PUBREC, packet.packetId)
  }
  return taken
}
