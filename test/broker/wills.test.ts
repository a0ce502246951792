// When a will is published and when it is not: ways of leaving, delay, session end, coming back.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { startBroker } from '../support/broker-kit.js'
import { client, line, nextPublish, publishesOf, received } from '../support/deliveries.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'

const broker = await startBroker({ conf: 'max_packet_size 10000\nsys_interval 0' })
after(() => broker.stop())

let number = 0

interface Mortal {
  readonly topic: string
  readonly watcher: RawClient
  /** What a CONNECT with this will says; the payload is `gone`. */
  fields(delay?: number, expiry?: number, more?: ConnectFields): ConnectFields
  /** What the watcher has heard. */
  heard(): Promise<string[]>
}

/** A topic for a will and somebody who watches it. */
async function mortal(t: TestContext): Promise<Mortal> {
  const topic = `will/${++number}`
  const watcher = await client(t, broker, { clientId: `${topic}-w`, version: 5 })
  await watcher.subscribe(`${topic}/#`)
  const fields: Mortal['fields'] = (delay = 0, expiry = 0, more = {}) => ({
    clientId: topic,
    version: 5,
    cleanStart: false,
    properties: { sessionExpiryInterval: expiry },
    will: { topic, payload: Buffer.from('gone'), properties: { willDelayInterval: delay } },
    ...more,
  })
  return { topic, watcher, fields, heard: () => received(watcher) }
}

/** Waits until the broker has noticed that the connection is gone: it looks up its own list. */
async function gone(t: TestContext, leaving: RawClient): Promise<void> {
  await leaving.drop()
  const probe = await client(t, broker, { clientId: `probe-${++number}` })
  await probe.settled()
}

describe('leaving', () => {
  const ways: readonly {
    readonly name: string
    readonly leave: (leaving: RawClient) => void
    readonly published: boolean
  }[] = [
    { name: '[MQTT-3.14.4-3] [MQTT-3.1.2-10] F73 DISCONNECT 0x00', leave: (c) => c.disconnect(), published: false },
    { name: 'F73 DISCONNECT of two bytes', leave: (c) => c.send('e000'), published: false },
    { name: 'F73 DISCONNECT 0x04', leave: (c) => c.disconnect(ReasonCode.DISCONNECT_WITH_WILL), published: true },
    ...[0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99].map((code) => ({
      name: `F73 DISCONNECT 0x${code.toString(16)}`,
      leave: (c: RawClient) => c.disconnect(code as ReasonCode),
      published: true,
    })),
    {
      name: 'F74 [MQTT-3.14.4-3] DISCONNECT refused because it raises the session expiry from 0',
      leave: (c) => c.disconnect(ReasonCode.SUCCESS, { sessionExpiryInterval: 5 }),
      published: true,
    },
    { name: 'F76 E8 a malformed packet', leave: (c) => c.send('c00100'), published: true },
    { name: 'F76 a second CONNECT', leave: (c) => c.send(connectPacket({ version: 5 })), published: true },
    { name: 'F76 a packet that is too large', leave: (c) => c.send('30ffff7f'), published: true },
    { name: 'E167 DISCONNECT with wrong flags', leave: (c) => c.send('e100'), published: true },
    { name: '[MQTT-3.1.2-22] F76 keep alive exceeded', leave: () => broker.advance(16), published: true },
  ]
  for (const { name, leave, published } of ways)
    test(`${name}: will ${published ? 'published' : 'dropped'}`, async (t) => {
      const { topic, fields, heard } = await mortal(t)
      const leaving = await client(t, broker, fields(0, 0, { keepAlive: 10 }))
      leave(leaving)
      await leaving.closed()
      assert.deepEqual(await heard(), published ? [`${topic} gone q0`] : [])
    })

  for (const version of [3, 4, 5] as const)
    test(`${version}: [MQTT-3.1.2-8] E11 the link breaks in the middle of a packet: published`, async (t) => {
      const { topic, watcher, fields } = await mortal(t)
      const leaving = await client(t, broker, fields(0, 0, { version, cleanStart: true, properties: {} }))
      leaving.send('3020')
      await leaving.drop()
      assert.equal((await nextPublish(watcher)).topic, topic)
    })

  test('[MQTT-3.1.2-10] F75 it is published once, though session end and delay fall together', async (t) => {
    const { topic, fields, heard } = await mortal(t)
    const leaving = await client(t, broker, fields(5, 5))
    leaving.disconnect(ReasonCode.DISCONNECT_WITH_WILL)
    await leaving.closed()
    broker.advance(60)
    assert.deepEqual(await heard(), [`${topic} gone q0`])
  })

  test('F77 [MQTT-3.1.4-6] the will of a refused CONNECT is never published', async (t) => {
    const { fields, heard } = await mortal(t)
    const refused = await RawClient.open(broker.port)
    refused.version = 5
    refused.send(connectPacket(fields(0, 0, { properties: { authenticationMethod: 'unknown' } })))
    await refused.closed()
    broker.advance(5)
    assert.deepEqual(await heard(), [])
  })

  test('F81 [MQTT-3.1.2-7] the will of the new connection replaces the old one, or its absence does', async (t) => {
    const { topic, fields, heard } = await mortal(t)
    const first = await client(t, broker, fields(0, 100))
    first.disconnect()
    await first.closed()
    const second = await client(t, broker, fields(0, 100, { will: { topic, payload: Buffer.from('second') } }))
    await gone(t, second)
    assert.deepEqual(await heard(), [`${topic} second q0`])
    const { will: _, ...none } = fields(0, 100)
    const third = await client(t, broker, none)
    await gone(t, third)
    assert.deepEqual(await heard(), [])
  })

  test('F76 the broker publishes the wills of its clients when it stops', async (t) => {
    const stopping = await startBroker({ conf: 'sys_interval 0' })
    await client(t, stopping, { clientId: 'mortal', will: { topic: 'w', payload: Buffer.from('gone') } })
    const watcher = await client(t, stopping, { clientId: 'watcher' })
    await watcher.subscribe('w')
    const stopped = stopping.stop()
    assert.deepEqual(publishesOf(await watcher.closed()).map(line), ['w gone q0'])
    await stopped
  })
})

describe('what is published', () => {
  for (const qos of [0, 1, 2] as const)
    test(`F79 QoS ${qos}, properties in order [MQTT-3.1.3-10]`, async (t) => {
      const { topic, watcher, fields } = await mortal(t)
      const properties = {
        payloadFormatIndicator: 1,
        contentType: 'text/plain',
        responseTopic: 'answer',
        correlationData: Buffer.from([0, 1]),
        userProperties: [
          ['b', '1'],
          ['a', '2'],
        ] as const,
      }
      const will = { topic, payload: Buffer.from('gone'), qos, properties: { ...properties, willDelayInterval: 0 } }
      await gone(t, await client(t, broker, fields(0, 0, { will })))
      const message = await nextPublish(watcher)
      assert.equal(message.qos, qos)
      assert.equal(message.retain, false)
      assert.deepEqual({ ...message.properties }, properties)
    })

  test('[MQTT-3.1.2-14] [MQTT-3.1.2-15] F79 F80 retained if it says so; a retained empty one clears', async (t) => {
    const { topic, fields } = await mortal(t)
    const retained = async () => {
      const late = await client(t, broker, { clientId: `late-${++number}` })
      await late.subscribe(topic)
      return received(late)
    }
    await gone(t, await client(t, broker, fields()))
    assert.deepEqual(await retained(), [])
    await gone(
      t,
      await client(t, broker, fields(0, 0, { will: { topic, payload: Buffer.from('kept'), retain: true } })),
    )
    assert.deepEqual(await retained(), [`${topic} kept q0 retain`])
    await gone(t, await client(t, broker, fields(0, 0, { will: { topic, retain: true } })))
    assert.deepEqual(await retained(), [])
  })

  test('F67 its expiry starts when it is published', async (t) => {
    const { topic, watcher, fields } = await mortal(t)
    const will = { topic, properties: { willDelayInterval: 50, messageExpiryInterval: 10 } }
    await gone(t, await client(t, broker, fields(50, 100, { will })))
    broker.advance(51)
    assert.equal((await nextPublish(watcher)).properties.messageExpiryInterval, 10)
  })

  test('F46 No Local holds for the will of the same client id', async (t) => {
    const { topic, fields } = await mortal(t)
    const will = { topic, payload: Buffer.from('gone'), qos: 1 as const }
    const first = await client(t, broker, fields(0, 100, { will }))
    await first.subscribe([{ filter: topic, noLocal: true, qos: 1 }])
    await gone(t, first)
    const again = await client(t, broker, fields(0, 100))
    assert.deepEqual(await received(again), [])
  })
})

describe('delay', () => {
  test('[MQTT-3.1.2-8] not before it is over', async (t) => {
    const { topic, fields, heard } = await mortal(t)
    await gone(t, await client(t, broker, fields(10, 100)))
    broker.advance(9)
    assert.deepEqual(await heard(), [])
    broker.advance(1)
    assert.deepEqual(await heard(), [`${topic} gone q0`])
  })

  const expiries = [
    { name: 'F69 session expiry 0: at once whatever the delay', delay: 50, expiry: 0, after: 0 },
    {
      name: 'CVE-2019-11778: F69 a delay longer than the session: when the session ends',
      delay: 50,
      expiry: 10,
      after: 10,
    },
    { name: 'F69 the longest values', delay: 0xffff_ffff, expiry: 3, after: 3 },
    { name: 'F69 the delay is shorter', delay: 3, expiry: 0xffff_ffff, after: 3 },
  ]
  for (const { name, delay, expiry, after: seconds } of expiries)
    test(name, async (t) => {
      const { topic, fields, heard } = await mortal(t)
      const leaving = await client(t, broker, fields(delay, expiry))
      leaving.disconnect(ReasonCode.DISCONNECT_WITH_WILL)
      await leaving.closed()
      if (seconds > 0) {
        broker.advance(seconds - 1)
        assert.deepEqual(await heard(), [])
        broker.advance(1)
      }
      assert.deepEqual(await heard(), [`${topic} gone q0`])
      broker.advance(100)
      assert.deepEqual(await heard(), [])
    })

  test('F75 DISCONNECT 0x04 that sets the expiry to 0 ends the session: at once', async (t) => {
    const { topic, fields, heard } = await mortal(t)
    const leaving = await client(t, broker, fields(50, 100))
    leaving.disconnect(ReasonCode.DISCONNECT_WITH_WILL, { sessionExpiryInterval: 0 })
    await leaving.closed()
    assert.deepEqual(await heard(), [`${topic} gone q0`])
  })

  test('F70 [MQTT-3.1.3-9] back in time with Clean Start 0: not published', async (t) => {
    const { topic, fields, heard } = await mortal(t)
    await gone(t, await client(t, broker, fields(10, 100)))
    broker.advance(9)
    const back = await client(t, broker, { ...fields(10, 100), will: { topic, payload: Buffer.from('second') } })
    broker.advance(60)
    assert.deepEqual(await heard(), [])
    back.disconnect()
    await back.closed()
    assert.deepEqual(await heard(), [])
  })

  test('F71 back with Clean Start 1: the old session ends, so its will is published', async (t) => {
    const { topic, fields, heard } = await mortal(t)
    await gone(t, await client(t, broker, fields(10, 100)))
    const back = await client(t, broker, { ...fields(10, 100), cleanStart: true })
    assert.deepEqual(await heard(), [`${topic} gone q0`])
    back.disconnect()
    await back.closed()
  })

  const takeOvers = [
    { name: 'delay 0, Clean Start 0', delay: 0, expiry: 100, cleanStart: false, published: true },
    { name: 'delay 0, Clean Start 1', delay: 0, expiry: 100, cleanStart: true, published: true },
    { name: 'delay above 0, Clean Start 0', delay: 10, expiry: 100, cleanStart: false, published: false },
    { name: 'delay above 0, Clean Start 1', delay: 10, expiry: 100, cleanStart: true, published: true },
    { name: 'delay above 0, expiry 0', delay: 10, expiry: 0, cleanStart: false, published: true },
  ]
  for (const { name, delay, expiry, cleanStart, published } of takeOvers)
    test(`F72 take-over with ${name}: ${published ? 'published' : 'not published'}`, async (t) => {
      const { topic, fields, heard } = await mortal(t)
      const old = await client(t, broker, fields(delay, expiry))
      const { will: _, ...newer } = fields(delay, expiry, { cleanStart })
      await client(t, broker, newer)
      await old.closed()
      assert.deepEqual(await heard(), published ? [`${topic} gone q0`] : [])
      broker.advance(30)
      assert.deepEqual(await heard(), [])
    })

  for (const cleanStart of [true, false])
    test(`F72 take-over of a 3.1.1 connection, clean session ${cleanStart}: published`, async (t) => {
      const { topic, fields, heard } = await mortal(t)
      const old = await client(t, broker, fields(0, 0, { version: 4, cleanStart, properties: {} }))
      await client(t, broker, { clientId: topic, cleanStart })
      await old.closed()
      assert.deepEqual(await heard(), [`${topic} gone q0`])
    })
})
