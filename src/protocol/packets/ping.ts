// PINGREQ and PINGRESP (MQTT 5.0 sections 3.12 and 3.13): two bytes each.

import type { PacketType } from '../packet-types.js'
import type { Reader } from '../reader.js'

export interface Ping {
  readonly type: typeof PacketType.PINGREQ | typeof PacketType.PINGRESP
}

export function decodePing(reader: Reader, type: Ping['type']): Ping {
  reader.finish()
  return { type }
}

export function encodePing(packet: Ping): Buffer {
  return Buffer.from([packet.type << 4, 0])
}
