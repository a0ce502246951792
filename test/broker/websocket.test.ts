// MQTT over WebSocket as clients of the broker see it: handshake and its refusals, frames and packets, how connections end, limits,
// and a real client.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import type { Disconnect } from '../../src/protocol/packets/disconnect.js'
import { type Publish, publish } from '../../src/protocol/packets/publish.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { type ConnectFields, connectPacket } from '../support/raw-client.js'
import { connectWebSocket, exchange, frame, Opcode, RawWebSocket, upgradeRequest } from '../support/raw-web-socket.js'
import { until } from '../support/until.js'

const LIMIT = 1000
let broker: TestBroker
let strict: TestBroker

before(async () => {
  const conf = `protocol websockets\nmax_packet_size ${LIMIT}`
  broker = await startBroker({ conf })
  strict = await startBroker({
    conf: `${conf}\nwebsockets_origin https://a.example\nwebsockets_origin http://b.example:8080`,
  })
})
after(() => Promise.all([broker.stop(), strict.stop()]))

const CONNACK_311 = Buffer.of(0x20, 2, 0, 0)
const PINGREQ = Buffer.of(0xc0, 0)
const PINGRESP = Buffer.of(0xd0, 0)

/** The CONNECT packet of a client in bytes. */
function connectBytes(fields: ConnectFields): Buffer {
  return encodePacket(connectPacket(fields), fields.version ?? 4)
}

/** A WebSocket whose client is connected, by hand. */
async function connectByHand(fields: ConnectFields): Promise<RawWebSocket> {
  const peer = await RawWebSocket.open(broker.port)
  peer.send(frame(connectBytes(fields)))
  const { payload } = await peer.next()
  assert.equal(payload[0], CONNACK_311[0])
  return peer
}

/** What is published to `topic` from now on: the payload of the first message. */
async function watch(topic: string): Promise<{ message: () => Promise<string>; end: () => Promise<void> }> {
  const { client } = await connectWebSocket(broker.port, { clientId: `watch ${topic}` })
  await client.subscribe(topic)
  return {
    message: async () => String(((await client.expect(PacketType.PUBLISH)) as Publish).payload),
    end: () => client.drop(),
  }
}

// --- the handshake ---

const KEY_ANSWER = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='

for (const { name, headers, picked } of [
  { name: '[MQTT-6.0.0-4] F157 mqtt is picked', headers: {}, picked: 'mqtt' },
  { name: 'mqttv3.1 alone is picked', headers: { 'Sec-WebSocket-Protocol': 'mqttv3.1' }, picked: 'mqttv3.1' },
  {
    name: 'F157 mqtt is picked among others',
    headers: { 'Sec-WebSocket-Protocol': 'chat, mqttv3.1,mqtt' },
    picked: 'mqtt',
  },
  {
    name: 'compression is not agreed to',
    headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' },
    picked: 'mqtt',
  },
  { name: 'any origin where none is required', headers: { Origin: 'http://anywhere.example' }, picked: 'mqtt' },
])
  test(`handshake: ${name}`, async () => {
    const { response } = await RawWebSocket.open(broker.port, upgradeRequest(headers)).then((peer) => {
      peer.drop()
      return peer
    })
    const lines = response.split('\r\n')
    assert.ok(lines.includes(KEY_ANSWER), response)
    assert.deepEqual(
      lines.filter((line) => /^sec-websocket-(protocol|extensions):/i.test(line)),
      [`Sec-WebSocket-Protocol: ${picked}`],
    )
  })

test('handshake: any path, and MQTT 3.1 to 5.0 behind it', async () => {
  for (const version of [3, 4, 5] as const) {
    const peer = await RawWebSocket.open(broker.port, upgradeRequest({}, `GET /any/path?v=${version} HTTP/1.1`))
    peer.send(frame(connectBytes({ version, clientId: `path${version}` })))
    assert.equal((await peer.next()).payload[3], ReasonCode.SUCCESS)
    peer.drop()
  }
})

test('handshake: frames in the same segment as the request are not lost', async () => {
  const bytes = [Buffer.from(upgradeRequest()), frame(connectBytes({ clientId: 'eager' }))]
  const peer = await RawWebSocket.open(broker.port, Buffer.concat(bytes))
  assert.deepEqual((await peer.next()).payload, CONNACK_311)
  peer.drop()
})

for (const { name, request, status, says } of [
  {
    name: 'E201 [MQTT-6.0.0-3] no sub-protocol',
    request: upgradeRequest({ 'Sec-WebSocket-Protocol': undefined }),
    status: '400 Bad Request',
    says: /sub-protocol mqtt/,
  },
  {
    name: 'E201 another sub-protocol',
    request: upgradeRequest({ 'Sec-WebSocket-Protocol': 'MQTT, mqtt5' }),
    status: '400 Bad Request',
    says: /sub-protocol mqtt/,
  },
  {
    name: 'no upgrade',
    request: 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    status: '426 Upgrade Required',
    says: /MQTT over WebSocket/,
  },
  {
    name: 'a POST',
    request: 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello',
    status: '426 Upgrade Required',
    says: /MQTT over WebSocket/,
  },
  {
    name: 'an upgrade that Connection does not mention',
    request: upgradeRequest({ Connection: 'keep-alive' }),
    status: '426 Upgrade Required',
    says: /MQTT over WebSocket/,
  },
  {
    name: 'an upgrade to something else',
    request: upgradeRequest({ Upgrade: 'h2c' }),
    status: '400 Bad Request',
    says: /Upgrade header/,
  },
  {
    name: 'no key',
    request: upgradeRequest({ 'Sec-WebSocket-Key': undefined }),
    status: '400 Bad Request',
    says: /Sec-WebSocket-Key/,
  },
  {
    name: 'another version',
    request: upgradeRequest({ 'Sec-WebSocket-Version': '7' }),
    status: '426 Upgrade Required',
    says: /has to be 13/,
  },
  {
    name: 'the version of a draft',
    request: upgradeRequest({ 'Sec-WebSocket-Version': '8' }),
    status: '426 Upgrade Required',
    says: /has to be 13/,
  },
  {
    name: 'no version',
    request: upgradeRequest({ 'Sec-WebSocket-Version': undefined }),
    status: '426 Upgrade Required',
    says: /has to be 13/,
  },
  {
    name: 'a request of more than 4096 bytes',
    request: upgradeRequest({ Cookie: 'x'.repeat(4096) }),
    status: '431 Request Header Fields Too Large',
    says: /too large/,
  },
  { name: 'garbage', request: 'hello\r\n\r\n', status: '400 Bad Request', says: /not a WebSocket handshake/ },
  {
    name: 'MQTT without WebSocket',
    request: connectBytes({ clientId: 'plain' }),
    status: '400 Bad Request',
    says: /MQTT without WebSocket/,
  },
])
  test(`handshake refused: ${name}`, async () => {
    const known = broker.log.length
    const [head, body] = (await exchange(broker.port, request)).split('\r\n\r\n')
    assert.equal(head?.split('\r\n')[0], `HTTP/1.1 ${status}`)
    assert.match(head ?? '', /^Content-Type: text\/plain/m)
    assert.match(head ?? '', /^Connection: .*close/m)
    assert.match(head ?? '', new RegExp(`^Content-Length: ${body?.length}$`, 'm'))
    assert.match(body ?? '', says)
    assert.equal(
      broker.log.slice(known).filter((line) => /^Protocol error from 127/.test(line) && says.test(line)).length,
      1,
    )
  })

test('handshake: a request of almost 4096 bytes', async () => {
  const room = 4096 - upgradeRequest({ Cookie: '' }).length - 64
  const peer = await RawWebSocket.open(broker.port, upgradeRequest({ Cookie: 'x'.repeat(room) }))
  peer.drop()
})

for (const { origin, isAllowed } of [
  { origin: undefined, isAllowed: true },
  { origin: 'https://a.example', isAllowed: true },
  { origin: 'http://b.example:8080', isAllowed: true },
  { origin: 'https://a.example.evil.example', isAllowed: false },
  { origin: 'https://a.exampl', isAllowed: false },
  { origin: 'http://a.example', isAllowed: false },
  { origin: 'HTTPS://A.EXAMPLE', isAllowed: false },
  { origin: 'null', isAllowed: false },
  { origin: '', isAllowed: false },
])
  test(`websockets_origin: ${origin ?? 'no Origin header'} is ${isAllowed ? 'let in' : 'refused with 403'}`, async () => {
    const request = upgradeRequest({ Origin: origin })
    if (isAllowed) (await RawWebSocket.open(strict.port, request)).drop()
    else {
      assert.match(await exchange(strict.port, request), /^HTTP\/1\.1 403 Forbidden\r\n/)
      assert.ok(strict.log.some((line) => line.endsWith(`origin '${origin}' is not allowed.`)))
    }
  })

for (const { name, start } of [
  { name: 'nothing is sent', start: '' },
  { name: 'the request has no end', start: upgradeRequest().slice(0, -2) },
])
  test(`handshake: ${name} within connect_timeout: 408`, async () => {
    const slow = await startBroker({ conf: 'protocol websockets\nconnect_timeout 5' })
    const response = exchange(slow.port, start)
    await until(() => slow.log.some((line) => line.startsWith('New connection')), 'the connection')
    slow.advance(4)
    await settledLoop()
    slow.advance(1)
    assert.match(await response, /^HTTP\/1\.1 408 Request Timeout\r\n/)
    await slow.stop()
  })

test('a handshake without CONNECT within connect_timeout: closed', async () => {
  const slow = await startBroker({ conf: 'protocol websockets\nconnect_timeout 5' })
  const peer = await RawWebSocket.open(slow.port)
  slow.advance(5)
  assert.equal(await peer.closeCode(), 1000)
  await peer.closed()
  await slow.stop()
})

test('max_connections counts handshakes that are not finished', async () => {
  const small = await startBroker({ conf: 'protocol websockets\nmax_connections 1' })
  const first = exchange(small.port, 'GET / HTTP/1.1\r\n')
  await until(() => small.log.some((line) => line.startsWith('New connection')), 'the connection')
  assert.equal(await exchange(small.port, upgradeRequest()), '')
  await small.stop()
  assert.match(await first, /^HTTP\/1\.1 408 /)
})

async function settledLoop(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

// --- frames and packets ---

/** Cuts bytes into pieces of at most `size`. */
function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
}

for (const { name, cut } of [
  { name: 'E204 F156 several packets in a frame', cut: (bytes: Buffer) => [frame(bytes)] },
  { name: 'E204 F156 a frame per byte', cut: (bytes: Buffer) => pieces(bytes, 1).map((piece) => frame(piece)) },
  { name: 'E204 F156 frames of seven bytes', cut: (bytes: Buffer) => pieces(bytes, 7).map((piece) => frame(piece)) },
  {
    name: 'E204 continuation frames, some of them empty',
    cut: (bytes: Buffer) => [
      frame('', { isFinal: false }),
      ...pieces(bytes, 5).map((piece) => frame(piece, { isFinal: false, opcode: Opcode.CONTINUATION })),
      frame('', { opcode: Opcode.CONTINUATION }),
    ],
  },
  {
    name: 'E205 pings in the middle of packets',
    cut: (bytes: Buffer) => pieces(bytes, 3).flatMap((piece) => [frame(piece), frame('', { opcode: Opcode.PING })]),
  },
])
  test(`[MQTT-6.0.0-2] ${name}`, async () => {
    const peer = await RawWebSocket.open(broker.port)
    const packets = [connectBytes({ clientId: name }), PINGREQ, PINGREQ]
    peer.send(...cut(Buffer.concat(packets)))
    const expected = Buffer.concat([CONNACK_311, PINGRESP, PINGRESP])
    let received = Buffer.alloc(0)
    while (received.length < expected.length) {
      const { opcode, payload } = await peer.next()
      if (opcode !== Opcode.PONG) received = Buffer.concat([received, payload])
    }
    assert.deepEqual(received, expected)
    peer.drop()
  })

test('F156 what the broker sends in one turn is one frame, in the order of the packets', async () => {
  const peer = await connectByHand({ clientId: 'one frame' })
  peer.send(frame(Buffer.concat([PINGREQ, PINGREQ, PINGREQ])))
  assert.deepEqual((await peer.next()).payload, Buffer.concat([PINGRESP, PINGRESP, PINGRESP]))
  peer.drop()
})

test('a flood of small packets, each in a frame of its own', async () => {
  const peer = await connectByHand({ clientId: 'flood' })
  const count = 5000
  peer.send(...Array.from({ length: count }, () => frame(PINGREQ)))
  for (let bytes = 0; bytes < 2 * count; ) bytes += (await peer.next()).payload.length
  peer.drop()
})

// --- the end ---

const DISCONNECT = Buffer.of(0xe0, 0)
for (const version of [4, 5] as const)
  for (const { name, bytes, code } of [
    { name: 'E202 [MQTT-6.0.0-1] text frame', bytes: frame('x', { opcode: Opcode.TEXT }), code: 1003 },
    { name: 'E203 unmasked frame', bytes: frame(PINGREQ, { isMasked: false }), code: 1002 },
    { name: 'E203 reserved bit', bytes: frame(PINGREQ, { reserved: 2 }), code: 1002 },
    { name: 'E203 unknown opcode', bytes: frame(PINGREQ, { opcode: 5 }), code: 1002 },
    {
      name: 'E206 close frame without DISCONNECT',
      bytes: frame(Buffer.of(3, 232), { opcode: Opcode.CLOSE }),
      code: 1000,
    },
    { name: 'E206 empty close frame', bytes: frame('', { opcode: Opcode.CLOSE }), code: undefined },
  ])
    test(`${name}, version ${version}: close code ${code}, and the will is published`, async () => {
      const topic = `will/${version}/${name}`.replace(/[#+]/g, '')
      const watcher = await watch(topic)
      const peer = await connectByHand({ version, clientId: name, will: { topic, payload: Buffer.from('gone') } })
      peer.send(bytes)
      if (code === undefined) assert.equal((await peer.next()).payload.length, 0)
      else assert.equal(await peer.closeCode(), code)
      await peer.closed()
      assert.equal(await watcher.message(), 'gone')
      await watcher.end()
    })

test('DISCONNECT and a close frame: no will', async () => {
  const watcher = await watch('will/none')
  const peer = await connectByHand({ clientId: 'polite', will: { topic: 'will/none', payload: Buffer.from('gone') } })
  peer.send(frame(DISCONNECT), frame(Buffer.of(3, 232), { opcode: Opcode.CLOSE }))
  await peer.closed()
  const { client } = await connectWebSocket(broker.port, { clientId: 'sender' })
  client.publish({ topic: 'will/none', payload: 'other' })
  assert.equal(await watcher.message(), 'other')
  await Promise.all([watcher.end(), client.drop()])
})

/** A PUBLISH of exactly `size` bytes. */
function publishOf(size: number, version: ProtocolVersion): Buffer {
  const packet = (payload: Buffer) => encodePacket(publish({ topic: 'limit/t', payload }), version)
  const spare = packet(Buffer.alloc(500)).length - 500
  return packet(Buffer.alloc(size - spare))
}

for (const version of [4, 5] as const) {
  test(`E207 version ${version}: a packet of the limit is taken, in a frame longer than the limit`, async () => {
    const peer = await connectByHand({ version, clientId: 'edge' })
    const packet = publishOf(LIMIT, version)
    assert.equal(packet.length, LIMIT)
    peer.send(frame(Buffer.concat([packet, packet, PINGREQ])))
    assert.deepEqual((await peer.next()).payload, PINGRESP)
    peer.drop()
  })

  test(`E207 version ${version}: a packet beyond the limit is refused when its head has come, whatever its frame says`, async () => {
    const peer = await connectByHand({ version, clientId: 'far beyond' })
    const whole = frame(publishOf(5000, version), { length: 10_000_000 })
    peer.send(whole.subarray(0, 30))
    if (version === 5) assert.equal((await peer.next()).payload[2], ReasonCode.PACKET_TOO_LARGE)
    else assert.equal((await peer.next()).opcode, Opcode.CLOSE)
    peer.drop()
  })

  test(`E207 version ${version}: a packet one byte beyond the limit`, async () => {
    const { client } = await connectWebSocket(broker.port, { version, clientId: 'beyond' })
    client.send(publishOf(LIMIT + 1, version))
    const packets = await client.closed()
    if (version === 4) assert.deepEqual(packets, [])
    else assert.equal((packets[0] as Disconnect).reasonCode, ReasonCode.PACKET_TOO_LARGE)
  })
}

test('a client that is told to go gets DISCONNECT, then a close frame', async () => {
  const stopping = await startBroker({ conf: 'protocol websockets' })
  const { client } = await connectWebSocket(stopping.port, { version: 5, clientId: 'told' })
  await stopping.stop()
  const [packet] = await client.closed()
  assert.equal((packet as Disconnect).reasonCode, ReasonCode.SERVER_SHUTTING_DOWN)
})

test('the log names the peer by its TCP address', async () => {
  const { client } = await connectWebSocket(broker.port, { clientId: 'named' })
  assert.ok(broker.log.some((line) => /^New client connected from 127\.0\.0\.1:\d+ as named /.test(line)))
  client.disconnect()
  await client.closed()
  assert.ok(broker.log.some((line) => /^Client named \[127\.0\.0\.1:\d+\] disconnected\.$/.test(line)))
})

// --- a real client ---

for (const protocolVersion of [3, 4, 5] as const)
  test(`MQTT.js over ws://, version ${protocolVersion}`, async () => {
    const large = await startBroker({ conf: 'protocol websockets' })
    const protocolId = protocolVersion === 3 ? 'MQIsdp' : 'MQTT'
    const options = { protocolVersion, protocolId, reconnectPeriod: 0 } as const
    const client = await connectAsync(`ws://127.0.0.1:${large.port}/mqtt`, options)
    try {
      await client.subscribeAsync('echo/#', { qos: 2 })
      const sizes = [0, 1, 125, 126, 16_000, 65_536, 1_000_000]
      const received = collect(client, sizes.length * 3)
      for (const qos of [0, 1, 2] as const)
        for (const size of sizes) await client.publishAsync(`echo/${qos}/${size}`, Buffer.alloc(size, size), { qos })
      const messages = await received
      assert.equal(messages.size, sizes.length * 3)
      for (const [topic, payload] of messages) {
        const size = Number(topic.split('/')[2])
        assert.ok(payload.equals(Buffer.alloc(size, size)), topic)
      }
    } finally {
      await client.endAsync()
      await large.stop()
    }
  })

function collect(client: MqttClient, count: number): Promise<Map<string, Buffer>> {
  const messages = new Map<string, Buffer>()
  return new Promise((resolve) => {
    client.on('message', (topic, payload) => {
      messages.set(topic, payload)
      if (messages.size === count) resolve(messages)
    })
  })
}
