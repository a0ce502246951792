// Memory for small pieces that outlive their packet for a moment, one behind the other, as Node does with small buffers.

/** Bytes. */
const SIZE = 8192
/** Bytes of the largest piece: larger ones would leave much of a slab unused. */
export const LARGEST_PIECE = SIZE / 8

/** The present slab; what is taken from it lives as long as somebody refers to it. */
export class Slab {
  bytes: Buffer = Buffer.allocUnsafeSlow(SIZE)
  view = new DataView(this.bytes.buffer)
  private used = 0

  /** Room for `size` bytes, at most twice LARGEST_PIECE: where it begins in `bytes`, which may be others than before. */
  take(size: number): number {
    if (this.used + size > SIZE) {
      this.bytes = Buffer.allocUnsafeSlow(SIZE)
      this.view = new DataView(this.bytes.buffer)
      this.used = 0
    }
    const at = this.used
    this.used = at + size
    return at
  }
}
