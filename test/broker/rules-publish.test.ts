// PUBLISH and its acknowledgements over a connection, table E.3 and E.4 of the rules: what is refused, what is answered how, what
// leaves the connection open (MQTT 5.0 sections 3.3 to 3.7, 4.13). Flows that need a session: see the files about QoS.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ProtocolVersion } from '../../src/protocol/packet-types.js'
import { type Bytes, hex, packet, props, raw, text, u8, u16, u32, utf8 } from '../golden/bytes.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { all, arrivals, type Conversation, converse, describePacket, freshId, old } from './conversation.js'

let broker: TestBroker
before(async () => {
  const acl = 'topic read #\ntopic write open/#\ntopic write t\n'
  broker = await startBroker({ conf: 'acl_file {folder}/acl\nmax_inflight_messages 20', files: { acl } })
})
after(() => broker.stop())

const x = utf8('x')
const subscribe = (list: Bytes, filter = 't', options = 0) => packet(0x82, u16(9), list, text(filter), u8(options))
/** QoS in the first byte; packet id 1 above QoS 0. */
const publish = (list: Bytes, topic: string, header: number, payload: Bytes = x, id = 1) =>
  packet(header, text(topic), (header & 6) === 0 ? [] : u16(id), list, payload)
const id = (header: number, packetId: number, code: Bytes = []) => packet(header, u16(packetId), code)
const SUBSCRIBED = 'SUBACK 9 00'

const QOS0 = 0x30
const QOS1 = 0x32
const QOS2 = 0x34
const QOS2_DUP = 0x3c
const PUBREL = 0x62

// biome-ignore format: one row a line
const refusals: readonly Conversation[] = [
  ...['private', '$SYS/broker/x', '$share/g/t', '$share'].flatMap((topic): Conversation[] => {
    const ids = topic === 'private' ? 'E88 F141' : 'E87'
    return [
      { name: `${ids} F142 [MQTT-3.3.5-2 of 3.1.1] PUBLISH QoS 1 to ${topic}`, versions: old, send: (list) => [subscribe(list, '#'), publish(list, topic, QOS1)], arrives: [SUBSCRIBED, 'PUBACK 1'], ends: 'open' },
      { name: `${ids} F144 PUBLISH QoS 1 to ${topic}`, versions: [5], send: (list) => [subscribe(list, '#'), publish(list, topic, QOS1)], arrives: [SUBSCRIBED, 'PUBACK 1 0x87'], ends: 'open' },
      { name: `${ids} PUBLISH QoS 2 to ${topic}`, versions: old, send: (list) => [subscribe(list, '#'), publish(list, topic, QOS2), id(PUBREL, 1)], arrives: [SUBSCRIBED, 'PUBREC 1', 'PUBCOMP 1'], ends: 'open' },
      { name: `${ids} PUBLISH QoS 2 to ${topic}`, versions: [5], send: (list) => [subscribe(list, '#'), publish(list, topic, QOS2)], arrives: [SUBSCRIBED, 'PUBREC 1 0x87'], ends: 'open' },
      { name: `${ids} PUBLISH QoS 0 to ${topic}`, versions: all, send: (list) => [subscribe(list, '#'), publish(list, topic, QOS0)], arrives: [SUBSCRIBED], ends: 'open' },
    ]
  }),
]

const alias = (value: number) => props(u8(0x23), u16(value))

// biome-ignore format: one row a line
const aliases: readonly Conversation[] = [
  { name: 'E90 [MQTT-3.2.2-17] [MQTT-3.3.2-9] Topic Alias 11 of 10', versions: [5], send: () => [publish(alias(11), 't', QOS0)], arrives: ['DISCONNECT 0x94'], ends: 'closed' },
  { name: 'E90 Topic Alias 65535', versions: [5], send: () => [publish(alias(65_535), 't', QOS1)], arrives: ['DISCONNECT 0x94'], ends: 'closed' },
  { name: 'E91 Topic Alias that was never set', versions: [5], send: () => [publish(alias(3), '', QOS0)], arrives: ['DISCONNECT 0x82'], ends: 'closed' },
  { name: '[MQTT-3.3.2-12] F120 Topic Aliases 1 and 10, set, used, set anew', versions: [5], send: (list) => [subscribe(list, 'open/+'), ...([[1, 'open/a'], [10, 'open/b'], [1, ''], [10, ''], [1, 'open/c'], [1, '']] as const).map(([value, topic]) => publish(alias(value), topic, QOS0))], arrives: [SUBSCRIBED, ...['a', 'b', 'a', 'b', 'c', 'c'].map((level) => `PUBLISH open/${level} 'x' q0`)], ends: 'open' },
  { name: 'F120 Topic Alias set with QoS 2, used with QoS 1 and 0', versions: [5], send: (list) => [subscribe(list), publish(alias(1), 't', QOS2), publish(alias(1), '', QOS1, x, 2), publish(alias(1), '', QOS0)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0", 'PUBREC 1', "PUBLISH t 'x' q0", 'PUBACK 2', "PUBLISH t 'x' q0"], ends: 'open' },
  { name: 'F121 Topic Alias set by a PUBLISH that was refused', versions: [5], send: () => [publish(alias(1), 'private', QOS1), publish(alias(1), '', QOS1, x, 2)], arrives: ['PUBACK 1 0x87', 'PUBACK 2 0x87'], ends: 'open' },
]

// biome-ignore format: one row a line
const publishes: readonly Conversation[] = [
  { name: 'E79 PUBLISH QoS 0 with DUP', versions: [3], send: (list) => [subscribe(list), publish(list, 't', 0x38)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0"], ends: 'open' },
  { name: 'E96 indicator 1, payload that is no text', versions: [5], send: (list) => [subscribe(list), publish(props(hex('01 01')), 't', QOS1, [0xff])], arrives: [SUBSCRIBED, "PUBLISH t '\uFFFD' q0", 'PUBACK 1'], ends: 'open' },
  { name: 'E102 [MQTT-3.3.4-7] 21 PUBLISH QoS 2 without PUBREL, Receive Maximum 20', versions: [5], send: (list) => [Buffer.concat([...Array(21).keys()].map((n) => publish(list, 't', QOS2, x, n + 1)))], arrives: [...[...Array(20).keys()].map((n) => `PUBREC ${n + 1} 0x10`), 'DISCONNECT 0x93'], ends: 'closed' },
  { name: 'E102 F118 30 PUBLISH QoS 2 without PUBREL', versions: old, send: (list) => [Buffer.concat([...Array(30).keys()].map((n) => publish(list, 't', QOS2, x, n + 1)))], arrives: [...Array(30).keys()].map((n) => `PUBREC ${n + 1}`), ends: 'open' },
  ...[QOS2, QOS2_DUP].map((header): Conversation => ({ name: `E103 E104 [MQTT-4.3.3-10] same id before PUBREL, first byte ${header}`, versions: all, send: (list) => [subscribe(list), publish(list, 't', QOS2), publish(list, 't', header, utf8('other'))], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0", 'PUBREC 1', 'PUBREC 1'], ends: 'open' })),
  { name: 'E105 QoS 1 with the id of an open QoS 2', versions: all, send: (list) => [subscribe(list), publish(list, 't', QOS2), publish(list, 't', QOS1, utf8('y')), id(PUBREL, 1)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0", 'PUBREC 1', "PUBLISH t 'y' q0", 'PUBACK 1', 'PUBCOMP 1'], ends: 'open' },
  { name: 'E107 empty payload', versions: all, send: (list) => [subscribe(list), publish(list, 't', QOS0, [])], arrives: [SUBSCRIBED, "PUBLISH t '' q0"], ends: 'open' },
  { name: 'E106 retained with empty payload', versions: all, send: (list) => [publish(list, 'open/kept', 0x31), publish(list, 'open/kept', 0x31, []), subscribe(list, 'open/kept')], arrives: [SUBSCRIBED], ends: 'open' },
  { name: 'E108 Message Expiry 0: to those who are there', versions: [5], send: (list) => [subscribe(list), publish(props(u8(2), u32(0)), 't', QOS1)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0", 'PUBACK 1'], ends: 'open' },
  { name: 'E108 Message Expiry 0: nothing is retained', versions: [5], send: (list) => [publish(props(u8(2), u32(0)), 'open/brief', 0x31), subscribe(list, 'open/brief')], arrives: [SUBSCRIBED], ends: 'open' },
  { name: '[MQTT-3.3.4-1] QoS 0, 1 and 2 are answered with nothing, PUBACK, PUBREC', versions: all, connect: { clientId: 'answers' }, send: (list) => [subscribe(list), publish(list, 't', QOS0), publish(list, 't', QOS1), publish(list, 't', QOS2, x, 2)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0", "PUBLISH t 'x' q0", 'PUBACK 1', "PUBLISH t 'x' q0", 'PUBREC 2'], ends: 'open' },
  { name: '[MQTT-2.2.1-5] PUBACK, PUBREC and PUBCOMP repeat ids 65535 and 1', versions: old, send: (list) => [publish(list, 't', QOS1, x, 65_535), publish(list, 't', QOS2), id(PUBREL, 1)], arrives: ['PUBACK 65535', 'PUBREC 1', 'PUBCOMP 1'], ends: 'open' },
  { name: 'E23 topic with U+FEFF and a supplementary character', versions: all, send: (list) => [subscribe(list, 'open/#'), publish(list, 'open/\uFEFF/\u{1F321}', QOS0)], arrives: [SUBSCRIBED, "PUBLISH open/\uFEFF/\u{1F321} 'x' q0"], ends: 'open' },
  { name: 'E31 User Property twice, empty name and value', versions: [5], send: (list) => [subscribe(list), publish(props(hex('26 00 01 61 00 00'), hex('26 00 01 61 00 00'), hex('26 00 00 00 00')), 't', QOS0)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0"], ends: 'open' },
  { name: 'E10 [MQTT-3.2.2-15] packet above max_packet_size, from its header', versions: old, send: () => [raw(hex('30 81 89 7a'))], arrives: [], ends: 'closed' },
  { name: 'E10 [MQTT-3.2.2-15] packet above max_packet_size, from its header', versions: [5], send: () => [raw(hex('30 81 89 7a'))], arrives: ['DISCONNECT 0x95'], ends: 'closed' },
]

const UNKNOWN = u8(0x92)

// biome-ignore format: one row a line
const acks: readonly Conversation[] = [
  { name: 'E118 F116 PUBACK for an unknown id', versions: all, send: () => [id(0x40, 7)], arrives: [], ends: 'open' },
  { name: 'E119 F3 PUBREC for an unknown id', versions: old, send: () => [id(0x50, 7)], arrives: ['PUBREL 7'], ends: 'open' },
  { name: 'E119 F3 PUBREC for an unknown id', versions: [5], send: () => [id(0x50, 7)], arrives: ['PUBREL 7 0x92'], ends: 'open' },
  { name: 'E120 PUBREC 0x80 for an unknown id', versions: [5], send: () => [id(0x50, 7, u8(0x80))], arrives: [], ends: 'open' },
  { name: 'E121 F2 PUBREL for an unknown id', versions: old, send: () => [id(PUBREL, 7)], arrives: ['PUBCOMP 7'], ends: 'open' },
  { name: 'E121 F2 PUBREL for an unknown id', versions: [5], send: () => [id(PUBREL, 7)], arrives: ['PUBCOMP 7 0x92'], ends: 'open' },
  { name: 'PUBREL with DUP as a retry', versions: [3], send: () => [id(0x6a, 7)], arrives: ['PUBCOMP 7'], ends: 'open' },
  { name: 'E122 PUBCOMP for an unknown id', versions: all, send: () => [id(0x70, 7)], arrives: [], ends: 'open' },
  { name: 'E127 PUBREL repeated', versions: old, send: (list) => [publish(list, 't', QOS2), id(PUBREL, 1), id(PUBREL, 1)], arrives: ['PUBREC 1', 'PUBCOMP 1', 'PUBCOMP 1'], ends: 'open' },
  { name: 'E127 PUBREL repeated', versions: [5], send: (list) => [subscribe(list), publish(list, 't', QOS2), id(PUBREL, 1), id(PUBREL, 1)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0", 'PUBREC 1', 'PUBCOMP 1', 'PUBCOMP 1 0x92'], ends: 'open' },
  { name: 'E128 PUBREL with 0x92 is answered and forgets the id', versions: [5], send: (list) => [subscribe(list), publish(list, 't', QOS2), id(PUBREL, 1, UNKNOWN), publish(list, 't', QOS2_DUP)], arrives: [SUBSCRIBED, "PUBLISH t 'x' q0", 'PUBREC 1', 'PUBCOMP 1', "PUBLISH t 'x' q0", 'PUBREC 1'], ends: 'open' },
  { name: 'E114 F159 PUBREL with a code alone', versions: [5], send: () => [id(PUBREL, 7, u8(0))], arrives: ['PUBCOMP 7 0x92'], ends: 'open' },
]

converse([...refusals, ...aliases, ...publishes, ...acks], () => broker)

// --- answers to what the broker has sent ---

interface Answer {
  readonly name: string
  readonly qos: 1 | 2
  /** Answers to the PUBLISH with id 1. */
  readonly answers: readonly Buffer[]
  readonly arrives: readonly string[]
  readonly ends: 'open' | 'closed'
}

// biome-ignore format: one row a line
const answers: readonly Answer[] = [
  { name: 'E123 PUBREC for a QoS 1 message', qos: 1, answers: [id(0x50, 1)], arrives: [], ends: 'closed' },
  { name: 'E123 PUBCOMP for a QoS 1 message', qos: 1, answers: [id(0x70, 1)], arrives: [], ends: 'closed' },
  { name: 'E124 PUBACK for a QoS 2 message', qos: 2, answers: [id(0x40, 1)], arrives: [], ends: 'closed' },
  { name: 'E125 PUBCOMP before PUBREC', qos: 2, answers: [id(0x70, 1)], arrives: [], ends: 'closed' },
  { name: 'E126 PUBREC again after PUBREL', qos: 2, answers: [id(0x50, 1), id(0x50, 1), id(0x70, 1)], arrives: ['PUBREL 1', 'PUBREL 1'], ends: 'open' },
  { name: 'E118 PUBACK twice', qos: 1, answers: [id(0x40, 1), id(0x40, 1)], arrives: [], ends: 'open' },
  { name: 'E122 PUBCOMP twice', qos: 2, answers: [id(0x50, 1), id(0x70, 1), id(0x70, 1)], arrives: ['PUBREL 1'], ends: 'open' },
]

async function receiver(version: ProtocolVersion, qos: 1 | 2): Promise<RawClient> {
  const { client } = await RawClient.connect(broker.port, { clientId: freshId(), version })
  await client.subscribe([{ filter: 't', qos }])
  client.publish({ topic: 't', payload: 'x', qos, packetId: 100 })
  const first = (await arrivals(client, 'open')).filter((line) => line.startsWith('PUBLISH'))
  assert.deepEqual(first, [`PUBLISH t 'x' q${qos} id 1`])
  return client
}

for (const version of all)
  for (const row of answers)
    test(`${row.name}, version ${version}`, async () => {
      const client = await receiver(version, row.qos)
      for (const bytes of row.answers) client.send(bytes)
      const farewell = row.ends === 'closed' && version === 5 ? ['DISCONNECT 0x82'] : []
      assert.deepEqual(await arrivals(client, row.ends), [...row.arrives, ...farewell])
      if (row.ends === 'open') client.disconnect()
      await client.closed()
    })

test('E92 [MQTT-3.2.2-18] Topic Alias although the broker announced none', async () => {
  const own = await startBroker({ conf: 'max_topic_alias 0' })
  try {
    const { client, connack } = await RawClient.connect(own.port, { version: 5 })
    assert.equal(connack.properties.topicAliasMaximum, undefined)
    client.send(publish(alias(1), 't', QOS0))
    assert.deepEqual((await client.closed()).map(describePacket), ['DISCONNECT 0x94'])
  } finally {
    await own.stop()
  }
})

test('E9 a packet whose end never comes: the connection waits, keep alive ends it', async () => {
  const own = await startBroker()
  try {
    const { client } = await RawClient.connect(own.port, { version: 5, keepAlive: 10 })
    client.send(publish([0], 't', QOS0).subarray(0, 4))
    const other = (await RawClient.connect(own.port, { clientId: 'other' })).client // the half packet has been read by now
    own.advance(14.5)
    assert.deepEqual(await other.settled(), [])
    own.advance(2)
    assert.deepEqual((await client.closed()).map(describePacket), ['DISCONNECT 0x8d'])
  } finally {
    await own.stop()
  }
})
