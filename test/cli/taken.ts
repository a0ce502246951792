// A broker that takes whatever tsmq-pub publishes, and remembers it.

import type { TestContext } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connect } from '../../src/protocol/packets/connect.js'
import type { Disconnect } from '../../src/protocol/packets/disconnect.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { start, type ToolOptions, type ToolResult } from './client-tool.js'

const { PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT } = PacketType

export interface Taken extends ToolResult {
  readonly connect: Connect
  readonly publishes: readonly Publish[]
  /** ms at which each of them came. */
  readonly times: readonly number[]
  readonly disconnect: Disconnect
}

/** Runs tsmq-pub against a broker that accepts, acknowledges everything, and remembers the packets until the client leaves. */
export async function taken(
  t: TestContext,
  args: readonly string[],
  options: ToolOptions = {},
  connack: Properties = NO_PROPERTIES,
): Promise<Taken> {
  const broker = await ScriptedBroker.start(t)
  const run = start('tsmq-pub', broker.port, args, options)
  const peer = await broker.peer()
  const connect = await peer.accept(connack)
  const publishes: Publish[] = []
  const times: number[] = []
  const ack = (type: 4 | 5 | 7, packetId: number) =>
    peer.send({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES })
  for (;;) {
    const packet = await peer.next()
    if (packet.type === DISCONNECT) return { connect, publishes, times, disconnect: packet, ...(await run.result) }
    if (packet.type === PUBLISH) {
      publishes.push(packet)
      times.push(performance.now())
      if (packet.qos > 0) ack(packet.qos === 1 ? PUBACK : PUBREC, packet.packetId)
    } else if (packet.type === PUBREL) ack(PUBCOMP, packet.packetId)
  }
}

/** `a hello q1 r0` for each. */
export function described({ publishes }: Taken): string[] {
  return publishes.map(({ topic, payload, qos, retain }) => `${topic} ${payload} q${qos} r${Number(retain)}`)
}
