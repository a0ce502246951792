// A client that does not read: what waits for it is bounded, nobody else suffers, and what was promised to it arrives in the end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { client, nextPublish, payloads, take } from '../support/deliveries.js'

const MEGABYTE = 1_048_576

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Bytes that are still referred to outside of the heap, once what is merely on its way through the process has gone. */
async function heldBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    for (let k = 0; k < 5; k++) await turn()
    collectGarbage()
    least = Math.min(least, process.memoryUsage().arrayBuffers)
  }
  return least
}

const PAYLOAD = 10_000

function numbered(i: number, size = PAYLOAD): Buffer {
  const payload = Buffer.alloc(size, 'x')
  payload.write(`${i}.`)
  return payload
}

const numberOf = (payload: Buffer) => Number.parseInt(payload.toString('latin1', 0, 8), 10)

test('CVE-2021-33175: QoS 0 beyond max_outgoing_bytes is dropped and counted, memory stays bounded, order holds', async (t) => {
  const broker = await startBroker({ conf: 'sys_interval 10\nmax_outgoing_bytes 1000000' })
  t.after(() => broker.stop())
  const slow = await client(t, broker, { clientId: 'slow' })
  const fast = await client(t, broker, { clientId: 'fast' })
  for (const one of [slow, fast]) await one.subscribe([{ filter: 'flood' }])
  slow.pause()
  const publisher = await client(t, broker, { clientId: 'publisher' })
  const before = await heldBytes()
  const sent = 3000
  let seen = 0
  for (let i = 0; i < sent; ) {
    for (const end = i + 100; i < end; i++) publisher.publish({ topic: 'flood', payload: numbered(i) })
    await publisher.settled()
    seen += (await payloads(fast)).length
  }
  assert.equal(seen, sent, 'the other subscriber gets everything')
  const held = (await heldBytes()) - before
  assert.ok(held < 4 * MEGABYTE, `${held} bytes held of ${sent * PAYLOAD} published`)
  slow.resume()
  const late = (await slow.settled()).map((packet) =>
    packet.type === PacketType.PUBLISH ? numberOf(packet.payload) : -1,
  )
  assert.ok(late.length > 50 && late.length < sent, `${late.length} arrive late`)
  assert.deepEqual(
    late,
    [...late].sort((a, b) => a - b),
  )
  broker.advance(10)
  await fast.subscribe('$SYS/broker/publish/messages/dropped')
  assert.equal(Number((await nextPublish(fast)).payload), sent - late.length)
  assert.equal(broker.log.filter((line) => line.includes('being dropped for client slow')).length, 1)
})

test('[MQTT-4.5.0-1] QoS 1 waits in the queue, its publisher is not starved, and all of it arrives in order', async (t) => {
  const broker = await startBroker({ conf: 'sys_interval 0\nmax_outgoing_bytes 500000\nmax_queued_messages 0' })
  t.after(() => broker.stop())
  const slow = await client(t, broker, { clientId: 'slow', version: 5, properties: { receiveMaximum: 65_535 } })
  await slow.subscribe('flood')
  slow.pause()
  const publisher = await client(t, broker, { clientId: 'publisher' })
  const sent = 300
  const size = 50_000
  for (let i = 0; i < sent; i++) {
    publisher.publish({ topic: 'flood', payload: numbered(i, size), qos: 1 })
    await publisher.expect(PacketType.PUBACK)
  }
  slow.resume()
  const got = (await take(slow, sent)).map(({ payload, dup }) => {
    assert.equal(dup, false)
    assert.equal(payload.length, size)
    return numberOf(payload)
  })
  assert.deepEqual(
    got,
    Array.from({ length: sent }, (_, i) => i),
  )
  assert.deepEqual(await slow.settled(), [])
})

test('F94 max_queued_messages bounds what waits for a reader that never reads; the newest are dropped', async (t) => {
  const broker = await startBroker({ conf: 'sys_interval 0\nmax_queued_messages 50\nmax_inflight_messages 10' })
  t.after(() => broker.stop())
  const slow = await client(t, broker, { clientId: 'slow' })
  await slow.subscribe('flood')
  slow.pause()
  const publisher = await client(t, broker, { clientId: 'publisher' })
  const before = await heldBytes()
  for (let i = 0; i < 2000; i++) publisher.publish({ topic: 'flood', payload: numbered(i), qos: 1 })
  assert.equal((await publisher.settled()).length, 2000)
  const held = (await heldBytes()) - before
  assert.ok(held < 4 * MEGABYTE, `${held} bytes held`)
  slow.resume()
  const got = (await take(slow, 60)).map(({ payload }) => numberOf(payload))
  assert.deepEqual(
    got,
    Array.from({ length: 60 }, (_, i) => i),
  )
  assert.deepEqual(await slow.settled(), [])
})

test('retained messages for a reader that is behind wait or are dropped like others', async (t) => {
  const broker = await startBroker({ conf: 'sys_interval 0\nmax_outgoing_bytes 200000\nmax_queued_messages 0' })
  t.after(() => broker.stop())
  const publisher = await client(t, broker, { clientId: 'publisher' })
  for (let i = 0; i < 400; i++) publisher.publish({ topic: `kept/${i}`, payload: numbered(i), retain: true, qos: 1 })
  await publisher.settled()
  const slow = await client(t, broker, { clientId: 'slow', version: 5 })
  await slow.subscribe([{ filter: 'kept/+', qos: 1 }])
  const got = (await take(slow, 400)).map(({ payload }) => numberOf(payload))
  assert.deepEqual(
    got.sort((a, b) => a - b),
    Array.from({ length: 400 }, (_, i) => i),
  )
})

for (const qos of [0, 1] as const)
  test(`allow_duplicate_messages false: QoS ${qos} that a 3.1.1 client has got is not held for it`, async (t) => {
    const published: WeakRef<object>[] = []
    const watch = { name: 'watch', publish: (message: object) => void published.push(new WeakRef(message)) }
    const broker = await startBroker({
      conf: 'sys_interval 0\nallow_duplicate_messages false',
      debug: false,
      plugins: [watch],
    })
    t.after(() => broker.stop())
    const publisher = await client(t, broker, { clientId: 'publisher' })
    const reader = await client(t, broker, { clientId: 'reader', version: 4 })
    await reader.subscribe([{ filter: 't', qos: 1 }])
    for (let i = 0; i < 3; i++) publisher.publish({ topic: 't', payload: numbered(i, MEGABYTE / 2), qos })
    await publisher.settled()
    await take(reader, 3)
    await reader.settled()
    broker.advance(2)
    await heldBytes()
    assert.deepEqual(
      published.map((each) => each.deref() === undefined),
      [true, true, true],
    )
  })

const edges = [
  { name: '0 is no limit', limit: 0 },
  { name: '1 lets one packet through at a time', limit: 1 },
  { name: 'its maximum', limit: 2_147_483_647 },
]
for (const { name, limit } of edges)
  test(`max_outgoing_bytes ${name}: QoS 1 arrives whole and in order`, async (t) => {
    const broker = await startBroker({ conf: `sys_interval 0\nmax_outgoing_bytes ${limit}` })
    t.after(() => broker.stop())
    const one = await client(t, broker, { clientId: 'one' })
    await one.subscribe('t')
    const publisher = await client(t, broker, { clientId: 'publisher' })
    for (let i = 0; i < 100; i++) publisher.publish({ topic: 't', payload: numbered(i, 2000), qos: 1 })
    const got = (await take(one, 100)).map(({ payload }) => numberOf(payload))
    assert.deepEqual(
      got,
      Array.from({ length: 100 }, (_, i) => i),
    )
  })
