// The row of the malformed table, and the texts no text field may hold.

import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import { type Bytes, hex, utf8 } from './bytes.js'

/** A packet that must be refused. In 3.x the reason code is not sent, the connection just closes. */
export interface MalformedPacket {
  readonly name: string
  readonly version: ProtocolVersion
  readonly sender: Sender
  readonly bytes: Buffer
  readonly reasonCode: number
}

export const MALFORMED = 0x81
export const PROTOCOL_ERROR = 0x82

/** Bytes that are no text (sections 1.5.4 and RFC 3629), with the rule they break. */
export const badTexts: readonly { readonly name: string; readonly bytes: Bytes }[] = [
  { name: 'E17 [MQTT-1.5.4-1] stray continuation byte', bytes: hex('61 80') },
  { name: 'E17 [MQTT-1.5.4-1] two-byte sequence cut short', bytes: hex('c3') },
  { name: 'E17 [MQTT-1.5.4-1] three-byte sequence cut short', bytes: hex('61 e2 82') },
  { name: 'E17 [MQTT-1.5.4-1] four-byte sequence cut short', bytes: hex('f0 9f 8c') },
  { name: 'E17 [MQTT-1.5.4-1] sequence broken by ASCII', bytes: hex('e2 82 61') },
  { name: 'E17 [MQTT-1.5.4-1] byte FE', bytes: hex('fe') },
  { name: 'E17 [MQTT-1.5.4-1] byte FF', bytes: hex('61 ff 62') },
  { name: 'E17 [MQTT-1.5.4-1] five-byte form', bytes: hex('f8 88 80 80 80') },
  { name: 'E17 [MQTT-1.5.4-1] six-byte form', bytes: hex('fc 84 80 80 80 80') },
  { name: 'E17 [MQTT-1.5.4-1] above U+10FFFF', bytes: hex('f4 90 80 80') },
  { name: 'E18 [MQTT-1.5.4-1] overlong U+0000', bytes: hex('c0 80') },
  { name: 'E18 [MQTT-1.5.4-1] overlong A', bytes: hex('c1 81') },
  { name: 'E18 [MQTT-1.5.4-1] overlong three-byte form', bytes: hex('e0 80 80') },
  { name: 'E18 [MQTT-1.5.4-1] overlong four-byte form', bytes: hex('f0 80 80 80') },
  { name: 'E19 [MQTT-1.5.4-1] U+D800', bytes: hex('ed a0 80') },
  { name: 'E19 [MQTT-1.5.4-1] U+DFFF', bytes: hex('ed bf bf') },
  { name: 'E19 [MQTT-1.5.4-1] surrogate pair', bytes: hex('ed a0 80 ed b0 80') },
  { name: 'E20 [MQTT-1.5.4-2] U+0000', bytes: hex('61 00 62') },
  { name: 'E20 [MQTT-1.5.4-2] U+0000 beside other text', bytes: [...utf8('é'), 0] },
  { name: 'E21 U+0001', bytes: hex('01') },
  { name: 'E21 U+001F', bytes: hex('61 1f') },
  { name: 'E21 U+001F beside other text', bytes: [...utf8('é'), 0x1f] },
  { name: 'E21 U+007F', bytes: hex('7f') },
  { name: 'E21 U+0080', bytes: utf8('\u0080') },
  { name: 'E21 U+009F', bytes: utf8('a\u009f') },
  { name: 'E22 U+FDD0', bytes: utf8('\uFDD0') },
  { name: 'E22 U+FDEF', bytes: utf8('\uFDEF') },
  { name: 'E22 U+FFFE', bytes: utf8('\uFFFE') },
  { name: 'E22 U+FFFF', bytes: utf8('\uFFFF') },
  { name: 'E22 U+1FFFE', bytes: utf8('\u{1FFFE}') },
  { name: 'E22 U+2FFFF', bytes: utf8('\u{2FFFF}') },
  { name: 'E22 U+10FFFF', bytes: utf8('\u{10FFFF}') },
]

/** One text for each of the rows E17 to E22, for the fields in which not every text is tried. */
export const someBadTexts = ['E17', 'E18', 'E19', 'E20', 'E21', 'E22'].flatMap((id) =>
  badTexts.filter((row) => row.name.startsWith(id)).slice(0, 1),
)

/** Every reason code of the standard, and some that are none. */
export const everyCode = hex(
  '00 01 02 03 04 05 10 11 18 19 7f 80 81 82 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f 90 91 92 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2 a3 ff',
)
