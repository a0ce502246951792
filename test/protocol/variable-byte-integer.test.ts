// Variable byte integers (MQTT 5.0 section 1.5.5): the borders of its table 1-1, and what is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from '../../src/protocol/reader.js'
import { varintSize, Writer, writeVarint } from '../../src/protocol/writer.js'
import { hex } from '../golden/bytes.js'
import { protocolErrorOf } from './decoding.js'

const borders: readonly (readonly [number, string])[] = [
  [0, '00'],
  [1, '01'],
  [127, '7f'],
  [128, '80 01'],
  [16_383, 'ff 7f'],
  [16_384, '80 80 01'],
  [2_097_151, 'ff ff 7f'],
  [2_097_152, '80 80 80 01'],
  [268_435_455, 'ff ff ff 7f'],
]

for (const [value, digits] of borders)
  test(`[MQTT-1.5.5-1] F158 ${value} is ${digits}`, () => {
    const bytes = Buffer.from(hex(digits))
    assert.equal(new Reader(bytes).varint(), value)
    assert.equal(varintSize(value), bytes.length)
    const written = Buffer.alloc(6, 0xee)
    assert.equal(writeVarint(written, 1, value), 1 + bytes.length)
    assert.deepEqual(written.subarray(1, 1 + bytes.length), bytes)
    assert.equal(written[1 + bytes.length], 0xee)
  })

for (const digits of ['80 00', '81 00', '80 80 00', 'ff ff ff 00', '80 80 80 00'])
  test(`[MQTT-1.5.5-1] E27 ${digits} is not the shortest form`, () => {
    assert.equal(protocolErrorOf(() => new Reader(Buffer.from(hex(digits))).varint())?.reasonCode, 0x81)
  })

for (const digits of ['80 80 80 80 01', '80 80 80 80 00', 'ff ff ff ff', 'ff ff ff ff 7f'])
  test(`E5 E27 E152 ${digits} has too many bytes`, () => {
    assert.equal(protocolErrorOf(() => new Reader(Buffer.from(hex(digits))).varint())?.reasonCode, 0x81)
  })

for (const digits of ['', '80', 'ff ff', 'ff ff ff'])
  test(`E7 a variable byte integer cut short: ${JSON.stringify(digits)}`, () => {
    assert.equal(protocolErrorOf(() => new Reader(Buffer.from(hex(digits))).varint())?.reasonCode, 0x81)
  })

for (const value of [-1, 268_435_456])
  test(`${value} cannot be written`, () => {
    assert.throws(() => new Writer().varint(value), RangeError)
  })
