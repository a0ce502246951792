// `--retry`, `--connect-timeout` and the ways to end of the client (features.md B7, B16, C12), with a clock that only moves when told.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { localMessage } from '../../src/session/message.js'
import { begin, connected } from './scripted-broker.js'

const refusal = (reasonCode: number) =>
  ({ type: PacketType.CONNACK, sessionPresent: false, reasonCode, properties: NO_PROPERTIES }) as Packet

describe('refusals', () => {
  // B16: 1, 2, 4, 5 and 132-135, 138, 140 are never tried again.
  const final5 = [132, 133, 134, 135, 138, 140].map((code) => ({ version: 5, code, again: false }) as const)
  const passing5 = [136, 137, 151, 159].map((code) => ({ version: 5, code, again: true }) as const)
  const rows = [
    { version: 4, code: 1, again: false },
    { version: 4, code: 2, again: false },
    { version: 4, code: 3, again: true },
    { version: 4, code: 4, again: false },
    { version: 4, code: 5, again: false },
    ...final5,
    ...passing5,
  ] as const
  for (const { version, code, again } of rows)
    test(`MQTT ${version}, refused with ${code}: ${again ? 'tried again' : 'final'}`, async (t) => {
      const { broker, peer, recorder, clock } = await begin(t, {
        version,
        reconnect: { base: 500, cap: 500, attempts: 2 },
      })
      await peer.expect(PacketType.CONNECT)
      peer.send(refusal(code))
      assert.equal((await recorder.ended())?.reasonCode, code)
      assert.equal(recorder.ends[0]?.retryIn, again ? 500 : undefined)
      if (!again) return
      clock.advance(500)
      await (await broker.peer(2)).accept()
      await recorder.connected()
    })
})

describe('attempts', () => {
  test('end when there were so many in a row', async (t) => {
    const { broker, peer, recorder, clock } = await begin(t, { reconnect: { base: 100, cap: 100, attempts: 2 } })
    peer.drop()
    for (const next of [2, 3]) {
      await recorder.ended(next - 1)
      clock.advance(100)
      ;(await broker.peer(next)).drop()
    }
    await recorder.ended(3)
    assert.deepEqual(
      recorder.ends.map(({ retryIn }) => retryIn),
      [100, 100, undefined],
    )
  })
  test('none with 0', async (t) => {
    const { peer, recorder } = await begin(t, { reconnect: { base: 100, cap: 100, attempts: 0 } })
    peer.drop()
    await recorder.ended()
    assert.equal(recorder.ends[0]?.retryIn, undefined)
  })
  const stands = [
    { name: 'a connection that stands for 10 s begins a new row', ms: 10_000, retryIn: 100 },
    { name: 'one that breaks before does not', ms: 9_999, retryIn: undefined },
  ]
  for (const { name, ms, retryIn } of stands)
    test(name, async (t) => {
      const { broker, peer, recorder, clock } = await begin(t, { reconnect: { base: 100, cap: 100, attempts: 1 } })
      peer.drop()
      await recorder.ended()
      clock.advance(100)
      const second = await broker.peer(2)
      await second.accept()
      await recorder.connected()
      clock.advance(ms)
      second.drop()
      await recorder.ended(2)
      assert.equal(recorder.ends[1]?.retryIn, retryIn)
    })
  test('only after a loss: not the first connection', async (t) => {
    const { peer, recorder } = await begin(t, { reconnect: { base: 100, cap: 100, onlyAfterLoss: true } })
    peer.drop()
    await recorder.ended()
    assert.equal(recorder.ends[0]?.retryIn, undefined)
  })
  test('only after a loss: a lost connection, and then no refusal', async (t) => {
    const { broker, peer, recorder, clock } = await begin(t, {
      reconnect: { base: 100, cap: 100, onlyAfterLoss: true },
    })
    await peer.accept()
    await recorder.connected()
    peer.drop()
    await recorder.ended()
    assert.equal(recorder.ends[0]?.retryIn, 100)
    clock.advance(100)
    const second = await broker.peer(2)
    await second.expect(PacketType.CONNECT)
    second.send(refusal(136))
    await recorder.ended(2)
    assert.equal(recorder.ends[1]?.retryIn, undefined)
  })
})

describe('the time for a connection', () => {
  test('ends without CONNACK', async (t) => {
    const { broker, peer, recorder, clock } = await begin(t, { connectTimeout: 3000 })
    await peer.expect(PacketType.CONNECT)
    clock.advance(2999)
    assert.equal(recorder.ends.length, 0)
    clock.advance(1)
    const error = await recorder.ended()
    assert.equal(error?.kind, 'timeout')
    assert.equal(
      error?.message,
      `cannot connect to 127.0.0.1:${broker.port}: the broker does not answer CONNECT within 3 s`,
    )
    assert.deepEqual(await peer.closed(), [])
  })
  test('is over with CONNACK', async (t) => {
    const { recorder, clock } = await connected(t, { connectTimeout: 3000 })
    clock.advance(60_000)
    assert.deepEqual(recorder.ends, [])
  })
  test('is a failure that may heal', async (t) => {
    const { peer, recorder, clock } = await begin(t, { connectTimeout: 3000, reconnect: { base: 1, cap: 1 } })
    await peer.expect(PacketType.CONNECT)
    clock.advance(3000)
    await recorder.ended()
    assert.equal(recorder.ends[0]?.retryIn, 1)
  })
})

describe('what else answers on a port', () => {
  for (const [name, sends, says] of [
    ['TLS', '15 03 01 00 02 02 46', 'the broker speaks TLS on this port'],
    [
      'HTTP',
      Buffer.from('HTTP/1.1 400 Bad Request\r\n').toString('hex'),
      'the broker speaks HTTP on this port, which may be for WebSocket (--ws)',
    ],
  ] as const)
    test(name, async (t) => {
      const { broker, peer, recorder } = await begin(t)
      await peer.expect(PacketType.CONNECT)
      peer.send(sends)
      const error = await recorder.ended()
      assert.deepEqual(
        [error?.kind, error?.message],
        ['connect', `cannot connect to 127.0.0.1:${broker.port}: ${says}`],
      )
    })
})

test('C12 hanging up: what was published goes out, without DISCONNECT', async (t) => {
  const { peer, client } = await connected(t)
  for (const payload of ['1', '2']) client.publish(localMessage('a', Buffer.from(payload), 0, false))
  client.hangUp()
  const packets = await peer.closed()
  assert.deepEqual(
    packets.map(({ type }) => type),
    [PacketType.PUBLISH, PacketType.PUBLISH],
  )
})
