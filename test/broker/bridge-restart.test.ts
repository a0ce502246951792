// A bridge of a broker with `persistence true` that is stopped or killed: what waits and what is half done goes on where it was, what
// came in is acknowledged only when it is on disk, and a bridge that is no longer configured leaves nothing behind.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker } from '../support/broker-kit.js'
import { client, received } from '../support/deliveries.js'
import { FaultStore } from '../support/fault-store.js'
import { RawClient } from '../support/raw-client.js'
import { until } from '../support/until.js'
import {
  accepted,
  type BridgeScene,
  bridgeLines,
  logged,
  nextPublish,
  sendMessage,
  takeAck,
  takeLines,
} from './bridge-kit.js'

const QUIET = 'notifications false\nbridge_attempt_unsubscribe false\nrestart_timeout 1\n'

/** One broker with a bridge after the other, on the same disk. */
interface Life extends BridgeScene {
  readonly store: FaultStore
  /** Kills the broker and starts the next one with these lines of the bridge; none: without it. */
  restart(lines?: string): Promise<void>
}

async function live(t: TestContext, lines: string): Promise<Life> {
  const remote = await ScriptedBroker.start(t)
  let store = new FaultStore()
  const start = (text: string | undefined) =>
    startBroker({ conf: `persistence true\n${text === undefined ? '' : bridgeLines(remote.port, text)}`, store })
  let broker = await start(lines)
  t.after(() => broker.stop())
  return {
    remote,
    get broker() {
      return broker
    },
    get store() {
      return store
    },
    async restart(next) {
      const before = broker
      store = await store.copy()
      broker = await start(next)
      await before.stop()
    },
  }
}

test('what waits is sent after a kill, in order and once', async (t) => {
  const lines = `${QUIET}topic a/# out 2 "" r/\n`
  const life = await live(t, lines)
  const pub = await client(t, life.broker, {})
  for (const payload of ['1', '2', '3']) {
    const { packetId } = pub.publish({ topic: 'a/x', payload, qos: 2 })
    await pub.expect(PacketType.PUBREC)
    pub.ack(PacketType.PUBREL, packetId)
    await pub.expect(PacketType.PUBCOMP)
  }
  await life.restart(lines)
  const peer = await accepted(life, { count: 2, sessionPresent: true })
  assert.deepEqual(await takeLines(peer, 3), ['r/a/x 1 q2', 'r/a/x 2 q2', 'r/a/x 3 q2'])
})

test('a QoS 2 message goes on where it was: PUBLISH again before PUBREC, PUBREL after', async (t) => {
  const lines = `${QUIET}topic # out 2\n`
  const life = await live(t, lines)
  const first = await accepted(life)
  const pub = await client(t, life.broker, {})
  for (const payload of ['1', '2']) pub.publish({ topic: 'a', payload, qos: 2 })
  const [one, two] = [await nextPublish(first), await nextPublish(first)]
  first.send({ type: PacketType.PUBREC, packetId: one.packetId, reasonCode: 0, properties: NO_PROPERTIES })
  assert.equal(await takeAck(first, PacketType.PUBREL), one.packetId)
  await life.restart(lines)
  const second = await accepted(life, { count: 2, sessionPresent: true })
  assert.equal(await takeAck(second, PacketType.PUBREL), one.packetId)
  const again = await nextPublish(second)
  assert.deepEqual([again.packetId, again.dup, again.payload.toString()], [two.packetId, true, '2'])
})

test('QoS 2 from there is published once, though the broker is killed before PUBREL', async (t) => {
  const lines = `${QUIET}topic # in 2\n`
  const life = await live(t, lines)
  const sub = { clientId: 'sub', cleanStart: false }
  const before = await client(t, life.broker, sub)
  await before.subscribe('#')
  await before.drop()
  const first = await accepted(life, { requests: 1 })
  sendMessage(first, { topic: 'a', payload: 'once', qos: 2, packetId: 9 })
  assert.equal(await takeAck(first, PacketType.PUBREC), 9)
  await life.restart(lines)
  const second = await accepted(life, { count: 2, sessionPresent: true, requests: 1 })
  sendMessage(second, { topic: 'a', payload: 'once', qos: 2, packetId: 9, dup: true })
  assert.equal(await takeAck(second, PacketType.PUBREC), 9)
  second.send({ type: PacketType.PUBREL, packetId: 9, reasonCode: 0, properties: NO_PROPERTIES })
  assert.equal(await takeAck(second, PacketType.PUBCOMP), 9)
  assert.deepEqual(await received(await client(t, life.broker, sub)), ['a once q2'])
})

test('what came in is not acknowledged while it cannot be written, and is asked for again', async (t) => {
  const life = await live(t, `${QUIET}topic # in 1\n`)
  const sub = { clientId: 'sub', cleanStart: false }
  const before = await client(t, life.broker, sub)
  await before.subscribe('#')
  await before.drop()
  const peer = await accepted(life, { requests: 1 })
  life.store.failure = 'no space left on device'
  sendMessage(peer, { topic: 'a', payload: 'x', qos: 1, packetId: 1 })
  // What is written first may be something else that has changed.
  await logged(life, /^Received PUBLISH from local/)
  await logged(life, /^no space left on device/)
  // Another attempt to write it, which fails too.
  life.broker.advance(1)
  assert.deepEqual(await peer.closed(), [])
  life.store.failure = undefined
  life.broker.advance(2)
  const again = await accepted(life, { count: 2, sessionPresent: true, requests: 1 })
  sendMessage(again, { topic: 'a', payload: 'x', qos: 1, packetId: 1, dup: true })
  assert.equal(await takeAck(again, PacketType.PUBACK), 1)
})

test('what is retained and came from there is not sent back after a restart either', async (t) => {
  const lines = `${QUIET}topic # both 1\n`
  const life = await live(t, lines)
  const first = await accepted(life, { requests: 1 })
  sendMessage(first, { topic: 'theirs', payload: 'x', qos: 1, packetId: 1, retain: true })
  await takeAck(first, PacketType.PUBACK)
  const pub = await client(t, life.broker, {})
  pub.publish({ topic: 'ours', payload: 'y', retain: true, qos: 1 })
  assert.deepEqual(await takeLines(first, 1), ['ours y q1 retain'])
  await pub.expect(PacketType.PUBACK)
  await life.restart(lines)
  const second = await accepted(life, { count: 2, requests: 1 })
  const other = await client(t, life.broker, { clientId: 'other' })
  other.publish({ topic: 'last' })
  assert.deepEqual(await takeLines(second, 2), ['ours y q1 retain', 'last  q0'])
})

test('topics that are no longer shared are not sent, though they have waited', async (t) => {
  const life = await live(t, `${QUIET}topic # out 1\n`)
  const pub = await client(t, life.broker, {})
  for (const topic of ['a', 'b']) {
    pub.publish({ topic, qos: 1 })
    await pub.expect(PacketType.PUBACK)
  }
  await life.restart(`${QUIET}topic b out 1\n`)
  const peer = await accepted(life, { count: 2, sessionPresent: true })
  assert.deepEqual(await takeLines(peer, 1), ['b  q1'])
  const session = life.broker.broker.sessions.get('local.r')
  assert.deepEqual([...(session?.subscriptions.keys() ?? [])], ['b'])
})

test('a bridge that is no longer configured at the start leaves no session behind, and nobody inherits it', async (t) => {
  const life = await live(t, `${QUIET}topic # out 1\n`)
  const pub = await client(t, life.broker, {})
  pub.publish({ topic: 'a', payload: 'secret', qos: 1 })
  await pub.expect(PacketType.PUBACK)
  await life.restart()
  assert.equal(life.broker.broker.sessions.get('local.r'), undefined)
  const { connack } = await RawClient.connect(life.broker.port, { clientId: 'local.r', cleanStart: false })
  assert.equal(connack.sessionPresent, false)
})

test('a session that Mosquitto has left behind for the bridge is taken over', async (t) => {
  const life = await live(t, `${QUIET}remote_username u\ntopic x out\nlocal_clientid other\n`)
  const old = await client(t, life.broker, { clientId: 'local.r', cleanStart: false })
  await old.subscribe('a')
  await old.drop()
  await until(() => life.broker.broker.sessions.get('local.r')?.isConnected === false, 'the end of the client')
  const pub = await client(t, life.broker, {})
  pub.publish({ topic: 'a', payload: 'old', qos: 1 })
  await pub.expect(PacketType.PUBACK)
  await life.restart(`${QUIET}topic # out 1\n`)
  const peer = await accepted(life, { count: 2, sessionPresent: true })
  assert.deepEqual(await takeLines(peer, 1), ['a old q1'])
  await logged(life, /^Connected bridge/)
})
