// A login that takes time: what came with CONNECT is kept meanwhile, what came behind it waits.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { type Publish, publish } from '../../src/protocol/packets/publish.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { connectPacket, RawClient } from '../support/raw-client.js'

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
