// Bytes that wait for something: they leave in order, none before what they promise has happened.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { Outlet } from '../../src/net/outlet.js'

class Recorder extends Duplex {
  text = ''
  override _read(): void {}
  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.text += bytes.toString()
    done()
  }
  override _final(done: () => void): void {
    this.text += '.'
    done()
  }
}

type Step = ['hold', number] | ['write', string] | ['release', number] | ['end'] | ['drop']

interface Case {
  readonly name: string
  readonly steps: readonly Step[]
  /** What has left after each step; `.` is the end. */
  readonly left: readonly string[]
}

const cases: readonly Case[] = [
  { name: 'without anything to wait for bytes leave at once', steps: [['write', 'a'], ['end']], left: ['a', 'a.'] },
  {
    name: 'what is written after a hold leaves with its release',
    steps: [
      ['write', 'a'],
      ['hold', 1],
      ['write', 'b'],
      ['write', 'c'],
      ['release', 1],
      ['write', 'd'],
    ],
    left: ['a', 'a', 'a', 'a', 'abc', 'abcd'],
  },
  {
    name: 'each waits for its own: an early release lets go what is early only',
    steps: [
      ['hold', 1],
      ['write', 'a'],
      ['hold', 2],
      ['write', 'b'],
      ['release', 1],
      ['hold', 3],
      ['write', 'c'],
      ['release', 2],
      ['release', 3],
    ],
    left: ['', '', '', '', 'a', 'a', 'a', 'ab', 'abc'],
  },
  {
    name: 'a release covers the numbers below it',
    steps: [
      ['hold', 1],
      ['write', 'a'],
      ['hold', 2],
      ['write', 'b'],
      ['release', 5],
      ['hold', 4],
      ['write', 'c'],
    ],
    left: ['', '', '', '', 'ab', 'ab', 'abc'],
  },
  {
    name: 'the end comes behind what is held',
    steps: [['hold', 1], ['write', 'a'], ['end'], ['release', 1]],
    left: ['', '', '', 'a.'],
  },
  {
    name: 'what is dropped never leaves, what follows does',
    steps: [['hold', 1], ['write', 'a'], ['drop'], ['write', 'b'], ['end']],
    left: ['', '', '', 'b', 'b.'],
  },
]

for (const { name, steps, left } of cases)
  test(name, async () => {
    const socket = new Recorder()
    const outlet = new Outlet(socket)
    for (const [index, [what, value]] of steps.entries()) {
      if (what === 'hold') outlet.holdUntil(value)
      else if (what === 'release') outlet.release(value)
      else if (what === 'write') outlet.write(Buffer.from(value), () => {})
      else if (what === 'end') outlet.end()
      else outlet.drop()
      await new Promise(setImmediate)
      assert.equal(socket.text, left[index], `after step ${index + 1}`)
    }
  })

test('held bytes are counted, small ones are copied and large ones kept until they have left', async () => {
  const outlet = new Outlet(new Recorder())
  const small = Buffer.from('abc')
  const large = Buffer.alloc(100_000)
  const done: string[] = []
  outlet.holdUntil(1)
  outlet.write(small, () => done.push('small'))
  outlet.write(large, () => done.push('large'))
  assert.deepEqual(done, [], 'nothing is told before the call returns')
  await new Promise(process.nextTick)
  assert.deepEqual(done, ['small'])
  assert.equal(outlet.heldBytes, 100_003)
  outlet.release(1)
  await new Promise(setImmediate)
  assert.equal(outlet.heldBytes, 0)
  assert.deepEqual(done, ['small', 'large'])
})

test('dropped bytes give back the memory they were in', () => {
  const outlet = new Outlet(new Recorder())
  let given = 0
  outlet.holdUntil(1)
  outlet.write(Buffer.alloc(100_000), () => given++)
  outlet.drop()
  assert.equal(given, 1)
  assert.equal(outlet.heldBytes, 0)
})
