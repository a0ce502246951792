// QoS 1 and 2 through the broker: identifiers, DUP, acknowledgements, repetition - as publisher and as subscriber see them.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Ack } from '../../src/protocol/packets/acks.js'
import type { Qos } from '../../src/protocol/packets/publish.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { startBroker } from '../support/broker-kit.js'
import { client, line, nextPublish, payloads, publishesOf, received } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

const broker = await startBroker()
after(() => broker.stop())

const { PUBACK, PUBREC, PUBREL, PUBCOMP } = PacketType
const VERSIONS: readonly ProtocolVersion[] = [3, 4, 5]

async function ackOf(from: RawClient): Promise<string> {
  const { type, packetId, reasonCode } = (await from.next()) as Ack
  const names: Record<number, string> = {
    [PUBACK]: 'PUBACK',
    [PUBREC]: 'PUBREC',
    [PUBREL]: 'PUBREL',
    [PUBCOMP]: 'PUBCOMP',
  }
  return `${names[type]} ${packetId}${reasonCode === 0 ? '' : ` 0x${reasonCode.toString(16)}`}`
}

let next = 0
/** A topic that no other test uses. */
function unique(): string {
  return `qos/${++next}`
}

describe('from the publisher', () => {
  for (const version of VERSIONS) {
    test(`${version}: [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-2.2.1-5] QoS 0 gets no answer, QoS 1 PUBACK, QoS 2 PUBREC and PUBCOMP`, async (t) => {
      const topic = unique()
      const subscriber = await client(t, broker, { clientId: `${topic}-s` })
      await subscriber.subscribe(topic)
      const publisher = await client(t, broker, { clientId: `${topic}-p`, version })
      publisher.publish({ topic })
      publisher.publish({ topic, qos: 1, packetId: 10 })
      publisher.publish({ topic, qos: 2, packetId: 65_535 })
      assert.equal(await ackOf(publisher), 'PUBACK 10')
      assert.equal(await ackOf(publisher), 'PUBREC 65535')
      publisher.ack(PUBREL, 65_535)
      assert.equal(await ackOf(publisher), 'PUBCOMP 65535')
      assert.deepEqual(await publisher.settled(), [])
    })

    test(`${version}: F4 [MQTT-4.3.3-10] [MQTT-4.3.3-8] QoS 2 repeated before PUBREL, with or without DUP, is delivered once`, async (t) => {
      const topic = unique()
      const subscriber = await client(t, broker, { clientId: `${topic}-s` })
      await subscriber.subscribe([{ filter: topic, qos: 0 }])
      const publisher = await client(t, broker, { clientId: `${topic}-p`, version })
      for (const dup of [false, true, false]) {
        publisher.publish({ topic, payload: 'once', qos: 2, packetId: 7, dup })
        assert.equal(await ackOf(publisher), 'PUBREC 7')
      }
      assert.deepEqual(await payloads(subscriber), ['once'])
    })

    test(`${version}: F5 [MQTT-4.3.3-12] after PUBCOMP the same id is a new message, even with DUP 1`, async (t) => {
      const topic = unique()
      const subscriber = await client(t, broker, { clientId: `${topic}-s` })
      await subscriber.subscribe([{ filter: topic, qos: 0 }])
      const publisher = await client(t, broker, { clientId: `${topic}-p`, version })
      for (const dup of [false, true]) {
        publisher.publish({ topic, payload: `${dup}`, qos: 2, packetId: 7, dup })
        publisher.ack(PUBREL, 7)
        assert.equal(await ackOf(publisher), 'PUBREC 7')
        assert.equal(await ackOf(publisher), 'PUBCOMP 7')
      }
      assert.deepEqual(await payloads(subscriber), ['false', 'true'])
    })

    test(`${version}: F6 [MQTT-4.3.2-5] after PUBACK the same id is a new message, even with DUP 1`, async (t) => {
      const topic = unique()
      const subscriber = await client(t, broker, { clientId: `${topic}-s` })
      await subscriber.subscribe([{ filter: topic, qos: 0 }])
      const publisher = await client(t, broker, { clientId: `${topic}-p`, version })
      for (const payload of ['a', 'b']) publisher.publish({ topic, payload, qos: 1, packetId: 7, dup: true })
      await publisher.settled()
      assert.deepEqual(await payloads(subscriber), ['a', 'b'])
    })

    test(`${version}: F2 [MQTT-4.3.3-11] PUBREL for an unknown id gets ${version === 5 ? 'PUBCOMP 0x92' : 'PUBCOMP'}, every time (E127)`, async (t) => {
      const publisher = await client(t, broker, { clientId: unique(), version })
      const expected = version === 5 ? 'PUBCOMP 99 0x92' : 'PUBCOMP 99'
      for (let i = 0; i < 2; i++) {
        publisher.ack(PUBREL, 99)
        assert.equal(await ackOf(publisher), expected)
      }
    })

    test(`${version}: F17 [MQTT-4.6.0-2] [MQTT-4.6.0-3] acknowledgements come in the order of the messages`, async (t) => {
      const publisher = await client(t, broker, { clientId: unique(), version })
      const ids = [5, 3, 9, 1, 7]
      for (const packetId of ids) publisher.publish({ topic: unique(), qos: packetId === 9 ? 2 : 1, packetId })
      const acks = await publisher.settled()
      assert.deepEqual(
        acks.map((ack) => (ack as Ack).packetId),
        ids,
      )
    })
  }

  test('F9 [MQTT-4.3.3-9] a QoS 2 message refused with PUBREC leaves nothing open: the same id is new, its PUBREL unknown', async (t) => {
    const publisher = await client(t, broker, { clientId: unique(), version: 5 })
    publisher.publish({ topic: '$SYS/refused', qos: 2, packetId: 7 })
    assert.equal(await ackOf(publisher), 'PUBREC 7 0x87')
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: `${topic}-s` })
    await subscriber.subscribe([{ filter: topic, qos: 0 }])
    publisher.publish({ topic, payload: 'new', qos: 2, packetId: 7, dup: true })
    assert.equal(await ackOf(publisher), 'PUBREC 7')
    assert.deepEqual(await payloads(subscriber), ['new'])
    publisher.ack(PUBREL, 8)
    assert.equal(await ackOf(publisher), 'PUBCOMP 8 0x92')
  })

  test('F142 [MQTT-3.3.5-2 of 3.1.1] a 3.1.1 client whose QoS 2 message is refused finishes the handshake as if it were not', async (t) => {
    const publisher = await client(t, broker, { clientId: unique() })
    publisher.publish({ topic: '$SYS/refused', qos: 2, packetId: 7 })
    assert.equal(await ackOf(publisher), 'PUBREC 7')
    publisher.ack(PUBREL, 7)
    assert.equal(await ackOf(publisher), 'PUBCOMP 7')
  })

  test('E104 the first of two QoS 2 messages with one id counts; E105 QoS 1 with its id is a message of its own', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: `${topic}-s` })
    await subscriber.subscribe([{ filter: topic, qos: 0 }])
    const publisher = await client(t, broker, { clientId: `${topic}-p`, version: 5 })
    publisher.publish({ topic, payload: 'first', qos: 2, packetId: 7 })
    publisher.publish({ topic, payload: 'other', qos: 2, packetId: 7 })
    publisher.publish({ topic, payload: 'qos1', qos: 1, packetId: 7 })
    assert.equal((await publisher.settled()).length, 3)
    assert.deepEqual(await payloads(subscriber), ['first', 'qos1'])
  })

  test('E128 PUBREL with 0x92 ends the id like any other', async (t) => {
    const publisher = await client(t, broker, { clientId: unique(), version: 5 })
    publisher.publish({ topic: unique(), qos: 2, packetId: 7 })
    await publisher.next()
    publisher.ack(PUBREL, 7, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)
    assert.equal(await ackOf(publisher), 'PUBCOMP 7')
  })

  test('F140 F144 0x10 says that nobody is subscribed; an error acknowledgement leaves the connection open', async (t) => {
    const publisher = await client(t, broker, { clientId: unique(), version: 5 })
    publisher.publish({ topic: unique(), qos: 1, packetId: 1 })
    publisher.publish({ topic: unique(), qos: 2, packetId: 2 })
    publisher.publish({ topic: '$SYS/no', qos: 1, packetId: 3 })
    assert.equal(await ackOf(publisher), 'PUBACK 1 0x10')
    assert.equal(await ackOf(publisher), 'PUBREC 2 0x10')
    assert.equal(await ackOf(publisher), 'PUBACK 3 0x87')
    assert.deepEqual(await publisher.settled(), [])
  })
})

describe('to the subscriber', () => {
  const levels: readonly Qos[] = [0, 1, 2]
  for (const published of levels)
    for (const granted of levels)
      test(`[MQTT-3.8.4-8] [MQTT-2.2.1-2] published with ${published}, granted ${granted}: delivered with the smaller`, async (t) => {
        const topic = unique()
        const subscriber = await client(t, broker, { clientId: `${topic}-s` })
        await subscriber.subscribe([{ filter: topic, qos: granted }])
        const publisher = await client(t, broker, { clientId: `${topic}-p` })
        publisher.publish({ topic, payload: 'x', qos: published })
        const got = await nextPublish(subscriber)
        assert.equal(line(got), `${topic} x q${Math.min(published, granted)}`)
        assert.equal(got.packetId > 0, got.qos > 0)
      })

  for (const version of VERSIONS)
    test(`${version}: [MQTT-4.3.3-1] [MQTT-4.3.3-4] [MQTT-3.6.1-1] F15 PUBLISH, PUBREL (flags 0010) for PUBREC, silence after PUBCOMP`, async (t) => {
      const topic = unique()
      const subscriber = await client(t, broker, { clientId: `${topic}-s`, version })
      await subscriber.subscribe(topic)
      const publisher = await client(t, broker, { clientId: `${topic}-p` })
      publisher.publish({ topic, payload: 'x', qos: 2 })
      const { packetId, dup } = await nextPublish(subscriber)
      assert.equal(dup, false)
      subscriber.ack(PUBREC, packetId)
      // The framer of the test client refuses a PUBREL with any other flags.
      assert.equal(await ackOf(subscriber), `PUBREL ${packetId}`)
      subscriber.ack(PUBCOMP, packetId)
      assert.deepEqual(await subscriber.settled(), [])
    })

  test('F17 [MQTT-4.6.0-4] PUBRELs go out in the order of the PUBRECs, whatever that of the messages was', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: `${topic}-s` })
    await subscriber.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    for (const payload of ['a', 'b', 'c']) publisher.publish({ topic, payload, qos: 2 })
    await publisher.settled()
    const ids = publishesOf(await subscriber.settled()).map(({ packetId }) => packetId)
    for (const packetId of ids.toReversed()) subscriber.ack(PUBREC, packetId)
    assert.deepEqual(
      (await subscriber.settled()).map((packet) => (packet as Ack).packetId),
      ids.toReversed(),
    )
  })

  test('F1 [MQTT-4.4.0-2] PUBREC of 0x80 or more: no PUBREL, and not sent again to the session', async (t) => {
    const topic = unique()
    const fields = {
      clientId: `${topic}-s`,
      version: 5,
      cleanStart: false,
      properties: { sessionExpiryInterval: 100 },
    } as const
    const subscriber = await client(t, broker, fields)
    await subscriber.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    publisher.publish({ topic, qos: 2 })
    publisher.publish({ topic, qos: 1 })
    subscriber.ack(PUBREC, (await nextPublish(subscriber)).packetId, ReasonCode.QUOTA_EXCEEDED)
    subscriber.ack(PUBACK, (await nextPublish(subscriber)).packetId, ReasonCode.NOT_AUTHORIZED)
    assert.deepEqual(await subscriber.settled(), [])
    await subscriber.drop()
    const again = await client(t, broker, fields)
    assert.deepEqual(await again.settled(), [])
  })

  for (const version of VERSIONS)
    test(`${version}: F3 PUBREC for an unknown id is answered with PUBREL${version === 5 ? ' 0x92' : ''}`, async (t) => {
      const subscriber = await client(t, broker, { clientId: unique(), version })
      subscriber.ack(PUBREC, 4242)
      assert.equal(await ackOf(subscriber), version === 5 ? 'PUBREL 4242 0x92' : 'PUBREL 4242')
    })

  test('F10 ids of the two directions are separate: the same number is open both ways', async (t) => {
    const topic = unique()
    const both = await client(t, broker, { clientId: topic })
    await both.subscribe(topic)
    both.publish({ topic, payload: 'mine', qos: 2, packetId: 1 })
    const packets = [await both.next(), await both.next()]
    assert.deepEqual(packets.map(({ type }) => type).sort(), [PacketType.PUBLISH, PUBREC])
    both.ack(PUBREC, 1)
    both.ack(PUBREL, 1)
    assert.equal(await ackOf(both), 'PUBREL 1')
    assert.equal(await ackOf(both), 'PUBCOMP 1')
  })

  test('F11 E131 a SUBSCRIBE with the id of an open QoS 2 message of the client is served', async (t) => {
    const topic = unique()
    const both = await client(t, broker, { clientId: topic })
    both.publish({ topic, qos: 2, packetId: 1 })
    await both.next()
    const { packetId, reasonCodes } = await both.subscribe(topic)
    assert.deepEqual({ packetId, reasonCodes }, { packetId: 1, reasonCodes: [2] })
  })

  test('F13 [MQTT-3.3.1-3] DUP of the publisher is not passed on', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: `${topic}-s` })
    await subscriber.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    for (const qos of [1, 2] as const) publisher.publish({ topic, payload: 'x', qos, dup: true })
    await publisher.settled()
    assert.deepEqual(await received(subscriber), [`${topic} x q1`, `${topic} x q2`])
  })

  test('[MQTT-4.3.1-1] F113 QoS 0: once, DUP 0, whatever the subscriber answers', async (t) => {
    const topic = unique()
    const subscriber = await client(t, broker, { clientId: `${topic}-s` })
    await subscriber.subscribe(topic)
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    publisher.publish({ topic, payload: 'x' })
    await publisher.settled()
    subscriber.ack(PUBACK, 1)
    assert.deepEqual(await received(subscriber), [`${topic} x q0`])
    assert.deepEqual(await received(subscriber), [])
  })

  const faults: readonly {
    readonly name: string
    readonly qos: 1 | 2
    readonly type: typeof PUBACK | typeof PUBREC | typeof PUBCOMP
  }[] = [
    { name: 'E123 PUBREC for a QoS 1 message', qos: 1, type: PUBREC },
    { name: 'E123 PUBCOMP for a QoS 1 message', qos: 1, type: PUBCOMP },
    { name: 'E124 PUBACK for a QoS 2 message', qos: 2, type: PUBACK },
    { name: 'E125 PUBCOMP before PUBREC', qos: 2, type: PUBCOMP },
  ]
  for (const { name, qos, type } of faults)
    test(`${name}: DISCONNECT 0x82`, async (t) => {
      const topic = unique()
      const subscriber = await client(t, broker, { clientId: topic, version: 5 })
      await subscriber.subscribe(topic)
      const publisher = await client(t, broker, { clientId: `${topic}-p` })
      publisher.publish({ topic, qos })
      subscriber.ack(type, (await nextPublish(subscriber)).packetId)
      const [last] = await subscriber.closed()
      assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === ReasonCode.PROTOCOL_ERROR)
    })
})
