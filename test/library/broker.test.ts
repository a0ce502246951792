// The broker of the library: options, local publish and subscribe, streams and HTTP servers that the program has.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Broker, type BrokerOptions, Client, type IncomingMessage } from '../../src/index.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { duplexPair } from './duplex-pair.js'

const OPEN: BrokerOptions = { listeners: [{ port: 0 }], allow_anonymous: true, sys_interval: 0 }

async function start(t: TestContext, options: BrokerOptions = OPEN): Promise<Broker> {
  const broker = await Broker.start(options)
  t.after(() => broker.stop())
  return broker
}

async function connect(t: TestContext, { port }: { readonly port: number }, clientId?: string): Promise<Client> {
  const client = await Client.connect(`mqtt://127.0.0.1:${port}`, clientId === undefined ? {} : { clientId })
  t.after(() => client.end(0))
  return client
}

test('publishes and subscribes locally, retained messages first', async (t) => {
  const broker = await start(t)
  const client = await connect(t, broker)
  await client.publish({ topic: 'a/kept', payload: 'kept', qos: 1, retain: true })
  const got: IncomingMessage[] = []
  const subscription = broker.subscribe('a/#', { qos: 1 }, (message) => got.push(message))
  const mine = await client.subscribe('a/#', { retainHandling: 2 })
  await client.publish({ topic: 'a/live', payload: 'live', qos: 2 })
  assert.equal(broker.publish({ topic: 'a/local', payload: 'local' }), true)
  await subscription.unsubscribe()
  await client.publish({ topic: 'a/late', qos: 1 })
  assert.deepEqual(
    got.map(({ topic, payload, qos, retain }) => [topic, payload.toString(), qos, retain]),
    [
      ['a/kept', 'kept', 1, true],
      ['a/live', 'live', 1, false],
      ['a/local', 'local', 0, false],
    ],
  )
  const topics: string[] = []
  for await (const { topic } of mine) if (topics.push(topic) === 3) break
  assert.deepEqual(topics, ['a/live', 'a/local', 'a/late'])
  assert.equal(broker.publish({ topic: 'nobody' }), false)
  assert.deepEqual(
    broker.retained('a/+').map(({ topic }) => topic),
    ['a/kept'],
  )
})

test('an iterator inside the process', async (t) => {
  const broker = await start(t)
  const subscription = broker.subscribe('#')
  for (const payload of ['1', '2']) broker.publish({ topic: 'x', payload })
  await broker.stop()
  const got: string[] = []
  for await (const { payload } of subscription) got.push(payload.toString())
  assert.deepEqual(got, ['1', '2'])
})

test('a local subscriber that throws harms nobody, and is told of in the log', async (t) => {
  const lines: string[] = []
  const broker = await start(t, { ...OPEN, log: (type, line) => lines.push(`${type} ${line}`) })
  broker.subscribe('#', () => {
    throw new Error('no')
  })
  const client = await connect(t, broker)
  const subscription = await client.subscribe('a')
  await client.publish({ topic: 'a', payload: 'x', qos: 1 })
  for await (const { payload } of subscription) {
    assert.equal(payload.toString(), 'x')
    break
  }
  assert.ok(lines.some((line) => line.startsWith('error A local subscriber to a failed: Error: no')))
})

test('clients are listed and disconnected', async (t) => {
  const broker = await start(t)
  const client = await Client.connect(`mqtt://127.0.0.1:${broker.port}`, { clientId: 'one', reconnect: false })
  assert.deepEqual(broker.clients, [
    { clientId: 'one', username: undefined, isConnected: true, queued: 0, inFlight: 0 },
  ])
  const subscription = await client.subscribe('x')
  const end = assert.rejects(subscription[Symbol.asyncIterator]().next(), { kind: 'disconnected', reasonCode: 0x98 })
  assert.equal(broker.disconnectClient('one'), true)
  assert.equal(broker.disconnectClient('two'), false)
  await end
})

const refused: readonly { readonly name: string; readonly options: BrokerOptions; readonly problem: RegExp }[] = [
  { name: 'a value out of range', options: { ...OPEN, max_qos: 3 } as BrokerOptions, problem: /^max_qos: / },
  {
    name: 'an unknown name',
    options: { ...OPEN, max_connection: 3 } as BrokerOptions,
    problem: /unknown option max_connection.*max_connections/,
  },
  {
    name: 'two lines in one',
    options: { ...OPEN, log_type: 'error\nlistener 0' },
    problem: /^log_type: a value has one line/,
  },
  { name: 'null', options: { ...OPEN, log_type: null } as unknown as BrokerOptions, problem: /^log_type: null/ },
  { name: 'a listener with a mistake', options: { ...OPEN, listeners: [{ port: 70_000 }] }, problem: /^listener: / },
  {
    name: 'a file that is not there',
    options: { conf: '/nonexistent/tsmq.conf' },
    problem: /\/nonexistent\/tsmq.conf: cannot be read/,
  },
]
describe('options that cannot be used', () => {
  for (const { name, options, problem } of refused)
    test(name, () => assert.rejects(Broker.start(options), { name: 'OptionsError', message: problem }))

  test('a password file that is not there', () =>
    assert.rejects(Broker.start({ ...OPEN, password_file: '/nonexistent/passwords' }), { name: 'AccessError' }))

  test('a port in use', async (t) => {
    const { port } = await start(t)
    await assert.rejects(Broker.start({ ...OPEN, listeners: [{ port }] }), { name: 'ListenError' })
  })
})

for (const [name, message] of [
  ['a wildcard', { topic: 'a/#' }],
  ['a long topic', { topic: 'x'.repeat(65_536) }],
  ['QoS 3', { topic: 'a', qos: 3 as 2 }],
  ['a property that is too long', { topic: 'a', properties: { contentType: 'x'.repeat(65_536) } }],
] as const)
  test(`does not publish ${name}`, async (t) => {
    const broker = await start(t)
    assert.throws(() => broker.publish(message), { name: 'OptionsError' })
  })

test('plugins that cannot be used', async () => {
  const fails = {
    name: 'no database',
    started: () => {
      throw new Error('nobody answers')
    },
  }
  const message = 'plugin no database: nobody answers'
  await assert.rejects(Broker.start({ ...OPEN, plugins: [fails] }), { name: 'PluginError', message })
})

test('a broker that has been stopped takes nothing', async (t) => {
  const broker = await start(t)
  const server = createServer()
  broker.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  await broker.stop()
  assert.equal(server.listenerCount('upgrade'), 0)
  for (const use of [() => broker.publish({ topic: 'a' }), () => broker.subscribe('a'), () => broker.attach(server)])
    assert.throws(use, { message: 'the broker has been stopped' })
  const [, theirs] = duplexPair()
  await assert.rejects(broker.serve(theirs), { message: 'the broker has been stopped' })
  assert.equal(theirs.destroyed, true)
})

test('an upgrade to another path: 404 when nobody else looks at it', async (t) => {
  const broker = await start(t, { listeners: [], allow_anonymous: true })
  const server = createServer()
  broker.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/other`
  await assert.rejects(Client.connect(url), { kind: 'connect', message: /404/ })
  server.on('upgrade', (_request, socket) => void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  await assert.rejects(Client.connect(url), { kind: 'connect', message: /403/ })
})

test('a configuration file, and options after it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-library-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const conf = join(folder, 'tsmq.conf')
  writeFileSync(conf, 'listener 0 127.0.0.1\nallow_anonymous false\n')
  const broker = await start(t, { conf, allow_anonymous: true })
  await connect(t, broker)
})

test('several listeners, with options of their own', async (t) => {
  const broker = await start(t, {
    ...OPEN,
    listeners: [{ port: 0 }, { port: 0, protocol: 'websockets' }, { port: 0, max_qos: 0 }],
  })
  assert.equal(broker.addresses.length, 3)
  const client = await Client.connect(`ws://127.0.0.1:${broker.addresses[1]?.port}`)
  t.after(() => client.end(0))
  assert.equal(await client.publish({ topic: 'a', qos: 1 }), 16)
})

test('a client on a stream of the program, by the same rules', async (t) => {
  for (const allow_anonymous of [true, false]) {
    const broker = await start(t, { listeners: [], allow_anonymous })
    assert.deepEqual(broker.addresses, [])
    const [ours, theirs] = duplexPair()
    await broker.serve(theirs, { address: 'inside' })
    const raw = new RawClient(ours)
    raw.send(connectPacket())
    assert.equal(((await raw.expect(PacketType.CONNACK)) as Connack).reasonCode, allow_anonymous ? 0 : 5)
    if (allow_anonymous) raw.disconnect()
    await raw.closed()
  }
})

test('inside an HTTP server, beside what else it serves', async (t) => {
  const broker = await start(t, { listeners: [], allow_anonymous: true })
  const server = createServer((_request, response) => void response.end('page'))
  const detach = broker.attach(server, { path: '/broker' })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const client = await Client.connect(`ws://127.0.0.1:${port}/broker`)
  const subscription = await client.subscribe('a', { qos: 1 })
  broker.publish({ topic: 'a', payload: 'x'.repeat(100_000), qos: 1 })
  for await (const { payload } of subscription) {
    assert.equal(payload.length, 100_000)
    break
  }
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'page')
  await client.end()
  detach()
  await assert.rejects(Client.connect(`ws://127.0.0.1:${port}/broker`, { connectTimeout: 500 }), {
    name: 'ClientError',
  })
})
