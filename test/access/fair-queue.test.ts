// Turns between those who wait, and who makes room when no more may wait.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FairQueue } from '../../src/access/fair-queue.js'

/** Each item is its origin and a number. */
function queueOf(...items: readonly string[]): FairQueue<string> {
  const queue = new FairQueue<string>()
  for (const item of items) queue.push(item.slice(0, 1), item)
  return queue
}

function drain(queue: FairQueue<string>): string[] {
  const items: string[] = []
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item)
  assert.equal(queue.length, 0)
  return items
}

describe('turns', () => {
  const cases = [
    { name: 'nobody', items: [], order: [] },
    { name: 'one origin: in order', items: ['a1', 'a2', 'a3'], order: ['a1', 'a2', 'a3'] },
    { name: 'one after many', items: ['a1', 'a2', 'a3', 'b1'], order: ['a1', 'b1', 'a2', 'a3'] },
    { name: 'three', items: ['a1', 'a2', 'b1', 'b2', 'c1'], order: ['a1', 'b1', 'c1', 'a2', 'b2'] },
  ]
  for (const { name, items, order } of cases)
    test(name, () => {
      const queue = queueOf(...items)
      assert.equal(queue.length, items.length)
      assert.deepEqual(drain(queue), order)
    })
  test('who comes back stands behind the others', () => {
    const queue = queueOf('a1', 'b1')
    assert.equal(queue.shift(), 'a1')
    queue.push('a', 'a2')
    assert.deepEqual(drain(queue), ['b1', 'a2'])
  })
})

describe('making room', () => {
  const cases = [
    { name: 'nobody waits', items: [], origin: 'a', displaced: undefined },
    { name: 'the origin itself has most', items: ['a1', 'a2', 'b1'], origin: 'a', displaced: undefined },
    { name: 'all have the same', items: ['a1', 'b1'], origin: 'c', displaced: undefined },
    { name: 'it would only change places', items: ['a1', 'a2', 'b1'], origin: 'b', displaced: undefined },
    { name: 'the newest of the longest', items: ['a1', 'a2', 'b1', 'b2', 'b3'], origin: 'c', displaced: 'b3' },
  ]
  for (const { name, items, origin, displaced } of cases)
    test(name, () => {
      const queue = queueOf(...items)
      assert.equal(queue.makeRoomFor(origin), displaced)
      assert.deepEqual(
        drain(queue).sort(),
        items.filter((item) => item !== displaced),
      )
    })
})
