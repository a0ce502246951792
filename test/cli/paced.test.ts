// What is asked for too often is done at once, then once for all that came meanwhile, and never lost.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { paced } from '../../src/cli/paced.js'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

test('at once; what comes in the pause afterwards is one call at its end', () => {
  let calls = 0
  const call = paced(() => calls++, 500)
  call()
  assert.equal(calls, 1)
  for (let ms = 0; ms < 500; ms += 25) {
    mock.timers.tick(25)
    call()
  }
  assert.equal(calls, 2, 'the first, and one after 500 ms')
  mock.timers.tick(499)
  assert.equal(calls, 2)
  mock.timers.tick(1)
  assert.equal(calls, 3, 'for the last one')
  mock.timers.tick(5000)
  assert.equal(calls, 3)
  call()
  assert.equal(calls, 4, 'at once again')
})

test('one that fails is followed by the next one', () => {
  let calls = 0
  const call = paced(() => {
    calls++
    if (calls === 1) throw new Error('once')
  }, 500)
  assert.throws(call, /once/)
  call()
  mock.timers.tick(500)
  assert.equal(calls, 2)
})
