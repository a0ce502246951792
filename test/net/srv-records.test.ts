// SRV records (RFC 2782): the order in which they are tried, and going on to the next when one does not answer.

import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { describe, test } from 'node:test'
import { type DialError, type DialTarget, dial } from '../../src/net/dial.js'
import { SharedReadBuffer } from '../../src/net/plain-socket.js'
import { ordered } from '../../src/net/srv-records.js'

const record = (name: string, priority: number, weight: number) => ({ name, priority, weight })
const names = (records: readonly { readonly name: string }[]) => records.map(({ name }) => name).join('')

describe('order', () => {
  test('the lowest priority number first', () =>
    assert.equal(names(ordered([record('b', 2, 9), record('c', 3, 9), record('a', 1, 1)], () => 0.5)), 'abc'))
  test('among equals the heavier, where chance is equal', () =>
    assert.equal(names(ordered([record('a', 1, 1), record('b', 1, 9), record('c', 1, 0)], () => 0.5)), 'bac'))
  test('chance has a say', () => {
    const draws = [0.01, 0.99]
    assert.equal(names(ordered([record('a', 1, 1), record('b', 1, 2)], () => draws.shift() ?? 0)), 'ab')
  })
})

function attempt(target: DialTarget): Promise<DialError | 'open'> {
  return new Promise((resolve) => {
    const take = () => {}
    const onOpen = (stream: { destroy(): unknown }) => {
      stream.destroy()
      resolve('open')
    }
    dial(target, new SharedReadBuffer(), take, onOpen, resolve)
  })
}

describe('brokers of a domain', () => {
  test('the next is tried when one does not answer', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const places = [
      { host: '127.0.0.1', port: 1 },
      { host: '127.0.0.1', port },
    ]
    assert.equal(await attempt({ host: 'example.org', port: 1883, locate: async () => places }), 'open')
    server.close()
  })
  for (const [name, locate, says] of [
    [
      'the last failure counts',
      async () => [{ host: '127.0.0.1', port: 1 }],
      'cannot connect to 127.0.0.1:1: connection refused',
    ],
    ['none', async () => [], 'cannot find a broker for example.org: no SRV record'],
    [
      'no answer',
      () => Promise.reject(Object.assign(new Error('x'), { code: 'ETIMEOUT' })),
      'cannot find a broker for example.org: the name server does not answer',
    ],
  ] as const)
    test(name, async () => {
      const error = await attempt({ host: 'example.org', port: 1883, locate })
      assert.equal(error === 'open' ? error : error.message, says)
    })
})
