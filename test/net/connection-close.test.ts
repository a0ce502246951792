// A connection whose socket goes while packets wait for the flush at the end of the turn.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { Connection } from '../../src/net/connection.js'
import { sharedMemory } from '../../src/net/outbox.js'
import { WriteQueue } from '../../src/net/write-queue.js'

function pair(isStuck = false) {
  const written: Buffer[] = []
  let fail: (error: Error) => void = () => {}
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(Buffer.from(chunk))
      if (isStuck) fail = done
      else done()
    },
  })
  const closes: (Error | undefined)[] = []
  let drains = 0
  const owner = {
    onPacket() {},
    onError() {},
    onDrain: () => void drains++,
    onClose: (error: Error | undefined) => void closes.push(error),
  }
  const writes = new WriteQueue()
  const connection = new Connection(socket, owner, 'client', { ...sharedMemory(), writes })
  return { connection, socket, written, closes, writes, drains: () => drains, fail: (error: Error) => fail(error) }
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))

test('CVE-2020-13410: the flush that comes after the close does nothing and the block is reused', async () => {
  const { connection, socket, written, closes, writes } = pair()
  connection.outbox.writeAck(0x40, 1)
  const block = writes.take()
  writes.give(block)
  const failure = new Error('reset')
  socket.destroy(failure)
  await turn()
  assert.deepEqual(written, [])
  assert.deepEqual(closes, [failure])
  assert.equal(connection.pendingBytes, 0)
  assert.notEqual(writes.take(), block, 'the block of the connection is back in the pool, on top')
})

test('a write that finishes after the close starts no other', async () => {
  const { connection, socket, written, closes } = pair()
  connection.outbox.write(Buffer.alloc(20_000, 'x'))
  connection.outbox.writeAck(0x40, 1)
  socket.destroy()
  await turn()
  assert.equal(closes.length, 1)
  assert.ok(written.length <= 1)
})

test('F14 a slow socket that breaks is not taken for one that can take more', async () => {
  const { connection, closes, drains, fail } = pair(true)
  connection.outbox.maxPendingBytes = 50_000
  for (let i = 0; i < 3; i++) connection.outbox.write(Buffer.alloc(20_000))
  assert.equal(connection.outbox.isWritable, false)
  await turn()
  fail(new Error('reset'))
  await turn()
  assert.equal(closes.length, 1)
  assert.equal(drains(), 0)
})
