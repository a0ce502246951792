// Shared subscriptions: which member gets a message, with which QoS, and what becomes of it when the member is away or gone.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Qos } from '../../src/protocol/packets/publish.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { startBroker } from '../support/broker-kit.js'
import { client, nextPublish, payloads, received } from '../support/deliveries.js'
import type { ConnectFields, RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'sys_interval 0' })
after(() => broker.stop())

let number = 0

function unique(): string {
  return `shared/${++number}`
}

function durable(clientId: string): ConnectFields {
  return { clientId, version: 5, cleanStart: false, properties: { sessionExpiryInterval: 100 } }
}

/** Members of `$share/g/topic`, all durable. */
async function members(t: TestContext, topic: string, count: number, qos: Qos = 1): Promise<RawClient[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const member = await client(t, broker, durable(`${topic}-${i}`))
      await member.subscribe([{ filter: `$share/g/${topic}`, qos }])
      return member
    }),
  )
}

async function publish(t: TestContext, topic: string, payloads: readonly string[], qos: Qos = 1): Promise<void> {
  const publisher = await client(t, broker, { clientId: `${topic}-p${++number}` })
  for (const payload of payloads) publisher.publish({ topic, payload, qos })
  await publisher.settled()
}

async function leave(member: RawClient | undefined): Promise<void> {
  member?.disconnect()
  await member?.closed()
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

test('F132 [MQTT-4.8.2-3] one member for each message, all of them in turn', async (t) => {
  const topic = unique()
  const all = await members(t, topic, 3)
  await publish(t, topic, numbers(9), 0)
  const got = await Promise.all(all.map(payloads))
  assert.deepEqual(
    got.map(({ length }) => length),
    [3, 3, 3],
  )
  assert.deepEqual(got.flat().sort(), numbers(9))
})

test('F132 [MQTT-4.8.2-3] with the smaller of the published QoS and that of the member', async (t) => {
  const topic = unique()
  const [low, high] = [
    await client(t, broker, { clientId: `${topic}-l` }),
    await client(t, broker, { clientId: `${topic}-h` }),
  ]
  await low.subscribe([{ filter: `$share/g/${topic}`, qos: 0 }])
  await high.subscribe([{ filter: `$share/g/${topic}`, qos: 2 }])
  await publish(t, topic, ['a', 'b'], 1)
  const lines = [...(await received(low)), ...(await received(high))].map((text) => text.slice(-2))
  assert.deepEqual(lines, ['q0', 'q1'])
})

test('F56 two share names, a plain subscription and F55 a member that is also a plain subscriber: a copy for each', async (t) => {
  const topic = unique()
  const [both, other] = [
    await client(t, broker, { clientId: `${topic}-b` }),
    await client(t, broker, { clientId: `${topic}-o` }),
  ]
  await both.subscribe([{ filter: topic }, { filter: `$share/g/${topic}` }])
  await other.subscribe([{ filter: `$share/h/${topic}` }])
  await publish(t, topic, ['x'], 0)
  assert.deepEqual(await payloads(both), ['x', 'x'])
  assert.deepEqual(await payloads(other), ['x'])
})

test('F133 a member that is away still belongs, but connected ones are preferred', async (t) => {
  const topic = unique()
  const [away, here] = await members(t, topic, 2)
  await leave(away)
  await publish(t, topic, numbers(6))
  assert.equal((await payloads(here as RawClient)).length, 6)
  assert.deepEqual(await payloads(await client(t, broker, durable(`${topic}-0`))), [])
})

test('F133 F92 with all members away QoS 1 is queued for them, and each message for one', async (t) => {
  const topic = unique()
  for (const member of await members(t, topic, 2)) await leave(member)
  await publish(t, topic, numbers(6))
  await publish(t, topic, ['lost'], 0)
  const got = await Promise.all([0, 1].map(async (i) => payloads(await client(t, broker, durable(`${topic}-${i}`)))))
  assert.deepEqual(got.flat().sort(), numbers(6))
  assert.deepEqual(
    got.map(({ length }) => length),
    [3, 3],
  )
})

test('F134 [MQTT-4.8.2-6] a refusal by the chosen member is final', async (t) => {
  const topic = unique()
  const [a, b] = (await members(t, topic, 2, 2)) as [RawClient, RawClient]
  await publish(t, topic, ['x', 'y'], 2)
  const first = await nextPublish(a)
  a.ack(PacketType.PUBREC, first.packetId, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR)
  assert.deepEqual(await a.settled(), [])
  assert.equal((await payloads(b)).length, 1, 'its own and no other')
})

describe('when a member goes', () => {
  test('F135 [MQTT-4.8.2-4] a QoS 2 message that was begun waits for it and is finished with it', async (t) => {
    const topic = unique()
    const [a] = await members(t, topic, 1, 2)
    await publish(t, topic, ['x'], 2)
    const { packetId } = await nextPublish(a as RawClient)
    await a?.drop()
    const other = await client(t, broker, durable(`${topic}-other`))
    await other.subscribe([{ filter: `$share/g/${topic}`, qos: 2 }])
    const again = await client(t, broker, durable(`${topic}-0`))
    assert.equal((await nextPublish(again)).packetId, packetId)
    again.ack(PacketType.PUBREC, packetId)
    await again.expect(PacketType.PUBREL)
    assert.deepEqual(await payloads(other), [])
  })

  const ends: readonly {
    readonly name: string
    readonly qos: 1 | 2
    readonly sent: boolean
    readonly moves: boolean
  }[] = [
    { name: '[MQTT-4.8.2-5] QoS 2 that was begun goes to nobody else', qos: 2, sent: true, moves: false },
    { name: 'F135 QoS 1 that was not acknowledged goes to another', qos: 1, sent: true, moves: true },
    { name: 'F137 queued QoS 1 goes to another', qos: 1, sent: false, moves: true },
    { name: 'F137 queued QoS 2 goes to another', qos: 2, sent: false, moves: true },
  ]
  for (const { name, qos, sent, moves } of ends)
    test(`and its session ends: ${name}`, async (t) => {
      const topic = unique()
      const [a] = await members(t, topic, 1, 2)
      if (!sent) await leave(a)
      await publish(t, topic, ['x'], qos)
      if (sent) {
        await nextPublish(a as RawClient)
        await leave(a)
      }
      const other = await client(t, broker, durable(`${topic}-other`))
      await other.subscribe([{ filter: `$share/g/${topic}`, qos: 2 }])
      assert.deepEqual(await payloads(other), [])
      broker.advance(101)
      assert.deepEqual(await received(other), moves ? [`${topic} x q${qos}`] : [])
    })

  test('F65 what has expired does not move', async (t) => {
    const topic = unique()
    const [a] = await members(t, topic, 1)
    await leave(a)
    const publisher = await client(t, broker, { clientId: `${topic}-p`, version: 5 })
    publisher.publish({ topic, qos: 1, properties: { messageExpiryInterval: 50 } })
    await publisher.settled()
    const other = await client(t, broker, durable(`${topic}-other`))
    await other.subscribe(`$share/g/${topic}`)
    broker.advance(101)
    assert.deepEqual(await payloads(other), [])
  })

  test('F136 the share ends with its last member: nothing is kept for it', async (t) => {
    const topic = unique()
    const [a] = await members(t, topic, 1)
    await a?.unsubscribe(`$share/g/${topic}`)
    await publish(t, topic, ['x'])
    await a?.subscribe(`$share/g/${topic}`)
    assert.deepEqual(await payloads(a as RawClient), [])
  })
})

describe('filters', () => {
  test('F131 E148 what follows the share name is the filter: $share/g//x is /x', async (t) => {
    const topic = unique()
    const member = await client(t, broker, { clientId: topic })
    await member.subscribe([{ filter: `$share/g//${topic}` }])
    await publish(t, topic, ['no'], 0)
    await publish(t, `/${topic}`, ['yes'], 0)
    assert.deepEqual(await payloads(member), ['yes'])
  })

  test('F131 [MQTT-4.7.2-1] $share/g/# gets no $ topic, $share/g/$own/# does', async (t) => {
    const member = await client(t, broker, { clientId: unique() })
    await member.subscribe([{ filter: '$share/g/#' }, { filter: '$share/h/+/dollar' }])
    await publish(t, '$own/dollar', ['x'], 0)
    assert.deepEqual(await payloads(member), [])
    await member.subscribe([{ filter: '$share/g/$own/#' }])
    await publish(t, '$own/dollar', ['x'], 0)
    assert.deepEqual(await payloads(member), ['x'])
    await member.unsubscribe('$share/g/#', '$share/h/+/dollar')
  })

  test('F130 E149 only the exact prefix is special', async (t) => {
    const member = await client(t, broker, { clientId: unique() })
    assert.deepEqual((await member.subscribe([{ filter: '$SHARE/g/t' }, { filter: '$shared' }])).reasonCodes, [0, 0])
    await publish(t, '$SHARE/g/t', ['x'], 0)
    assert.deepEqual(await received(member), ['$SHARE/g/t x q0'])
    await publish(t, 't', ['no'], 0)
    assert.deepEqual(await received(member), [])
  })

  test('F44 [MQTT-3.3.1-13] Retain As Published applies', async (t) => {
    const topic = unique()
    const member = await client(t, broker, { clientId: topic, version: 5 })
    await member.subscribe([{ filter: `$share/g/${topic}`, retainAsPublished: true }])
    member.publish({ topic, payload: 'x', retain: true })
    assert.deepEqual(await received(member), [`${topic} x q0 retain`])
  })

  test('subscription identifiers come with shared messages too', async (t) => {
    const topic = unique()
    const member = await client(t, broker, { clientId: topic, version: 5 })
    await member.subscribe(`$share/g/${topic}`, { subscriptionIdentifiers: [7] })
    await publish(t, topic, ['x'])
    assert.deepEqual((await nextPublish(member)).properties.subscriptionIdentifiers, [7])
  })

  test('F63 UNSUBSCRIBE wants the whole text', async (t) => {
    const topic = unique()
    const member = await client(t, broker, { clientId: topic, version: 5 })
    await member.subscribe([{ filter: `$share/g/${topic}` }])
    assert.deepEqual(
      (await member.unsubscribe(topic, `$share/h/${topic}`, `$share/g/${topic}`)).reasonCodes,
      [0x11, 0x11, 0],
    )
  })
})

test('F110 [MQTT-3.1.2-24] a message too large for one member goes to another', async (t) => {
  const topic = unique()
  const small = await client(t, broker, { clientId: `${topic}-s`, version: 5, properties: { maximumPacketSize: 100 } })
  const [large] = await members(t, topic, 1)
  await small.subscribe([{ filter: `$share/g/${topic}`, qos: 0 }])
  await publish(t, topic, ['x'.repeat(200), 'y'.repeat(200)], 0)
  assert.equal((await payloads(large as RawClient)).length, 2)
  assert.deepEqual(await payloads(small), [])
})
