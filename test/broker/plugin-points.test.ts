// The points at which plugins are asked and told, one row for each behaviour: what the plugins are, what a client does, what it gets
// and what the plugins have noted, in this order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import type { ConnectFields, RawClient } from '../support/raw-client.js'
import { lines, type PluginScene, pluginScene } from './plugin-kit.js'

interface Row {
  readonly name: string
  readonly plugins: (note: (text: string) => undefined) => Plugin | readonly Plugin[]
  readonly conf?: string
  readonly connect?: ConnectFields
  /** What the client does; it has subscribed to nothing. Its packets up to PINGRESP are compared with `arrives`. */
  readonly does: (client: RawClient, scene: PluginScene) => void | Promise<void>
  readonly arrives?: readonly string[]
  readonly notes?: readonly string[]
  /** Lines of the log that must be there. */
  readonly logs?: readonly RegExp[]
}

const v5: ConnectFields = { version: 5, clientId: 'c', username: 'u' }
const v4: ConnectFields = { version: 4, clientId: 'c' }

const rows: readonly Row[] = [
  {
    name: 'publish: topic, payload, QoS and retain are changed, by one after the other',
    plugins: (note) => [
      {
        name: 'a',
        publish: (message, client) =>
          note(`a ${message.topic} ${client.clientId}`) ?? {
            topic: `x/${message.topic}`,
            payload: `${message.payload}!`,
          },
      },
      { name: 'b', publish: ({ topic, payload }) => note(`b ${topic} ${payload}`) ?? { qos: 0, retain: true } },
    ],
    connect: v5,
    async does(client, { broker }) {
      await client.subscribe([{ filter: '#', qos: 2, retainAsPublished: true }])
      client.publish({ topic: 't', payload: 'p', qos: 1 })
      await client.settled().then((packets) => assert.deepEqual(lines(packets), ['PUBLISH x/t p! q0 r1', 'PUBACK 0x0']))
      assert.equal(broker.broker.router.retained.get('x/t')?.payload.toString(), 'p!')
    },
    notes: ['a t c', 'b x/t p!'],
  },
  {
    name: 'publish, deliver: a promise is no answer, refuses and harms nobody, whatever comes of it',
    plugins: () => [
      {
        name: 'late',
        publish: (({ topic }: { topic: string }) =>
          topic === 'p' ? Promise.reject(new Error('x')) : undefined) as never,
      },
      {
        name: 'slow',
        deliver: (({ topic }: { topic: string }) => (topic === 'd' ? Promise.resolve('drop') : undefined)) as never,
      },
    ],
    connect: v5,
    async does(client) {
      await client.subscribe('#')
      for (const topic of ['p', 'd', 't']) client.publish({ topic, payload: 'x', qos: 1 })
    },
    arrives: ['PUBACK 0x83', 'PUBACK 0x0', 'PUBLISH t x q1 r0', 'PUBACK 0x0'],
    logs: [/Plugin late: publish failed: a promise/, /Plugin slow: deliver failed: a promise/],
  },
  {
    name: 'publish: properties are changed',
    plugins: () => ({
      name: 'p',
      publish: () => ({ properties: { contentType: 'text/plain', userProperties: [['a', 'b']] } }),
    }),
    connect: v5,
    async does(client) {
      await client.subscribe('t')
      client.publish({ topic: 't', payload: 'p', properties: { responseTopic: 'r' } })
      const [packet] = await client.settled()
      assert.deepEqual(
        { ...(packet as { properties: object }).properties },
        { contentType: 'text/plain', userProperties: [['a', 'b']] },
      )
    },
  },
  ...([1, 2] as const).map(
    (qos): Row => ({
      name: `publish: refused with a reason code, QoS ${qos}`,
      plugins: () => ({ name: 'p', publish: () => ({ refuse: ReasonCode.QUOTA_EXCEEDED }) }),
      connect: v5,
      async does(client) {
        await client.subscribe('#')
        client.publish({ topic: 't', qos, packetId: 7 })
        // The identifier is free again.
        client.publish({ topic: 't', qos, packetId: 7 })
      },
      arrives: qos === 1 ? ['PUBACK 0x97', 'PUBACK 0x97'] : ['PUBREC 0x97', 'PUBREC 0x97'],
    }),
  ),
  {
    name: 'publish: dropped is acknowledged, to 3.1.1 a refusal too',
    plugins: () => ({
      name: 'p',
      publish: ({ topic }) => (topic === 'd' ? 'drop' : { refuse: ReasonCode.NOT_AUTHORIZED }),
    }),
    connect: v4,
    async does(client) {
      await client.subscribe('#')
      client.publish({ topic: 'd', qos: 1 })
      client.publish({ topic: 'r', qos: 2 })
    },
    arrives: ['PUBACK 0x0', 'PUBREC 0x0'],
  },
  {
    name: 'publish: large payloads pass unchanged and changed',
    plugins: () => ({
      name: 'p',
      publish: ({ topic, payload }) =>
        topic === 'a' ? { topic: `${payload.length}` } : { payload: Buffer.alloc(20_000, 'y') },
    }),
    connect: v4,
    async does(client) {
      await client.subscribe('#')
      for (const topic of ['a', 'b']) client.publish({ topic, payload: 'x'.repeat(30_000) })
    },
    arrives: [`PUBLISH 30000 ${'x'.repeat(30_000)} q0 r0`, `PUBLISH b ${'y'.repeat(20_000)} q0 r0`],
  },
  {
    name: 'publish: an exception refuses that message and is logged with the name',
    plugins: () => ({
      name: 'faulty',
      publish({ topic }) {
        if (topic === 'bad') throw new Error('no way')
        return undefined
      },
    }),
    connect: v5,
    async does(client) {
      await client.subscribe('#')
      client.publish({ topic: 'bad', qos: 1 })
      client.publish({ topic: 'good', qos: 0 })
    },
    arrives: ['PUBACK 0x83', 'PUBLISH good  q0 r0'],
    logs: [/^Plugin faulty: publish failed: no way \(at /],
  },
  ...[
    { topic: 'a/#' },
    { qos: 3 as 0 },
    { refuse: ReasonCode.SUCCESS },
    { properties: { topicAlias: -1 } },
    'nonsense' as 'drop',
  ].map(
    (answer): Row => ({
      name: `publish: ${JSON.stringify(answer)} makes no sense`,
      plugins: () => ({ name: 'p', publish: () => answer }),
      connect: v5,
      does: (client) => void client.publish({ topic: 't', qos: 1 }),
      arrives: ['PUBACK 0x83'],
      logs: [/^Plugin p: publish failed: /],
    }),
  ),
  {
    name: 'deliver: changed or dropped for one receiver, retained messages included',
    plugins: (note) => ({
      name: 'p',
      deliver(message, client, qos, retain) {
        note(`${client.clientId} ${message.topic} q${qos} r${Number(retain)}`)
        if (message.topic === 'no') return 'drop'
        return client.clientId === 'c' ? { payload: `${message.payload} for ${client.username}` } : undefined
      },
      dropped: ({ topic }, { clientId }, cause) => note(`dropped ${topic} ${clientId} ${cause}`),
    }),
    connect: v5,
    async does(client, { connect }) {
      const other = await connect({ clientId: 'd' })
      await other.subscribe('#')
      client.publish({ topic: 't', payload: 'p', retain: true })
      await client.settled()
      await client.subscribe([{ filter: '#', qos: 1 }])
      client.publish({ topic: 'no', qos: 1 })
      for (let i = 0; i < 3; i++) client.publish({ topic: 't', payload: `${i}` })
      assert.deepEqual(lines(await client.settled()), [
        'PUBLISH t p for u q0 r1',
        'PUBACK 0x0',
        'PUBLISH t 0 for u q0 r0',
        'PUBLISH t 1 for u q0 r0',
        'PUBLISH t 2 for u q0 r0',
      ])
      assert.deepEqual(lines(await other.settled()), [
        'PUBLISH t p q0 r0',
        'PUBLISH t 0 q0 r0',
        'PUBLISH t 1 q0 r0',
        'PUBLISH t 2 q0 r0',
      ])
    },
    notes: [
      'd t q0 r0',
      'c t q0 r1',
      'd no q1 r0',
      'dropped no d plugin',
      'c no q1 r0',
      'dropped no c plugin',
      ...['d', 'c', 'd', 'c', 'd', 'c'].map((id) => `${id} t q0 r0`),
    ],
  },
  {
    name: 'deliver: an exception drops it for that receiver',
    plugins: () => ({
      name: 'p',
      deliver() {
        throw new Error('oops')
      },
    }),
    connect: v5,
    async does(client) {
      await client.subscribe('#')
      client.publish({ topic: 't', qos: 1 })
    },
    arrives: ['PUBACK 0x0'],
    logs: [/^Plugin p: deliver failed: oops/],
  },
  {
    name: 'enqueued, dropped when the queue is full, acknowledged, not consumed',
    conf: 'max_queued_messages 1\n',
    plugins: (note) => ({
      name: 'p',
      enqueued: ({ topic }, { clientId }) => note(`enqueued ${topic} ${clientId}`),
      dropped: ({ topic }, { clientId }, cause) => note(`dropped ${topic} ${clientId} ${cause}`),
      acknowledged: ({ topic }, { clientId }, code) => note(`acknowledged ${topic} ${clientId} ${code}`),
      notConsumed: ({ topic }, { clientId }) => note(`not consumed ${topic} ${clientId}`),
    }),
    connect: v5,
    async does(client, { connect }) {
      const away = { clientId: 'away', cleanStart: false }
      const first = await connect(away)
      await first.subscribe([{ filter: 'q', qos: 1 }])
      first.disconnect()
      await first.closed()
      client.publish({ topic: 'q', qos: 1 })
      client.publish({ topic: 'q', qos: 1 })
      client.publish({ topic: 'nobody', qos: 1 })
      assert.deepEqual(lines(await client.settled()), ['PUBACK 0x0', 'PUBACK 0x0', 'PUBACK 0x10'])
      const again = await connect(away)
      const [packet] = await again.settled()
      again.ack(PacketType.PUBACK, (packet as { packetId: number }).packetId)
      await again.settled()
    },
    notes: ['enqueued q away', 'dropped q away queue full', 'not consumed nobody c', 'acknowledged q away 0'],
  },
  {
    name: 'dropped: what is larger than the client takes',
    plugins: (note) => ({ name: 'p', dropped: ({ topic }, _, cause) => note(`${topic} ${cause}`) }),
    connect: { ...v5, properties: { maximumPacketSize: 100 } },
    async does(client) {
      await client.subscribe([{ filter: '#', qos: 1 }])
      for (const qos of [0, 1] as const) client.publish({ topic: `q${qos}`, qos, payload: 'x'.repeat(200) })
      await client.settled()
    },
    notes: ['q0 too large', 'q1 too large'],
  },
  {
    name: 'subscribe: filter and QoS are changed, the ACL is asked about what comes of it; subscribed tells',
    plugins: (note) => ({
      name: 'p',
      subscribe: ({ filter, qos }, { clientId }) =>
        note(`${clientId} ${filter} ${qos}`) ?? (filter === 'a' ? { filter: 'b', qos: 0 } : undefined),
      subscribed: ({ filter, qos, noLocal }) => note(`subscribed ${filter} ${qos} ${noLocal}`),
      authorize: (_, action, topic) => note(`${action} ${topic}`),
    }),
    connect: v5,
    async does(client) {
      const suback = await client.subscribe([
        { filter: 'a', qos: 2 },
        { filter: 'c', qos: 1, noLocal: true },
      ])
      assert.deepEqual(lines([suback]), ['SUBACK 0x0 0x1'])
      client.publish({ topic: 'b', payload: '1' })
      assert.deepEqual(lines(await client.settled()), ['PUBLISH b 1 q0 r0'])
    },
    notes: [
      'c a 2',
      'c c 1',
      'subscribe b',
      'subscribe c',
      'subscribed b 0 false',
      'subscribed c 1 true',
      'publish b',
      'deliver b',
    ],
  },
  ...(
    [
      ['$share/g/t', ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED],
      ['t/#', ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED],
      ['t', ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED],
    ] as const
  ).flatMap(([filter, refuse]) =>
    ([4, 5] as const).map(
      (version): Row => ({
        name: `E154 subscribe: refused by a plugin, ${filter} with 0x${refuse.toString(16)}, version ${version}`,
        plugins: () => ({ name: 'p', subscribe: () => ({ refuse }) }),
        connect: { version },
        async does(client) {
          assert.deepEqual(lines([await client.subscribe([{ filter }])]), [
            `SUBACK 0x${(version === 5 ? refuse : 0x80).toString(16)}`,
          ])
          client.publish({ topic: 't' })
        },
        arrives: [],
      }),
    ),
  ),
  ...([3, 4, 5] as const).map(
    (version): Row => ({
      name: `E155 authorize: a subscription is denied, version ${version}`,
      plugins: () => ({ name: 'p', authorize: (_, action) => (action === 'subscribe' ? 'deny' : undefined) }),
      connect: { version },
      async does(client) {
        const want = { 3: 'SUBACK 0x1', 4: 'SUBACK 0x80', 5: 'SUBACK 0x87' }
        assert.deepEqual(lines([await client.subscribe([{ filter: 't', qos: 1 }])]), [want[version]])
        client.publish({ topic: 't' })
      },
      arrives: [],
      logs: [/^ACL denying subscription to 't' by client test: plugin p\.$/],
    }),
  ),
  {
    name: 'unsubscribe: another filter, refused, denied; unsubscribed tells',
    plugins: (note) => ({
      name: 'p',
      unsubscribe: (filter) =>
        filter === 'x'
          ? { filter: 'a' }
          : filter === 'b'
            ? { refuse: ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR }
            : undefined,
      unsubscribed: (filter, { clientId }) => note(`${filter} ${clientId}`),
      authorize: (_, action, topic) => (action === 'unsubscribe' && topic === 'c' ? 'deny' : undefined),
    }),
    connect: v5,
    async does(client) {
      await client.subscribe([{ filter: 'a' }, { filter: 'b' }, { filter: 'c' }])
      assert.deepEqual(lines([await client.unsubscribe('x', 'b', 'c', 'd')]), ['UNSUBACK 0x0 0x83 0x87 0x11'])
      for (const topic of ['a', 'b', 'c']) client.publish({ topic })
    },
    arrives: ['PUBLISH b  q0 r0', 'PUBLISH c  q0 r0'],
    notes: ['a c'],
    logs: [/^ACL denying unsubscription from 'c' by client c: plugin p\.$/],
  },
  {
    name: 'authorize: the first answer counts, whatever the second says; without one the ACL file decides',
    conf: 'acl_file {folder}/acl\n',
    plugins: (note) => [
      {
        name: 'a',
        authorize: (_, action, topic) =>
          note(`a ${action} ${topic}`) ?? (topic === 'yes' ? 'allow' : topic === 'no' ? 'deny' : undefined),
      },
      {
        name: 'b',
        authorize: (_, action, topic) =>
          note(`b ${action} ${topic}`) ?? (topic === 'yes' ? 'deny' : topic === 'no' ? 'allow' : undefined),
      },
    ],
    connect: { version: 5, clientId: 'c' },
    does(client) {
      for (const topic of ['yes', 'no', 'file', 'other']) client.publish({ topic, qos: 1 })
    },
    arrives: ['PUBACK 0x10', 'PUBACK 0x87', 'PUBACK 0x10', 'PUBACK 0x87'],
    notes: ['a publish yes', 'a publish no', 'a publish file', 'b publish file', 'a publish other', 'b publish other'],
    logs: [/^ACL denying publish to 'no' by client c: plugin a\.$/],
  },
  {
    name: 'authorize: what is the broker’s own stays so; an exception denies',
    plugins: () => ({
      name: 'p',
      authorize(_, action, topic) {
        if (topic === 'bad') throw new Error('oops')
        return action === 'publish' ? 'allow' : undefined
      },
    }),
    connect: v5,
    does(client) {
      for (const topic of ['$SYS/broker/x', 'bad', 'good']) client.publish({ topic, qos: 1 })
    },
    arrives: ['PUBACK 0x87', 'PUBACK 0x87', 'PUBACK 0x10'],
    logs: [/^Plugin p: authorize failed: oops/],
  },
  {
    name: 'authorize deliver: asked for each message, burst or not',
    plugins: () => ({
      name: 'p',
      authorize: (_, action) => (action === 'deliver' && n++ % 2 === 1 ? 'deny' : undefined),
    }),
    connect: v4,
    async does(client) {
      await client.subscribe('t')
      // In one piece, as a burst comes.
      client.send([30, 31, 32, 33, 34, 35].map((digit) => `3004000174${digit}`).join(''))
    },
    arrives: ['PUBLISH t 0 q0 r0', 'PUBLISH t 2 q0 r0', 'PUBLISH t 4 q0 r0'],
  },
  {
    name: 'retained: changed and gone, cleared',
    plugins: (note) => {
      let clear = (): undefined => undefined
      return {
        name: 'p',
        started: (broker) => {
          clear = () => void broker.clearRetained()
        },
        retainedChanged: (topic, message) => note(`${topic} ${message?.payload ?? 'gone'}`),
        retainedCleared: () => note('cleared'),
        publish: ({ topic }) => (topic === 'clear' ? (clear() ?? 'drop') : undefined),
      }
    },
    connect: v5,
    async does(client) {
      client.publish({ topic: 'a', payload: '1', retain: true })
      client.publish({ topic: 'a', retain: true })
      client.publish({ topic: 'b', payload: '2', retain: true })
      client.publish({ topic: 'clear' })
      await client.settled()
    },
    notes: ['a 1', 'a gone', 'b 2', 'b gone', 'cleared'],
  },
  {
    name: 'a will passes through publish, under the name of its client',
    plugins: (note) => ({
      name: 'p',
      publish: ({ topic }, { clientId, username }) =>
        note(`${topic} ${clientId} ${username}`) ?? { payload: 'changed' },
    }),
    connect: v5,
    async does(client, { connect }) {
      await client.subscribe('will')
      const dying = await connect({
        clientId: 'dying',
        username: 'x',
        will: { topic: 'will', payload: Buffer.from('w') },
      })
      await dying.drop()
      assert.deepEqual(lines([await client.next()]), ['PUBLISH will changed q0 r0'])
    },
    notes: ['will dying x'],
  },
  {
    name: 'packet in, packet out: whole packets, also before the client is known',
    plugins: (note) => ({
      name: 'p',
      packetIn: (packet, { clientId }) => note(`in ${packet.toString('hex')} ${clientId}`),
      packetOut: (packet, { clientId }) => note(`out ${packet.toString('hex')} ${clientId}`),
    }),
    connect: v4,
    async does(client) {
      await client.subscribe([{ filter: 't', qos: 1 }])
      client.publish({ topic: 't', payload: 'p', qos: 1, packetId: 5 })
      client.publish({ topic: 't', payload: 'q' })
      client.publish({ topic: 't', payload: 'r' })
      await client.settled()
    },
    notes: [
      'in 100d00044d51545404020000000163 ',
      'out 20020000 c',
      'in 8206000100017401 c',
      'out 9003000101 c',
      'in 3206000174000570 c',
      'out 3206000174000170 c',
      'out 40020005 c',
      'in 300400017471 c',
      'out 300400017471 c',
      'in 300400017472 c',
      'out 300400017472 c',
      'in c000 c',
      'out d000 c',
    ],
  },
]
let n = 0

for (const { name, plugins, conf = '', connect = {}, does, arrives, notes, logs = [] } of rows)
  test(`plugin, ${name}`, async () => {
    n = 0
    const acl = 'topic write file\n'
    const scene = await pluginScene(plugins, { conf, files: { acl } })
    const client = await scene.connect(connect)
    await does(client, scene)
    if (arrives !== undefined) assert.deepEqual(lines(await client.settled()), arrives)
    if (notes !== undefined) assert.deepEqual(scene.notes, notes)
    for (const wanted of logs)
      assert.ok(
        scene.broker.log.some((each) => wanted.test(each)),
        `${wanted} in ${scene.broker.log.join('\n')}`,
      )
  })

test('plugin, connected, disconnected, offline, session prepared and deleted, in order', async () => {
  const scene = await pluginScene((note) => ({
    name: 'p',
    sessionPrepared: ({ clientId }, { isPresent, expiryInterval }) =>
      note(`prepared ${clientId} ${isPresent} ${expiryInterval}`),
    connected: ({ clientId, username, listener }, { address, protocolVersion, keepAlive }) =>
      note(`connected ${clientId} ${username} ${listener.port > 0} ${address} ${protocolVersion} ${keepAlive}`),
    disconnected: ({ clientId }, { reason, isOrderly }) => note(`disconnected ${clientId} '${reason}' ${isOrderly}`),
    offline: ({ clientId }) => note(`offline ${clientId}`),
    sessionDeleted: ({ clientId }) => note(`deleted ${clientId}`),
  }))
  const fields = {
    version: 5,
    clientId: 'c',
    username: 'u',
    keepAlive: 9,
    properties: { sessionExpiryInterval: 60 },
  } as const
  const first = await scene.connect(fields)
  first.disconnect()
  await first.closed()
  const second = await scene.connect({ ...fields, cleanStart: false })
  const third = await scene.connect({ version: 4, clientId: 'c', username: 'u' })
  await second.closed()
  await third.drop()
  while (!scene.notes.some((each) => each.startsWith("disconnected c 'connection closed"))) await third.closed()
  assert.deepEqual(scene.notes, [
    'prepared c false 60',
    'connected c u true 127.0.0.1 5 9',
    "disconnected c '' true",
    'offline c',
    'prepared c true 60',
    'connected c u true 127.0.0.1 5 9',
    "disconnected c 'session taken over' false",
    'offline c',
    'deleted c',
    'prepared c false 0',
    'connected c u true 127.0.0.1 4 0',
    'deleted c',
    "disconnected c 'connection closed by client' false",
  ])
})
