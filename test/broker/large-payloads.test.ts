// Payloads from a few bytes to the packet limit: they arrive whole, at every QoS, in every version, at readers of different pace,
// however the network cuts them.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { publish } from '../../src/protocol/packets/publish.js'
import { startBroker } from '../support/broker-kit.js'
import { client, nextPublish, take } from '../support/deliveries.js'

const broker = await startBroker({ conf: 'sys_interval 0' })
after(() => broker.stop())

/** A small generator of numbers below `limit`, the same each time. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 0x1_0000_0000) * limit)
  }
}

/** Bytes that differ everywhere, so that a piece in the wrong place is noticed. */
function content(size: number, seed: number): Buffer {
  const payload = Buffer.allocUnsafe(size)
  let state = seed
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    payload[i] = state >>> 24
  }
  return payload
}

let number = 0

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

// Around the limits at which payloads are copied, referred to, collected in blocks; the last makes a packet of 2,000,000 bytes.
const SIZES = [12_287, 12_288, 12_289, 16_383, 16_384, 20_480, 65_536, 307_200, 1_999_900]

describe('to subscribers of every version and pace', () => {
  for (const qos of [0, 1, 2] as const)
    for (const size of SIZES)
      test(`QoS ${qos}, ${size} bytes`, async (t) => {
        const topic = `large/${++number}`
        const slow = await client(t, broker, { clientId: `${topic}-slow` })
        const subscribers = [
          slow,
          await client(t, broker, { clientId: `${topic}-3`, version: 3 }),
          await client(t, broker, { clientId: `${topic}-4`, version: 4 }),
          await client(t, broker, { clientId: `${topic}-5`, version: 5 }),
          await client(t, broker, { clientId: `${topic}-5a`, version: 5, properties: { topicAliasMaximum: 5 } }),
        ]
        for (const one of subscribers) await one.subscribe(topic)
        const numbered = await client(t, broker, { clientId: `${topic}-5i`, version: 5 })
        await numbered.subscribe(topic, { subscriptionIdentifiers: [9] })
        slow.pause()
        const version = number % 2 === 0 ? 4 : 5
        const publisher = await client(t, broker, { clientId: `${topic}-p`, version })
        const sent = [content(size, 1), content(size, 2), content(7, 3)]
        for (const payload of sent) publisher.publish({ topic, payload, qos })
        const check = async (one: typeof slow) => {
          const got = await take(one, sent.length)
          for (const [i, payload] of sent.entries()) assert.ok(got[i]?.payload.equals(payload), `message ${i}`)
        }
        for (const one of [...subscribers.slice(1), numbered]) await check(one)
        slow.resume()
        await check(slow)
      })
})

test('cut anywhere by the network and mixed with the packets of others', async (t) => {
  const random = randomNumbers(42)
  const subscriber = await client(t, broker, { clientId: 'cut-s', version: 5 })
  await subscriber.subscribe([{ filter: 'cut/#', qos: 1 }])
  const streams = await Promise.all(
    [4, 5, 4].map(async (version, i) => {
      const publisher = await client(t, broker, { clientId: `cut-${i}`, version: version as 4 | 5 })
      const packets = Array.from({ length: 12 }, (_, k) => {
        const size = [0, 1, 200, 5000, 17_000, 70_000][random(6)] ?? 0
        const payload = content(size, i * 100 + k)
        const topic = `cut/${i}`
        return { payload, bytes: encodePacket(publish({ topic, payload, qos: 1, packetId: k + 1 }), version as 4 | 5) }
      })
      return { publisher, topic: `cut/${i}`, packets, bytes: Buffer.concat(packets.map(({ bytes }) => bytes)), at: 0 }
    }),
  )
  const reading = take(subscriber, 36)
  while (streams.some(({ at, bytes }) => at < bytes.length)) {
    const stream = streams[random(3)]
    if (stream === undefined || stream.at >= stream.bytes.length) continue
    const size = [1, 2, 5, 100, 4096, 40_000][random(6)] ?? 1
    stream.publisher.send(stream.bytes.subarray(stream.at, stream.at + size))
    stream.at += size
    await turn()
  }
  const got = await reading
  for (const { topic, packets } of streams) {
    const mine = got.filter((message) => message.topic === topic)
    assert.equal(mine.length, packets.length)
    for (const [k, { payload }] of packets.entries()) assert.ok(mine[k]?.payload.equals(payload), `${topic} ${k}`)
  }
})

test('D3.3 what is kept - retained, queued, in flight, a will - is not overwritten by what comes later', async (t) => {
  for (const size of [10, 3000, 20_000, 65_000]) {
    const topic = `kept/${size}`
    const fields = { clientId: topic, cleanStart: false } as const
    const away = await client(t, broker, fields)
    await away.subscribe(`${topic}/#`)
    away.disconnect()
    await away.closed()
    const publisher = await client(t, broker, { clientId: `${topic}-p` })
    const payload = content(size, 5)
    publisher.publish({ topic: `${topic}/queued`, payload, qos: 1 })
    publisher.publish({ topic: `${topic}/retained`, payload, qos: 1, retain: true })
    const will = { topic: `${topic}/will`, payload, qos: 1 as const }
    const mortal = await client(t, broker, { clientId: `${topic}-m`, will })
    const inFlight = await client(t, broker, { clientId: `${topic}-f`, cleanStart: false })
    await inFlight.subscribe(`${topic}/open`)
    publisher.publish({ topic: `${topic}/open`, payload, qos: 1 })
    await nextPublish(inFlight)
    await inFlight.drop()
    // Everything that goes through the read buffer and the pools now would show.
    for (let i = 0; i < 20; i++) publisher.publish({ topic: 'noise', payload: Buffer.alloc(size, 'n') })
    await publisher.settled()
    await mortal.drop()
    const back = await client(t, broker, fields)
    for (const message of await take(back, 4)) assert.ok(message.payload.equals(payload), message.topic)
    const again = await client(t, broker, { clientId: `${topic}-f`, cleanStart: false })
    assert.ok((await nextPublish(again)).payload.equals(payload))
    const late = await client(t, broker, { clientId: `${topic}-l` })
    await late.subscribe(`${topic}/retained`)
    assert.ok((await nextPublish(late)).payload.equals(payload))
  }
})

test('one byte more than max_packet_size ends the connection', async (t) => {
  const publisher = await client(t, broker, { clientId: 'over', version: 5 })
  publisher.publish({ topic: 't', payload: Buffer.alloc(1_999_999) })
  const last = (await publisher.closed()).at(-1)
  assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === 0x95)
})
