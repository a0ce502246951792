// When a bridge connects, to which address, what it tells of its state, and what a reload does (bridges.md sections 5, 6, 8, 9).
// Time is the broker's fake clock.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { type Peer, ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { client, nextPublish, received } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'
import { until } from '../support/until.js'
import { accepted, bridged, bridgeLines, logged, sendMessage, takeLines } from './bridge-kit.js'

const QUIET = 'notifications false\nbridge_attempt_unsubscribe false\n'
const STATE = '$SYS/broker/connection/r/state'

/** Values of the state topic there, up to the next packet of another kind. */
async function nextState(peer: Peer): Promise<string> {
  const packet = await peer.expect(PacketType.PUBLISH)
  assert.equal(packet.topic, STATE)
  assert.equal(packet.retain, true)
  return packet.payload.toString()
}

test('the state of a bridge is retained here: 0, 1 when connected, 0 when not', async (t) => {
  const scene = await bridged(t, 'topic # in\nrestart_timeout 1\n')
  const sub = await client(t, scene.broker, {})
  await sub.subscribe([{ filter: STATE, qos: 0 }])
  assert.deepEqual(await received(sub), [`${STATE} 0 q0 retain`])
  const peer = await accepted(scene, { requests: 1 })
  assert.deepEqual(await received(sub), [`${STATE} 1 q0`])
  peer.drop()
  await logged(scene, /^Client local.r \[127.0.0.1:\d+\] disconnected: connection lost: the broker closed it\.$/)
  assert.deepEqual(await received(sub), [`${STATE} 0 q0`])
})

const notifications = [
  { lines: 'notification_topic my/state\n', here: ['my/state 1 q0 retain'], there: ['my/state 1'] },
  { lines: 'notifications_local_only true\n', here: [`${STATE} 1 q0 retain`], there: [] },
  { lines: 'notifications false\n', here: [], there: [] },
] as const

for (const { lines, here, there } of notifications)
  test(`${lines.trim()}: what is told where`, async (t) => {
    const scene = await bridged(t, `topic a in\n${lines}`)
    const peer = await scene.remote.peer()
    await peer.accept()
    const told: string[] = []
    for (let packet = await peer.next(); packet.type !== PacketType.SUBSCRIBE; packet = await peer.next())
      if (packet.type === PacketType.PUBLISH) told.push(`${packet.topic} ${packet.payload}`)
    assert.deepEqual(told, [...there])
    const sub = await client(t, scene.broker, {})
    await sub.subscribe([{ filter: '#' }, { filter: `${STATE}/#` }])
    assert.deepEqual(await received(sub), [...here])
  })

test('the first lines of the log', async (t) => {
  const scene = await bridged(t, 'topic a both 1\n')
  await accepted(scene, { requests: 1 })
  await logged(scene, /^Bridge local.r sending SUBSCRIBE \(Mid: \d+, Topic: a, QoS: 1, Options: 0x00\)$/)
  const port = scene.remote.port
  const lines = scene.broker.log.filter((each) => /bridge|CONNACK/i.test(each) && !/Received CONNACK from/.test(each))
  assert.deepEqual(lines.slice(0, 5), [
    'Bridge local.r doing local SUBSCRIBE on topic a',
    `Connecting bridge b (127.0.0.1:${port})`,
    'Bridge r sending CONNECT',
    'Received CONNACK on connection local.r.',
    `Connected bridge b (127.0.0.1:${port}).`,
  ])
})

test('a broker that nobody serves: the reason, and a delay that is told', async (t) => {
  const remote = await ScriptedBroker.start(t)
  const proxy = await CuttingProxy.open(remote.port)
  const { port } = proxy
  await proxy.close()
  const broker = await startBroker({ conf: bridgeLines(port, `${QUIET}topic # in\nrestart_timeout 7\n`) })
  t.after(() => broker.stop())
  const scene = { broker, remote }
  const failure = /^Error creating bridge b: cannot connect to 127.0.0.1:\d+: connection refused\.$/
  await logged(scene, failure)
  assert.ok(broker.log.includes('Bridge b next backoff will be 7000 ms'))
  broker.advance(6.5)
  assert.equal(broker.log.filter((each) => /^Connecting/.test(each)).length, 1)
  broker.advance(0.5)
  await logged(scene, failure, 2)
})

test('a refusal is logged in words', async (t) => {
  const scene = await bridged(t, 'topic # in\nrestart_timeout 1\n')
  const peer = await scene.remote.peer()
  await peer.expect(PacketType.CONNECT)
  peer.send('20020005')
  await logged(scene, /^Error creating bridge b: Connection Refused: not authorised\.$/)
})

test('start_type once: not again after a loss', async (t) => {
  const scene = await bridged(t, `${QUIET}start_type once\ntopic # in\n`)
  const peer = await accepted(scene, { requests: 1 })
  peer.drop()
  await logged(scene, /^Bridge b stays disconnected, because its start_type is once\.$/)
  scene.broker.advance(3600)
  assert.equal(scene.broker.log.filter((each) => /^Connecting bridge/.test(each)).length, 1)
})

test('start_type lazy: connects when threshold messages wait, QoS 0 too, and leaves when nothing has passed for idle_timeout', async (t) => {
  const scene = await bridged(t, `${QUIET}start_type lazy\nthreshold 3\nidle_timeout 10\ntopic # both 1 l/ r/\n`)
  const { broker } = scene
  const pub = await client(t, broker, {})
  for (const payload of ['1', '2']) pub.publish({ topic: 'l/a', payload, qos: payload === '1' ? 1 : 0 })
  await pub.settled()
  broker.advance(60)
  assert.doesNotMatch(broker.log.join('\n'), /Connecting bridge/)
  pub.publish({ topic: 'l/a', payload: '3', qos: 1 })
  const first = await accepted(scene, { requests: 1 })
  assert.deepEqual(await takeLines(first, 3), ['r/a 1 q1', 'r/a 2 q0', 'r/a 3 q1'])
  broker.advance(9.5)
  // A message from there counts as well, PINGREQ does not.
  sendMessage(first, { topic: 'r/b', qos: 1, packetId: 1 })
  for (;;) if ((await first.next()).type === PacketType.PUBACK) break
  broker.advance(9.5)
  assert.equal(first.isClosed, false)
  broker.advance(1)
  await logged(scene, /^Bridge b disconnects: no message for 10 seconds\.$/)
  assert.ok((await first.closed()).some(({ type }) => type === PacketType.DISCONNECT))
  first.drop()
  await until(() => broker.log.some((each) => /^Client local.r .* disconnected\.$/.test(each)), 'the end')
  for (const payload of ['4', '5', '6']) pub.publish({ topic: 'l/a', payload, qos: 1 })
  const second = await accepted(scene, { count: 2, sessionPresent: true, requests: 1 })
  assert.deepEqual(await takeLines(second, 3), ['r/a 4 q1', 'r/a 5 q1', 'r/a 6 q1'])
})

/** Two remote brokers behind ways that can be cut. */
async function twoAddresses(t: TestContext, lines: string) {
  const remotes = [await ScriptedBroker.start(t), await ScriptedBroker.start(t)] as const
  const ways = [await CuttingProxy.open(remotes[0].port), await CuttingProxy.open(remotes[1].port)] as const
  t.after(() => Promise.all(ways.map((way) => way.close())))
  const [one, two] = ways
  one.isDown = true
  const address = `address 127.0.0.1:${one.port} 127.0.0.1:${two.port}`
  const conf = `connection b\n${address}\nremote_clientid r\nrestart_timeout 1\n${QUIET}topic # in\n${lines}`
  const broker: TestBroker = await startBroker({ conf })
  t.after(() => broker.stop())
  const scenes = remotes.map((remote) => ({ broker, remote }))
  const [first, second] = scenes
  if (first === undefined || second === undefined) throw new Error('two remotes')
  await logged(first, /^Bridge b next backoff/)
  broker.advance(1)
  await accepted(second, { requests: 1 })
  return { broker, first, second, one, two }
}

test('the next address after a failure, and back to the first when it is there again', async (t) => {
  const { broker, first, one, two } = await twoAddresses(t, '')
  assert.deepEqual(
    broker.log.filter((each) => /^Connecting/.test(each)),
    [`Connecting bridge b (127.0.0.1:${one.port})`, `Connecting bridge b (127.0.0.1:${two.port})`],
  )
  const before = one.attempts
  broker.advance(4.5)
  assert.equal(one.attempts, before)
  one.isDown = false
  broker.advance(0.5)
  await logged(first, /^Bridge b goes back to 127.0.0.1:\d+, which is there again\.$/)
  // The look was a connection too.
  await accepted(first, { count: 2, requests: 1 })
})

test('round_robin stays with the address that works, and goes on to the next after a loss', async (t) => {
  const { broker, first, one, two } = await twoAddresses(t, 'round_robin true\n')
  one.isDown = false
  const before = one.attempts
  broker.advance(30)
  assert.equal(one.attempts, before)
  two.cut()
  await logged(first, /^Bridge b next backoff/, 2)
  broker.advance(1)
  await accepted(first, { requests: 1 })
})

test('the end of the broker: state 0 there, then DISCONNECT', async (t) => {
  const scene = await bridged(t, 'topic a in\n')
  const peer = await accepted(scene, { requests: 1 })
  const stopped = scene.broker.stop()
  assert.equal(await nextState(peer), '0')
  await peer.expect(PacketType.DISCONNECT)
  peer.drop()
  await stopped
})

/** What a reload does, by the lines before and after it. */
async function reloadScene(t: TestContext, lines: string) {
  const scene = await bridged(t, `${QUIET}restart_timeout 1\n${lines}`)
  const reload = (next: string | undefined) =>
    scene.broker.reload({
      conf: next === undefined ? '' : `\n${bridgeLines(scene.remote.port, `${QUIET}restart_timeout 1\n${next}`)}`,
    })
  return { scene, reload, peer: await accepted(scene, { requests: 1 }) }
}

test('reload: a bridge that is removed says goodbye, and its session is gone', async (t) => {
  const { scene, reload, peer } = await reloadScene(t, 'topic a both 1\n')
  reload(undefined)
  await peer.expect(PacketType.DISCONNECT)
  peer.drop()
  await until(() => scene.broker.broker.sessions.get('local.r') === undefined, 'the end of the session')
  scene.broker.advance(60)
  assert.equal(scene.broker.log.filter((each) => /^Connecting/.test(each)).length, 1)
})

test('reload: a bridge that is added connects, one that is once too', async (t) => {
  const remote = await ScriptedBroker.start(t)
  const broker = await startBroker()
  t.after(() => broker.stop())
  broker.reload({ conf: `\n${bridgeLines(remote.port, `${QUIET}start_type once\ntopic a in\n`)}` })
  await accepted({ broker, remote }, { requests: 1 })
})

test('reload: a bridge that has not changed stays, even if its lines have moved', async (t) => {
  const { scene, peer } = await reloadScene(t, 'topic a in\n')
  scene.broker.reload({
    conf: `# moved\n\n${bridgeLines(scene.remote.port, `${QUIET}restart_timeout 1\ntopic a in\n`)}`,
  })
  scene.broker.advance(5)
  assert.equal(peer.isClosed, false)
})

test('bridge_reload_type lazy: new topics with the next connection', async (t) => {
  const { scene, reload, peer } = await reloadScene(t, 'topic a in\n')
  reload('topic b in\n')
  scene.broker.advance(5)
  assert.equal(peer.isClosed, false)
  peer.drop()
  await logged(scene, /disconnected/)
  scene.broker.advance(1)
  const again = await scene.remote.peer(2)
  await again.accept()
  assert.equal((await again.expect(PacketType.SUBSCRIBE)).subscriptions[0]?.filter, 'b')
})

test('bridge_reload_type immediate: at once, and what waits goes on waiting', async (t) => {
  const { scene, reload, peer } = await reloadScene(t, 'topic a/# both 1\n')
  const pub = await client(t, scene.broker, {})
  pub.publish({ topic: 'a/1', payload: 'x', qos: 1 })
  for (;;) if ((await peer.next()).type === PacketType.PUBLISH) break
  reload('bridge_reload_type immediate\ntopic a/# both 1 "" r/\n')
  await peer.closed()
  pub.publish({ topic: 'a/2', payload: 'y', qos: 1 })
  const again = await accepted(scene, { count: 2, requests: 1 })
  assert.deepEqual(await takeLines(again, 2), ['r/a/1 x q1', 'r/a/2 y q1'])
})

test('reload: another local_clientid is another session', async (t) => {
  const { scene, reload } = await reloadScene(t, 'topic a/# both 1\n')
  reload('bridge_reload_type immediate\nlocal_clientid other\ntopic a/# both 1\n')
  const peer = await scene.remote.peer()
  peer.drop()
  await accepted(scene, { count: 2, requests: 1 })
  const { sessions } = scene.broker.broker
  assert.equal(sessions.get('local.r'), undefined)
  assert.equal(sessions.get('other')?.isConnected, true)
})

test('a bridge counts as a connection and its packets in $SYS', async (t) => {
  const scene = await bridged(t, `${QUIET}topic a in\n`)
  const peer = await accepted(scene, { requests: 1 })
  sendMessage(peer, { topic: 'a', payload: 'xyz', qos: 1, packetId: 1 })
  for (;;) if ((await peer.next()).type === PacketType.PUBACK) break
  scene.broker.advance(10)
  const sub = await client(t, scene.broker, {})
  const topics = ['clients/connected', 'publish/bytes/received', 'mqtt/puback/sent', 'mqtt/publish/received']
  await sub.subscribe(topics.map((topic) => ({ filter: `$SYS/broker/${topic}` })))
  assert.deepEqual(
    (await received(sub)).map((each) => each.split(' ').slice(0, 2).join(' ').slice(12)),
    [`${topics[0]} 1`, `${topics[1]} 3`, `${topics[2]} 1`, `${topics[3]} 1`],
  )
})

test('listBridges tells name, ids, address, whether it is connected and what waits', async (t) => {
  const conf = 'enable_control_api true\n'
  const scene = await bridged(t, `${QUIET}topic # out 1\nrestart_timeout 1\n`, { conf })
  const admin = await client(t, scene.broker, { clientId: 'admin' })
  await admin.subscribe('$CONTROL/broker/v1/response')
  const listed = async () => {
    admin.publish({ topic: '$CONTROL/broker/v1', payload: '{"commands":[{"command":"listBridges"}]}' })
    const answer = await nextAnswer(admin)
    return answer.responses[0].data.bridges
  }
  const bridge = { name: 'b', clientid: 'r', localClientid: 'local.r', address: `127.0.0.1:${scene.remote.port}` }
  const peer = await accepted(scene)
  await logged(scene, /^Connected bridge/)
  assert.deepEqual(await listed(), [{ ...bridge, connected: true, queuedMessages: 0 }])
  peer.drop()
  await logged(scene, /disconnected/)
  const pub = await client(t, scene.broker, { clientId: 'pub' })
  pub.publish({ topic: 'a', qos: 1 })
  await pub.expect(PacketType.PUBACK)
  assert.deepEqual(await listed(), [{ ...bridge, connected: false, queuedMessages: 1 }])
})

async function nextAnswer(admin: RawClient) {
  return JSON.parse((await nextPublish(admin)).payload.toString())
}
