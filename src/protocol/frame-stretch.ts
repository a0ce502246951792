// Packets that several connections get in the same bytes, one behind the other in a stretch of a pooled block, which is what the
// connections write. Packets that lie so in the block they came in stay there; others are copied once.

import { copyWords, MOST_BY_WORDS } from './copy-words.js'
import type { Frame } from './publish-frames.js'
import type { BlockPool, SharedBlock } from './shared-block.js'

/** Bytes of a block. */
const BLOCK = 65_536
/** Bytes of the largest packet that is copied; larger ones are not worth it. */
export const MOST_COPIED = 8192
/** A shorter stretch is copied after all: it is not to keep a whole block from being used again. */
const LEAST_IN_PLACE = 32_768

export class FrameStretch {
  start = 0
  end = 0
  private readonly blocks: BlockPool
  /** Copies go here, one stretch behind the other. */
  private own: SharedBlock | undefined = undefined
  private ownEnd = 0
  private view: DataView = new DataView(new ArrayBuffer(0))
  /** What the packets came in, while they lie there. */
  private lent: SharedBlock | undefined = undefined

  constructor(blocks: BlockPool) {
    this.blocks = blocks
  }

  /** Holds bytes[start..end). Whoever keeps them beyond a call takes a reference; they are never changed. */
  get block(): SharedBlock {
    return this.lent ?? this.ownBlock(0)
  }

  /** Begins a new stretch. */
  begin(): void {
    this.lent?.release()
    this.lent = undefined
    this.ownBlock(MOST_COPIED)
    this.start = this.end = this.ownEnd
  }

  /** A block of our own with room for `size` bytes. */
  private ownBlock(size: number): SharedBlock {
    if (this.own !== undefined && this.ownEnd + size <= BLOCK) return this.own
    this.own?.release()
    const block = this.blocks.take(BLOCK)
    const { bytes } = block
    this.own = block
    this.ownEnd = 0
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return block
  }

  /** Adds a frame with its first byte; false when it cannot be a part of this stretch, or is too large for any. */
  add(frame: Frame, header: number): boolean {
    const { block } = frame
    if (block !== undefined && frame.payload === undefined && frame.bytes[frame.start] === header)
      return this.extend(block, frame.start, frame.end)
    const { size } = frame
    const at = this.end
    if (this.lent !== undefined || size > MOST_COPIED || at + size > BLOCK) return false
    const { bytes } = this.block
    if (size > MOST_BY_WORDS) frame.bytes.copy(bytes, at, frame.start, frame.end)
    else copyWords(frame.view, frame.start, this.view, at, size)
    bytes[at] = header
    this.end = this.ownEnd = at + size
    return true
  }

  /** Adds packets that stay where they are. */
  private extend(block: SharedBlock, start: number, end: number): boolean {
    if (this.start === this.end) {
      block.retain()
      this.lent = block
      this.start = start
    } else if (this.lent !== block || this.end !== start) return false
    this.end = end
    return true
  }

  /** Whether packets that are ready to be sent can be added, from `start` on in `block`, or copied: the next one at least. */
  takes(start: number, block: SharedBlock | undefined): boolean {
    if (this.start === this.end && block !== undefined) return true
    return this.lent === block && (block === undefined ? this.room >= MOST_COPIED : this.end === start)
  }

  /** Bytes of packets that can still be copied into this stretch. */
  get room(): number {
    return BLOCK - this.end
  }

  /** Adds packets that `takes` allows: in `block`, or copied from bytes[start..end), for which there must be room. */
  addPackets(bytes: Buffer, view: DataView, start: number, end: number, block: SharedBlock | undefined): void {
    if (block !== undefined) this.extend(block, start, end)
    else {
      const size = end - start
      const at = this.end
      if (size > MOST_BY_WORDS) bytes.copy(this.block.bytes, at, start, end)
      else copyWords(view, start, this.view, at, size)
      this.ownEnd = this.end = at + size
    }
  }

  /** Has the stretch ready to be handed out. */
  settle(): void {
    const { lent, start, end } = this
    const size = end - start
    if (lent === undefined || size >= LEAST_IN_PLACE) return
    const { bytes } = this.ownBlock(size)
    lent.bytes.copy(bytes, this.ownEnd, start, end)
    lent.release()
    this.lent = undefined
    this.start = this.ownEnd
    this.end = this.ownEnd += size
  }
}
