// What a bridge says to a remote broker, packet by packet (bridges.md sections 3, 4, 6 and 10), and how it takes a refusal.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connect } from '../../src/protocol/packets/connect.js'
import { publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import type { Peer } from '../client/scripted-broker.js'
import { client, publishesOf } from '../support/deliveries.js'
import { type ConnectFields, RawClient } from '../support/raw-client.js'
import { accepted, bridged, logged, nextPublish, takeLines } from './bridge-kit.js'

const V5 = 'bridge_protocol_version mqttv50\n'

test('the first packets of a bridge, as Mosquitto sends them', async (t) => {
  const scene = await bridged(t, 'topic b in 1\ntopic a/# both 2 l/ r/\ntopic c out\n')
  const peer = await scene.remote.peer()
  const connect = await peer.accept()
  assert.deepEqual(
    { ...connect, will: { ...connect.will, payload: connect.will?.payload.toString() } },
    {
      type: PacketType.CONNECT,
      protocolVersion: 4,
      bridge: true,
      cleanStart: false,
      keepAlive: 60,
      clientId: 'r',
      properties: NO_PROPERTIES,
      will: { topic: '$SYS/broker/connection/r/state', payload: '0', qos: 1, retain: true, properties: NO_PROPERTIES },
      username: undefined,
      password: undefined,
    },
  )
  const state = await peer.expect(PacketType.PUBLISH)
  assert.equal(state.topic, '$SYS/broker/connection/r/state')
  assert.deepEqual([state.payload.toString(), state.qos, state.retain], ['1', 1, true])
  for (const filter of ['b', 'r/a/#']) {
    const { subscriptions } = await peer.expect(PacketType.SUBSCRIBE)
    assert.deepEqual(
      subscriptions.map((each) => each.filter),
      [filter],
    )
  }
  assert.deepEqual((await peer.expect(PacketType.UNSUBSCRIBE)).filters, ['c'])
})

/** What lines of a bridge say in CONNECT. */
const connects: readonly { readonly lines: string; readonly conf?: string; readonly expected: Partial<Connect> }[] = [
  { lines: 'bridge_protocol_version mqttv31', expected: { protocolVersion: 3, bridge: true } },
  { lines: 'try_private false', expected: { protocolVersion: 4, bridge: false } },
  { lines: 'cleansession true\nkeepalive_interval 17', expected: { cleanStart: true, keepAlive: 17 } },
  { lines: 'remote_username u\nremote_password p w', expected: { username: 'u', password: Buffer.from('p w') } },
  { lines: `${V5}remote_password p`, expected: { username: undefined, password: Buffer.from('p') } },
  { lines: 'notifications false', expected: { will: undefined } },
  { lines: 'notifications_local_only true', expected: { will: undefined } },
  {
    lines: V5,
    expected: {
      protocolVersion: 5,
      bridge: false,
      properties: { maximumPacketSize: 2_000_000, receiveMaximum: 20, topicAliasMaximum: 10 },
    },
  },
  {
    lines: `${V5}bridge_receive_maximum 3\nbridge_max_topic_alias 0\nbridge_session_expiry_interval 4294967295`,
    conf: 'max_packet_size 1000',
    expected: { properties: { maximumPacketSize: 1000, receiveMaximum: 3, sessionExpiryInterval: 4_294_967_295 } },
  },
]

/** The properties of a CONNECT but for the name of the broker, which is made up. */
function properties({ userProperties = [], ...others }: Connect['properties']): Connect['properties'] {
  assert.ok(userProperties.every(([key, value]) => key === 'tsmq-broker' && /^[0-9a-f]{32}$/.test(value)))
  return others
}

for (const { lines, conf = '', expected } of connects)
  test(`CONNECT with ${JSON.stringify(lines)}`, async (t) => {
    const { remote } = await bridged(t, `topic # in\n${lines}`, { conf })
    const accepted = await (await remote.peer()).accept()
    const connect = { ...accepted, properties: properties(accepted.properties) }
    for (const [key, value] of Object.entries(expected))
      assert.deepEqual(new Map<string, unknown>(Object.entries(connect)).get(key), value, key)
  })

test('subscriptions of 5.0: No Local and Retain As Published, but not No Local for a shared one [MQTT-3.8.3-4]', async (t) => {
  const scene = await bridged(t, `${V5}notifications false\ntopic a in 2\ntopic $share/g/b in\n`)
  const peer = await scene.remote.peer()
  await peer.accept()
  const options = async () => (await peer.expect(PacketType.SUBSCRIBE)).subscriptions
  assert.deepEqual(await options(), [
    { filter: 'a', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 0 },
  ])
  assert.deepEqual(await options(), [
    { filter: '$share/g/b', qos: 0, noLocal: false, retainAsPublished: true, retainHandling: 0 },
  ])
})

const NAME = '0123456789abcdef0123456789abcdef'
const INTRODUCTION = /^\$SYS\/broker\/bridge\/([0-9a-f]{32})$/

test('5.0: a bridge tells whose it is and is told, unless try_private is false', async (t) => {
  for (const [lines, isTold] of [
    ['', true],
    ['try_private false\n', false],
  ] as const) {
    const scene = await bridged(t, `${V5}notifications false\n${lines}topic a in\n`)
    const { userProperties } = (await (await scene.remote.peer()).accept()).properties
    assert.equal(userProperties !== undefined, isTold)
    const asking: ConnectFields = {
      clientId: 'other',
      version: 5,
      ...(userProperties && { properties: { userProperties } }),
    }
    const { connack } = await RawClient.connect(scene.broker.port, asking)
    assert.deepEqual(connack.properties.userProperties, userProperties)
  }
})

test('3.x: a bridge tells whose it is once another has come in, and sends what is retained when it is answered', async (t) => {
  const scene = await bridged(t, 'notifications false\nbridge_attempt_unsubscribe false\ntopic # out 1\n')
  const first = await accepted(scene)
  await logged(scene, /^Connected bridge/)
  const guest = await client(t, scene.broker, { clientId: 'guest', bridge: true })
  const name = await answered(first)
  guest.send({
    type: PacketType.SUBSCRIBE,
    packetId: 1,
    properties: NO_PROPERTIES,
    subscriptions: [
      { filter: `$SYS/broker/bridge/${NAME}`, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ],
  })
  const [told] = publishesOf([await guest.expect(PacketType.PUBLISH)])
  assert.equal(told?.payload.toString(), name)
  await guest.expect(PacketType.SUBACK)
  guest.publish({ topic: 'theirs', payload: 'x', qos: 1, retain: true })
  await guest.expect(PacketType.PUBACK)
  const pub = await client(t, scene.broker, { clientId: 'pub' })
  pub.publish({ topic: 'ours', payload: 'y', qos: 1, retain: true })
  assert.deepEqual(await takeLines(first, 1), ['ours y q1 retain'])
  first.drop()
  await logged(scene, /next backoff/)
  scene.broker.advance(10)
  const second = await accepted(scene, { count: 2, sessionPresent: true })
  await logged(scene, /^Connected bridge/, 2)
  pub.publish({ topic: 'live', payload: 'z' })
  assert.equal(await answered(second, ['live']), name)
  assert.deepEqual(await takeLines(second, 1), ['ours y q1 retain'])
})

/** Takes the introduction of a bridge, behind messages to `topics`, and answers it; returns the name of its broker. */
async function answered(peer: Peer, topics: readonly string[] = []): Promise<string | undefined> {
  const packets = await peer.take(topics.length + 1)
  const messages = packets.filter((packet) => packet.type === PacketType.PUBLISH)
  assert.deepEqual(
    messages.map(({ topic }) => topic),
    topics,
  )
  const subscribe = packets.find((packet) => packet.type === PacketType.SUBSCRIBE)
  const topic = subscribe?.subscriptions[0]?.filter ?? ''
  peer.send(publish({ topic, payload: Buffer.from(NAME) }))
  const packetId = subscribe?.packetId ?? 0
  peer.send({ type: PacketType.SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [0] })
  return INTRODUCTION.exec(topic)?.[1]
}

test('bridge_attempt_unsubscribe false leaves out UNSUBSCRIBE', async (t) => {
  const scene = await bridged(t, 'bridge_attempt_unsubscribe false\nnotifications false\ntopic a out\ntopic b in\n')
  const peer = await accepted(scene, { requests: 1 })
  const pub = await client(t, scene.broker, {})
  pub.publish({ topic: 'a', payload: 'x' })
  assert.equal((await peer.expect(PacketType.PUBLISH)).topic, 'a')
})

test('a subscription that is refused is logged with the reason', async (t) => {
  const scene = await bridged(t, 'notifications false\ntopic a in\n')
  const peer = await scene.remote.peer()
  await peer.accept()
  const { packetId } = await peer.expect(PacketType.SUBSCRIBE)
  peer.send({ type: PacketType.SUBACK, packetId, properties: NO_PROPERTIES, reasonCodes: [0x80] })
  await logged(scene, /^Bridge b: subscribing to 'a' is refused: /)
})

/** One refusal after the other, each in hexadecimal, and what comes next in CONNECT. */
const refusals: readonly {
  readonly name: string
  readonly lines: string
  readonly steps: readonly (readonly [refusal: string, log: RegExp, next: (connect: Connect) => void])[]
}[] = [
  {
    name: 'a 3.x broker that does not know bridges: again without the bit',
    lines: '',
    steps: [['20020001', /not told that this is a bridge/, (next) => assert.equal(next.bridge, false)]],
  },
  {
    name: '5.0 and a broker that only knows 3.x: 3.1.1 from then on, without what 3.1.1 does not allow',
    lines: `${V5}remote_password p`,
    steps: [
      [
        '20020001',
        /MQTT 3.1.1 is used from now on/,
        (next) => assert.deepEqual([next.protocolVersion, next.bridge, next.password], [4, true, undefined]),
      ],
    ],
  },
  {
    name: '5.0 and Unsupported Protocol Version',
    lines: V5,
    steps: [['2003008400', /MQTT 3.1.1/, (next) => assert.equal(next.protocolVersion, 4)]],
  },
  {
    name: 'QoS not supported: one less each time',
    lines: V5,
    steps: [
      ['2003009b00', /QoS 1 is the highest/, (next) => assert.equal(next.will?.qos, 1)],
      ['2003009b00', /QoS 0 is the highest/, (next) => assert.equal(next.will?.qos, 0)],
    ],
  },
  {
    name: 'Retain not supported: without',
    lines: V5,
    steps: [['2003009a00', /nothing is retained there/, (next) => assert.equal(next.will?.retain, false)]],
  },
]

for (const { name, lines, steps } of refusals)
  test(name, async (t) => {
    const scene = await bridged(t, `topic a out 2\n${lines}`)
    const { broker, remote } = scene
    let peer = await remote.peer()
    await peer.expect(PacketType.CONNECT)
    for (const [at, [refusal, log, next]] of steps.entries()) {
      peer.send(refusal)
      peer.drop()
      await logged(scene, log)
      broker.advance(0.5)
      peer = await remote.peer(at + 2)
      next(await peer.expect(PacketType.CONNECT))
    }
  })

const faults: readonly { readonly name: string; readonly bytes: string; readonly log: RegExp }[] = [
  { name: '#2145 a second CONNACK', bytes: '20020000', log: /broke the protocol: packet type 2/ },
  { name: '#2145 a malformed packet', bytes: '30020005', log: /broke the protocol: packet ends inside a field/ },
  { name: 'a SUBSCRIBE from a broker', bytes: '82060001000161 00', log: /broke the protocol: SUBSCRIBE from a server/ },
  { name: 'SUBACK for nothing', bytes: '9003fff000', log: /broke the protocol: SUBACK for nothing/ },
  { name: 'QoS 3', bytes: '36050001610001', log: /broke the protocol: QoS 3/ },
  { name: 'a topic with a wildcard', bytes: '30040001237a', log: /broke the protocol: / },
  {
    name: 'a packet above max_packet_size',
    bytes: '30ffffff7f',
    log: /broke the protocol: packet of 268435460 bytes/,
  },
]

for (const { name, bytes, log } of faults)
  test(`CVE-2024-3935 ${name}: the connection ends with the reason, the broker goes on`, async (t) => {
    const scene = await bridged(t, 'topic # both\nrestart_timeout 1\n')
    const peer = await accepted(scene, { requests: 1 })
    peer.send(bytes)
    await logged(scene, /^Client local.r \[127.0.0.1:\d+\] disconnected: /)
    assert.match(scene.broker.log.findLast((each) => /^Client local.r/.test(each)) ?? '', log)
    const other = await client(t, scene.broker, { clientId: 'other' })
    await other.settled()
    scene.broker.advance(1)
    await accepted(scene, { count: 2, requests: 1 })
  })

test('bytes instead of MQTT are no bridge', async (t) => {
  const scene = await bridged(t, 'topic # both\nrestart_timeout 1\n')
  const peer = await scene.remote.peer()
  await peer.expect(PacketType.CONNECT)
  peer.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n').toString('hex'))
  await logged(scene, /^Error creating bridge b: .*HTTP/)
})

test('topic aliases go both ways, each within its limit', async (t) => {
  const scene = await bridged(t, `${V5}notifications false\nbridge_max_topic_alias 1\ntopic # both 0 l/ r/\n`)
  const peer = await accepted(scene, { properties: { topicAliasMaximum: 5 }, requests: 1 })
  const other = await client(t, scene.broker, { clientId: 'other' })
  for (const topic of ['l/a', 'l/a', 'l/b']) other.publish({ topic })
  const sent = [await nextPublish(peer), await nextPublish(peer), await nextPublish(peer)]
  assert.deepEqual(
    sent.map(({ topic, properties }) => [topic, properties.topicAlias]),
    [
      ['r/a', 1],
      ['', 1],
      ['r/b', undefined],
    ],
  )
  await other.subscribe('l/#')
  peer.send('30 07 0003 722f63 03 230001'.replace('07', '09'), '30 06 0000 03 230001')
  const first = await other.expect(PacketType.PUBLISH)
  const second = await other.expect(PacketType.PUBLISH)
  assert.deepEqual(
    [first, second].map((packet) => 'topic' in packet && packet.topic),
    ['l/c', 'l/c'],
  )
  peer.send('30 06 0000 03 230002')
  await logged(scene, /disconnected: .*topic alias 2/)
})

test('bridge_receive_maximum holds for what comes in', async (t) => {
  const scene = await bridged(t, `${V5}bridge_receive_maximum 1\ntopic # in 2\n`)
  const peer = await accepted(scene, { requests: 1 })
  peer.send('34 06 000161 0001 00', '34 06 000161 0002 00')
  await logged(scene, /disconnected: .*more than 1 messages in flight/)
})

test('a connection that stays silent is given up after keepalive_interval, and so is one that does not answer PINGREQ', async (t) => {
  const scene = await bridged(t, 'topic # in\nkeepalive_interval 10\nrestart_timeout 1\n')
  const { broker, remote } = scene
  await (await remote.peer()).expect(PacketType.CONNECT)
  broker.advance(10.5)
  await logged(scene, /^Error creating bridge b: the broker does not answer/)
  broker.advance(1.5)
  const peer = await accepted(scene, { count: 2, requests: 1 })
  broker.advance(10)
  const packets = async () => {
    for (;;) if ((await peer.next()).type === PacketType.PINGREQ) return
  }
  await packets()
  broker.advance(10.5)
  await logged(scene, /disconnected: the broker does not answer/)
})
