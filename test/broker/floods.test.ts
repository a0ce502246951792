// Clients that take their time or only take up room: on every transport a login that trickles ends when connect_timeout is over,
// and thousands that say nothing hinder nobody. What happens without file descriptors is in test/cli.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl } from '../support/certificates.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { upgradeRequest } from '../support/raw-web-socket.js'

const TIMEOUT = 10
const LOGIN = encodePacket(connectPacket({ clientId: 'slow' }), 4)

async function open(port: number): Promise<Socket> {
  const socket = dial({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {}).resume()
  await once(socket, 'connect')
  return socket
}

/** Turns of the event loop, until what was sent has been read on the other side. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a byte each second', () => {
  let certificates: Certificates | undefined
  const brokers: TestBroker[] = []
  before(() => {
    if (hasOpenssl) certificates = new Certificates()
  })
  after(async () => {
    await Promise.all(brokers.map((each) => each.stop()))
    certificates?.remove()
  })

  const tls = () => `certfile ${certificates?.folder}/server.crt\nkeyfile ${certificates?.folder}/server.key\n`
  const cases: readonly { name: string; conf: () => string; bytes: Buffer; needsTls?: boolean }[] = [
    { name: 'CONNECT', conf: () => '', bytes: LOGIN },
    { name: 'the request of a WebSocket', conf: () => 'protocol websockets', bytes: Buffer.from(upgradeRequest()) },
    { name: 'a TLS handshake', conf: tls, bytes: Buffer.from('16030102000100', 'hex'), needsTls: true },
    {
      name: 'a TLS handshake below WebSocket',
      conf: () => `${tls()}protocol websockets`,
      bytes: Buffer.from('16030102000100', 'hex'),
      needsTls: true,
    },
    { name: 'a PROXY line', conf: () => 'enable_proxy_protocol 1', bytes: Buffer.from('PROXY TCP4 192.0.2.1') },
  ]
  for (const { name, conf, bytes, needsTls = false } of cases)
    if (hasOpenssl || !needsTls)
      test(`${name}: ended when connect_timeout is over, not before`, async () => {
        const broker = await startBroker({ conf: `connect_timeout ${TIMEOUT}\nmax_connections 1\n${conf()}` })
        brokers.push(broker)
        const socket = await open(broker.port)
        let isClosed = false
        socket.once('close', () => {
          isClosed = true
        })
        await settled()
        for (let second = 0; second < TIMEOUT; second++) {
          assert.equal(isClosed, false, `closed after ${second} s`)
          socket.write(bytes.subarray(second % bytes.length, (second % bytes.length) + 1))
          await settled()
          broker.advance(1)
        }
        if (!isClosed) await once(socket, 'close')
        assert.match(broker.log.join('\n'), /^Client 127\.0\.0\.1 \[127\.0\.0\.1:\d+\] disconnected: no .* in time\.$/m)
      })

  test('CONNECT in a WebSocket that is open', async () => {
    const broker = await startBroker({ conf: `connect_timeout ${TIMEOUT}\nprotocol websockets` })
    brokers.push(broker)
    const socket = await open(broker.port)
    socket.write(upgradeRequest())
    await once(socket, 'data')
    broker.advance(TIMEOUT - 1)
    socket.write(Buffer.from('828100000000', 'hex'))
    await settled()
    broker.advance(1)
    await once(socket, 'close')
  })
})

test('half-open connections, 5,000 or what the system allows: a client beside them is served, and they end', async () => {
  const limit = Number(spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout)
  const count = Math.min(5000, Math.floor(((Number.isFinite(limit) ? limit : 20_000) - 200) / 2))
  const broker = await startBroker({ conf: `connect_timeout ${TIMEOUT}` })
  const sockets: Socket[] = []
  try {
    const { client } = await RawClient.connect(broker.port, { clientId: 'present' })
    await client.subscribe('a')
    while (sockets.length < count)
      sockets.push(
        ...(await Promise.all(Array.from({ length: Math.min(250, count - sockets.length) }, () => open(broker.port)))),
      )
    const { client: late } = await RawClient.connect(broker.port, { clientId: 'late' })
    late.publish({ topic: 'a', payload: 'x' })
    assert.equal((await client.next()).type, PacketType.PUBLISH)
    broker.advance(TIMEOUT)
    await Promise.all(sockets.map((socket) => socket.destroyed || once(socket, 'close')))
    assert.deepEqual(await late.settled(), [])
    assert.equal(broker.log.filter((line) => line.endsWith('disconnected: no CONNECT in time.')).length, count)
    await Promise.all([client.drop(), late.drop()])
  } finally {
    for (const socket of sockets) socket.destroy()
    await broker.stop()
  }
})
