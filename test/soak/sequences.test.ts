// Ten minutes (`npm run soak`) or one of clients that do anything in any order: no crash, no wrong delivery, no leak. A failure names
// the seed; `TSMQ_SEED` repeats it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isLong } from './length.js'
import { Sequences } from './sequences.js'

const seconds = Number(process.env.TSMQ_SOAK_SECONDS ?? (isLong ? 600 : 60))
const seed = Number(process.env.TSMQ_SEED ?? Date.now() % 1_000_000)

/** Bytes of the heap in use after a collection. */
function heap(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  for (let round = 0; round < 5; round++) collect()
  return process.memoryUsage().heapUsed
}

test(`packets in any order for ${seconds} s, seed ${seed}`, { timeout: (seconds + 120) * 1000 }, async (t) => {
  const sequences = await Sequences.start(seed)
  t.after(() => sequences.broker.stop())
  const started = performance.now()
  let steps = 0
  let before = 0
  try {
    for (const share of [0.2, 1]) {
      while (performance.now() - started < seconds * 1000 * share) {
        steps++
        await sequences.step()
      }
      await sequences.clear()
      if (before === 0) before = heap()
    }
  } catch (error) {
    if (error instanceof Error)
      error.message = `seed ${seed}, step ${steps}: ${error.message}\n${sequences.history.join('\n')}`
    throw error
  }
  const after = heap()
  t.diagnostic(`${steps} steps, heap ${(before / 1e6).toFixed(1)} MB, then ${(after / 1e6).toFixed(1)} MB`)
  assert.ok(after <= before * 1.1, `the heap has grown from ${before} to ${after} bytes`)
})
