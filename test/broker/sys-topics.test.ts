// The `$SYS` topics (spec: sys-topics.md sections 1 and 2): which there are, their first values, when they are published, and that
// they count right.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { LoadAverages } from '../../src/broker/admin/load-averages.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { client, publishesOf } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

/** Section 2, without the topics of bridges and of the log. */
const GAUGES =
  `clients/total clients/maximum clients/connected clients/active clients/disconnected clients/inactive clients/expired
  messages/received messages/sent messages/stored store/messages/count store/messages/bytes subscriptions/count
  shared_subscriptions/count heap/current heap/maximum bytes/received bytes/sent publish/bytes/received
  publish/bytes/sent publish/messages/received publish/messages/sent publish/messages/dropped packet/out/count
  packet/out/bytes connections/socket/count`.split(/\s+/)
const LOADS =
  `messages/received messages/sent publish/dropped publish/received publish/sent bytes/received bytes/sent sockets
  connections`.split(/\s+/)
/** MQTT 5.0 table 2-1. */
const PACKETS =
  `connect connack publish puback pubrec pubrel pubcomp subscribe suback unsubscribe unsuback pingreq pingresp disconnect
  auth`.split(/\s+/)
const ALL = [
  'version',
  'uptime',
  ...GAUGES,
  'retained messages/count',
  ...LOADS.flatMap((load) => ['1min', '5min', '15min'].map((period) => `load/${load}/${period}`)),
  ...PACKETS.flatMap((name) => [`mqtt/${name}/received`, `mqtt/${name}/sent`]),
]

type Values = Record<string, string>

/** What has arrived at `from` up to now, by topic behind `$SYS/broker/`. */
async function values(from: RawClient): Promise<Values> {
  const messages = publishesOf(await from.settled())
  return Object.fromEntries(messages.map(({ topic, payload }) => [topic.slice('$SYS/broker/'.length), `${payload}`]))
}

async function watching(t: TestContext, broker: TestBroker): Promise<RawClient> {
  const watcher = await client(t, broker, { clientId: 'watcher' })
  await watcher.subscribe([{ filter: '$SYS/#' }])
  return watcher
}

async function running(t: TestContext, conf = ''): Promise<TestBroker> {
  const broker = await startBroker({ conf })
  t.after(() => broker.stop())
  return broker
}

describe('at the start', async () => {
  const broker = await startBroker()
  after(() => broker.stop())

  test('every topic is there, retained, with its first value', async (t) => {
    const watcher = await client(t, broker, { clientId: 'first' })
    await watcher.subscribe([{ filter: '$SYS/#' }])
    const messages = publishesOf(await watcher.settled())
    assert.ok(messages.every(({ retain }) => retain))
    const first = Object.fromEntries(messages.map(({ topic, payload }) => [topic.slice(12), `${payload}`]))
    assert.deepEqual(Object.keys(first).sort(), [...ALL].sort())
    assert.equal(first.version, 'tsmq version test')
    assert.equal(first.uptime, '0 seconds')
    assert.equal(first['retained messages/count'], String(ALL.length))
    for (const topic of ALL)
      if (topic.startsWith('load/')) assert.equal(first[topic], '0.00')
      else if (/^(clients|mqtt|bytes|publish|packet|messages.(sent|received))\b/.test(topic))
        assert.equal(first[topic], '0', topic)
    assert.ok(Number(first['heap/current']) > 1_000_000)
  })

  test('at most QoS 2, and never for a wildcard in the first level', async (t) => {
    const watcher = await client(t, broker, { clientId: 'wild' })
    await watcher.subscribe([{ filter: '#' }, { filter: '+/broker/version' }])
    assert.deepEqual(await watcher.settled(), [])
    await watcher.subscribe([{ filter: '$SYS/broker/version', qos: 2 }])
    assert.equal((publishesOf(await watcher.settled())[0] ?? { qos: undefined }).qos, 2)
  })
})

test('sys_interval 0: none at all', async (t) => {
  const watcher = await watching(t, await running(t, 'sys_interval 0'))
  assert.deepEqual(await values(watcher), {})
})

test('published at whole multiples of sys_interval, what has changed and the uptime', async (t) => {
  // The clock of the tests starts at 1,700,000,000 s: the next multiple of 7 is one second off.
  assert.equal(1_700_000_000 % 7, 6)
  const broker = await running(t, 'sys_interval 7')
  const watcher = await watching(t, broker)
  await values(watcher)
  broker.advance(0.5)
  assert.deepEqual(await values(watcher), {})
  broker.advance(0.5)
  const changed = await values(watcher)
  assert.equal(changed.uptime, '1 seconds')
  assert.equal(changed.version, undefined)
  assert.equal(changed['clients/connected'], '1')
  assert.equal(changed['mqtt/subscribe/received'], '1')
  assert.equal(changed['mqtt/unsubscribe/received'], undefined)
  broker.advance(6.5)
  assert.deepEqual(await values(watcher), {})
  broker.advance(0.5)
  assert.equal((await values(watcher)).uptime, '8 seconds')
})

test('clients, subscriptions, retained and stored messages', async (t) => {
  const broker = await running(t)
  const watcher = await watching(t, broker)
  const away = await client(t, broker, { clientId: 'away', cleanStart: false })
  await away.subscribe([{ filter: 'q', qos: 1 }, { filter: '$share/g/q' }])
  await away.drop()
  const short = await client(t, broker, { clientId: 'short', version: 5, properties: { sessionExpiryInterval: 2 } })
  await short.drop()
  const publisher = await client(t, broker, { clientId: 'publisher' })
  publisher.publish({ topic: 'q', payload: '12345', qos: 1 })
  publisher.publish({ topic: 'r', payload: '123', retain: true })
  await publisher.settled()
  await values(watcher)
  broker.advance(10)
  const now = await values(watcher)
  const sysBytes = Number(now['store/messages/bytes']) - 8
  const expected: Values = {
    'clients/total': '3',
    'clients/maximum': '4',
    'clients/connected': '2',
    'clients/active': '2',
    'clients/disconnected': '1',
    'clients/inactive': '1',
    'clients/expired': '1',
    'subscriptions/count': '2',
    'shared_subscriptions/count': '1',
    'retained messages/count': String(ALL.length + 1),
    'messages/stored': String(ALL.length + 2),
    'store/messages/count': String(ALL.length + 2),
    'connections/socket/count': '4',
  }
  for (const [topic, value] of Object.entries(expected)) assert.equal(now[topic], value, topic)
  // What the values of $SYS themselves take.
  assert.ok(sysBytes > ALL.length && sysBytes < ALL.length * 20)
})

test('packets and bytes are counted while the connection lasts, and not lost at its end', async (t) => {
  const broker = await running(t)
  const one = await client(t, broker, { clientId: 'one' })
  await one.subscribe([{ filter: 'a', qos: 2 }])
  one.publish({ topic: 'a', payload: 'xyz', qos: 0 })
  one.publish({ topic: 'a', payload: 'xyz', qos: 1, packetId: 1 })
  one.publish({ topic: 'a', payload: 'xyz', qos: 2, packetId: 2 })
  await one.settled()
  one.ack(PacketType.PUBREL, 2)
  await one.settled()
  const sent = {
    // CONNECT 17, SUBSCRIBE 8, PUBLISH 8, 10 and 10, PINGREQ 2 and 2, PUBREL 4
    'bytes/received': 17 + 8 + 8 + 10 + 10 + 2 + 4 + 2,
    // CONNACK 4, SUBACK 5, PUBACK 4, PUBREC 4, PUBCOMP 4, PUBLISH as they came, PINGRESP twice
    'bytes/sent': 4 + 5 + 4 + 4 + 4 + 8 + 10 + 10 + 2 + 2,
    'messages/received': 8,
    'messages/sent': 10,
    'publish/messages/received': 3,
    'publish/messages/sent': 3,
    'publish/bytes/received': 9,
    'publish/bytes/sent': 9,
    'mqtt/connect/received': 1,
    'mqtt/connack/sent': 1,
    'mqtt/subscribe/received': 1,
    'mqtt/suback/sent': 1,
    'mqtt/publish/received': 3,
    'mqtt/publish/sent': 3,
    'mqtt/puback/sent': 1,
    'mqtt/pubrec/sent': 1,
    'mqtt/pubrel/received': 1,
    'mqtt/pubcomp/sent': 1,
    'mqtt/pingreq/received': 2,
    'mqtt/pingresp/sent': 2,
    'mqtt/puback/received': undefined,
    'packet/out/bytes': undefined,
  }
  broker.advance(10)
  const reader = async () => {
    const watcher = await client(t, broker, { clientId: 'reader' })
    await watcher.subscribe([{ filter: '$SYS/#' }])
    const all = await values(watcher)
    await watcher.drop()
    return all
  }
  const open = await reader()
  for (const [topic, count] of Object.entries(sent)) assert.equal(open[topic], String(count ?? 0), topic)
  one.disconnect()
  await one.closed()
  broker.advance(10)
  const closed = await reader()
  assert.equal(closed['mqtt/disconnect/received'], '1')
  assert.ok(Number(closed['bytes/received']) >= sent['bytes/received'] + 2)
  assert.ok(Number(closed['bytes/sent']) > sent['bytes/sent'])
})

test('bytes and writes that wait for a client that does not read, and what is dropped', async (t) => {
  const broker = await running(t, 'max_outgoing_bytes 100000')
  const deaf = await client(t, broker, { clientId: 'deaf' })
  await deaf.subscribe([{ filter: 'flood' }])
  deaf.pause()
  const publisher = await client(t, broker, { clientId: 'publisher' })
  const watcher = await watching(t, broker)
  const payload = Buffer.alloc(100_000)
  let known: Values = {}
  for (let rounds = 0; rounds < 200; rounds++) {
    publisher.publish({ topic: 'flood', payload })
    await publisher.settled()
    if (rounds % 20 !== 19) continue
    broker.advance(10)
    known = { ...known, ...(await values(watcher)) }
    if (known['publish/messages/dropped'] === '0') continue
    assert.ok(Number(known['packet/out/bytes']) >= 100_000)
    assert.ok(Number(known['packet/out/count']) >= 1)
    return
  }
  assert.fail('nothing was dropped')
})

describe('load averages', () => {
  test('the formula: from 0 towards the rate per minute', () => {
    const averages = new LoadAverages(0)
    const told = (count: number, seconds: number) =>
      Object.fromEntries(averages.update(new Map([['x', count]]), seconds * 1000))
    assert.deepEqual(told(0, 0), { 'x/1min': '0.00', 'x/5min': '0.00', 'x/15min': '0.00' })
    // 10 in 10 s are 60 a minute: 60 + e^(-10/60) (0 - 60) = 9.21, with 300 and 900: 1.97, 0.66.
    assert.deepEqual(told(10, 10), { 'x/1min': '9.21', 'x/5min': '1.97', 'x/15min': '0.66' })
    // Nothing more: 9.2107 e^(-1/6) = 7.80, 1.9670 e^(-1/30) = 1.90, 0.6630 e^(-1/90) = 0.66, which has moved by less than 0.01.
    assert.deepEqual(told(10, 20), { 'x/1min': '7.80', 'x/5min': '1.90' })
    assert.deepEqual(told(99, 20), {})
  })

  test('as topics', async (t) => {
    const broker = await running(t)
    const watcher = await watching(t, broker)
    await values(watcher)
    broker.advance(10)
    const now = await values(watcher)
    // One socket and one CONNECT in 10 s: 6 a minute.
    for (const load of ['sockets', 'connections']) assert.equal(now[`load/${load}/1min`], '0.92', load)
    assert.equal(now['load/publish/dropped/1min'], undefined)
    assert.match(now['load/bytes/received/15min'] ?? '', /^\d+\.\d\d$/)
  })
})
