// SUBSCRIBE and UNSUBSCRIBE packets that wait for their answer, by packet identifier. They are not session state: when the
// connection ends they have failed.

import { PacketType } from '../protocol/packet-types.js'
import type { Suback } from '../protocol/packets/subscribe.js'
import type { Unsuback } from '../protocol/packets/unsubscribe.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { ClientError } from './client-error.js'

/** Told the reason code of each filter in the order asked (none for UNSUBSCRIBE in 3.x), or what came in between. */
export type RequestDone = (error: ClientError | undefined, reasonCodes: readonly number[]) => void

interface Request {
  readonly answer: typeof PacketType.SUBACK | typeof PacketType.UNSUBACK
  /** How many reason codes the answer has to carry. */
  readonly codes: number
  readonly done: RequestDone | undefined
}

export class Requests {
  private readonly open = new Map<number, Request>()

  isUsed(packetId: number): boolean {
    return this.open.has(packetId)
  }

  add(packetId: number, answer: Request['answer'], codes: number, done: RequestDone | undefined): void {
    this.open.set(packetId, { answer, codes, done })
  }

  /** @throws ProtocolError 0x82 for an answer to nothing [MQTT-2.2.1-6], or one with too few or too many codes [MQTT-3.8.4-6]. */
  onAnswer(packet: Suback | Unsuback): void {
    const name = packet.type === PacketType.SUBACK ? 'SUBACK' : 'UNSUBACK'
    const request = this.open.get(packet.packetId)
    if (request?.answer !== packet.type)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `${name} for nothing that was asked`)
    if (packet.reasonCodes.length !== request.codes)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `${name} with ${packet.reasonCodes.length} reason codes`)
    this.open.delete(packet.packetId)
    request.done?.(undefined, packet.reasonCodes)
  }

  /** The connection has ended. */
  fail(error: ClientError): void {
    const requests = [...this.open.values()]
    this.open.clear()
    for (const { done } of requests) done?.(error, [])
  }
}
