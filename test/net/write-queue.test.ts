// When connections are flushed: at the end of a turn of the event loop, or later while the turns go on to add some.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Flushable, WriteQueue } from '../../src/net/write-queue.js'

/** Schedules as many new connections as `counts` says, turn by turn, and returns how many were flushed at the end of each. */
async function flushedAfter(counts: readonly number[]): Promise<number[]> {
  const queue = new WriteQueue()
  let flushed = 0
  const connection = (): Flushable => ({ flush: () => void flushed++, onWritten: () => {} })
  const seen: number[] = []
  for (const count of counts) {
    for (let i = 0; i < count; i++) queue.schedule(connection())
    // The first is the queue's, the second comes behind it in the same turn.
    await turn()
    seen.push(flushed)
  }
  return seen
}

const cases: readonly { name: string; counts: readonly number[]; flushed: readonly number[] }[] = [
  { name: 'few connections are flushed at the end of the turn', counts: [7, 0], flushed: [7, 7] },
  { name: 'many wait for the next turn, and no longer when it adds none', counts: [8, 0, 0], flushed: [0, 8, 8] },
  { name: 'they wait again when it does, but not a third time', counts: [8, 1, 1, 5], flushed: [0, 0, 10, 15] },
  { name: 'the next time it begins anew', counts: [8, 0, 9, 0], flushed: [0, 8, 8, 17] },
  { name: 'a crowd of 2048 is flushed at once', counts: [2048, 0], flushed: [2048, 2048] },
]

for (const { name, counts, flushed } of cases)
  test(name, async () => assert.deepEqual(await flushedAfter(counts), flushed))
