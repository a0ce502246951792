// One message on its way to one receiver, with what the QoS flow has to remember of it. Who moves it is outbound.

import type { Qos } from '../protocol/packets/publish.js'
import type { Message } from './message.js'

/** One message for one receiver. */
export interface Delivery {
  readonly message: Message
  readonly qos: Qos
  readonly retain: boolean
  /** Of the subscription it matched; 0 for none. */
  readonly subscriptionIdentifier: number
  /** The shared subscription it came by, as subscribed; undefined for any other. */
  readonly share: string | undefined
  /** 0 until it is first sent. */
  packetId: number
  /** Its place in the sequence of first sendings. */
  order: number
  /** PUBREC has come, PUBREL has gone: the PUBLISH is not sent again [MQTT-4.3.3-6]. */
  released: boolean
  /** Sent on the present connection, so that it counts against the send quota. */
  isOpen: boolean
  /** For who keeps a journal of deliveries: 0 for one that is not in it. */
  place: number
}

/** A delivery that has not been sent. */
export function delivery(
  message: Message,
  qos: Qos,
  retain: boolean,
  subscriptionIdentifier = 0,
  share: string | undefined = undefined,
): Delivery {
  return {
    message,
    qos,
    retain,
    subscriptionIdentifier,
    share,
    packetId: 0,
    order: 0,
    released: false,
    isOpen: false,
    place: 0,
  }
}
