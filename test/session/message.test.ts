// Messages: expiry, and the moment at which they stop being a view of the packet they came in.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { Publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { expiryOf, localMessage, Message, messageOf, remainingExpiry } from '../../src/session/message.js'

/** The PUBLISH `30 09 0003 a/b 'hello'` in the middle of a read buffer, as 3.1.1 sends it. */
function arrived(properties: Properties = NO_PROPERTIES): { message: Message; network: Buffer } {
  const network = Buffer.from('....\x30\x0a\x00\x03a/bhello....', 'latin1')
  const packet = new Publish(0, 'a/b', 0, properties, network, 11, 16)
  const message = messageOf(packet, 'a/b', 4, undefined, () => 1000, 6, undefined)
  return { message, network }
}

describe('expiry', () => {
  const cases = [
    { name: 'none', properties: {}, at: 1e12, left: undefined },
    { name: 'all of it', properties: { messageExpiryInterval: 10 }, at: 0, left: 10 },
    {
      name: '[MQTT-3.3.2-6] what is left, in whole seconds',
      properties: { messageExpiryInterval: 10 },
      at: 3400,
      left: 7,
    },
    { name: 'the last second', properties: { messageExpiryInterval: 10 }, at: 9999, left: 1 },
    { name: 'the longest', properties: { messageExpiryInterval: 0xffff_ffff }, at: 1000, left: 0xffff_fffe },
  ]
  for (const { name, properties, at, left } of cases)
    test(name, () => {
      const message = localMessage('t', Buffer.alloc(0), 0, false, properties, undefined, 0)
      assert.equal(remainingExpiry(message, at), left)
    })

  test('the moment is counted from now, in ms', () => {
    assert.equal(expiryOf({ messageExpiryInterval: 2 }, 5000), 7000)
    assert.equal(expiryOf({}, 5000), Number.POSITIVE_INFINITY)
  })
})

describe('a message that arrived', () => {
  test('is a view of its packet, which can be passed on as it is', () => {
    const { message } = arrived()
    assert.equal(message.payload.toString(), 'hello')
    assert.equal(message.size, 5)
    assert.equal(message.frameStart, 4)
    assert.equal(message.bytes[message.frameStart], PacketType.PUBLISH << 4)
  })

  for (const method of ['detach', 'keep'] as const)
    test(`D3.3 ${method}: its payload no longer depends on the read buffer`, () => {
      const { message, network } = arrived({ correlationData: Buffer.from('id') })
      message[method]()
      network.fill(0)
      assert.equal(message.payload.toString(), 'hello')
      assert.equal(message.frameStart, -1)
      const before = message.bytes
      message[method]()
      assert.equal(message.bytes, before, 'copied once')
    })

  test('detach: a small packet stays whole, beside others', () => {
    const both = [arrived(), arrived()]
    for (const { message, network } of both) {
      message.detach()
      network.fill(0)
    }
    for (const { message } of both) {
      const { bytes, frameStart, payloadEnd } = message
      assert.equal(bytes.toString('latin1', frameStart, payloadEnd), '\x30\x0a\x00\x03a/bhello')
      assert.equal(message.payload.toString(), 'hello')
    }
  })

  test('detach: payloads of all small sizes, one behind the other, leave each other alone', () => {
    const kept: { message: Message; expected: Buffer }[] = []
    for (let size = 0; size < 300; size++) {
      const network = Buffer.from(Array.from({ length: size + 3 }, (_, i) => (i * 7 + size) & 0xff))
      const expected = Buffer.from(network.subarray(3))
      const message = new Message('t', 1, false, {}, undefined, 0, network, 3, size + 3, -1, 4, undefined)
      message.detach()
      network.fill(0)
      kept.push({ message, expected })
    }
    for (const { message, expected } of kept) assert.ok(message.payload.equals(expected), `${expected.length} bytes`)
  })

  test('D3.3 keep: in memory of exactly its size, also when it was detached before', () => {
    const { message } = arrived()
    message.detach()
    message.keep()
    assert.equal(message.bytes.buffer.byteLength, 5)
    assert.equal(message.payload.toString(), 'hello')
    assert.equal(message.frameStart, -1)
  })

  test('D3.3 correlation data is copied with the payload', () => {
    const correlationData = Buffer.from('id')
    const { message } = arrived({ correlationData })
    message.detach()
    correlationData.fill(0)
    assert.equal(Buffer.from(message.properties.correlationData ?? []).toString(), 'id')
  })

  test('share: moves into a pooled block, packet and all', () => {
    const { message, network } = arrived()
    const block = message.share(new BlockPool())
    network.fill(0)
    assert.equal(message.payload.toString(), 'hello')
    assert.equal(message.frameStart, 0)
    assert.equal(message.block, block)
    block.release()
  })

  test('F122 alias and subscription identifiers are not part of it', () => {
    const { message } = arrived({ topicAlias: 3, subscriptionIdentifiers: [7], contentType: 'x' })
    assert.deepEqual(message.properties, { contentType: 'x' })
    assert.equal(arrived({ topicAlias: 3 }).message.properties, NO_PROPERTIES)
  })

  const notReusable = [
    { name: 'with properties', packet: { properties: { contentType: 'x' }, topic: 'a/b' } },
    { name: 'under another topic', packet: { properties: NO_PROPERTIES, topic: 'mount/a/b' } },
  ]
  for (const { name, packet } of notReusable)
    test(`${name} it is encoded anew`, () => {
      const { network } = arrived()
      const publish = new Publish(0, 'a/b', 0, packet.properties, network, 11, 16)
      assert.equal(messageOf(publish, packet.topic, 4, undefined, () => 0, 6, undefined).frameStart, -1)
    })
})
