// Packets with packet identifiers that are found alike without being decoded: exactly those that decoding would find so, and
// their copies with other identifiers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePacket } from '../../src/protocol/codec.js'
import { MOST_NUMBERED, MOST_RUN_BYTES, NumberedRun } from '../../src/protocol/numbered-run.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import { TopicTable } from '../../src/protocol/topic-table.js'
import { type Bytes, hex, packet, props, raw, text, u8, u16, utf8, varint } from '../golden/bytes.js'

const numbered = (id: number, payload: string, topic = 'a/b', header = 0x32, version: ProtocolVersion = 4) =>
  packet(header, text(topic), u16(id), version === 5 ? props() : [], utf8(payload))

interface Limits {
  readonly version?: ProtocolVersion
  readonly most?: number
  readonly mostPayload?: number
  /** Bytes that are missing at the end. */
  readonly cut?: number
}

/** What is found behind a packet with the topic `a/b`. */
function find(rest: Uint8Array, { version = 4, most = 1e9, mostPayload = 1e9, cut = 0 }: Limits = {}, header = 0x32) {
  const first = numbered(7, 'xy', 'a/b', header, version)
  // Something in front and behind, as in a buffer that has been used before.
  const bytes = Buffer.concat([Buffer.alloc(3, header), first, rest, first, first])
  const at = 3 + first.length
  const run = new NumberedRun()
  run.find(bytes, 5, 10, version, at, at + rest.length - cut, most, mostPayload)
  return run
}

const alike = numbered(1, 'zz')
const cases: readonly {
  name: string
  rest: readonly Uint8Array[]
  count: number
  payload?: number
  limits?: Limits
}[] = [
  { name: 'nothing but the first byte', rest: [raw(hex('32'))], count: 0 },
  { name: 'one', rest: [alike], count: 1, payload: 2 },
  { name: 'other sizes', rest: [numbered(2, 'x'.repeat(200)), numbered(3, ''), alike], count: 3, payload: 202 },
  { name: 'the same identifier again', rest: [alike, alike], count: 2, payload: 4 },
  { name: 'identifier 0', rest: [alike, numbered(0, 'zz')], count: 1, payload: 2 },
  { name: 'another topic of that length', rest: [alike, numbered(2, 'zz', 'a/c'), alike], count: 1, payload: 2 },
  { name: 'a shorter topic', rest: [numbered(2, 'b', 'a')], count: 0 },
  { name: 'a longer topic', rest: [numbered(2, 'b', 'a/bc')], count: 0 },
  { name: 'RETAIN', rest: [alike, numbered(2, 'b', 'a/b', 0x33)], count: 1, payload: 2 },
  { name: 'DUP', rest: [alike, numbered(2, 'b', 'a/b', 0x3a)], count: 1, payload: 2 },
  { name: 'another QoS', rest: [alike, numbered(2, 'b', 'a/b', 0x34)], count: 1, payload: 2 },
  { name: 'too short for the identifier', rest: [packet(0x32, text('a/b'), u8(1))], count: 0 },
  { name: 'too short for the topic', rest: [packet(0x32, [0, 3], utf8('a/'))], count: 0 },
  {
    name: 'a length that is not in its shortest form',
    rest: [raw([0x32, 0x89, 0], text('a/b'), u16(1), utf8('zz'))],
    count: 0,
  },
  { name: 'the last byte is missing', rest: [alike, alike], count: 1, payload: 2, limits: { cut: 1 } },
  { name: 'the length is cut short', rest: [alike, raw(hex('32 ff ff'))], count: 1, payload: 2 },
  {
    name: 'larger than a packet may be',
    rest: [alike, numbered(2, 'xyz')],
    count: 1,
    payload: 2,
    limits: { most: 11 },
  },
  {
    name: 'as large as a packet may be',
    rest: [alike, numbered(2, 'xyz')],
    count: 2,
    payload: 5,
    limits: { most: 12 },
  },
  { name: 'a payload too large', rest: [alike, numbered(2, 'xyz')], count: 1, payload: 2, limits: { mostPayload: 2 } },
  {
    name: 'as many as a run may have',
    rest: Array.from({ length: MOST_NUMBERED + 1 }, (_, at) => numbered(at + 1, 'z')),
    count: MOST_NUMBERED,
    payload: MOST_NUMBERED,
  },
  {
    name: 'as many bytes as a run may have',
    rest: [numbered(1, 'x'.repeat(MOST_RUN_BYTES / 2 - 10)), numbered(2, 'x'.repeat(MOST_RUN_BYTES / 2 - 10)), alike],
    count: 2,
    payload: MOST_RUN_BYTES - 20,
  },
  { name: 'more bytes than that', rest: [numbered(1, 'x'.repeat(MOST_RUN_BYTES - 9)), alike], count: 0 },
]

for (const { name, rest, count, payload = 0, limits = {} } of cases)
  test(name, () => {
    const size = rest.slice(0, count).reduce((sum, { length }) => sum + length, 0)
    const run = find(Buffer.concat(rest), limits)
    assert.deepEqual([run.count, run.size, run.payloadBytes], [count, size, payload])
    assert.equal(run.largest, Math.max(0, ...rest.slice(0, count).map(({ length }) => length)))
  })

test('5.0: properties end it', () => {
  const rest = [numbered(1, 'q', 'a/b', 0x34, 5), packet(0x34, text('a/b'), u16(2), props(u8(1), u8(1)), utf8('zz'))]
  const run = find(Buffer.concat(rest), { version: 5 }, 0x34)
  assert.deepEqual([run.count, run.payloadBytes, run.qos, run.version], [1, 1, 2, 5])
})

test('cut off behind some of them', () => {
  const run = find(Buffer.concat([numbered(1, 'a'), numbered(2, 'bcd'), numbered(3, '')]))
  for (const [count, size, payloadBytes] of [
    [4, 31, 4],
    [3, 31, 4],
    [2, 22, 4],
    [1, 10, 1],
    [0, 0, 0],
  ] as const) {
    run.shorten(count)
    assert.deepEqual([run.count, run.size, run.payloadBytes], [Math.min(count, 3), size, payloadBytes])
  }
})

test('as many as decoding finds alike; their copies differ in the identifiers', () => {
  const piece = fc.record({
    header: fc.constantFrom(0x32, 0x32, 0x32, 0x32, 0x32, 0x32, 0x33, 0x34, 0x30),
    topic: fc.constantFrom('a/b', 'a/b', 'a/b', 'a/c', 'a'),
    id: fc.constantFrom(1, 2, 255, 256, 65_535, 0),
    payload: fc.string({ unit: fc.constantFrom('a', '/', '\u0000', '\u0003'), maxLength: 140 }),
    isLong: fc.nat(20).map((at) => at === 0),
  })
  const topics = new TopicTable()
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.nat(200),
      fc.constantFrom(4 as const, 5 as const),
      (pieces, cut, version) => {
        const [first] = pieces
        if (first?.header !== 0x32) return
        const packets = pieces.map(({ header, topic, id, payload, isLong }) => {
          const body: Bytes = [...text(topic), ...u16(id), ...(version === 5 ? props() : []), ...utf8(payload)]
          const length = varint(body.length)
          const last = length.at(-1) as number
          return raw([header], length.slice(0, -1), isLong ? [last | 0x80, 0] : [last], body)
        })
        const rest = Buffer.concat(packets)
        const limit = Math.max(0, rest.length - cut)
        const are = pieces.map(({ header, topic, id, isLong }, at) => {
          const end = Buffer.concat(packets.slice(0, at + 1)).length
          return end <= limit && header === 0x32 && topic === 'a/b' && id > 0 && !isLong
        })
        const count = are.includes(false) ? are.indexOf(false) : are.length
        if (limit === 0) return
        const run = find(rest, { version, cut: rest.length - limit }, 0x32)
        assert.equal(run.count, count)
        const target = Buffer.alloc(run.size + 20, 0xee)
        const ids = Uint16Array.from(pieces, (_, at) => 60_000 + at)
        if (count === 0) return
        const memory = Buffer.alloc(4000)
        run.moveTo(memory, new DataView(memory.buffer, memory.byteOffset, memory.length), 100)
        const words = new DataView(target.buffer, target.byteOffset, target.length)
        for (let first = 1; first <= count; first++) {
          target.fill(0xee)
          run.copyWithIds(target, words, 10, ids, first)
          assert.equal(run.sizeOf(first), Buffer.concat(packets.slice(0, first)).length)
          assert.equal(
            run.payloadBytesOf(first),
            pieces
              .slice(0, first)
              .map(({ payload }) => payload)
              .join('').length,
          )
          assert.ok(target.subarray(0, 10).every((byte) => byte === 0xee))
          assert.ok(target.subarray(10 + run.sizeOf(first)).every((byte) => byte === 0xee))
        }
        let at = 10
        for (const [index, { payload }] of pieces.slice(0, count).entries()) {
          const next = at + (packets[index]?.length ?? 0)
          const body = at + 1 + varint((packets[index]?.length ?? 0) - (next - at > 129 ? 3 : 2)).length
          const decoded = decodePacket(target[at] as number, target, body, next, version, 'client', topics)
          assert.ok(decoded.type === PacketType.PUBLISH)
          assert.deepEqual(
            [decoded.packetId, decoded.topic, decoded.payload.toString(), decoded.qos],
            [60_000 + index, 'a/b', payload, 1],
          )
          const kept = memory.subarray(100 + (run.payloadStarts[index] as number), 100 + (run.ends[index] as number))
          assert.equal(kept.toString(), payload)
          at = next
        }
      },
    ),
    { numRuns: 2000 },
  )
})
