// What a peer has begun to deliver with QoS 2, identifiers of packets, and topic aliases.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { Inbound } from '../../src/session/inbound.js'
import { PacketIds } from '../../src/session/packet-ids.js'
import { ReceivedAliases, SentAliases } from '../../src/session/topic-aliases.js'
import { protocolErrorOf } from '../protocol/decoding.js'

describe('QoS 2 from the peer', () => {
  test('[MQTT-4.3.3-10] [MQTT-4.3.3-12] new, repeated, and new again after PUBREL', () => {
    const inbound = new Inbound()
    assert.equal(inbound.begin(7, 10), true)
    assert.equal(inbound.begin(7, 10), false)
    assert.equal(inbound.end(7), true)
    assert.equal(inbound.end(7), false)
    assert.equal(inbound.begin(7, 10), true)
  })

  test('nothing is open at first', () => {
    const inbound = new Inbound()
    assert.equal(inbound.openIds.size, 0)
    assert.equal(inbound.end(1), false)
  })

  const limits = [1, 2, 20, 65_534]
  for (const receiveMaximum of limits)
    test(`[MQTT-3.3.4-7] with Receive Maximum ${receiveMaximum} one more is refused, a repetition is not`, () => {
      const inbound = new Inbound()
      for (let id = 1; id <= receiveMaximum; id++) assert.equal(inbound.begin(id, receiveMaximum), true)
      assert.equal(inbound.begin(1, receiveMaximum), false)
      const error = protocolErrorOf(() => inbound.begin(receiveMaximum + 1, receiveMaximum))
      assert.equal(error?.reasonCode, ReasonCode.RECEIVE_MAXIMUM_EXCEEDED)
      inbound.end(1)
      assert.equal(inbound.begin(1, receiveMaximum), true)
    })
})

describe('packet identifiers', () => {
  test('[MQTT-2.2.1-4] F12 from 1 upwards, around at 65535, never 0 and never one in use', () => {
    const ids = new PacketIds()
    const used = new Set([2, 65_535])
    const isUsed = (id: number) => used.has(id)
    assert.deepEqual([ids.next(isUsed), ids.next(isUsed), ids.next(isUsed)], [1, 3, 4])
    for (let id = 5; id < 65_535; id++) assert.equal(ids.next(isUsed), id)
    assert.equal(ids.next(isUsed), 1)
  })

  test('0 when all are in use', () => {
    assert.equal(
      new PacketIds().next(() => true),
      0,
    )
  })
})

describe('aliases of the peer', () => {
  test('[MQTT-3.3.2-12] every alias up to the maximum, set, used and set anew (F120)', () => {
    const aliases = new ReceivedAliases(3)
    for (let alias = 1; alias <= 3; alias++) assert.equal(aliases.resolve(alias, `t${alias}`), `t${alias}`)
    assert.deepEqual(
      [1, 2, 3].map((alias) => aliases.resolve(alias, '')),
      ['t1', 't2', 't3'],
    )
    assert.equal(aliases.resolve(2, 'other'), 'other')
    assert.equal(aliases.resolve(2, ''), 'other')
  })

  const wrong = [
    { name: '[MQTT-3.2.2-17] above the maximum', maximum: 3, alias: 4, code: ReasonCode.TOPIC_ALIAS_INVALID },
    { name: '[MQTT-3.2.2-18] with maximum 0', maximum: 0, alias: 1, code: ReasonCode.TOPIC_ALIAS_INVALID },
    { name: 'E91 never set', maximum: 3, alias: 2, code: ReasonCode.PROTOCOL_ERROR },
  ]
  for (const { name, maximum, alias, code } of wrong)
    test(`${name} is refused`, () => {
      const error = protocolErrorOf(() => new ReceivedAliases(maximum).resolve(alias, ''))
      assert.equal(error?.reasonCode, code)
    })
})

test('[MQTT-3.1.2-26] [MQTT-3.1.2-27] aliases given out: the first topics, no more than allowed, only once committed (F123)', () => {
  const aliases = new SentAliases(2)
  assert.equal(aliases.known('a'), 0)
  assert.equal(aliases.proposed(), 1)
  assert.equal(aliases.proposed(), 1)
  aliases.commit('a', 1)
  aliases.commit('b', aliases.proposed())
  assert.deepEqual([aliases.known('a'), aliases.known('b'), aliases.known('c')], [1, 2, 0])
  assert.equal(aliases.proposed(), 0)
  assert.equal(new SentAliases(0).proposed(), 0)
})
