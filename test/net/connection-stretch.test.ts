// Packets that several connections get in the same bytes: whatever is written before, between and behind them, each connection
// sends everything in order, and blocks go back when they have left.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { Connection, type ConnectionOwner } from '../../src/net/connection.js'
import { sharedMemory } from '../../src/net/outbox.js'
import { FrameStretch, MOST_COPIED } from '../../src/protocol/frame-stretch.js'
import { PublishFrames } from '../../src/protocol/publish-frames.js'
import type { SharedBlock } from '../../src/protocol/shared-block.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { localMessage } from '../../src/session/message.js'

const owner: ConnectionOwner = {
  onPacket: () => {},
  onError: (error) => assert.fail(String(error)),
  onClose: () => {},
  onDrain: () => {},
}

/** A connection, what it wrote, and a socket that finishes a write only when told. */
function recorded(shared = sharedMemory()) {
  const written: Buffer[] = []
  let finish: (() => void) | undefined
  const socket = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      written.push(Buffer.from(chunk))
      finish = done
    },
    writableHighWaterMark: 1 << 30,
  })
  const connection = new Connection(socket, owner, 'client', shared)
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  return {
    connection,
    written,
    turn,
    async drain(): Promise<void> {
      await turn()
      while (finish !== undefined) {
        const done = finish
        finish = undefined
        done()
        await turn()
        await turn()
      }
    },
  }
}

const frames = new PublishFrames()

function frameOf(size: number, mark: number) {
  frames.use(localMessage('t', Buffer.alloc(size, mark), 0, false))
  return frames.frame(4, false)
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant('stretch' as const),
    sizes: fc.array(fc.integer({ min: 0, max: 4000 }), { minLength: 1, maxLength: 8 }),
    mine: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('ack' as const), id: fc.integer({ min: 1, max: 65_535 }) }),
  fc.record({ kind: fc.constant('own' as const), size: fc.integer({ min: 1, max: 40_000 }) }),
  fc.record({ kind: fc.constant('turn' as const) }),
  fc.record({ kind: fc.constant('drain' as const) }),
)

test('any mix of shared and own packets leaves in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const stretch = new FrameStretch(new BlockPool())
      const { connection, written, turn, drain } = recorded()
      const expected: Buffer[] = []
      let mark = 0
      for (const each of steps)
        if (each.kind === 'stretch') {
          stretch.begin()
          for (const size of each.sizes) {
            const frame = frameOf(size, ++mark)
            if (!stretch.add(frame, 0x30)) break
            if (each.mine) expected.push(Buffer.from(frame.bytes.subarray(frame.start, frame.end)))
          }
          // The others' stretches lie between those of this connection.
          if (each.mine) connection.outbox.writeStretch(stretch.block, stretch.start, stretch.end)
        } else if (each.kind === 'ack') {
          connection.outbox.writeAck(0x40, each.id)
          expected.push(Buffer.from([0x40, 2, each.id >> 8, each.id]))
        } else if (each.kind === 'own') {
          const bytes = Buffer.alloc(each.size, ++mark)
          connection.outbox.write(bytes)
          expected.push(bytes)
        } else await (each.kind === 'turn' ? turn() : drain())
      const all = Buffer.concat(expected)
      assert.ok(connection.bytesSent === all.length)
      await drain()
      assert.ok(Buffer.concat(written).equals(all))
      assert.equal(connection.pendingBytes, 0)
    }),
    { numRuns: 200 },
  )
})

test('a block goes back to the pool when the last connection has written it', async () => {
  const pool = new BlockPool()
  const returned: Buffer[] = []
  pool.give = (bytes) => returned.push(bytes)
  const stretch = new FrameStretch(pool)
  const connections = [recorded(), recorded()]
  stretch.begin()
  stretch.add(frameOf(3000, 1), 0x30)
  const { block, start, end } = stretch
  for (const { connection } of connections) connection.outbox.writeStretch(block, start, end)
  fill(stretch)
  assert.notEqual(stretch.block, block)
  assert.deepEqual(returned, [])
  await connections[0]?.drain()
  assert.deepEqual(returned, [])
  connections[1]?.connection.destroy()
  await connections[1]?.drain()
  assert.deepEqual(returned, [block.bytes])
})

/** Goes on until the stretch has moved to another block. */
function fill(stretch: FrameStretch): void {
  const before: SharedBlock = stretch.block
  while (stretch.block === before) {
    stretch.begin()
    stretch.add(frameOf(MOST_COPIED - 100, 2), 0x30)
  }
}

test('a connection that is over sends nothing more', async () => {
  const stretch = new FrameStretch(new BlockPool())
  const { connection, written, drain } = recorded()
  connection.end()
  stretch.begin()
  stretch.add(frameOf(10, 1), 0x30)
  connection.outbox.writeStretch(stretch.block, stretch.start, stretch.end)
  await drain()
  assert.deepEqual(written, [])
})

test('a reader that is behind does not keep much more memory than what waits for it', async () => {
  const shared = sharedMemory()
  let kept = 0
  const { take, give } = shared.blocks
  shared.blocks.take = function (size) {
    const block = take.call(this, size)
    kept += block.bytes.length
    return block
  }
  shared.blocks.give = function (bytes) {
    kept -= bytes.length
    give.call(this, bytes)
  }
  const { connection, written, drain } = recorded(shared)
  connection.outbox.maxPendingBytes = 4_000_000
  const sent: Buffer[] = []
  while (connection.outbox.isWritable) {
    // A small part of what was read, as the broker finds it.
    const block = shared.blocks.take(262_144)
    const start = sent.length * 100
    block.bytes.fill(sent.length, start, start + 33_000)
    sent.push(Buffer.from(block.bytes.subarray(start, start + 33_000)))
    connection.outbox.writeStretch(block, start, start + 33_000)
    connection.outbox.writeAck(0x40, 1)
    block.release()
  }
  assert.ok(sent.length > 100)
  assert.ok(kept < 3 * connection.outbox.maxPendingBytes, `${kept} bytes`)
  await drain()
  assert.ok(
    Buffer.concat(written).equals(Buffer.concat(sent.flatMap((bytes) => [bytes, Buffer.from([0x40, 2, 0, 1])]))),
  )
  assert.equal(kept, 0)
})
