// Malformed packets of each kind a client can send, put to a running broker: a CONNECT is refused in the form of its version,
// anything else ends the connection, with a DISCONNECT before it in 5.0 only, and the client's will is published. That each
// single packet is found out is shown in test/protocol.

import assert from 'node:assert/strict'
import { connect as dial } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { malformedPackets } from '../golden/malformed.js'
import type { MalformedPacket } from '../golden/malformed-packet.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { isOverWebSocket } from '../support/transport.js'
import { describePacket } from './conversation.js'

const UNSUPPORTED_VERSION = 0x84

/** The first of the packets of one type and version that break the same rules. */
const kinds = new Map<string, MalformedPacket>()
for (const row of malformedPackets) {
  const ids = row.name.match(/^(E\d+ |F\d+ |\[.*?\] )+/)?.[0]
  const kind = `${row.version} ${(row.bytes[0] ?? 0) >> 4} ${ids}`
  if (row.sender === 'client' && !kinds.has(kind)) kinds.set(kind, row)
}
const fromClients = [...kinds.values()]
const isConnect = ({ bytes }: MalformedPacket) => (bytes[0] ?? 0) >> 4 === PacketType.CONNECT
/** Which form answers a CONNECT of a version that nobody knows is a question of its own: see rules-connect. */
const connects = fromClients.filter((row) => isConnect(row) && row.reasonCode !== UNSUPPORTED_VERSION)
const others = fromClients.filter((row) => !isConnect(row))

let broker: TestBroker
before(async () => {
  broker = await startBroker()
})
after(() => broker.stop())

const hexCode = (code: number) => `0x${code.toString(16)}`

/** A fault in the fixed header is found before the version is known, and 3.x has no code for a malformed CONNECT. */
function refusal({ bytes, version, reasonCode }: MalformedPacket): string[] {
  return version === 5 && bytes[0] === 0x10 ? [`CONNACK 0 ${hexCode(reasonCode)}`] : []
}

describe('[MQTT-3.1.4-1] [MQTT-3.2.2-7] F148 a malformed CONNECT', () => {
  for (const row of connects)
    test(row.name, async () => {
      const client = await RawClient.open(broker.port)
      client.version = row.version
      client.send(row.bytes)
      assert.deepEqual((await client.closed()).map(describePacket), refusal(row))
    })
})

describe('[MQTT-4.13.1-1] [MQTT-4.13.2-1] [MQTT-4.8.0-1 of 3.1.1] [MQTT-3.14.0-1] a malformed packet of a connected client', () => {
  let watcher: RawClient
  before(async () => {
    watcher = (await RawClient.connect(broker.port, { clientId: 'watcher' })).client
    await watcher.subscribe('gone/#')
  })
  after(() => watcher.drop())

  const farewell = (version: ProtocolVersion, reasonCode: number) =>
    version === 5 ? [`DISCONNECT ${hexCode(reasonCode)}`] : []

  others.forEach(({ name, version, bytes, reasonCode }, index) => {
    test(name, async () => {
      const will = { topic: `gone/${index}` }
      const { client } = await RawClient.connect(broker.port, { clientId: `bad-${index}`, version, will })
      client.send(bytes)
      assert.deepEqual((await client.closed()).map(describePacket), farewell(version, reasonCode))
      const published = (await watcher.expect(PacketType.PUBLISH)) as Publish
      assert.equal(published.topic, will.topic)
    })
  })
})

/** Sends bytes and returns what is read until the broker has ended its side; fails when the connection is reset before. */
async function lastWords(bytes: Buffer): Promise<string> {
  const socket = dial({ port: broker.port, host: '127.0.0.1' })
  const chunks: Buffer[] = []
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      socket.once('end', resolve)
      socket.once('error', reject)
      socket.end(bytes)
    })
  } finally {
    socket.destroy()
  }
  return Buffer.concat(chunks).toString('hex')
}

/** How a socket ends is a matter of TCP. */
const testOverTcp = isOverWebSocket() ? () => {} : test

const flood = Buffer.alloc(3_000_000, 0xc0)
const login = encodePacket(connectPacket({ clientId: 'talker', version: 5 }), 5)
const refused = encodePacket(connectPacket({ version: 5, properties: { authenticationMethod: 'm' } }), 5)

testOverTcp('F146 DISCONNECT can be read although more input follows the fault', async () => {
  assert.match(await lastWords(Buffer.concat([login, Buffer.of(0, 0), flood])), /^20[0-9a-f]+e0[0-9a-f]{2}81/)
})

testOverTcp('F146 CONNACK can be read although more input follows a refused CONNECT', async () => {
  assert.match(await lastWords(Buffer.concat([refused, flood])), /^20[0-9a-f]{2}008c/)
})

testOverTcp('[MQTT-3.1.4-6] nothing behind a refused CONNECT is processed, another CONNECT included', async () => {
  const hexadecimal = await lastWords(Buffer.concat([refused, login]))
  assert.match(hexadecimal, /^20[0-9a-f]{2}008c/)
  assert.equal(hexadecimal.length / 2, 2 + Number.parseInt(hexadecimal.slice(2, 4), 16), 'one packet')
})

test('E15 [MQTT-3.14.4-1] a PUBLISH behind DISCONNECT reaches nobody', async () => {
  const { client: watcher } = await RawClient.connect(broker.port, { clientId: 'bystander' })
  await watcher.subscribe('late')
  const { client } = await RawClient.connect(broker.port, { clientId: 'late' })
  client.send('e000 3006 0004 6c617465')
  assert.deepEqual(await client.closed(), [])
  assert.deepEqual(await watcher.settled(), [])
  await watcher.drop()
})
