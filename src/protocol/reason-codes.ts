// TABLE of the reason codes of MQTT 5.0 (section 2.4): code, name, the packets that may carry it, and the CONNACK return code
// by which a 3.x client learns the same (undefined: the connection is closed without a CONNACK [MQTT-3.2.2-6 of 3.1.1]).

import type { PacketName, Sender } from './packet-types.js'

/** Reason codes by name (MQTT 5.0 section 2.4); 0x80 and more are failures. */
export const ReasonCode = {
  SUCCESS: 0x00,
  GRANTED_QOS_1: 0x01,
  GRANTED_QOS_2: 0x02,
  DISCONNECT_WITH_WILL: 0x04,
  NO_MATCHING_SUBSCRIBERS: 0x10,
  NO_SUBSCRIPTION_EXISTED: 0x11,
  CONTINUE_AUTHENTICATION: 0x18,
  RE_AUTHENTICATE: 0x19,
  UNSPECIFIED_ERROR: 0x80,
  MALFORMED_PACKET: 0x81,
  PROTOCOL_ERROR: 0x82,
  IMPLEMENTATION_SPECIFIC_ERROR: 0x83,
  UNSUPPORTED_PROTOCOL_VERSION: 0x84,
  CLIENT_IDENTIFIER_NOT_VALID: 0x85,
  BAD_USER_NAME_OR_PASSWORD: 0x86,
  NOT_AUTHORIZED: 0x87,
  SERVER_UNAVAILABLE: 0x88,
  SERVER_BUSY: 0x89,
  BANNED: 0x8a,
  SERVER_SHUTTING_DOWN: 0x8b,
  BAD_AUTHENTICATION_METHOD: 0x8c,
  KEEP_ALIVE_TIMEOUT: 0x8d,
  SESSION_TAKEN_OVER: 0x8e,
  TOPIC_FILTER_INVALID: 0x8f,
  TOPIC_NAME_INVALID: 0x90,
  PACKET_IDENTIFIER_IN_USE: 0x91,
  PACKET_IDENTIFIER_NOT_FOUND: 0x92,
  RECEIVE_MAXIMUM_EXCEEDED: 0x93,
  TOPIC_ALIAS_INVALID: 0x94,
  PACKET_TOO_LARGE: 0x95,
  MESSAGE_RATE_TOO_HIGH: 0x96,
  QUOTA_EXCEEDED: 0x97,
  ADMINISTRATIVE_ACTION: 0x98,
  PAYLOAD_FORMAT_INVALID: 0x99,
  RETAIN_NOT_SUPPORTED: 0x9a,
  QOS_NOT_SUPPORTED: 0x9b,
  USE_ANOTHER_SERVER: 0x9c,
  SERVER_MOVED: 0x9d,
  SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: 0x9e,
  CONNECTION_RATE_EXCEEDED: 0x9f,
  MAXIMUM_CONNECT_TIME: 0xa0,
  SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: 0xa1,
  WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: 0xa2,
} as const
/** One of them. */
export type ReasonCode = (typeof ReasonCode)[keyof typeof ReasonCode]

/** The packet that carries a reason code; for DISCONNECT the allowed set depends on the sender. */
export type ReasonCarrier = Exclude<PacketName, 'DISCONNECT'> | 'client DISCONNECT' | 'server DISCONNECT'

export interface ReasonCodeRow {
  readonly code: ReasonCode
  /** The standard's name in words, as shown to people. */
  readonly text: string
  readonly carriers: readonly ReasonCarrier[]
  /** CONNACK return code in 3.1 and 3.1.1. */
  readonly returnCode: number | undefined
}

const C = 'client DISCONNECT'
const S = 'server DISCONNECT'

// biome-ignore format: one row a line
export const reasonCodes: readonly ReasonCodeRow[] = [
  { code: 0x00, text: 'Success', carriers: ['CONNACK', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBACK', 'UNSUBACK', 'AUTH', C, S], returnCode: 0 },
  { code: 0x01, text: 'Granted QoS 1', carriers: ['SUBACK'], returnCode: undefined },
  { code: 0x02, text: 'Granted QoS 2', carriers: ['SUBACK'], returnCode: undefined },
  { code: 0x04, text: 'Disconnect with Will Message', carriers: [C], returnCode: undefined },
  { code: 0x10, text: 'No matching subscribers', carriers: ['PUBACK', 'PUBREC'], returnCode: undefined },
  { code: 0x11, text: 'No subscription existed', carriers: ['UNSUBACK'], returnCode: undefined },
  { code: 0x18, text: 'Continue authentication', carriers: ['AUTH'], returnCode: undefined },
  { code: 0x19, text: 'Re-authenticate', carriers: ['AUTH'], returnCode: undefined },
  { code: 0x80, text: 'Unspecified error', carriers: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK', C, S], returnCode: undefined },
  { code: 0x81, text: 'Malformed Packet', carriers: ['CONNACK', C, S], returnCode: undefined },
  { code: 0x82, text: 'Protocol Error', carriers: ['CONNACK', C, S], returnCode: undefined },
  { code: 0x83, text: 'Implementation specific error', carriers: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK', C, S], returnCode: undefined },
  { code: 0x84, text: 'Unsupported Protocol Version', carriers: ['CONNACK'], returnCode: 1 },
  { code: 0x85, text: 'Client Identifier not valid', carriers: ['CONNACK'], returnCode: 2 },
  { code: 0x86, text: 'Bad User Name or Password', carriers: ['CONNACK'], returnCode: 4 },
  { code: 0x87, text: 'Not authorized', carriers: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK', S], returnCode: 5 },
  { code: 0x88, text: 'Server unavailable', carriers: ['CONNACK'], returnCode: 3 },
  { code: 0x89, text: 'Server busy', carriers: ['CONNACK', S], returnCode: 3 },
  { code: 0x8a, text: 'Banned', carriers: ['CONNACK'], returnCode: 5 },
  { code: 0x8b, text: 'Server shutting down', carriers: [S], returnCode: undefined },
  { code: 0x8c, text: 'Bad authentication method', carriers: ['CONNACK', S], returnCode: undefined },
  { code: 0x8d, text: 'Keep Alive timeout', carriers: [S], returnCode: undefined },
  { code: 0x8e, text: 'Session taken over', carriers: [S], returnCode: undefined },
  { code: 0x8f, text: 'Topic Filter invalid', carriers: ['SUBACK', 'UNSUBACK', S], returnCode: undefined },
  { code: 0x90, text: 'Topic Name invalid', carriers: ['CONNACK', 'PUBACK', 'PUBREC', C, S], returnCode: undefined },
  { code: 0x91, text: 'Packet Identifier in use', carriers: ['PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK'], returnCode: undefined },
  { code: 0x92, text: 'Packet Identifier not found', carriers: ['PUBREL', 'PUBCOMP'], returnCode: undefined },
  { code: 0x93, text: 'Receive Maximum exceeded', carriers: [C, S], returnCode: undefined },
  { code: 0x94, text: 'Topic Alias invalid', carriers: [C, S], returnCode: undefined },
  { code: 0x95, text: 'Packet too large', carriers: ['CONNACK', C, S], returnCode: undefined },
  { code: 0x96, text: 'Message rate too high', carriers: [C, S], returnCode: undefined },
  { code: 0x97, text: 'Quota exceeded', carriers: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', C, S], returnCode: 3 },
  { code: 0x98, text: 'Administrative action', carriers: [C, S], returnCode: undefined },
  { code: 0x99, text: 'Payload format invalid', carriers: ['CONNACK', 'PUBACK', 'PUBREC', C, S], returnCode: undefined },
  { code: 0x9a, text: 'Retain not supported', carriers: ['CONNACK', S], returnCode: undefined },
  { code: 0x9b, text: 'QoS not supported', carriers: ['CONNACK', S], returnCode: undefined },
  { code: 0x9c, text: 'Use another server', carriers: ['CONNACK', S], returnCode: 3 },
  { code: 0x9d, text: 'Server moved', carriers: ['CONNACK', S], returnCode: 3 },
  { code: 0x9e, text: 'Shared Subscriptions not supported', carriers: ['SUBACK', S], returnCode: undefined },
  { code: 0x9f, text: 'Connection rate exceeded', carriers: ['CONNACK', S], returnCode: 3 },
  { code: 0xa0, text: 'Maximum connect time', carriers: [S], returnCode: undefined },
  { code: 0xa1, text: 'Subscription Identifiers not supported', carriers: ['SUBACK', S], returnCode: undefined },
  { code: 0xa2, text: 'Wildcard Subscriptions not supported', carriers: ['SUBACK', S], returnCode: undefined },
]

/** What a 3.1 or 3.1.1 CONNACK return code says (3.1.1 table 3.1). */
export const returnCodeTexts: readonly string[] = [
  'Connection Accepted',
  'Connection Refused: unacceptable protocol version',
  'Connection Refused: identifier rejected',
  'Connection Refused: broker unavailable',
  'Connection Refused: bad user name or password',
  'Connection Refused: not authorised',
]

const rows = new Map<number, ReasonCodeRow>(reasonCodes.map((row) => [row.code, row]))
const sets = new Map<ReasonCarrier, Set<number>>()
for (const row of reasonCodes)
  for (const carrier of row.carriers) sets.set(carrier, (sets.get(carrier) ?? new Set()).add(row.code))

/** The reason code's name in words, `Unknown reason code N` for a number the standard does not list. */
export function reasonText(code: number): string {
  return rows.get(code)?.text ?? `Unknown reason code ${code}`
}

/** Whether the standard lists `code` for that packet. */
export function isReasonCodeOf(carrier: ReasonCarrier, code: number): code is ReasonCode {
  return sets.get(carrier)?.has(code) ?? false
}

/** The 3.x CONNACK return code for a refusal, or undefined where 3.x closes the connection without an answer. */
export function returnCodeFor(code: ReasonCode): number | undefined {
  return rows.get(code)?.returnCode
}

/** The carrier name of a DISCONNECT sent by `sender`. */
export function disconnectOf(sender: Sender): ReasonCarrier {
  return sender === 'client' ? C : S
}
