// mount_point: clients of one listener live below a prefix that they do not see, in everything they send and receive.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { client, join, nextPublish, payloads, received } from '../support/deliveries.js'

const acl = 'topic readwrite #\nuser ann\ntopic write site/ann/#\ntopic read site/#\n'
const conf = 'mount_point site/\nlistener 0 127.0.0.1\nsys_interval 10\nacl_file {folder}/acl'
/** Its port is that of the mounted listener. */
const mounted = await startBroker({ conf, files: { acl } })
after(() => mounted.stop())
const ports = mounted.log.flatMap((text) => / listen socket on port (\d+)/.exec(text)?.[1] ?? []).map(Number)
/** The same broker through the listener without a mount point. */
const plain: TestBroker = { ...mounted, port: ports[1] ?? 0 }

test('names are prefixed on the way in and bare on the way out, in every version', async (t) => {
  const outside = await client(t, plain, { clientId: 'outside' })
  await outside.subscribe([{ filter: '#' }])
  for (const version of [3, 4, 5] as const) {
    const inside = await client(t, mounted, { clientId: `inside-${version}`, version })
    await inside.subscribe([{ filter: 'in/+' }])
    inside.publish({ topic: `out/${version}`, payload: 'x' })
    await inside.settled()
    assert.deepEqual(await received(outside), [`site/out/${version} x q0`])
    outside.publish({ topic: 'site/in/a', payload: 'in', qos: 1 })
    outside.publish({ topic: 'in/a', payload: 'elsewhere' })
    await outside.settled()
    assert.deepEqual(await received(inside), ['in/a in q0'])
  }
})

test('# means everything below the mount point and nothing else', async (t) => {
  const inside = await client(t, mounted, { clientId: 'inside' })
  await inside.subscribe([{ filter: '#' }, { filter: '$SYS/#' }])
  const outside = await client(t, plain, { clientId: 'outside' })
  for (const topic of ['site/a', 'sitea', 'site', 'other/a', '$own/a']) outside.publish({ topic, payload: topic })
  await outside.settled()
  assert.deepEqual(await payloads(inside), ['site/a'])
})

test('retained messages', async (t) => {
  const inside = await client(t, mounted, { clientId: 'inside' })
  inside.publish({ topic: 'kept', payload: 'x', retain: true })
  await inside.subscribe([{ filter: 'kept' }])
  assert.deepEqual(await received(inside), ['kept x q0 retain'])
  const outside = await client(t, plain, { clientId: 'outside' })
  await outside.subscribe([{ filter: '+/kept' }])
  assert.deepEqual(await received(outside), ['site/kept x q0 retain'])
  inside.publish({ topic: 'kept', retain: true })
  await inside.settled()
})

test('Mosquitto 1.4.8: a will stays below the mount point', async (t) => {
  const outside = await client(t, plain, { clientId: 'outside' })
  await outside.subscribe([{ filter: '#' }])
  const leaving = await client(t, mounted, { clientId: 'leaving', will: { topic: 'gone', payload: Buffer.from('x') } })
  await leaving.drop()
  assert.equal((await nextPublish(outside)).topic, 'site/gone')
})

test('shared subscriptions and UNSUBSCRIBE', async (t) => {
  const inside = await client(t, mounted, { clientId: 'inside', version: 5 })
  await inside.subscribe([{ filter: '$share/g/a' }])
  const outside = await client(t, plain, { clientId: 'outside' })
  await outside.subscribe([{ filter: '$share/g/site/a' }])
  for (const payload of ['1', '2']) inside.publish({ topic: 'a', payload })
  // It is one group: the same share name and, with the mount point, the same filter.
  assert.deepEqual(await received(inside), ['a 1 q0'])
  assert.deepEqual(await received(outside), ['site/a 2 q0'])
  assert.deepEqual((await inside.unsubscribe('$share/g/a')).reasonCodes, [0])
})

test('topic aliases and subscription identifiers', async (t) => {
  const inside = await client(t, mounted, { clientId: 'inside', version: 5, properties: { topicAliasMaximum: 5 } })
  await inside.subscribe('aliased', { subscriptionIdentifiers: [3] })
  for (let i = 0; i < 2; i++) inside.publish({ topic: 'aliased', properties: { topicAlias: 1 } })
  inside.publish({ topic: '', properties: { topicAlias: 1 } })
  const messages = [await nextPublish(inside), await nextPublish(inside), await nextPublish(inside)]
  assert.deepEqual(
    messages.map(({ topic, properties }) => [topic, properties.topicAlias, properties.subscriptionIdentifiers]),
    [
      ['aliased', 1, [3]],
      ['', 1, [3]],
      ['', 1, [3]],
    ],
  )
})

test('the ACL sees whole names', async (t) => {
  const ann = await client(t, mounted, { clientId: 'ann', username: 'ann' })
  await ann.subscribe([{ filter: '#' }])
  for (const topic of ['ann/x', 'bob/x', 'site/ann/x']) ann.publish({ topic, payload: topic })
  assert.deepEqual(await payloads(ann), ['ann/x'])
})

test('a session of one mount point is not resumed at another: its messages would be named wrongly', async (t) => {
  const fields = { clientId: 'moving', cleanStart: false }
  const inside = await client(t, mounted, fields)
  await inside.subscribe('a')
  inside.disconnect()
  await inside.closed()
  const outside = await client(t, plain, { clientId: 'outside' })
  outside.publish({ topic: 'site/a', payload: 'x', qos: 1 })
  await outside.settled()
  const { client: moved, connack } = await join(t, plain, fields)
  assert.equal(connack.sessionPresent, false)
  assert.deepEqual(await payloads(moved), [])
})
