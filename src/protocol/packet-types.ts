// TABLE of the control packet types (MQTT 5.0 section 2.1.2): code, name, fixed-header flags, who sends it, first version.

/** MQTT 3.1 is 3, 3.1.1 is 4, 5.0 is 5: the protocol level in CONNECT. */
export type ProtocolVersion = 3 | 4 | 5

/** The side of a connection that sent a packet. */
export type Sender = 'client' | 'server'

/** The types of packets by name (MQTT 5.0 section 2.1.2). */
export const PacketType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const
/** Number of a type of packets. */
export type PacketType = (typeof PacketType)[keyof typeof PacketType]
export type PacketName = keyof typeof PacketType

/** The first byte of a PUBLISH without DUP, QoS and RETAIN. */
export const PLAIN_PUBLISH = PacketType.PUBLISH << 4

export interface PacketTypeRow {
  readonly code: PacketType
  readonly name: PacketName
  /**
   * The low four bits of the first byte [MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1]
   * [MQTT-3.15.1-1]; undefined where they carry data (PUBLISH).
   */
  readonly flags: number | undefined
  readonly sentBy: readonly Sender[]
  /** The first protocol level in which `sentBy` holds. */
  readonly since: ProtocolVersion
}

const both: readonly Sender[] = ['client', 'server']
const client: readonly Sender[] = ['client']
const server: readonly Sender[] = ['server']

export const packetTypes: readonly PacketTypeRow[] = [
  { code: 1, name: 'CONNECT', flags: 0, sentBy: client, since: 3 },
  { code: 2, name: 'CONNACK', flags: 0, sentBy: server, since: 3 },
  { code: 3, name: 'PUBLISH', flags: undefined, sentBy: both, since: 3 },
  { code: 4, name: 'PUBACK', flags: 0, sentBy: both, since: 3 },
  { code: 5, name: 'PUBREC', flags: 0, sentBy: both, since: 3 },
  { code: 6, name: 'PUBREL', flags: 2, sentBy: both, since: 3 },
  { code: 7, name: 'PUBCOMP', flags: 0, sentBy: both, since: 3 },
  { code: 8, name: 'SUBSCRIBE', flags: 2, sentBy: client, since: 3 },
  { code: 9, name: 'SUBACK', flags: 0, sentBy: server, since: 3 },
  { code: 10, name: 'UNSUBSCRIBE', flags: 2, sentBy: client, since: 3 },
  { code: 11, name: 'UNSUBACK', flags: 0, sentBy: server, since: 3 },
  { code: 12, name: 'PINGREQ', flags: 0, sentBy: client, since: 3 },
  { code: 13, name: 'PINGRESP', flags: 0, sentBy: server, since: 3 },
  { code: 14, name: 'DISCONNECT', flags: 0, sentBy: both, since: 3 },
  { code: 15, name: 'AUTH', flags: 0, sentBy: both, since: 5 },
]

/** By code. */
const rows: (PacketTypeRow | undefined)[] = [undefined, ...packetTypes]

/** The row of a packet type code, or undefined for 0 and anything above 15. */
export function packetTypeRow(code: number): PacketTypeRow | undefined {
  return rows[code]
}
