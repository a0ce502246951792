// Golden CONNECT, CONNACK, PINGREQ, PINGRESP, DISCONNECT and AUTH packets.

import { binary, hex, packet, props, raw, text, u8, u16, utf8 } from './bytes.js'
import {
  authPacket,
  connackPacket,
  connectPacket,
  disconnectPacket,
  type GoldenPacket,
  versionNames,
  versions,
  willOf,
} from './golden-packet.js'

const v31 = [text('MQIsdp'), u8(3)]
const v311 = [text('MQTT'), u8(4)]
const v5 = [text('MQTT'), u8(5)]
const keep = u16(60)
const id = text('c')
const gone = binary(utf8('gone'))
const bom = '\uFEFF'

// biome-ignore format: one row a line
const connects: GoldenPacket[] = [
  { name: 'CONNECT 3.1', version: 3, sender: 'client', bytes: packet(0x10, ...v31, u8(2), keep, id), packet: connectPacket(3) },
  { name: 'CONNECT 3.1 byte by byte', version: 3, sender: 'client', bytes: raw(hex('10 0f 00 06 4d 51 49 73 64 70 03 02 00 3c 00 01 63')), packet: connectPacket(3) },
  { name: 'CONNECT 3.1 with everything', version: 3, sender: 'client', bytes: packet(0x10, ...v31, u8(0xf4), u16(1), id, text('w'), gone, text('u'), text('p')), packet: connectPacket(3, { cleanStart: false, keepAlive: 1, will: willOf({ qos: 2, retain: true }), username: 'u', password: Buffer.from('p') }) },
  { name: 'CONNECT 3.1 of a bridge', version: 3, sender: 'client', bytes: packet(0x10, text('MQIsdp'), u8(0x83), u8(2), keep, id), packet: connectPacket(3, { bridge: true }) },
  { name: 'E55 CONNECT 3.1 announces a user name it does not send', version: 3, sender: 'client', bytes: packet(0x10, ...v31, u8(0x82), keep, id), packet: connectPacket(3), readOnly: true },
  { name: 'E56 CONNECT 3.1 announces a password it does not send', version: 3, sender: 'client', bytes: packet(0x10, ...v31, u8(0xc2), keep, id, text('u')), packet: connectPacket(3, { username: 'u' }), readOnly: true },
  { name: 'E42 CONNECT 3.1 sets the unused flag', version: 3, sender: 'client', bytes: packet(0x10, ...v31, u8(3), keep, id), packet: connectPacket(3), readOnly: true },
  { name: 'E44 E45 CONNECT 3.1 has will QoS and retain without a will', version: 3, sender: 'client', bytes: packet(0x10, ...v31, u8(0x32), keep, id), packet: connectPacket(3), readOnly: true },
  { name: 'CONNECT 3.1.1', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(2), keep, id), packet: connectPacket(4) },
  { name: 'CONNECT 3.1.1 byte by byte', version: 4, sender: 'client', bytes: raw(hex('10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 63')), packet: connectPacket(4) },
  { name: 'CONNECT 3.1.1 keeps its session', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0), keep, id), packet: connectPacket(4, { cleanStart: false }) },
  { name: 'CONNECT 3.1.1 keep alive 0', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(2), u16(0), id), packet: connectPacket(4, { keepAlive: 0 }) },
  { name: 'CONNECT 3.1.1 keep alive 65535', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(2), u16(65_535), id), packet: connectPacket(4, { keepAlive: 65_535 }) },
  { name: 'CONNECT 3.1.1 without a client id', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(2), keep, text('')), packet: connectPacket(4, { clientId: '' }) },
  { name: 'CONNECT 3.1.1 client id of 23 characters', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(2), keep, text('0123456789abcdefgABCDEFG')), packet: connectPacket(4, { clientId: '0123456789abcdefgABCDEFG' }) },
  { name: '[MQTT-1.5.4-3] E23 CONNECT 3.1.1 client id begins with U+FEFF', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(2), keep, binary(hex('ef bb bf 61'))), packet: connectPacket(4, { clientId: `${bom}a` }) },
  { name: 'E23 CONNECT 3.1.1 client id of two, three and four bytes a character', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(2), keep, binary(hex('c3 a9 e2 82 ac f0 aa 9b 94'))), packet: connectPacket(4, { clientId: 'é€𪛔' }) },
  { name: '[MQTT-3.1.2-17] CONNECT 3.1.1 user name', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0x82), keep, id, text('user')), packet: connectPacket(4, { username: 'user' }) },
  { name: '[MQTT-3.1.2-19] CONNECT 3.1.1 user name and password', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0xc2), keep, id, text('user'), text('secret')), packet: connectPacket(4, { username: 'user', password: Buffer.from('secret') }) },
  { name: 'E58 F162 CONNECT 3.1.1 empty user name and password', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0xc2), keep, id, text(''), text('')), packet: connectPacket(4, { username: '', password: Buffer.alloc(0) }) },
  { name: 'E59 CONNECT 3.1.1 password of any bytes', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0xc2), keep, id, text('u'), binary(hex('00 ff c0 80'))), packet: connectPacket(4, { username: 'u', password: Buffer.from([0, 255, 192, 128]) }) },
  { name: 'CONNECT 3.1.1 will', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(6), keep, id, text('w'), gone), packet: connectPacket(4, { will: willOf() }) },
  { name: 'CONNECT 3.1.1 will QoS 1', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0x0e), keep, id, text('w'), gone), packet: connectPacket(4, { will: willOf({ qos: 1 }) }) },
  { name: 'CONNECT 3.1.1 will QoS 2, retained', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0x36), keep, id, text('w'), gone), packet: connectPacket(4, { will: willOf({ qos: 2, retain: true }) }) },
  { name: 'E50 F162 CONNECT 3.1.1 will with an empty payload', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(6), keep, id, text('w'), text('')), packet: connectPacket(4, { will: willOf({ payload: Buffer.alloc(0) }) }) },
  { name: 'CONNECT 3.1.1 will payload of any bytes', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(6), keep, id, text('w'), binary(hex('00 ff fe'))), packet: connectPacket(4, { will: willOf({ payload: Buffer.from([0, 255, 254]) }) }) },
  { name: '[MQTT-3.1.3-1] CONNECT 3.1.1 with everything', version: 4, sender: 'client', bytes: packet(0x10, ...v311, u8(0xf6), keep, id, text('a/b'), gone, text('u'), text('p')), packet: connectPacket(4, { will: willOf({ topic: 'a/b', qos: 2, retain: true }), username: 'u', password: Buffer.from('p') }) },
  { name: 'CONNECT 3.1.1 of a bridge', version: 4, sender: 'client', bytes: packet(0x10, text('MQTT'), u8(0x84), u8(2), keep, id), packet: connectPacket(4, { bridge: true }) },
  { name: '[MQTT-2.2.2-1] CONNECT 5.0', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(2), keep, props(), id), packet: connectPacket(5) },
  { name: 'CONNECT 5.0 byte by byte', version: 5, sender: 'client', bytes: raw(hex('10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 63')), packet: connectPacket(5) },
  { name: 'CONNECT 5.0 without a client id, session kept', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(0), keep, props(), text('')), packet: connectPacket(5, { cleanStart: false, clientId: '' }) },
  { name: 'E54 CONNECT 5.0 password without a user name', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(0x42), keep, props(), id, text('p')), packet: connectPacket(5, { password: Buffer.from('p') }) },
  { name: 'E58 F162 CONNECT 5.0 empty user name', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(0x82), keep, props(), id, text('')), packet: connectPacket(5, { username: '' }) },
  { name: 'E59 CONNECT 5.0 password of any bytes', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(0x42), keep, props(), id, binary(hex('00 80'))), packet: connectPacket(5, { password: Buffer.from([0, 128]) }) },
  { name: 'E50 CONNECT 5.0 will with an empty payload', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(6), keep, props(), id, props(), text('w'), text('')), packet: connectPacket(5, { will: willOf({ payload: Buffer.alloc(0) }) }) },
  { name: 'E74 CONNECT 5.0 will payload is not the UTF-8 it claims', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(6), keep, props(), id, props(hex('01 01')), text('w'), binary(hex('ff'))), packet: connectPacket(5, { will: willOf({ payload: Buffer.from([255]), properties: { payloadFormatIndicator: 1 } }) }) },
  { name: '[MQTT-3.1.3-1] F161 CONNECT 5.0 with everything', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(0xee), keep, props(hex('11 00 00 00 0a'), hex('21 00 14')), id, props(hex('18 00 00 00 05')), text('w'), gone, text('u'), text('p')), packet: connectPacket(5, { properties: { sessionExpiryInterval: 10, receiveMaximum: 20 }, will: willOf({ qos: 1, retain: true, properties: { willDelayInterval: 5 } }), username: 'u', password: Buffer.from('p') }) },
  { name: 'E31 CONNECT 5.0 will user properties in order', version: 5, sender: 'client', bytes: packet(0x10, ...v5, u8(6), keep, props(), id, props(hex('26 00 01 62 00 01 31'), hex('26 00 01 61 00 00'), hex('26 00 01 62 00 01 32')), text('w'), gone), packet: connectPacket(5, { will: willOf({ properties: { userProperties: [['b', '1'], ['a', ''], ['b', '2']] } }) }) },
]

const connackCodes5 = hex('00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f')

const connacks: GoldenPacket[] = [
  ...[3 as const, 4 as const].flatMap((version) =>
    [0, 1, 2, 3, 4, 5].map((code) => ({
      name: `CONNACK ${versionNames[version]} return code ${code}`,
      version,
      sender: 'server' as const,
      bytes: packet(0x20, u8(0), u8(code)),
      packet: connackPacket(code),
    })),
  ),
  ...connackCodes5.map((code) => ({
    name: `CONNACK 5.0 reason code ${code}`,
    version: 5 as const,
    sender: 'server' as const,
    bytes: packet(0x20, u8(0), u8(code), props()),
    packet: connackPacket(code),
  })),
  {
    name: 'CONNACK 3.1 ignores its reserved byte',
    version: 3,
    sender: 'server',
    bytes: packet(0x20, u8(0xff), u8(0)),
    packet: connackPacket(0),
    readOnly: true,
  },
  {
    name: 'CONNACK 3.1.1 session present',
    version: 4,
    sender: 'server',
    bytes: raw(hex('20 02 01 00')),
    packet: connackPacket(0, { sessionPresent: true }),
  },
  {
    name: 'CONNACK 5.0 session present',
    version: 5,
    sender: 'server',
    bytes: raw(hex('20 03 01 00 00')),
    packet: connackPacket(0, { sessionPresent: true }),
  },
  {
    name: 'CONNACK to a 5.0 client from a server that knows 3.1.1 only',
    version: 5,
    sender: 'server',
    bytes: raw(hex('20 02 00 01')),
    packet: connackPacket(0x84),
    readOnly: true,
  },
]

const pings: GoldenPacket[] = versions.flatMap((version) => [
  {
    name: `PINGREQ ${versionNames[version]}`,
    version,
    sender: 'client' as const,
    bytes: raw(hex('c0 00')),
    packet: { type: 12 as const },
  },
  {
    name: `PINGRESP ${versionNames[version]}`,
    version,
    sender: 'server' as const,
    bytes: raw(hex('d0 00')),
    packet: { type: 13 as const },
  },
])

const disconnectCodes = {
  client: hex('04 80 81 82 83 90 93 94 95 96 97 98 99'),
  server: hex('80 81 82 83 87 89 8b 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2'),
}

// biome-ignore format: one row a line
const disconnects: GoldenPacket[] = [
  { name: 'DISCONNECT 3.1', version: 3, sender: 'client', bytes: raw(hex('e0 00')), packet: disconnectPacket() },
  { name: 'DISCONNECT 3.1.1', version: 4, sender: 'client', bytes: raw(hex('e0 00')), packet: disconnectPacket() },
  { name: 'F159 DISCONNECT 5.0 from client, empty', version: 5, sender: 'client', bytes: raw(hex('e0 00')), packet: disconnectPacket() },
  { name: 'F159 DISCONNECT 5.0 from server, empty', version: 5, sender: 'server', bytes: raw(hex('e0 00')), packet: disconnectPacket() },
  { name: 'F159 E168 DISCONNECT 5.0 success spelt out', version: 5, sender: 'client', bytes: raw(hex('e0 01 00')), packet: disconnectPacket(), readOnly: true },
  { name: 'F159 E168 DISCONNECT 5.0 with an empty property list', version: 5, sender: 'client', bytes: raw(hex('e0 02 04 00')), packet: disconnectPacket(4), readOnly: true },
  { name: 'DISCONNECT 5.0 session expiry 0', version: 5, sender: 'client', bytes: raw(hex('e0 07 00 05 11 00 00 00 00')), packet: disconnectPacket(0, { sessionExpiryInterval: 0 }) },
  { name: 'DISCONNECT 5.0 session expiry never', version: 5, sender: 'client', bytes: raw(hex('e0 07 00 05 11 ff ff ff ff')), packet: disconnectPacket(0, { sessionExpiryInterval: 0xffffffff }) },
  ...(['client', 'server'] as const).flatMap((sender) =>
    disconnectCodes[sender].map((code) => ({ name: `F159 DISCONNECT 5.0 from ${sender} reason code ${code}`, version: 5 as const, sender, bytes: packet(0xe0, u8(code)), packet: disconnectPacket(code) })),
  ),
]

const method = hex('15 00 01 6d')

// biome-ignore format: one row a line
const auths: GoldenPacket[] = [
  { name: 'AUTH 5.0 from client, continue', version: 5, sender: 'client', bytes: packet(0xf0, u8(0x18), props(method)), packet: authPacket(0x18, { authenticationMethod: 'm' }) },
  { name: 'AUTH 5.0 from client, re-authenticate', version: 5, sender: 'client', bytes: packet(0xf0, u8(0x19), props(method)), packet: authPacket(0x19, { authenticationMethod: 'm' }) },
  { name: 'AUTH 5.0 from server, continue', version: 5, sender: 'server', bytes: packet(0xf0, u8(0x18), props(method, hex('16 00 02 00 ff'))), packet: authPacket(0x18, { authenticationMethod: 'm', authenticationData: Buffer.from([0, 255]) }) },
  { name: 'AUTH 5.0 from server, success', version: 5, sender: 'server', bytes: packet(0xf0, u8(0), props(method)), packet: authPacket(0, { authenticationMethod: 'm' }) },
]

export const connectionPackets: readonly GoldenPacket[] = [...connects, ...connacks, ...pings, ...disconnects, ...auths]
