// What the peer has begun to deliver with QoS 2: identifiers for which PUBREC was sent and PUBREL has not come. They are session
// state; a repeated PUBLISH is recognised by its identifier alone [MQTT-4.3.3-10] (MQTT 5.0 section 4.3.3).

import { ProtocolError } from '../protocol/protocol-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { PacketIdSet } from './packet-id-set.js'

export class Inbound {
  /** Identifiers that wait for their PUBREL. */
  readonly openIds = new PacketIdSet()
  /** Called when they have changed. */
  onChange: (() => void) | undefined = undefined

  /**
   * A QoS 2 PUBLISH: true when it is new, false when it repeats one that is open.
   * @param receiveMaximum what this side announced; 65535 when it announced nothing.
   * @throws ProtocolError 0x93 when more are open than that [MQTT-3.3.4-7].
   */
  begin(packetId: number, receiveMaximum: number): boolean {
    if (this.openIds.has(packetId)) return false
    if (this.openIds.size >= receiveMaximum)
      throw new ProtocolError(ReasonCode.RECEIVE_MAXIMUM_EXCEEDED, `more than ${receiveMaximum} messages in flight`)
    this.openIds.add(packetId)
    this.onChange?.()
    return true
  }

  /** PUBREL, or a PUBLISH refused with PUBREC of 0x80 or more [MQTT-4.3.3-9]: returns whether the identifier was open. */
  end(packetId: number): boolean {
    const wasOpen = this.openIds.delete(packetId) // [MQTT-4.3.3-12]
    if (wasOpen) this.onChange?.()
    return wasOpen
  }
}
