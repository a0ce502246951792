// Every option that is a number at its smallest value, at 1 and at its largest (CVE-2026-42209): the broker starts and a client of
// each version gets what the limit leaves it. What exactly each limit does has tests of its own: rules-options, rules-limits,
// security-limits, flow-control, slow-reader, memory-limit.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitOptions } from '../../src/options/limit-options.js'
import { listenerOptions } from '../../src/options/listener-options.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { isOverWebSocket } from '../support/transport.js'
import { describePacket } from './conversation.js'

/** TABLE: where less than three messages at QoS 0, 1 and 2 arrives: `option value` → the rest, by protocol version. */
const LESS: Readonly<Record<string, (version: ProtocolVersion) => readonly string[] | undefined>> = {
  'max_keepalive 1': (version) => (version === 5 ? undefined : ['CONNACK 0 0x02']),
  'max_keepalive 65535': (version) => (version === 5 ? undefined : ['CONNACK 0 0x02']),
  'max_qos 0': () => ['q0'],
  'max_qos 1': () => ['q0', 'q1'],
  'memory_limit 1': (version) => [version === 5 ? 'CONNACK 0 0x97' : 'CONNACK 0 0x03'],
}

/** Nobody gets in: the request of a WebSocket has to fit. */
const CLOSED = isOverWebSocket() ? ['packet_buffer_size 1'] : []

/** They take more than a number to try. */
const APART = ['port', 'enable_proxy_protocol']

/** With CONNACK. The broker may notice a moment later than its client that the one before has left. */
async function connect(port: number, version: ProtocolVersion): Promise<{ client: RawClient; connack: string }> {
  for (let tries = 0; tries < 200; tries++) {
    const client = await RawClient.open(port)
    client.version = version
    client.send(connectPacket({ clientId: 'edge', version }))
    const answer = await client.next().catch(() => undefined)
    if (answer !== undefined) return { client, connack: describePacket(answer) }
  }
  throw new Error('nobody is let in')
}

/** Connects, subscribes, publishes at each QoS as long as it is let, and returns the refusal, or the QoS of what arrived. */
async function exchange(port: number, version: ProtocolVersion): Promise<readonly string[]> {
  const { client, connack } = await connect(port, version)
  if (!connack.endsWith(' 0x00')) return [connack]
  await client.subscribe('t')
  const arrived: string[] = []
  for (const qos of [0, 1, 2] as const) {
    client.publish({ topic: 't', payload: 'x', qos })
    try {
      for (let packets = await client.settled(); packets.length > 0; packets = await client.settled())
        for (const packet of packets)
          if (packet.type === PacketType.PUBLISH) {
            arrived.push(`q${packet.qos}`)
            if (packet.qos === 1) client.ack(PacketType.PUBACK, packet.packetId)
            if (packet.qos === 2) client.ack(PacketType.PUBREC, packet.packetId)
          } else if (packet.type === PacketType.PUBREC) client.ack(PacketType.PUBREL, packet.packetId)
          else if (packet.type === PacketType.PUBREL) client.ack(PacketType.PUBCOMP, packet.packetId)
    } catch {
      break
    }
  }
  await client.drop()
  return arrived
}

for (const row of [...limitOptions, ...listenerOptions]) {
  if (row.kind !== 'integer' || APART.includes(row.name)) continue
  const { name } = row
  const { min, max } = { min: 0, max: 2_147_483_647, ...row }
  for (const value of new Set([min, Math.max(min, 1), max]))
    test(`CVE-2026-42209 D3.5: ${name} ${value}`, async (t) => {
      const broker = await startBroker({ conf: `sys_interval 1\n${name} ${value}` })
      t.after(() => broker.stop())
      if (CLOSED.includes(`${name} ${value}`)) {
        await assert.rejects(connect(broker.port, 4), /nobody is let in/)
        return
      }
      for (const version of [3, 4, 5] as const) {
        const expected = LESS[`${name} ${value}`]?.(version) ?? ['q0', 'q1', 'q2']
        assert.deepEqual(await exchange(broker.port, version), expected, `version ${version}`)
        broker.advance(2)
      }
      assert.deepEqual(
        broker.log.filter((line) => line.includes('Internal error')),
        [],
      )
    })
}
