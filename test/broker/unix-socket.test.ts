// Listeners on Unix sockets: who may use them, what the log calls their clients, and what becomes of paths that are taken.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Connack } from '../../src/protocol/packets/connack.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { frame, upgradeRequest } from '../support/raw-web-socket.js'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmq-unix-'))
})
after(() => rmSync(folder, { recursive: true }))

async function start(path: string, conf = ''): Promise<TestBroker> {
  return startBroker({ conf: `allow_anonymous true\nmax_connections_per_ip 2\nlistener 0 ${path}\n${conf}` })
}

async function connected(path: string, clientId: string): Promise<RawClient> {
  const client = new RawClient(connect(path))
  client.send(connectPacket({ clientId }))
  assert.equal(((await client.expect(PacketType.CONNACK)) as Connack).reasonCode, 0)
  return client
}

test('messages go to and from TCP; the log shows the path and port 0', async () => {
  const path = join(folder, 'a.sock')
  const broker = await start(path)
  try {
    assert.ok(broker.log.includes(`Opening unix listen socket on path ${path}.`))
    const reader = await connected(path, 'reader')
    const { client: writer } = await RawClient.connect(broker.port, { clientId: 'writer' })
    await reader.subscribe('#')
    writer.publish({ topic: 'a', payload: 'b' })
    assert.equal(String(((await reader.expect(PacketType.PUBLISH)) as Publish).payload), 'b')
    assert.ok(broker.log.includes(`New client connected from ${path}:0 as reader (p4, c1, k0).`))
    await Promise.all([reader.drop(), writer.drop()])
  } finally {
    await broker.stop()
  }
})

test('its owner and group may use it, whatever the umask, which stays as it was', async () => {
  const before = process.umask(0o077)
  try {
    const path = join(folder, 'mode.sock')
    const broker = await start(path)
    assert.equal(statSync(path).mode & 0o777, 0o770)
    assert.equal(process.umask(), 0o077)
    await broker.stop()
    assert.equal(existsSync(path), false)
  } finally {
    process.umask(before)
  }
})

test('max_connections counts; max_connections_per_ip does not', async () => {
  const path = join(folder, 'limits.sock')
  const broker = await start(path, 'max_connections 3')
  try {
    const clients = await Promise.all(['1', '2', '3'].map((id) => connected(path, id)))
    await new RawClient(connect(path)).closed()
    assert.ok(broker.log.includes(`Client connection from ${path} denied: max_connections exceeded.`))
    await Promise.all(clients.map((client) => client.drop()))
  } finally {
    await broker.stop()
  }
})

test('WebSocket over a Unix socket', async () => {
  const path = join(folder, 'web.sock')
  const broker = await start(path, 'protocol websockets')
  try {
    const socket = connect(path)
    const chunks: Buffer[] = []
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        chunks.push(chunk)
        if (
          Buffer.concat(chunks)
            .subarray(-4)
            .equals(Buffer.of(0x20, 2, 0, 0))
        )
          resolve()
      })
    })
    socket.write(upgradeRequest())
    socket.write(frame(Buffer.from('\u0010\u000d\u0000\u0004MQTT\u0004\u0002\u0000\u0000\u0000\u0001w', 'latin1')))
    await answered
    socket.destroy()
  } finally {
    await broker.stop()
  }
})

/** A listening socket of another program. */
function listening(path: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy()).listen(path, () => resolve(server))
  })
}

test('a socket that nobody answers on is replaced', async () => {
  const path = join(folder, 'stale.sock')
  const server = await listening(path)
  // Closed without its path being removed, as by kill -9.
  const kept = `${path}.old`
  renameSync(path, kept)
  await new Promise((resolve) => server.close(resolve))
  renameSync(kept, path)
  const broker = await start(path)
  const client = await connected(path, 'new')
  await client.drop()
  await broker.stop()
})

const refused: readonly { readonly name: string; readonly path: string; readonly says: RegExp }[] = [
  { name: 'a path in use', path: 'used.sock', says: /used\.sock is in use by another program$/ },
  { name: 'a file', path: 'file', says: /file exists and is no socket$/ },
  { name: 'a folder that is not there', path: 'missing/s.sock', says: /no such file or directory|ENOENT|EACCES/ },
  { name: 'a path of 108 bytes', path: 'long', says: /has 107 bytes at most/ },
]
for (const { name, path, says } of refused)
  test(`refused: ${name}`, async () => {
    const server = await listening(join(folder, 'used.sock'))
    try {
      writeFileSync(join(folder, 'file'), 'precious')
      const long = join(folder, 'x'.repeat(107 - folder.length))
      const full = path === 'long' ? long : join(folder, path)
      assert.equal(Buffer.byteLength(long), 108)
      await assert.rejects(start(full), { name: 'ListenError', message: says })
      assert.equal(existsSync(join(folder, 'file')), true)
      assert.equal(existsSync(join(folder, 'used.sock')), true)
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })

test('a path of 107 bytes', async () => {
  const path = join(folder, 'x'.repeat(106 - folder.length))
  assert.equal(Buffer.byteLength(path), 107)
  const broker = await start(path)
  await (await connected(path, 'long')).drop()
  await broker.stop()
})
