// What the encoder does at the limits: packets that must fit a receiver's Maximum Packet Size, values that fit no field.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodePacket, encodeWithin, type Packet, type Trimmable, withoutReason } from '../../src/protocol/codec.js'
import { publish } from '../../src/protocol/packets/publish.js'
import type { Properties } from '../../src/protocol/properties.js'
import { Writer } from '../../src/protocol/writer.js'
import { hex, pair, props, text, u8 } from '../golden/bytes.js'
import { connackPacket, connectPacket, request, subscribePacket } from '../golden/golden-packet.js'
import { type Carrier, meaningOf, packetWith, sendersOf } from '../golden/property-facts.js'
import { packetsIn, plain } from './decoding.js'

const trimmed: readonly (readonly [Carrier, ids: string, kept: Properties, keptBytes: readonly number[]])[] = [
  ['CONNACK', '[MQTT-3.2.2-19] [MQTT-3.2.2-20]', { receiveMaximum: 20 }, hex('21 00 14')],
  ['CONNACK', 'with an assigned id', { assignedClientIdentifier: 'id' }, hex('12 00 02 69 64')],
  ['PUBACK', '[MQTT-3.4.2-2] [MQTT-3.4.2-3]', {}, []],
  ['PUBREC', '[MQTT-3.5.2-2] [MQTT-3.5.2-3]', {}, []],
  ['PUBREL', '[MQTT-3.6.2-2] [MQTT-3.6.2-3]', {}, []],
  ['PUBCOMP', '[MQTT-3.7.2-2] [MQTT-3.7.2-3]', {}, []],
  ['SUBACK', '[MQTT-3.9.2-1] [MQTT-3.9.2-2]', {}, []],
  ['UNSUBACK', '[MQTT-3.11.2-1] [MQTT-3.11.2-2]', {}, []],
  ['DISCONNECT', '[MQTT-3.14.2-3] [MQTT-3.14.2-4]', { serverReference: 'b' }, hex('1c 00 01 62')],
  ['AUTH', '[MQTT-3.15.2-2] [MQTT-3.15.2-3]', { authenticationMethod: 'm' }, hex('15 00 01 6d')],
]

for (const [carrier, ids, kept, keptBytes] of trimmed)
  for (const extra of ['Reason String', 'User Property', 'both'] as const)
    test(`F108 ${ids} ${carrier} gives up ${extra} rather than be too large`, () => {
      const reason: Properties = extra === 'User Property' ? {} : { reasonString: 'no' }
      const user: Properties = extra === 'Reason String' ? {} : { userProperties: [['k', 'v']] }
      const reasonBytes = extra === 'User Property' ? [] : [...u8(0x1f), ...text('no')]
      const userBytes = extra === 'Reason String' ? [] : [...u8(0x26), ...pair('k', 'v')]
      const packet = meaningOf(carrier, { ...kept, ...reason, ...user }) as Trimmable
      const whole = packetWith(carrier, props(keptBytes, reasonBytes, userBytes))
      assert.deepEqual(encodeWithin(packet, 5, whole.length), whole)
      const sender = sendersOf(carrier).includes('server') ? 'server' : 'client'
      const short = encodeWithin(packet, 5, whole.length - 1)
      assert.deepEqual(packetsIn([short ?? whole], 5, sender), [plain(meaningOf(carrier, kept))])
      const least = short?.length ?? 0
      assert.ok(least < whole.length)
      assert.deepEqual(encodeWithin(packet, 5, least), short)
      assert.equal(encodeWithin(packet, 5, least - 1), undefined)
      assert.equal(encodeWithin(packet, 5, 0), undefined)
    })

test('without reason: everything but Reason String and User Property stays', () => {
  const bare = connackPacket(0, { properties: { receiveMaximum: 20 } })
  assert.equal(withoutReason(bare), bare)
  const { properties } = bare
  const full = { ...bare, properties: { ...properties, reasonString: 'no', userProperties: [['k', 'v']] as const } }
  assert.deepEqual(withoutReason(full), bare)
  assert.equal(full.properties.reasonString, 'no')
  const only = connackPacket(0x87, { properties: { userProperties: [['k', 'v']] } })
  assert.deepEqual(withoutReason(only), connackPacket(0x87))
})

const long = 'x'.repeat(65_536)
const unfit: readonly (readonly [name: string, Packet])[] = [
  ['[MQTT-4.7.3-3] a topic of 65,536 bytes', publish({ topic: long })],
  ['[MQTT-4.7.3-3] a filter of 65,536 bytes', subscribePacket(1, [request(long)])],
  ['a client id of 65,536 bytes', connectPacket(5, { clientId: long })],
  ['a password of 65,536 bytes', connectPacket(5, { username: 'u', password: Buffer.alloc(65_536) })],
  ['a topic of 65,536 bytes in fewer characters', publish({ topic: '€'.repeat(21_846) })],
  ['packet id 65,536', publish({ topic: 't', qos: 1, packetId: 65_536 })],
  ['keep alive 65,536', connectPacket(4, { keepAlive: 65_536 })],
  ['keep alive -1', connectPacket(4, { keepAlive: -1 })],
  ['expiry 2^32', publish({ topic: 't', properties: { messageExpiryInterval: 2 ** 32 } })],
  ['subscription identifier 2^28', publish({ topic: 't', properties: { subscriptionIdentifiers: [2 ** 28] } })],
  ['format indicator 256', publish({ topic: 't', properties: { payloadFormatIndicator: 256 } })],
  ['format indicator -1', publish({ topic: 't', properties: { payloadFormatIndicator: -1 } })],
]

for (const [name, packet] of unfit)
  test(`${name} is a RangeError, not other bytes`, () => {
    assert.throws(() => encodePacket(packet, 5), RangeError)
  })

test('F158 a packet above the largest Remaining Length is a RangeError', () => {
  const writer = new Writer()
  const part = Buffer.alloc(2 ** 24)
  for (let i = 0; i < 16; i++) writer.raw(part)
  assert.throws(() => writer.finish(0x30), RangeError)
})

test('a packet may be as long as it has to be, whatever the writer began with', () => {
  const subscriptions = Array.from({ length: 5000 }, (_, at) => request(`filter/${at}`))
  const packet = subscribePacket(7, subscriptions)
  assert.deepEqual(packetsIn([encodePacket(packet, 4)], 4, 'client'), [packet])
})
