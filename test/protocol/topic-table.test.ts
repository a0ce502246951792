// Interned topic names: the same name is the same string whatever else shares its slot; nothing bad gets in.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TopicTable } from '../../src/protocol/topic-table.js'
import { badTexts } from '../golden/malformed-packet.js'
import { protocolErrorOf } from './decoding.js'

function named(table: TopicTable, topic: string): string {
  const bytes = Buffer.from(`xx${topic}yy`)
  return table.topicName(bytes, 2, bytes.length - 2)
}

const names = ['a', 'b', 'ab', 'ba', 'a/b', 'sensors/1/t', 'sensors/2/t', 'é', '\uFEFFa', 'Aa', 'BB', 'x'.repeat(256)]

for (const size of [1, 2, 8192])
  test(`names in a table of ${size} slots`, () => {
    const table = new TopicTable(size)
    for (let round = 0; round < 3; round++)
      for (const name of names) {
        assert.equal(named(table, name), name)
        assert.equal(named(table, name), name)
      }
    for (let i = 0; i < 20_000; i++) assert.equal(named(table, `t/${i}`), `t/${i}`)
  })

test('names with the same hash do not pass for each other', () => {
  // With a factor of 31, AaAa, BBBB, AaBB and BBAa hash alike, as they do in Java.
  const table = new TopicTable()
  for (const name of ['AaAa', 'BBBB', 'AaBB', 'BBAa', 'AaAa']) assert.equal(named(table, name), name)
})

test('a name is kept, not the bytes it came in', () => {
  const table = new TopicTable(1)
  const bytes = Buffer.from('a/b')
  assert.equal(table.topicName(bytes, 0, 3), 'a/b')
  bytes.write('x/y')
  assert.equal(table.topicName(bytes, 0, 3), 'x/y')
  assert.equal(named(table, 'a/b'), 'a/b')
})

for (const length of [255, 256, 257, 65_535])
  test(`[MQTT-4.7.3-3] a name of ${length} bytes`, () => {
    const table = new TopicTable()
    const name = 'n'.repeat(length)
    assert.equal(named(table, name), name)
    assert.equal(named(table, name), name)
  })

test('an empty name is empty: an alias may stand for it', () => {
  assert.equal(named(new TopicTable(), ''), '')
})

test('[MQTT-3.3.2-1] E85 bad text is refused each time', () => {
  const table = new TopicTable(1)
  for (const { name, bytes } of badTexts)
    for (let round = 0; round < 2; round++) {
      const field = Buffer.from(bytes)
      assert.equal(protocolErrorOf(() => table.topicName(field, 0, field.length))?.reasonCode, 0x81, name)
    }
})

for (const name of ['+', '#', 'a/+/b', 'a#', `${'x'.repeat(300)}/#`])
  test(`[MQTT-3.3.2-2] E83 a name with a wildcard is refused each time: ${name.slice(-8)}`, () => {
    const table = new TopicTable(1)
    for (let round = 0; round < 2; round++) assert.equal(protocolErrorOf(() => named(table, name))?.reasonCode, 0x81)
  })

test('E86 a name of 200 levels is accepted, one of 201 is refused', () => {
  const table = new TopicTable()
  assert.equal(named(table, '/'.repeat(199)), '/'.repeat(199))
  assert.equal(protocolErrorOf(() => named(table, '/'.repeat(200)))?.reasonCode, 0x90)
})
