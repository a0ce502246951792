// A client that ends its side of the connection is gone, and still gets what it was owed when it did.

import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { encodePacket, type Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { MemoryStore } from '../../src/store/memory-store.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { connectPacket } from '../support/raw-client.js'
import { until } from '../support/until.js'

const certificates = hasOpenssl ? new Certificates() : undefined
const brokers: TestBroker[] = []
after(async () => {
  for (const broker of brokers) await broker.stop()
  certificates?.remove()
})

async function start(options: Parameters<typeof startBroker>[0]): Promise<TestBroker> {
  const broker = await startBroker({ debug: false, ...options })
  brokers.push(broker)
  return broker
}

const packets = (...all: Packet[]) => Buffer.concat(all.map((packet) => encodePacket(packet, 4)))
const PUBACKS = 5

/** CONNECT and some PUBLISH packets. */
function words(clientId: string, qos: 1 | 2, cleanStart = true): Buffer {
  const messages = Array.from({ length: PUBACKS }, (_, i) => publish({ topic: 't', qos, packetId: i + 1 }))
  return packets(connectPacket({ clientId, cleanStart }), ...messages)
}

/** Says `bytes`, ends its side, and returns all it hears up to the end of the other. */
function sayAndEnd(open: (onOpen: () => void) => Socket, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const heard: Buffer[] = []
    const socket = open(() => socket.end(bytes))
    socket.on('data', (chunk) => heard.push(chunk))
    socket.on('error', reject)
    socket.on('end', () => resolve(Buffer.concat(heard)))
  })
}

const plain = (port: number) => (onOpen: () => void) =>
  connect({ port, host: '127.0.0.1', allowHalfOpen: true }, onOpen)
const secure = (port: number) => (onOpen: () => void) =>
  connectTls({ socket: connect({ port, host: '127.0.0.1', allowHalfOpen: true }), rejectUnauthorized: false }, onOpen)

const cases: readonly {
  readonly name: string
  readonly conf: () => string
  readonly open: typeof plain
  readonly qos: 1 | 2
  readonly isKept?: boolean
  readonly isPossible?: boolean
}[] = [
  { name: 'QoS 1', conf: () => '', open: plain, qos: 1 },
  { name: 'QoS 2', conf: () => '', open: plain, qos: 2 },
  {
    name: `QoS 1 over TLS${skippedWithout}`,
    conf: () => `certfile ${certificates?.folder}/server.crt\nkeyfile ${certificates?.folder}/server.key`,
    open: secure,
    qos: 1,
    isPossible: hasOpenssl,
  },
  { name: 'QoS 2 of a session that is on disk', conf: () => 'persistence true', open: plain, qos: 2, isKept: true },
]

describe('twenty clients at once that end their side behind their packets get every answer', () => {
  for (const { name, conf, open, qos, isKept = false, isPossible = true } of cases)
    test(name, { skip: !isPossible }, async () => {
      const broker = await start({ conf: conf(), ...(isKept && { store: new MemoryStore() }) })
      for (let round = 0; round < 5; round++) {
        const all = Array.from({ length: 20 }, (_, i) => sayAndEnd(open(broker.port), words(`c${i}`, qos, !isKept)))
        for (const heard of await Promise.all(all)) {
          assert.equal(heard[0], PacketType.CONNACK << 4)
          assert.equal(heard.length, 4 + 4 * PUBACKS, heard.toString('hex'))
        }
      }
    })
})

test('a client that has ended its side and does not read is gone: its share of the messages goes to others', async () => {
  const broker = await start({ conf: 'max_queued_messages 0' })
  const subscribe = (clientId: string) =>
    packets(connectPacket({ clientId }), {
      type: PacketType.SUBSCRIBE,
      packetId: 1,
      properties: NO_PROPERTIES,
      subscriptions: [{ filter: '$share/g/t', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    })
  const stuck = connect(broker.port, '127.0.0.1')
  stuck.on('error', () => {})
  stuck.pause()
  stuck.write(subscribe('stuck'))
  await until(() => broker.log.some((line) => line.includes('stuck')), 'the subscriber')
  const publisher = connect(broker.port, '127.0.0.1')
  publisher.write(packets(connectPacket({ clientId: 'publisher' })))
  const large = packets(publish({ topic: 't', payload: Buffer.alloc(1_000_000) }))
  for (let i = 0; i < 10; i++) publisher.write(large)
  publisher.write(packets(publish({ topic: 'u', qos: 1, packetId: 1 })))
  await until(() => publisher.bytesRead >= 8, 'what was published')
  stuck.end()
  await until(
    () => broker.log.some((line) => line.includes('Client stuck') && line.includes('closed by client')),
    'its end',
  )
  const good = connect(broker.port, '127.0.0.1')
  good.write(subscribe('good'))
  await until(() => good.bytesRead >= 9, 'the good subscriber')
  const small = packets(publish({ topic: 't', payload: Buffer.from('x') }))
  for (let i = 0; i < 100; i++) publisher.write(small)
  await until(
    () => good.bytesRead === 9 + 100 * small.length,
    () => `all of them: ${good.bytesRead} bytes`,
  )
  for (const socket of [stuck, publisher, good]) socket.destroy()
})
