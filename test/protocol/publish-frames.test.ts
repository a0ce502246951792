// The frames of one message: byte for byte what an independent encoder and encodePublish make of it, for every kind of receiver.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePacket } from '../../src/protocol/codec.js'
import { encodePublish, type Publish, publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import {
  type Frame,
  LARGE_PAYLOAD,
  type PublishContent,
  PublishFrames,
  type ReceiverFields,
} from '../../src/protocol/publish-frames.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { TopicTable } from '../../src/protocol/topic-table.js'
import { type Bytes, hex, packet, props, text, u8, u16, u32, utf8, varint } from '../golden/bytes.js'
import { versions } from '../golden/golden-packet.js'

const PACKET_ID = 0x1234

/** The whole packet as a connection sends it: the frame with first byte and identifier patched, and a payload that is apart. */
function sent(frame: Frame, header: number): Buffer {
  const bytes = Buffer.from(frame.bytes.subarray(frame.start, frame.end))
  bytes[0] = header
  if (frame.idAt >= 0) bytes.writeUInt16BE(PACKET_ID, frame.idAt - frame.start)
  const whole = frame.payload === undefined ? bytes : Buffer.concat([bytes, frame.payload])
  assert.equal(frame.size, whole.length)
  return whole
}

/** A message that is only known by its parts, its payload in the middle of other bytes. */
function made(topic: string, payload: Bytes, properties: Properties = NO_PROPERTIES): PublishContent {
  const bytes = Buffer.from([0xaa, ...payload, 0xbb])
  return {
    topic,
    properties,
    bytes,
    payloadStart: 1,
    payloadEnd: bytes.length - 1,
    frameStart: -1,
    frameVersion: 4,
    frameHasId: false,
    block: undefined,
  }
}

/** A message as it arrived, behind another packet in the same chunk. */
function arrived(bytes: Buffer, version: 3 | 4 | 5): PublishContent {
  const chunk = Buffer.concat([Buffer.from(hex('c0 00')), bytes])
  const body = chunk.findIndex((byte, at) => at > 2 && byte < 0x80) + 1
  const header = bytes[0] as number
  const decoded = decodePacket(header, chunk, body, chunk.length, version, 'client', new TopicTable()) as Publish
  return {
    topic: decoded.topic,
    properties: decoded.properties,
    bytes: chunk,
    payloadStart: decoded.payloadStart,
    payloadEnd: decoded.payloadEnd,
    frameStart: 2,
    frameVersion: version,
    frameHasId: decoded.qos > 0,
    block: undefined,
  }
}

const rich: Properties = {
  payloadFormatIndicator: 1,
  messageExpiryInterval: 60,
  contentType: 'text/plain',
  responseTopic: 'r/1',
  correlationData: Buffer.from([1, 0, 255]),
  userProperties: [
    ['b', '1'],
    ['a', 'é'],
    ['b', '2'],
  ],
}
const richBytes: Bytes = [
  ...hex('01 01'),
  ...hex('02 00 00 00 3c'),
  ...u8(3),
  ...text('text/plain'),
  ...u8(8),
  ...text('r/1'),
  ...hex('09 00 03 01 00 ff'),
  ...[...u8(0x26), ...text('b'), ...text('1')],
  ...[...u8(0x26), ...text('a'), ...text('é')],
  ...[...u8(0x26), ...text('b'), ...text('2')],
]
const forwarding =
  '[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] F138 F139'

const messages: readonly (readonly [
  name: string,
  topic: string,
  payload: Bytes,
  properties: Properties,
  list: Bytes,
])[] = [
  ['short', 'a/b', utf8('21.5'), NO_PROPERTIES, []],
  ['an empty payload', 't', [], NO_PROPERTIES, []],
  [`${forwarding} all properties`, 'a/b', utf8('21.5'), rich, richBytes],
  ['a topic of two-byte characters', 'é/ü', utf8('x'), rich, richBytes],
  ['a topic that is ASCII up to its end', 'sensors/🌡', utf8('x'), NO_PROPERTIES, []],
  ['a topic of 64 bytes', 'x'.repeat(64), utf8('x'), NO_PROPERTIES, []],
  ['a topic of 65 bytes', 'x'.repeat(65), utf8('x'), NO_PROPERTIES, []],
  ['a long topic of three-byte characters', '€'.repeat(100), utf8('x'), NO_PROPERTIES, []],
  ['the longest topic of three-byte characters', '€'.repeat(21_845), utf8('x'), NO_PROPERTIES, []],
  ['remaining length 127', 't', Array(123).fill(1), NO_PROPERTIES, []],
  ['remaining length 128', 't', Array(124).fill(1), NO_PROPERTIES, []],
  ['a payload of 12,288 bytes', 't', Array(12_288).fill(2), rich, richBytes],
  ['a payload of 12,289 bytes', 't', Array(12_289).fill(2), rich, richBytes],
  ['a payload of 16,380 bytes', 't', Array(16_380).fill(2), rich, richBytes],
  ['a payload of 20,000 bytes', 'a/b', Array(20_000).fill(3), rich, richBytes],
]

function expected(
  version: 3 | 4 | 5,
  withId: boolean,
  topic: string,
  payload: Bytes,
  list: Bytes,
  header: number,
): Buffer {
  return packet(header, text(topic), withId ? u16(PACKET_ID) : [], version === 5 ? props(list) : [], payload)
}

for (const [name, topic, payload, properties, list] of messages)
  test(`made: ${name}`, () => {
    const frames = new PublishFrames()
    const content = made(topic, payload, properties)
    const before = Buffer.from(content.bytes)
    frames.use(content)
    // Twice: the second time from the frames of the first.
    for (const version of [...versions, ...versions])
      for (const withId of [false, true]) {
        const header = withId ? 0x3d : 0x30
        const whole = sent(frames.frame(version, withId), header)
        assert.ok(whole.equals(expected(version, withId, topic, payload, list, header)), `${version} ${withId}`)
        const fields = { topic, payload: Buffer.from(payload), properties }
        const own = publish(withId ? { ...fields, qos: 2, retain: true, dup: true, packetId: PACKET_ID } : fields)
        assert.ok(whole.equals(encodePublish(own, version)))
      }
    assert.ok(content.bytes.equals(before))
  })

for (const [name, topic, payload, properties, list] of messages.filter(([, topic]) => topic.length < 1000))
  for (const version of versions)
    for (const withId of [false, true])
      test(`arrived in ${version} ${withId ? 'with' : 'without'} id: ${name}`, () => {
        const frames = new PublishFrames()
        const own = publish({
          topic,
          payload: Buffer.from(payload),
          properties,
          ...(withId ? { qos: 1, packetId: 77 } : {}),
        })
        const content = arrived(encodePublish(own, version), version)
        const before = Buffer.from(content.bytes)
        frames.use(content)
        for (const to of versions)
          for (const toId of [false, true]) {
            const frame = frames.frame(to, toId)
            // 3.x knows no properties, so what arrived in it has none.
            const whole = sent(frame, 0x32)
            const kept = version === 5 ? list : []
            assert.ok(whole.equals(expected(to, toId, topic, payload, kept, 0x32)), `to ${to} ${toId}`)
            const same = toId === withId && (to === 5) === (version === 5)
            assert.equal(frame.bytes === content.bytes, same, 'what arrived is passed on as it is')
          }
        assert.ok(content.bytes.equals(before), 'nothing is written into what arrived')
      })

test('large payloads stay apart and are not copied', () => {
  const frames = new PublishFrames()
  for (const version of versions)
    for (const withId of [false, true]) {
      const large = made('t', Array(LARGE_PAYLOAD + 1).fill(1))
      frames.use(large)
      const frame = frames.frame(version, withId)
      assert.ok(frame.end - frame.start < 20)
      assert.equal(frame.payload?.buffer, large.bytes.buffer)
      assert.equal(frame.payload?.byteOffset, large.bytes.byteOffset + 1)
      frames.use(made('t', Array(LARGE_PAYLOAD).fill(1)))
      assert.equal(frames.frame(version, withId).payload, undefined)
    }
})

test('a frame names the owner of large bytes, and none when it copied them', () => {
  const block = new BlockPool().take(1)
  const frames = new PublishFrames()
  const large = { ...made('t', Array(20_000).fill(1)), block }
  frames.use(large)
  assert.equal(frames.frame(4, false).block, block)
  assert.equal(frames.frameFor(5, { ...plain, topic: 't' }, true).block, block)
  frames.use({ ...made('t', utf8('x')), block })
  assert.equal(frames.frame(4, false).block, undefined)
  const received = { ...arrived(packet(0x30, text('t'), Array(20_000).fill(1)), 4), block }
  frames.use(received)
  assert.equal(frames.frame(4, false).block, block)
  assert.equal(frames.frame(4, true).block, block)
})

test('a frame is encoded once and shared, however often the message is used', () => {
  const frames = new PublishFrames()
  const content = made('t', utf8('x'))
  frames.use(content)
  const first = frames.frame(4, false)
  first.bytes[first.end - 1] = 0x79
  frames.use(content)
  assert.equal(frames.frame(3, false).bytes[first.end - 1], 0x79)
})

test('nothing of a large message is left in the frames of the next', () => {
  const frames = new PublishFrames()
  const large = made('t', Array(20_000).fill(1))
  frames.use({ ...large, block: new BlockPool().take(1) })
  for (const version of versions) for (const withId of [false, true]) frames.frame(version, withId)
  for (const header of [0x30, 0x32]) {
    const content = arrived(packet(header, text('t'), header === 0x32 ? u16(1) : [], utf8('x')), 4)
    frames.use(content)
    for (const version of versions)
      for (const withId of [false, true]) {
        const frame = frames.frame(version, withId)
        assert.deepEqual(sent(frame, 0x30), expected(version, withId, 't', utf8('x'), [], 0x30))
        assert.equal(frame.block, undefined)
      }
  }
})

test('the next message has frames of its own', () => {
  const frames = new PublishFrames()
  frames.use(made('first', utf8('1')))
  for (const version of versions) for (const withId of [false, true]) frames.frame(version, withId)
  frames.use(made('second', utf8('2')))
  for (const version of versions)
    for (const withId of [false, true])
      assert.deepEqual(
        sent(frames.frame(version, withId), 0x31),
        expected(version, withId, 'second', utf8('2'), [], 0x31),
      )
})

test('frames of an earlier message do not come back when the count of messages begins anew', () => {
  const frames = new PublishFrames(2)
  for (let i = 0; i < 12; i++) {
    const content = made('t', u8(i))
    frames.use(content)
    // 5.0 is asked for with every third message only: its frame keeps the number of the last one.
    const version = i % 3 === 0 ? 5 : 4
    const { bytes, end } = frames.frame(version, false)
    assert.equal(bytes[end - 1], i)
    frames.release()
  }
})

test('a message used again after its release is encoded again', () => {
  const frames = new PublishFrames()
  const content = made('t', utf8('x'))
  frames.use(content)
  frames.frame(4, false)
  frames.release()
  content.bytes[1] = 0x79
  frames.use(content)
  assert.deepEqual(sent(frames.frame(4, false), 0x30), expected(4, false, 't', utf8('y'), [], 0x30))
})

const plain: ReceiverFields = {
  topic: 'a/b',
  subscriptionIdentifier: 0,
  topicAlias: 0,
  messageExpiryInterval: undefined,
}
const expiry60 = hex('02 00 00 00 3c')

// biome-ignore format: one row a line
const receivers: readonly { name: string; receiver: Partial<ReceiverFields>; properties: Properties; topic: string; list: Bytes }[] = [
  { name: 'nothing of its own', receiver: {}, properties: NO_PROPERTIES, topic: 'a/b', list: [] },
  { name: 'nothing of its own, all properties', receiver: {}, properties: rich, topic: 'a/b', list: richBytes },
  { name: 'a subscription identifier', receiver: { subscriptionIdentifier: 300 }, properties: NO_PROPERTIES, topic: 'a/b', list: [0x0b, ...varint(300)] },
  { name: 'the largest subscription identifier', receiver: { subscriptionIdentifier: 268_435_455 }, properties: { contentType: 'x' }, topic: 'a/b', list: [...hex('03 00 01 78'), ...hex('0b ff ff ff 7f')] },
  { name: 'a new topic alias', receiver: { topicAlias: 5 }, properties: NO_PROPERTIES, topic: 'a/b', list: hex('23 00 05') },
  { name: 'a known topic alias', receiver: { topicAlias: 65_535 }, properties: NO_PROPERTIES, topic: '', list: hex('23 ff ff') },
  { name: 'the seconds that are left', receiver: { messageExpiryInterval: 7 }, properties: { messageExpiryInterval: 60 }, topic: 'a/b', list: [0x02, ...u32(7)] },
  { name: 'no seconds left', receiver: { messageExpiryInterval: 0 }, properties: { messageExpiryInterval: 60 }, topic: 'a/b', list: [0x02, ...u32(0)] },
  { name: 'expiry as it is', receiver: { subscriptionIdentifier: 1 }, properties: { messageExpiryInterval: 60 }, topic: 'a/b', list: [...expiry60, ...hex('0b 01')] },
  { name: 'everything', receiver: { subscriptionIdentifier: 2, topicAlias: 3, messageExpiryInterval: 1 }, properties: { messageExpiryInterval: 60, contentType: 'x' }, topic: '', list: [...hex('02 00 00 00 01'), ...hex('03 00 01 78'), ...hex('0b 02'), ...hex('23 00 03')] },
]

for (const { name, receiver, properties, topic, list } of receivers)
  test(`for one receiver: ${name}`, () => {
    const frames = new PublishFrames()
    for (const payload of [utf8('21.5'), Array(50_000).fill(1)]) {
      const content = made('a/b', payload, properties)
      frames.use(content)
      const shared = sent(frames.frame(5, true), 0x32)
      for (const withId of [false, true]) {
        const header = withId ? 0x32 : 0x30
        const own = sent(frames.frameFor(5, { ...plain, ...receiver, topic }, withId), header)
        assert.ok(own.equals(expected(5, withId, topic, payload, list, header)), `${withId}`)
      }
      assert.ok(sent(frames.frame(5, true), 0x32).equals(shared), 'the shared frame is untouched')
    }
  })

test('F139 a frame for one receiver of 3.x has the topic it is to see and no properties', () => {
  const frames = new PublishFrames()
  frames.use(made('mount/a/b', utf8('x'), rich))
  for (const version of [3, 4] as const) {
    const own = frames.frameFor(version, { ...plain, subscriptionIdentifier: 1, messageExpiryInterval: 5 }, true)
    assert.deepEqual(sent(own, 0x32), expected(version, true, 'a/b', utf8('x'), [], 0x32))
  }
})

test('a frame for one receiver of what arrived leaves the message as it was', () => {
  const frames = new PublishFrames()
  const content = arrived(packet(0x30, text('a/b'), props(expiry60), utf8('x')), 5)
  frames.use(content)
  const own = frames.frameFor(5, { ...plain, messageExpiryInterval: 5, topicAlias: 9 }, false)
  const list = [...hex('02 00 00 00 05'), ...hex('23 00 09')]
  assert.deepEqual(sent(own, 0x30), expected(5, false, 'a/b', utf8('x'), list, 0x30))
  assert.deepEqual(content.properties, { messageExpiryInterval: 60 })
  assert.equal(frames.frame(5, false).bytes, content.bytes)
})

test("the first byte of what arrived is the receiver's to set, in its own copy", () => {
  const frames = new PublishFrames()
  const content = arrived(packet(0x3b, text('t'), u16(7), utf8('x')), 4)
  frames.use(content)
  assert.deepEqual(sent(frames.frame(4, true), 0x32), expected(4, true, 't', utf8('x'), [], 0x32))
  assert.equal(content.bytes[2], 0x3b)
})
