// MQTT.js against tsmq: what programs written with it do.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import mqtt, {
  type IClientOptions,
  type IConnackPacket,
  type IDisconnectPacket,
  type IPublishPacket,
  type MqttClient,
} from 'mqtt'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { killPrograms } from '../support/program.js'
import { startTsmq, type TsmqProcess } from '../support/tsmq-process.js'

type Version = 4 | 5

let tsmq: TsmqProcess
const clients = new Set<MqttClient>()

/** A connected client. Those that a test does not close are closed behind it. */
async function connected(options: IClientOptions = {}, port = tsmq.port): Promise<MqttClient> {
  const client = await mqtt.connectAsync({ host: '127.0.0.1', port, reconnectPeriod: 20, ...options })
  clients.add(client)
  client.on('error', () => {})
  return client
}

/** The next CONNACK of a client that connects again by itself, whatever errors come before. */
function nextConnack(client: MqttClient): Promise<IConnackPacket> {
  return new Promise((resolve) => client.once('connect', resolve))
}

/** What arrives at a client. */
class Inbox {
  readonly packets: IPublishPacket[] = []
  private waiting: (() => void) | undefined

  constructor(client: MqttClient) {
    client.on('message', (topic, _payload, packet) => {
      // With an alias the packet itself has no topic.
      this.packets.push({ ...packet, topic })
      this.waiting?.()
    })
  }

  async first(count: number, patience = 15_000): Promise<IPublishPacket[]> {
    let timer: NodeJS.Timeout | undefined
    const all = new Promise<void>((resolve, reject) => {
      const look = () => (this.packets.length >= count ? resolve() : undefined)
      this.waiting = look
      timer = setTimeout(() => reject(new Error(`${this.packets.length} of ${count} messages came`)), patience)
      look()
    })
    await all.finally(() => clearTimeout(timer))
    return this.packets.slice(0, count)
  }

  async texts(count: number): Promise<string[]> {
    return (await this.first(count)).map(({ topic, payload }) => `${topic} ${payload}`)
  }
}

describe('MQTT.js against tsmq', () => {
  before(async () => {
    // MQTT.js does not heed the Receive Maximum of a broker: without a limit it cannot go beyond it.
    tsmq = await startTsmq({
      conf: 'allow_anonymous true\nlog_type all\nmax_queued_messages 0\nmax_inflight_messages 0',
    })
  })
  after(async () => {
    await Promise.all([...clients].map((client) => client.endAsync(true)))
    const status = await tsmq.stop()
    killPrograms()
    assert.equal(status, 0)
    assert.doesNotMatch(tsmq.program.stderr, /Internal error|Protocol error/)
  })

  for (const protocolVersion of [4, 5] as const satisfies readonly Version[]) {
    const name = protocolVersion === 5 ? '5.0' : '3.1.1'

    for (const qos of [0, 1, 2] as const)
      test(`${name}: subscribe to /sensors/#, publish JSON at QoS ${qos}`, async () => {
        const client = await connected({ protocolVersion })
        const inbox = new Inbox(client)
        const topic = `/sensors/${name}/${qos}`
        const [granted] = await client.subscribeAsync(`/sensors/${name}/${qos}/#`, { qos })
        assert.equal(granted?.qos, qos)
        const values = Array.from({ length: 100 }, (_, value) => value)
        const send = (value: number) => client.publishAsync(`${topic}/temperature`, JSON.stringify({ value }), { qos })
        await Promise.all(values.map(send))
        const packets = await inbox.first(100)
        assert.deepEqual(
          packets.map((packet) => [packet.topic, packet.qos, JSON.parse(`${packet.payload}`).value]),
          values.map((value) => [`${topic}/temperature`, qos, value]),
        )
      })

    test(`${name}: 5,000 messages at once at QoS 2 arrive once and in order`, async () => {
      const [from, to] = [await connected({ protocolVersion }), await connected({ protocolVersion })]
      const inbox = new Inbox(to)
      await to.subscribeAsync(`burst/${name}`, { qos: 2 })
      const sent = Array.from({ length: 5000 }, (_, index) =>
        from.publishAsync(`burst/${name}`, `${index}`, { qos: 2 }),
      )
      await Promise.all(sent)
      const packets = await inbox.first(5000)
      assert.deepEqual(
        packets.map(({ payload }) => Number(`${payload}`)),
        [...sent.keys()],
      )
      await from.publishAsync(`burst/${name}`, 'end', { qos: 2 })
      assert.equal(`${(await inbox.first(5001)).at(-1)?.payload}`, 'end')
    })

    test(`${name}: unsubscribed is unsubscribed`, async () => {
      const client = await connected({ protocolVersion })
      const inbox = new Inbox(client)
      await client.subscribeAsync(['gone/a', 'gone/b'], { qos: 1 })
      await client.unsubscribeAsync('gone/a')
      await client.publishAsync('gone/a', 'x', { qos: 1 })
      await client.publishAsync('gone/b', 'y', { qos: 1 })
      assert.deepEqual(await inbox.texts(1), ['gone/b y'])
    })

    test(`${name}: a will with retain is published when the connection breaks`, async () => {
      const watcher = await connected({ protocolVersion })
      const inbox = new Inbox(watcher)
      const topic = `will/${name}`
      await watcher.subscribeAsync(topic, { qos: 1 })
      const will = { topic, payload: Buffer.from('gone'), qos: 1, retain: true } as const
      const client = await connected({ protocolVersion, will, reconnectPeriod: 0 })
      client.stream.destroy()
      assert.deepEqual(await inbox.texts(1), [`${topic} gone`])
      const late = await connected({ protocolVersion })
      const kept = new Inbox(late)
      await late.subscribeAsync(topic, { qos: 1 })
      assert.equal((await kept.first(1))[0]?.retain, true)
    })

    test(`${name}: a session survives broken connections: what is owed in both directions is delivered`, async () => {
      const proxy = await CuttingProxy.open(tsmq.port)
      try {
        const session = {
          protocolVersion,
          clean: false,
          ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 600 } }),
        }
        const client = await connected({ ...session, clientId: `session-${name}`, resubscribe: false }, proxy.port)
        const inbox = new Inbox(client)
        const topic = `session/${name}`
        await client.subscribeAsync(topic, { qos: 2 })
        const other = await connected({ protocolVersion })
        const expected = new Set<string>()
        for (let round = 0; round < 5; round++) {
          const back = nextConnack(client)
          const sent = Array.from({ length: 40 }, (_, index) => {
            const text = `${round}/${index}`
            expected.add(text)
            return (index % 2 === 0 ? client : other).publishAsync(topic, text, { qos: 2 })
          })
          proxy.cut()
          const connack = await back
          assert.equal(connack.sessionPresent, true)
          await Promise.all(sent)
        }
        const packets = await inbox.first(expected.size)
        assert.deepEqual(packets.map(({ payload }) => `${payload}`).sort(), [...expected].sort())
        await client.publishAsync(topic, 'end', { qos: 2 })
        assert.equal(`${(await inbox.first(expected.size + 1)).at(-1)?.payload}`, 'end')
      } finally {
        await proxy.close()
      }
    })

    test(`${name}: keep alive of 1 s: pings are answered and the connection stays`, async () => {
      const client = await connected({ protocolVersion, keepalive: 1, reconnectPeriod: 0 })
      let pings = 0
      await new Promise<void>((resolve, reject) => {
        client.on('close', () => reject(new Error(`closed after ${pings} pings`)))
        client.on('packetreceive', ({ cmd }) => {
          if (cmd === 'pingresp' && ++pings === 2) resolve()
        })
      })
      assert.equal(client.connected, true)
    })

    test(`${name}: after a restart of the broker the client is back with its subscriptions`, async () => {
      let broker = await startTsmq({ conf: 'allow_anonymous true' })
      try {
        const client = await connected({ protocolVersion }, broker.port)
        const inbox = new Inbox(client)
        await client.subscribeAsync('restart/#', { qos: 1 })
        const back = nextConnack(client)
        const { port } = broker
        await broker.stop()
        broker = await startTsmq({ conf: 'allow_anonymous true\nlog_type all', port })
        await back
        await broker.program.line(' 1 restart/#')
        await client.publishAsync('restart/a', 'again', { qos: 1 })
        assert.deepEqual(await inbox.texts(1), ['restart/a again'])
        await client.endAsync()
      } finally {
        await broker.stop()
      }
    })
  }

  test('5.0: what CONNACK says', async () => {
    const client = mqtt.connect({ host: '127.0.0.1', port: tsmq.port, protocolVersion: 5, clientId: '' })
    clients.add(client)
    const connack = await nextConnack(client)
    assert.equal(connack.reasonCode, 0)
    assert.match(connack.properties?.assignedClientIdentifier ?? '', /^auto-/)
    assert.equal(connack.properties?.topicAliasMaximum, 10)
    assert.equal(connack.properties?.maximumPacketSize, 2_000_000)
  })

  test('5.0: properties of a message, subscription identifier, retain as published', async () => {
    const client = await connected({ protocolVersion: 5 })
    const inbox = new Inbox(client)
    await client.subscribeAsync('v5/#', { qos: 1, rap: true, properties: { subscriptionIdentifier: 268_435_455 } })
    const properties = {
      contentType: 'application/json',
      responseTopic: 'v5/answer',
      correlationData: Buffer.from([0, 1, 255]),
      payloadFormatIndicator: true,
      messageExpiryInterval: 100,
      userProperties: { a: ['1', '2'], b: '3' },
    }
    await client.publishAsync('v5/a', '{}', { qos: 1, retain: true, properties })
    const [packet] = await inbox.first(1)
    assert.equal(packet?.retain, true)
    const { userProperties, ...rest } = packet?.properties ?? {}
    assert.deepEqual(
      { ...rest, userProperties: { ...userProperties } },
      { ...properties, subscriptionIdentifier: 268_435_455 },
    )
  })

  test('5.0: no local', async () => {
    const [client, other] = [await connected({ protocolVersion: 5 }), await connected({ protocolVersion: 5 })]
    const inbox = new Inbox(client)
    await client.subscribeAsync('local', { qos: 1, nl: true })
    await client.publishAsync('local', 'mine', { qos: 1 })
    await other.publishAsync('local', 'theirs', { qos: 1 })
    assert.deepEqual(await inbox.texts(1), ['local theirs'])
  })

  test('5.0: topic aliases in both directions', async () => {
    const from = await connected({ protocolVersion: 5, autoAssignTopicAlias: true })
    const to = await connected({ protocolVersion: 5, properties: { topicAliasMaximum: 5 } })
    const inbox = new Inbox(to)
    const aliased: number[] = []
    to.on('packetreceive', (packet) => {
      if (packet.cmd === 'publish') aliased.push(packet.properties?.topicAlias ?? 0)
    })
    await to.subscribeAsync('alias/#', { qos: 1 })
    const sent = Array.from({ length: 30 }, (_, index) => `alias/${index % 3} ${index}`)
    for (const text of sent) {
      const [topic = '', payload = ''] = text.split(' ')
      await from.publishAsync(topic, payload, { qos: 1 })
    }
    assert.deepEqual(await inbox.texts(30), sent)
    assert.ok(aliased.some((alias) => alias > 0))
  })

  test('5.0: a second connection with the same client id: the first is told 0x8E', async () => {
    const first = await connected({ protocolVersion: 5, clientId: 'twin', reconnectPeriod: 0 })
    const told = new Promise<IDisconnectPacket>((resolve) => first.once('disconnect', resolve))
    await connected({ protocolVersion: 5, clientId: 'twin' })
    const packet = await told
    assert.equal(packet.reasonCode, 0x8e)
  })

  test('5.0: a publish that the ACL forbids fails with 0x87', async () => {
    const broker = await startTsmq({
      conf: 'allow_anonymous true\nacl_file {folder}/acl',
      files: { acl: 'topic write open\n' },
    })
    try {
      const client = await connected({ protocolVersion: 5 }, broker.port)
      await client.publishAsync('open', 'x', { qos: 2 })
      for (const qos of [1, 2] as const)
        await assert.rejects(
          client.publishAsync('closed', 'x', { qos }),
          ({ code }: Error & { code?: number }) => code === 0x87,
        )
      await client.endAsync()
    } finally {
      await broker.stop()
    }
  })
})
