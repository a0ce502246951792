// Messages over a bridge (bridges.md section 3): both directions, names, QoS, RETAIN, sizes, what waits while there is no connection,
// and what is not sent back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { client, line, received } from '../support/deliveries.js'
import { RawClient } from '../support/raw-client.js'
import { accepted, bridged, bridgeLines, logged, nextPublish, sendMessage, takeAck, takeLines } from './bridge-kit.js'

const QUIET = 'notifications false\nbridge_attempt_unsubscribe false\nrestart_timeout 1\n'
const V5 = 'bridge_protocol_version mqttv50\n'

/** Publishes and waits until the broker has dealt with it. */
async function publish(from: RawClient, ...messages: readonly Parameters<RawClient['publish']>[0][]): Promise<void> {
  for (const message of messages) from.publish(message)
  await from.settled()
}

test('out: under the name it has there, at the lower QoS of message and entry, RETAIN as published', async (t) => {
  const scene = await bridged(t, `${QUIET}topic a/# out 1 l/ r/\n`)
  const peer = await accepted(scene)
  const pub = await client(t, scene.broker, {})
  await publish(
    pub,
    { topic: 'l/a/1', payload: 'x', qos: 2 },
    { topic: 'l/a/2', payload: 'y' },
    { topic: 'l/a/3', payload: 'z', qos: 1, retain: true },
    { topic: 'a/4', payload: 'not shared', qos: 1 },
    { topic: 'l/a/5', payload: '', qos: 1 },
  )
  assert.deepEqual(await takeLines(peer, 4), ['r/a/1 x q1', 'r/a/2 y q0', 'r/a/3 z q1 retain', 'r/a/5  q1'])
})

test('in: under the name it has here, with the publisher and rights of the bridge', async (t) => {
  const scene = await bridged(t, `${QUIET}topic a/# in 2 l/ r/\ntopic plain in\n`)
  const peer = await accepted(scene, { requests: 2 })
  const sub = await client(t, scene.broker, {})
  await sub.subscribe('#')
  sendMessage(peer, { topic: 'r/a/1', payload: 'x', qos: 1, packetId: 1 })
  sendMessage(peer, { topic: 'r/a/2', payload: 'y', qos: 2, packetId: 2, retain: true })
  sendMessage(peer, { topic: 'plain', payload: 'z' })
  assert.deepEqual(await peer.next(), {
    type: PacketType.PUBACK,
    packetId: 1,
    reasonCode: 0,
    properties: NO_PROPERTIES,
  })
  assert.equal(await takeAck(peer, PacketType.PUBREC), 2)
  const lines: string[] = []
  while (lines.length < 3) {
    const packet = await sub.next()
    if (packet.type !== PacketType.PUBLISH) continue
    lines.push(line(packet))
    if (packet.qos === 1) sub.ack(PacketType.PUBACK, packet.packetId)
  }
  assert.deepEqual(lines, ['l/a/1 x q1', 'l/a/2 y q2', 'plain z q0'])
  const late = await client(t, scene.broker, { clientId: 'late' })
  await late.subscribe([{ filter: 'l/#' }])
  assert.deepEqual(await received(late), ['l/a/2 y q0 retain'])
})

const PER_LISTENER = 'per_listener_settings true\nallow_anonymous true'

const strangers: readonly {
  readonly name: string
  readonly topic: string
  readonly lines: string
  readonly conf?: string
}[] = [
  { name: 'that was not asked for', topic: 'other', lines: 'topic a in 1 l/\n' },
  { name: 'of the remote prefix without the rest', topic: 'r/', lines: 'topic a in 1 l/ r/\n' },
  { name: 'of the broker itself', topic: '$SYS/broker/uptime', lines: 'topic # in 1\n' },
  { name: 'that becomes too deep', topic: 'x/'.repeat(198), lines: 'topic # in 1 a/b/\n' },
  {
    name: 'to $CONTROL with per_listener_settings',
    topic: '$CONTROL/x',
    lines: 'topic $CONTROL/# in 1\n',
    conf: PER_LISTENER,
  },
  { name: 'above message_size_limit', topic: 'a', lines: 'topic # in 1\n', conf: 'message_size_limit 1' },
]

for (const { name, topic, lines, conf = '' } of strangers)
  test(`CVE-2024-3935 a message ${name} goes nowhere, and is told of once`, async (t) => {
    const scene = await bridged(t, `${QUIET}${lines}`, { conf })
    const peer = await accepted(scene, { requests: 1 })
    const sub = await client(t, scene.broker, {})
    await sub.subscribe([{ filter: '#' }, { filter: '$CONTROL/#' }])
    for (const packetId of [1, 2]) sendMessage(peer, { topic, payload: 'xx', qos: 1, packetId })
    for (const packetId of [1, 2]) assert.equal(await takeAck(peer, PacketType.PUBACK), packetId)
    assert.deepEqual(await received(sub), [])
    assert.equal(scene.broker.log.filter((each) => /came in over local.r is dropped/.test(each)).length, 1)
  })

test('a refusal is told in 5.0, and leaves no identifier open', async (t) => {
  const scene = await bridged(t, `${QUIET}${V5}bridge_receive_maximum 1\ntopic a in 2\n`)
  const peer = await accepted(scene, { requests: 1 })
  for (const packetId of [1, 2]) sendMessage(peer, { topic: 'b', qos: 2, packetId })
  for (const packetId of [1, 2])
    assert.deepEqual(await peer.next(), {
      type: PacketType.PUBREC,
      packetId,
      reasonCode: 0x87,
      properties: NO_PROPERTIES,
    })
})

test('what came in over a bridge does not go back by it', async (t) => {
  const scene = await bridged(t, `${QUIET}topic # both 1\n`)
  const peer = await accepted(scene, { requests: 1 })
  sendMessage(peer, { topic: 'a', payload: 'from there', qos: 1, packetId: 1, retain: true })
  await takeAck(peer, PacketType.PUBACK)
  await publish(await client(t, scene.broker, {}), { topic: 'b', payload: 'from here' })
  assert.deepEqual(await takeLines(peer, 1), ['b from here q0'])
  // Nor when it connects again and sends what is retained.
  peer.drop()
  await logged(scene, /next backoff/)
  scene.broker.advance(1)
  const again = await accepted(scene, { count: 2, requests: 1 })
  await publish(await client(t, scene.broker, {}), { topic: 'c' })
  assert.deepEqual(await takeLines(again, 1), ['c  q0'])
})

test('a message that matches several entries is sent once, also after it has waited', async (t) => {
  const scene = await bridged(t, `${QUIET}${V5}topic a/# out 1\ntopic a/b out 2\n`)
  const pub = await client(t, scene.broker, {})
  await publish(pub, { topic: 'a/b', payload: '1', qos: 2 })
  const peer = await accepted(scene)
  await publish(pub, { topic: 'a/b', payload: '2', qos: 2 }, { topic: 'a/c', payload: '3', qos: 2 })
  assert.deepEqual(await takeLines(peer, 3), ['a/b 1 q2', 'a/b 2 q2', 'a/c 3 q1'])
})

test('properties cross in 5.0, those of the connection do not', async (t) => {
  const scene = await bridged(t, `${QUIET}${V5}topic # both 1 l/ r/\n`)
  const peer = await accepted(scene, { requests: 1 })
  const properties: Properties = {
    contentType: 'text/plain',
    correlationData: Buffer.from('c'),
    userProperties: [['k', 'v']],
    messageExpiryInterval: 100,
  }
  const other = await client(t, scene.broker, { clientId: 'other', version: 5 })
  other.publish({ topic: 'l/a', properties })
  assert.deepEqual((await nextPublish(peer)).properties, properties)
  await other.subscribe('l/#', { subscriptionIdentifiers: [7] })
  sendMessage(peer, { topic: 'r/b', properties: { ...properties, topicAlias: 1 } })
  const packet = await other.expect(PacketType.PUBLISH)
  const got = packet.type === PacketType.PUBLISH ? packet.properties : NO_PROPERTIES
  assert.deepEqual(got, { ...properties, subscriptionIdentifiers: [7] })
})

test('large payloads cross both ways', async (t) => {
  const scene = await bridged(t, `${QUIET}topic # both 1 l/ r/\n`)
  const peer = await accepted(scene, { requests: 1 })
  const payload = 'large '.repeat(50_000)
  const other = await client(t, scene.broker, { clientId: 'other' })
  await other.subscribe('l/in')
  other.publish({ topic: 'l/out', payload })
  assert.equal((await nextPublish(peer)).payload.toString(), payload)
  sendMessage(peer, { topic: 'r/in', payload, qos: 1, packetId: 1 })
  const packet = await other.expect(PacketType.PUBLISH)
  assert.equal(packet.type === PacketType.PUBLISH && packet.payload.toString(), payload)
})

const limited: readonly {
  readonly name: string
  readonly lines: string
  readonly properties?: Properties
  readonly expected: readonly string[]
}[] = [
  { name: 'bridge_outgoing_retain false', lines: 'bridge_outgoing_retain false\n', expected: ['a x q2', 'b y q0'] },
  { name: 'Retain Available 0', lines: V5, properties: { retainAvailable: 0 }, expected: ['a x q2', 'b y q0'] },
  { name: 'Maximum QoS 1', lines: V5, properties: { maximumQos: 1 }, expected: ['a x q1 retain', 'b y q0'] },
  { name: 'Maximum QoS 0', lines: V5, properties: { maximumQos: 0 }, expected: ['a x q0 retain', 'b y q0'] },
  { name: 'no limit', lines: V5, expected: ['a x q2 retain', 'b y q0'] },
]

for (const { name, lines, properties = NO_PROPERTIES, expected } of limited)
  test(`${name}, for what waited and what comes`, async (t) => {
    const scene = await bridged(t, `${QUIET}${lines}topic # out 2\n`)
    const pub = await client(t, scene.broker, {})
    await publish(pub, { topic: 'a', payload: 'x', qos: 2, retain: true })
    const peer = await accepted(scene, { properties })
    await publish(pub, { topic: 'b', payload: 'y' })
    assert.deepEqual(await takeLines(peer, 2), expected)
    await publish(pub, { topic: 'a', payload: 'x', qos: 2, retain: true })
    assert.deepEqual(await takeLines(peer, 1), [expected[0]])
  })

for (const { name, lines, properties } of [
  { name: 'bridge_max_packet_size', lines: 'bridge_max_packet_size 20\n', properties: NO_PROPERTIES },
  { name: 'Maximum Packet Size', lines: V5, properties: { maximumPacketSize: 20 } },
])
  test(`${name}: what is larger is dropped with a line in the log, and does not block the rest`, async (t) => {
    const scene = await bridged(t, `${QUIET}${lines}topic # out 1\n`)
    const peer = await accepted(scene, { properties })
    const pub = await client(t, scene.broker, {})
    const large = 'x'.repeat(20)
    await publish(pub, { topic: 'a', payload: large, qos: 1 }, { topic: 'b', payload: large }, { topic: 'c', qos: 1 })
    assert.deepEqual(await takeLines(peer, 1), ['c  q1'])
    await logged(scene, /local.r: a message to 'a' is dropped, its packet of \d+ bytes is larger than 20/)
  })

test('Receive Maximum is kept, the announcement included', async (t) => {
  const scene = await bridged(t, `${V5}topic # out 1\n`)
  const pub = await client(t, scene.broker, {})
  const messages = ['1', '2', '3', '4'].map((payload) => ({ topic: 'a', payload, qos: 1 as const }))
  await publish(pub, ...messages)
  const peer = await accepted(scene, { properties: { receiveMaximum: 2 }, requests: 1 })
  await publish(pub, { topic: 'a', payload: 'qos 0' })
  // One for the announcement, one for these.
  assert.equal((await nextPublish(peer)).payload.toString(), '1')
  assert.equal((await nextPublish(peer)).payload.toString(), 'qos 0')
})

test('what is retained here goes out with each connection', async (t) => {
  const scene = await bridged(t, `${QUIET}topic s/# out 1 "" r/\n`)
  const pub = await client(t, scene.broker, {})
  const first = await accepted(scene)
  await publish(
    pub,
    { topic: 's/a', payload: '1', retain: true, qos: 1 },
    { topic: 'other', payload: '2', retain: true },
  )
  assert.deepEqual(await takeLines(first, 1), ['r/s/a 1 q1 retain'])
  first.drop()
  await logged(scene, /next backoff/)
  await publish(pub, { topic: 's/b', payload: '3', retain: true, qos: 1 })
  scene.broker.advance(1)
  const second = await accepted(scene, { count: 2, sessionPresent: true })
  // What has waited is not sent a second time because it is retained too.
  assert.deepEqual(await takeLines(second, 2), ['r/s/b 3 q1 retain', 'r/s/a 1 q1 retain'])
  await publish(pub, { topic: 's/c', payload: '4' })
  assert.deepEqual(await takeLines(second, 1), ['r/s/c 4 q0'])
})

test('QoS 1 and 2 wait, from the start of the broker on, and go out once, in order', async (t) => {
  const scene = await bridged(t, `${QUIET}topic # out 2\n`)
  const pub = await client(t, scene.broker, {})
  const texts = Array.from({ length: 50 }, (_, index) => `${index}`)
  await publish(pub, ...texts.map((payload, index) => ({ topic: 'a', payload, qos: ((index % 2) + 1) as 1 | 2 })))
  await publish(pub, { topic: 'a', payload: 'QoS 0 does not wait' })
  const peer = await accepted(scene)
  assert.deepEqual(
    await takeLines(peer, 50),
    texts.map((payload, index) => `a ${payload} q${(index % 2) + 1}`),
  )
})

for (const sessionPresent of [true, false])
  test(`what is on its way when the connection breaks ${sessionPresent ? 'is repeated' : 'is new to a broker that has forgotten it'}`, async (t) => {
    const scene = await bridged(t, `${QUIET}topic # out 2\n`)
    const pub = await client(t, scene.broker, {})
    const first = await accepted(scene)
    await publish(
      pub,
      { topic: 'a', payload: '1', qos: 2 },
      { topic: 'a', payload: '2', qos: 2 },
      { topic: 'a', payload: '3', qos: 1 },
    )
    const ids = [await nextPublish(first), await nextPublish(first), await nextPublish(first)].map(
      (packet) => packet.packetId,
    )
    // The first is the remote broker's own.
    first.send({ type: PacketType.PUBREC, packetId: ids[0] ?? 0, reasonCode: 0, properties: NO_PROPERTIES })
    await takeAck(first, PacketType.PUBREL)
    first.drop()
    await logged(scene, /next backoff/)
    scene.broker.advance(1)
    const second = await accepted(scene, { count: 2, sessionPresent })
    if (sessionPresent) assert.equal(await takeAck(second, PacketType.PUBREL), ids[0])
    const dup = sessionPresent ? ' dup' : ''
    assert.deepEqual(await takeLines(second, 2), [`a 2 q2${dup}`, `a 3 q1${dup}`])
  })

test('QoS 2 from there is published once, whatever is repeated, unless the remote broker has begun anew', async (t) => {
  const scene = await bridged(t, `${QUIET}topic # in 2\n`)
  const sub = await client(t, scene.broker, {})
  await sub.subscribe([{ filter: '#', qos: 0 }])
  const first = await accepted(scene, { requests: 1 })
  sendMessage(first, { topic: 'a', payload: '1', qos: 2, packetId: 5 })
  await takeAck(first, PacketType.PUBREC)
  const reconnect = async (count: number, sessionPresent: boolean) => {
    await logged(scene, /next backoff/, count - 1)
    scene.broker.advance(1)
    const peer = await accepted(scene, { count, sessionPresent, requests: 1 })
    sendMessage(peer, { topic: 'a', payload: `${count}`, qos: 2, packetId: 5, dup: sessionPresent })
    await takeAck(peer, PacketType.PUBREC)
    return peer
  }
  first.drop()
  const second = await reconnect(2, true)
  second.drop()
  const third = await reconnect(3, false)
  third.send({ type: PacketType.PUBREL, packetId: 5, reasonCode: 0, properties: NO_PROPERTIES })
  await takeAck(third, PacketType.PUBCOMP)
  assert.deepEqual(await received(sub), ['a 1 q0', 'a 3 q0'])
})

test('local_cleansession true: nothing waits', async (t) => {
  const scene = await bridged(t, `${QUIET}cleansession true\ntopic # out 1\n`)
  const pub = await client(t, scene.broker, {})
  await publish(pub, { topic: 'a', payload: 'before', qos: 1 })
  const first = await accepted(scene)
  await publish(pub, { topic: 'a', payload: '1', qos: 1 })
  assert.deepEqual(await takeLines(first, 1), ['a 1 q1'])
  first.drop()
  await logged(scene, /next backoff/)
  await publish(pub, { topic: 'a', payload: 'meanwhile', qos: 1 })
  scene.broker.advance(1)
  const second = await accepted(scene, { count: 2 })
  await publish(pub, { topic: 'a', payload: '2', qos: 1 })
  assert.deepEqual(await takeLines(second, 1), ['a 2 q1'])
})

test('QoS 0 waits with queue_qos0_messages, and max_queued_messages holds', async (t) => {
  const conf = 'queue_qos0_messages true\nmax_queued_messages 2'
  const scene = await bridged(t, `${QUIET}topic # out 1\n`, { conf })
  const pub = await client(t, scene.broker, {})
  await publish(
    pub,
    { topic: 'a', payload: '1' },
    { topic: 'a', payload: '2', qos: 1 },
    { topic: 'a', payload: '3', qos: 1 },
  )
  assert.deepEqual(await takeLines(await accepted(scene), 2), ['a 1 q0', 'a 2 q1'])
  await logged(scene, /^Outgoing messages are being dropped for client local.r/)
})

test('a client may not take the session of a bridge', async (t) => {
  const scene = await bridged(t, `${QUIET}topic # out 1\n`)
  const pub = await client(t, scene.broker, {})
  await publish(pub, { topic: 'a', payload: '1', qos: 1 })
  const { connack } = await RawClient.connect(scene.broker.port, {
    clientId: 'local.r',
    cleanStart: false,
  })
  assert.equal(connack.reasonCode, 2)
  await logged(scene, /the client id is that of a bridge/)
  assert.deepEqual(await takeLines(await accepted(scene), 1), ['a 1 q1'])
})

test('persistent_client_expiration does not end the session of a bridge', async (t) => {
  const conf = 'persistent_client_expiration 1h'
  const lines = `${QUIET}topic # out 1\n`
  const scene = await bridged(t, lines, { conf })
  const peer = await accepted(scene)
  peer.drop()
  await logged(scene, /next backoff/)
  scene.broker.reload({ conf: `${conf}\n${bridgeLines(scene.remote.port, lines)}` })
  scene.broker.advance(7200)
  assert.doesNotMatch(scene.broker.log.join('\n'), /Expiring client local.r/)
})
