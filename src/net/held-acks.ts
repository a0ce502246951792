// Acknowledgements without reason code and properties, and those that a connection gathers apart from its other packets.

import { SHORT_ACK } from '../protocol/packets/acks.js'

/** Bytes of the acknowledgements that are gathered. */
const MOST = 256

/** @param header the first byte */
export function setAck(bytes: Buffer, at: number, header: number, packetId: number): void {
  bytes[at] = header
  bytes[at + 1] = SHORT_ACK - 2
  bytes[at + 2] = packetId >> 8
  bytes[at + 3] = packetId
}

/** One behind the other. */
export class HeldAcks {
  size = 0
  private readonly bytes = Buffer.allocUnsafe(MOST)

  get isFull(): boolean {
    return this.size === MOST
  }

  add(header: number, packetId: number): void {
    setAck(this.bytes, this.size, header, packetId)
    this.size += SHORT_ACK
  }

  /** All of them, until the next one is added. */
  take(): Buffer {
    const acks = this.bytes.subarray(0, this.size)
    this.size = 0
    return acks
  }
}
