import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { type DialError, dial, hostAndPort } from '../../src/net/dial.js'
import { causeOf } from '../../src/net/dial-causes.js'
import { SharedReadBuffer } from '../../src/net/plain-socket.js'

const reads = new SharedReadBuffer()

/** A port of the loopback address on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

function failure(host: string, port: number): Promise<DialError> {
  return new Promise((resolve, reject) => {
    dial(
      { host, port },
      reads,
      () => {},
      () => reject(new Error('connected')),
      resolve,
    )
  })
}

describe('dial', () => {
  test('a refusal names host, port and cause', async () => {
    const port = await freePort()
    const error = await failure('127.0.0.1', port)
    assert.equal(error.message, `cannot connect to 127.0.0.1:${port}: connection refused`)
    assert.equal(error.stage, 'connect')
  })
  test('a refusal by a name says at which address', async () => {
    const port = await freePort()
    const error = await failure('localhost', port)
    assert.match(error.message, /^cannot connect to localhost:\d+ \((127\.0\.0\.1|::1)(, \S+)?\): connection refused$/)
  })
  test('a name that does not exist', async () => {
    const error = await failure('no-such-host.invalid', 1)
    assert.match(
      error.message,
      /^cannot connect to no-such-host\.invalid:1: (no such host|the name cannot be looked up now)$/,
    )
    assert.equal(error.stage, 'lookup')
  })
  test('a port behind the host is pointed out', async () => {
    const error = await failure('no-such-host.invalid:1883', 1883)
    assert.match(error.message, /the port is given apart from the host$/)
  })
  test('IPv6 addresses are written with brackets', () => assert.equal(hostAndPort({ host: '::1', port: 5 }), '[::1]:5'))
  test('an error without words of ours keeps its own', () => assert.equal(causeOf(new Error('odd')), 'odd'))

  test('what arrives is taken from the first byte on, and what is written arrives', async () => {
    const server = createServer((socket) => socket.end('hello'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    let text = ''
    await new Promise<void>((resolve, reject) => {
      const take = (bytes: Buffer, length: number) => {
        text += bytes.toString('latin1', 0, length)
      }
      dial({ host: '127.0.0.1', port }, reads, take, (socket: Duplex) => socket.once('close', () => resolve()), reject)
    })
    server.close()
    assert.equal(text, 'hello')
  })
  test('after giving up nothing is called', async () => {
    const port = await freePort()
    const called: string[] = []
    const attempt = dial(
      { host: '127.0.0.1', port },
      reads,
      () => {},
      () => called.push('open'),
      () => called.push('failed'),
    )
    attempt.cancel()
    await failure('127.0.0.1', port)
    assert.deepEqual(called, [])
  })
})
