// Golden PUBLISH, PUBACK, PUBREC, PUBREL and PUBCOMP packets.

import { publish } from '../../src/protocol/packets/publish.js'
import { hex, packet, props, raw, text, u8, u16, utf8 } from './bytes.js'
import { ackPacket, type GoldenPacket, senders, versionNames, versions } from './golden-packet.js'

const payload = Buffer.from('hi')
const hi = utf8('hi')

/** A PUBLISH that all versions and both sides send alike, but for the property list of 5.0. */
function everywhere(name: string, header: number, fields: Parameters<typeof publish>[0], packetId?: number) {
  return versions.flatMap((version) =>
    senders.map((sender) => ({
      name: `${name} ${versionNames[version]} from ${sender}`,
      version,
      sender,
      bytes: packet(
        header,
        text(fields.topic),
        packetId === undefined ? [] : u16(packetId),
        version === 5 ? props() : [],
        [...(fields.payload ?? [])],
      ),
      packet: publish({ ...fields, ...(packetId === undefined ? {} : { packetId }) }),
    })),
  )
}

/** A QoS 0 PUBLISH of 3.1.1 to `t` whose Remaining Length is `size`. */
function sized(size: number, length: string): GoldenPacket {
  const filling = Buffer.alloc(size - 3, 0x78)
  return {
    name: `PUBLISH 3.1.1 remaining length ${size}`,
    version: 4,
    sender: 'client',
    bytes: Buffer.concat([raw(u8(0x30), hex(length), text('t')), filling]),
    packet: publish({ topic: 't', payload: filling }),
  }
}

// biome-ignore format: one row a line
const publishes: GoldenPacket[] = [
  ...everywhere('[MQTT-2.2.1-2] PUBLISH QoS 0', 0x30, { topic: 'a/b', payload }),
  ...everywhere('PUBLISH QoS 1', 0x32, { topic: 'a/b', payload, qos: 1 }, 10),
  ...everywhere('PUBLISH QoS 2', 0x34, { topic: 'a/b', payload, qos: 2 }, 65_535),
  ...everywhere('PUBLISH QoS 1 again', 0x3a, { topic: 'a/b', payload, qos: 1, dup: true }, 1),
  ...everywhere('PUBLISH QoS 2 again', 0x3c, { topic: 'a/b', payload, qos: 2, dup: true }, 256),
  ...everywhere('PUBLISH retained', 0x31, { topic: 'a/b', payload, retain: true }),
  ...everywhere('E107 PUBLISH without payload', 0x30, { topic: 'a/b' }),
  ...everywhere('PUBLISH retained without payload', 0x33, { topic: 'a/b', qos: 1, retain: true }, 7),
  { name: 'PUBLISH 3.1.1 byte by byte', version: 4, sender: 'client', bytes: raw(hex('33 07 00 01 74 12 34 68 69')), packet: publish({ topic: 't', payload, qos: 1, retain: true, packetId: 0x1234 }) },
  { name: 'PUBLISH 5.0 byte by byte', version: 5, sender: 'client', bytes: raw(hex('30 06 00 01 74 00 68 69')), packet: publish({ topic: 't', payload }) },
  { name: 'E79 PUBLISH 3.1 QoS 0 again', version: 3, sender: 'client', bytes: packet(0x38, text('t'), hi), packet: publish({ topic: 't', payload, dup: true }) },
  { name: 'PUBLISH 3.1.1 payload of any bytes', version: 4, sender: 'client', bytes: packet(0x30, text('t'), hex('00 ff c0 80 ed a0 80')), packet: publish({ topic: 't', payload: Buffer.from([0, 255, 192, 128, 237, 160, 128]) }) },
  { name: 'E6 PUBLISH 3.1.1 remaining length not in its shortest form', version: 4, sender: 'client', bytes: raw(hex('30 85 00 00 01 74 68 69')), packet: publish({ topic: 't', payload }), readOnly: true },
  { name: 'F126 PUBLISH 3.1.1 topic of empty levels', version: 4, sender: 'client', bytes: packet(0x30, text('///'), hi), packet: publish({ topic: '///', payload }) },
  { name: 'F127 PUBLISH 3.1.1 topic with spaces', version: 4, sender: 'client', bytes: packet(0x30, text(' A b '), hi), packet: publish({ topic: ' A b ', payload }) },
  { name: '[MQTT-1.5.4-3] E23 PUBLISH 3.1.1 topic with U+FEFF', version: 4, sender: 'client', bytes: packet(0x30, hex('00 05 ef bb bf 2f 61'), hi), packet: publish({ topic: '\uFEFF/a', payload }) },
  { name: 'E23 PUBLISH 5.0 topic from the supplementary planes', version: 5, sender: 'client', bytes: packet(0x30, hex('00 08 f0 9f 8c a1 f4 8f bf bd'), props(), hi), packet: publish({ topic: '🌡\u{10fffd}', payload }) },
  { name: 'PUBLISH 5.0 topic under $SYS', version: 5, sender: 'server', bytes: packet(0x30, text('$SYS/broker/uptime'), props(), hi), packet: publish({ topic: '$SYS/broker/uptime', payload }) },
  { name: 'E86 PUBLISH 3.1.1 topic of 200 levels', version: 4, sender: 'client', bytes: packet(0x30, text('/'.repeat(199)), hi), packet: publish({ topic: '/'.repeat(199), payload }) },
  { name: 'PUBLISH 5.0 alias with its topic', version: 5, sender: 'client', bytes: packet(0x30, text('t'), props(hex('23 00 01')), hi), packet: publish({ topic: 't', payload, properties: { topicAlias: 1 } }) },
  { name: 'PUBLISH 5.0 alias in place of the topic', version: 5, sender: 'client', bytes: packet(0x32, text(''), u16(9), props(hex('23 ff ff')), hi), packet: publish({ topic: '', payload, qos: 1, packetId: 9, properties: { topicAlias: 65_535 } }) },
  { name: 'PUBLISH 5.0 message expiry 0', version: 5, sender: 'client', bytes: packet(0x30, text('t'), props(hex('02 00 00 00 00')), hi), packet: publish({ topic: 't', payload, properties: { messageExpiryInterval: 0 } }) },
  { name: 'E96 F138 PUBLISH 5.0 payload is not the UTF-8 it claims', version: 5, sender: 'client', bytes: packet(0x30, text('t'), props(hex('01 01')), hex('ff')), packet: publish({ topic: 't', payload: Buffer.from([255]), properties: { payloadFormatIndicator: 1 } }) },
  { name: 'F162 PUBLISH 5.0 empty content type and correlation data', version: 5, sender: 'client', bytes: packet(0x30, text('t'), props(hex('03 00 00'), hex('09 00 00')), hi), packet: publish({ topic: 't', payload, properties: { contentType: '', correlationData: Buffer.alloc(0) } }) },
  { name: 'E31 PUBLISH 5.0 user properties twice, with empty parts', version: 5, sender: 'client', bytes: packet(0x30, text('t'), props(hex('26 00 01 61 00 01 31'), hex('26 00 01 61 00 01 31'), hex('26 00 00 00 00')), hi), packet: publish({ topic: 't', payload, properties: { userProperties: [['a', '1'], ['a', '1'], ['', '']] } }) },
  { name: 'F49 PUBLISH 5.0 several subscription identifiers', version: 5, sender: 'server', bytes: packet(0x30, text('t'), props(hex('0b 01'), hex('0b ff ff ff 7f'), hex('0b 01')), hi), packet: publish({ topic: 't', payload, properties: { subscriptionIdentifiers: [1, 268_435_455, 1] } }) },
  { name: 'PUBLISH 5.0 property list of 128 bytes', version: 5, sender: 'client', bytes: packet(0x30, text('t'), hex('80 01'), hex('03 00 7d'), utf8('x'.repeat(125)), hi), packet: publish({ topic: 't', payload, properties: { contentType: 'x'.repeat(125) } }) },
  sized(127, '7f'),
  sized(128, '80 01'),
  sized(16_384, '80 80 01'),
]

const ackTypes = [
  { type: 4, name: 'PUBACK', header: 0x40, codes: hex('10 80 83 87 90 91 97 99') },
  { type: 5, name: 'PUBREC', header: 0x50, codes: hex('10 80 83 87 90 91 97 99') },
  { type: 6, name: 'PUBREL', header: 0x62, codes: hex('92') },
  { type: 7, name: 'PUBCOMP', header: 0x70, codes: hex('92') },
] as const

const acks: GoldenPacket[] = ackTypes.flatMap(({ type, name, header, codes }) => [
  ...versions.flatMap((version) =>
    senders.map((sender) => ({
      name: `F159 ${name} ${versionNames[version]} from ${sender}`,
      version,
      sender,
      bytes: packet(header, u16(0x0102)),
      packet: ackPacket(type, 0x0102),
    })),
  ),
  ...senders.flatMap((sender) =>
    codes.map((code) => ({
      name: `E114 F159 ${name} 5.0 from ${sender} reason code ${code}`,
      version: 5 as const,
      sender,
      bytes: raw([header], hex('03 00 01'), u8(code)),
      packet: ackPacket(type, 1, code),
    })),
  ),
  {
    name: `E114 F159 ${name} 5.0 success spelt out`,
    version: 5 as const,
    sender: 'client' as const,
    bytes: packet(header, u16(2), u8(0)),
    packet: ackPacket(type, 2),
    readOnly: true as const,
  },
  {
    name: `F159 ${name} 5.0 with an empty property list`,
    version: 5 as const,
    sender: 'server' as const,
    bytes: packet(header, u16(2), u8(0), props()),
    packet: ackPacket(type, 2),
    readOnly: true as const,
  },
])

const retried: GoldenPacket = {
  name: 'PUBREL 3.1 marked as sent again',
  version: 3,
  sender: 'client',
  bytes: packet(0x6a, u16(3)),
  packet: ackPacket(6, 3),
  readOnly: true,
}

export const publishPackets: readonly GoldenPacket[] = [...publishes, ...acks, retried]
