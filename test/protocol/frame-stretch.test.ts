// Packets side by side in one block: copied, or left where they came in.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FrameStretch, MOST_COPIED } from '../../src/protocol/frame-stretch.js'
import { Frame } from '../../src/protocol/publish-frames.js'
import { BlockPool, type SharedBlock } from '../../src/protocol/shared-block.js'

const HEADER = 0x30

/** A pool that tells what came back. */
function watchedPool() {
  const pool = new BlockPool()
  const returned: Buffer[] = []
  pool.give = (bytes) => returned.push(bytes)
  return { pool, returned }
}

/** A frame at bytes[start..end) of a block, or of memory that is nobody's. */
function frameIn(bytes: Buffer, start: number, end: number, block?: SharedBlock, first = HEADER): Frame {
  const frame = new Frame()
  bytes.fill(start & 0xff, start, end)
  bytes[start] = first
  frame.bytes = bytes
  frame.start = start
  frame.end = end
  frame.size = end - start
  frame.block = block
  return frame
}

function received(pool: BlockPool) {
  const block = pool.take(262_144)
  return {
    block,
    frame: (start: number, end: number, first = HEADER) => frameIn(block.bytes, start, end, block, first),
  }
}

describe('a stretch of packets', () => {
  test('those that lie one behind the other in the block they came in are not copied', () => {
    const { pool, returned } = watchedPool()
    const stretch = new FrameStretch(pool)
    const { block, frame } = received(pool)
    stretch.begin()
    assert.deepEqual(
      [frame(10, 50_000), frame(50_000, 50_020)].map((each) => stretch.add(each, HEADER)),
      [true, true],
    )
    stretch.settle()
    assert.equal(stretch.block, block)
    assert.deepEqual([stretch.start, stretch.end], [10, 50_020])
    block.release()
    assert.deepEqual(returned, [])
    stretch.begin()
    assert.deepEqual(returned, [block.bytes])
  })

  test('a packet whose payload lies elsewhere is refused', () => {
    const { pool } = watchedPool()
    const stretch = new FrameStretch(pool)
    stretch.begin()
    const frame = frameIn(Buffer.alloc(20), 0, 20)
    frame.payload = Buffer.alloc(16_384)
    frame.size = 20 + frame.payload.length
    assert.equal(stretch.add(frame, HEADER), false)
    assert.equal(stretch.end, stretch.start)
  })

  test('few bytes are copied, and the block is free again', () => {
    const { pool, returned } = watchedPool()
    const stretch = new FrameStretch(pool)
    const { block, frame } = received(pool)
    stretch.begin()
    stretch.add(frame(100, 400), HEADER)
    stretch.add(frame(400, 32_700), HEADER)
    const sent = Buffer.from(block.bytes.subarray(100, 32_700))
    stretch.settle()
    assert.notEqual(stretch.block, block)
    assert.ok(stretch.block.bytes.subarray(stretch.start, stretch.end).equals(sent))
    block.release()
    assert.deepEqual(returned, [block.bytes])
    const first = stretch.block
    const { start, end } = stretch
    // What follows does not touch what has been handed out.
    for (let at = 0; at < 100; at++) {
      stretch.begin()
      stretch.add(frameIn(Buffer.alloc(3000), 0, 3000), HEADER)
      if (stretch.block !== first) break
    }
    assert.ok(first.bytes.subarray(start, end).equals(sent))
  })

  for (const { name, make } of [
    { name: 'a gap', make: ({ frame }: ReturnType<typeof received>) => frame(41_000, 42_000) },
    { name: 'another first byte', make: ({ frame }: ReturnType<typeof received>) => frame(40_000, 42_000, 0x31) },
    { name: 'memory of its own', make: () => frameIn(Buffer.alloc(100), 0, 100) },
  ])
    test(`${name} ends a stretch that is not copied`, () => {
      const { pool } = watchedPool()
      const stretch = new FrameStretch(pool)
      const from = received(pool)
      stretch.begin()
      assert.equal(stretch.add(from.frame(0, 40_000), HEADER), true)
      assert.equal(stretch.add(make(from), HEADER), false)
      assert.deepEqual([stretch.start, stretch.end], [0, 40_000])
    })

  test('another block ends it too', () => {
    const { pool } = watchedPool()
    const stretch = new FrameStretch(pool)
    stretch.begin()
    assert.equal(stretch.add(received(pool).frame(0, 40_000), HEADER), true)
    assert.equal(stretch.add(received(pool).frame(40_000, 50_000), HEADER), false)
  })

  test('copies do not become a part of what lies elsewhere', () => {
    const { pool } = watchedPool()
    const stretch = new FrameStretch(pool)
    stretch.begin()
    assert.equal(stretch.add(frameIn(Buffer.alloc(100), 0, 100), HEADER), true)
    assert.equal(stretch.add(received(pool).frame(0, 100), HEADER), false)
  })

  test(`more than ${MOST_COPIED} bytes are not copied`, () => {
    const stretch = new FrameStretch(new BlockPool())
    stretch.begin()
    assert.equal(stretch.add(frameIn(Buffer.alloc(MOST_COPIED + 1), 0, MOST_COPIED + 1), HEADER), false)
    assert.equal(stretch.add(frameIn(Buffer.alloc(MOST_COPIED), 0, MOST_COPIED), HEADER), true)
  })
})
