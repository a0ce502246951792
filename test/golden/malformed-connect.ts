// Malformed CONNECT, CONNACK, DISCONNECT, AUTH, PINGREQ and PINGRESP packets.

import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import { type Bytes, binary, hex, packet, props, raw, text, u8, u16, utf8 } from './bytes.js'
import { versionNames } from './golden-packet.js'
import { everyCode, MALFORMED, type MalformedPacket, PROTOCOL_ERROR } from './malformed-packet.js'
import { packetWith } from './property-facts.js'

const keep = u16(60)
const id = text('c')
const gone = binary(utf8('gone'))
const UNSUPPORTED = 0x84
const TOPIC_NAME_INVALID = 0x90

function row(
  name: string,
  version: ProtocolVersion,
  sender: Sender,
  bytes: Buffer,
  reasonCode = MALFORMED,
): MalformedPacket {
  return { name, version, sender, bytes, reasonCode }
}

/** CONNECT with these flags and payload; `rest` gets the empty property list of 5.0, or nothing. */
function connect(version: ProtocolVersion, flags: number, rest: (list: Bytes) => readonly Bytes[]): Buffer {
  const name = version === 3 ? 'MQIsdp' : 'MQTT'
  const list = version === 5 ? u8(0) : []
  return packet(0x10, text(name), u8(version), u8(flags), keep, list, ...rest(list))
}

function named(name: Bytes, level: number): Buffer {
  return packet(0x10, name, u8(level), u8(2), keep, level === 5 ? u8(0) : [], id)
}

// biome-ignore format: one row a line
const names: MalformedPacket[] = [
  row('E37 [MQTT-3.1.4-1] CONNECT empty body', 4, 'client', raw(hex('10 00'))),
  row('E37 CONNECT protocol name length alone', 4, 'client', packet(0x10, hex('00 04'))),
  row('E37 CONNECT protocol name cut short', 4, 'client', packet(0x10, hex('00 04 4d 51 54'))),
  row('E37 CONNECT protocol name longer than the packet', 4, 'client', packet(0x10, hex('ff ff'), utf8('MQTT'))),
  row('E37 [MQTT-3.1.2-1] CONNECT protocol name empty', 4, 'client', named(text(''), 4), UNSUPPORTED),
  row('E37 [MQTT-3.1.2-1] CONNECT protocol name MQT', 4, 'client', named(text('MQT'), 4), UNSUPPORTED),
  row('E37 [MQTT-3.1.2-1] CONNECT protocol name MQTTT', 4, 'client', named(text('MQTTT'), 4), UNSUPPORTED),
  row('E38 [MQTT-3.1.2-1] CONNECT protocol name mqtt', 4, 'client', named(text('mqtt'), 4), UNSUPPORTED),
  row('E38 [MQTT-3.1.2-1] CONNECT protocol name MQIsdP', 3, 'client', named(text('MQIsdP'), 3), UNSUPPORTED),
  row('E38 [MQTT-3.1.2-1] CONNECT protocol name HTTP', 5, 'client', named(text('HTTP'), 5), UNSUPPORTED),
  ...[0, 1, 2, 6, 0x7f, 0x80, 0x85, 0xff].map((level) => row(`E39 [MQTT-3.1.2-2] CONNECT level ${level} of MQTT`, 4, 'client', named(text('MQTT'), level), UNSUPPORTED)),
  ...[0, 2, 4, 5, 6].map((level) => row(`E39 E40 [MQTT-3.1.2-2] CONNECT level ${level} of MQIsdp`, 4, 'client', named(text('MQIsdp'), level), UNSUPPORTED)),
  row('E40 [MQTT-3.1.2-2] CONNECT level 3 of MQTT', 4, 'client', named(text('MQTT'), 3), UNSUPPORTED),
  row('E7 E39 CONNECT ends before its level', 4, 'client', packet(0x10, text('MQTT'))),
  row('E7 CONNECT ends before its flags', 4, 'client', packet(0x10, text('MQTT'), u8(4))),
  row('E7 CONNECT ends inside its keep alive', 4, 'client', packet(0x10, text('MQTT'), u8(4), u8(2), u8(0))),
]

// biome-ignore format: one row a line
const bodies: MalformedPacket[] = ([3, 4, 5] as const).flatMap((version) => {
  const of = versionNames[version]
  const strict = version > 3
  const bad = (name: string, flags: number, rest: (list: Bytes) => readonly Bytes[], reasonCode = MALFORMED) =>
    row(`${name} ${of}`, version, 'client', connect(version, flags, rest), reasonCode)
  return [
    bad('E60 [MQTT-3.1.3-3] CONNECT client id missing', 2, () => []),
    bad('E43 [MQTT-3.1.2-12] CONNECT will QoS 3', 0x1e, (list) => [id, list, text('w'), gone]),
    bad('E46 [MQTT-3.1.2-9] CONNECT will missing', 6, () => [id]),
    bad('E46 [MQTT-3.1.2-9] CONNECT will payload missing', 6, (list) => [id, list, text('w')]),
    bad('E46 [MQTT-3.1.2-9] CONNECT will payload cut short', 6, (list) => [id, list, text('w'), hex('00 04 67 6f')]),
    bad('E47 [MQTT-4.7.3-1] CONNECT will topic empty', 6, (list) => [id, list, text(''), gone], PROTOCOL_ERROR),
    bad('E48 [MQTT-4.7.0-1] CONNECT will topic a/+', 6, (list) => [id, list, text('a/+'), gone]),
    bad('E48 [MQTT-4.7.0-1] CONNECT will topic #', 6, (list) => [id, list, text('#'), gone]),
    bad('E48 [MQTT-4.7.0-1] CONNECT will topic a+b', 6, (list) => [id, list, text('a+b'), gone]),
    bad('E86 CONNECT will topic of 201 levels', 6, (list) => [id, list, text('/'.repeat(200)), gone], TOPIC_NAME_INVALID),
    bad('E16 E55 CONNECT user name cut short', 0x82, () => [id, hex('00 05 75')]),
    bad('E16 E56 CONNECT password cut short', 0xc2, () => [id, text('u'), hex('00 05 75')]),
    bad('E8 E57 CONNECT bytes behind the client id', 2, () => [id, u8(0)]),
    bad('E57 [MQTT-3.1.2-16] CONNECT user name without its flag', 2, () => [id, text('u')]),
    bad('E57 [MQTT-3.1.2-18] CONNECT password without its flag', 0x82, () => [id, text('u'), text('p')]),
    bad('E57 CONNECT bytes behind the password', 0xc2, () => [id, text('u'), text('p'), u8(0)]),
    bad('E57 [MQTT-3.1.2-11 of 3.1.1] CONNECT will without its flag', 2, (list) => [id, list, text('w'), gone]),
    ...(version < 5 ? [bad('E54 [MQTT-3.1.2-22 of 3.1.1] CONNECT password without a user name', 0x42, () => [id, text('p')])] : []),
    ...(strict ? [
      bad('E42 [MQTT-3.1.2-3] CONNECT reserved flag', 3, () => [id]),
      bad('E44 [MQTT-3.1.2-11] CONNECT will QoS 1 without a will', 0x0a, () => [id]),
      bad('E44 [MQTT-3.1.2-11] CONNECT will QoS 2 without a will', 0x12, () => [id]),
      bad('E43 E44 [MQTT-3.1.2-11] CONNECT will QoS 3 without a will', 0x1a, () => [id]),
      bad('E45 [MQTT-3.1.2-13] CONNECT will retain without a will', 0x22, () => [id]),
      bad('E55 [MQTT-3.1.2-17] CONNECT user name missing', 0x82, () => [id]),
      bad('E56 [MQTT-3.1.2-19] CONNECT password missing', 0xc2, () => [id, text('u')]),
    ] : []),
  ]
})

const head5 = [...text('MQTT'), 5]

// biome-ignore format: one row a line
const connects5: MalformedPacket[] = [
  row('E24 [MQTT-2.2.2-1] CONNECT without a property length', 5, 'client', packet(0x10, head5, u8(2), keep)),
  row('E24 [MQTT-2.2.2-1] CONNECT will without a property length', 5, 'client', packet(0x10, head5, u8(6), keep, u8(0), id)),
  row('[MQTT-3.1.3-1] F161 CONNECT will properties behind the will topic', 5, 'client', packet(0x10, head5, u8(6), keep, u8(0), id, text('w'), u8(0), gone)),
  row('E34 E66 CONNECT Receive Maximum 0', 5, 'client', packetWith('CONNECT', props(hex('21 00 00'))), PROTOCOL_ERROR),
  row('E34 E67 CONNECT Maximum Packet Size 0', 5, 'client', packetWith('CONNECT', props(hex('27 00 00 00 00'))), PROTOCOL_ERROR),
  ...[2, 255].flatMap((value) => [
    row(`E34 E69 CONNECT Request Problem Information ${value}`, 5, 'client', packetWith('CONNECT', props(u8(0x17), u8(value))), PROTOCOL_ERROR),
    row(`E34 E69 CONNECT Request Response Information ${value}`, 5, 'client', packetWith('CONNECT', props(u8(0x19), u8(value))), PROTOCOL_ERROR),
    row(`E34 E73 CONNECT will Payload Format Indicator ${value}`, 5, 'client', packetWith('Will', props(u8(1), u8(value))), PROTOCOL_ERROR),
  ]),
  row('E70 CONNECT Authentication Data without a method', 5, 'client', packetWith('CONNECT', props(hex('16 00 01 61'))), PROTOCOL_ERROR),
  row('E75 [MQTT-3.3.2-14] CONNECT will Response Topic r/#', 5, 'client', packetWith('Will', props(u8(8), text('r/#'))), PROTOCOL_ERROR),
  row('E75 [MQTT-3.3.2-14] CONNECT will Response Topic +', 5, 'client', packetWith('Will', props(u8(8), text('+'))), PROTOCOL_ERROR),
  row('E76 CONNECT will Response Topic empty', 5, 'client', packetWith('Will', props(u8(8), text(''))), PROTOCOL_ERROR),
]

const connackCodes = hex('00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f')

// biome-ignore format: one row a line
const connacks: MalformedPacket[] = [
  ...([3, 4] as const).flatMap((version) => [
    ...[6, 0x80, 0x86, 255].map((code) => row(`E187 [MQTT-3.2.2-6 of 3.1.1] CONNACK ${versionNames[version]} return code ${code}`, version, 'server', packet(0x20, u8(0), u8(code)), PROTOCOL_ERROR)),
    row(`E188 CONNACK ${versionNames[version]} empty`, version, 'server', raw(hex('20 00'))),
    row(`E188 CONNACK ${versionNames[version]} of one byte`, version, 'server', raw(hex('20 01 00'))),
    row(`E188 CONNACK ${versionNames[version]} of three bytes`, version, 'server', raw(hex('20 03 00 00 00'))),
  ]),
  ...([4, 5] as const).flatMap((version) => [
    ...[2, 0x80, 0xfe, 0xff].map((flags) => row(`E184 [MQTT-3.2.2-1] CONNACK ${versionNames[version]} flags ${flags}`, version, 'server', packet(0x20, u8(flags), u8(0), version === 5 ? u8(0) : []))),
    row(`E186 [MQTT-3.2.2-6] CONNACK ${versionNames[version]} session present in a refusal`, version, 'server', packet(0x20, u8(1), u8(version === 5 ? 0x87 : 5), version === 5 ? u8(0) : []), PROTOCOL_ERROR),
  ]),
  ...everyCode.filter((code) => !connackCodes.includes(code)).map((code) => row(`E187 [MQTT-3.2.2-8] CONNACK 5.0 reason code ${code}`, 5, 'server', packet(0x20, u8(0), u8(code), u8(0)), PROTOCOL_ERROR)),
  row('E24 E188 [MQTT-2.2.2-1] CONNACK 5.0 without a property length', 5, 'server', raw(hex('20 02 00 00'))),
  row('E8 E188 CONNACK 5.0 bytes behind the properties', 5, 'server', raw(hex('20 04 00 00 00 00'))),
  row('E188 CONNACK 5.0 of one byte', 5, 'server', raw(hex('20 01 00'))),
  row('E190 CONNACK 5.0 Receive Maximum 0', 5, 'server', packetWith('CONNACK', props(hex('21 00 00'))), PROTOCOL_ERROR),
  row('E190 CONNACK 5.0 Maximum Packet Size 0', 5, 'server', packetWith('CONNACK', props(hex('27 00 00 00 00'))), PROTOCOL_ERROR),
  ...[0x24, 0x25, 0x28, 0x29, 0x2a].flatMap((property) => [2, 255].map((value) => row(`E190 CONNACK 5.0 property 0x${property.toString(16)} is ${value}`, 5, 'server', packetWith('CONNACK', props(u8(property), u8(value))), PROTOCOL_ERROR))),
]

/** Section 3.14.2.1; Bad authentication method is the server's in table 2-6 and missing from the list there: it is accepted. */
const disconnectCodes = {
  client: hex('00 04 80 81 82 83 90 93 94 95 96 97 98 99'),
  server: hex('00 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2'),
}

// biome-ignore format: one row a line
const disconnects: MalformedPacket[] = [
  ...([3, 4] as const).flatMap((version) => [
    row(`E168 DISCONNECT ${versionNames[version]} of one byte`, version, 'client', raw(hex('e0 01 00'))),
    row(`E168 DISCONNECT ${versionNames[version]} with properties`, version, 'client', raw(hex('e0 02 00 00'))),
    row(`DISCONNECT ${versionNames[version]} from a server`, version, 'server', raw(hex('e0 00')), PROTOCOL_ERROR),
  ]),
  ...everyCode.filter((code) => !disconnectCodes.client.includes(code)).map((code) => row(`E169 [MQTT-3.14.2-1] DISCONNECT 5.0 from client reason code ${code}`, 5, 'client', packet(0xe0, u8(code)), PROTOCOL_ERROR)),
  ...everyCode.filter((code) => !disconnectCodes.server.includes(code)).map((code) => row(`E169 [MQTT-3.14.2-1] DISCONNECT 5.0 from server reason code ${code}`, 5, 'server', packet(0xe0, u8(code)), PROTOCOL_ERROR)),
  row('E8 DISCONNECT 5.0 bytes behind the properties', 5, 'client', raw(hex('e0 03 00 00 00'))),
]

const method = hex('15 00 01 6d')

// biome-ignore format: one row a line
const auths: MalformedPacket[] = [
  ...hex('01 02 04 17 1a 80 87 8c ff').flatMap((code) => (['client', 'server'] as const).map((sender) => row(`E178 [MQTT-3.15.2-1] AUTH 5.0 from ${sender} reason code ${code}`, 5, sender, packet(0xf0, u8(code), props(method)), PROTOCOL_ERROR))),
  row('E178 AUTH 5.0 success from a client', 5, 'client', packet(0xf0, u8(0), props(method)), PROTOCOL_ERROR),
  row('E182 AUTH 5.0 re-authenticate from a server', 5, 'server', packet(0xf0, u8(0x19), props(method)), PROTOCOL_ERROR),
  row('E179 [MQTT-4.12.0-5] AUTH 5.0 without a method', 5, 'client', packet(0xf0, u8(0x18), u8(0)), PROTOCOL_ERROR),
  row('E179 [MQTT-4.12.0-5] AUTH 5.0 without a property list', 5, 'server', packet(0xf0, u8(0x18)), PROTOCOL_ERROR),
  row('E183 AUTH 5.0 empty from client', 5, 'client', raw(hex('f0 00')), PROTOCOL_ERROR),
  row('E183 AUTH 5.0 empty from server', 5, 'server', raw(hex('f0 00')), PROTOCOL_ERROR),
  row('E8 AUTH 5.0 bytes behind the properties', 5, 'server', packet(0xf0, u8(0), props(method), u8(0))),
]

const pings: MalformedPacket[] = ([3, 4, 5] as const).flatMap((version) => [
  row(`E8 E166 PINGREQ ${versionNames[version]} with a body`, version, 'client', raw(hex('c0 01 00'))),
  row(`E8 E199 PINGRESP ${versionNames[version]} with a body`, version, 'server', raw(hex('d0 02 00 00'))),
])

export const malformedConnect: readonly MalformedPacket[] = [
  ...names,
  ...bodies,
  ...connects5,
  ...connacks,
  ...disconnects,
  ...auths,
  ...pings,
]
