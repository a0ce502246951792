// How long a bridge waits before it connects again (bridges.md section 5), with chance as numbers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RestartDelay } from '../../src/broker/bridge/restart-delay.js'
import { TickClock } from '../../src/broker/bridge/tick-clock.js'

/** One after the other: `failure` or `loss MS`, and what is waited for. */
const cases = [
  {
    name: 'without restart_timeout the first delay is between 5 s',
    random: [0],
    steps: [['failure', 5000]],
  },
  { name: '... and 9.999 s', random: [0.9999], steps: [['failure', 10_000]] },
  {
    name: 'each is at most three times the one before, and 30 s',
    random: [1, 1, 1, 0, 0.5],
    steps: [
      ['failure', 10_000],
      ['failure', 30_000],
      ['failure', 30_000],
      ['failure', 5000],
      ['failure', 10_000],
    ],
  },
  {
    name: 'a constant',
    timeout: { base: 7, cap: 7, stable: 0 },
    random: [0.3],
    steps: [
      ['failure', 7000],
      ['loss 0', 7000],
      ['failure', 7000],
    ],
  },
  {
    name: 'any connection begins anew where nothing has to be stable',
    random: [1],
    steps: [
      ['failure', 10_000],
      ['failure', 30_000],
      ['loss 0', 5000],
      ['failure', 15_000],
    ],
  },
  {
    name: 'only one that lasted does with a stable time',
    timeout: { base: 1, cap: 60, stable: 20 },
    random: [1],
    steps: [
      ['failure', 2000],
      ['loss 19999', 6000],
      ['loss 20000', 1000],
    ],
  },
] as const

for (const { name, random, steps, ...rest } of cases)
  test(name, () => {
    const numbers = [...random]
    const last = numbers.at(-1) ?? 0
    const delay = new RestartDelay('timeout' in rest ? rest.timeout : undefined, () => numbers.shift() ?? last)
    for (const [event, expected] of steps) {
      const [kind, lived] = event.split(' ')
      assert.equal(kind === 'failure' ? delay.afterFailure() : delay.afterLoss(Number(lived)), expected, event)
    }
  })

test('timers of the tick fire when they are due, in their order, unless taken back', () => {
  let now = 0
  const clock = new TickClock(() => now)
  const fired: string[] = []
  clock.after(1000, () => fired.push('second'))
  clock.after(500, () => fired.push('first'))
  const cancel = clock.after(600, () => fired.push('never'))
  clock.after(700, () => cancel2())
  const cancel2 = clock.after(800, () => fired.push('taken back by another'))
  now = 499
  clock.tick()
  assert.deepEqual(fired, [])
  cancel()
  now = 1000
  clock.tick()
  assert.deepEqual(fired, ['first', 'second'])
  clock.tick()
  assert.equal(fired.length, 2)
})
