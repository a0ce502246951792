// Accepted sockets read into one buffer, and into blocks of their own while they fill it: what somebody keeps of a block is not
// written over, and blocks go back.

import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { AcceptedSockets, acceptHandles, startReading } from '../../src/net/accepted-socket.js'
import type { ChunkTaker } from '../../src/net/plain-socket.js'
import { BlockPool, type SharedBlock } from '../../src/protocol/shared-block.js'
import { until } from '../support/until.js'

const MB = 1024 * 1024
const open: { end(): void }[] = []
after(() => {
  for (const each of open) each.end()
})

/** A pool that counts the blocks that are out. */
class CountingPool extends BlockPool {
  out = 0
  override take(size: number): SharedBlock {
    this.out++
    return super.take(size)
  }
  override give(bytes: Buffer): void {
    this.out--
    super.give(bytes)
  }
}

/** A server whose sockets hand what they read to what `taker` returns, and a way to connect to it. */
async function serve(pool: BlockPool, taker: () => ChunkTaker) {
  const sockets = new AcceptedSockets(pool)
  const accepted: Socket[] = []
  const server = createServer({ pauseOnConnect: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  acceptHandles(server, (handle) => {
    const socket = sockets.socketOf(handle, taker())
    socket.on('error', () => {})
    accepted.push(socket)
    startReading(socket)
  })
  open.push({
    end() {
      for (const socket of accepted) socket.destroy()
      server.close()
    },
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    accepted,
    client: () =>
      new Promise<Socket>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(socket))
        socket.on('error', () => {})
      }),
  }
}

/** Bytes that tell where in the stream they are. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at += 4) bytes.writeUInt32LE(at, at)
  return bytes
}

test('kept blocks hold what was read into them, and go back when they are released', { timeout: 20_000 }, async () => {
  const pool = new CountingPool()
  const kept: { block: SharedBlock; at: number; length: number }[] = []
  const copies: Buffer[] = []
  let total = 0
  const server = await serve(pool, () => (bytes, length, block) => {
    if (block !== undefined && kept.length < 40) {
      assert.equal(bytes, block.bytes)
      block.retain()
      kept.push({ block, at: total, length })
    }
    copies.push(Buffer.from(bytes.subarray(0, length)))
    total += length
  })
  const client = await server.client()
  const sent = pattern(32 * MB)
  client.write(sent)
  await until(() => total === sent.length, 'everything that was sent')
  assert.ok(Buffer.concat(copies).equals(sent))
  assert.ok(kept.length > 3, `${kept.length} blocks`)
  for (const { block, at, length } of kept)
    assert.ok(block.bytes.subarray(0, length).equals(sent.subarray(at, at + length)), `at ${at}`)
  assert.equal(new Set(kept.map(({ block }) => block)).size, kept.length)
  for (const { block } of kept) block.release()
  // A read that brings little is back in the buffer of all.
  client.write('x')
  await until(() => total === sent.length + 1, 'one byte more')
  assert.equal(pool.out, 0)
  client.destroy()
})

test('a socket that is closed gives its block back, also to those that had to do without', {
  timeout: 30_000,
}, async () => {
  const pool = new CountingPool()
  /** Sockets that have read into a block of their own, and then wait. */
  const lent = new Set<number>()
  let count = 0
  const server = await serve(pool, () => {
    const number = count++
    return (_bytes, _length, block) => {
      if (block === undefined || lent.has(number)) return
      lent.add(number)
      server.accepted[number]?.pause()
    }
  })
  const bytes = Buffer.alloc(16 * MB)
  /** A client that sends until its socket has a block, or a lot has been read. */
  const sender = async () => {
    const number = count
    const client = await server.client()
    await until(() => count > number, 'the connection')
    let isSent = false
    client.write(Buffer.concat([bytes, bytes]), () => {
      isSent = true
    })
    await until(() => isSent || lent.has(number), 'a block, or the end of what is sent')
    return { client, number }
  }
  const clients: Socket[] = []
  for (let each = 0; each < 32; each++) clients.push((await sender()).client)
  assert.equal(lent.size, 32)
  assert.equal(pool.out, 32)
  const late = await sender()
  assert.equal(lent.has(late.number), false)
  late.client.destroy()
  for (const client of clients) client.destroy()
  for (const socket of server.accepted) socket.resume()
  await until(() => pool.out === 0, 'the blocks')
  assert.equal(lent.has((await sender()).number), true)
})
