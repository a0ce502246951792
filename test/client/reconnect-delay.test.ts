import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ClientError, type ClientErrorKind, canHeal } from '../../src/client/client-error.js'
import { reconnectDelay } from '../../src/client/reconnect-delay.js'

describe('reconnect delay', () => {
  const range = { base: 5000, cap: 30_000 }
  // bridges.md section 5: delay = min(cap, random in [base, 3 × previous)).
  const rows = [
    { delays: { base: 1000, cap: 1000 }, previous: undefined, random: 0.9, expected: 1000 },
    { delays: { base: 1000, cap: 1000 }, previous: 1000, random: 0.9, expected: 1000 },
    { delays: range, previous: undefined, random: 0, expected: 5000 },
    { delays: range, previous: undefined, random: 0.5, expected: 10_000 },
    { delays: range, previous: 8000, random: 0, expected: 5000 },
    { delays: range, previous: 8000, random: 0.5, expected: 14_500 },
    { delays: range, previous: 30_000, random: 0.9, expected: 30_000 },
    { delays: { base: 5000, cap: 0 }, previous: 9000, random: 0.9, expected: 5000 },
  ]
  for (const { delays, previous, random, expected } of rows)
    test(`${JSON.stringify(delays)} after ${previous}, chance ${random}`, () =>
      assert.equal(reconnectDelay(delays, previous, random), expected))
})

describe('what trying again can heal', () => {
  const rows: readonly (readonly [ClientErrorKind, number, boolean])[] = [
    ['connect', 0, true],
    ['lost', 0, true],
    ['keep alive', 0, true],
    ['disconnected', 0x8e, true],
    ['refused', 3, true],
    ['refused', 5, false],
    ['refused', 0x88, true],
    ['refused', 0x87, false],
    ['protocol', 0x81, true],
    ['protocol', 0x82, false],
    ['invalid', 0, false],
    ['not supported', 0x9b, false],
  ]
  for (const [kind, code, expected] of rows)
    test(`${kind} ${code}: ${expected}`, () => assert.equal(canHeal(new ClientError(kind, '', code)), expected))
})
