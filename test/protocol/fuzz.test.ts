// A million byte strings, random or made of golden packets by mutation, from each side and in each version: the framer and the
// codec throw nothing but ProtocolError, and never ask for more memory than the limit on packets allows.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePacket } from '../../src/protocol/codec.js'
import { Framer } from '../../src/protocol/framer.js'
import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import { ProtocolError } from '../../src/protocol/protocol-error.js'
import { BlockPool, type SharedBlock } from '../../src/protocol/shared-block.js'
import { TopicTable } from '../../src/protocol/topic-table.js'
import { senders, versions } from '../golden/golden-packet.js'
import { goldenPackets } from '../golden/packets.js'

const STRINGS = 1_000_000
/** Bytes a packet may have; a power of two, as the pool's blocks are. */
const LIMIT = 65_536

/** xorshift32: the same strings in every run. */
class Numbers {
  private state = 0x2545f491

  below(limit: number): number {
    let x = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x
    return (x >>> 0) % limit
  }
}

class WatchedPool extends BlockPool {
  largest = 0

  override take(size: number): SharedBlock {
    const block = super.take(size)
    this.largest = Math.max(this.largest, block.bytes.length)
    return block
  }
}

const numbers = new Numbers()
/** Bytes that mean something somewhere: lengths, borders, flags, the beginnings of long characters. */
const telling = Uint8Array.of(0, 1, 2, 0x0b, 0x10, 0x1f, 0x23, 0x26, 0x2b, 0x30, 0x7f, 0x80, 0xc3, 0xe2, 0xf0, 0xff)
const string = Buffer.alloc(512)

/** Fills `string` and returns its length. */
function random(): number {
  const length = numbers.below(40)
  for (let i = 0; i < length; i++) string[i] = numbers.below(256)
  return length
}

/** A header that is right, then a body of noise of the length it announces. */
function noise(header: number): number {
  const length = numbers.below(50)
  string[0] = header
  string[1] = length
  for (let i = 2; i < length + 2; i++)
    string[i] = numbers.below(3) === 0 ? numbers.below(256) : (telling[numbers.below(telling.length)] as number)
  return length + 2
}

/** A golden packet with some bytes changed, put in, taken out, or the golden packet itself. */
function mutated(golden: Buffer): number {
  let length = golden.copy(string)
  for (let changes = numbers.below(4); changes > 0; changes--) {
    const at = numbers.below(length)
    const kind = numbers.below(5)
    if (kind === 0) string[at] = numbers.below(256)
    else if (kind === 1) string[at] = telling[numbers.below(telling.length)] as number
    else if (kind === 2) string[at] = (string[at] as number) ^ (1 << numbers.below(8))
    else if (kind === 3 && length > 2) {
      string.copyWithin(at, at + 1, length--)
    } else {
      string.copyWithin(at + 1, at, length++)
      string[at] = numbers.below(256)
    }
  }
  // Most mutations should reach the body: make the length fit again, but not always.
  if (length < 130 && numbers.below(4) !== 0) string[1] = length - 2
  return length
}

interface Source {
  readonly version: ProtocolVersion
  readonly sender: Sender
  readonly seeds: readonly Buffer[]
}

const sources: readonly Source[] = versions.flatMap((version) =>
  senders.map((sender) => ({
    version,
    sender,
    seeds: goldenPackets
      .filter((row) => row.version === version && row.sender === sender && row.bytes.length < 400)
      .map((row) => row.bytes),
  })),
)

test(`${STRINGS} random or mutated byte strings`, () => {
  const { stackTraceLimit } = Error
  const { allocUnsafe, allocUnsafeSlow } = Buffer
  const pool = new WatchedPool()
  const topics = new TopicTable()
  let largest = 0
  let strings = 0
  let decoded = 0
  let refused = 0
  // A trace for each of half a million errors would be most of the time.
  Error.stackTraceLimit = 0
  Buffer.allocUnsafe = (size) => {
    largest = Math.max(largest, size)
    return allocUnsafe(size)
  }
  Buffer.allocUnsafeSlow = (size) => {
    largest = Math.max(largest, size)
    return allocUnsafeSlow(size)
  }
  try {
    for (; strings < STRINGS; strings++) {
      const source = sources[strings % sources.length] as Source
      const { version, sender } = source
      const seed = source.seeds[numbers.below(source.seeds.length)] as Buffer
      const kind = numbers.below(10)
      const length = kind === 0 ? random() : kind === 1 ? noise(seed[0] as number) : mutated(seed)
      const framer = new Framer(
        {
          onPacket(header, bytes, start, end) {
            decodePacket(header, bytes, start, end, version, sender, topics)
            decoded++
          },
        },
        sender,
        pool,
      )
      framer.version = version
      framer.maximumPacketSize = LIMIT
      try {
        if (numbers.below(3) === 0 && length > 1) {
          const cut = 1 + numbers.below(length - 1)
          framer.push(string.subarray(0, cut), cut)
          framer.push(string.subarray(cut, length), length - cut)
        } else framer.push(string, length)
      } catch (error) {
        if (!(error instanceof ProtocolError)) {
          const bytes = string.toString('hex', 0, length)
          throw new Error(`${bytes} of ${version} from ${sender}`, { cause: error })
        }
        refused++
      }
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Buffer.allocUnsafe = allocUnsafe
    Buffer.allocUnsafeSlow = allocUnsafeSlow
  }
  assert.equal(strings, STRINGS)
  // Both ways were really taken, and memory was really asked for.
  assert.ok(decoded > STRINGS / 10, `${decoded} packets decoded`)
  assert.ok(refused > STRINGS / 10, `${refused} strings refused`)
  assert.ok(pool.largest > 0 && pool.largest <= LIMIT, `block of ${pool.largest} bytes`)
  assert.ok(largest > 0 && largest <= LIMIT, `${largest} bytes allocated`)
})
