// What a plugin asks of the broker at the wrong moment, or with what cannot be.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BrokerHandle } from '../../src/broker/plugins/broker-handle.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { lines, pluginScene } from './plugin-kit.js'

test('a client that is kicked as soon as it is connected', async () => {
  let handle: BrokerHandle | undefined
  const kicked: (boolean | undefined)[] = []
  const { connect } = await pluginScene(() => ({
    name: 'p',
    started: (given) => void (handle = given),
    connected: ({ clientId }) => void kicked.push(handle?.kick(clientId, ReasonCode.SERVER_BUSY, 'come later')),
  }))
  const client = await connect({ version: 5 })
  assert.deepEqual(lines(await client.closed()), ['DISCONNECT 0x89'])
  assert.deepEqual(kicked, [true])
})

describe('what cannot be is refused', () => {
  for (const [name, ask, says] of [
    ['kick with BANNED', (handle) => handle.kick('c', ReasonCode.BANNED), /138/],
    ['kick with success', (handle) => handle.kick('c', ReasonCode.SUCCESS), /0/],
    ['publish at QoS 7', (handle) => handle.publish({ topic: 't', qos: 7 as never }), /QoS 7/],
    [
      'publish with a property that does not fit',
      (handle) => handle.publish({ topic: 't', properties: { contentType: 'x'.repeat(65_536) } }),
      /do not fit/,
    ],
    ['retain at QoS 3', (handle) => handle.setRetained({ topic: 't', qos: 3 as never }), /QoS 3/],
  ] as const satisfies readonly [string, (handle: BrokerHandle) => unknown, RegExp][])
    test(name, async () => {
      let handle: BrokerHandle | undefined
      const { connect } = await pluginScene(() => ({ name: 'p', started: (broker) => void (handle = broker) }))
      const client = await connect({ version: 5, clientId: 'c' })
      await client.subscribe('#')
      assert.throws(() => handle && ask(handle), { name: 'RangeError', message: says })
      assert.deepEqual(lines(await client.settled()), [])
    })
})
