// Pooled memory for large packets: a block holds one packet, is written to every receiver by reference, and goes back to the
// pool when the last of them is done. Small packets never come here. Allocating such blocks anew for each packet would send
// V8 into full collections.

const SMALLEST = 32_768
/** Free bytes kept for reuse; more is left to the garbage collector. */
const KEPT_BYTES = 32 * 1024 * 1024

/** Memory that several owners share. Whoever keeps it beyond a call takes a reference and gives it back once. */
export class SharedBlock {
  readonly bytes: Buffer
  private readonly pool: BlockPool
  private references = 1

  constructor(bytes: Buffer, pool: BlockPool) {
    this.bytes = bytes
    this.pool = pool
  }

  /** Whether somebody has kept it. */
  get isShared(): boolean {
    return this.references > 1
  }

  retain(): void {
    this.references++
  }

  release(): void {
    if (--this.references === 0) this.pool.give(this.bytes)
  }
}

/** Free blocks by capacity, powers of two from 32 KiB. */
export class BlockPool {
  private readonly free = new Map<number, Buffer[]>()
  private freeBytes = 0

  /** A block of at least `size` bytes with one reference. */
  take(size: number): SharedBlock {
    let capacity = SMALLEST
    while (capacity < size) capacity *= 2
    const kept = this.free.get(capacity)?.pop()
    if (kept !== undefined) this.freeBytes -= capacity
    return new SharedBlock(kept ?? Buffer.allocUnsafeSlow(capacity), this)
  }

  /** A block that begins with these bytes, with one reference. */
  copyOf(bytes: Buffer): SharedBlock {
    const block = this.take(bytes.length)
    bytes.copy(block.bytes)
    return block
  }

  /** Called by a block whose last reference is gone. */
  give(bytes: Buffer): void {
    if (this.freeBytes + bytes.length > KEPT_BYTES) return
    this.freeBytes += bytes.length
    const list = this.free.get(bytes.length)
    if (list === undefined) this.free.set(bytes.length, [bytes])
    else list.push(bytes)
  }
}
