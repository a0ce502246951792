// For tests of plugins: a broker with some, clients that are gone afterwards, and what the plugins were told, line by line.

import { after } from 'node:test'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import type { Packet } from '../../src/protocol/codec.js'
import { type PacketName, packetTypeRow } from '../../src/protocol/packet-types.js'
import { startBroker, type TestBroker, type TestBrokerOptions } from '../support/broker-kit.js'
import { type ConnectFields, RawClient } from '../support/raw-client.js'

export interface PluginScene {
  readonly broker: TestBroker
  /** What plugins have noted. */
  readonly notes: string[]
  connect(fields?: ConnectFields): Promise<RawClient>
}

/** Starts a broker with plugins that write down what they are told with `note`. */
export async function pluginScene(
  plugins: (note: (text: string) => undefined) => Plugin | readonly Plugin[],
  options: TestBrokerOptions = {},
): Promise<PluginScene> {
  const notes: string[] = []
  const made = plugins((text) => void notes.push(text))
  const broker = await startBroker({ ...options, plugins: Array.isArray(made) ? made : [made as Plugin] })
  after(() => broker.stop())
  return {
    broker,
    notes,
    async connect(fields = {}) {
      const { client } = await RawClient.connect(broker.port, fields)
      return client
    },
  }
}

/** A packet as a line: its name, and what tests look at. */
export function line(packet: Packet): string {
  const name: PacketName | undefined = packetTypeRow(packet.type)?.name
  if ('payload' in packet) return `${name} ${packet.topic} ${packet.payload} q${packet.qos} r${Number(packet.retain)}`
  if ('reasonCodes' in packet) return `${name} ${packet.reasonCodes.map((code) => `0x${code.toString(16)}`).join(' ')}`
  return 'reasonCode' in packet ? `${name} 0x${packet.reasonCode.toString(16)}` : `${name}`
}

export const lines = (packets: readonly Packet[]) => packets.map(line)

/** Waits until promises that are there have been answered. */
export const turn = () => new Promise((resolve) => setImmediate(resolve))
