// Golden SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK packets.

import type { SubscriptionRequest } from '../../src/protocol/packets/subscribe.js'
import { hex, packet, props, raw, text, u8, u16, varint } from './bytes.js'
import {
  type GoldenPacket,
  request,
  subackPacket,
  subscribePacket,
  unsubackPacket,
  unsubscribePacket,
  versionNames,
  versions,
} from './golden-packet.js'

const qosLevels = [0, 1, 2] as const

/** Section 3.8.3.1: all valid options bytes with what they mean. */
const options: { byte: number; fields: Partial<SubscriptionRequest> }[] = []
for (const qos of qosLevels)
  for (const noLocal of [false, true])
    for (const retainAsPublished of [false, true])
      for (const retainHandling of qosLevels)
        options.push({
          byte: qos + (noLocal ? 4 : 0) + (retainAsPublished ? 8 : 0) + retainHandling * 16,
          fields: { qos, noLocal, retainAsPublished, retainHandling },
        })

const plainFilters = ['a', 'a/b', '#', '+', 'a/#', 'a/+/b', '+/+', '/', '//', '/+', '$SYS/#', 'a b', '\u{1f321}/+']

const subscribes: GoldenPacket[] = [
  ...versions.flatMap((version) =>
    qosLevels.map((qos) => ({
      name: `SUBSCRIBE ${versionNames[version]} QoS ${qos}`,
      version,
      sender: 'client' as const,
      bytes: packet(0x82, u16(10), version === 5 ? props() : [], text('a/b'), u8(qos)),
      packet: subscribePacket(10, [request('a/b', { qos })]),
    })),
  ),
  ...versions.map((version) => ({
    name: `SUBSCRIBE ${versionNames[version]} many filters`,
    version,
    sender: 'client' as const,
    bytes: packet(
      0x82,
      u16(65_535),
      version === 5 ? props() : [],
      plainFilters.flatMap((filter) => [...text(filter), 1]),
    ),
    packet: subscribePacket(
      65_535,
      plainFilters.map((filter) => request(filter, { qos: 1 })),
    ),
  })),
  ...options.map(({ byte, fields }) => ({
    name: `SUBSCRIBE 5.0 options byte ${byte}`,
    version: 5 as const,
    sender: 'client' as const,
    bytes: packet(0x82, u16(1), props(), text('t'), u8(byte)),
    packet: subscribePacket(1, [request('t', fields)]),
  })),
  ...[1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455].map((identifier) => ({
    name: `SUBSCRIBE 5.0 subscription identifier ${identifier}`,
    version: 5 as const,
    sender: 'client' as const,
    bytes: packet(0x82, u16(1), props(u8(0x0b), varint(identifier)), text('t'), u8(0)),
    packet: subscribePacket(1, [request('t')], { subscriptionIdentifiers: [identifier] }),
  })),
  ...['$share/g/t', '$share/g/#', '$share/group name/a/+/b'].map((filter) => ({
    name: `SUBSCRIBE 5.0 shared ${filter}`,
    version: 5 as const,
    sender: 'client' as const,
    bytes: packet(0x82, u16(1), props(), text(filter), u8(1)),
    packet: subscribePacket(1, [request(filter, { qos: 1 })]),
  })),
  ...versions.flatMap((version) => [
    {
      name: `E148 SUBSCRIBE ${versionNames[version]} $share/g//t`,
      version,
      sender: 'client' as const,
      bytes: packet(0x82, u16(1), version === 5 ? props() : [], text('$share/g//t'), u8(0)),
      packet: subscribePacket(1, [request('$share/g//t')]),
    },
    {
      name: `E149 F130 SUBSCRIBE ${versionNames[version]} filters that only look shared`,
      version,
      sender: 'client' as const,
      bytes: packet(0x82, u16(1), version === 5 ? props() : [], text('$SHARE/g/t'), u8(0), text('$shared/+/t'), u8(0)),
      packet: subscribePacket(1, [request('$SHARE/g/t'), request('$shared/+/t')]),
    },
  ]),
  {
    name: 'SUBSCRIBE 3.1.1 byte by byte',
    version: 4,
    sender: 'client',
    bytes: raw(hex('82 0a 00 01 00 01 61 00 00 01 62 02')),
    packet: subscribePacket(1, [request('a'), request('b', { qos: 2 })]),
  },
  {
    name: 'SUBSCRIBE 3.1 marked as sent again',
    version: 3,
    sender: 'client',
    bytes: packet(0x8a, u16(1), text('t'), u8(0)),
    packet: subscribePacket(1, [request('t')]),
    readOnly: true,
  },
  {
    name: 'E137 SUBSCRIBE 3.1 sets unused option bits',
    version: 3,
    sender: 'client',
    bytes: packet(0x82, u16(1), text('t'), u8(0xfd)),
    packet: subscribePacket(1, [request('t', { qos: 1 })]),
    readOnly: true,
  },
  {
    name: 'E132 SUBSCRIBE 3.1 without a filter',
    version: 3,
    sender: 'client',
    bytes: packet(0x82, u16(1)),
    packet: subscribePacket(1, []),
  },
]

const codes3 = [0, 1, 2]
const subackCodes = { 3: codes3, 4: [...codes3, 0x80], 5: hex('00 01 02 80 83 87 8f 91 97 9e a1 a2') }

const subacks: GoldenPacket[] = versions.flatMap((version) => [
  {
    name: `F160 SUBACK ${versionNames[version]} several codes in order`,
    version,
    sender: 'server' as const,
    bytes: packet(0x90, u16(10), version === 5 ? props() : [], [2, 0, 1, 0]),
    packet: subackPacket(10, [2, 0, 1, 0]),
  },
  ...subackCodes[version].map((code) => ({
    name: `SUBACK ${versionNames[version]} code ${code}`,
    version,
    sender: 'server' as const,
    bytes: packet(0x90, u16(1), version === 5 ? props() : [], u8(code)),
    packet: subackPacket(1, [code]),
  })),
])

const unsubscribes: GoldenPacket[] = [
  ...versions.flatMap((version) => [
    {
      name: `UNSUBSCRIBE ${versionNames[version]}`,
      version,
      sender: 'client' as const,
      bytes: packet(0xa2, u16(10), version === 5 ? props() : [], text('a/b')),
      packet: unsubscribePacket(10, ['a/b']),
    },
    {
      name: `UNSUBSCRIBE ${versionNames[version]} many filters, a share in full`,
      version,
      sender: 'client' as const,
      bytes: packet(0xa2, u16(256), version === 5 ? props() : [], text('#'), text('a/+'), text('$share/g/x')),
      packet: unsubscribePacket(256, ['#', 'a/+', '$share/g/x']),
    },
  ]),
  {
    name: 'UNSUBSCRIBE 3.1 marked as sent again',
    version: 3,
    sender: 'client',
    bytes: packet(0xaa, u16(1), text('t')),
    packet: unsubscribePacket(1, ['t']),
    readOnly: true,
  },
  {
    name: 'E159 UNSUBSCRIBE 3.1 without a filter',
    version: 3,
    sender: 'client',
    bytes: packet(0xa2, u16(1)),
    packet: unsubscribePacket(1, []),
  },
]

const unsubacks: GoldenPacket[] = [
  ...([3, 4] as const).map((version) => ({
    name: `F160 UNSUBACK ${versionNames[version]}`,
    version,
    sender: 'server' as const,
    bytes: raw(hex('b0 02 00 0a')),
    packet: unsubackPacket(10, []),
  })),
  ...hex('00 11 80 83 87 8f 91').map((code) => ({
    name: `F160 UNSUBACK 5.0 reason code ${code}`,
    version: 5 as const,
    sender: 'server' as const,
    bytes: packet(0xb0, u16(10), props(), u8(code)),
    packet: unsubackPacket(10, [code]),
  })),
  {
    name: 'UNSUBACK 5.0 several codes in order',
    version: 5,
    sender: 'server',
    bytes: raw(hex('b0 06 00 0a 00 11 00 87')),
    packet: unsubackPacket(10, [0x11, 0, 0x87]),
  },
]

export const subscriptionPackets: readonly GoldenPacket[] = [...subscribes, ...subacks, ...unsubscribes, ...unsubacks]
