// What the broker counts while it works: plain numbers that the hot path increments and `$SYS` reads.

import { NO_BYTES } from '../../protocol/byte-count.js'

/** Codes of packet types are below this. */
const PACKET_TYPES = 16

/** Counters since the start. Bytes are payload bytes for publishes, network bytes otherwise. */
export class Statistics {
  /** MQTT packets by the code of their type. */
  readonly received = new Float64Array(PACKET_TYPES)
  readonly sent = new Float64Array(PACKET_TYPES)
  /** Of connections that are closed; those that are open count for themselves. */
  bytesReceived = NO_BYTES
  bytesSent = NO_BYTES
  publishesDropped = 0
  publishBytesReceived = NO_BYTES
  publishBytesSent = NO_BYTES
  socketsAccepted = 0
  connectionsReceived = 0
  clientsExpired = 0
  clientsMaximum = 0

  /** So many more packets have come in. */
  countReceived(type: number, count = 1): void {
    this.received[type] = (this.received[type] as number) + count
  }

  /** So many more packets have gone out. */
  countSent(type: number, count = 1): void {
    this.sent[type] = (this.sent[type] as number) + count
  }
}

/** What an open connection counts for itself. */
export interface Traffic {
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Bytes, and writes, that have not left the process. */
  readonly pendingBytes: number
  readonly pendingWrites: number
}
