// Messages as programs see them.

import type { Publish, Qos } from '../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import { localMessage, type Message } from '../session/message.js'

/** What to publish. */
export interface OutgoingMessage {
  /** Topic name, without wildcards (MQTT 5.0 section 4.7). */
  readonly topic: string
  /** Text is sent as UTF-8. Empty unless given. */
  readonly payload?: string | Uint8Array
  /** 0 unless given. */
  readonly qos?: Qos
  /** Whether the broker keeps it for later subscribers. */
  readonly retain?: boolean
  /** MQTT 5.0 (section 3.3.2.3); intervals in seconds. */
  readonly properties?: Readonly<Properties>
}

/** What has arrived. Its bytes are its own. */
export interface IncomingMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  /** It was kept for later subscribers. */
  readonly retain: boolean
  /** It may have been delivered before. */
  readonly dup: boolean
  readonly properties: Readonly<Properties>
}

/** Copies the payload, so that the caller may change it. */
export function outgoing({ topic, payload = '', qos = 0, retain = false, properties }: OutgoingMessage): Message {
  return localMessage(topic, Buffer.from(payload), qos, retain, properties ?? NO_PROPERTIES)
}

/** Copies what is only valid for a moment. */
export function incoming(topic: string, { payload, qos, retain, dup, properties }: Publish): IncomingMessage {
  return { topic, payload: Buffer.from(payload), qos, retain, dup, properties: copyOf(properties) }
}

export function copyOf(properties: Readonly<Properties>): Readonly<Properties> {
  const { correlationData } = properties
  return { ...properties, ...(correlationData && { correlationData: Buffer.from(correlationData) }) }
}
