// What plugins have to say about messages that a bridge brings in or carries out.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { publish } from '../../src/protocol/packets/publish.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { client, received } from '../support/deliveries.js'
import { accepted, bridged, logged, takeLines } from './bridge-kit.js'
import { line } from './plugin-kit.js'

const QUIET = 'notifications false\nbridge_attempt_unsubscribe false\n'

interface Arrival {
  readonly name: string
  readonly plugin: (note: (text: string) => undefined) => Omit<Plugin, 'name'>
  readonly version?: 4 | 5
  /** What the remote broker is answered. */
  readonly answers: readonly string[]
  /** What a subscriber here gets. */
  readonly arrives: readonly string[]
  readonly notes?: readonly string[]
}

const refusing = () => ({ publish: () => ({ refuse: ReasonCode.QUOTA_EXCEEDED }) })

const arrivals: readonly Arrival[] = [
  {
    name: 'changed',
    plugin: (note) => ({
      publish: ({ topic, payload }, { clientId, username, listener }) =>
        note(`${topic} ${payload} ${clientId} ${username} ${listener.port}`) ?? { topic: 'x/other', payload: '!' },
    }),
    answers: ['PUBACK 0x0', 'PUBREC 0x0', 'PUBREC 0x0'],
    arrives: ['x/other ! q0', 'x/other ! q1', 'x/other ! q2'],
    notes: ['x/a 0 local.r undefined 0', 'x/a 1 local.r undefined 0', 'x/a 2 local.r undefined 0'],
  },
  {
    name: 'refused in 5.0: nothing is left open',
    plugin: refusing,
    answers: ['PUBACK 0x97', 'PUBREC 0x97', 'PUBREC 0x97'],
    arrives: [],
  },
  {
    name: 'refused in 3.x, which cannot be told: the identifier stays open, so that it is asked once',
    plugin: (note) => ({ publish: ({ qos }) => note(`q${qos}`) ?? { refuse: ReasonCode.QUOTA_EXCEEDED } }),
    version: 4,
    answers: ['PUBACK 0x0', 'PUBREC 0x0', 'PUBREC 0x0'],
    arrives: [],
    notes: ['q0', 'q1', 'q2'],
  },
  {
    name: 'dropped',
    plugin: () => ({ publish: () => 'drop' }),
    answers: ['PUBACK 0x0', 'PUBREC 0x0', 'PUBREC 0x0'],
    arrives: [],
  },
  {
    name: 'moved to where nobody listens',
    plugin: (note) => ({
      publish: () => ({ topic: 'nowhere' }),
      notConsumed: ({ topic }, { clientId }) => note(`${topic} ${clientId}`),
    }),
    answers: ['PUBACK 0x10', 'PUBREC 0x10', 'PUBREC 0x0'],
    arrives: [],
    notes: ['nowhere local.r', 'nowhere local.r', 'nowhere local.r'],
  },
]

for (const { name, plugin, version = 5, answers, arrives, notes = [] } of arrivals)
  test(`what a bridge brings in: ${name}`, async (t) => {
    const noted: string[] = []
    const plugins = [{ name: 'p', ...plugin((text) => void noted.push(text)) }]
    const protocol = version === 5 ? 'mqttv50' : 'mqttv311'
    const scene = await bridged(t, `${QUIET}bridge_protocol_version ${protocol}\ntopic # in 2 x/\n`, { plugins })
    const peer = await accepted(scene, { requests: 1 })
    const sub = await client(t, scene.broker, {})
    await sub.subscribe('x/#')
    for (const qos of [0, 1, 2] as const)
      peer.send(publish({ topic: 'a', payload: Buffer.from(`${qos}`), qos, packetId: qos }))
    // Again, as after a connection that was lost: what was taken is not published twice.
    peer.send(publish({ topic: 'a', payload: Buffer.from('2'), qos: 2, packetId: 2, dup: true }))
    const got = await peer.take(3)
    assert.deepEqual(got.map(line), answers)
    assert.deepEqual(await received(sub), arrives)
    assert.deepEqual(noted, notes)
  })

test('what a bridge carries out is changed and dropped by deliver; acknowledgements are told', async (t) => {
  const noted: string[] = []
  const plugin: Plugin = {
    name: 'p',
    deliver(message, { clientId, username }, qos, retain) {
      if (clientId !== 'local.r') return undefined
      noted.push(`deliver ${message.topic} ${username} q${qos} ${retain}`)
      return message.topic === 'secret' ? 'drop' : { payload: `${message.payload}!` }
    },
    dropped: ({ topic }, { clientId }, cause) => void noted.push(`dropped ${topic} ${clientId} ${cause}`),
    acknowledged: ({ topic }, { clientId }, code) => void noted.push(`acknowledged ${topic} ${clientId} ${code}`),
  }
  const scene = await bridged(t, `${QUIET}topic # out 1\n`, { plugins: [plugin] })
  const peer = await accepted(scene)
  await logged(scene, /^Connected bridge/)
  const pub = await client(t, scene.broker, {})
  pub.publish({ topic: 'secret', payload: 's', qos: 1 })
  pub.publish({ topic: 'a', payload: 'p', qos: 1, retain: true })
  assert.deepEqual(await takeLines(peer, 1), ['a p! q1 retain'])
  peer.send({ type: PacketType.PINGRESP })
  await logged(scene, /^Received PINGRESP from local.r/)
  assert.deepEqual(noted, [
    'deliver secret undefined q1 false',
    'dropped secret local.r plugin',
    'deliver a undefined q1 true',
    'acknowledged a local.r 0',
  ])
})

test('what waits for a lazy bridge has been through deliver, QoS 0 too', async (t) => {
  const plugin: Plugin = {
    name: 'p',
    deliver: ({ topic, payload }) => (topic === 'secret' ? 'drop' : { payload: `${payload}!` }),
  }
  const lines = `${QUIET}start_type lazy\nthreshold 2\ntopic # out 1\n`
  const scene = await bridged(t, lines, { plugins: [plugin] })
  const pub = await client(t, scene.broker, {})
  for (const [topic, qos] of [
    ['secret', 0],
    ['secret', 1],
    ['a', 0],
    ['b', 1],
  ] as const)
    pub.publish({ topic, payload: 'p', qos })
  const peer = await accepted(scene)
  assert.deepEqual(await takeLines(peer, 2), ['a p! q0', 'b p! q1'])
})
