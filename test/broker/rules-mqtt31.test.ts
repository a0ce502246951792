// What is different for 3.1 clients (table B.2 of the rules), and what a bridge of 3.x asks for with bit 7 of its protocol level.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Bytes, binary, hex, packet, raw, text, u8, u16, utf8 } from '../golden/bytes.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { type Conversation, converse, describePacket, freshId, old } from './conversation.js'

let broker: TestBroker
before(async () => {
  const acl = 'topic read #\ntopic write open/#\n'
  broker = await startBroker({ conf: 'acl_file {folder}/acl', files: { acl } })
})
after(() => broker.stop())

const connect = (flags: number, ...payload: Bytes[]) =>
  packet(0x10, text('MQIsdp'), u8(3), u8(flags), u16(0), ...payload)

interface Entrance {
  readonly name: string
  readonly bytes: () => Buffer
  readonly arrives: readonly string[]
}

const IN = ['CONNACK 0 0x00']

// biome-ignore format: one row a line
const entrances: readonly Entrance[] = [
  { name: 'E42 connect flag 0 is unused', bytes: () => connect(3, text(freshId())), arrives: IN },
  { name: 'E45 will retain without a will is not looked at', bytes: () => connect(0x22, text(freshId())), arrives: IN },
  { name: 'E44 will QoS without a will is not looked at', bytes: () => connect(0x0a, text(freshId())), arrives: IN },
  { name: 'E55 user name announced and missing', bytes: () => connect(0x82, text(freshId())), arrives: IN },
  { name: 'E56 password announced and missing', bytes: () => connect(0xc2, text(freshId()), text('u')), arrives: IN },
  { name: 'client id of 24 characters', bytes: () => connect(2, text('123456789012345678901234')), arrives: IN },
  { name: 'client id of 1 character', bytes: () => connect(2, text('1')), arrives: IN },
  { name: 'user name of 13 characters', bytes: () => connect(0x82, text(freshId()), text('1234567890123')), arrives: IN },
  { name: 'will of any bytes', bytes: () => connect(6, text(freshId()), text('open/w'), binary([0, 255, 128])), arrives: IN },
  { name: 'password of any bytes', bytes: () => connect(0xc2, text(freshId()), text('u'), binary([0, 255])), arrives: IN },
  { name: 'empty client id', bytes: () => connect(2, text('')), arrives: ['CONNACK 0 0x02'] },
  { name: 'E54 password without user name', bytes: () => connect(0x42, text(freshId()), text('p')), arrives: [] },
  { name: 'E43 will QoS 3', bytes: () => connect(0x1e, text(freshId()), text('open/w'), text('x')), arrives: [] },
  { name: 'E18 modified UTF-8 in the client id', bytes: () => connect(2, binary(hex('61 c0 80'))), arrives: [] },
  { name: 'E20 U+0000 in the client id', bytes: () => connect(2, binary([97, 0])), arrives: [] },
]

describe('CONNECT of 3.1', () => {
  for (const { name, bytes, arrives } of entrances)
    test(name, async () => {
      const client = await RawClient.open(broker.port)
      client.version = 3
      client.send(bytes())
      const open = arrives === IN
      assert.deepEqual((open ? await client.settled() : await client.closed()).map(describePacket), arrives)
      if (open) client.disconnect()
      await client.closed()
    })
})

const request = (header: number, ...body: Bytes[]) => packet(header, u16(5), ...body)

// biome-ignore format: one row a line
const packets: readonly Conversation[] = [
  { name: 'SUBSCRIBE with DUP as a retry', versions: [3], send: () => [request(0x8a, text('t'), u8(1))], arrives: ['SUBACK 5 01'], ends: 'open' },
  { name: 'UNSUBSCRIBE with DUP as a retry', versions: [3], send: () => [request(0xaa, text('t'))], arrives: ['UNSUBACK 5'], ends: 'open' },
  { name: 'E129 SUBSCRIBE with DUP', versions: [4], send: () => [request(0x8a, text('t'), u8(1))], arrives: [], ends: 'closed' },
  { name: 'E132 SUBSCRIBE without a filter', versions: [3], send: () => [request(0x82)], arrives: ['SUBACK 5'], ends: 'open' },
  { name: 'E159 UNSUBSCRIBE without a filter', versions: [3], send: () => [request(0xa2)], arrives: ['UNSUBACK 5'], ends: 'open' },
  { name: 'E137 unused option bits', versions: [3], send: () => [request(0x82, text('t'), u8(0xfd))], arrives: ['SUBACK 5 01'], ends: 'open' },
  { name: 'E88 [MQTT-3.3.5-2 of 3.1.1] PUBLISH that is not allowed is acknowledged', versions: [3], send: () => [packet(0x32, text('secret'), u16(1), utf8('x'))], arrives: ['PUBACK 1'], ends: 'open' },
  { name: 'E80 message id 0', versions: [3], send: () => [packet(0x32, text('open/t'), u16(0), utf8('x'))], arrives: [], ends: 'closed' },
  { name: 'E165 PINGREQ with flags', versions: [3], send: () => [raw(hex('c2 00'))], arrives: [], ends: 'closed' },
  { name: '$ topics are hidden from wildcards', versions: [3], send: () => [request(0x82, text('#'), u8(0)), packet(0x30, text('open/x'), utf8('1'))], arrives: ['SUBACK 5 00', "PUBLISH open/x '1' q0"], ends: 'open' },
  { name: 'shared subscriptions serve 3.1 too', versions: [3], send: () => [request(0x82, text('$share/g/open/x'), u8(0)), packet(0x30, text('open/x'), utf8('1'))], arrives: ['SUBACK 5 00', "PUBLISH open/x '1' q0"], ends: 'open' },
]
describe('packets of 3.1', () => converse(packets, () => broker))

test('CONNACK of 3.1 says 0 although the session is resumed', async () => {
  const fields = { clientId: freshId(), version: 3, cleanStart: false } as const
  const first = await RawClient.connect(broker.port, fields)
  await first.client.subscribe('open/resumed')
  first.client.disconnect()
  await first.client.closed()
  const client = await RawClient.open(broker.port)
  client.version = 4 // reads the byte that 3.1 keeps reserved
  client.send(connect(0, text(fields.clientId)))
  assert.deepEqual((await client.settled()).map(describePacket), ['CONNACK 0 0x00'])
  client.publish({ topic: 'open/resumed' })
  assert.deepEqual((await client.settled()).map(describePacket), ["PUBLISH open/resumed '' q0"])
  await client.drop()
})

test('take-over of a 3.1 client is a bare close', async () => {
  const fields = { clientId: freshId(), version: 3 } as const
  const first = await RawClient.connect(broker.port, fields)
  const second = await RawClient.connect(broker.port, fields)
  assert.deepEqual(await first.client.closed(), [])
  await second.client.drop()
})

describe('bridges', () => {
  for (const version of old) {
    test(`no echo to a bridge, version ${version}`, async () => {
      const { client } = await RawClient.connect(broker.port, { clientId: freshId(), version, bridge: true })
      const other = (await RawClient.connect(broker.port, { clientId: freshId() })).client
      await client.subscribe('open/echo')
      client.publish({ topic: 'open/echo', payload: 'own' })
      assert.deepEqual(await client.settled(), [])
      other.publish({ topic: 'open/echo', payload: 'other' })
      await other.settled()
      assert.deepEqual((await client.settled()).map(describePacket), ["PUBLISH open/echo 'other' q0"])
      await Promise.all([client.drop(), other.drop()])
    })
    for (const bridge of [true, false])
      test(`RETAIN of a live message ${bridge ? 'reaches a bridge' : 'is 0 for any other client'}, version ${version}`, async () => {
        const { client } = await RawClient.connect(broker.port, { clientId: freshId(), version, bridge })
        const other = (await RawClient.connect(broker.port, { clientId: freshId() })).client
        const topic = freshId()
        await client.subscribe(`open/${topic}`)
        other.publish({ topic: `open/${topic}`, payload: 'kept', retain: true })
        await other.settled()
        const flag = bridge ? ' retain' : ''
        assert.deepEqual((await client.settled()).map(describePacket), [`PUBLISH open/${topic} 'kept' q0${flag}`])
        await Promise.all([client.drop(), other.drop()])
      })
  }
})
