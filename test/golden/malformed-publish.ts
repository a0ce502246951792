// Malformed PUBLISH, PUBACK, PUBREC, PUBREL and PUBCOMP packets.

import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import { type Bytes, hex, packet, props, raw, text, u8, u16 } from './bytes.js'
import { senders, versionNames, versions } from './golden-packet.js'
import { everyCode, MALFORMED, type MalformedPacket, PROTOCOL_ERROR } from './malformed-packet.js'
import { packetWith } from './property-facts.js'

const TOPIC_NAME_INVALID = 0x90
const TOPIC_ALIAS_INVALID = 0x94

function row(
  name: string,
  version: ProtocolVersion,
  sender: Sender,
  bytes: Buffer,
  reasonCode = MALFORMED,
): MalformedPacket {
  return { name, version, sender, bytes, reasonCode }
}

// biome-ignore format: one row a line
const publishes: MalformedPacket[] = versions.flatMap((version) =>
  senders.flatMap((sender) => {
    const list: Bytes = version === 5 ? [0] : []
    const idRule = sender === 'client' ? 'E80 [MQTT-2.2.1-3]' : 'E80'
    const bad = (name: string, header: number, body: readonly Bytes[], reasonCode = MALFORMED) =>
      row(`${name} ${versionNames[version]} from ${sender}`, version, sender, packet(header, ...body), reasonCode)
    return [
      bad('E78 [MQTT-3.3.1-4] PUBLISH QoS 3', 0x36, [text('t'), u16(1), list]),
      bad('E78 [MQTT-3.3.1-4] PUBLISH QoS 3, DUP, retained', 0x3f, [text('t'), u16(1), list]),
      ...(version > 3 ? [bad('E79 [MQTT-3.3.1-2] PUBLISH QoS 0 with DUP', 0x38, [text('t'), list])] : []),
      bad(`${idRule} PUBLISH QoS 1 packet id 0`, 0x32, [text('t'), u16(0), list], PROTOCOL_ERROR),
      bad(`${idRule} PUBLISH QoS 2 packet id 0`, 0x34, [text('t'), u16(0), list], PROTOCOL_ERROR),
      bad('E81 PUBLISH QoS 1 packet id missing', 0x32, [text('t')]),
      bad('E81 PUBLISH QoS 2 packet id cut short', 0x34, [text('t'), u8(1)]),
      bad('E7 PUBLISH empty body', 0x30, []),
      bad('E7 PUBLISH topic length cut short', 0x30, [u8(0)]),
      bad('E82 [MQTT-4.7.3-1] PUBLISH topic empty', 0x30, [text(''), list], PROTOCOL_ERROR),
      bad('E82 [MQTT-4.7.3-1] PUBLISH topic empty QoS 1', 0x32, [text(''), u16(1), list], PROTOCOL_ERROR),
      ...['+', '#', 'a/+', 'a/#', 'a+b', 'a#', '/+/b'].map((topic) => bad(`E83 [MQTT-3.3.2-2] [MQTT-4.7.0-1] PUBLISH topic ${topic}`, 0x30, [text(topic), list])),
      bad('E84 PUBLISH topic longer than the packet', 0x30, [hex('00 05 61 62 63 64')]),
      bad('E84 PUBLISH topic length 65535', 0x30, [hex('ff ff'), list]),
      bad('E85 [MQTT-4.7.3-2] PUBLISH topic with U+0000', 0x30, [hex('00 03 61 00 62'), list]),
      bad('E86 PUBLISH topic of 201 levels', 0x30, [text('/'.repeat(200)), list], TOPIC_NAME_INVALID),
      bad('E86 PUBLISH topic of 65,535 slashes', 0x30, [text('/'.repeat(65_535)), list], TOPIC_NAME_INVALID),
    ]
  }),
)

// biome-ignore format: one row a line
const publishes5: MalformedPacket[] = senders.flatMap((sender) => {
  const bad = (name: string, list: Bytes, reasonCode = PROTOCOL_ERROR) =>
    row(`${name} from ${sender}`, 5, sender, packetWith('PUBLISH', list), reasonCode)
  return [
    row(`E24 [MQTT-2.2.2-1] PUBLISH QoS 0 without a property length from ${sender}`, 5, sender, packet(0x30, text('t'))),
    row(`E24 [MQTT-2.2.2-1] PUBLISH QoS 1 without a property length from ${sender}`, 5, sender, packet(0x32, text('t'), u16(1))),
    bad(`${sender === 'server' ? 'E197 ' : ''}E34 E89 [MQTT-3.3.2-8] PUBLISH Topic Alias 0`, props(hex('23 00 00')), TOPIC_ALIAS_INVALID),
    bad('E34 E95 PUBLISH Payload Format Indicator 2', props(hex('01 02'))),
    bad('E34 E95 PUBLISH Payload Format Indicator 255', props(hex('01 ff'))),
    ...['r/+', '#', 'a#', '+a'].map((topic) => bad(`E97 [MQTT-3.3.2-14] PUBLISH Response Topic ${topic}`, props(u8(8), text(topic)))),
    bad('E98 PUBLISH Response Topic empty', props(u8(8), text(''))),
    row(`E82 PUBLISH topic empty, properties but no alias, from ${sender}`, 5, sender, packet(0x30, text(''), props(hex('01 01'))), PROTOCOL_ERROR),
  ]
})

const identifiers: MalformedPacket[] = [
  row(
    'E94 PUBLISH Subscription Identifier 0 from server',
    5,
    'server',
    packetWith('PUBLISH', props(hex('0b 00'))),
    PROTOCOL_ERROR,
  ),
  row(
    'E94 PUBLISH Subscription Identifier of five bytes from server',
    5,
    'server',
    packetWith('PUBLISH', props(hex('0b 80 80 80 80 01'))),
  ),
  row(
    'E94 [MQTT-1.5.5-1] PUBLISH Subscription Identifier not in its shortest form from server',
    5,
    'server',
    packetWith('PUBLISH', props(hex('0b 81 00'))),
  ),
]

const pubackCodes = hex('00 10 80 83 87 90 91 97 99')
const pubrelCodes = hex('00 92')
const ackTypes = [
  { name: 'PUBACK', header: 0x40, codes: pubackCodes, rule: '[MQTT-3.4.2-1]' },
  { name: 'PUBREC', header: 0x50, codes: pubackCodes, rule: '[MQTT-3.5.2-1]' },
  { name: 'PUBREL', header: 0x62, codes: pubrelCodes, rule: '[MQTT-3.6.2-1]' },
  { name: 'PUBCOMP', header: 0x70, codes: pubrelCodes, rule: '[MQTT-3.7.2-1]' },
]

// biome-ignore format: one row a line
const acks: MalformedPacket[] = ackTypes.flatMap(({ name, header, codes, rule }) => [
  ...versions.flatMap((version) =>
    senders.flatMap((sender) => [
      row(`E111 ${name} ${versionNames[version]} packet id 0 from ${sender}`, version, sender, packet(header, u16(0)), PROTOCOL_ERROR),
      row(`E112 ${name} ${versionNames[version]} empty from ${sender}`, version, sender, raw([header, 0])),
      row(`E112 ${name} ${versionNames[version]} of one byte from ${sender}`, version, sender, raw([header, 1, 0])),
      ...(version < 5 ? [
        row(`E113 E114 ${name} ${versionNames[version]} with a reason code from ${sender}`, version, sender, packet(header, u16(1), u8(0))),
        row(`E113 ${name} ${versionNames[version]} of four bytes from ${sender}`, version, sender, packet(header, u16(1), u16(0))),
      ] : []),
    ]),
  ),
  ...everyCode.filter((code) => !codes.includes(code)).map((code) =>
    row(`E115 ${rule} ${name} 5.0 reason code ${code}`, 5, 'client', packet(header, u16(1), u8(code)), PROTOCOL_ERROR),
  ),
  row(`E8 E113 ${name} 5.0 bytes behind the properties`, 5, 'client', packet(header, u16(1), u8(0), u8(0), u8(0))),
])

export const malformedPublish: readonly MalformedPacket[] = [...publishes, ...publishes5, ...identifiers, ...acks]
