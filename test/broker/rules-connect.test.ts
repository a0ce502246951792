// CONNECT and CONNACK over a connection: what may come first, in which form a refusal is written for each version, what CONNACK
// tells (MQTT 5.0 sections 3.1, 3.2, 4.13). Single malformed packets: rules-malformed. What options change: rules-options.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Properties } from '../../src/protocol/properties.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { type Bytes, binary, hex, packet, props, raw, text, u8, u16, utf8 } from '../golden/bytes.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { all, type Conversation, converse, describePacket, freshId, old } from './conversation.js'

let broker: TestBroker
before(async () => {
  broker = await startBroker()
})
after(() => broker.stop())

const beginning = { 3: [...text('MQIsdp'), 3], 4: [...text('MQTT'), 4], 5: [...text('MQTT'), 5] }

/** CONNECT of a version: flags, payload, and in 5.0 a property list. */
function connect(version: ProtocolVersion, flags: number, payload: readonly Bytes[], list: Bytes = u8(0)): Buffer {
  return packet(0x10, beginning[version], u8(flags), u16(0), version === 5 ? list : [], ...payload)
}

/** A clean CONNECT with any name and level. */
function named(name: string, level: number): Buffer {
  return packet(0x10, text(name), u8(level), u8(2), u16(0), level === 5 ? u8(0) : [], text(freshId()))
}

const subscribeT = (list: Bytes) => packet(0x82, u16(1), list, text('t'), u8(0))
const publishT = (list: Bytes, payload = 'x') => packet(0x30, text('t'), list, utf8(payload))

// --- before CONNECT, and a second one ---

// biome-ignore format: one packet a line
const firstPackets: readonly (readonly [string, (list: Bytes) => Buffer])[] = [
  ['PUBLISH', publishT],
  ['SUBSCRIBE', subscribeT],
  ['PINGREQ', () => raw(hex('c0 00'))],
  ['DISCONNECT', () => raw(hex('e0 00'))],
  ['CONNACK', () => raw(hex('20 02 00 00'))],
  ['packet type 0', () => raw(hex('00 00'))],
  ['AUTH', () => packet(0xf0, u8(0x18), props(hex('15 00 01 6d')))],
  ['an HTTP request', () => Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['a TLS handshake', () => raw(hex('16 03 01 00 05 01 00 00 01 03'))],
]

const entrances: readonly Conversation[] = [
  ...firstPackets.map(
    ([name, first]): Conversation => ({
      name: `E1 [MQTT-3.1.0-1] [MQTT-3.14.0-1] ${name} before CONNECT`,
      versions: all,
      connect: false,
      send: (list) => [first(list)],
      arrives: [],
      ends: 'closed',
    }),
  ),
  {
    name: 'E35 [MQTT-3.1.0-2] second CONNECT',
    versions: old,
    send: () => [connect(4, 2, [text('second')])],
    arrives: [],
    ends: 'closed',
  },
  {
    name: 'E35 [MQTT-3.1.0-2] second CONNECT',
    versions: [5],
    send: () => [connect(5, 2, [text('second')])],
    arrives: ['DISCONNECT 0x82'],
    ends: 'closed',
  },
  {
    name: 'F98 [MQTT-3.1.4-5] [MQTT-3.2.0-1] packets behind CONNECT in one segment are handled after CONNACK',
    versions: [4],
    connect: false,
    send: (list) => [Buffer.concat([connect(4, 2, [text(freshId())]), subscribeT(list), publishT(list)])],
    arrives: ['CONNACK 0 0x00', 'SUBACK 1 00', "PUBLISH t 'x' q0"],
    ends: 'open',
  },
  {
    name: 'E11 a packet that never ends is no packet: CONNECT byte by byte, PUBLISH without its end',
    versions: [4],
    connect: false,
    send: () => [
      ...[...connect(4, 2, [text(freshId())])].map((byte) => Buffer.of(byte)),
      subscribeT([]),
      raw(hex('e0 00')),
      publishT([]).subarray(0, 4),
    ],
    arrives: ['CONNACK 0 0x00', 'SUBACK 1 00'],
    ends: 'closed',
  },
]
describe('order of packets', () => converse(entrances, () => broker))

// --- refusals and their form ---

interface Refusal {
  readonly name: string
  readonly bytes: () => Buffer
  /** Of the packets that come back. */
  readonly version?: ProtocolVersion
  readonly arrives: readonly string[]
}

const OLD_REFUSAL = 'CONNACK 0 0x01'
const NEW_REFUSAL = 'CONNACK 0 0x84'

// biome-ignore format: one row a line
const refusals: readonly Refusal[] = [
  ...[0, 1, 2].map((level): Refusal => ({ name: `E39 F147 [MQTT-3.1.2-2] level ${level} of MQTT`, bytes: () => named('MQTT', level), arrives: [OLD_REFUSAL] })),
  ...[6, 0x7f].map((level): Refusal => ({ name: `E39 F147 [MQTT-3.1.2-2] level ${level} of MQTT`, bytes: () => named('MQTT', level), version: 5, arrives: [NEW_REFUSAL] })),
  { name: 'E40 [MQTT-3.1.2-2] level 3 of MQTT', bytes: () => named('MQTT', 3), arrives: [OLD_REFUSAL] },
  { name: 'E40 [MQTT-3.1.2-2] level 4 of MQIsdp', bytes: () => named('MQIsdp', 4), arrives: [OLD_REFUSAL] },
  { name: 'E40 [MQTT-3.1.2-2] level 5 of MQIsdp', bytes: () => named('MQIsdp', 5), version: 5, arrives: [NEW_REFUSAL] },
  ...['mqtt', 'MQT', 'MQTTT', 'HTTP', ''].map((name): Refusal => ({ name: `E38 [MQTT-3.1.2-1] protocol name '${name}'`, bytes: () => named(name, 4), arrives: [] })),
  { name: 'E37 protocol name cut short', bytes: () => packet(0x10, u16(4), utf8('MQ')), arrives: [] },
  ...old.map((version): Refusal => ({ name: `E36 CONNECT ${version} with flags in its first byte`, bytes: () => Buffer.concat([Buffer.of(0x12), connect(version, 2, [text('c')]).subarray(1)]), version, arrives: [] })),
  { name: 'E36 CONNECT 5.0 with flags in its first byte', bytes: () => Buffer.concat([Buffer.of(0x18), connect(5, 2, [text('c')]).subarray(1)]), version: 5, arrives: [] },
  { name: 'E62 [MQTT-3.1.3-8 of 3.1.1] [MQTT-3.1.3-9 of 3.1.1] [MQTT-3.1.3-7 of 3.1.1] empty client id without clean session, 3.1.1', bytes: () => connect(4, 0, [text('')]), arrives: ['CONNACK 0 0x02'] },
  ...[0, 2].map((flags): Refusal => ({ name: `E62 empty client id, flags ${flags}, 3.1`, bytes: () => connect(3, flags, [text('')]), version: 3, arrives: ['CONNACK 0 0x02'] })),
  { name: 'E71 [MQTT-4.12.0-1] [MQTT-4.12.0-4] unknown authentication method', bytes: () => connect(5, 2, [text(freshId())], props(u8(0x15), text('SCRAM-SHA-256'))), version: 5, arrives: ['CONNACK 0 0x8c'] },
  { name: 'E77 F150 [MQTT-3.1.2-30] [MQTT-3.1.4-6] packets behind a CONNECT with authentication method', bytes: () => Buffer.concat([connect(5, 2, [text(freshId())], props(u8(0x15), text('m'))), subscribeT([0]), publishT([0])]), version: 5, arrives: ['CONNACK 0 0x8c'] },
  { name: 'E181 AUTH 0x19 before CONNACK', bytes: () => Buffer.concat([connect(5, 2, [text(freshId())], props(u8(0x15), text('m'))), packet(0xf0, u8(0x19), props(u8(0x15), text('m')))]), version: 5, arrives: ['CONNACK 0 0x8c'] },
  { name: 'E10 CONNECT above 100,000 bytes, before its body', bytes: () => raw(hex('10 ff ff 07')), arrives: [] },
]

describe('[MQTT-3.1.4-2] [MQTT-3.2.2-7] [MQTT-3.1.4-6] refused CONNECT', () => {
  for (const { name, bytes, version = 4, arrives } of refusals)
    test(name, async () => {
      const client = await RawClient.open(broker.port)
      client.version = version
      client.send(bytes())
      assert.deepEqual((await client.closed()).map(describePacket), arrives)
    })
})

// --- accepted ---

interface Accepted {
  readonly name: string
  readonly version: ProtocolVersion
  readonly bytes: () => Buffer
}

const everyByte = binary([...Array(256).keys()])

// biome-ignore format: one row a line
const accepted: readonly Accepted[] = [
  { name: 'E54 password without user name', version: 5, bytes: () => connect(5, 0x42, [text(freshId()), text('p')]) },
  { name: 'E62 empty client id without clean start', version: 5, bytes: () => connect(5, 0, [text('')]) },
  { name: 'E74 will indicator 1 with a payload that is no text', version: 5, bytes: () => connect(5, 6, [text(freshId()), props(hex('01 01')), text('w'), binary([0xff])]) },
  { name: 'E6 Remaining Length not in its shortest form', version: 4, bytes: () => Buffer.concat([raw(hex('10 8d 00')), connect(4, 2, [text('c')]).subarray(2)]) },
  ...all.flatMap((version): Accepted[] => [
    { name: 'E50 F162 will payload of zero length', version, bytes: () => connect(version, 6, [text(freshId()), version === 5 ? u8(0) : [], text('w'), text('')]) },
    { name: 'E58 F162 empty user name', version, bytes: () => connect(version, 0x82, [text(freshId()), text('')]) },
    { name: 'E59 password of all bytes', version, bytes: () => connect(version, 0xc2, [text(freshId()), text('u'), everyByte]) },
    { name: 'E23 client id with U+FEFF and a supplementary character', version, bytes: () => connect(version, 2, [text(`\uFEFF\u{1F321}${freshId()}`)]) },
    { name: '[MQTT-3.1.3-5] client id of one digit', version, bytes: () => connect(version, 2, [text('0')]) },
    { name: '[MQTT-3.1.3-5] client id of 23 letters', version, bytes: () => connect(version, 2, [text('abcdefghijklmnopqrstuvW')]) },
    { name: 'E64 client id of 1000 characters', version, bytes: () => connect(version, 2, [text('c'.repeat(1000))]) },
    { name: 'E64 client id with slash and wildcard', version, bytes: () => connect(version, 2, [text('a/+/#')]) },
  ]),
]

describe('[MQTT-3.1.4-5] [MQTT-3.2.0-2] accepted CONNECT gets exactly one CONNACK', () => {
  for (const { name, version, bytes } of accepted)
    test(`${name}, version ${version}`, async () => {
      const client = await RawClient.open(broker.port)
      client.version = version
      client.send(bytes())
      assert.deepEqual((await client.settled()).map(describePacket), ['CONNACK 0 0x00'])
      client.disconnect()
      await client.closed()
    })
})

// --- what CONNACK says ---

const always: Properties = { maximumPacketSize: 2_000_000, topicAliasMaximum: 10 }

test('CONNACK of 5.0 with every option at its default', async () => {
  const { client, connack } = await RawClient.connect(broker.port, { clientId: freshId(), version: 5 })
  assert.deepEqual(connack.properties, always)
  await client.drop()
})

const ids = /^auto-[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$/

test('E62 F99 F100 [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an empty client id is replaced by a new one, which works', async () => {
  const properties = { sessionExpiryInterval: 60 }
  const empty = { clientId: '', version: 5, properties } as const
  const first = await RawClient.connect(broker.port, empty)
  const second = await RawClient.connect(broker.port, empty)
  const { assignedClientIdentifier: clientId = '' } = first.connack.properties
  assert.match(clientId, ids)
  assert.notEqual(second.connack.properties.assignedClientIdentifier, clientId)
  await first.client.drop()
  const again = await RawClient.connect(broker.port, { clientId, version: 5, cleanStart: false, properties })
  assert.equal(again.connack.sessionPresent, true)
  assert.equal(again.connack.properties.assignedClientIdentifier, undefined)
  await Promise.all([again.client.drop(), second.client.drop()])
})

test('F99 an id is not told to a client that brought its own, nor to 3.1.1', async () => {
  const own = await RawClient.connect(broker.port, { clientId: freshId(), version: 5 })
  assert.equal(own.connack.properties.assignedClientIdentifier, undefined)
  const plain = await RawClient.connect(broker.port, { clientId: '', version: 4 })
  assert.deepEqual(plain.connack, { type: 2, sessionPresent: false, reasonCode: 0, properties: {} })
  await Promise.all([own.client.drop(), plain.client.drop()])
})

for (const requestResponseInformation of [0, 1])
  test(`F155 [MQTT-3.1.2-28] Request Response Information ${requestResponseInformation} gets none`, async () => {
    const properties = { requestResponseInformation }
    const { client, connack } = await RawClient.connect(broker.port, { clientId: freshId(), version: 5, properties })
    assert.deepEqual(connack.properties, always)
    await client.drop()
  })

test('[MQTT-4.12.0-6] no method in CONNECT: none in CONNACK and no AUTH', async () => {
  const { client, connack } = await RawClient.connect(broker.port, { clientId: freshId(), version: 5 })
  assert.equal(connack.properties.authenticationMethod, undefined)
  assert.deepEqual(await client.settled(), [])
  await client.drop()
})

test('[MQTT-3.2.2-6] F90 Session Present is 0 in a refusal although a session exists', async () => {
  const clientId = freshId()
  const properties = { sessionExpiryInterval: 60 }
  const { client } = await RawClient.connect(broker.port, { clientId, version: 5, properties })
  await client.drop()
  const { connack } = await RawClient.connect(broker.port, {
    clientId,
    version: 5,
    cleanStart: false,
    properties: { authenticationMethod: 'm' },
  })
  assert.equal(connack.sessionPresent, false)
})

// biome-ignore format: one row a line
const presence = [
  { name: '[MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2] Clean Start 1', cleanStart: true, present: false },
  { name: '[MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-3.1.3-2] Clean Start 0', cleanStart: false, present: true },
]
for (const { name, cleanStart, present } of presence)
  for (const version of [4, 5] as const)
    test(`${name} when a session exists, version ${version}`, async () => {
      const clientId = freshId()
      const fields = { clientId, version, properties: version === 5 ? { sessionExpiryInterval: 60 } : {} }
      const first = await RawClient.connect(broker.port, { ...fields, cleanStart: false })
      assert.equal(first.connack.sessionPresent, false, '[MQTT-3.1.2-6] nothing existed')
      await first.client.subscribe('presence')
      first.client.disconnect()
      await first.client.closed()
      const second = await RawClient.connect(broker.port, { ...fields, cleanStart })
      assert.equal(second.connack.sessionPresent, present)
      second.client.publish({ topic: 'presence', payload: 'x' })
      assert.deepEqual((await second.client.settled()).map(describePacket), present ? ["PUBLISH presence 'x' q0"] : [])
      second.client.disconnect()
      await second.client.closed()
    })

test('[MQTT-3.1.2-6] Clean Start 0 without a session makes one', async () => {
  const fields = {
    clientId: freshId(),
    version: 5,
    cleanStart: false,
    properties: { sessionExpiryInterval: 9 },
  } as const
  const { client, connack } = await RawClient.connect(broker.port, fields)
  assert.equal(connack.sessionPresent, false)
  await client.drop()
  const again = await RawClient.connect(broker.port, fields)
  assert.equal(again.connack.sessionPresent, true)
  await again.client.drop()
})

// --- Maximum Packet Size of the client ---

test('E68 [MQTT-3.1.2-24] CONNACK larger than the client takes: nothing is sent and nothing remains', async () => {
  const watcher = (await RawClient.connect(broker.port, { clientId: freshId() })).client
  await watcher.subscribe('small/will')
  const client = await RawClient.open(broker.port)
  client.version = 5
  const clientId = freshId()
  client.send(
    connectPacket({
      clientId,
      version: 5,
      properties: { maximumPacketSize: 10, sessionExpiryInterval: 100 },
      will: { topic: 'small/will' },
    }),
  )
  assert.deepEqual(await client.closed(), [])
  const again = await RawClient.connect(broker.port, { clientId, version: 5, cleanStart: false })
  assert.equal(again.connack.sessionPresent, false)
  assert.deepEqual(await watcher.settled(), [], 'no will')
  await Promise.all([again.client.drop(), watcher.drop()])
})

test('E68 [MQTT-3.2.2-19] [MQTT-3.2.2-20] a refusal leaves its Reason String out for a small client', async () => {
  const client = await RawClient.open(broker.port)
  client.version = 5
  client.send(connectPacket({ version: 5, properties: { maximumPacketSize: 12, authenticationMethod: 'm' } }))
  const [connack] = await client.closed()
  assert.deepEqual(connack, {
    type: PacketType.CONNACK,
    sessionPresent: false,
    reasonCode: ReasonCode.BAD_AUTHENTICATION_METHOD,
    properties: {},
  })
})

// --- time ---

for (const [name, bytes] of [
  ['nothing sent', Buffer.alloc(0)],
  ['E9 half a CONNECT', connect(4, 2, [text('half')]).subarray(0, 9)],
] as const)
  test(`E12 ${name}: closed after connect_timeout`, async () => {
    const own = await startBroker()
    try {
      const client = await RawClient.open(own.port)
      client.send(bytes)
      const other = await RawClient.connect(own.port, { clientId: 'other' }) // by now the first connection is known
      own.advance(29.5)
      assert.deepEqual(await other.client.settled(), [])
      own.advance(0.5)
      assert.deepEqual(await client.closed(), [])
    } finally {
      await own.stop()
    }
  })
