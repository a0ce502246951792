// The client of the library against a broker in this process.

import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { Client } from '../../src/library/client.js'
import type { ConnectOptions } from '../../src/library/connect-options.js'
import type { IncomingMessage } from '../../src/library/message.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { CuttingProxy } from '../support/cutting-proxy.js'

const broker = await startBroker({ conf: 'sys_interval 0\nmax_queued_messages 0' })
const webSockets = await startBroker({ conf: 'protocol websockets' })
after(() => Promise.all([broker.stop(), webSockets.stop()]))

async function client(t: TestContext, options: ConnectOptions = {}, to: TestBroker = broker): Promise<Client> {
  const made = await Client.connect(`mqtt://127.0.0.1:${to.port}`, options)
  t.after(() => made.end(0))
  return made
}

const texts = (messages: readonly IncomingMessage[]) => messages.map(({ payload }) => payload.toString())

async function take(from: AsyncIterable<IncomingMessage>, count: number): Promise<IncomingMessage[]> {
  const taken: IncomingMessage[] = []
  for await (const message of from) if (taken.push(message) === count) return taken
  return taken
}

let number = 0
const unique = () => `library/${++number}`

for (const version of [3, 4, 5] as const)
  describe(`version ${version}`, () => {
    test('messages by iterator, in order, with everything they carry', async (t) => {
      const topic = unique()
      const one = await client(t, { version })
      const subscription = await one.subscribe(`${topic}/#`, { qos: 2 })
      for (const qos of [0, 1, 2] as const) {
        const code = await one.publish({ topic: `${topic}/${qos}`, payload: `m${qos}`, qos })
        assert.equal(code, 0)
      }
      const got = await take(subscription, 3)
      assert.deepEqual(
        got.map(({ topic: name, payload, qos, retain, dup }) => [name, payload.toString(), qos, retain, dup]),
        [0, 1, 2].map((qos) => [`${topic}/${qos}`, `m${qos}`, qos, false, false]),
      )
    })

    test('messages by function, until unsubscribed', async (t) => {
      const topic = unique()
      const one = await client(t, { version })
      const got: IncomingMessage[] = []
      const subscription = await one.subscribe([topic, `${topic}/x`], { qos: 1 }, (message) => got.push(message))
      await one.publish({ topic, payload: 'a', qos: 1 })
      await one.publish({ topic: `${topic}/x`, payload: 'b', qos: 1 })
      await subscription.unsubscribe()
      await one.publish({ topic, payload: 'c', qos: 1 })
      assert.deepEqual(texts(got), ['a', 'b'])
    })
  })

test('two subscriptions that overlap get their own messages only (MQTT 5.0)', async (t) => {
  const topic = unique()
  const one = await client(t)
  const got: string[] = []
  await one.subscribe(`${topic}/+`, { qos: 1 }, ({ payload }) => got.push(`+ ${payload}`))
  await one.subscribe(`${topic}/a`, { qos: 1 }, ({ payload }) => got.push(`a ${payload}`))
  await one.publish({ topic: `${topic}/a`, payload: '1', qos: 1 })
  await one.publish({ topic: `${topic}/b`, payload: '2', qos: 1 })
  await one.publish({ topic: `${topic}/none`, qos: 1 })
  assert.deepEqual(got.sort(), ['+ ', '+ 1', '+ 2', 'a 1'])
})

test('16 when nobody subscribes, and 0x87 as an error when the broker forbids it', async (t) => {
  const own = await startBroker({ conf: 'acl_file {folder}/acl', files: { acl: 'topic read #\ntopic write ok\n' } })
  t.after(() => own.stop())
  const one = await client(t, {}, own)
  assert.equal(await one.publish({ topic: 'ok', qos: 1 }), 16)
  await assert.rejects(one.publish({ topic: 'no', qos: 1 }), {
    name: 'ClientError',
    kind: 'publish refused',
    reasonCode: 0x87,
  })
})

const mistakes: readonly { readonly name: string; readonly url: string; readonly message: RegExp }[] = [
  { name: 'no URL', url: 'localhost', message: /'localhost' is not a URL/ },
  { name: 'another scheme', url: 'http://localhost', message: /'http:' is none of mqtt: mqtts: ws: wss: unix:/ },
  { name: 'no host', url: 'mqtt:', message: /has no host/ },
]
describe('what cannot be connected to', () => {
  for (const { name, url, message } of mistakes)
    test(name, () => assert.rejects(Client.connect(url), { kind: 'invalid', message }))

  test('nobody there: at once, in words', async () => {
    const gone = await startBroker()
    await gone.stop()
    await assert.rejects(Client.connect(`mqtt://127.0.0.1:${gone.port}`), {
      kind: 'connect',
      message: new RegExp(`cannot connect to 127.0.0.1:${gone.port}.*connection refused`),
    })
  })

  test('a refusal, with its code', async (t) => {
    const own = await startBroker({ conf: 'allow_anonymous false' })
    t.after(() => own.stop())
    await assert.rejects(Client.connect(`mqtt://127.0.0.1:${own.port}`), { kind: 'refused', reasonCode: 0x87 })
  })

  test('topics and filters that may not be', async (t) => {
    const one = await client(t)
    await assert.rejects(one.publish({ topic: 'a/#' }), { kind: 'invalid' })
    assert.equal(one.pending, 0)
  })
})

test('over WebSocket, with user and password of the URL', async (t) => {
  const one = await Client.connect(`ws://us%40er:p%3Aw@127.0.0.1:${webSockets.port}/mqtt`, { clientId: 'ws' })
  t.after(() => one.end(0))
  assert.equal(webSockets.broker.sessions.get('ws')?.username, 'us@er')
})

describe('a connection that breaks', () => {
  async function cuttable(t: TestContext) {
    const proxy = await CuttingProxy.open(broker.port)
    t.after(() => proxy.close())
    return proxy
  }

  test('comes back: subscriptions are made again, publishes arrive', async (t) => {
    const topic = unique()
    const proxy = await cuttable(t)
    const events: string[] = []
    let back = () => {}
    const isBack = new Promise<void>((resolve) => {
      back = resolve
    })
    const one = await Client.connect(`mqtt://127.0.0.1:${proxy.port}`, {
      reconnect: { base: 5, cap: 5 },
      onConnect: (present) => {
        events.push(`connected ${present}`)
        if (events.length > 1) back()
      },
      onDisconnect: (_error, retryIn) => events.push(`lost, again in ${retryIn}`),
    })
    t.after(() => one.end(0))
    const subscription = await one.subscribe(topic, { qos: 1 })
    proxy.cut()
    while (one.isConnected) await new Promise((resolve) => setImmediate(resolve))
    const published = [
      one.publish({ topic, payload: 'qos 1', qos: 1 }),
      one.publish({ topic, payload: 'qos 0' }),
      one.publish({ topic, payload: 'qos 2', qos: 2 }),
    ]
    assert.equal(one.pending, 3)
    await isBack
    await Promise.all(published)
    assert.equal(one.pending, 0)
    assert.deepEqual(events, ['connected false', 'lost, again in 5', 'connected false'])
    // The subscription stands before what was waiting goes out.
    assert.deepEqual(texts(await take(subscription, 3)).sort(), ['qos 0', 'qos 1', 'qos 2'])
  })

  test('with a session: nothing that was published meanwhile is missed', async (t) => {
    const topic = unique()
    const proxy = await cuttable(t)
    const one = await Client.connect(`mqtt://127.0.0.1:${proxy.port}`, {
      sessionExpiryInterval: 60,
      cleanStart: false,
      reconnect: { base: 5, cap: 5 },
    })
    t.after(() => one.end(0))
    const other = await client(t)
    const subscription = await one.subscribe(topic, { qos: 1 })
    proxy.cut()
    for (let n = 0; n < 5; n++) await other.publish({ topic, payload: String(n), qos: 1 })
    assert.deepEqual(texts(await take(subscription, 5)), ['0', '1', '2', '3', '4'])
  })

  test('with a session of an earlier process: what was kept goes to whoever subscribes to it again', async (t) => {
    const [first, second] = [unique(), unique()]
    const options = { clientId: unique().replace('/', '-'), sessionExpiryInterval: 60, cleanStart: false }
    for (const version of [4, 5] as const) {
      const before = await client(t, {
        ...options,
        version,
        ...(version === 4 && { sessionExpiryInterval: undefined }),
      } as ConnectOptions)
      await before.subscribe(first, { qos: 1 })
      await before.subscribe(second, { qos: 1 })
      await before.end()
      const other = await client(t)
      for (const payload of ['a', 'b', 'c']) {
        await other.publish({ topic: first, payload: `first ${payload}`, qos: 1 })
        await other.publish({ topic: second, payload: `second ${payload}`, qos: 1 })
      }
      const after = await client(t, {
        ...options,
        version,
        ...(version === 4 && { sessionExpiryInterval: undefined }),
      } as ConnectOptions)
      // The other order, so that identifiers of subscriptions would be mixed up.
      const late = await after.subscribe(second, { qos: 1 })
      const early = await after.subscribe(first, { qos: 1 })
      await other.publish({ topic: first, payload: 'first d', qos: 1 })
      assert.deepEqual(texts(await take(late, 3)), ['second a', 'second b', 'second c'])
      assert.deepEqual(texts(await take(early, 4)), ['first a', 'first b', 'first c', 'first d'])
      await after.end()
    }
  })

  test('without reconnect: the end, for iterators too', async (t) => {
    const proxy = await cuttable(t)
    const one = await Client.connect(`mqtt://127.0.0.1:${proxy.port}`, { reconnect: false })
    const subscription = await one.subscribe('x')
    const iterator = subscription[Symbol.asyncIterator]()
    const next = assert.rejects(iterator.next(), { kind: 'lost' })
    proxy.cut()
    await next
    await assert.rejects(one.publish({ topic: 'x' }), { kind: 'lost' })
    await assert.rejects(one.subscribe('x'), { kind: 'lost' })
  })
})

describe('requests', () => {
  test('are answered', async (t) => {
    const topic = unique()
    const server = await client(t)
    const one = await client(t)
    await server.respond(topic, async ({ payload }) => `${payload}!`)
    const answers = await Promise.all(['a', 'b'].map((payload) => one.request({ topic, payload })))
    assert.deepEqual(texts(answers), ['a!', 'b!'])
  })

  test('to nobody fail at once', async (t) => {
    const one = await client(t)
    await assert.rejects(one.request({ topic: unique() }), { kind: 'publish refused', reasonCode: 16 })
  })

  test('without an answer fail in time', async (t) => {
    const topic = unique()
    const one = await client(t)
    await one.subscribe(topic)
    await assert.rejects(one.request({ topic }, 20), { kind: 'timeout' })
  })
})

test('an iterator that nobody reads holds the connection, and loses nothing', async (t) => {
  const topic = unique()
  const one = await client(t)
  const other = await client(t)
  const subscription = await one.subscribe(topic, { qos: 1 })
  await Promise.all(Array.from({ length: 3000 }, (_, n) => other.publish({ topic, payload: String(n), qos: 1 })))
  assert.deepEqual(
    texts(await take(subscription, 3000)),
    Array.from({ length: 3000 }, (_, n) => String(n)),
  )
})

describe('an iterator that is read slowly', () => {
  const COUNT = 3000
  for (const qos of [0, 1, 2] as const)
    test(`awaits answers of the broker between messages of QoS ${qos}`, async (t) => {
      const topic = unique()
      const one = await client(t)
      const other = await client(t)
      const subscription = await one.subscribe(topic, { qos })
      await other.respond(`${topic}/echo`, (message) => message.payload)
      const all = Array.from({ length: COUNT }, (_, n) => other.publish({ topic, payload: String(n), qos }))
      await Promise.all(all)
      const got: string[] = []
      for await (const { payload } of subscription) {
        if (got.length % 100 === 0) {
          await one.publish({ topic: `${topic}/other`, payload, qos: 2 })
          const more = await one.subscribe(`${topic}/other`)
          const answer = await one.request({ topic: `${topic}/echo`, payload })
          assert.equal(answer.payload.toString(), payload.toString())
          await more.unsubscribe()
        }
        if (got.push(payload.toString()) === COUNT) break
      }
      assert.deepEqual(
        got,
        Array.from({ length: COUNT }, (_, n) => String(n)),
      )
    })

  test('has the broker keep what it does not read (QoS 1)', async (t) => {
    const topic = unique()
    const one = await client(t, { clientId: topic.replace('/', '-') })
    const other = await client(t)
    const subscription = await one.subscribe(topic, { qos: 1 })
    await Promise.all(Array.from({ length: COUNT }, () => other.publish({ topic, qos: 1 })))
    // Awaited answers are read, and so is what comes before them.
    for (let n = 0; n < 20; n++) await one.publish({ topic: `${topic}/x`, qos: 1 })
    const waiting = broker.broker.sessions.get(topic.replace('/', '-'))?.outbound.queuedCount ?? 0
    assert.ok(waiting > COUNT - 1100, `${waiting} wait at the broker`)
    assert.equal((await take(subscription, COUNT)).length, COUNT)
  })
})

test('what a function throws goes to onError, and the next message comes', async (t) => {
  const topic = unique()
  const errors: unknown[] = []
  const one = await client(t, { onError: (error) => errors.push(error) })
  const got: string[] = []
  await one.subscribe(topic, { qos: 1 }, ({ payload }) => {
    if (payload.toString() === 'bad') throw new Error('no')
    got.push(payload.toString())
  })
  for (const payload of ['bad', 'good']) await one.publish({ topic, payload, qos: 1 })
  assert.deepEqual([errors.map(String), got], [['Error: no'], ['good']])
})

test('what an asynchronous function throws goes to onError, too', async (t) => {
  const topic = unique()
  const failed = new Promise((resolve) => {
    void client(t, { onError: resolve }).then(async (one) => {
      await one.subscribe(topic, async () => {
        throw new Error('late')
      })
      await one.publish({ topic })
    })
  })
  assert.equal(String(await failed), 'Error: late')
})

const unusable: readonly { readonly name: string; readonly options: ConnectOptions; readonly message: RegExp }[] = [
  { name: 'keepAlive too long', options: { keepAlive: 65_536 }, message: /keepAlive is 0 to 65535/ },
  { name: 'keepAlive below 0', options: { keepAlive: -1 }, message: /keepAlive/ },
  { name: 'keepAlive in parts', options: { keepAlive: 1.5 }, message: /keepAlive/ },
  { name: 'client id too long', options: { clientId: 'é'.repeat(32_768) }, message: /clientId/ },
  { name: 'user name too long', options: { username: 'x'.repeat(65_536) }, message: /username/ },
  { name: 'password too long', options: { username: 'u', password: Buffer.alloc(65_536) }, message: /password/ },
  { name: 'another version', options: { version: 7 as 5 }, message: /version 7/ },
  { name: 'will with a wildcard', options: { will: { topic: 'a/#' } }, message: /'a\/#' is not a topic for a will/ },
  { name: 'will of QoS 3', options: { will: { topic: 'a', qos: 3 as 2 } }, message: /QoS 3/ },
  {
    name: 'will too large',
    options: { will: { topic: 'a', payload: 'x'.repeat(65_536) } },
    message: /payload of the will/,
  },
  { name: 'no time to connect', options: { connectTimeout: Number.NaN }, message: /connectTimeout/ },
  { name: 'delays that are none', options: { reconnect: { base: -1, cap: 5 } }, message: /reconnect/ },
  { name: 'fewer than no messages', options: { maxPending: -1 }, message: /maxPending/ },
]
describe('options that cannot be used', () => {
  for (const { name, options, message } of unusable)
    test(name, () =>
      assert.rejects(Client.connect(`mqtt://127.0.0.1:${broker.port}`, options), { kind: 'invalid', message }),
    )
})

describe('what may not be subscribed to or published does not cost the connection', () => {
  for (const filters of ['', 'a/#/b', 'a+', '$share/x', '$share//a', 'a\0b', 'x'.repeat(65_536), [], ['a', '']])
    test(`filter ${JSON.stringify(filters).slice(0, 20)}`, async (t) => {
      const one = await client(t, { reconnect: false })
      await assert.rejects(one.subscribe(filters), { kind: 'invalid' })
      assert.equal(await one.publish({ topic: unique(), qos: 1 }), 16)
    })
  for (const [name, message] of [
    ['topic too long', { topic: 'x'.repeat(65_536) }],
    ['QoS 3', { topic: 'a', qos: 3 as 2 }],
    ['a topic alone, which is no message', 'a' as unknown as { topic: string }],
    ['a number as payload', { topic: 'a', payload: 5 as unknown as string }],
  ] as const)
    test(name, async (t) => {
      const one = await client(t, { reconnect: false })
      await assert.rejects(one.publish(message), { kind: 'invalid' })
      assert.deepEqual([one.pending, await one.publish({ topic: unique(), qos: 1 })], [0, 16])
    })
})

test('end waits for what is pending, and says goodbye', async (t) => {
  const topic = unique()
  const watcher = await client(t)
  const subscription = await watcher.subscribe(`${topic}/#`, { qos: 1 })
  const one = await client(t, { will: { topic: `${topic}/will` } })
  const published = Array.from({ length: 500 }, (_, n) =>
    one.publish({ topic: `${topic}/m`, payload: String(n), qos: 1 }),
  )
  await one.end()
  await Promise.all(published)
  assert.equal(one.pending, 0)
  assert.equal((await take(subscription, 500)).filter(({ topic: name }) => name.endsWith('will')).length, 0)
  await assert.rejects(one.publish({ topic }), { kind: 'stopped' })
  await one.end()
})

test('end without a connection: what waits is told, and is no unhandled rejection', async (t) => {
  const unhandled: unknown[] = []
  const take = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', take)
  t.after(() => process.off('unhandledRejection', take))
  const proxy = await CuttingProxy.open(broker.port)
  const one = await Client.connect(`mqtt://127.0.0.1:${proxy.port}`, { reconnect: { base: 60_000, cap: 60_000 } })
  proxy.close()
  proxy.cut()
  while (one.isConnected) await new Promise((resolve) => setImmediate(resolve))
  const awaited = [0, 1, 2].map((qos) =>
    assert.rejects(one.publish({ topic: 'x', qos: qos as 0 }), { kind: 'stopped' }),
  )
  for (const qos of [0, 1, 2] as const) void one.publish({ topic: 'x', qos })
  await one.end(1)
  await Promise.all(awaited)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([one.pending, unhandled], [0, []])
})

test('a subscription with a function is not iterated', async (t) => {
  const subscription = await (await client(t)).subscribe(unique(), () => {})
  await assert.rejects(take(subscription, 1), /go to a function/)
})

test('a payload may be changed as soon as publish has returned', async (t) => {
  const topic = unique()
  const one = await client(t)
  const subscription = await one.subscribe(topic)
  const payload = Buffer.alloc(20_000, 'a')
  const published = one.publish({ topic, payload })
  payload.fill('b')
  await published
  assert.equal((await take(subscription, 1))[0]?.payload[0], 'a'.charCodeAt(0))
})

test('no more than maxPending', async (t) => {
  const proxy = await CuttingProxy.open(broker.port)
  t.after(() => proxy.close())
  const one = await Client.connect(`mqtt://127.0.0.1:${proxy.port}`, {
    maxPending: 2,
    reconnect: { base: 60_000, cap: 60_000 },
  })
  proxy.cut()
  while (one.isConnected) await new Promise((resolve) => setImmediate(resolve))
  const waiting = [one.publish({ topic: 'a' }), one.publish({ topic: 'a', qos: 1 })]
  await assert.rejects(one.publish({ topic: 'a' }), { reasonCode: 0x97 })
  const failed = waiting.map((each) => assert.rejects(each))
  await one.end(0)
  await Promise.all(failed)
})
