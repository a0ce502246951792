// SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT and AUTH over a connection, tables E.5 to E.9 of the rules: their answers, and which
// of them end the connection (MQTT 5.0 sections 3.8 to 3.15, 4.12). Single malformed packets: rules-malformed.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Properties } from '../../src/protocol/properties.js'
import { type Bytes, hex, packet, props, raw, text, u8, u16, u32, utf8, varint } from '../golden/bytes.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { all, type Conversation, converse, describePacket, freshId, old } from './conversation.js'

let broker: TestBroker
before(async () => {
  broker = await startBroker()
})
after(() => broker.stop())

type Filter = readonly [filter: string, options: number]

const subscribe = (list: Bytes, packetId: number, ...filters: Filter[]) =>
  packet(0x82, u16(packetId), list, ...filters.map(([filter, options]) => [...text(filter), ...u8(options)]))
const unsubscribe = (list: Bytes, packetId: number, ...filters: string[]) =>
  packet(0xa2, u16(packetId), list, ...filters.map((filter) => text(filter)))
const publish = (list: Bytes, topic: string, header = 0x30, packetId = 1) =>
  packet(header, text(topic), header > 0x31 ? u16(packetId) : [], list, utf8('x'))

const NO_LOCAL = 4
const FILTERS = ['#', '+', '+/+/#', 'a/+/c', '/', '//', '+/', '/+', '$other/#', 'a b', 'é/\u{1F321}'] as const

// biome-ignore format: one row a line
const subscriptions: readonly Conversation[] = [
  { name: '[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6] SUBSCRIBE with id 65535', versions: all, send: (list) => [subscribe(list, 65_535, ['t', 0])], arrives: ['SUBACK 65535 00'], ends: 'open' },
  { name: '[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] F59 one code a filter, in order, repeated filters included', versions: all, send: (list) => [subscribe(list, 5, ['a', 2], ['b', 0], ['c', 1], ['a', 1], ['a', 0])], arrives: ['SUBACK 5 02 00 01 01 00'], ends: 'open' },
  { name: '[MQTT-3.8.4-5] several filters act like several SUBSCRIBEs: the last of equal ones counts', versions: all, send: (list) => [subscribe(list, 5, ['t', 2], ['t', 0]), publish(list, 't', 0x32)], arrives: ['SUBACK 5 02 00', "PUBLISH t 'x' q0", 'PUBACK 1'], ends: 'open' },
  { name: '[MQTT-3.8.4-8] delivery at the lower of published and granted QoS', versions: all, send: (list) => [subscribe(list, 5, ['t', 1]), publish(list, 't'), publish(list, 't', 0x34, 3)], arrives: ['SUBACK 5 01', "PUBLISH t 'x' q0", "PUBLISH t 'x' q1 id 1", 'PUBREC 3'], ends: 'open' },
  { name: '[MQTT-3.8.4-3] F57 an equal filter replaces the subscription', versions: all, send: (list) => [subscribe(list, 5, ['t', 1]), subscribe(list, 6, ['t', 0]), publish(list, 't', 0x32)], arrives: ['SUBACK 5 01', 'SUBACK 6 00', "PUBLISH t 'x' q0", 'PUBACK 1'], ends: 'open' },
  { name: 'E131 SUBSCRIBE with an id that is open', versions: all, send: (list) => [subscribe(list, 3, ['t', 0]), publish(list, 't', 0x34, 7), subscribe(list, 7, ['u', 1])], arrives: ['SUBACK 3 00', "PUBLISH t 'x' q0", 'PUBREC 7', 'SUBACK 7 01'], ends: 'open' },
  { name: 'E142 good filters beside a bad one: nothing is subscribed', versions: [5], send: (list) => [subscribe(list, 3, ['t', 0], ['a#', 0], ['u', 0])], arrives: ['DISCONNECT 0x81'], ends: 'closed' },
  { name: 'E142 good filters beside a bad one', versions: old, send: (list) => [subscribe(list, 3, ['t', 0], ['a#', 0], ['u', 0])], arrives: [], ends: 'closed' },
  { name: 'E148 F131 $share/g//t is the filter /t', versions: all, send: (list) => [subscribe(list, 3, ['$share/g//t', 0]), publish(list, '/t'), publish(list, 't')], arrives: ['SUBACK 3 00', "PUBLISH /t 'x' q0"], ends: 'open' },
  ...['$SHARE/g/t', '$shared/g/t', '$sharex/y'].flatMap((filter): Conversation[] => [
    { name: `E149 F130 ${filter} is a plain filter`, versions: all, send: (list) => [subscribe(list, 3, [filter, 0]), publish(list, 't')], arrives: ['SUBACK 3 00'], ends: 'open' },
    { name: `E149 F130 ${filter} may have No Local`, versions: [5], send: (list) => [subscribe(list, 3, [filter, NO_LOCAL])], arrives: ['SUBACK 3 00'], ends: 'open' },
  ]),
  ...FILTERS.map((filter): Conversation => ({ name: `SUBSCRIBE ${filter} is granted`, versions: all, send: (list) => [subscribe(list, 1, [filter, 2])], arrives: ['SUBACK 1 02'], ends: 'open' })),
  { name: '[MQTT-3.8.3-3] F143 No Local alone keeps the own message back', versions: [5], send: (list) => [subscribe(list, 1, ['t', NO_LOCAL], ['u', 0]), publish(list, 't'), publish(list, 'u')], arrives: ['SUBACK 1 00 00', "PUBLISH u 'x' q0"], ends: 'open' },
  { name: 'Subscription Identifiers 1 and 268435455 are taken', versions: [5], send: () => [subscribe(props(u8(0x0b), u8(1)), 1, ['t', 0]), subscribe(props(u8(0x0b), varint(268_435_455)), 2, ['u', 0])], arrives: ['SUBACK 1 00', 'SUBACK 2 00'], ends: 'open' },
]

// biome-ignore format: one row a line
const unsubscriptions: readonly Conversation[] = [
  { name: '[MQTT-3.10.4-4] [MQTT-3.10.4-5] E163 F62 UNSUBSCRIBE of what was not subscribed', versions: old, send: (list) => [unsubscribe(list, 65_535, 'none')], arrives: ['UNSUBACK 65535'], ends: 'open' },
  { name: '[MQTT-3.10.4-4] [MQTT-3.10.4-5] E163 F62 UNSUBSCRIBE of what was not subscribed', versions: [5], send: (list) => [unsubscribe(list, 65_535, 'none')], arrives: ['UNSUBACK 65535 11'], ends: 'open' },
  { name: '[MQTT-3.10.4-1] F63 filters are compared as text', versions: [5], send: (list) => [subscribe(list, 1, ['a/+', 0], ['$share/g/a/b', 0]), unsubscribe(list, 2, 'a/b', 'A/+', 'a/+/', 'a/#', '$share/h/a/b'), publish(list, 'a/b')], arrives: ['SUBACK 1 00 00', 'UNSUBACK 2 11 11 11 11 11', "PUBLISH a/b 'x' q0", "PUBLISH a/b 'x' q0"], ends: 'open' },
  { name: '[MQTT-3.10.4-2] nothing is delivered afterwards', versions: old, send: (list) => [subscribe(list, 1, ['a/+', 0], ['b', 0]), unsubscribe(list, 2, 'a/+'), publish(list, 'a/b'), publish(list, 'b')], arrives: ['SUBACK 1 00 00', 'UNSUBACK 2', "PUBLISH b 'x' q0"], ends: 'open' },
  { name: '[MQTT-3.10.4-2] nothing is delivered afterwards', versions: [5], send: (list) => [subscribe(list, 1, ['a/+', 0], ['b', 0]), unsubscribe(list, 2, 'a/+'), publish(list, 'a/b'), publish(list, 'b')], arrives: ['SUBACK 1 00 00', 'UNSUBACK 2 00', "PUBLISH b 'x' q0"], ends: 'open' },
  { name: '[MQTT-3.10.4-6] [MQTT-3.11.3-1] several filters, one UNSUBACK, codes in order', versions: [5], send: (list) => [subscribe(list, 1, ['a', 0], ['b', 0]), unsubscribe(list, 2, 'x', 'a', 'a', 'b')], arrives: ['SUBACK 1 00 00', 'UNSUBACK 2 11 00 11 00'], ends: 'open' },
  { name: '[MQTT-3.10.4-3] a delivery that has begun is finished', versions: old, send: (list) => [subscribe(list, 1, ['t', 2]), publish(list, 't', 0x34), unsubscribe(list, 2, 't'), packet(0x50, u16(1)), packet(0x70, u16(1))], arrives: ['SUBACK 1 02', "PUBLISH t 'x' q2 id 1", 'PUBREC 1', 'UNSUBACK 2', 'PUBREL 1'], ends: 'open' },
  { name: 'UNSUBSCRIBE with an open id', versions: [5], send: (list) => [publish(list, 'none', 0x34, 7), unsubscribe(list, 7, 't')], arrives: ['PUBREC 7 0x10', 'UNSUBACK 7 11'], ends: 'open' },
]

const method = (name: string) => props(u8(0x15), text(name))
const expiry = (seconds: number) => props(u8(0x11), u32(seconds))
const disconnect = (code: number, list: Bytes = []) => packet(0xe0, u8(code), list)
const durable = { properties: { sessionExpiryInterval: 60 } }

// biome-ignore format: one row a line
const others: readonly Conversation[] = [
  { name: '[MQTT-3.14.4-2] DISCONNECT closes', versions: all, send: () => [raw(hex('e0 00'))], arrives: [], ends: 'closed' },
  { name: 'E15 [MQTT-3.14.4-1] packets behind DISCONNECT are ignored', versions: all, send: (list) => [Buffer.concat([subscribe(list, 1, ['t', 0]), raw(hex('e0 00')), publish(list, 't'), raw(hex('c0 00'))])], arrives: ['SUBACK 1 00'], ends: 'closed' },
  { name: 'E15 F145 a fault behind DISCONNECT is ignored', versions: all, send: () => [Buffer.concat([raw(hex('e0 00')), raw(hex('00 00'))])], arrives: [], ends: 'closed' },
  { name: 'E168 F159 DISCONNECT with a code alone', versions: [5], send: () => [disconnect(0)], arrives: [], ends: 'closed' },
  ...hex('04 80 81 82 83 90 93 94 95 96 97 98 99').map((code): Conversation => ({ name: `F145 DISCONNECT 0x${code.toString(16)} from a client is not answered`, versions: [5], send: () => [disconnect(code)], arrives: [], ends: 'closed' })),
  { name: 'E170 DISCONNECT raises Session Expiry from nothing', versions: [5], send: () => [disconnect(0, expiry(1))], arrives: ['DISCONNECT 0x82'], ends: 'closed' },
  { name: 'E170 DISCONNECT raises Session Expiry from 0', versions: [5], connect: { properties: { sessionExpiryInterval: 0 } }, send: () => [disconnect(0, expiry(0xffffffff))], arrives: ['DISCONNECT 0x82'], ends: 'closed' },
  ...[0, 1, 60, 61, 0xffffffff].map((seconds): Conversation => ({ name: `E171 DISCONNECT changes Session Expiry from 60 to ${seconds}`, versions: [5], connect: durable, send: () => [disconnect(0, expiry(seconds))], arrives: [], ends: 'closed' })),
  { name: 'E171 DISCONNECT repeats Session Expiry 0', versions: [5], send: () => [disconnect(0, expiry(0))], arrives: [], ends: 'closed' },
  { name: 'E172 Server Reference from a client', versions: [5], send: () => [disconnect(0, props(u8(0x1c), text('a')))], arrives: ['DISCONNECT 0x82'], ends: 'closed' },
  ...hex('18 19').map((code): Conversation => ({ name: `E176 E180 [MQTT-4.12.0-7] [MQTT-4.12.1-1] [MQTT-4.12.1-2] AUTH 0x${code.toString(16)} in a session without a method`, versions: [5], send: () => [packet(0xf0, u8(code), method('m'))], arrives: ['DISCONNECT 0x82'], ends: 'closed' })),
]

describe('SUBSCRIBE', () => converse(subscriptions, () => broker))
describe('UNSUBSCRIBE', () => converse(unsubscriptions, () => broker))
describe('DISCONNECT, AUTH', () => converse(others, () => broker))

for (const version of all)
  test(`[MQTT-3.12.4-1] each PINGREQ has its PINGRESP, version ${version}`, async () => {
    const { client } = await RawClient.connect(broker.port, { clientId: freshId(), version })
    client.send('c000 c000 c000')
    for (let i = 0; i < 3; i++) await client.expect(PacketType.PINGRESP)
    assert.deepEqual(await client.settled(), [])
    await client.drop()
  })

test('E142 nothing of a refused SUBSCRIBE remains in the session', async () => {
  const fields = { clientId: freshId(), cleanStart: false } as const
  const { client } = await RawClient.connect(broker.port, fields)
  client.send(subscribe([], 3, ['kept', 0], ['a#', 0]))
  await client.closed()
  const again = await RawClient.connect(broker.port, fields)
  again.client.publish({ topic: 'kept' })
  assert.deepEqual(await again.client.settled(), [])
  await again.client.drop()
})

// --- what DISCONNECT does to the session and the will ---

interface Farewell {
  readonly name: string
  readonly properties?: Properties
  readonly send: Buffer
  readonly hasWill: boolean
  /** Whether the session is there after 30 s. */
  readonly remains: boolean
}

// biome-ignore format: one row a line
const farewells: readonly Farewell[] = [
  { name: '[MQTT-3.14.4-3] [MQTT-3.1.2-10] 0x00 drops the will', send: raw(hex('e0 00')), hasWill: false, remains: false },
  { name: 'F73 0x04 keeps the will', send: disconnect(4), hasWill: true, remains: false },
  { name: 'F73 an error code keeps the will', send: disconnect(0x80), hasWill: true, remains: false },
  { name: 'E169 a code that is not the client’s keeps the will', send: disconnect(0x8b), hasWill: true, remains: false },
  { name: 'E170 F74 a refused Session Expiry keeps the will', send: disconnect(0, expiry(100)), hasWill: true, remains: false },
  { name: 'E171 [MQTT-3.1.2-23] the session of CONNECT remains', ...durable, send: disconnect(0), hasWill: false, remains: true },
  { name: 'E171 F83 Session Expiry lowered to 20', ...durable, send: disconnect(0, expiry(20)), hasWill: false, remains: false },
  { name: 'E171 F83 Session Expiry set to 0', ...durable, send: disconnect(0, expiry(0)), hasWill: false, remains: false },
  { name: 'E171 F83 Session Expiry raised to 100', properties: { sessionExpiryInterval: 10 }, send: disconnect(0, expiry(100)), hasWill: false, remains: true },
  { name: 'E167 DISCONNECT with flags keeps will and session', ...durable, send: raw(hex('e1 00')), hasWill: true, remains: true },
]

for (const { name, properties = {}, send, hasWill, remains } of farewells)
  test(`DISCONNECT: ${name}`, async () => {
    const own = await startBroker()
    try {
      const watcher = (await RawClient.connect(own.port, { clientId: 'watcher' })).client
      await watcher.subscribe('gone')
      const fields = { clientId: 'leaver', version: 5, properties } as const
      const { client } = await RawClient.connect(own.port, { ...fields, will: { topic: 'gone' } })
      client.send(send)
      await client.closed()
      assert.deepEqual((await watcher.settled()).map(describePacket), hasWill ? ["PUBLISH gone '' q0"] : [])
      own.advance(30)
      const { connack } = await RawClient.connect(own.port, { ...fields, cleanStart: false })
      assert.equal(connack.sessionPresent, remains)
    } finally {
      await own.stop()
    }
  })

// --- problem information ---

for (const requestProblemInformation of [0, 1])
  test(`[MQTT-3.1.2-29] F111 Request Problem Information ${requestProblemInformation}: no Reason String on acknowledgements, allowed on DISCONNECT`, async () => {
    const acl = 'topic read #\n'
    const own = await startBroker({ conf: 'acl_file {folder}/acl\nmax_subscriptions 1', files: { acl } })
    try {
      const fields = { version: 5, properties: { requestProblemInformation } } as const
      const { client } = await RawClient.connect(own.port, fields)
      const { properties } = await client.subscribe([{ filter: 'a' }, { filter: 'b' }])
      assert.deepEqual(properties, {})
      client.publish({ topic: 'denied', qos: 1, packetId: 1 })
      client.publish({ topic: 'denied', qos: 2, packetId: 2 })
      client.send(packet(PacketType.PUBREL * 16 + 2, u16(9)))
      client.send(packet(PacketType.PUBREC * 16, u16(9)))
      const answers = await client.settled()
      assert.deepEqual(answers.map(describePacket), [
        'PUBACK 1 0x87',
        'PUBREC 2 0x87',
        'PUBCOMP 9 0x92',
        'PUBREL 9 0x92',
      ])
      for (const answer of answers) assert.deepEqual('properties' in answer && answer.properties, {})
      client.send('00 00')
      const [farewell] = await client.closed()
      assert.deepEqual(farewell, {
        type: PacketType.DISCONNECT,
        reasonCode: 0x81,
        properties: { reasonString: 'packet type 0' },
      })
    } finally {
      await own.stop()
    }
  })

test('[MQTT-3.14.2-3] F108 the Reason String of DISCONNECT is left out for a small client', async () => {
  const fields = { clientId: freshId(), version: 5, properties: { maximumPacketSize: 18 } } as const
  const { client } = await RawClient.connect(broker.port, fields)
  client.send('00 00')
  assert.deepEqual(await client.closed(), [{ type: PacketType.DISCONNECT, reasonCode: 0x81, properties: {} }])
})
