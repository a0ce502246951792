// An accepted connection without Node's streams behaves as a socket does: each case runs with both.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { AcceptedSockets, acceptHandles, startReading } from '../../src/net/accepted-socket.js'
import { HandleStream } from '../../src/net/handle-stream.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { until } from '../support/until.js'

const MB = 1024 * 1024
const folder = mkdtempSync(join(tmpdir(), 'tsmq-handle-'))
const open: (() => void)[] = []
after(() => {
  for (const end of open) end()
  rmSync(folder, { recursive: true })
})

type Kind = 'streamOf' | 'socketOf'

/** One accepted connection and the client at its other end. */
async function pair(kind: Kind, where?: string) {
  const sockets = new AcceptedSockets(new BlockPool())
  const server = createServer({ pauseOnConnect: true })
  await new Promise<void>((resolve) =>
    where === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(where, resolve),
  )
  const events: string[] = []
  const received: Buffer[] = []
  const side = {
    events,
    received,
    get text() {
      return Buffer.concat(received).toString()
    },
    onRead: () => {},
  }
  const accepted = new Promise<HandleStream | Socket>((resolve) => {
    acceptHandles(server, (handle) => {
      const stream = sockets[kind](handle, (bytes, length) => {
        received.push(Buffer.from(bytes.subarray(0, length)))
        side.onRead()
      })
      stream.on('error', (error: NodeJS.ErrnoException) => events.push(error.code ?? error.message))
      stream.on('close', () => events.push('close'))
      resolve(stream)
    })
  })
  const address = server.address()
  const target = typeof address === 'string' ? address : { port: address?.port ?? 0, host: '127.0.0.1' }
  const client = typeof target === 'string' ? connect(target) : connect(target.port, target.host)
  const answer: Buffer[] = []
  client.on('data', (chunk) => answer.push(chunk))
  client.on('error', () => {})
  const stream = await accepted
  assert.ok(kind === 'streamOf' ? stream instanceof HandleStream : stream instanceof Socket)
  open.push(() => {
    stream.destroy()
    client.destroy()
    server.close()
  })
  startReading(stream)
  return { stream, side, client, answer: () => Buffer.concat(answer) }
}

for (const kind of ['streamOf', 'socketOf'] as const) {
  const as = kind === 'streamOf' ? 'a handle' : 'a socket'

  test(`${as}: bytes go both ways, and done is called for each write, in order, not within it`, async () => {
    const { stream, side, client, answer } = await pair(kind)
    assert.equal(stream.remoteAddress, '127.0.0.1')
    assert.equal(stream.remotePort, client.localPort)
    client.write('hello')
    await until(() => side.text === 'hello', 'hello')
    const done: number[] = []
    for (const n of [1, 2, 3]) {
      stream.write(Buffer.from(`answer${n}`), () => void done.push(n))
      assert.equal(done.length, 0)
    }
    await until(() => answer().toString() === 'answer1answer2answer3', 'the answers')
    await until(() => done.length === 3, 'done')
    assert.deepEqual(done, [1, 2, 3])
    assert.equal(stream.writable, true)
  })

  test(`${as}: what is written between cork and uncork leaves with the last uncork, in order`, async () => {
    const { stream, answer } = await pair(kind)
    let done = 0
    stream.cork()
    stream.write(Buffer.from('a'), () => void done++)
    stream.cork()
    stream.write(Buffer.from('b'), () => void done++)
    stream.uncork()
    stream.write(Buffer.alloc(MB, 'c'), () => void done++)
    stream.uncork()
    stream.write(Buffer.from('d'), () => void done++)
    await until(() => answer().length === MB + 3, 'everything')
    assert.equal(answer().toString(), `ab${'c'.repeat(MB)}d`)
    await until(() => done === 4, 'done')
  })

  test(`${as}: a write that the peer does not read is done when it has`, async () => {
    const { stream, client, answer } = await pair(kind)
    client.pause()
    let isDone = false
    stream.write(Buffer.alloc(16 * MB, 'x'), () => {
      isDone = true
    })
    stream.write(Buffer.from('end'))
    await until(() => client.bytesRead > 0 || client.readableLength > 0, 'a beginning')
    assert.equal(isDone, false)
    client.resume()
    await until(() => isDone, 'the rest')
    await until(() => answer().length === 16 * MB + 3, 'all of it')
    assert.equal(answer().subarray(-3).toString(), 'end')
  })

  test(`${as}: a peer that has ended still gets what is on its way, and then the end`, async () => {
    const { stream, side, client, answer } = await pair(kind)
    side.onRead = () => stream.write(Buffer.alloc(4 * MB, 'y'))
    client.end('bye')
    let isEnded = false
    client.on('end', () => {
      isEnded = true
    })
    await until(() => side.events.includes('close'), 'the close')
    await until(() => isEnded, 'the end')
    assert.equal(answer().length, 4 * MB)
    assert.deepEqual(side.events, ['close'])
    assert.equal(stream.destroyed, true)
  })

  test(`${as}: ended from this side, it goes on reading until the peer ends`, async () => {
    const { stream, side, client, answer } = await pair(kind)
    client.allowHalfOpen = true
    let isEnded = false
    client.on('end', () => {
      isEnded = true
    })
    stream.write(Buffer.from('last'))
    stream.end()
    assert.equal(stream.writable, false)
    await until(() => isEnded, 'the end')
    assert.equal(answer().toString(), 'last')
    assert.deepEqual(side.events, [])
    client.end('still there')
    await until(() => side.events.includes('close'), 'the close')
    assert.equal(side.text, 'still there')
    assert.deepEqual(side.events, ['close'])
  })

  test(`${as}: a reset is an error, then the close; writes that wait are done`, async () => {
    const { stream, side, client } = await pair(kind)
    client.pause()
    let isDone = false
    stream.write(Buffer.alloc(16 * MB), () => {
      isDone = true
    })
    client.resetAndDestroy()
    await until(() => side.events.includes('close'), 'the close')
    assert.equal(side.events.length, 2)
    assert.match(side.events[0] as string, /ECONNRESET|EPIPE/)
    await until(() => isDone, 'done')
  })

  test(`${as}: a write to a peer that is gone is an error, and done`, async () => {
    const { stream, side, client } = await pair(kind)
    stream.pause()
    client.resetAndDestroy()
    let written = 0
    let done = 0
    await until(() => {
      if (!stream.writable) return true
      written++
      stream.write(Buffer.from('x'), () => void done++)
      return false
    }, 'a failure')
    await until(() => side.events.includes('close'), 'the close')
    assert.equal(side.events.length, 2)
    assert.match(side.events[0] as string, /ECONNRESET|EPIPE/)
    assert.equal(done, written)
  })

  test(`${as}: destroyed, it is closed without an error, and writes that wait are done`, async () => {
    const { stream, side, client } = await pair(kind)
    client.pause()
    let isDone = false
    stream.write(Buffer.alloc(16 * MB), () => {
      isDone = true
    })
    stream.destroy()
    stream.destroy()
    assert.equal(stream.destroyed, true)
    assert.equal(stream.writable, false)
    await until(() => isDone && side.events.length > 0, 'the close')
    assert.deepEqual(side.events, ['close'])
  })

  test(`${as}: paused, it reads nothing; resumed, it reads on`, async () => {
    const { stream, side, client } = await pair(kind)
    client.write('one')
    await until(() => side.text === 'one', 'one')
    stream.pause()
    await new Promise<void>((resolve) => client.write('two', () => resolve()))
    const other = await pair(kind)
    other.client.write('later')
    await until(() => other.side.text === 'later', 'what came later')
    assert.equal(side.text, 'one')
    stream.resume()
    await until(() => side.text === 'onetwo', 'two')
  })

  test(`${as}: destroyed while it reads, it reads no more and tells its error`, async () => {
    const { stream, side, client } = await pair(kind)
    side.onRead = () => stream.destroy(new Error('enough'))
    client.write(Buffer.alloc(4 * MB))
    await until(() => side.events.includes('close'), 'the close')
    assert.deepEqual(side.events, ['enough', 'close'])
    assert.equal(side.received.length, 1)
  })

  test(`${as}: a Unix socket has no address`, async () => {
    const { stream, side, client, answer } = await pair(kind, join(folder, kind))
    assert.equal(stream.remoteAddress, undefined)
    assert.equal(stream.remotePort, undefined)
    stream.setNoDelay(true)
    client.write('in')
    await until(() => side.text === 'in', 'in')
    stream.write(Buffer.from('out'))
    await until(() => answer().toString() === 'out', 'out')
  })
}

test('a handle: what is written after its end goes nowhere, and is done', async () => {
  for (const end of ['end', 'destroy'] as const) {
    const { stream, side, client, answer } = await pair('streamOf')
    stream.write(Buffer.from('before'))
    stream[end]()
    let done = 0
    stream.write(Buffer.from('after'), () => void done++)
    stream.cork()
    stream.write(Buffer.from('after'), () => void done++)
    stream.uncork()
    ;(stream as HandleStream).end(() => void done++)
    await until(() => side.events.includes('close'), 'the close')
    await until(() => done === 3 && client.destroyed, 'done')
    if (end === 'end') assert.equal(answer().toString(), 'before')
    assert.deepEqual(side.events, ['close'])
  }
})
