// Packets as plugins watch them: in between a connection and its owner, and in front of the connection on the way out. Only there when
// some plugin watches.

import type { ConnectionOwner } from '../../net/connection.js'
import type { NumberedRun } from '../../protocol/numbered-run.js'
import type { Frame } from '../../protocol/publish-frames.js'
import type { SharedBlock } from '../../protocol/shared-block.js'
import { varintSize, writeVarint } from '../../protocol/writer.js'
import type { PacketConnection } from './plugin.js'

/** What packets leave through: the outbox of a connection. */
export interface PacketOutlet {
  readonly isWritable: boolean
  write(bytes: Buffer): void
  writeAck(header: number, packetId: number): void
  writeFrame(frame: Frame, header: number, packetId: number): void
  writeStretch(block: SharedBlock, start: number, end: number): void
  writeRun(run: NumberedRun, packetIds: Uint16Array, count: number): void
}

/** Is told of a whole packet. */
type Tell = (packet: Buffer, connection: PacketConnection) => void

/** @param connection asked for each packet */
export function watchedOwner(owner: ConnectionOwner, tell: Tell, connection: () => PacketConnection): ConnectionOwner {
  return {
    onPacket(header, bytes, start, end, block) {
      tell(wholePacket(header, bytes.subarray(start, end)), connection())
      owner.onPacket(header, bytes, start, end, block)
    },
    onError: (error) => owner.onError(error),
    onPeerEnd: () => owner.onPeerEnd?.(),
    onClose: (error) => owner.onClose(error),
    onDrain: () => owner.onDrain(),
  }
}

/** The packet in memory of its own. */
function wholePacket(header: number, body: Buffer): Buffer {
  const bodyStart = 1 + varintSize(body.length)
  const packet = Buffer.allocUnsafe(bodyStart + body.length)
  packet[0] = header
  writeVarint(packet, 1, body.length)
  body.copy(packet, bodyStart)
  return packet
}

export class WatchedOutlet implements PacketOutlet {
  private readonly outlet: PacketOutlet
  private readonly tell: Tell
  private readonly connection: () => PacketConnection

  /** @param connection asked for each packet */
  constructor(outlet: PacketOutlet, tell: Tell, connection: () => PacketConnection) {
    this.outlet = outlet
    this.tell = tell
    this.connection = connection
  }

  get isWritable(): boolean {
    return this.outlet.isWritable
  }

  write(bytes: Buffer): void {
    this.tell(Buffer.from(bytes), this.connection())
    this.outlet.write(bytes)
  }

  writeAck(header: number, packetId: number): void {
    this.tell(Buffer.from([header, 2, packetId >> 8, packetId & 0xff]), this.connection())
    this.outlet.writeAck(header, packetId)
  }

  writeFrame(frame: Frame, header: number, packetId: number): void {
    const { bytes, start, end, payload, idAt } = frame
    const head = bytes.subarray(start, end)
    const packet = Buffer.concat(payload === undefined ? [head] : [head, payload])
    packet[0] = header
    if (packetId > 0) packet.writeUInt16BE(packetId, idAt - start)
    this.tell(packet, this.connection())
    this.outlet.writeFrame(frame, header, packetId)
  }

  /** Packets that others get as well: with a plugin that watches there are none, because each message goes by itself. */
  writeStretch(block: SharedBlock, start: number, end: number): void {
    this.outlet.writeStretch(block, start, end)
  }

  /** The same holds for these. */
  writeRun(run: NumberedRun, packetIds: Uint16Array, count: number): void {
    this.outlet.writeRun(run, packetIds, count)
  }
}
