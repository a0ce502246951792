// Copying small pieces of memory: for them a loop is quicker than `Buffer.copy`, which costs a call out of JavaScript.

/** Above this many bytes `Buffer.copy` is quicker. */
export const MOST_BY_WORDS = 192

let viewed: Buffer | undefined
let view: DataView = new DataView(new ArrayBuffer(0))

/** What `copyWords` reads from. That of the last buffer is at hand: packets come one behind the other in one buffer. */
export function viewOf(bytes: Buffer): DataView {
  if (bytes !== viewed) {
    viewed = bytes
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  return view
}

/** Copies `size` bytes, at least 4, word by word; the last word overlaps the one before. */
export function copyWords(source: DataView, from: number, target: DataView, at: number, size: number): void {
  const last = size - 4
  for (let i = 0; i < last; i += 4) target.setInt32(at + i, source.getInt32(from + i, true), true)
  target.setInt32(at + last, source.getInt32(from + last, true), true)
}
