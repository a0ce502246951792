// The frames of a WebSocket client, read in place: what binary frames hold is unmasked and moved together at the beginning of the
// chunk it came in, to be parsed there as if it had come without frames. Nothing is held back, however long a frame or a message
// claims to be. Control frames and whatever is malformed go on to `ws` as they are: it answers, closes, and says why.
// (RFC 6455 section 5)

/** Who takes what the frames hold. */
export interface FrameSink {
  /** Bytes [0..length) of messages; they may be overwritten after the call. */
  onPayload(bytes: Buffer, length: number): void
  /** Bytes for `ws`: a control frame, in pieces, or a head that is malformed, after which nothing is read any more. */
  onControl(bytes: Buffer): void
  /** A frame that `ws` cannot judge, because it has not seen those before. What messages hold is dropped from now on. */
  onViolation(violation: Violation): void
}

export type Violation = 'text frame' | 'message within a message'

const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PONG: 10 } as const
const FINAL = 0x80
const RESERVED = 0x70
const MASKED = 0x80
/** The first two bytes tell how long a head is. */
const SHORTEST_HEAD = 2
const MASK_BYTES = 4
const LONGEST_HEAD = 14
const MOST_CONTROL = 125
/** Lengths that say where the length is: in the next two bytes, in the next eight. */
const IN_TWO_BYTES = 126
const IN_EIGHT_BYTES = 127
/** Upper half of a length that is too large to count with. */
const TOO_LARGE = 2 ** 21

const NOTHING = Buffer.alloc(0)

export class WebSocketFrames {
  private readonly sink: FrameSink
  private chunk: Buffer = NOTHING
  /** Bytes of `chunk` that payload was moved to. */
  private gathered = 0
  /** Of the next frame: what has come of its head, and how much of it is known to come. */
  private readonly head = Buffer.alloc(LONGEST_HEAD)
  private have = 0
  private headSize = SHORTEST_HEAD
  /** Of the present frame: payload still to come, and the four bytes it is masked with, lowest first. */
  private left = 0
  private mask = 0
  private isControl = false
  /** The present message has more frames. */
  private isInMessage = false
  private isDeaf = false
  private isOver = false

  constructor(sink: FrameSink) {
    this.sink = sink
  }

  /** Takes the next chunk[0..length), and writes to it. */
  push(chunk: Buffer, length: number): void {
    const view = new DataView(chunk.buffer, chunk.byteOffset, length)
    this.chunk = chunk
    for (let at = 0; at < length && !this.isOver; ) {
      if (this.left === 0) {
        at = this.takeHead(at, length)
        continue
      }
      const size = Math.min(this.left, length - at)
      if (this.isControl) this.sink.onControl(Buffer.from(chunk.subarray(at, at + size)))
      else if (!this.isDeaf) {
        this.unmask(view, at, this.gathered, size)
        this.gathered += size
      }
      this.left -= size
      at += size
    }
    this.deliver()
    this.chunk = NOTHING
  }

  private deliver(): void {
    const { gathered } = this
    this.gathered = 0
    if (gathered > 0) this.sink.onPayload(this.chunk, gathered)
  }

  /** Takes what there is of a head; returns where it ends. */
  private takeHead(from: number, end: number): number {
    const { chunk, head } = this
    let at = from
    while (at < end) {
      head[this.have++] = chunk[at++] as number
      if (this.have < this.headSize) continue
      if (this.headSize === SHORTEST_HEAD) this.beginHead()
      else {
        this.beginFrame()
        this.have = 0
        this.headSize = SHORTEST_HEAD
        break
      }
      if (this.isOver) break
    }
    return at
  }

  /** The first two bytes of a head have come. */
  private beginHead(): void {
    const first = this.head[0] as number
    const second = this.head[1] as number
    const opcode = first & 15
    const length = second & ~MASKED
    this.isControl = opcode >= Opcode.CLOSE
    const isKnown = this.isControl
      ? opcode <= Opcode.PONG && first >= FINAL && length <= MOST_CONTROL
      : opcode === Opcode.CONTINUATION
        ? this.isInMessage
        : opcode <= Opcode.BINARY
    if (!isKnown || (first & RESERVED) !== 0 || second < MASKED) {
      this.refuse()
      return
    }
    const extended = length === IN_TWO_BYTES ? 2 : length === IN_EIGHT_BYTES ? 8 : 0
    this.headSize = SHORTEST_HEAD + extended + MASK_BYTES
    if (this.isControl || opcode === Opcode.CONTINUATION) return
    if (opcode === Opcode.TEXT) this.violated('text frame')
    else if (this.isInMessage) this.violated('message within a message')
  }

  /** A whole head has come. */
  private beginFrame(): void {
    const { head, headSize } = this
    const first = head[0] as number
    if (headSize === LONGEST_HEAD) {
      if (head.readUInt32BE(2) >= TOO_LARGE) {
        this.refuse()
        return
      }
      this.left = head.readUInt32BE(2) * 2 ** 32 + head.readUInt32BE(6)
    } else this.left = headSize === LONGEST_HEAD - 6 ? head.readUInt16BE(2) : (head[1] as number) & ~MASKED
    this.mask = head.readInt32LE(headSize - MASK_BYTES)
    if (!this.isControl) this.isInMessage = first < FINAL
    else {
      if ((first & 15) === Opcode.CLOSE) this.isDeaf = true
      this.deliver()
      this.sink.onControl(Buffer.from(head.subarray(0, headSize)))
    }
  }

  /** Leaves a malformed frame to `ws`. */
  private refuse(): void {
    this.isOver = true
    this.deliver()
    this.sink.onControl(Buffer.from(this.head.subarray(0, this.have)))
  }

  private violated(violation: Violation): void {
    this.deliver()
    if (!this.isDeaf) this.sink.onViolation(violation)
    this.isDeaf = true
  }

  /** Moves `size` bytes to where `target` is, at or before `from`, and turns the mask on by as many. */
  private unmask(view: DataView, from: number, target: number, size: number): void {
    const { mask } = this
    const words = size & ~3
    for (let i = 0; i < words; i += 4) view.setInt32(target + i, view.getInt32(from + i, true) ^ mask, true)
    for (let i = words; i < size; i++) view.setUint8(target + i, view.getUint8(from + i) ^ (mask >>> ((i & 3) * 8)))
    const turned = (size & 3) * 8
    if (turned > 0) this.mask = (mask >>> turned) | (mask << (32 - turned))
  }
}

/** The head of a final binary frame of a server. */
export function frameHead(length: number): Buffer {
  if (length < IN_TWO_BYTES) return Buffer.of(FINAL | Opcode.BINARY, length)
  if (length < 65_536) return Buffer.of(FINAL | Opcode.BINARY, IN_TWO_BYTES, length >> 8, length)
  const head = Buffer.allocUnsafe(SHORTEST_HEAD + 8)
  head[0] = FINAL | Opcode.BINARY
  head[1] = IN_EIGHT_BYTES
  head.writeBigUInt64BE(BigInt(length), SHORTEST_HEAD)
  return head
}
