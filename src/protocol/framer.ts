// Chunks of a byte stream → whole packets, found in place. Judges a packet by its fixed header before any of its body is kept:
// type, flags, direction, size. A packet that spans chunks is collected in memory that grows only with the bytes received.
// Knows no socket; what a body contains is the codec's business.

import { PacketType, type ProtocolVersion, packetTypeRow, packetTypes, type Sender } from './packet-types.js'
import { ackHeader } from './packets/acks.js'
import { publishFlags } from './packets/publish.js'
import { ProtocolError } from './protocol-error.js'
import { ReasonCode } from './reason-codes.js'
import type { BlockPool, SharedBlock } from './shared-block.js'

/** Packets above this many bytes are collected in pooled blocks that may be passed on by reference. */
export const LARGE_PACKET = 16_384

/** Receives whole packets. `bytes` may be reused once the call returns, unless `block`, which owns them, is retained. */
export interface PacketSink {
  /** The body is bytes[start..end); `header` is the first byte of the packet. */
  onPacket(header: number, bytes: Buffer, start: number, end: number, block: SharedBlock | undefined): void
  /**
   * May take packets in bytes[at..limit) that follow the last one, which begins at bytes[before], and returns where the rest begins:
   * `at` for none. The last one was a PUBLISH without DUP and RETAIN or an acknowledgement of one, and the next has the same first
   * byte. What it takes is whole, well formed and within the limits.
   */
  onFollowing?(bytes: Buffer, before: number, at: number, limit: number): number
}

/** What the framer needs to know of the stream; the sink may change it between packets. */
export interface FramingRules {
  version: ProtocolVersion
  /** Largest packet accepted, in bytes with its fixed header. */
  maximumPacketSize: number
  /** The only packet type accepted now, for instance CONNECT at first [MQTT-3.1.0-1]. */
  only: PacketType | undefined
}

const PARTIAL_START = 4096
/** The first byte of a TLS connection; as an MQTT packet it would be a CONNECT with wrong flags. */
const TLS_HANDSHAKE = 0x16

function acceptableHeaders(sender: Sender, version: ProtocolVersion): Uint8Array {
  const acceptable = new Uint8Array(256)
  for (const row of packetTypes) {
    if (!row.sentBy.includes(sender) || version < row.since) continue
    if (sender === 'server' && row.code === PacketType.DISCONNECT && version < 5) continue
    for (let flags = 0; flags < 16; flags++) {
      // MQTT 3.1 marks a retried PUBREL, SUBSCRIBE or UNSUBSCRIBE with DUP.
      const retried = version === 3 && row.flags === 2 && flags === 10
      if (row.flags === undefined || flags === row.flags || retried) acceptable[(row.code << 4) | flags] = 1
    }
  }
  return acceptable
}

/** First bytes of packets that may be taken together: PUBLISH without DUP and RETAIN, and the four acknowledgements of it. */
const repeatable = new Uint8Array(256)
for (const qos of [0, 1, 2] as const) repeatable[(PacketType.PUBLISH << 4) | publishFlags(qos, false, false)] = 1
for (const type of [PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP])
  repeatable[ackHeader(type)] = 1

const acceptable = {
  client: { 3: acceptableHeaders('client', 3), 4: acceptableHeaders('client', 4), 5: acceptableHeaders('client', 5) },
  server: { 3: acceptableHeaders('server', 3), 4: acceptableHeaders('server', 4), 5: acceptableHeaders('server', 5) },
}

function headerError(header: number, sender: Sender, version: ProtocolVersion): ProtocolError {
  const row = packetTypeRow(header >> 4)
  if (row === undefined || version < row.since)
    return new ProtocolError(ReasonCode.MALFORMED_PACKET, `packet type ${header >> 4}`)
  if (!row.sentBy.includes(sender) || (sender === 'server' && row.code === PacketType.DISCONNECT && version < 5))
    return new ProtocolError(ReasonCode.PROTOCOL_ERROR, `${row.name} from a ${sender}`)
  return new ProtocolError(ReasonCode.MALFORMED_PACKET, `reserved flags of ${row.name}`) // [MQTT-2.1.3-1] [MQTT-2.2.2-2 of 3.1.1]
}

/** Takes the bytes of one direction of a connection as they come, and hands on whole packets. */
export class Framer implements FramingRules {
  maximumPacketSize = Number.MAX_SAFE_INTEGER
  only: PacketType | undefined = undefined
  private readonly sink: PacketSink
  private readonly sender: Sender
  private readonly blocks: BlockPool
  private level: ProtocolVersion = 4
  private headers: Uint8Array
  /** An incomplete packet: what has arrived of it, how long it is (0 while its header is incomplete), where its body begins. */
  private partial: Buffer | undefined = undefined
  private block: SharedBlock | undefined = undefined
  private have = 0
  private need = 0
  private bodyStart = 0
  private isStopped = false
  private held: Buffer | undefined = undefined

  /** @param sender the side whose packets arrive here. */
  constructor(sink: PacketSink, sender: Sender, blocks: BlockPool) {
    this.sink = sink
    this.sender = sender
    this.blocks = blocks
    this.headers = acceptable[sender][4]
  }

  get version(): ProtocolVersion {
    return this.level
  }

  set version(version: ProtocolVersion) {
    this.level = version
    this.headers = acceptable[this.sender][version]
  }

  /** Delivers no further packet until `resume`; what has been pushed is kept. May be called from the sink. */
  stop(): void {
    this.isStopped = true
  }

  /** Bytes pushed since `stop`. */
  get heldBytes(): number {
    return this.held?.length ?? 0
  }

  /** Delivers what was held back. */
  resume(): void {
    this.isStopped = false
    const held = this.held
    this.held = undefined
    if (held !== undefined) this.push(held, held.length)
  }

  /**
   * Takes the next bytes[0..length) of the stream.
   * @param block owner of the bytes, if they are not to be reused while somebody keeps it
   * @throws ProtocolError 0x81, 0x82, 0x95, and whatever the sink throws; the stream must not be read further then.
   */
  push(bytes: Buffer, length: number, block?: SharedBlock): void {
    let at = 0
    if (!this.isStopped) {
      if (this.partial !== undefined) {
        at = this.complete(this.partial, bytes, length)
        if (this.partial !== undefined) return
      }
      while (at < length && !this.isStopped) {
        const next = this.packetAt(bytes, at, length, block)
        if (next < 0) {
          this.keep(bytes, at, length)
          return
        }
        const before = at
        const header = bytes[before] as number
        at = next
        if (at < length && bytes[at] === header && repeatable[header] === 1 && !this.isStopped)
          at = this.sink.onFollowing?.(bytes, before, at, length) ?? at
      }
    }
    if (at < length) this.hold(bytes.subarray(at, length))
  }

  private hold(bytes: Buffer): void {
    this.held = this.held === undefined ? Buffer.from(bytes) : Buffer.concat([this.held, bytes])
  }

  /** Delivers the packet at bytes[at] and returns its end, or -1 when it is not all there. */
  private packetAt(bytes: Buffer, at: number, length: number, block: SharedBlock | undefined): number {
    const body = this.bodyOffset(bytes, at, length)
    if (body < 0) return -1
    const end = at + this.need
    if (end > length) return -1
    this.sink.onPacket(bytes[at] as number, bytes, body, end, block)
    return end
  }

  /**
   * Checks the fixed header at bytes[at] and returns where the body begins, or -1 when the header is not all there.
   * Sets `need` to the length of the whole packet, 0 while it is unknown.
   */
  private bodyOffset(bytes: Buffer, at: number, length: number): number {
    const header = bytes[at] as number
    if (this.only !== undefined && header >> 4 !== this.only)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `packet type ${header >> 4} before CONNECT`)
    if (this.headers[header] === 0) {
      if (this.only !== undefined && header === TLS_HANDSHAKE)
        throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'TLS on a port without TLS')
      throw headerError(header, this.sender, this.level)
    }
    this.need = 0
    let size = 0
    let shift = 0
    let body = at + 1
    for (;;) {
      if (body >= length) return -1
      const byte = bytes[body++] as number
      size |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0 && this.level === 5)
          throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'remaining length is not in its shortest form')
        break
      }
      shift += 7
      if (shift > 21) throw new ProtocolError(ReasonCode.MALFORMED_PACKET, 'remaining length has more than four bytes')
    }
    this.need = body - at + size
    if (this.need > this.maximumPacketSize)
      throw new ProtocolError(ReasonCode.PACKET_TOO_LARGE, `packet of ${this.need} bytes`) // [MQTT-3.2.2-15]
    return body
  }

  /** Keeps the beginning of a packet, bytes[at..length). */
  private keep(bytes: Buffer, at: number, length: number): void {
    const have = length - at
    this.bodyStart = this.need === 0 ? 0 : this.bodyOffset(bytes, at, length) - at
    this.partial = this.memory(have, undefined)
    bytes.copy(this.partial, 0, at, length)
    this.have = have
  }

  /** Memory for `have` bytes and some of those to come, with `old` copied into it. */
  private memory(have: number, old: Buffer | undefined): Buffer {
    const previous = this.block
    let memory: Buffer
    if (this.need > LARGE_PACKET) {
      this.block = this.blocks.take(Math.min(this.need, Math.max(have * 4, LARGE_PACKET)))
      memory = this.block.bytes
    } else memory = Buffer.allocUnsafe(this.need === 0 ? 5 : Math.min(this.need, Math.max(have * 2, PARTIAL_START)))
    if (old !== undefined) old.copy(memory, 0, 0, this.have)
    previous?.release()
    return memory
  }

  /** Adds to the incomplete packet, delivers it when it is complete, and returns how far `bytes` were used. */
  private complete(partial: Buffer, bytes: Buffer, length: number): number {
    let memory = partial
    let at = 0
    while (this.need === 0) {
      if (at === length) return at
      memory[this.have++] = bytes[at++] as number
      const body = this.bodyOffset(memory, 0, this.have)
      if (body >= 0) this.bodyStart = body
    }
    const take = Math.min(this.need - this.have, length - at)
    if (this.have + take > memory.length) memory = this.partial = this.memory(this.have + take, memory)
    this.have += bytes.copy(memory, this.have, at, at + take)
    if (this.have < this.need) return length
    const { block, need } = this
    this.partial = undefined
    this.block = undefined
    try {
      this.sink.onPacket(memory[0] as number, memory, this.bodyStart, need, block)
    } finally {
      block?.release()
    }
    return at + take
  }
}
