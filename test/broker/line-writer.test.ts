// Lines of the log on their way to a pipe nobody reads and a disk that is full: they wait, they stay in order and whole, and what is
// lost is counted and told. The descriptor is a stand-in that takes as many bytes as it is told.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import { LineWriter } from '../../src/broker/admin/line-writer.js'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] }))
afterEach(() => mock.timers.reset())

class Disk {
  text = ''
  told: string[] = []
  room = Number.POSITIVE_INFINITY
  attempts = 0
  code = 'ENOSPC'
  readonly writer = new LineWriter(7, {
    onFault: (message) => this.told.push(message),
    writeSome: (descriptor, bytes) => {
      assert.equal(descriptor, 7)
      this.attempts++
      if (this.room === 0)
        throw Object.assign(new Error(`${this.code}: words of the system, write`), { code: this.code })
      const taken = Buffer.from(bytes).subarray(0, this.room)
      this.room -= taken.length
      this.text += taken.toString()
      return taken.length
    },
  })
  log(text: string): void {
    this.writer.write(text, 'notice', '1: ')
    mock.timers.tick(1)
  }
}

/** Lines of 1000 bytes: a little more than a mebibyte of them. */
const MANY = 1100
const long = (at: number) => `${at}`.padEnd(996, '.')

test('lines are written at the end of the turn, ten times within 10 ms; what comes behind them waits for the end of that time', () => {
  const disk = new Disk()
  const write = (text: string) => disk.writer.write(text, 'notice', '')
  const after = (ms: number, attempts: number, text: string) => {
    mock.timers.tick(ms)
    assert.deepEqual([disk.attempts, disk.text], [attempts, text])
  }
  let text = ''
  for (let at = 1; at <= 10; at++) {
    write(`${at}`)
    write('more')
    assert.equal(disk.attempts, at - 1)
    text += `${at}\nmore\n`
    after(0, at, text)
  }
  write('waits')
  after(5, 10, text)
  write('waits, too')
  after(4, 10, text)
  text += 'waits\nwaits, too\n'
  after(1, 11, text)
  write('the next')
  text += 'the next\n'
  after(0, 12, text)
  for (let at = 0; at < 12; at++) {
    write('x')
    if (at < 8) text += 'x\n'
    after(0, Math.min(20, 13 + at), text)
  }
  disk.writer.flush()
  text += 'x\n'.repeat(4)
  after(0, 21, text)
  after(1000, 21, text)
})

describe('a full disk', () => {
  test('is told once; what waits is written, whole and in order, when there is room', () => {
    const disk = new Disk()
    disk.log('one')
    disk.room = 5
    disk.log('two')
    for (const text of ['three', 'four']) disk.writer.write(text, 'notice', '1: ')
    for (let seconds = 0; seconds < 5; seconds++) mock.timers.tick(1000)
    assert.equal(disk.text, '1: one\n1: tw')
    assert.deepEqual(disk.told, [
      'cannot be written: words of the system; a mebibyte of lines can wait until it can be',
    ])
    const { attempts } = disk
    mock.timers.tick(999)
    assert.equal(disk.attempts, attempts, 'not tried all the time')
    disk.room = Number.POSITIVE_INFINITY
    mock.timers.tick(1)
    assert.equal(disk.text, '1: one\n1: two\n1: three\n1: four\n')
    assert.equal(disk.told[1], 'can be written again; no lines are lost')
    disk.log('five')
    assert.match(disk.text, /1: five\n$/)
    assert.equal(disk.told.length, 2)
  })

  test('what is more than a mebibyte is lost, and how much is said in the log and beside it', () => {
    const disk = new Disk()
    disk.room = 0
    for (let at = 0; at < MANY; at++) disk.writer.write(long(at), 'notice', '1: ')
    mock.timers.tick(1)
    disk.room = Number.POSITIVE_INFINITY
    mock.timers.tick(1000)
    const lines = disk.text.trimEnd().split('\n')
    const last = lines.pop()
    const lost = MANY - lines.length
    assert.ok(lost > 0)
    assert.equal(last, `1: ${lost} lines of the log are lost: they could not be written.`)
    assert.deepEqual(
      lines,
      Array.from({ length: MANY - lost }, (_, at) => `1: ${long(at)}`),
    )
    assert.equal(disk.told[1], `can be written again; ${lost} lines are lost`)
  })

  test('at the end it is said how many lines are lost, and nothing is tried afterwards', () => {
    const disk = new Disk()
    disk.room = 0
    disk.log('one')
    disk.writer.write('two', 'notice', '1: ')
    disk.writer.close()
    assert.equal(disk.told.at(-1), 'could not be written to the end: 2 lines are lost')
    const { attempts } = disk
    mock.timers.tick(10_000)
    assert.equal(disk.attempts, attempts)
  })
})

test('a full pipe is tried again soon, and nothing is told beside it but what is lost', () => {
  const pipe = new Disk()
  pipe.code = 'EAGAIN'
  pipe.room = 0
  for (let at = 0; at < MANY; at++) pipe.writer.write(long(at), 'notice', '1: ')
  mock.timers.tick(1)
  pipe.room = Number.POSITIVE_INFINITY
  mock.timers.tick(20)
  assert.match(pipe.text, /^1: \d+ lines of the log are lost: they could not be written\.$/m)
  assert.deepEqual(pipe.told, [])
})

test('a pipe whose reader is gone is not tried for ever', () => {
  const pipe = new Disk()
  pipe.code = 'EPIPE'
  pipe.room = 0
  pipe.log('one')
  mock.timers.tick(10_000)
  assert.equal(pipe.attempts, 1)
  assert.deepEqual(pipe.told, [])
})
