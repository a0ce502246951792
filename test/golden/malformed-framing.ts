// Malformed packets of any type: fixed header, lengths, text fields, property lists.

import { type Bytes, binary, hex, packet, pair, props, raw, text, u8, u16 } from './bytes.js'
import { versionNames, versions } from './golden-packet.js'
import { badTexts, MALFORMED, type MalformedPacket, PROTOCOL_ERROR, someBadTexts } from './malformed-packet.js'
import { goldenPackets } from './packets.js'
import {
  allowed,
  carriers,
  companions,
  oneSided,
  packetWith,
  propertyFacts,
  sendersOf,
  sendersOfProperty,
} from './property-facts.js'

const headers: MalformedPacket[] = versions.flatMap((version) => {
  const name = versionNames[version]
  const row = (what: string, sender: 'client' | 'server', bytes: Buffer, reasonCode: number) => ({
    name: what.replace('VERSION', name),
    version,
    sender,
    bytes,
    reasonCode,
  })
  const fromServer = { CONNECT: 0x10, SUBSCRIBE: 0x82, UNSUBSCRIBE: 0xa2, PINGREQ: 0xc0 }
  const fromClient = { CONNACK: 0x20, SUBACK: 0x90, UNSUBACK: 0xb0, PINGRESP: 0xd0 }
  return [
    ...(['client', 'server'] as const).flatMap((sender) => [
      row(`E2 VERSION packet type 0 from ${sender}`, sender, raw(hex('00 00')), MALFORMED),
      row(`E5 VERSION remaining length of five bytes from ${sender}`, sender, raw(hex('30 80 80 80 80 01')), MALFORMED),
      row(`E5 VERSION remaining length FF FF FF FF from ${sender}`, sender, raw(hex('30 ff ff ff ff')), MALFORMED),
      row(`E16 VERSION topic runs past the packet from ${sender}`, sender, raw(hex('30 04 00 09 61 62')), MALFORMED),
    ]),
    ...Object.entries(fromServer).map(([type, header]) =>
      row(`E14 VERSION ${type} from a server`, 'server', raw(u8(header), u8(0)), PROTOCOL_ERROR),
    ),
    ...Object.entries(fromClient).map(([type, header]) =>
      row(`E13 VERSION ${type} from a client`, 'client', raw(u8(header), u8(0)), PROTOCOL_ERROR),
    ),
  ]
})

const authIn3: MalformedPacket[] = ([3, 4] as const).map((version) => ({
  name: `E3 ${versionNames[version]} packet type 15`,
  version,
  sender: 'client',
  bytes: raw(hex('f0 00')),
  reasonCode: MALFORMED,
}))

const notShortest: MalformedPacket[] = ['30 80 00', '30 85 00 00 01 74 00 61', '30 85 80 00 00 01 74 00 61'].map(
  (bytes) => ({
    name: `E6 [MQTT-1.5.5-1] 5.0 remaining length not in its shortest form: ${bytes}`,
    version: 5,
    sender: 'client',
    bytes: raw(hex(bytes)),
    reasonCode: MALFORMED,
  }),
)

/** Row of table E and statement for wrong header flags of each type. */
const flagRules: Readonly<Record<number, { name: string; flags: number; ids: string }>> = {
  1: { name: 'CONNECT', flags: 0, ids: 'E36 [MQTT-2.1.3-1]' },
  2: { name: 'CONNACK', flags: 0, ids: 'E4 [MQTT-2.1.3-1]' },
  4: { name: 'PUBACK', flags: 0, ids: 'E110 [MQTT-2.1.3-1]' },
  5: { name: 'PUBREC', flags: 0, ids: 'E110 [MQTT-2.1.3-1]' },
  6: { name: 'PUBREL', flags: 2, ids: 'E109 F15 [MQTT-3.6.1-1]' },
  7: { name: 'PUBCOMP', flags: 0, ids: 'E110 [MQTT-2.1.3-1]' },
  8: { name: 'SUBSCRIBE', flags: 2, ids: 'E129 [MQTT-3.8.1-1]' },
  9: { name: 'SUBACK', flags: 0, ids: 'E4 [MQTT-2.1.3-1]' },
  10: { name: 'UNSUBSCRIBE', flags: 2, ids: 'E157 [MQTT-3.10.1-1]' },
  11: { name: 'UNSUBACK', flags: 0, ids: 'E4 [MQTT-2.1.3-1]' },
  12: { name: 'PINGREQ', flags: 0, ids: 'E165 [MQTT-2.1.3-1]' },
  13: { name: 'PINGRESP', flags: 0, ids: 'E4 [MQTT-2.1.3-1]' },
  14: { name: 'DISCONNECT', flags: 0, ids: 'E167 [MQTT-3.14.1-1]' },
  15: { name: 'AUTH', flags: 0, ids: 'E177 [MQTT-3.15.1-1]' },
}

/** The first golden packet of each type and version, with each bit of its flags the other way, and all. */
const flags: MalformedPacket[] = Object.entries(flagRules).flatMap(([code, rule]) =>
  versions.flatMap((version) => {
    const golden = goldenPackets.find((row) => row.packet.type === Number(code) && row.version === version)
    if (golden === undefined) return []
    const wrong = [1, 2, 4, 8, 15]
      .map((bits) => rule.flags ^ bits)
      .filter((value) => !(version === 3 && rule.flags === 2 && value === 10))
    return wrong.map((value) => ({
      name: `${rule.ids}${version === 4 ? ' [MQTT-2.2.2-2 of 3.1.1]' : ''} ${rule.name} ${versionNames[version]} flags ${value}`,
      version,
      sender: golden.sender,
      bytes: Buffer.concat([raw(u8((Number(code) << 4) | value)), golden.bytes.subarray(1)]),
      reasonCode: MALFORMED,
    }))
  }),
)

const mqtt311 = [...text('MQTT'), 4]
const mqtt5 = [...text('MQTT'), 5]

/** Packets of 3.1.1 and 5.0 with a text field left open. */
// biome-ignore format: one row a line
const textFields: { name: string; ids: string; version: 4 | 5; sender: 'client' | 'server'; around: (field: Bytes) => Buffer }[] = [
  { name: 'client id', ids: 'E61 [MQTT-3.1.3-4]', version: 4, sender: 'client', around: (field) => packet(0x10, mqtt311, u8(2), u16(60), field) },
  { name: 'will topic', ids: 'E49 [MQTT-3.1.3-11]', version: 4, sender: 'client', around: (field) => packet(0x10, mqtt311, u8(6), u16(60), text('c'), field, text('')) },
  { name: 'user name', ids: '[MQTT-3.1.3-12]', version: 4, sender: 'client', around: (field) => packet(0x10, mqtt311, u8(0x82), u16(60), text('c'), field) },
  { name: 'topic name', ids: 'E85 [MQTT-3.3.2-1]', version: 4, sender: 'client', around: (field) => packet(0x30, field) },
  { name: 'topic name', ids: 'E85 [MQTT-3.3.2-1]', version: 4, sender: 'server', around: (field) => packet(0x32, field, u16(1)) },
  { name: 'subscribe filter', ids: 'E135 [MQTT-3.8.3-1]', version: 4, sender: 'client', around: (field) => packet(0x82, u16(1), field, u8(0)) },
  { name: 'unsubscribe filter', ids: 'E161 [MQTT-3.10.3-1]', version: 4, sender: 'client', around: (field) => packet(0xa2, u16(1), field) },
  { name: 'client id', ids: 'E61 [MQTT-3.1.3-4]', version: 5, sender: 'client', around: (field) => packet(0x10, mqtt5, u8(2), u16(60), u8(0), field) },
  { name: 'will topic', ids: 'E49 [MQTT-3.1.3-11]', version: 5, sender: 'client', around: (field) => packet(0x10, mqtt5, u8(6), u16(60), u8(0), text('c'), u8(0), field, text('')) },
  { name: 'user name', ids: '[MQTT-3.1.3-12]', version: 5, sender: 'client', around: (field) => packet(0x10, mqtt5, u8(0x82), u16(60), u8(0), text('c'), field) },
  { name: 'topic name', ids: 'E85 [MQTT-3.3.2-1]', version: 5, sender: 'client', around: (field) => packet(0x30, field, u8(0)) },
  { name: 'subscribe filter', ids: 'E135 [MQTT-3.8.3-1]', version: 5, sender: 'client', around: (field) => packet(0x82, u16(1), u8(0), field, u8(0)) },
  { name: 'unsubscribe filter', ids: 'E161 [MQTT-3.10.3-1]', version: 5, sender: 'client', around: (field) => packet(0xa2, u16(1), u8(0), field) },
  { name: 'Response Topic', ids: 'E99 [MQTT-3.3.2-13]', version: 5, sender: 'client', around: (field) => packetWith('PUBLISH', props(u8(8), field)) },
  { name: 'Content Type', ids: 'E99 [MQTT-3.3.2-19]', version: 5, sender: 'client', around: (field) => packetWith('PUBLISH', props(u8(3), field)) },
  { name: 'name of a User Property', ids: '[MQTT-1.5.7-1]', version: 5, sender: 'client', around: (field) => packetWith('PUBLISH', props(u8(0x26), field, text('v'))) },
  { name: 'value of a User Property', ids: '[MQTT-1.5.7-1]', version: 5, sender: 'client', around: (field) => packetWith('CONNECT', props(u8(0x26), text('n'), field)) },
  { name: 'will Content Type', ids: 'E49', version: 5, sender: 'client', around: (field) => packetWith('Will', props(u8(3), field)) },
  { name: 'Reason String', ids: 'E188', version: 5, sender: 'server', around: (field) => packetWith('CONNACK', props(u8(0x1f), field)) },
  { name: 'Authentication Method', ids: 'E179', version: 5, sender: 'client', around: (field) => packetWith('AUTH', props(u8(0x15), field)) },
]

const texts: MalformedPacket[] = textFields.flatMap(({ name, ids, version, sender, around }) => {
  const every = name === 'client id' || name === 'topic name'
  return [
    ...(every ? badTexts : someBadTexts).map((bad) => ({
      name: `${ids} ${bad.name}: ${name} ${versionNames[version]} from ${sender}`,
      version,
      sender,
      bytes: around(binary(bad.bytes)),
      reasonCode: MALFORMED,
    })),
    {
      name: `E16 ${ids} length past the end of the packet: ${name} ${versionNames[version]} from ${sender}`,
      version,
      sender,
      bytes: around(hex('ff ff 61')),
      reasonCode: MALFORMED,
    },
  ]
})

const unknownIds = hex('00 04 05 06 07 0a 0c 0d 0e 0f 10 14 1b 1d 1e 20 2b 2c 40 7f')

const lists: MalformedPacket[] = carriers.flatMap((carrier) =>
  sendersOf(carrier).flatMap((sender) => {
    const row = (name: string, list: Bytes, reasonCode = MALFORMED) => ({
      name: `${name}: ${carrier} from ${sender}`,
      version: 5 as const,
      sender,
      bytes: packetWith(carrier, list),
      reasonCode,
    })
    return [
      row('E25 property length beyond the packet', hex('7f')),
      row('E26 property length ends inside a property', hex('04 26 00 01 61 00 01 62')),
      row('E27 [MQTT-1.5.5-1] property length not in its shortest form', hex('80 00')),
      row('E27 property length of five bytes', hex('80 80 80 80 01')),
      row('E28 property identifier of two bytes', hex('03 80 01 00')),
      row('E28 [MQTT-1.5.5-1] property identifier not in its shortest form', hex('07 a6 00 00 01 61 00 00')),
      row('E32 [MQTT-1.5.7-1] user property with a name alone', hex('04 26 00 01 61')),
      // All of them in the first carrier, some in each.
      ...unknownIds
        .filter((_, at) => carrier === 'CONNECT' || at % 7 === 0)
        .map((id) => row(`E28 unknown property 0x${id.toString(16)}`, props(u8(id), u8(0)))),
    ]
  }),
)

/** Table E has a row of its own for some carriers. */
const misplacedIds: Readonly<Record<string, string>> = {
  CONNECT: 'E29 E72',
  Will: 'E29 E72',
  CONNACK: 'E29 E188',
  PUBACK: 'E29 E116',
  PUBREC: 'E29 E116',
  PUBREL: 'E29 E116',
  PUBCOMP: 'E29 E116',
  UNSUBSCRIBE: 'E29 E164',
  DISCONNECT: 'E29 E173',
}

const misplaced: MalformedPacket[] = carriers.flatMap((carrier) =>
  propertyFacts
    .filter((fact) => !allowed[carrier].includes(fact.id))
    .flatMap((fact) =>
      sendersOf(carrier).map((sender) => ({
        name: `${misplacedIds[carrier] ?? 'E29'} ${fact.name} in ${carrier} from ${sender}`,
        version: 5 as const,
        sender,
        bytes: packetWith(carrier, props(companions(carrier, fact.id), fact.bytes)),
        reasonCode: MALFORMED,
      })),
    ),
)

const wrongSide: MalformedPacket[] = oneSided.map(({ carrier, id, sender }) => {
  const fact = propertyFacts.find((row) => row.id === id)
  const ids = { 11: 'E93 [MQTT-3.3.4-6]', 17: 'E174 [MQTT-3.14.2-2]', 28: 'E172' }[id]
  const other = sender === 'client' ? 'server' : 'client'
  return {
    name: `${ids} ${fact?.name} in ${carrier} from ${other}`,
    version: 5,
    sender: other,
    bytes: packetWith(carrier, props(fact?.bytes ?? [])),
    reasonCode: PROTOCOL_ERROR,
  }
})

const twiceIds: Readonly<Record<string, string>> = {
  SUBSCRIBE: 'E30 E153',
  DISCONNECT: 'E30 E173',
  PUBACK: 'E30 E117',
  PUBREC: 'E30 E117',
  PUBREL: 'E30 E117',
  PUBCOMP: 'E30 E117',
  AUTH: 'E30 E179',
}

const present = carriers.flatMap((carrier) =>
  propertyFacts
    .filter((fact) => allowed[carrier].includes(fact.id))
    .flatMap((fact) => sendersOfProperty(carrier, fact.id).map((sender) => ({ carrier, fact, sender }))),
)

const twice: MalformedPacket[] = present
  .filter(({ carrier, fact }) => fact.id !== 0x26 && !(fact.id === 0x0b && carrier === 'PUBLISH'))
  .map(({ carrier, fact, sender }) => ({
    name: `${twiceIds[carrier] ?? 'E30'} ${fact.name} twice in ${carrier} from ${sender}`,
    version: 5,
    sender,
    bytes: packetWith(carrier, props(companions(carrier, fact.id), fact.bytes, fact.bytes)),
    reasonCode: PROTOCOL_ERROR,
  }))

/** The list ends one byte before its last value does; the bytes behind it would complete the value. */
const cut: MalformedPacket[] = present.map(({ carrier, fact, sender }) => {
  const list = [...companions(carrier, fact.id), ...fact.bytes]
  return {
    name: `${carrier === 'DISCONNECT' ? 'E26 E33 E173' : 'E26 E33'} ${fact.name} cut short in ${carrier} from ${sender}`,
    version: 5,
    sender,
    bytes: packetWith(carrier, [list.length - 1, ...list]),
    reasonCode: MALFORMED,
  }
})

const pairs: MalformedPacket[] = [
  {
    name: 'E33 user property value runs past its list: PUBLISH',
    version: 5,
    sender: 'client',
    bytes: packet(0x30, text('t'), u8(9), u8(0x26), pair('ab', 'cde'), text('payload')),
    reasonCode: MALFORMED,
  },
]

export const malformedFraming: readonly MalformedPacket[] = [
  ...headers,
  ...authIn3,
  ...notShortest,
  ...flags,
  ...texts,
  ...lists,
  ...misplaced,
  ...wrongSide,
  ...twice,
  ...cut,
  ...pairs,
]
