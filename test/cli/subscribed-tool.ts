// A tsmq-sub in this process whose subscriptions a scripted broker has granted, and the packets such a broker sends.

import { PacketType } from '../../src/protocol/packet-types.js'
import { type PublishFields, publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { type Peer, ScriptedBroker } from '../client/scripted-broker.js'
import { type RunningTool, start } from './client-tool.js'

export type Context = Parameters<typeof ScriptedBroker.start>[0]

export const suback = (packetId: number, ...reasonCodes: number[]) =>
  ({ type: PacketType.SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes }) as const

export const message = (topic: string, payload: string | Buffer, fields: Partial<PublishFields> = {}) =>
  publish({ topic, payload: Buffer.from(payload), ...fields })

export interface Subscribed {
  readonly broker: ScriptedBroker
  readonly peer: Peer
  readonly run: RunningTool
}

export interface SubscribedOptions {
  readonly terminal?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly connack?: Properties
}

/** A tsmq-sub whose subscriptions have been granted. */
export async function subscribed(
  t: Context,
  args: readonly string[],
  { terminal = false, env = {}, connack = NO_PROPERTIES }: SubscribedOptions = {},
): Promise<Subscribed> {
  const broker = await ScriptedBroker.start(t)
  const run = start('tsmq-sub', broker.port, args, { terminal, env })
  const peer = await broker.peer()
  await peer.accept(connack)
  const { packetId, subscriptions } = await peer.expect(PacketType.SUBSCRIBE)
  peer.send(suback(packetId, ...subscriptions.map(({ qos }) => qos)))
  return { broker, peer, run }
}
