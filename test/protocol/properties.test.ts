// The property table against MQTT 5.0 section 2.2.2.2: identifiers, wire types, carriers, repetition, ranges.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_PROPERTIES, type Properties, properties, propertiesSize } from '../../src/protocol/properties.js'
import { type Bytes, hex, props, text, u8, u16 } from '../golden/bytes.js'
import {
  allowed,
  type Carrier,
  carriers,
  companions,
  oneSided,
  packetWith,
  propertyFacts,
  sendersOfProperty,
} from '../golden/property-facts.js'
import { packetsIn, protocolErrorOf } from './decoding.js'

const wireTypes: Readonly<Record<string, Bytes>> = {
  byte: hex('01 17 19 24 25 28 29 2a'),
  uint16: hex('13 21 22 23'),
  uint32: hex('02 11 18 27'),
  varint: hex('0b'),
  string: hex('03 08 12 15 1a 1c 1f'),
  binary: hex('09 16'),
  pair: hex('26'),
}

test('the table has the 27 properties of the standard, each with its name and wire type', () => {
  assert.deepEqual(
    properties.map((row) => [row.id, row.name]),
    propertyFacts.map((fact) => [fact.id, fact.name.toLowerCase().replaceAll(' ', '-')]),
  )
  assert.equal(properties.length, 27)
  for (const row of properties) assert.ok(wireTypes[row.type]?.includes(row.id), row.name)
})

test('E29 E72 the table allows each property in its packets and no other', () => {
  for (const row of properties) {
    const expected = carriers.filter((carrier) => allowed[carrier].includes(row.id))
    assert.deepEqual([...row.carriers].sort(), [...expected].sort(), row.name)
  }
})

test('the table has the properties that one side alone may send', () => {
  const limited = properties.flatMap((row) => (row.only === undefined ? [] : [{ ...row.only, id: row.id }]))
  assert.deepEqual(limited, oneSided)
})

test('E30 E31 only User Property and the Subscription Identifier of PUBLISH may be repeated', () => {
  const repeatable = properties.filter((row) => row.repeatable !== undefined)
  assert.deepEqual(
    repeatable.map((row) => row.id),
    [0x0b, 0x26],
  )
  assert.deepEqual(repeatable[0]?.repeatable, ['PUBLISH'])
  assert.deepEqual([...(repeatable[1]?.repeatable ?? [])].sort(), [...carriers].sort())
})

/** The ends of every range that is smaller than its wire type, inside and one step outside. */
const ranges: readonly {
  id: number
  carrier: Carrier
  good: readonly Bytes[]
  bad: readonly Bytes[]
  code?: number
}[] = [
  ...[0x01].map((id) => ({ id, carrier: 'PUBLISH' as const, good: [u8(0), u8(1)], bad: [u8(2), u8(255)] })),
  ...[0x17, 0x19].map((id) => ({ id, carrier: 'CONNECT' as const, good: [u8(0), u8(1)], bad: [u8(2), u8(255)] })),
  ...[0x24, 0x25, 0x28, 0x29, 0x2a].map((id) => ({
    id,
    carrier: 'CONNACK' as const,
    good: [u8(0), u8(1)],
    bad: [u8(2), u8(255)],
  })),
  { id: 0x21, carrier: 'CONNECT', good: [u16(1), u16(65_535)], bad: [u16(0)] },
  { id: 0x22, carrier: 'CONNECT', good: [u16(0), u16(65_535)], bad: [] },
  { id: 0x13, carrier: 'CONNACK', good: [u16(0), u16(65_535)], bad: [] },
  { id: 0x23, carrier: 'PUBLISH', good: [u16(1), u16(65_535)], bad: [u16(0)], code: 0x94 },
  { id: 0x27, carrier: 'CONNECT', good: [hex('00 00 00 01'), hex('ff ff ff ff')], bad: [hex('00 00 00 00')] },
  { id: 0x02, carrier: 'PUBLISH', good: [hex('00 00 00 00'), hex('ff ff ff ff')], bad: [] },
  { id: 0x11, carrier: 'CONNECT', good: [hex('00 00 00 00'), hex('ff ff ff ff')], bad: [] },
  { id: 0x18, carrier: 'Will', good: [hex('00 00 00 00'), hex('ff ff ff ff')], bad: [] },
  { id: 0x0b, carrier: 'SUBSCRIBE', good: [u8(1), hex('ff ff ff 7f')], bad: [u8(0)] },
]

for (const { id, carrier, good, bad, code } of ranges)
  test(`E34 range of property 0x${id.toString(16)} in ${carrier}`, () => {
    const sender = sendersOfProperty(carrier, id)[0] ?? 'client'
    const received = (value: Bytes) => () =>
      packetsIn([packetWith(carrier, props(companions(carrier, id), u8(id), value))], 5, sender)
    for (const value of good) assert.equal(received(value)().length, 1, `${value}`)
    for (const value of bad) assert.equal(protocolErrorOf(received(value))?.reasonCode, code ?? 0x82, `${value}`)
  })

test('[MQTT-3.3.2-18] user properties keep their order, whatever stands between them', () => {
  const user = (name: string, value: string) => [...u8(0x26), ...text(name), ...text(value)]
  const list = props(user('b', '1'), hex('01 01'), user('a', '2'), hex('23 00 07'), user('b', '3'))
  const [packet] = packetsIn([packetWith('PUBLISH', list)], 5, 'client') as { properties: Properties }[]
  assert.deepEqual(packet?.properties, {
    userProperties: [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ],
    payloadFormatIndicator: 1,
    topicAlias: 7,
  })
})

test('CVE-2021-41039 a client may put 1000 user properties into a packet; a server may put more', () => {
  const packet = (count: number) =>
    packetWith('PUBLISH', props(Array.from({ length: count }, () => [...u8(0x26), ...text('k'), ...text('v')]).flat()))
  const userProperties = (count: number, sender: 'client' | 'server') =>
    (packetsIn([packet(count)], 5, sender) as { properties: Properties }[])[0]?.properties.userProperties?.length
  assert.equal(userProperties(1000, 'client'), 1000)
  assert.equal(protocolErrorOf(() => userProperties(1001, 'client'))?.reasonCode, 0x97)
  assert.equal(userProperties(1001, 'server'), 1001)
})

test('the order of differing properties carries no meaning', () => {
  const facts = propertyFacts.filter((fact) => allowed.CONNACK.includes(fact.id)).map((fact) => fact.bytes)
  const [forward] = packetsIn([packetWith('CONNACK', props(...facts))], 5, 'server')
  const [backward] = packetsIn([packetWith('CONNACK', props(...facts.toReversed()))], 5, 'server')
  assert.deepEqual(forward, backward)
})

test('names that JavaScript objects know are plain user properties', () => {
  const list = props([...u8(0x26), ...text('__proto__'), ...text('constructor')])
  const [packet] = packetsIn([packetWith('PUBLISH', list)], 5, 'client') as { properties: Properties }[]
  assert.deepEqual(packet?.properties.userProperties, [['__proto__', 'constructor']])
})

test('no properties are one shared list that nobody can fill', () => {
  assert.equal(propertiesSize(NO_PROPERTIES), 0)
  assert.throws(() => Object.assign(NO_PROPERTIES, { topicAlias: 1 }), TypeError)
})

test('the size of a list is the size it has on the wire', () => {
  for (const fact of propertyFacts) assert.equal(propertiesSize(fact.properties), fact.bytes.length, fact.name)
})
