// Malformed SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK packets.

import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import { type Bytes, hex, packet, props, raw, text, u8, u16 } from './bytes.js'
import { versionNames, versions } from './golden-packet.js'
import { everyCode, MALFORMED, type MalformedPacket, PROTOCOL_ERROR } from './malformed-packet.js'
import { packetWith } from './property-facts.js'

const TOPIC_FILTER_INVALID = 0x8f

function row(
  name: string,
  version: ProtocolVersion,
  sender: Sender,
  bytes: Buffer,
  reasonCode = MALFORMED,
): MalformedPacket {
  return { name, version, sender, bytes, reasonCode }
}

/** Filters that are none, with the row of SUBSCRIBE they belong to. */
const badFilters: readonly (readonly [filter: string, ids: string, reasonCode?: number])[] = [
  ['', 'E134 [MQTT-4.7.3-1]'],
  ['#/a', 'E139 [MQTT-4.7.1-1]'],
  ['a/#/b', 'E139 [MQTT-4.7.1-1]'],
  ['##', 'E139 [MQTT-4.7.1-1]'],
  ['#/', 'E139 [MQTT-4.7.1-1]'],
  ['a#', 'E140 [MQTT-4.7.1-1]'],
  ['a/b#', 'E140 [MQTT-4.7.1-1]'],
  ['#a', 'E140 [MQTT-4.7.1-1]'],
  ['+#', 'E140 [MQTT-4.7.1-1]'],
  ['a+', 'E141 [MQTT-4.7.1-2]'],
  ['+a', 'E141 [MQTT-4.7.1-2]'],
  ['a/+b', 'E141 [MQTT-4.7.1-2]'],
  ['a/b+/c', 'E141 [MQTT-4.7.1-2]'],
  ['++', 'E141 [MQTT-4.7.1-2]'],
  ['#+', 'E141 [MQTT-4.7.1-2]'],
  ['$share', 'E143 [MQTT-4.8.2-1]', PROTOCOL_ERROR],
  ['$share/', 'E143 [MQTT-4.8.2-1]', PROTOCOL_ERROR],
  ['$share/g', 'E144 [MQTT-4.8.2-2]', PROTOCOL_ERROR],
  ['$share/g/', 'E145 [MQTT-4.8.2-2]', PROTOCOL_ERROR],
  ['$share//t', 'E146 [MQTT-4.8.2-1]', PROTOCOL_ERROR],
  ['$share//', 'E146 [MQTT-4.8.2-1]', PROTOCOL_ERROR],
  ['$share/+/t', 'E147 [MQTT-4.8.2-2]', PROTOCOL_ERROR],
  ['$share/g#/t', 'E147 [MQTT-4.8.2-2]', PROTOCOL_ERROR],
  ['$share/g/a#', 'E140 [MQTT-4.7.1-1] [MQTT-4.8.2-2]', PROTOCOL_ERROR],
  ['$share/g/+a', 'E141 [MQTT-4.7.1-2] [MQTT-4.8.2-2]', PROTOCOL_ERROR],
]

// biome-ignore format: one row a line
const subscribes: MalformedPacket[] = versions.flatMap((version) => {
  const list: Bytes = version === 5 ? [0] : []
  const of = versionNames[version]
  const bad = (name: string, body: readonly Bytes[], reasonCode = MALFORMED) =>
    row(`${name} ${of}`, version, 'client', packet(0x82, ...body), reasonCode)
  return [
    bad('E7 SUBSCRIBE empty body', []),
    bad('E7 SUBSCRIBE packet id cut short', [u8(0)]),
    bad('E130 [MQTT-2.2.1-3] SUBSCRIBE packet id 0', [u16(0), list, text('t'), u8(0)], PROTOCOL_ERROR),
    ...(version > 3 ? [bad('E132 [MQTT-3.8.3-2] SUBSCRIBE without a filter', [u16(1), list], PROTOCOL_ERROR)] : []),
    bad('E133 SUBSCRIBE filter without options', [u16(1), list, text('t')]),
    bad('E133 SUBSCRIBE second filter without options', [u16(1), list, text('t'), u8(0), text('u')]),
    bad('E134 SUBSCRIBE second filter empty', [u16(1), list, text('t'), u8(0), text(''), u8(0)]),
    bad('E135 [MQTT-4.7.3-2] SUBSCRIBE filter with U+0000', [u16(1), list, hex('00 03 61 00 62'), u8(0)]),
    bad('E136 SUBSCRIBE QoS 3', [u16(1), list, text('t'), u8(3)], PROTOCOL_ERROR),
    ...badFilters.map(([filter, ids, reasonCode]) => bad(`${ids} SUBSCRIBE ${filter}`, [u16(1), list, text(filter), u8(0)], reasonCode)),
    bad('E142 SUBSCRIBE bad filter between good ones', [u16(1), list, text('a'), u8(0), text('b#'), u8(0), text('c'), u8(0)]),
    bad('E86 SUBSCRIBE filter of 201 levels', [u16(1), list, text('/'.repeat(200)), u8(0)], TOPIC_FILTER_INVALID),
    bad('E8 SUBSCRIBE one byte behind the last filter', [u16(1), list, text('t'), u8(0), u8(0)]),
  ]
})

// biome-ignore format: one row a line
const options: MalformedPacket[] = [
  ...[2, 3, 4, 5, 6, 7].map((bit) => row(`E137 [MQTT-3.8.3-5] SUBSCRIBE 3.1.1 option bit ${bit}`, 4, 'client', packet(0x82, u16(1), text('t'), u8(1 << bit)))),
  ...[6, 7].map((bit) => row(`E137 [MQTT-3.8.3-5] SUBSCRIBE 5.0 option bit ${bit}`, 5, 'client', packet(0x82, u16(1), u8(0), text('t'), u8(1 << bit)))),
  ...[0x30, 0x31, 0x3e].map((byte) => row(`E138 SUBSCRIBE 5.0 retain handling 3, options ${byte}`, 5, 'client', packet(0x82, u16(1), u8(0), text('t'), u8(byte)), PROTOCOL_ERROR)),
  row('E150 [MQTT-3.8.3-4] SUBSCRIBE 5.0 no local on a shared filter', 5, 'client', packet(0x82, u16(1), u8(0), text('$share/g/t'), u8(4)), PROTOCOL_ERROR),
  row('E34 E151 SUBSCRIBE 5.0 Subscription Identifier 0', 5, 'client', packetWith('SUBSCRIBE', props(hex('0b 00'))), PROTOCOL_ERROR),
  row('E152 SUBSCRIBE 5.0 Subscription Identifier of five bytes', 5, 'client', packetWith('SUBSCRIBE', props(hex('0b 80 80 80 80 01')))),
  row('E24 [MQTT-2.2.2-1] SUBSCRIBE 5.0 without a property length', 5, 'client', raw(hex('82 02 00 01'))),
]

// biome-ignore format: one row a line
const unsubscribes: MalformedPacket[] = versions.flatMap((version) => {
  const list: Bytes = version === 5 ? [0] : []
  const bad = (name: string, body: readonly Bytes[], reasonCode = MALFORMED) =>
    row(`${name} ${versionNames[version]}`, version, 'client', packet(0xa2, ...body), reasonCode)
  return [
    bad('E7 UNSUBSCRIBE empty body', []),
    bad('E158 [MQTT-2.2.1-3] UNSUBSCRIBE packet id 0', [u16(0), list, text('t')], PROTOCOL_ERROR),
    ...(version > 3 ? [bad('E159 [MQTT-3.10.3-2] UNSUBSCRIBE without a filter', [u16(1), list], PROTOCOL_ERROR)] : []),
    ...badFilters.map(([filter, , reasonCode]) => bad(`${filter === '' ? 'E160' : 'E162'} UNSUBSCRIBE ${filter}`, [u16(1), list, text(filter)], reasonCode)),
    bad('E160 UNSUBSCRIBE second filter empty', [u16(1), list, text('t'), text('')]),
    bad('E161 [MQTT-4.7.3-2] UNSUBSCRIBE filter with U+0000', [u16(1), list, hex('00 03 61 00 62')]),
    bad('E8 UNSUBSCRIBE one byte behind the last filter', [u16(1), list, text('t'), u8(0)]),
    bad('E86 UNSUBSCRIBE filter of 201 levels', [u16(1), list, text('/'.repeat(200))], TOPIC_FILTER_INVALID),
  ]
})

const subackCodes = { 3: [0, 1, 2, 0x80], 4: [0, 1, 2, 0x80], 5: hex('00 01 02 80 83 87 8f 91 97 9e a1 a2') }
const unsubackCodes = hex('00 11 80 83 87 8f 91')

// biome-ignore format: one row a line
const answers: MalformedPacket[] = [
  ...versions.flatMap((version) => {
    const list: Bytes = version === 5 ? [0] : []
    const of = versionNames[version]
    const rule = version === 5 ? '[MQTT-3.9.3-2]' : '[MQTT-3.9.3-2 of 3.1.1]'
    return [
      row(`E111 SUBACK ${of} packet id 0`, version, 'server', packet(0x90, u16(0), list, u8(0)), PROTOCOL_ERROR),
      row(`E111 UNSUBACK ${of} packet id 0`, version, 'server', packet(0xb0, u16(0), list, version === 5 ? [0] : []), PROTOCOL_ERROR),
      row(`E7 SUBACK ${of} of one byte`, version, 'server', raw(hex('90 01 00'))),
      row(`E7 UNSUBACK ${of} of one byte`, version, 'server', raw(hex('b0 01 00'))),
      ...everyCode.filter((code) => !subackCodes[version].includes(code)).map((code) => row(`E192 ${rule} SUBACK ${of} code ${code}`, version, 'server', packet(0x90, u16(1), list, u8(0), u8(code)), PROTOCOL_ERROR)),
    ]
  }),
  ...([3, 4] as const).map((version) => row(`E8 E193 UNSUBACK ${versionNames[version]} with a code`, version, 'server', packet(0xb0, u16(1), u8(0)))),
  ...everyCode.filter((code) => !unsubackCodes.includes(code)).map((code) => row(`E193 [MQTT-3.11.3-2] UNSUBACK 5.0 code ${code}`, 5, 'server', packet(0xb0, u16(1), u8(0), u8(code)), PROTOCOL_ERROR)),
  row('E24 [MQTT-2.2.2-1] SUBACK 5.0 without a property length', 5, 'server', raw(hex('90 02 00 01'))),
  row('E24 [MQTT-2.2.2-1] UNSUBSCRIBE 5.0 without a property length', 5, 'client', raw(hex('a2 02 00 01'))),
  row('E24 [MQTT-2.2.2-1] UNSUBACK 5.0 without a property length', 5, 'server', raw(hex('b0 02 00 01'))),
]

export const malformedSubscribe: readonly MalformedPacket[] = [...subscribes, ...options, ...unsubscribes, ...answers]
