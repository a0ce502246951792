// `$CONTROL`: what is published there is answered and never routed.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { Control, type Requester } from '../../src/broker/admin/control.js'
import type { Router } from '../../src/broker/routing/router.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Ack } from '../../src/protocol/packets/acks.js'
import type { Qos } from '../../src/protocol/packets/publish.js'
import type { PublishFrames } from '../../src/protocol/publish-frames.js'
import type { Message } from '../../src/session/message.js'
import { startBroker } from '../support/broker-kit.js'
import { client, join, nextPublish } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'

const TOPIC = '$CONTROL/broker/v1'

const broker = await startBroker({ conf: 'sys_interval 0\nenable_control_api true' })
after(() => broker.stop())

let number = 0

async function administrator(t: TestContext): Promise<RawClient> {
  const admin = await client(t, broker, { clientId: `admin${++number}`, version: 5 })
  await admin.subscribe(`${TOPIC}/response`)
  return admin
}

async function ask(admin: RawClient, request: unknown, qos: Qos = 0): Promise<Record<string, unknown>[]> {
  admin.publish({ topic: TOPIC, payload: typeof request === 'string' ? request : JSON.stringify(request), qos })
  return JSON.parse((await nextPublish(admin)).payload.toString()).responses
}

async function one(admin: RawClient, command: object): Promise<Record<string, unknown>> {
  const [response] = await ask(admin, { commands: [command] })
  assert.ok(response)
  return response
}

const mistakes: readonly { readonly name: string; readonly request: unknown; readonly answer: object }[] = [
  { name: 'not JSON', request: '{', answer: { command: 'Unknown command', error: 'Payload not valid JSON' } },
  ...[{}, [], 1, null, { commands: {} }].map((request) => ({
    name: `no list of commands: ${JSON.stringify(request)}`,
    request,
    answer: { command: 'Unknown command', error: 'Invalid/missing commands' },
  })),
  ...[[1], [null], [[]]].map((commands) => ({
    name: `a command that is no object: ${JSON.stringify(commands)}`,
    request: { commands },
    answer: { command: 'Unknown command', error: 'Command not an object' },
  })),
  {
    name: 'no name',
    request: { commands: [{ correlationData: 'x' }] },
    answer: { command: 'Unknown command', error: 'Missing command' },
  },
  {
    name: 'correlation data that are no text',
    request: { commands: [{ command: 'listPlugins', correlationData: 1 }] },
    answer: { command: 'listPlugins', error: 'Invalid correlationData data type.' },
  },
  {
    name: 'an unknown name',
    request: { commands: [{ command: 'explode', correlationData: 'x' }] },
    answer: { command: 'explode', error: 'Unknown command', correlationData: 'x' },
  },
  {
    name: 'no client id',
    request: { commands: [{ command: 'getClient' }] },
    answer: { command: 'getClient', error: 'Invalid/missing clientid' },
  },
  {
    name: 'a client that is not there',
    request: { commands: [{ command: 'getClient', clientid: '__proto__' }] },
    answer: { command: 'getClient', error: 'Client not found' },
  },
  {
    name: 'more commands than one request may have',
    request: { commands: Array(1001).fill({ command: 'listPlugins' }) },
    answer: { command: 'Unknown command', error: 'More than 1000 commands' },
  },
  {
    name: 'an offset that is no count',
    request: { commands: [{ command: 'listClients', offset: -1 }] },
    answer: { command: 'listClients', error: 'Invalid offset: a whole number of at least 0' },
  },
]
describe('mistakes', () => {
  for (const { name, request, answer } of mistakes)
    test(name, async (t) => {
      assert.deepEqual(await ask(await administrator(t), request), [answer])
    })
})

test('several commands are answered in their order, names in any case, with their correlation data', async (t) => {
  const commands = [
    { command: 'LISTPLUGINS', correlationData: 'a' },
    { command: 'nothing' },
    { command: 'listListeners' },
  ]
  const responses = await ask(await administrator(t), { commands })
  assert.deepEqual(responses.slice(0, 2), [
    { command: 'LISTPLUGINS', data: { plugins: [] }, correlationData: 'a' },
    { command: 'nothing', error: 'Unknown command' },
  ])
  assert.deepEqual(responses[2]?.data, {
    listeners: [{ port: broker.port, protocol: 'mqtt', 'bind-address': '127.0.0.1', tls: false }],
  })
})

test('clients, one client, its subscriptions, and its end', async (t) => {
  const admin = await administrator(t)
  const { client: other } = await join(t, broker, {
    clientId: 'other',
    version: 5,
    username: 'alice',
    password: 'x',
    keepAlive: 30,
  })
  await other.subscribe([
    { filter: '$share/g/a/+', qos: 1 },
    { filter: 'b', qos: 2, noLocal: true },
  ])
  const list = (await one(admin, { command: 'listClients' })).data as { totalCount: number; clients: string[] }
  assert.ok(list.clients.includes('other'))
  assert.equal(list.totalCount, list.clients.length)
  const part = (await one(admin, { command: 'listClients', count: 1, offset: 1 })).data as typeof list
  assert.deepEqual(part.clients, list.clients.slice(1, 2))

  const { client: facts } = (await one(admin, { command: 'getClient', clientid: 'other' })).data as {
    client: Record<string, unknown>
  }
  const { address, port, bytesReceived, bytesSent, ...rest } = facts
  assert.equal(address, '127.0.0.1')
  for (const count of [port, bytesReceived, bytesSent]) assert.ok(Number(count) > 0)
  assert.deepEqual(rest, {
    clientid: 'other',
    username: 'alice',
    connected: true,
    listener: broker.port,
    protocolVersion: 5,
    keepAlive: 30,
    connectedAt: '2023-11-14T22:13:20.000Z',
    sessionExpiryInterval: 0,
    subscriptions: 2,
    queuedMessages: 0,
    inFlightMessages: 0,
  })

  const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0, identifier: 0 }
  assert.deepEqual((await one(admin, { command: 'listSubscriptions', clientid: 'other' })).data, {
    totalCount: 2,
    subscriptions: [
      { clientid: 'other', topic: '$share/g/a/+', qos: 1, ...plain },
      { clientid: 'other', topic: 'b', qos: 2, ...plain, noLocal: true },
    ],
  })

  assert.deepEqual(await one(admin, { command: 'disconnectClient', clientid: 'other' }), {
    command: 'disconnectClient',
  })
  const last = (await other.closed()).at(-1) as { type: number; reasonCode: number }
  assert.deepEqual([last.type, last.reasonCode], [PacketType.DISCONNECT, 0x98])
  assert.ok(broker.log.some((line) => line.includes(`Client admin${number} had client other disconnected.`)))
})

test('a session whose client is away', async (t) => {
  const admin = await administrator(t)
  const { client: away } = await join(t, broker, {
    clientId: 'away',
    version: 5,
    properties: { sessionExpiryInterval: 60 },
  })
  await away.drop()
  await admin.settled()
  const { client: facts } = (await one(admin, { command: 'getClient', clientid: 'away' })).data as {
    client: Record<string, unknown>
  }
  assert.equal(facts.connected, false)
  assert.equal(facts.sessionExpiryInterval, 60)
  assert.equal(facts.address, undefined)
  assert.deepEqual(await one(admin, { command: 'disconnectClient', clientid: 'away' }), {
    command: 'disconnectClient',
    error: 'Client not connected',
  })
})

for (const qos of [1, 2] as const)
  test(`a request at QoS ${qos} is acknowledged as successful, and routed to nobody`, async (t) => {
    const admin = await client(t, broker, { clientId: `admin${++number}`, version: 5 })
    const watcher = await client(t, broker, { clientId: `watcher${number}` })
    await watcher.subscribe([{ filter: '$CONTROL/#' }])
    admin.publish({ topic: TOPIC, payload: '{"commands":[]}', qos, retain: true })
    const { reasonCode } = (await admin.expect(qos === 1 ? PacketType.PUBACK : PacketType.PUBREC)) as Ack
    assert.equal(reasonCode, 0)
    const { topic, payload } = await nextPublish(watcher)
    assert.deepEqual([topic, payload.toString()], [`${TOPIC}/response`, '{"responses":[]}'])
    assert.deepEqual(await watcher.settled(), [])
    const late = await client(t, broker, { clientId: `late${number}` })
    await late.subscribe('$CONTROL/#')
    assert.deepEqual(await late.settled(), [])
  })

for (const topic of ['$CONTROL/nobody', '$CONTROL/', '$CONTROL/broker/v1/response'])
  test(`nobody answers at ${topic}: only the sender hears of it`, async (t) => {
    const admin = await client(t, broker, { clientId: `admin${++number}` })
    const watcher = await client(t, broker, { clientId: `watcher${number}` })
    await watcher.subscribe('$CONTROL/#')
    admin.publish({ topic, payload: '{}' })
    const answer = await nextPublish(admin)
    assert.deepEqual(
      [answer.topic, answer.payload.toString()],
      [`${topic}/response`, '{"error":"endpoint not available"}'],
    )
    assert.deepEqual(await watcher.settled(), [])
  })

describe('rights', () => {
  test('off unless enable_control_api says otherwise, also after a reload', async (t) => {
    const own = await startBroker()
    t.after(() => own.stop())
    const admin = await client(t, own, { clientId: 'a' })
    const answer = async () => {
      admin.publish({ topic: TOPIC, payload: '{"commands":[]}' })
      return (await nextPublish(admin)).payload.toString()
    }
    await admin.subscribe(`${TOPIC}/response`)
    assert.equal(await answer(), '{"error":"endpoint not available"}')
    own.reload({ conf: 'enable_control_api true' })
    assert.equal(await answer(), '{"responses":[]}')
    assert.ok(own.log.some((line) => line.includes('enable_control_api')))
  })

  test('asking needs the right to write, hearing the answer the right to read', async (t) => {
    const own = await startBroker({
      conf: 'enable_control_api true\nacl_file {folder}/acl',
      files: { acl: `topic readwrite #\nuser boss\ntopic readwrite $CONTROL/#\n` },
    })
    t.after(() => own.stop())
    const boss = await client(t, own, { clientId: 'boss', username: 'boss', password: '' })
    const anyone = await client(t, own, { clientId: 'anyone', version: 5 })
    for (const each of [boss, anyone]) await each.subscribe('$CONTROL/#')
    anyone.publish({ topic: TOPIC, payload: '{"commands":[]}', qos: 1 })
    assert.equal(((await anyone.expect(PacketType.PUBACK)) as Ack).reasonCode, 0x87)
    assert.deepEqual(await boss.settled(), [])
    boss.publish({ topic: TOPIC, payload: '{"commands":[]}' })
    assert.equal((await nextPublish(boss)).payload.toString(), '{"responses":[]}')
    assert.deepEqual(await anyone.settled(), [])
  })

  test('behind a mount point there is no $CONTROL', async (t) => {
    const own = await startBroker({ conf: 'enable_control_api true\nmount_point m/' })
    t.after(() => own.stop())
    const admin = await client(t, own, { clientId: 'a' })
    await admin.subscribe('$CONTROL/#')
    admin.publish({ topic: TOPIC, payload: '{"commands":[]}' })
    assert.deepEqual((await nextPublish(admin)).topic, TOPIC)
  })
})

test('a request whose answers grow without end is left where 16 MiB are reached', () => {
  const published: Message[] = []
  const router = { publish: (message: Message) => published.push(message) } as unknown as Router
  const control = new Control(router, {} as PublishFrames, () => 0)
  let done = 0
  control.register('x', new Map([['large', () => ({ number: ++done, text: 'x'.repeat(1_048_576) })]]))
  const request = JSON.stringify({ commands: Array(30).fill({ command: 'large' }) })
  control.handle('$CONTROL/x', Buffer.from(request), { session: { clientId: 'admin' } } as Requester)
  assert.equal(done, 16)
  const { responses } = JSON.parse(published[0]?.payload.toString() ?? '')
  assert.deepEqual(
    responses.map(({ data }: { data?: { number: number } }) => data?.number),
    [...Array.from({ length: 16 }, (_, at) => at + 1), undefined],
  )
  assert.deepEqual(responses.at(-1), {
    command: 'Unknown command',
    error: 'Too much to answer at once; the rest was not done',
  })
})
