// Packets that are found alike without being decoded: exactly those that decoding would find so.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PacketRun } from '../../src/protocol/packet-run.js'
import { type Bytes, hex, packet, props, raw, text, u8, utf8, varint } from '../golden/bytes.js'

const plain = (topic: string, payload: string, version: 4 | 5 = 4) =>
  packet(0x30, text(topic), version === 5 ? props() : [], utf8(payload))

/** What is found behind `first`, all of whose fields but the payload count. */
function find(first: Buffer, payload: number, rest: Uint8Array, most = 1e9, mostPayload = 1e9, cut = 0, packets = 1e9) {
  // Something in front and behind, as in a buffer that has been used before.
  const bytes = Buffer.concat([Buffer.alloc(3, 0x30), first, rest, Buffer.from(first)])
  const at = 3 + first.length
  let fields = 4
  while ((bytes[fields++] as number) >= 0x80) {}
  const run = new PacketRun()
  run.find(bytes, fields, at - payload, at, at + rest.length - cut, most, mostPayload, packets)
  return { count: run.count, bytes: run.end - at, payloadBytes: run.payloadBytes }
}

const first = plain('a/b', 'xy')
const alike = plain('a/b', 'zz')

const cases: readonly {
  name: string
  rest: readonly Uint8Array[]
  count: number
  payload?: number
  args?: number[]
}[] = [
  { name: 'nothing', rest: [], count: 0 },
  { name: 'one', rest: [alike], count: 1, payload: 2 },
  { name: 'another size', rest: [plain('a/b', 'x'.repeat(200)), alike], count: 2, payload: 202 },
  { name: 'no payload', rest: [plain('a/b', '')], count: 1, payload: 0 },
  { name: 'a length of three bytes', rest: [plain('a/b', 'x'.repeat(20_000)), alike], count: 2, payload: 20_002 },
  { name: 'a length of four bytes', rest: [plain('a/b', 'x'.repeat(2_100_000)), alike], count: 2, payload: 2_100_002 },
  { name: 'another topic of that length', rest: [alike, plain('a/c', 'zz'), alike], count: 1, payload: 2 },
  { name: 'a shorter topic', rest: [plain('a', 'b')], count: 0 },
  { name: 'a longer topic', rest: [plain('a/bc', 'b')], count: 0 },
  { name: 'RETAIN', rest: [alike, packet(0x31, text('a/b'), utf8('x'))], count: 1, payload: 2 },
  { name: 'QoS 1', rest: [packet(0x32, text('a/b'), hex('0001'), utf8('x'))], count: 0 },
  { name: 'DUP', rest: [packet(0x38, text('a/b'), utf8('x'))], count: 0 },
  { name: 'another type', rest: [raw(hex('c000')), alike], count: 0 },
  { name: 'too short for the topic', rest: [packet(0x30, [0, 3], utf8('a/'))], count: 0 },
  { name: 'no body', rest: [raw(hex('3000')), alike], count: 0 },
  {
    name: 'a length that is not in its shortest form',
    rest: [raw([0x30, 0x87, 0], text('a/b'), utf8('zz'))],
    count: 0,
  },
  { name: 'a length of five bytes', rest: [raw(hex('30 80 80 80 80 01'), text('a/b'))], count: 0 },
  { name: 'the last byte is missing', rest: [alike, alike], count: 1, payload: 2, args: [1e9, 1e9, 1] },
  { name: 'all but the first byte is missing', rest: [alike, raw(hex('30'))], count: 1, payload: 2 },
  { name: 'the length is cut short', rest: [alike, raw(hex('30 ff ff'))], count: 1, payload: 2 },
  { name: 'larger than a packet may be', rest: [alike, plain('a/b', 'xyz')], count: 1, payload: 2, args: [9] },
  { name: 'as large as a packet may be', rest: [alike, plain('a/b', 'xyz')], count: 2, payload: 5, args: [10] },
  { name: 'more than are wanted', rest: [alike, alike, alike], count: 2, payload: 4, args: [1e9, 1e9, 0, 2] },
  { name: 'larger than a payload may be', rest: [alike, plain('a/b', 'xyz')], count: 1, payload: 2, args: [1e9, 2] },
]

for (const { name, rest, count, payload = 0, args = [] } of cases)
  test(name, () => {
    const bytes = rest.slice(0, count).reduce((sum, { length }) => sum + length, 0)
    assert.deepEqual(find(first, 2, Buffer.concat(rest), ...args), { count, bytes, payloadBytes: payload })
  })

test('5.0: properties end it', () => {
  const user = packet(0x30, text('a/b'), props(u8(1), u8(1)), utf8('zz'))
  const rest = Buffer.concat([plain('a/b', 'q', 5), plain('a/b', '', 5), user])
  assert.deepEqual(find(plain('a/b', 'xy', 5), 2, rest), { count: 2, bytes: 17, payloadBytes: 1 })
})

test('as many as a comparison field by field finds', () => {
  const piece = fc.record({
    header: fc.constantFrom(0x30, 0x30, 0x30, 0x30, 0x31, 0x32),
    topic: fc.constantFrom('t', 't', 't', 'u', 'tt', ''),
    payload: fc.string({ unit: fc.constantFrom('t', '0', '\u0000', '\u0001'), maxLength: 140 }),
    isLong: fc.nat(20).map((at) => at === 0),
  })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(200), (pieces, cut) => {
      const packets = pieces.map(({ header, topic, payload, isLong }) => {
        const body: Bytes = [...text(topic), ...utf8(payload)]
        const length = varint(body.length)
        const last = length.at(-1) as number
        return raw([header], length.slice(0, -1), isLong ? [last | 0x80, 0] : [last], body)
      })
      const rest = Buffer.concat(packets)
      const limit = Math.max(0, rest.length - cut)
      const alike = pieces.map(({ header, topic, isLong }, at) => {
        const end = Buffer.concat(packets.slice(0, at + 1)).length
        return end <= limit && header === 0x30 && topic === 't' && !isLong
      })
      const count = alike.includes(false) ? alike.indexOf(false) : alike.length
      const payloadBytes = pieces.slice(0, count).reduce((sum, { payload }) => sum + payload.length, 0)
      const found = find(plain('t', '0t'), 2, rest, 1e9, 1e9, rest.length - limit)
      const bytes = packets.slice(0, count).reduce((sum, { length }) => sum + length, 0)
      assert.deepEqual(found, { count, bytes, payloadBytes })
    }),
    { numRuns: 2000 },
  )
})
