// memory_limit: when there is room for what, told by a gauge of the test; what a broker without room refuses; and a real process that
// is asked to keep far more than it may.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Log } from '../../src/broker/admin/log.js'
import { MemoryLimit, Room } from '../../src/broker/memory-limit.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { startTsmq } from '../support/tsmq-process.js'
import { describePacket } from './conversation.js'

describe('MemoryLimit', () => {
  /** A process with `used` bytes in use, of which `garbage` are none. */
  class Gauge {
    used_bytes = 0
    garbage = 0
    collections = 0
    used(): number {
      return this.used_bytes + this.garbage
    }
    collectGarbage(): void {
      this.collections++
      this.garbage = 0
    }
  }

  function limited(limit: number) {
    const gauge = new Gauge()
    const time = { now: 1_000_000 }
    const lines: string[] = []
    const settings = {
      log_type: ['warning', 'notice'],
      log_dest: [],
      log_timestamp: false,
      log_timestamp_format: undefined,
    } as const
    const log = new Log(settings, [(line) => void lines.push(line)], () => '')
    const memory = new MemoryLimit(log, () => time.now, gauge)
    memory.set(limit)
    return { gauge, time, lines, memory }
  }

  const cases = [
    { used: 0, room: Room.EVERYTHING },
    { used: 899, room: Room.EVERYTHING },
    { used: 900, room: Room.PASSING },
    { used: 999, room: Room.PASSING },
    { used: 1000, room: Room.NOTHING },
    { used: 5000, room: Room.NOTHING },
  ]
  for (const { used, room } of cases)
    test(`${used} of 1000 bytes leave room ${room}`, () => {
      const { gauge, memory } = limited(1000)
      gauge.used_bytes = used
      memory.look()
      assert.equal(memory.room, room)
    })

  test('without a limit there is always room, and nobody looks', () => {
    const { gauge, memory } = limited(0)
    gauge.used_bytes = Number.MAX_SAFE_INTEGER
    memory.look()
    memory.spend(1e15)
    assert.deepEqual([memory.room, gauge.collections], [Room.EVERYTHING, 0])
  })

  test('garbage counts only if it cannot be collected, which is tried once a second', () => {
    const { gauge, time, memory } = limited(1000)
    gauge.garbage = 5000
    memory.look()
    assert.deepEqual([memory.room, gauge.collections], [Room.EVERYTHING, 1])
    gauge.garbage = 5000
    time.now += 999
    memory.look()
    assert.deepEqual([memory.room, gauge.collections], [Room.NOTHING, 1])
    time.now += 1
    memory.look()
    assert.deepEqual([memory.room, gauge.collections], [Room.EVERYTHING, 2])
  })

  test('messages make it look between the ticks: after a 128th of the limit, each counted with 512 bytes', () => {
    const { gauge, memory } = limited(128_000)
    gauge.used_bytes = 128_000
    memory.spend(1000 - 512)
    assert.equal(memory.room, Room.EVERYTHING)
    memory.spend(0)
    assert.equal(memory.room, Room.NOTHING)
  })

  test('what has become scarce is enough below four fifths', () => {
    const { gauge, memory } = limited(1000)
    for (const [used, room] of [
      [900, Room.PASSING],
      [800, Room.PASSING],
      [799, Room.EVERYTHING],
      [899, Room.EVERYTHING],
    ] as const) {
      gauge.used_bytes = used
      memory.look()
      assert.equal(memory.room, room, `${used}`)
    }
  })

  test('one line when it becomes scarce, one when there is enough again, also by another limit', () => {
    const { gauge, memory, lines } = limited(1000)
    for (const used of [950, 1000, 950, 980]) {
      gauge.used_bytes = used
      memory.look()
    }
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /memory_limit \(1000 bytes\)/)
    memory.set(2000)
    assert.equal(memory.room, Room.EVERYTHING)
    assert.deepEqual(lines.slice(1), ['There is memory again: nothing is refused any more.'])
  })
})

describe('a broker with memory_limit', () => {
  /** Has clients connected while there was memory, and then as much room as is said. */
  async function withRoom(room: Room, use: (broker: TestBroker, old: RawClient, modern: RawClient) => Promise<void>) {
    const broker = await startBroker({ conf: 'max_queued_messages 0\n' })
    try {
      const { client: old } = await RawClient.connect(broker.port, { clientId: 'old', cleanStart: false })
      const { client: modern } = await RawClient.connect(broker.port, { clientId: 'modern', version: 5 })
      await old.subscribe('here')
      const { memoryLimit } = Reflect.get(broker.broker, 'context') as { memoryLimit: { room: Room } }
      memoryLimit.room = room
      await use(broker, old, modern)
    } finally {
      await broker.stop()
    }
  }

  for (const room of [Room.PASSING, Room.NOTHING]) {
    test(`room ${room}: new sessions are refused, those that exist come back`, () =>
      withRoom(room, async ({ port }, old) => {
        assert.equal((await RawClient.connect(port, { clientId: 'n5', version: 5 })).connack.reasonCode, 0x97)
        assert.equal((await RawClient.connect(port, { clientId: 'n4' })).connack.reasonCode, 3)
        await old.drop()
        const { connack } = await RawClient.connect(port, { clientId: 'old', cleanStart: false })
        assert.deepEqual([connack.reasonCode, connack.sessionPresent], [0, true])
      }))

    test(`room ${room}: new subscriptions are refused, those that exist may be made again`, () =>
      withRoom(room, async (_, old, modern) => {
        assert.deepEqual((await modern.subscribe('x')).reasonCodes, [0x97])
        assert.deepEqual((await old.subscribe('x')).reasonCodes, [0x80])
        assert.deepEqual((await old.subscribe('here')).reasonCodes, [2])
      }))

    for (const qos of [1, 2] as const)
      test(`room ${room}: QoS ${qos} is refused with 0x97, and not acknowledged to a 3.1.1 client, which is cut off`, () =>
        withRoom(room, async (broker, old, modern) => {
          modern.publish({ topic: 'here', qos, payload: 'x' })
          const ack = await modern.next()
          assert.match(describePacket(ack), /^(PUBACK|PUBREC) /)
          assert.equal('reasonCode' in ack && ack.reasonCode, 0x97)
          old.publish({ topic: 'here', qos, payload: 'x' })
          assert.deepEqual(await old.closed(), [])
          assert.ok(broker.log.some((line) => line.includes('memory_limit')))
        }))

    test(`room ${room}: a retained message is not kept, but one that clears is obeyed`, () =>
      withRoom(room, async (broker, old, modern) => {
        const { memoryLimit } = Reflect.get(broker.broker, 'context') as { memoryLimit: { room: Room } }
        memoryLimit.room = Room.EVERYTHING
        modern.publish({ topic: 'kept', retain: true, payload: 'first' })
        await modern.settled()
        memoryLimit.room = room
        modern.publish({ topic: 'new', retain: true, payload: 'x' })
        modern.publish({ topic: 'kept', retain: true })
        await modern.settled()
        memoryLimit.room = Room.EVERYTHING
        await old.subscribe('#')
        assert.deepEqual(await old.settled(), [])
      }))
  }

  test('QoS 0 passes as long as it leaves the broker at once', () =>
    withRoom(Room.PASSING, async (_, old, modern) => {
      modern.publish({ topic: 'here', payload: 'x' })
      assert.equal(((await old.expect(PacketType.PUBLISH)) as Publish).topic, 'here')
    }))

  test('QoS 0 is dropped when there is nothing left', () =>
    withRoom(Room.NOTHING, async (_, old, modern) => {
      modern.publish({ topic: 'here', payload: 'x' })
      await modern.settled()
      assert.deepEqual(await old.settled(), [])
    }))

  test('a reload brings it into force', async () => {
    const broker = await startBroker()
    try {
      broker.reload({ conf: 'memory_limit 1\n' })
      assert.equal((await RawClient.connect(broker.port, { version: 5 })).connack.reasonCode, 0x97)
      broker.reload({ conf: 'memory_limit 0\n' })
      assert.equal((await RawClient.connect(broker.port, { version: 5 })).connack.reasonCode, 0)
    } finally {
      await broker.stop()
    }
  })
})

test('300 MB for an absent client do not take a broker beyond memory_limit', async () => {
  const limit = 60_000_000
  const conf = `allow_anonymous true\nmemory_limit ${limit}\nmax_queued_messages 0\nsys_interval 1\n`
  const { port, stop } = await startTsmq({ conf })
  try {
    const { client: absent } = await RawClient.connect(port, { clientId: 'absent', cleanStart: false })
    await absent.subscribe('#')
    const { client: watcher } = await RawClient.connect(port, { clientId: 'watcher', version: 5 })
    await watcher.subscribe('$SYS/broker/heap/maximum')
    await absent.drop()
    const payload = Buffer.alloc(30_000, 'x')
    const { client } = await RawClient.connect(port, { clientId: 'sender', version: 5 })
    const answers = new Set<number>()
    for (let sent = 0; sent < 10_000; sent += 100) {
      for (let i = 0; i < 100; i++) client.publish({ topic: 'a', qos: 1, payload })
      for (let i = 0; i < 100; i++) {
        const ack = await client.expect(PacketType.PUBACK)
        if ('reasonCode' in ack) answers.add(ack.reasonCode)
      }
    }
    assert.deepEqual([...answers].sort(), [0, 0x97])
    // The value is published each second; what was used most is in it sooner or later.
    let maximum = 0
    while (maximum < limit / 2) maximum = Number(((await watcher.next()) as Publish).payload.toString())
    for (const { payload: text } of (await watcher.settled()) as Publish[]) maximum = Number(text.toString())
    assert.ok(maximum < limit * 1.1, `${maximum}`)
  } finally {
    await stop()
  }
})
