// The one error of the wire: something a peer sent that MQTT forbids, or that a limit forbids. It carries the MQTT 5.0 reason
// code that the peer is told; whoever owns the connection catches it once, answers and closes.

import type { ReasonCode } from './reason-codes.js'

/** A malformed packet (0x81), a protocol error (0x82) or a refused one, with the reason code of MQTT 5.0 section 2.4. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly reasonCode: ReasonCode

  /** @param message what was wrong, for the log and for the Reason String: lower case, no final dot, no payload content. */
  constructor(reasonCode: ReasonCode, message: string) {
    super(message)
    this.reasonCode = reasonCode
  }
}
