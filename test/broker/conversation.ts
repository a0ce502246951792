// Conversations with a broker as tables: how a client comes in, which bytes it sends, what arrives, and whether the connection
// stays open. What arrives is compared as text, one line a packet, so that rows can be read and written by hand.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType, type ProtocolVersion, packetTypeRow } from '../../src/protocol/packet-types.js'
import type { Bytes } from '../golden/bytes.js'
import { versionNames } from '../golden/golden-packet.js'
import type { TestBroker } from '../support/broker-kit.js'
import { type ConnectFields, RawClient } from '../support/raw-client.js'

export interface Conversation {
  /** With the ids of the rows and statements it shows. */
  readonly name: string
  readonly versions: readonly ProtocolVersion[]
  /** What CONNECT says; `false` sends none. */
  readonly connect?: Omit<ConnectFields, 'version'> | false
  /** Bytes to send, each in a write of its own. `list` is the empty property list of 5.0, nothing in 3.x. */
  send(list: Bytes): readonly Buffer[]
  /** Packets that arrive after CONNACK, as `describePacket` writes them. */
  readonly arrives: readonly string[]
  readonly ends: 'open' | 'closed'
}

export const all = [3, 4, 5] as const
export const old = [3, 4] as const

const hexByte = (code: number) => code.toString(16).padStart(2, '0')

/** `PUBACK 1`, `PUBACK 1 0x87`, `SUBACK 1 00 80`, `PUBLISH t 'x' q1 retain id 1`, `CONNACK 0 0x00`, `DISCONNECT 0x82`. */
export function describePacket(packet: Packet): string {
  const name = packetTypeRow(packet.type)?.name
  switch (packet.type) {
    case PacketType.CONNACK:
      return `${name} ${Number(packet.sessionPresent)} 0x${hexByte(packet.reasonCode)}`
    case PacketType.PUBLISH: {
      const { topic, payload, qos, dup, retain, packetId } = packet
      const flags = `${dup ? ' dup' : ''}${retain ? ' retain' : ''}${packetId > 0 ? ` id ${packetId}` : ''}`
      return `${name} ${topic} '${payload}' q${qos}${flags}`
    }
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return `${name} ${packet.packetId}${packet.reasonCode === 0 ? '' : ` 0x${hexByte(packet.reasonCode)}`}`
    case PacketType.SUBACK:
    case PacketType.UNSUBACK:
      return [name, packet.packetId, ...packet.reasonCodes.map(hexByte)].join(' ')
    case PacketType.DISCONNECT:
    case PacketType.AUTH:
      return `${name} 0x${hexByte(packet.reasonCode)}`
    default:
      return String(name)
  }
}

/** What has arrived until now, or until the end, as text. */
export async function arrivals(client: RawClient, ends: 'open' | 'closed'): Promise<string[]> {
  const packets = ends === 'open' ? await client.settled() : await client.closed()
  return packets.map(describePacket)
}

let clients = 0

/** A client id that no other test of the file has. */
export function freshId(): string {
  return `client-${++clients}`
}

/** A test for each row and version. */
export function converse(rows: readonly Conversation[], broker: () => TestBroker): void {
  for (const row of rows)
    for (const version of row.versions)
      test(`${row.name}, MQTT ${versionNames[version]}`, async () => {
        const client = await open(row, version, broker().port)
        for (const bytes of row.send(version === 5 ? [0] : [])) client.send(bytes)
        assert.deepEqual(await arrivals(client, row.ends), row.arrives)
        if (row.ends === 'closed') return
        client.disconnect()
        await client.closed()
      })
}

async function open({ connect = {} }: Conversation, version: ProtocolVersion, port: number): Promise<RawClient> {
  if (connect === false) {
    const client = await RawClient.open(port)
    client.version = version
    return client
  }
  const { client, connack } = await RawClient.connect(port, { clientId: freshId(), ...connect, version })
  assert.equal(connack.reasonCode, 0)
  return client
}
