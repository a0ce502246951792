// Tests of the WebSocket transport by itself: the stream that a listener hands out, without a broker behind it.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { after, test } from 'node:test'
import { type ConnectionTaker, Listener } from '../../src/net/listener.js'
import { ProtocolError } from '../../src/protocol/protocol-error.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { exchange, frame, Opcode, RawWebSocket, upgradeRequest } from '../support/raw-web-socket.js'

/** One accepted connection: its stream, what it has read, how it ended. */
interface Served {
  readonly stream: Duplex
  received: Buffer
  readonly errors: Error[]
  readonly closed: Promise<void>
}

const rules = { origins: [], maxHeaderSize: 4096 }

async function listen(): Promise<{ port: number; next: () => Promise<Served> }> {
  const served: Served[] = []
  let wake = () => {}
  const taker: ConnectionTaker = {
    onAccept(accepted) {
      const opened = accepted.open((bytes, length) => {
        each.received = Buffer.concat([each.received, bytes.subarray(0, length)])
      })
      assert.ok(opened instanceof Duplex)
      const stream = opened
      const errors: Error[] = []
      stream.on('error', (error) => errors.push(error))
      const closed = new Promise<void>((resolve) => {
        stream.once('close', resolve)
      })
      const each: Served = { stream, received: Buffer.alloc(0), errors, closed }
      served.push(each)
      accepted.start()
      wake()
    },
    onArrival: () => assert.fail('no handshake below WebSocket'),
    onFailure: (error) => assert.ifError(error),
  }
  const listener = new Listener(taker, new BlockPool())
  const at = {
    path: undefined,
    host: '127.0.0.1',
    port: 0,
    family: undefined,
    interfaceName: undefined,
    noDelay: true,
    tls: undefined,
    proxy: undefined,
  }
  const [bound] = await listener.listen({ ...at, webSocket: rules })
  after(() => listener.close())
  const next = async () => {
    if (served.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    return served.shift() as Served
  }
  return { port: bound?.port ?? 0, next }
}

async function connected(): Promise<{ peer: RawWebSocket; server: Served }> {
  const { port, next } = await listen()
  const [peer, server] = await Promise.all([RawWebSocket.open(port), next()])
  return { peer, server }
}

/** Everything that `peer` has sent has been taken by the server when this is over. */
async function settled(peer: RawWebSocket): Promise<void> {
  peer.send(frame('', { opcode: Opcode.PING }))
  while ((await peer.next()).opcode !== Opcode.PONG);
}

test('one write is one binary frame', async () => {
  const { peer, server } = await connected()
  server.stream.write(Buffer.from('abc'))
  assert.deepEqual(await peer.next(), { isFinal: true, opcode: Opcode.BINARY, payload: Buffer.from('abc') })
  peer.drop()
})

for (const { name, sizes, frames } of [
  { name: 'small chunks written together are one frame', sizes: [10, 20, 30], frames: [60] },
  { name: 'joined up to 64 KiB', sizes: [65_000, 536], frames: [65_536] },
  { name: 'chunks beyond 64 KiB together are not copied: a frame each', sizes: [65_000, 537], frames: [65_000, 537] },
  { name: 'a large chunk between small ones', sizes: [7, 200_000, 9], frames: [7, 200_000, 9] },
])
  test(name, async () => {
    const { peer, server } = await connected()
    server.stream.cork()
    for (const [index, size] of sizes.entries()) server.stream.write(Buffer.alloc(size, index + 1))
    server.stream.uncork()
    const received: Buffer[] = []
    for (const size of frames) {
      const { opcode, isFinal, payload } = await peer.next()
      assert.deepEqual({ opcode, isFinal, size: payload.length }, { opcode: Opcode.BINARY, isFinal: true, size })
      received.push(payload)
    }
    assert.deepEqual(Buffer.concat(received), Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, index + 1))))
    peer.drop()
  })

test('writableLength counts what has not left, and callbacks come when it has', async () => {
  const { peer, server } = await connected()
  peer.pause()
  const chunk = Buffer.alloc(1_048_576)
  const count = 32
  let done = 0
  const all = new Promise<void>((resolve) => {
    for (let i = 0; i < count; i++)
      server.stream.write(chunk, () => {
        if (++done === count) resolve()
      })
  })
  await settledLoop()
  assert.ok(done < count, `${done} writes done although nobody reads`)
  assert.ok(server.stream.writableLength > 8 * chunk.length, `${server.stream.writableLength} bytes pending`)
  peer.resume()
  for (let i = 0; i < count; i++) assert.equal((await peer.next()).payload.length, chunk.length)
  await all
  assert.equal(server.stream.writableLength, 0)
  peer.drop()
})

/** Lets the system take as much as it will. */
async function settledLoop(): Promise<void> {
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('end sends what is pending, then a close frame, and closes once it is answered', async () => {
  const { peer, server } = await connected()
  server.stream.write(Buffer.alloc(300_000, 1))
  server.stream.write(Buffer.from('last'))
  server.stream.end()
  assert.equal((await peer.next()).payload.length, 300_000)
  assert.equal((await peer.next()).payload.toString(), 'last')
  assert.equal(await peer.closeCode(), 1000)
  await Promise.all([peer.closed(), server.closed])
  assert.deepEqual(server.errors, [])
})

test('destroy drops the connection without a close frame', async () => {
  const { peer, server } = await connected()
  server.stream.destroy()
  await Promise.all([peer.closed(), server.closed])
  await assert.rejects(peer.next(), /closed/)
  assert.deepEqual(server.errors, [])
})

test('a close frame of the peer is answered; what is written afterwards goes nowhere, without error', async () => {
  const { peer, server } = await connected()
  peer.send(frame('last'), frame(Buffer.from([0x03, 0xe8]), { opcode: Opcode.CLOSE }))
  server.stream.on('close', () => assert.equal(server.received.toString(), 'last'))
  assert.equal((await peer.next()).opcode, Opcode.CLOSE)
  server.stream.write(Buffer.from('late'))
  await Promise.all([peer.closed(), server.closed])
  assert.deepEqual(server.errors, [])
})

test('a peer that vanishes closes the stream', async () => {
  const { peer, server } = await connected()
  peer.send(frame('half').subarray(0, 8))
  peer.drop()
  await server.closed
  assert.equal(server.received.toString(), 'ha')
})

test('a paused stream takes nothing and goes on where it was', async () => {
  const { peer, server } = await connected()
  server.stream.pause()
  peer.send(frame('abc'))
  await settledLoop()
  assert.equal(server.received.length, 0)
  server.stream.resume()
  await settled(peer)
  assert.equal(server.received.toString(), 'abc')
  peer.drop()
})

for (const { name, frames } of [
  { name: 'empty frames', frames: [frame(''), frame('ab'), frame(''), frame('c')] },
  {
    name: 'a message in several frames',
    frames: [
      frame('a', { isFinal: false }),
      frame('', { isFinal: false, opcode: Opcode.CONTINUATION }),
      frame('bc', { opcode: Opcode.CONTINUATION }),
    ],
  },
  {
    name: 'a ping between the frames of a message',
    frames: [
      frame('a', { isFinal: false }),
      frame('hello', { opcode: Opcode.PING }),
      frame('bc', { opcode: Opcode.CONTINUATION }),
    ],
  },
  { name: 'a pong that nobody asked for', frames: [frame('ab'), frame('x', { opcode: Opcode.PONG }), frame('c')] },
])
  test(`E204 ${name}: the bytes arrive as if written in one`, async () => {
    const { peer, server } = await connected()
    peer.send(...frames)
    await settled(peer)
    assert.equal(server.received.toString(), 'abc')
    peer.drop()
  })

test('E205 a ping is answered with its payload', async () => {
  const { peer } = await connected()
  peer.send(frame('hello', { opcode: Opcode.PING }))
  assert.deepEqual(await peer.next(), { isFinal: true, opcode: Opcode.PONG, payload: Buffer.from('hello') })
  peer.drop()
})

test('a flood of frames of one byte', async () => {
  const { peer, server } = await connected()
  const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index & 255))
  peer.send(...Array.from(bytes, (byte) => frame(Buffer.from([byte]))))
  await settled(peer)
  assert.deepEqual(server.received, bytes)
  peer.drop()
})

for (const { id = 'E203', name, frames, code, before = '' } of [
  { id: 'E202', name: 'a text frame', frames: [frame('x', { opcode: Opcode.TEXT })], code: 1003 },
  {
    id: 'E202',
    name: 'a text frame that is not UTF-8',
    frames: [frame(Buffer.of(0xff), { opcode: Opcode.TEXT })],
    code: 1003,
  },
  { name: 'an unmasked frame', frames: [frame('x', { isMasked: false })], code: 1002 },
  { name: 'RSV1 without an extension', frames: [frame('x', { reserved: 4 })], code: 1002 },
  { name: 'RSV3', frames: [frame('x', { reserved: 1 })], code: 1002 },
  { name: 'opcode 3', frames: [frame('x', { opcode: 3 })], code: 1002 },
  { name: 'opcode 11', frames: [frame('x', { opcode: 11 })], code: 1002 },
  { name: 'a continuation of nothing', frames: [frame('x', { opcode: Opcode.CONTINUATION })], code: 1002 },
  {
    name: 'a message within a message',
    frames: [frame('x', { isFinal: false }), frame('y')],
    code: 1002,
    before: 'x',
  },
  {
    name: 'a text frame behind a binary one',
    frames: [frame('x'), frame('y', { opcode: Opcode.TEXT })],
    code: 1003,
    before: 'x',
  },
  { name: 'a ping of 126 bytes', frames: [frame(Buffer.alloc(126), { opcode: Opcode.PING })], code: 1002 },
  { name: 'a ping in pieces', frames: [frame('x', { opcode: Opcode.PING, isFinal: false })], code: 1002 },
  { name: 'a length of 2^53', frames: [frame('', { length: 2 ** 53 })], code: 1009 },
])
  test(`${id} ${name}: close code ${code}, and the owner is told`, async () => {
    const { peer, server } = await connected()
    server.stream.on('error', () => server.stream.end())
    peer.send(...frames)
    assert.equal(await peer.closeCode(), code)
    await Promise.all([peer.closed(), server.closed])
    assert.equal(server.errors.length, 1)
    assert.ok(server.errors[0] instanceof ProtocolError)
    assert.equal(server.received.toString(), before)
  })

for (const [name, extra] of [
  ['every byte by itself', 1],
  ['three bytes', 3],
  ['seven bytes', 7],
] as const)
  test(`frames of all sizes, cut after ${name}, and behind the handshake in the same write`, async () => {
    const { port, next } = await listen()
    const sizes = [0, 1, 2, 3, 4, 5, 7, 125, 126, 127, 1000, 65_535, 65_536]
    const payloads = sizes.map((size, index) => Buffer.alloc(size, `${index}abcdefghijklm`))
    const wire = Buffer.concat([
      ...payloads.map((payload) => frame(payload)),
      ...payloads.flatMap((payload) => [
        frame(payload, { isFinal: false }),
        frame('p', { opcode: Opcode.PONG }),
        frame(payload, { opcode: Opcode.CONTINUATION }),
      ]),
    ])
    const [peer, server] = await Promise.all([
      RawWebSocket.open(port, Buffer.concat([Buffer.from(upgradeRequest()), wire.subarray(0, 300)])),
      next(),
    ])
    // Large ones in large pieces, or it would take long.
    for (let at = 300; at < wire.length; ) {
      const end = Math.min(wire.length, at + (at < 3000 ? extra : 9973))
      peer.send(wire.subarray(at, end))
      if (at < 3000) await new Promise((resolve) => setImmediate(resolve))
      at = end
    }
    await settled(peer)
    const expected = Buffer.concat([...payloads, ...payloads.flatMap((payload) => [payload, payload])])
    assert.ok(server.received.equals(expected))
    peer.drop()
  })

test('a frame that claims to be endless holds nothing: what it brings is handed on', async () => {
  const { peer, server } = await connected()
  peer.send(frame('', { length: 2 ** 52 }))
  for (let i = 0; i < 64; i++) peer.send(Buffer.alloc(65_536))
  while (server.received.length < 64 * 65_536) await new Promise((resolve) => setImmediate(resolve))
  peer.drop()
  await server.closed
})

test('a stream that ends before its handshake answers 408', async () => {
  const { port, next } = await listen()
  const [response, server] = await Promise.all([
    exchange(port, upgradeRequest().slice(0, 40)),
    next().then((server) => {
      server.stream.end()
      return server
    }),
  ])
  assert.match(response, /^HTTP\/1\.1 408 Request Timeout\r\n/)
  await server.closed
})
