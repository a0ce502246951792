import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KeepAlive } from '../../src/client/keep-alive.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { localMessage } from '../../src/session/message.js'
import { begin, connected } from './scripted-broker.js'

const message = () => localMessage('t', Buffer.from('x'), 0, false)

describe('keep alive', () => {
  test('[MQTT-3.1.2-20] PINGREQ goes out within the interval when nothing else does', async (t) => {
    const { peer, clock } = await connected(t, { keepAlive: 20 })
    clock.advance(20_000)
    await peer.expect(PacketType.PINGREQ)
  })
  test('no PINGREQ while packets are sent often enough', async (t) => {
    const { peer, client, clock } = await connected(t, { keepAlive: 20 })
    for (let i = 0; i < 4; i++) {
      client.publish(message())
      clock.advance(10_000)
    }
    client.disconnect()
    assert.deepEqual(
      [...new Set((await peer.closed()).map(({ type }) => type))],
      [PacketType.PUBLISH, PacketType.DISCONNECT],
    )
  })
  test('F104 what is received does not put PINGREQ off', async (t) => {
    const { peer, recorder, clock } = await connected(t, { keepAlive: 20 })
    for (let i = 1; i <= 4; i++) {
      peer.send('30 04 00 01 61 00')
      await recorder.received(i)
      clock.advance(5000)
    }
    await peer.expect(PacketType.PINGREQ)
  })
  test('E200 a missing PINGRESP ends the connection', async (t) => {
    const { peer, recorder, clock } = await connected(t, { keepAlive: 20 })
    clock.advance(20_000)
    await peer.expect(PacketType.PINGREQ)
    clock.advance(20_000)
    assert.equal((await recorder.ended())?.kind, 'keep alive')
    await peer.closed()
  })
  test("[MQTT-3.1.2-21] [MQTT-3.2.2-21] F101 Server Keep Alive replaces the client's", async (t) => {
    const { peer, clock } = await connected(t, { keepAlive: 1000 }, { serverKeepAlive: 4 })
    clock.advance(4000)
    await peer.expect(PacketType.PINGREQ)
  })
  test('Server Keep Alive 0 switches it off', async (t) => {
    const { clock } = await connected(t, { keepAlive: 10 }, { serverKeepAlive: 0 })
    assert.deepEqual(clock.delays, [])
  })
  test('a broker that never answers CONNECT is given up', async (t) => {
    const { peer, recorder, clock } = await begin(t, { keepAlive: 20 })
    await peer.expect(PacketType.CONNECT)
    clock.advance(20_000)
    assert.equal((await recorder.ended())?.kind, 'keep alive')
  })

  // Bytes sent at each tick, whether something was received, whether reading, and what is to be done.
  const steps: readonly (readonly [name: string, ticks: readonly (readonly [number, number, boolean])[], string])[] = [
    [
      'quiet',
      [
        [0, 0, true],
        [0, 0, true],
        [0, 0, true],
      ],
      'ping',
    ],
    [
      'busy',
      [
        [1, 0, true],
        [2, 0, true],
        [3, 0, true],
      ],
      'wait',
    ],
    [
      'sent once',
      [
        [9, 0, true],
        [9, 0, true],
        [9, 0, true],
      ],
      'wait',
    ],
    [
      'sent once, longer ago',
      [
        [9, 0, true],
        [9, 0, true],
        [9, 0, true],
        [9, 0, true],
      ],
      'ping',
    ],
  ]
  for (const [name, ticks, expected] of steps)
    test(`by what was sent: ${name}`, () => {
      const keepAlive = new KeepAlive(8)
      assert.equal(keepAlive.tickMs, 2000)
      assert.equal(ticks.map((tick) => keepAlive.tick(...tick)).at(-1), expected)
    })
  test('an answer that has not been read yet is not missed', () => {
    const keepAlive = new KeepAlive(8)
    keepAlive.expectAnswer()
    for (let i = 0; i < 8; i++) assert.notEqual(keepAlive.tick(i, 0, false), 'dead')
  })
})
