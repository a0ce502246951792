// A login that takes time: what came with CONNECT is kept meanwhile, what came behind it waits.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { type Publish, publish } from '../../src/protocol/packets/publish.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { isOverWebSocket } from '../support/transport.js'

// The vector of PBKDF2 with 101 iterations, password "correct horse".
const USER =
  'alice:$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg=='
const credentials = { username: 'alice', password: 'correct horse' }

let broker: TestBroker
before(async () => {
  broker = await startBroker({ conf: 'password_file {folder}/passwords', files: { passwords: `${USER}\n` } })
})
after(() => broker.stop())

/** Lets other clients overwrite the buffer that all connections are read into. */
async function readMuch(): Promise<void> {
  const { client } = await RawClient.connect(broker.port, { clientId: 'noise' })
  for (let i = 0; i < 20; i++) client.publish({ topic: 'noise', payload: Buffer.alloc(10_000, 0x55) })
  await client.settled()
  client.disconnect()
}

test('the will of a client whose password is being checked is not overwritten by what others send', async () => {
  const { client: watcher } = await RawClient.connect(broker.port, { clientId: 'watcher' })
  await watcher.subscribe('wills/#')
  const noise = readMuch()
  const will = { topic: 'wills/alice', payload: Buffer.from('gone, as announced') }
  const { client } = await RawClient.connect(broker.port, { clientId: 'alice', ...credentials, will })
  await noise
  await client.drop()
  const published = (await watcher.expect(PacketType.PUBLISH)) as Publish
  assert.equal(published.payload.toString(), 'gone, as announced')
})

// The header of the load balancer comes before the handshake of a WebSocket.
const testOverTcp = isOverWebSocket() ? () => {} : test
testOverTcp(
  'D3.4 logins that wait take turns by address, which behind a load balancer is the one it tells',
  async (t) => {
    // Some milliseconds a check.
    const salt = Buffer.alloc(12)
    const slow = `alice:$7$20000$${salt.toString('base64')}$${Buffer.alloc(64).toString('base64')}`
    const conf = 'enable_proxy_protocol 1\nmax_concurrent_auth 1\npassword_file {folder}/passwords'
    const own = await startBroker({ conf, files: { passwords: `${slow}\n` } })
    t.after(() => own.stop())
    const addresses = [...Array.from({ length: 15 }, () => '192.0.2.1'), '192.0.2.2']
    const clients = await Promise.all(addresses.map(() => RawClient.open(own.port)))
    const answered: string[] = []
    await Promise.all(
      addresses.map((address, attempt) => {
        const connect = connectPacket({ clientId: `${attempt}`, username: 'alice', password: `guess ${attempt}` })
        const header = Buffer.from(`PROXY TCP4 ${address} 192.0.2.9 5000 1883\r\n`)
        clients[attempt]?.send(Buffer.concat([header, encodePacket(connect, 4)]))
        return clients[attempt]?.closed().then(() => answered.push(address))
      }),
    )
    assert.equal(answered.length, addresses.length)
    assert.ok(answered.indexOf('192.0.2.2') < 5, `${answered}`)
  },
)

test('F98 packets behind a CONNECT whose password is being checked are handled after CONNACK', async () => {
  const client = await RawClient.open(broker.port)
  const connect = encodePacket(connectPacket({ clientId: 'eager', ...credentials }), 4)
  const message = encodePacket(publish({ topic: 'a', qos: 1, packetId: 7 }), 4)
  client.send(Buffer.concat([connect, message]))
  await client.expect(PacketType.CONNACK)
  assert.deepEqual(await client.next(), { type: 4, packetId: 7, reasonCode: 0, properties: {} })
})

test('F98 [MQTT-3.1.4-6] packets behind a CONNECT that is refused are not processed', async () => {
  const { client: watcher } = await RawClient.connect(broker.port, { clientId: 'watcher-2' })
  await watcher.subscribe('eager/#')
  const client = await RawClient.open(broker.port)
  const connect = encodePacket(connectPacket({ clientId: 'eager-2', ...credentials, password: 'wrong' }), 4)
  client.send(Buffer.concat([connect, encodePacket(publish({ topic: 'eager/2' }), 4)]))
  assert.deepEqual(await client.closed(), [{ type: 2, sessionPresent: false, reasonCode: 5, properties: {} }])
  assert.deepEqual(await watcher.settled(), [])
})

test('connection_messages false: who comes and goes is not logged, who is refused is', async (t) => {
  const conf = 'connection_messages false\npassword_file {folder}/passwords'
  const own = await startBroker({ conf, files: { passwords: `${USER}\n` }, debug: false })
  t.after(() => own.stop())
  own.forgetLog()
  const { client } = await RawClient.connect(own.port, { clientId: 'alice', ...credentials })
  await client.drop()
  const { connack } = await RawClient.connect(own.port, { clientId: 'x', ...credentials, password: 'wrong' })
  assert.equal(connack.reasonCode, 5)
  const [line, ...more] = own.log
  assert.match(
    line ?? '',
    /^Refused login from 127\.0\.0\.1:\d+ on port \d+: wrong password \(client 'x', user 'alice'\)\.$/,
  )
  assert.deepEqual(more, [])
})

test('D3.4 CWE-204: a client does not hear whether there is a user of its name', async () => {
  const answers = []
  for (const fields of [credentials, { username: 'nobody', password: 'x' }]) {
    const login = { clientId: 'x', version: 5, ...fields, password: 'wrong' } as const
    const { connack } = await RawClient.connect(broker.port, login)
    answers.push({ reasonCode: connack.reasonCode, ...connack.properties })
  }
  assert.deepEqual(answers, Array(2).fill({ reasonCode: 0x87, reasonString: 'wrong username or password' }))
})
