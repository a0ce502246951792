// The MQTT 3.1.1 bytes the load generators send, and the scanner for the ones they receive. Written apart from src/protocol on
// purpose: the measuring side shares nothing with what it measures.

/** A PUBLISH ready to send, and where its packet identifier (QoS 1 and 2) and its payload start. */
export interface PublishFrame {
  readonly bytes: Buffer
  readonly packetIdAt: number
  readonly payloadAt: number
}

/** Called with one frame: the first byte at `start`, the variable header at `body`. See `FrameScanner` for what is readable. */
export type FrameHandler = (bytes: Buffer, start: number, body: number, end: number) => void

/** Bytes of a frame that are kept when it arrives in pieces. */
const HEAD = 128
const NOTHING = Buffer.alloc(0)

/** A whole packet: `header` is its first byte, the remaining length is worked out. */
function packet(header: number, body: Buffer): Buffer {
  const length: number[] = []
  let rest = body.length
  do {
    length.push((rest % 128) | (rest > 127 ? 128 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from([header, ...length]), body])
}

function twoBytes(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([twoBytes(bytes.length), bytes])
}

/** CONNECT with a clean session and no keep alive; with both `username` and `password`, or neither. */
export function connectFrame(clientId: string, username?: string, password?: string, cleanSession = true): Buffer {
  const hasCredentials = username !== undefined && password !== undefined
  const flags = (hasCredentials ? 0xc0 : 0) | (cleanSession ? 0x02 : 0)
  const credentials = hasCredentials ? [text(username), text(password)] : []
  return packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, 0]), text(clientId), ...credentials]))
}

/** SUBSCRIBE to one filter. */
export function subscribeFrame(packetId: number, filter: string, qos: number): Buffer {
  return packet(0x82, Buffer.concat([twoBytes(packetId), text(filter), Buffer.from([qos])]))
}

/** PUBLISH with `size` bytes of payload and, for QoS 1 and 2, the packet identifier 0 to be replaced. */
export function publishFrame(topic: string, qos: number, size: number): PublishFrame {
  const name = text(topic)
  const packetId = Buffer.alloc(qos > 0 ? 2 : 0)
  const bytes = packet(0x30 | (qos << 1), Buffer.concat([name, packetId, Buffer.alloc(size, 'x')]))
  const payloadAt = bytes.length - size
  return { bytes, packetIdAt: payloadAt - packetId.length, payloadAt }
}

/**
 * Finds frames in a stream of chunks without copying or allocating. A frame that lies whole in a chunk is handed over in place.
 * One that spans chunks is handed over when its last byte has come, from a private buffer holding only its first 128 bytes.
 */
export class FrameScanner {
  private head: Buffer = NOTHING
  /** May be replaced between frames. */
  handle: FrameHandler
  private have = 0
  private skip = 0

  constructor(handle: FrameHandler) {
    this.handle = handle
  }

  /** Takes the first `length` bytes of `bytes`; they may be overwritten afterwards. */
  scan(bytes: Buffer, length: number): void {
    let at = this.have > 0 ? this.finishSplitFrame(bytes, length) : 0
    while (at < length) {
      let body = at + 1
      let size = 0
      let shift = 0
      let byte = 128
      while (byte & 128 && body < length) {
        byte = bytes[body++] as number
        size |= (byte & 127) << shift
        shift += 7
      }
      const end = body + size
      if (byte & 128 || end > length) {
        if (this.head === NOTHING) this.head = Buffer.allocUnsafeSlow(HEAD)
        this.have = bytes.copy(this.head, 0, at, Math.min(length, at + HEAD))
        this.skip = this.have === HEAD ? end - length : 0
        return
      }
      this.handle(bytes, at, body, end)
      at = end
    }
  }

  /** Continues the frame begun in an earlier chunk; returns where the next one starts, or `length` if it is still not whole. */
  private finishSplitFrame(bytes: Buffer, length: number): number {
    let at = this.skip
    if (this.skip === 0) {
      const before = this.have
      this.have += bytes.copy(this.head, before, 0, Math.min(length, HEAD - before))
      const { body, end } = this.headExtent()
      at = end - before
      if (body === 0 || (end > this.have && this.have < HEAD)) return length
    }
    if (at > length) {
      this.skip = at - length
      return length
    }
    const { body, end } = this.headExtent()
    this.have = 0
    this.skip = 0
    this.handle(this.head, 0, body, end)
    return at
  }

  /** Where the split frame's body starts and ends; zeros while its length field is incomplete. */
  private headExtent(): { body: number; end: number } {
    let size = 0
    for (let i = 1; i < this.have; i++) {
      const byte = this.head[i] as number
      size |= (byte & 127) << (7 * (i - 1))
      if (byte < 128) return { body: i + 1, end: i + 1 + size }
    }
    return { body: 0, end: 0 }
  }
}
