// What a broker remembers of bridges: whose they are, for how many, and over a restart.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { introduction, Neighbours } from '../../src/broker/neighbours.js'
import { PluginStates } from '../../src/broker/plugins/plugin-state.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'

const name = (number: number) => number.toString(16).padStart(32, '0')
const v5 = (number: number) => ({ protocolVersion: 5, bridge: false, properties: introduction(name(number)) }) as const
const v4 = (bridge: boolean) => ({ protocolVersion: 4, bridge, properties: NO_PROPERTIES }) as const

test('two bridges are one broker’s when both have told the same name', () => {
  const neighbours = new Neighbours(() => true)
  neighbours.arrived('a', v5(1))
  assert.equal(neighbours.areOne('a', 'local'), false)
  neighbours.introduced('local', name(1))
  assert.equal(neighbours.areOne('a', 'local'), true)
  neighbours.introduced('local', name(2))
  assert.equal(neighbours.areOne('a', 'local'), false)
  for (const wrong of ['', 'x', name(1).toUpperCase().replace('0', 'A'), `${name(1)}0`]) {
    neighbours.introduced('local', wrong)
    assert.equal(neighbours.areOne('local', 'local'), false, wrong)
  }
})

test('a client that is no bridge any more is nobody’s; a bridge of 3.x is who it was until it tells another name', () => {
  const neighbours = new Neighbours(() => true)
  neighbours.arrived('a', v4(true))
  neighbours.introduced('a', name(1))
  neighbours.introduced('local', name(1))
  neighbours.arrived('a', v4(true))
  assert.equal(neighbours.areOne('a', 'local'), true)
  neighbours.arrived('a', v4(false))
  assert.equal(neighbours.areOne('a', 'local'), false)
  assert.equal(neighbours.hasGuests, false)
})

test('a thousand are remembered: those without a session make room, those with one stay', () => {
  const gone = new Set<string>()
  const neighbours = new Neighbours((clientId) => !gone.has(clientId))
  neighbours.introduced('local', name(7))
  neighbours.arrived('old', v5(7))
  for (let number = 0; number < 998; number++) neighbours.arrived(`other ${number}`, v5(7))
  neighbours.arrived('one too many', v5(7))
  assert.equal(neighbours.areOne('one too many', 'local'), false)
  assert.equal(neighbours.areOne('old', 'local'), true)
  gone.add('other 5')
  neighbours.arrived('next', v5(7))
  assert.deepEqual(
    ['next', 'old', 'other 5', 'other 4'].map((clientId) => neighbours.areOne(clientId, 'local')),
    [true, true, false, true],
  )
})

test('names outlive the broker where there is a store', () => {
  const states = new PluginStates()
  const before = new Neighbours(() => true)
  before.keepIn(states.of(''))
  assert.deepEqual(states.of('').keys(), [], 'nothing is kept where there are no bridges')
  before.arrived('a', v5(1))
  before.introduced('local', name(1))
  before.arrived('x'.repeat(2000), v5(1))
  const after = new Neighbours(() => true)
  after.keepIn(states.of(''))
  assert.equal(after.name, before.name)
  assert.equal(after.areOne('a', 'local'), true)
  assert.equal(after.hasGuests, true)
})
