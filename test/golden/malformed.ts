// TABLE of malformed packets: bytes that must be refused, and the reason code the sender is told. A row's name carries the rows
// of the rule tables (E…) and the statements of the standard that it shows. Faults that need more than one packet to be seen
// are conversations and live with the broker and the client.

import { malformedConnect } from './malformed-connect.js'
import { malformedFraming } from './malformed-framing.js'
import type { MalformedPacket } from './malformed-packet.js'
import { malformedPublish } from './malformed-publish.js'
import { malformedSubscribe } from './malformed-subscribe.js'

export const malformedPackets: readonly MalformedPacket[] = [
  ...malformedFraming,
  ...malformedConnect,
  ...malformedPublish,
  ...malformedSubscribe,
]
