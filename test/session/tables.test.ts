// The set of open packet identifiers against a plain Set, and the delivery queue against a plain array.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { delivery } from '../../src/session/delivery.js'
import { DeliveryQueue } from '../../src/session/delivery-queue.js'
import { localMessage } from '../../src/session/message.js'
import { PacketIdSet } from '../../src/session/packet-id-set.js'

test('PacketIdSet does what a Set does, also when identifiers share their low bits', () => {
  const id = fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.constantFrom(1, 17, 33, 16, 32, 65_535, 49_151))
  const steps = fc.array(fc.tuple(fc.boolean(), id), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (list) => {
      const set = new PacketIdSet()
      const model = new Set<number>()
      for (const [adds, packetId] of list) {
        assert.equal(set.has(packetId), model.has(packetId))
        if (!adds) assert.equal(set.delete(packetId), model.delete(packetId))
        else if (!model.has(packetId)) {
          set.add(packetId)
          model.add(packetId)
        }
        assert.equal(set.size, model.size)
      }
      assert.deepEqual(new Set(set.values()), model)
    }),
  )
})

test('PacketIdSet holds all 65535 identifiers', () => {
  const set = new PacketIdSet()
  for (let packetId = 1; packetId <= 65_535; packetId++) set.add(packetId)
  assert.equal(set.size, 65_535)
  for (let packetId = 65_535; packetId > 0; packetId--) assert.ok(set.delete(packetId))
  assert.equal(set.size, 0)
})

test('DeliveryQueue does what an array does', () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat({ max: 50 }) }),
    fc.record({ shift: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ keepOdd: fc.constant(true) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new DeliveryQueue()
      let model: number[] = []
      let next = 0
      for (const action of steps) {
        if ('push' in action)
          for (let i = 0; i < action.push; i++) {
            queue.push(delivery(localMessage(String(next), Buffer.alloc(next % 7), 1, false), 1, false))
            model.push(next++)
          }
        else if ('shift' in action)
          for (let i = 0; i < action.shift; i++) {
            assert.equal(queue.first?.message.topic, model[0] === undefined ? undefined : String(model[0]))
            queue.shift()
            model.shift()
          }
        else {
          queue.filter(({ message }) => Number(message.topic) % 2 === 1)
          model = model.filter((number) => number % 2 === 1)
        }
        assert.equal(queue.size, model.length)
        assert.equal(
          queue.bytes,
          model.reduce((sum, number) => sum + (number % 7), 0),
        )
      }
      assert.deepEqual(
        [...queue.values()].map(({ message }) => Number(message.topic)),
        model,
      )
    }),
  )
})
