// The messages of a run of QoS 1 or 2 packets, in one piece of memory that all of them and their receivers share.

import { MOST_NUMBERED, type NumberedRun } from '../protocol/numbered-run.js'
import { NO_PROPERTIES } from '../protocol/properties.js'
import { Message, type Publisher } from './message.js'
import { Slab } from './slab.js'

const NONE: readonly Message[] = []

/** Reused from run to run. */
export class MessageRun {
  readonly packets: NumberedRun
  /** One for each packet. */
  messages: readonly Message[] = NONE
  /** The packet identifiers that the receiver at hand gets them with. */
  readonly packetIds = new Uint16Array(MOST_NUMBERED)
  private readonly slab = new Slab()

  constructor(packets: NumberedRun) {
    this.packets = packets
  }

  /**
   * Makes the messages in the packets, which move to memory of their own.
   * @param arePassedOn whether receivers may get the packets as they are
   */
  begin(topic: string, publisher: Publisher, arePassedOn: boolean): void {
    const { packets, slab } = this
    const at = slab.take(packets.size)
    const { bytes } = slab
    packets.moveTo(bytes, slab.view, at)
    const { version, qos, count, starts, payloadStarts, ends } = packets
    // A new array: what is stored in an old one costs the collector more.
    const messages = new Array<Message>(count)
    for (let i = 0; i < count; i++)
      messages[i] = new Message(
        topic,
        qos,
        false,
        NO_PROPERTIES,
        publisher,
        Number.POSITIVE_INFINITY,
        bytes,
        at + (payloadStarts[i] as number),
        at + (ends[i] as number),
        arePassedOn ? at + (starts[i] as number) : -1,
        version,
        undefined,
        true,
      )
    this.messages = messages
  }

  /** Lets go of the messages. */
  end(): void {
    this.messages = NONE
  }
}
