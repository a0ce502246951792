// Packets that several connections get in the same bytes: copied once, one behind the other, into a pooled block. The stretch of
// the block that holds them is what the connections write.

import { copyWords, MOST_BY_WORDS } from './copy-words.js'
import type { Frame } from './publish-frames.js'
import type { BlockPool, SharedBlock } from './shared-block.js'

/** Bytes of a block. */
const BLOCK = 65_536
/** Bytes of the largest packet that is kept here; larger ones are not worth a second copy. */
export const MOST_IN_STRETCH = 8192

export class FrameStretch {
  start = 0
  end = 0
  private readonly blocks: BlockPool
  private owner: SharedBlock | undefined = undefined
  private view: DataView = new DataView(new ArrayBuffer(0))

  constructor(blocks: BlockPool) {
    this.blocks = blocks
  }

  /** Holds bytes[start..end). Whoever keeps them beyond a call takes a reference; they are never changed. */
  get block(): SharedBlock {
    this.owner ??= this.take()
    return this.owner
  }

  /** Begins a new stretch behind the last one. */
  begin(): void {
    this.start = this.end
    if (this.end + MOST_IN_STRETCH <= BLOCK) return
    this.owner?.release()
    this.owner = this.take()
    this.start = this.end = 0
  }

  private take(): SharedBlock {
    const block = this.blocks.take(BLOCK)
    const { bytes } = block
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return block
  }

  /** Adds a frame of at most MOST_IN_STRETCH bytes with its first byte; false when there is no room for it. */
  add(frame: Frame, header: number): boolean {
    const size = frame.end - frame.start
    const at = this.end
    if (at + size > BLOCK) return false
    const { bytes } = this.block
    if (size > MOST_BY_WORDS) frame.bytes.copy(bytes, at, frame.start, frame.end)
    else copyWords(frame.view, frame.start, this.view, at, size)
    bytes[at] = header
    this.end = at + size
    return true
  }
}
