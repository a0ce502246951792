// Acknowledgements that the receiver of a message gives itself: not before it says so, on the connection there is then, and not
// when the session is another one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { type Publish, publish, type Qos } from '../../src/protocol/packets/publish.js'
import { connected, type Scene } from './scripted-broker.js'

const { PINGREQ, PUBACK, PUBREC } = PacketType

const inbound = (payload: string, qos: Qos, packetId: number, dup = false) =>
  publish({ topic: 'in', payload: Buffer.from(payload), qos, packetId, dup })

/** The packet ids of acknowledgements of one type. */
function ids(packets: readonly Packet[], type: Packet['type']): unknown[] {
  return packets.map((packet) => (packet.type === type && 'packetId' in packet ? packet.packetId : packet))
}

const PERSISTENT = { keepAlive: 4, cleanStart: false, reconnect: { base: 100, cap: 100 } }

/** Holds the acknowledgement of each message that comes. */
function holding({ client, recorder }: Scene): (() => void)[] {
  const releases: (() => void)[] = []
  const original = recorder.onMessage.bind(recorder)
  recorder.onMessage = (topic: string, packet: Publish) => {
    releases.push(client.holdAcknowledgement(packet))
    original(topic, packet)
  }
  return releases
}

for (const [qos, type] of [
  [1, PUBACK],
  [2, PUBREC],
] as const)
  test(`QoS ${qos}: acknowledged when the receiver says so, once`, async (t) => {
    const scene = await connected(t, { keepAlive: 4 })
    const releases = holding(scene)
    const { clock, peer, recorder } = scene
    peer.send(inbound('a', qos, 7), inbound('b', qos, 8))
    await recorder.received(2)
    clock.advance(4000)
    await peer.expect(PINGREQ)
    releases[0]?.()
    releases[0]?.()
    releases[1]?.()
    assert.deepEqual(ids(await peer.take(2), type), [7, 8])
  })

for (const qos of [1, 2] as const)
  test(`QoS ${qos}: sent again while its receiver is at it, it is not handed over again, and acknowledged once`, async (t) => {
    const scene = await connected(t, PERSISTENT)
    const releases = holding(scene)
    const { broker, clock, peer, recorder } = scene
    peer.send(inbound('a', qos, 7))
    await recorder.received(1)
    peer.drop()
    await recorder.ended()
    clock.advance(100)
    const next = await broker.peer(2)
    await next.accept({}, true)
    next.send(inbound('a', qos, 7, true), inbound('b', qos, 8))
    await recorder.received(2)
    assert.deepEqual(
      recorder.messages.map(({ payload }) => payload),
      ['a', 'b'],
    )
    releases[0]?.()
    releases[1]?.()
    assert.deepEqual(ids(await next.take(2), qos === 1 ? PUBACK : PUBREC), [7, 8])
  })

test('a session that is gone has nothing to acknowledge', async (t) => {
  const scene = await connected(t, PERSISTENT)
  const releases = holding(scene)
  const { broker, clock, peer, recorder } = scene
  peer.send(inbound('a', 1, 7))
  await recorder.received(1)
  peer.drop()
  await recorder.ended()
  clock.advance(100)
  const next = await broker.peer(2)
  await next.accept({}, false)
  next.send(inbound('b', 1, 7))
  await recorder.received(2)
  releases[0]?.()
  clock.advance(4000)
  await next.expect(PINGREQ)
  releases[1]?.()
  assert.deepEqual(ids(await next.take(1), PUBACK), [7])
})
