// The framer alone: limits, memory for packets that arrive in pieces, stop and resume, rules that change between packets.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Framer, LARGE_PACKET, type PacketSink } from '../../src/protocol/framer.js'
import type { Sender } from '../../src/protocol/packet-types.js'
import { BlockPool, type SharedBlock } from '../../src/protocol/shared-block.js'
import { hex, packet, props, raw, text, u8, u16 } from '../golden/bytes.js'
import { protocolErrorOf } from './decoding.js'

const ping = raw(hex('c0 00'))
const connect5 = packet(0x10, text('MQTT'), u8(5), u8(2), u16(0), props(), text('c'))

/** A PUBLISH of this many bytes in all, which must be above 16,387. */
function publishOf(size: number, filling = 0x78): Buffer {
  const remaining = size - 4
  const header = raw([0x30, (remaining % 128) + 128, (Math.floor(remaining / 128) % 128) + 128, remaining >> 14])
  return Buffer.concat([header, raw(text('t')), Buffer.alloc(remaining - 3, filling)])
}

class CountingPool extends BlockPool {
  readonly taken: SharedBlock[] = []

  override take(size: number): SharedBlock {
    const block = super.take(size)
    this.taken.push(block)
    return block
  }
}

/** A framer whose packets end up in a list, whole. */
function collecting(sender: Sender = 'client', onPacket?: (framer: Framer, count: number) => void) {
  const packets: Buffer[] = []
  const pool = new CountingPool()
  const sink: PacketSink = {
    onPacket(header, bytes, start, end) {
      packets.push(Buffer.concat([raw(u8(header)), bytes.subarray(start, end)]))
      onPacket?.(framer, packets.length)
    },
  }
  const framer = new Framer(sink, sender, pool)
  return { framer, packets, pool }
}

/** What `collecting` makes of a whole packet. */
function body(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte, at) => at > 0 && byte < 0x80) + 1
  return Buffer.concat([bytes.subarray(0, 1), bytes.subarray(start)])
}

function push(framer: Framer, ...chunks: readonly Uint8Array[]): void {
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk)
    framer.push(copy, copy.length)
    copy.fill(0xee)
  }
}

test('only the bytes before the length are taken', () => {
  const { framer, packets } = collecting()
  framer.push(Buffer.concat([ping, raw(hex('00 00'))]), 2)
  framer.push(Buffer.alloc(0), 0)
  assert.deepEqual(packets, [raw(u8(0xc0))])
})

test('a packet is found in place, without a copy', () => {
  const chunk = Buffer.concat([ping, publishOf(40_000)])
  const seen: unknown[] = []
  const framer = new Framer(
    { onPacket: (_header, bytes, start, end, block) => seen.push([bytes === chunk, start, end, block]) },
    'client',
    new BlockPool(),
  )
  framer.push(chunk, chunk.length)
  assert.deepEqual(seen, [
    [true, 2, 2, undefined],
    [true, 6, 40_002, undefined],
  ])
})

const ids = { 48: [], 50: u16(1), 52: u16(1) } as const
const alike = packet(0x30, text('t'), u8(1))
const following: readonly { name: string; packets: readonly Uint8Array[]; asked: readonly number[]; seen: number }[] = [
  ...([0x30, 0x32, 0x34] as const).flatMap((header) => {
    const name = (what: string) => `${what}, first byte 0x${header.toString(16)}`
    const one = packet(header, text('t'), ids[header], u8(1))
    const retained = packet(header | 1, text('t'), ids[header], u8(1))
    return [
      { name: name('two'), packets: [one, one], asked: [one.length], seen: 1 },
      { name: name('some of them'), packets: [one, one, one, ping], asked: [one.length], seen: 2 },
      { name: name('one alone'), packets: [one], asked: [], seen: 1 },
      { name: name('another type behind'), packets: [one, ping], asked: [], seen: 2 },
      { name: name('another type in front'), packets: [ping, one], asked: [], seen: 2 },
      { name: name('RETAIN in front'), packets: [retained, one], asked: [], seen: 2 },
      { name: name('RETAIN behind'), packets: [one, retained], asked: [], seen: 2 },
      { name: name('two with RETAIN'), packets: [retained, retained], asked: [], seen: 2 },
    ]
  }),
  ...[0x40, 0x50, 0x62, 0x70].map((header) => {
    const ack = packet(header, u16(1))
    return { name: `acknowledgements 0x${header.toString(16)}`, packets: [ack, ack, ping], asked: [4], seen: 2 }
  }),
  { name: 'another QoS', packets: [alike, packet(0x32, text('t'), u16(1))], asked: [], seen: 2 },
  { name: 'DUP', packets: [packet(0x3a, text('t'), u16(1)), packet(0x3a, text('t'), u16(1))], asked: [], seen: 2 },
  { name: 'PINGREQ', packets: [ping, ping], asked: [], seen: 2 },
]
for (const { name, packets, asked, seen } of following)
  test(`packets with one first byte that follow one another may be taken together: ${name}`, () => {
    const offsets: number[] = []
    let count = 0
    let last = 0
    const framer = new Framer(
      {
        onPacket: (_header, _bytes, start) => {
          count++
          last = start - 2
        },
        onFollowing(bytes, before, at, limit) {
          assert.equal(limit, Buffer.concat(packets).length)
          assert.equal(before, last)
          offsets.push(at)
          const size = at - before
          while (at < limit && bytes[at] === bytes[before]) at += size
          return at
        },
      },
      'client',
      new BlockPool(),
    )
    const bytes = Buffer.concat(packets)
    framer.push(bytes, bytes.length)
    assert.deepEqual([offsets, count], [asked, seen])
  })

test('a packet that came in two pieces is followed by none', () => {
  const [one, three] = [packet(0x32, text('t'), u16(1)), packet(0x32, text('t'), u16(3))]
  const bytes = Buffer.concat([one, three, three])
  const offsets: number[] = []
  const framer = new Framer(
    { onPacket: () => {}, onFollowing: (_bytes, _before, at) => offsets.push(at) && at },
    'client',
    new BlockPool(),
  )
  framer.push(bytes, 3)
  framer.push(bytes.subarray(3), bytes.length - 3)
  assert.deepEqual(offsets, [one.length - 3 + three.length])
})

test('no packet is taken after stop', () => {
  const bytes = Buffer.concat([alike, alike])
  const framer = new Framer(
    { onPacket: () => framer.stop(), onFollowing: () => assert.fail('it is stopped') },
    'client',
    new BlockPool(),
  )
  framer.push(bytes, bytes.length)
  assert.equal(framer.heldBytes, alike.length)
})

const limits: readonly (readonly [limit: number, bytes: Buffer, accepted: boolean])[] = [
  [0, ping, false],
  [1, ping, false],
  [2, ping, true],
  [130, packet(0x30, text('t'), Array(124).fill(0)), true],
  [128, packet(0x30, text('t'), Array(124).fill(0)), false],
  [20_000, publishOf(20_000), true],
  [19_999, publishOf(20_000), false],
  [Number.MAX_SAFE_INTEGER, publishOf(20_000), true],
]

for (const [limit, bytes, accepted] of limits)
  test(`E10 E196 [MQTT-3.2.2-15] a packet of ${bytes.length} bytes, ${limit} allowed`, () => {
    for (const pieces of [[bytes], [bytes.subarray(0, 1), bytes.subarray(1)]]) {
      const { framer, packets } = collecting()
      framer.maximumPacketSize = limit
      const error = protocolErrorOf(() => push(framer, ...pieces))
      assert.equal(error?.reasonCode, accepted ? undefined : 0x95)
      assert.equal(packets.length, accepted ? 1 : 0)
    }
  })

test('E10 a packet is judged too large from its header, before its body', () => {
  const { framer, pool } = collecting()
  framer.maximumPacketSize = 1_000_000
  assert.equal(protocolErrorOf(() => push(framer, raw(hex('30 bd 84 3d'))))?.reasonCode, 0x95)
  assert.equal(pool.taken.length, 0)
  const inPieces = collecting()
  inPieces.framer.maximumPacketSize = 1_000_000
  push(inPieces.framer, raw(hex('30 bd')), raw(hex('84')))
  assert.equal(protocolErrorOf(() => push(inPieces.framer, raw(hex('3d'))))?.reasonCode, 0x95)
})

test('E10 wrong flags are seen with the first byte', () => {
  const { framer } = collecting()
  assert.equal(protocolErrorOf(() => push(framer, raw(u8(0xc1))))?.reasonCode, 0x81)
})

test('F158 the largest remaining length is accepted and costs only what arrives', () => {
  const { framer, packets, pool } = collecting()
  push(framer, raw(hex('30 ff ff ff 7f 00 01 74')))
  assert.deepEqual(packets, [])
  assert.equal(pool.taken.length, 1)
  assert.equal(pool.taken[0]?.bytes.length, 32_768)
})

test('memory for a packet grows with the bytes received and stays within its size', () => {
  const size = 2_000_000
  const bytes = publishOf(size)
  const { framer, packets, pool } = collecting()
  for (let at = 0; at < size; at += 1000) {
    push(framer, bytes.subarray(at, at + 1000))
    const capacity = pool.taken.at(-1)?.bytes.length ?? 0
    assert.ok(capacity <= Math.max(32_768, 8 * (at + 1000)), `${capacity} bytes for ${at + 1000}`)
    assert.ok(capacity < 2 * size)
  }
  assert.equal(packets.length, 1)
  assert.ok(packets[0]?.equals(body(bytes)))
  const taken = pool.taken.map((block) => block.bytes)
  assert.ok(taken.length < 10, `${taken.length} blocks`)
  for (const outgrown of taken) assert.equal(pool.take(outgrown.length).bytes, outgrown, 'given back')
})

test('memory for a small packet in pieces is no block', () => {
  const { framer, packets, pool } = collecting()
  const bytes = publishOf(LARGE_PACKET)
  push(framer, ...Array.from(bytes, (byte) => Uint8Array.of(byte)))
  assert.ok(packets[0]?.equals(body(bytes)))
  assert.equal(pool.taken.length, 0)
})

test('a large packet in pieces comes in a block, which is given back unless it is retained', () => {
  const pool = new BlockPool()
  const blocks: (SharedBlock | undefined)[] = []
  let keep = true
  const framer = new Framer(
    {
      onPacket(_header, bytes, _start, _end, block) {
        assert.equal(bytes, block?.bytes)
        if (keep) block?.retain()
        blocks.push(block)
      },
    },
    'client',
    pool,
  )
  const send = (filling: number) => {
    const bytes = publishOf(20_000, filling)
    push(framer, bytes.subarray(0, 10), bytes.subarray(10))
  }
  send(1)
  keep = false
  send(2)
  assert.notEqual(blocks[0], blocks[1])
  assert.equal(blocks[0]?.bytes.subarray(7, 20_000).equals(Buffer.alloc(19_993, 1)), true)
  send(3)
  assert.equal(blocks[2]?.bytes, blocks[1]?.bytes)
  assert.equal(blocks[0]?.bytes[10], 1)
})

test('a block is given back also when the packet is refused', () => {
  const pool = new BlockPool()
  let block: SharedBlock | undefined
  const framer = new Framer(
    {
      onPacket(_header, _bytes, _start, _end, given) {
        block = given
        throw new RangeError('refused')
      },
    },
    'client',
    pool,
  )
  const bytes = publishOf(20_000)
  assert.throws(() => push(framer, bytes.subarray(0, 10), bytes.subarray(10)), /refused/)
  assert.equal(pool.take(1).bytes, block?.bytes)
})

test('[MQTT-3.1.0-1] E1 anything but the one type accepted is refused before it is kept', () => {
  for (const chunk of [ping, raw(u8(0x30)), raw(hex('30 ff ff ff 7f'))]) {
    const { framer, packets, pool } = collecting()
    framer.only = 1
    assert.notEqual(
      protocolErrorOf(() => push(framer, chunk)),
      undefined,
    )
    assert.deepEqual([packets.length, pool.taken.length], [0, 0])
  }
})

test('[MQTT-3.1.0-1] the sink lifts the restriction, and sets the version, for what follows in the same chunk', () => {
  const auth = packet(0xf0, u8(0x18), props(hex('15 00 01 6d')))
  const { framer, packets } = collecting('client', (it) => {
    it.only = undefined
    it.version = 5
  })
  framer.only = 1
  push(framer, Buffer.concat([connect5, auth, ping]))
  assert.deepEqual(packets, [body(connect5), body(auth), raw(u8(0xc0))])
})

test('the version decides about flags and types from the next packet on', () => {
  const { framer, packets } = collecting()
  framer.version = 3
  push(framer, packet(0x8a, u16(1)))
  framer.version = 4
  assert.equal(protocolErrorOf(() => push(framer, packet(0x8a, u16(1))))?.reasonCode, 0x81)
  assert.equal(packets.length, 1)
  assert.equal(framer.version, 4)
})

test('a limit set by the sink holds for the next packet', () => {
  const { framer, packets } = collecting('client', (it) => {
    it.maximumPacketSize = 10
  })
  assert.equal(
    protocolErrorOf(() => push(framer, Buffer.concat([publishOf(20_000), publishOf(20_000)])))?.reasonCode,
    0x95,
  )
  assert.equal(packets.length, 1)
})

const numbered = Array.from({ length: 6 }, (_, at) => packet(0x30, text('t'), u8(at)))

test('stopped, the framer keeps what comes and delivers nothing', () => {
  const { framer, packets } = collecting()
  framer.stop()
  push(framer, ...numbered.slice(0, 2))
  push(framer, Buffer.concat(numbered.slice(2)))
  assert.deepEqual(packets, [])
  framer.resume()
  assert.deepEqual(packets, numbered.map(body))
  push(framer, ping)
  assert.equal(packets.length, 7)
})

test('stopped by the sink, it delivers nothing more of the chunk', () => {
  const { framer, packets } = collecting('client', (it) => it.stop())
  push(framer, Buffer.concat(numbered))
  for (let count = 1; count <= 6; count++) {
    assert.deepEqual(packets, numbered.slice(0, count).map(body))
    framer.resume()
  }
  assert.equal(packets.length, 6)
})

test('stopped in the middle of a packet, it goes on there', () => {
  const { framer, packets } = collecting()
  const bytes = publishOf(20_000)
  push(framer, bytes.subarray(0, 3))
  framer.stop()
  push(framer, bytes.subarray(3, 9000))
  framer.resume()
  framer.stop()
  push(framer, bytes.subarray(9000), ping)
  assert.equal(packets.length, 0)
  framer.resume()
  assert.deepEqual(packets, [body(bytes), raw(u8(0xc0))])
})

test('stopped by the sink of a packet in pieces, it keeps the rest of the chunk', () => {
  const { framer, packets } = collecting('client', (it, count) => {
    if (count === 1) it.stop()
  })
  const [first = ping, second = ping] = numbered
  push(framer, first.subarray(0, 4), Buffer.concat([first.subarray(4), second]))
  assert.deepEqual(packets, [body(first)])
  framer.resume()
  assert.deepEqual(packets, [body(first), body(second)])
})

test('resuming without anything held, or twice, does nothing', () => {
  const { framer, packets } = collecting()
  framer.resume()
  framer.stop()
  framer.stop()
  push(framer, ping)
  framer.resume()
  framer.resume()
  assert.equal(packets.length, 1)
})

test('what was held is checked when it is delivered', () => {
  const { framer } = collecting()
  framer.stop()
  push(framer, raw(hex('00 00')))
  assert.equal(protocolErrorOf(() => framer.resume())?.reasonCode, 0x81)
})

test('any chunks, stopped and resumed at any time, give the same packets', () => {
  const stream = [...numbered, publishOf(17_000, 1), ping, publishOf(70_000, 2), ...numbered]
  const bytes = Buffer.concat(stream)
  const expected = stream.map(body)
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 30_000 }), fc.boolean()), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(steps, fc.nat({ max: 16 }), (list, stopAt) => {
      const { framer, packets } = collecting('client', (it, count) => {
        if (count === stopAt) it.stop()
      })
      let at = 0
      for (const [length, stop] of list) {
        if (stop) framer.stop()
        else framer.resume()
        push(framer, bytes.subarray(at, at + length))
        at += length
      }
      push(framer, bytes.subarray(at))
      framer.resume()
      framer.resume()
      assert.equal(packets.length, expected.length)
      assert.ok(packets.every((one, index) => one.equals(expected[index] ?? ping)))
    }),
    { numRuns: 200 },
  )
})
