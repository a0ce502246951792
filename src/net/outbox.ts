// What leaves through one connection: packets gather in a pooled block and go to the socket in one write per turn of the event loop.
// Small packets are copied, large ones are written by reference, and a stretch that many connections send is theirs together.

import { NO_BYTES } from '../protocol/byte-count.js'
import { copyWords, MOST_BY_WORDS } from '../protocol/copy-words.js'
import type { NumberedRun } from '../protocol/numbered-run.js'
import { PacketType } from '../protocol/packet-types.js'
import { ackHeader, SHORT_ACK } from '../protocol/packets/acks.js'
import type { Frame } from '../protocol/publish-frames.js'
import { BlockPool, type SharedBlock } from '../protocol/shared-block.js'
import type { ByteStream } from './byte-stream.js'
import { HeldAcks, setAck } from './held-acks.js'
import { Outlet } from './outlet.js'
import { type Flushable, WRITE_BLOCK, type WriteBlock, WriteQueue } from './write-queue.js'

/** What a process's connections share. */
export interface SharedMemory {
  readonly blocks: BlockPool
  readonly writes: WriteQueue
}

/** For the connections of one process. */
export function sharedMemory(): SharedMemory {
  return { blocks: new BlockPool(), writes: new WriteQueue() }
}

/** Beyond this part of `maxPendingBytes` what waits does not keep a block that is much larger than itself. */
const CALM = 1 / 8
/** Bytes of a stretch of shared packets that are copied rather than written on their own. */
const MOST_FOLDED = 4096

const PUBREL = ackHeader(PacketType.PUBREL)

export interface OutboxOwner {
  /** What was pending has left, after `isWritable` was false. */
  onDrain(): void
}

export class Outbox implements Flushable {
  /** Bytes that may wait for the socket before `isWritable` is false. */
  maxPendingBytes = Number.POSITIVE_INFINITY
  bytesSent = NO_BYTES
  private readonly socket: ByteStream
  private readonly out: Outlet
  private readonly owner: OutboxOwner
  private readonly writes: WriteQueue
  private readonly blocks: BlockPool
  /** What has gathered: bytes of its own, `used` of `block`, or a stretch that is shared with others; never both. */
  private block: WriteBlock | undefined = undefined
  private used = 0
  private stretch: SharedBlock | undefined = undefined
  private stretchStart = 0
  private stretchEnd = 0
  private isDirty = false
  /** Writes that the socket has not finished, and their bytes. */
  private writing = 0
  private writingBytes = 0
  private wasBehind = false
  /** What has been gathered since the last flush. */
  private hasAck = false
  private hasPublish = false
  /** Of a two-way connection. */
  private heldAcks: HeldAcks | undefined = undefined
  private isOver = false

  constructor(socket: ByteStream, owner: OutboxOwner, shared: SharedMemory) {
    this.socket = socket
    this.out = new Outlet(socket)
    this.owner = owner
    this.writes = shared.writes
    this.blocks = shared.blocks
  }

  /** Bytes handed to it that have not left the process. */
  get pendingBytes(): number {
    return this.writingBytes + this.gatheredBytes + this.out.heldBytes
  }

  private get gatheredBytes(): number {
    return this.used + this.stretchEnd - this.stretchStart
  }

  /** Writes that the socket has not finished, and the one that is gathering. */
  get pendingWrites(): number {
    return this.writing + (this.gatheredBytes > 0 ? 1 : 0)
  }

  /** Whether more may be sent now; `onDrain` tells when it may again. */
  get isWritable(): boolean {
    if (this.pendingBytes < this.maxPendingBytes) return true
    this.wasBehind = true
    return false
  }

  /** Makes room for `size` bytes, at most WRITE_BLOCK, and returns the block; they go to its offset `used`. */
  private reserve(size: number): WriteBlock {
    if (this.stretch !== undefined) this.endStretch()
    let block = this.block
    if (block !== undefined && this.used + size > WRITE_BLOCK) {
      this.writeBlock()
      block = undefined
    }
    if (block === undefined) block = this.block = this.writes.take()
    if (!this.isDirty) this.schedule()
    return block
  }

  private schedule(): void {
    this.isDirty = true
    this.writes.schedule(this)
  }

  /** Sends bytes that the caller does not change afterwards. */
  write(bytes: Buffer): void {
    this.gatherHeldAcks()
    this.bytesSent += bytes.length
    if (bytes.length > WRITE_BLOCK) this.reference(bytes, undefined)
    else this.copy(bytes)
  }

  /** Sends an acknowledgement without reason code and properties. */
  writeAck(header: number, packetId: number): void {
    this.bytesSent += SHORT_ACK
    this.hasAck = true
    if (this.heldAcks !== undefined && header !== PUBREL) {
      this.holdAck(this.heldAcks, header, packetId)
      return
    }
    const { bytes } = this.reserve(SHORT_ACK)
    setAck(bytes, this.used, header, packetId)
    this.used += SHORT_ACK
    if (this.hasPublish) this.becomeTwoWay()
  }

  /**
   * From now on acknowledgements leave in a segment of their own, behind what the peer will answer, and wait as Nagle's algorithm
   * says until that has arrived. A peer that gets both in one segment answers with two small ones, of which its own Nagle's
   * algorithm keeps back the second until the first is acknowledged: 40 ms when nothing is sent in return.
   */
  private becomeTwoWay(): void {
    if (this.heldAcks !== undefined) return
    this.heldAcks = new HeldAcks()
    this.socket.setNoDelay?.(false)
  }

  private holdAck(held: HeldAcks, header: number, packetId: number): void {
    // So many mean that packets flow both ways all the time, and nothing waits.
    if (held.isFull) this.gatherHeldAcks()
    if (!this.isDirty) this.schedule()
    held.add(header, packetId)
  }

  /** Puts them in front of what is gathered next. */
  private gatherHeldAcks(): void {
    const { heldAcks } = this
    if (heldAcks !== undefined && heldAcks.size > 0) this.copy(heldAcks.take())
  }

  /** Sends a PUBLISH from shared bytes with its own first byte and, unless it is 0, packet identifier. */
  writeFrame(frame: Frame, header: number, packetId: number): void {
    const head = frame.end - frame.start
    this.bytesSent += frame.size
    if (packetId > 0) {
      this.hasPublish = true
      if (this.hasAck) this.becomeTwoWay()
    }
    if (head > WRITE_BLOCK) {
      this.writeLargeFrame(frame, header, packetId)
      return
    }
    const { bytes, view } = this.reserve(head)
    const at = this.used
    if (head > MOST_BY_WORDS) frame.bytes.copy(bytes, at, frame.start, frame.end)
    else copyWords(frame.view, frame.start, view, at, head)
    this.used = at + head
    bytes[at] = header
    if (packetId > 0) {
      const idAt = at + frame.idAt - frame.start
      bytes[idAt] = packetId >> 8
      bytes[idAt + 1] = packetId
    }
    if (frame.payload === undefined) return
    this.socket.cork()
    this.reference(frame.payload, frame.block)
    this.socket.uncork()
  }

  /** Sends the first `count` PUBLISH packets of a run with packet identifiers of their own. */
  writeRun(run: NumberedRun, packetIds: Uint16Array, count: number): void {
    const size = run.sizeOf(count)
    this.bytesSent += size
    this.hasPublish = true
    if (this.hasAck) this.becomeTwoWay()
    const { bytes, view } = this.reserve(size)
    run.copyWithIds(bytes, view, this.used, packetIds, count)
    this.used += size
  }

  /** Sends block.bytes[start..end), which others send as well. */
  writeStretch(block: SharedBlock, start: number, end: number): void {
    if (this.isOver) return
    const size = end - start
    this.bytesSent += size
    if (this.stretch === block && this.stretchEnd === start) {
      this.stretchEnd = end
      return
    }
    if (this.used > 0 && this.used + size <= WRITE_BLOCK) {
      this.copy(block.bytes.subarray(start, end))
      return
    }
    this.writeOwn()
    if (!this.isDirty) this.schedule()
    block.retain()
    this.stretch = block
    this.stretchStart = start
    this.stretchEnd = end
  }

  private takeStretch(): SharedBlock | undefined {
    const block = this.stretch
    this.stretch = undefined
    this.stretchStart = this.stretchEnd = 0
    return block
  }

  /** Something else is to follow: a short stretch becomes bytes of our own. */
  private endStretch(): void {
    const { stretchStart: start, stretchEnd: end } = this
    if (end - start > MOST_FOLDED) {
      this.writeOwn()
      return
    }
    const block = this.takeStretch() as SharedBlock
    this.copy(block.bytes.subarray(start, end))
    block.release()
  }

  /** By reference if it can go out as it is, otherwise with a beginning of its own. */
  private writeLargeFrame(frame: Frame, header: number, packetId: number): void {
    const { bytes, start, end, payload, block } = frame
    this.socket.cork()
    if (packetId === 0 && bytes[start] === header) this.reference(bytes.subarray(start, end), block)
    else {
      const behindId = packetId === 0 ? start + 1 : frame.idAt + 2
      const beginning = Buffer.from(bytes.subarray(start, behindId))
      beginning[0] = header
      if (packetId > 0) beginning.writeUInt16BE(packetId, frame.idAt - start)
      if (beginning.length > WRITE_BLOCK) this.reference(beginning, undefined)
      else this.copy(beginning)
      this.reference(bytes.subarray(behindId, end), block)
    }
    if (payload !== undefined) this.reference(payload, block)
    this.socket.uncork()
  }

  private copy(source: Buffer): void {
    const size = source.length
    const { bytes } = this.reserve(size)
    const at = this.used
    if (size < 64) for (let i = 0; i < size; i++) bytes[at + i] = source[i] as number
    else source.copy(bytes, at)
    this.used = at + size
  }

  private writeOwn(): void {
    if (this.used > 0) this.writeBlock()
    const { stretchStart: start, stretchEnd: end } = this
    const block = this.takeStretch()
    if (block === undefined) return
    this.reference(block.bytes.subarray(start, end), block)
    block.release()
  }

  private reference(bytes: Buffer, block: SharedBlock | undefined): void {
    this.writeOwn()
    const size = bytes.length
    this.writing++
    this.writingBytes += size
    const isPart = block !== undefined && size * 2 < block.bytes.length
    const copy = isPart && this.writingBytes > this.maxPendingBytes * CALM ? this.blocks.copyOf(bytes) : undefined
    if (copy === undefined) block?.retain()
    const owner = copy ?? block
    this.out.write(copy === undefined ? bytes : copy.bytes.subarray(0, size), () => {
      owner?.release()
      this.onWritten(size)
    })
  }

  private writeBlock(): void {
    const block = this.block as WriteBlock
    const used = this.used
    this.block = undefined
    this.used = 0
    this.writing++
    this.writingBytes += used
    block.writer = this
    block.size = used
    this.out.write(used === WRITE_BLOCK ? block.bytes : block.bytes.subarray(0, used), block.done)
  }

  /** Writes what has gathered, unless the socket is still busy: then it gathers on until that has left. */
  flush(): void {
    this.isDirty = false
    this.hasAck = false
    this.hasPublish = false
    if (this.writing === 0) this.writeGathered()
  }

  private writeGathered(): void {
    this.writeOwn()
    if (this.heldAcks === undefined || this.heldAcks.size === 0) return
    this.gatherHeldAcks()
    this.writeBlock()
  }

  onWritten(size: number): void {
    this.writing--
    this.writingBytes -= size
    if (this.writing === 0) this.writeGathered()
    // The writes of a socket that is gone finish too; what waits is for the next connection.
    if (this.wasBehind && this.socket.writable && this.pendingBytes <= this.maxPendingBytes / 2) {
      this.wasBehind = false
      this.owner.onDrain()
    }
  }

  /** Holds back what leaves from now on, and what has gathered, until `release` is called with this number or a higher one. */
  holdUntil(ticket: number): void {
    this.out.holdUntil(ticket)
  }

  /** What was waited for up to this number has happened. */
  release(ticket: number): void {
    this.out.release(ticket)
  }

  /** What was waited for is not going to happen: what is held back, and what has gathered behind it, is forgotten. */
  dropHeld(): void {
    this.used = 0
    this.heldAcks?.take()
    this.takeStretch()?.release()
    this.out.drop()
  }

  /** Sends what is pending, then closes this side. */
  end(): void {
    this.isOver = true
    this.writeGathered()
    this.out.end()
  }

  /** The connection is gone: what has gathered for a flush that is still to come goes nowhere. */
  close(): void {
    this.isOver = true
    this.dropHeld()
    if (this.block !== undefined) this.writes.give(this.block)
    this.block = undefined
  }
}
