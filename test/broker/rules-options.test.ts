// What options change in the protocol: announced in CONNACK, enforced afterwards, each at 0, at 1 and at its largest value where
// that makes sense (MQTT 5.0 sections 3.1.2, 3.2.2). Limits on connections and sessions: rules-limits.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import type { Properties } from '../../src/protocol/properties.js'
import { hex, packet, props, raw, text, u8, u16, utf8 } from '../golden/bytes.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'
import { all, arrivals, describePacket, old } from './conversation.js'

async function withBroker(conf: string, use: (broker: TestBroker) => Promise<void>): Promise<void> {
  const broker = await startBroker({ conf })
  try {
    await use(broker)
  } finally {
    await broker.stop()
  }
}

/** Everything that comes back for a CONNECT that is refused. */
async function refused(broker: TestBroker, fields: ConnectFields): Promise<string[]> {
  const client = await RawClient.open(broker.port)
  client.version = fields.version ?? 4
  client.send(connectPacket(fields))
  return (await client.closed()).map(describePacket)
}

// --- what CONNACK of 5.0 announces ---

interface Announcement {
  readonly conf: string
  readonly connect?: ConnectFields
  /** Beside or instead of what is announced by default. */
  readonly properties: Properties
}

const always = { maximumPacketSize: 2_000_000, topicAliasMaximum: 10 }
const { topicAliasMaximum: _alias, ...withoutAliases } = always

// biome-ignore format: one row a line
const announcements: readonly (Announcement & { readonly name: string })[] = [
  { name: '[MQTT-3.2.2-9]', conf: 'max_qos 0', properties: { ...always, maximumQos: 0 } },
  { name: '[MQTT-3.2.2-9]', conf: 'max_qos 1', properties: { ...always, maximumQos: 1 } },
  { name: '', conf: 'max_qos 2', properties: always },
  { name: '', conf: 'retain_available false', properties: { ...always, retainAvailable: 0 } },
  { name: '', conf: 'max_topic_alias 0', properties: withoutAliases },
  { name: '', conf: 'max_topic_alias 1', properties: { ...always, topicAliasMaximum: 1 } },
  { name: '', conf: 'max_topic_alias 65535', properties: { ...always, topicAliasMaximum: 65_535 } },
  { name: '', conf: 'max_inflight_messages 0', properties: always },
  { name: '', conf: 'max_inflight_messages 1', properties: { ...always, receiveMaximum: 1 } },
  { name: '', conf: 'max_inflight_messages 65535', properties: always },
  { name: '', conf: 'max_packet_size 60', properties: { ...always, maximumPacketSize: 60 } },
  { name: '', conf: 'max_packet_size 2147483647', properties: { ...always, maximumPacketSize: 2_147_483_647 } },
  { name: '[MQTT-3.2.2-22]', conf: 'max_keepalive 0', connect: { keepAlive: 65_535 }, properties: always },
  { name: '[MQTT-3.2.2-22]', conf: 'max_keepalive 60', connect: { keepAlive: 60 }, properties: always },
  { name: '', conf: 'max_keepalive 60', connect: { keepAlive: 61 }, properties: { ...always, serverKeepAlive: 60 } },
  { name: '', conf: 'max_keepalive 1', connect: { keepAlive: 0 }, properties: { ...always, serverKeepAlive: 1 } },
  { name: 'F84', conf: 'persistent_client_expiration 1h', connect: { properties: { sessionExpiryInterval: 3601 } }, properties: { ...always, sessionExpiryInterval: 3600 } },
  { name: '', conf: 'persistent_client_expiration 1h', connect: { properties: { sessionExpiryInterval: 3600 } }, properties: always },
]

describe('announced in CONNACK', () => {
  for (const { name, conf, connect, properties } of announcements)
    test(`${name} ${conf}, client asks ${JSON.stringify(connect ?? {})}`.trim(), () =>
      withBroker(conf, async (broker) => {
        const { connack } = await RawClient.connect(broker.port, { ...connect, version: 5 })
        assert.deepEqual(connack.properties, properties)
      }),
    )
})

// --- CONNECT refused because of an option ---

interface Refusal {
  readonly name: string
  readonly conf: string
  readonly connect: ConnectFields
  /** Version → what comes back before the close. */
  readonly arrives: Partial<Record<ProtocolVersion, readonly string[]>>
}

const code = (reason: string) => [`CONNACK 0 0x${reason}`]
const will = { topic: 'w', payload: Buffer.from('12') }

// biome-ignore format: one row a line
const refusals: readonly Refusal[] = [
  { name: 'E52 [MQTT-3.2.2-12] [MQTT-3.2.2-6 of 3.1.1] will QoS 1 of 0', conf: 'max_qos 0', connect: { will: { ...will, qos: 1 } }, arrives: { 3: [], 4: [], 5: code('9b') } },
  { name: 'E52 [MQTT-3.2.2-12] will QoS 2 of 1', conf: 'max_qos 1', connect: { will: { ...will, qos: 2 } }, arrives: { 4: [], 5: code('9b') } },
  { name: 'E53 [MQTT-3.2.2-13] retained will', conf: 'retain_available false', connect: { will: { ...will, retain: true } }, arrives: { 3: [], 4: [], 5: code('9a') } },
  { name: 'will above message_size_limit', conf: 'message_size_limit 1', connect: { will }, arrives: { 4: [], 5: code('95') } },
  { name: 'keep alive above max_keepalive', conf: 'max_keepalive 60', connect: { keepAlive: 61 }, arrives: { 3: code('02'), 4: code('02') } },
  { name: 'no keep alive with max_keepalive', conf: 'max_keepalive 60', connect: { keepAlive: 0 }, arrives: { 3: code('02'), 4: code('02') } },
  { name: 'E63 [MQTT-3.1.3-8] [MQTT-3.1.3-9 of 3.1.1] empty client id', conf: 'allow_zero_length_clientid false', connect: { clientId: '' }, arrives: { 3: code('02'), 4: code('02'), 5: code('85') } },
  { name: 'E64 client id without the prefix', conf: 'clientid_prefixes ab', connect: { clientId: 'a' }, arrives: { 3: code('05'), 4: code('05'), 5: code('87') } },
  { name: 'E41 [MQTT-3.1.2-2] 3.1 not accepted', conf: 'accept_protocol_versions 4,5', connect: {}, arrives: { 3: code('01') } },
  { name: 'E41 [MQTT-3.1.2-2] 3.1.1 not accepted', conf: 'accept_protocol_versions 3 5', connect: {}, arrives: { 4: code('01') } },
  { name: 'E41 [MQTT-3.1.2-2] 5.0 not accepted', conf: 'accept_protocol_versions 3 4', connect: {}, arrives: { 5: code('84') } },
  { name: 'E41 only 5.0', conf: 'accept_protocol_versions 5', connect: {}, arrives: { 3: code('01'), 4: code('01') } },
  { name: 'no user name to be the client id', conf: 'use_username_as_clientid true', connect: {}, arrives: { 3: code('05'), 4: code('05'), 5: code('87') } },
  { name: 'empty user name to be the client id', conf: 'use_username_as_clientid true', connect: { username: '' }, arrives: { 4: code('05'), 5: code('87') } },
  { name: 'E65 F154 [MQTT-3.1.4-2] no credentials', conf: 'allow_anonymous false', connect: {}, arrives: { 3: code('05'), 4: code('05'), 5: code('87') } },
  { name: 'E10 CONNECT above max_packet_size', conf: 'max_packet_size 20', connect: { clientId: '1234567' }, arrives: { 4: [], 5: [] } },
]

describe('refused because of an option', () => {
  for (const { name, conf, connect, arrives } of refusals)
    for (const version of all.filter((known) => arrives[known] !== undefined))
      test(`${name}: ${conf}, version ${version}`, () =>
        withBroker(conf, async (broker) => {
          assert.deepEqual(await refused(broker, { ...connect, version }), arrives[version])
        }))
})

// biome-ignore format: one row a line
const admitted: readonly { readonly conf: string; readonly connect: ConnectFields; readonly versions: readonly ProtocolVersion[] }[] = [
  { conf: 'max_qos 1', connect: { will: { ...will, qos: 1 } }, versions: all },
  { conf: 'retain_available false', connect: { will: { ...will, qos: 2 } }, versions: all },
  { conf: 'message_size_limit 2', connect: { will }, versions: all },
  { conf: 'max_keepalive 60', connect: { keepAlive: 60 }, versions: all },
  { conf: 'max_keepalive 65535', connect: { keepAlive: 65_535 }, versions: all },
  { conf: 'clientid_prefixes ab', connect: { clientId: 'ab' }, versions: all },
  { conf: 'accept_protocol_versions 3', connect: {}, versions: [3] },
  { conf: 'accept_protocol_versions 4', connect: {}, versions: [4] },
  { conf: 'accept_protocol_versions 5', connect: {}, versions: [5] },
  { conf: 'use_username_as_clientid true', connect: { username: 'u', clientId: '' }, versions: all },
  { conf: 'max_packet_size 20', connect: { clientId: '123456' }, versions: [4] },
]
describe('admitted at the edge of an option', () => {
  for (const { conf, connect, versions } of admitted)
    for (const version of versions)
      test(`${conf}, ${JSON.stringify(connect)}, version ${version}`, () =>
        withBroker(conf, async (broker) => {
          assert.equal((await RawClient.connect(broker.port, { ...connect, version })).connack.reasonCode, 0)
        }))
})

// --- packets of a connected client ---

interface Effect {
  readonly name: string
  readonly conf: string
  readonly versions: readonly ProtocolVersion[]
  readonly send: (list: readonly number[]) => readonly Buffer[]
  readonly arrives: readonly string[]
  readonly ends: 'open' | 'closed'
}

const x = utf8('x')
const subscribe = (list: readonly number[], filter: string, options: number) =>
  packet(0x82, u16(9), list, text(filter), u8(options))
const publish = (list: readonly number[], header: number, payload = x) =>
  packet(header, text('t'), (header & 6) === 0 ? [] : u16(1), list, payload)
const alias = (value: number) => props(u8(0x23), u16(value))

// biome-ignore format: one row a line
const effects: readonly Effect[] = [
  ...[0, 1].flatMap((max): Effect[] => [
    { name: 'E100 [MQTT-3.2.2-11] PUBLISH above it', conf: `max_qos ${max}`, versions: old, send: (list) => [publish(list, 0x32 + 2 * max)], arrives: [], ends: 'closed' },
    { name: 'E100 [MQTT-3.2.2-11] PUBLISH above it', conf: `max_qos ${max}`, versions: [5], send: (list) => [publish(list, 0x32 + 2 * max)], arrives: ['DISCONNECT 0x9b'], ends: 'closed' },
    { name: 'F60 [MQTT-3.2.2-10] SUBSCRIBE is granted less', conf: `max_qos ${max}`, versions: all, send: (list) => [subscribe(list, 't', 2)], arrives: [`SUBACK 9 0${max}`], ends: 'open' },
  ]),
  { name: 'PUBLISH at it', conf: 'max_qos 1', versions: old, send: (list) => [publish(list, 0x32)], arrives: ['PUBACK 1'], ends: 'open' },
  { name: 'E101 [MQTT-3.2.2-14] retained PUBLISH', conf: 'retain_available false', versions: old, send: (list) => [publish(list, 0x31)], arrives: [], ends: 'closed' },
  { name: 'E101 [MQTT-3.2.2-14] retained PUBLISH', conf: 'retain_available false', versions: [5], send: (list) => [publish(list, 0x31)], arrives: ['DISCONNECT 0x9a'], ends: 'closed' },
  { name: 'other PUBLISH', conf: 'retain_available false', versions: all, send: (list) => [subscribe(list, 't', 0), publish(list, 0x30)], arrives: ['SUBACK 9 00', "PUBLISH t 'x' q0"], ends: 'open' },
  { name: 'alias 2 of 1', conf: 'max_topic_alias 1', versions: [5], send: () => [publish(alias(2), 0x30)], arrives: ['DISCONNECT 0x94'], ends: 'closed' },
  { name: '[MQTT-3.3.2-12] alias 1 of 1', conf: 'max_topic_alias 1', versions: [5], send: (list) => [subscribe(list, 't', 0), publish(alias(1), 0x30), packet(0x30, text(''), alias(1), x)], arrives: ['SUBACK 9 00', "PUBLISH t 'x' q0", "PUBLISH t 'x' q0"], ends: 'open' },
  { name: '[MQTT-3.3.2-12] alias 65535', conf: 'max_topic_alias 65535', versions: [5], send: (list) => [subscribe(list, 't', 0), publish(alias(65_535), 0x30)], arrives: ['SUBACK 9 00', "PUBLISH t 'x' q0"], ends: 'open' },
  { name: 'E10 PUBLISH of 21 bytes', conf: 'max_packet_size 20', versions: [4], send: () => [packet(0x30, text('t'), Array(16).fill(97))], arrives: [], ends: 'closed' },
  { name: 'E10 SUBSCRIBE of 21 bytes, from its header', conf: 'max_packet_size 20', versions: [4], send: () => [raw(hex('82 13'))], arrives: [], ends: 'closed' },
  { name: 'PUBLISH of 20 bytes', conf: 'max_packet_size 20', versions: [4], send: () => [packet(0x32, text('t'), u16(1), Array(13).fill(97))], arrives: ['PUBACK 1'], ends: 'open' },
  { name: 'payload above it, QoS 0 and 1', conf: 'message_size_limit 1', versions: old, send: (list) => [subscribe(list, 't', 0), publish(list, 0x30, utf8('12')), publish(list, 0x32, utf8('12')), publish(list, 0x30)], arrives: ['SUBACK 9 00', 'PUBACK 1', "PUBLISH t 'x' q0"], ends: 'open' },
  { name: 'payload above it, QoS 1', conf: 'message_size_limit 1', versions: [5], send: (list) => [subscribe(list, 't', 0), publish(list, 0x32, utf8('12'))], arrives: ['SUBACK 9 00', 'PUBACK 1 0x83'], ends: 'open' },
  { name: 'payload above it, QoS 2', conf: 'message_size_limit 1', versions: [5], send: (list) => [subscribe(list, 't', 0), publish(list, 0x34, utf8('12'))], arrives: ['SUBACK 9 00', 'PUBREC 1 0x83'], ends: 'open' },
  { name: 'no limit', conf: 'message_size_limit 0', versions: old, send: (list) => [publish(list, 0x32, Array(100_000).fill(97))], arrives: ['PUBACK 1'], ends: 'open' },
  { name: 'E156 one too many', conf: 'max_subscriptions 1', versions: [5], send: (list) => [subscribe(list, 't', 0), subscribe(list, 'u', 1), subscribe(list, 't', 2)], arrives: ['SUBACK 9 00', 'SUBACK 9 97', 'SUBACK 9 02'], ends: 'open' },
  { name: 'E156 one too many', conf: 'max_subscriptions 1', versions: [4], send: (list) => [subscribe(list, 't', 0), subscribe(list, 'u', 1), subscribe(list, 't', 2)], arrives: ['SUBACK 9 00', 'SUBACK 9 80', 'SUBACK 9 02'], ends: 'open' },
  { name: 'E156 one too many: 3.1 cannot be told', conf: 'max_subscriptions 1', versions: [3], send: (list) => [subscribe(list, 't', 0), subscribe(list, 'u', 1), packet(0x30, text('u'), x)], arrives: ['SUBACK 9 00', 'SUBACK 9 01'], ends: 'open' },
  { name: 'no limit', conf: 'max_subscriptions 0', versions: all, send: (list) => [subscribe(list, 't', 0), subscribe(list, 'u', 1)], arrives: ['SUBACK 9 00', 'SUBACK 9 01'], ends: 'open' },
  { name: 'room again after UNSUBSCRIBE', conf: 'max_subscriptions 1', versions: [4], send: () => [subscribe([], 't', 0), packet(0xa2, u16(3), text('t')), subscribe([], 'u', 1)], arrives: ['SUBACK 9 00', 'UNSUBACK 3', 'SUBACK 9 01'], ends: 'open' },
]

describe('effects on connected clients', () => {
  for (const { name, conf, versions, send, arrives, ends } of effects)
    for (const version of versions)
      test(`${conf}: ${name}, version ${version}`, () =>
        withBroker(conf, async (broker) => {
          const { client } = await RawClient.connect(broker.port, { clientId: 'c', version })
          for (const bytes of send(version === 5 ? [0] : [])) client.send(bytes)
          assert.deepEqual(await arrivals(client, ends), arrives)
        }))
})

// --- aliases towards the client ---

// biome-ignore format: one row a line
const sentAliases: readonly { readonly name: string; readonly broker: number; readonly client: number | undefined; readonly aliases: readonly (number | undefined)[] }[] = [
  { name: '[MQTT-3.1.2-27] client takes none', broker: 10, client: undefined, aliases: [undefined, undefined, undefined] },
  { name: '[MQTT-3.1.2-27] client takes 0', broker: 10, client: 0, aliases: [undefined, undefined, undefined] },
  { name: '[MQTT-3.1.2-26] [MQTT-3.3.2-11] client takes 1', broker: 10, client: 1, aliases: [1, undefined, 1] },
  { name: 'client takes 65535', broker: 10, client: 65_535, aliases: [1, 2, 1] },
  { name: 'broker gives 1', broker: 1, client: 65_535, aliases: [1, undefined, 1] },
  { name: 'broker gives none', broker: 0, client: 65_535, aliases: [undefined, undefined, undefined] },
]
for (const { name, broker: most, client: maximum, aliases } of sentAliases)
  test(`aliases of the broker: ${name}, max_topic_alias_broker ${most}`, () =>
    withBroker(`max_topic_alias_broker ${most}`, async (broker) => {
      const properties = maximum === undefined ? {} : { topicAliasMaximum: maximum }
      const { client } = await RawClient.connect(broker.port, { version: 5, properties })
      await client.subscribe([{ filter: '+' }])
      for (const topic of ['a', 'b', 'a']) client.publish({ topic })
      const packets = (await client.settled()) as Publish[]
      assert.deepEqual(
        packets.map((packet) => packet.properties.topicAlias),
        aliases,
      )
      const [first, second, third] = packets.map((packet) => packet.topic)
      assert.deepEqual([first, second, third], ['a', 'b', aliases[0] === undefined ? 'a' : ''])
    }))

test('[MQTT-3.3.2-7] aliases of the broker end with the connection', () =>
  withBroker('', async (broker) => {
    const fields = {
      version: 5,
      cleanStart: false,
      properties: { topicAliasMaximum: 5, sessionExpiryInterval: 60 },
    } as const
    for (const round of [1, 2]) {
      const { client } = await RawClient.connect(broker.port, fields)
      if (round === 1) await client.subscribe([{ filter: 'a' }])
      client.publish({ topic: 'a' })
      const { topic, properties } = (await client.expect(PacketType.PUBLISH)) as Publish
      assert.deepEqual([topic, properties.topicAlias], ['a', 1])
      client.disconnect()
      await client.closed()
    }
  }))
