// Bytes through a Framer and the codec, as a connection does it, and packets in a form that deepEqual can compare.

import { decodePacket, type Packet } from '../../src/protocol/codec.js'
import { Framer } from '../../src/protocol/framer.js'
import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import { ProtocolError } from '../../src/protocol/protocol-error.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { TopicTable } from '../../src/protocol/topic-table.js'

/** A packet without views into the bytes it was decoded from: what a test may keep and compare. */
export function plain(packet: Packet): unknown {
  if (packet.type === 3) {
    const { type, dup, qos, retain, topic, packetId, properties } = packet
    return detached({ type, dup, qos, retain, topic, packetId, properties, payload: packet.payload })
  }
  return detached(packet)
}

function detached(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (Array.isArray(value)) return value.map(detached)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, detached(item)]))
}

/** The packets in a stream that arrives in these chunks; each chunk is wiped once it was pushed, as a read buffer is reused. */
export function packetsIn(chunks: readonly Uint8Array[], version: ProtocolVersion, sender: Sender): unknown[] {
  const topics = new TopicTable(16)
  const packets: unknown[] = []
  const framer = new Framer(
    {
      onPacket(header, bytes, start, end) {
        packets.push(plain(decodePacket(header, bytes, start, end, version, sender, topics)))
      },
    },
    sender,
    new BlockPool(),
  )
  framer.version = version
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk)
    framer.push(copy, copy.length)
    copy.fill(0xee)
  }
  return packets
}

/** Runs `act` and returns the ProtocolError it throws; anything else thrown passes through. */
export function protocolErrorOf(act: () => unknown): ProtocolError | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
}
