// One client id, several connections: the newer one takes the session, if it is the same user's.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { client, join, nextPublish, received, take } from '../support/deliveries.js'
import { passwordFile } from '../support/password-lines.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'

const conf = 'password_file {folder}/passwords\nsys_interval 0'
const broker = await startBroker({ conf, files: { passwords: passwordFile('ann', 'bob') } })
after(() => broker.stop())

function fields(clientId: string, username?: string, more: ConnectFields = {}): ConnectFields {
  const login = username === undefined ? {} : { username, password: username }
  return { clientId, version: 5, cleanStart: false, properties: { sessionExpiryInterval: 100 }, ...login, ...more }
}

describe('the same user', () => {
  test('F95 [MQTT-3.1.4-3] [MQTT-4.13.2-1] the old connection gets 0x8E and ends, the new one the session, nothing lost or doubled', async (t) => {
    const old = await client(t, broker, fields('f95'))
    await old.subscribe('f95')
    const publisher = await client(t, broker, { clientId: 'f95-p' })
    for (const payload of ['a', 'b']) publisher.publish({ topic: 'f95', payload, qos: 1 })
    await publisher.settled()
    old.ack(PacketType.PUBACK, (await nextPublish(old)).packetId)
    await old.settled()
    const { client: newer, connack } = await join(t, broker, fields('f95'))
    assert.equal(connack.sessionPresent, true)
    const [last] = await old.closed()
    assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === 0x8e)
    publisher.publish({ topic: 'f95', payload: 'c', qos: 1 })
    await publisher.settled()
    assert.deepEqual(await received(newer), ['f95 b q1 dup', 'f95 c q1'])
  })

  test('F145 a 3.1.1 client is cut off without a packet', async (t) => {
    const old = await client(t, broker, { clientId: 'f145' })
    await client(t, broker, { clientId: 'f145' })
    assert.deepEqual(await old.closed(), [])
  })

  test('F96 what the old connection sends after the switch is not processed', async (t) => {
    const watcher = await client(t, broker, { clientId: 'f96-w' })
    await watcher.subscribe('f96')
    const old = await client(t, broker, fields('f96'))
    await client(t, broker, fields('f96'))
    old.publish({ topic: 'f96', payload: 'late' })
    await old.closed()
    assert.deepEqual(await received(watcher), [])
  })

  for (const cleanStart of [true, false])
    test(`[MQTT-3.1.4-4] the older session without expiry ends: Clean Start ${Number(cleanStart)} starts anew`, async (t) => {
      const old = await client(t, broker, { ...fields('anew'), properties: {} })
      await old.subscribe('anew')
      const { client: newer, connack } = await join(t, broker, fields('anew', undefined, { cleanStart }))
      assert.equal(connack.sessionPresent, false)
      newer.publish({ topic: 'anew', payload: 'x' })
      assert.deepEqual(await received(newer), [])
      newer.disconnect(0, { sessionExpiryInterval: 0 })
      await newer.closed()
    })

  test('CVE-2025-59946 CVE-2026-22040: the same id over and over while it subscribes and publishes leaves one session that works', async (t) => {
    const publisher = await client(t, broker, { clientId: 'churn-p' })
    const opened: RawClient[] = []
    for (let i = 0; i < 40; i++) {
      const one = await RawClient.open(broker.port)
      one.version = 5
      one.send(connectPacket(fields('churn', undefined, { cleanStart: i % 3 === 0 })))
      one.send({
        type: PacketType.SUBSCRIBE,
        packetId: 1,
        properties: {},
        subscriptions: [
          {
            filter: i % 2 === 0 ? 'churn' : '$share/g/churn',
            qos: 1,
            noLocal: false,
            retainAsPublished: false,
            retainHandling: 0,
          },
        ],
      })
      if (i % 5 === 0)
        one.send({ type: PacketType.UNSUBSCRIBE, packetId: 2, properties: {}, filters: ['churn', '$share/g/churn'] })
      publisher.publish({ topic: 'churn', payload: `${i}`, qos: 1 })
      opened.push(one)
    }
    await publisher.settled()
    const last = await client(t, broker, fields('churn', undefined, { cleanStart: true }))
    for (const one of opened) await one.closed()
    await last.subscribe('churn')
    publisher.publish({ topic: 'churn', payload: 'end', qos: 1 })
    assert.equal((await take(last, 1))[0]?.payload.toString(), 'end')
    assert.deepEqual(await last.settled(), [])
  })

  test('the session moves on while the old connection does not read', async (t) => {
    const old = await client(t, broker, fields('deaf'))
    await old.subscribe('deaf')
    old.pause()
    const publisher = await client(t, broker, { clientId: 'deaf-p' })
    for (let i = 0; i < 5; i++) publisher.publish({ topic: 'deaf', payload: Buffer.alloc(100_000, `${i}`), qos: 1 })
    await publisher.settled()
    const newer = await client(t, broker, fields('deaf'))
    const got = await take(newer, 5)
    assert.deepEqual(
      got.map(({ payload }) => payload.toString('latin1', 0, 1)),
      ['0', '1', '2', '3', '4'],
    )
    broker.advance(3)
    old.resume()
    await old.closed()
  })
})

describe('another user', () => {
  const others: readonly {
    readonly name: string
    readonly owner: string | undefined
    readonly other: string | undefined
  }[] = [
    { name: 'another name', owner: 'ann', other: 'bob' },
    { name: 'no name', owner: 'ann', other: undefined },
    { name: 'a name where there was none', owner: undefined, other: 'bob' },
  ]
  for (const { name, owner, other } of others) {
    test(`D3.7 a client id in use is refused to ${name}: 0x85, in 3.x 2; the owner notices nothing`, async (t) => {
      const id = `used by ${owner} not ${other}`
      const first = await client(t, broker, fields(id, owner))
      await first.subscribe(id)
      for (const version of [3, 4, 5] as const) {
        const { client: refused, connack } = await join(t, broker, fields(id, other, { version, properties: {} }))
        assert.equal(connack.reasonCode, version === 5 ? 0x85 : 2)
        assert.equal(connack.sessionPresent, false)
        await refused.closed()
      }
      first.publish({ topic: id, payload: 'still here' })
      assert.deepEqual(await received(first), [`${id} still here q0`])
    })

    test(`D3.7 the offline session is discarded, not inherited, by ${name}`, async (t) => {
      const id = `left by ${owner} to ${other}`
      const first = await client(t, broker, fields(id, owner))
      await first.subscribe(id)
      first.disconnect()
      await first.closed()
      const publisher = await client(t, broker, { clientId: `${id}-p` })
      publisher.publish({ topic: id, payload: 'secret', qos: 1 })
      await publisher.settled()
      const { client: second, connack } = await join(t, broker, fields(id, other))
      assert.equal(connack.sessionPresent, false)
      publisher.publish({ topic: id, payload: 'secret', qos: 1 })
      await publisher.settled()
      assert.deepEqual(await received(second), [])
      second.disconnect()
      await second.closed()
      assert.equal((await join(t, broker, fields(id, owner))).connack.sessionPresent, false, 'nor inherited back')
    })
  }

  test('F97 [MQTT-3.1.4-2] a login that fails does not throw the old client out', async (t) => {
    const first = await client(t, broker, fields('f97', 'ann'))
    const { client: refused, connack } = await join(t, broker, { ...fields('f97', 'ann'), password: 'wrong' })
    assert.ok(connack.reasonCode >= 0x80)
    await refused.closed()
    assert.deepEqual(await first.settled(), [])
  })
})
