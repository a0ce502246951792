// A publisher that fills the broker's read buffer: its messages go to receivers from where they were read, and each of them gets
// every byte as it was, however long it takes to read them.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { publish } from '../../src/protocol/packets/publish.js'
import { startBroker } from '../support/broker-kit.js'
import { client, publishesOf } from '../support/deliveries.js'

const broker = await startBroker({
  conf: 'sys_interval 0\nmax_inflight_messages 0\nmax_outgoing_bytes 0\n',
  debug: false,
})
after(() => broker.stop())

/** A payload of `size` bytes that says which it is in every word of it. */
function marked(number: number, size: number): Buffer {
  const payload = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) payload.writeUInt32LE(number, at)
  return payload
}

/** The same sizes in each run, small and large among each other. */
function sizeOf(number: number, most: number): number {
  return 4 * (1 + ((Math.imul(number + 1, 2_654_435_761) >>> 8) % (most / 4)))
}

for (const { name, most, count, qos } of [
  { name: 'few bytes each', most: 64, count: 20_000, qos: 0 },
  { name: 'a KiB or so each', most: 2048, count: 6000, qos: 0 },
  { name: 'more than is copied, each', most: 40_000, count: 600, qos: 0 },
  { name: 'some larger than a read', most: 600_000, count: 50, qos: 0 },
  { name: 'QoS 1 among them', most: 6000, count: 3000, qos: 1 },
] as const)
  for (const versions of [[5, 4, 5], [4]] as const)
    test(`${name}, to ${versions}: all of them arrive as they were`, { timeout: 60_000 }, async (t) => {
      const topic = `full/${most}/${versions.length}`
      const publisher = await client(t, broker, { clientId: `${topic}/p`, version: 5 })
      const readers = []
      for (const version of versions) {
        const reader = await client(t, broker, { clientId: `${topic}/${readers.length}`, version })
        await reader.subscribe([{ filter: `${topic}${readers.length === 1 ? '' : '/#'}`, qos }])
        readers.push(reader)
      }
      const packets = Array.from({ length: count }, (_, number) => {
        const payload = marked(number, sizeOf(number, most))
        const isAcknowledged = qos === 1 && number % 7 === 3
        const fields = isAcknowledged ? ({ qos: 1, packetId: 1 + number } as const) : {}
        return encodePacket(publish({ topic, ...fields, payload }), 5)
      })
      // What cannot be written yet refers to what was read.
      for (const reader of readers) reader.pause()
      publisher.send(Buffer.concat(packets))
      await publisher.settled()
      for (const reader of readers) reader.resume()
      for (const reader of readers) {
        let next = 0
        while (next < count)
          for (const { payload } of publishesOf(await reader.settled())) {
            assert.ok(payload.equals(marked(next, sizeOf(next, most))), `message ${next}`)
            next++
          }
        assert.equal(next, count)
      }
    })
