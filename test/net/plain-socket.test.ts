import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { bytesTaken } from '../../src/net/plain-socket.js'

/** More than systems keep for a peer that does not read. */
const LARGE = 64 * 1024 * 1024

test('bytes that wait beneath or above a socket have not been taken', async (t) => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[peer]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
  t.after(() => {
    server.close()
    for (const each of [peer, socket]) each.destroy()
  })
  assert.equal(bytesTaken(socket), 0)
  socket.write(Buffer.alloc(LARGE))
  const taken = bytesTaken(socket)
  assert.ok(taken > 0 && taken < LARGE, `${taken}`)
  socket.write(Buffer.alloc(1000))
  assert.equal(bytesTaken(socket), taken)
  assert.equal(socket.bytesWritten, LARGE + 1000)
  socket.destroy()
  await once(socket, 'close')
  assert.equal(bytesTaken(socket), socket.bytesWritten)
})
