// Pooled blocks: given back when the last reference is gone and not before, reused by capacity, bounded in sum.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockPool } from '../../src/protocol/shared-block.js'

const KIB = 1024

for (const [size, capacity] of [
  [0, 32],
  [1, 32],
  [32 * KIB, 32],
  [32 * KIB + 1, 64],
  [100 * KIB, 128],
  [1024 * KIB, 1024],
] as const)
  test(`a block for ${size} bytes has ${capacity} KiB`, () => {
    assert.equal(new BlockPool().take(size).bytes.length, capacity * KIB)
  })

test('a released block is taken again', () => {
  const pool = new BlockPool()
  const first = pool.take(40_000)
  first.release()
  assert.equal(pool.take(50_000).bytes, first.bytes)
})

test('a block in use is not taken again', () => {
  const pool = new BlockPool()
  const first = pool.take(40_000)
  assert.notEqual(pool.take(40_000).bytes, first.bytes)
})

test('a block returns with its last reference', () => {
  const pool = new BlockPool()
  const first = pool.take(1)
  first.retain()
  first.retain()
  first.release()
  first.release()
  assert.notEqual(pool.take(1).bytes, first.bytes)
  first.release()
  assert.equal(pool.take(1).bytes, first.bytes)
})

test('a block of another capacity is not taken', () => {
  const pool = new BlockPool()
  const small = pool.take(1)
  small.release()
  assert.notEqual(pool.take(40_000).bytes, small.bytes)
  assert.equal(pool.take(1).bytes, small.bytes)
})

test('every released block is taken again, each once', () => {
  const pool = new BlockPool()
  const taken = Array.from({ length: 8 }, () => pool.take(1))
  for (const block of taken) block.release()
  const again = Array.from({ length: 8 }, () => pool.take(1).bytes)
  assert.deepEqual(new Set(again), new Set(taken.map((block) => block.bytes)))
})

test('at most 32 MiB are kept', () => {
  const pool = new BlockPool()
  const taken = Array.from({ length: 5 }, () => pool.take(8 * 1024 * KIB))
  const kept = new Set(taken.map((block) => block.bytes))
  for (const block of taken) block.release()
  let reused = 0
  for (let i = 0; i < 5; i++) if (kept.has(pool.take(8 * 1024 * KIB).bytes)) reused++
  assert.equal(reused, 4)
})

test('what was taken again no longer counts as kept', () => {
  const pool = new BlockPool()
  const first = pool.take(8 * 1024 * KIB)
  const { bytes } = first
  first.release()
  for (let round = 0; round < 10; round++) {
    const block = pool.take(8 * 1024 * KIB)
    assert.equal(block.bytes, bytes)
    block.release()
  }
})
