import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { escapeControls, Output, type OutputStream } from '../../src/cli/output.js'

/** A stream whose writes finish when the test says so. */
class SlowStream implements OutputStream {
  readonly written: Buffer[] = []
  private readonly pending: (() => void)[] = []
  private onError: (error: NodeJS.ErrnoException) => void = () => {}

  write(chunk: Uint8Array, done: () => void): boolean {
    this.written.push(Buffer.from(chunk))
    this.pending.push(done)
    return true
  }

  on(_event: 'error', listener: (error: NodeJS.ErrnoException) => void): void {
    this.onError = listener
  }

  finish(): void {
    for (const done of this.pending.splice(0)) done()
  }

  break(): void {
    this.onError(Object.assign(new Error('EPIPE'), { code: 'EPIPE' }))
  }

  get text(): string {
    return Buffer.concat(this.written).toString('latin1')
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

describe('output', () => {
  test('what is printed in one turn of the event loop is one write', async () => {
    const stream = new SlowStream()
    const output = new Output(stream, false)
    output.text('a')
    output.received(Buffer.from('xbcx'), 1, 3)
    output.bytes('\xff')
    output.receivedText('ü')
    assert.equal(stream.written.length, 0)
    await nextTurn()
    assert.equal(stream.written.length, 1)
    assert.equal(stream.text, 'abc\xff\xc3\xbc')
  })
  test('more than a block, and single pieces larger than one, stay in order', () => {
    const stream = new SlowStream()
    const output = new Output(stream, false)
    let expected = ''
    for (let i = 0; i < 40; i++) {
      const piece = String.fromCharCode(97 + (i % 26)).repeat(i * 2500 + 1)
      output.raw(Buffer.from(piece), 0, piece.length)
      output.text(`${piece}\n`)
      expected += `${piece}${piece}\n`
    }
    output.whenWritten(() => {})
    assert.equal(stream.text === expected, true)
  })
  test('memory that is being written is not written to', () => {
    const chunks: Buffer[] = []
    const output = new Output({ on: () => {}, write: (chunk) => chunks.push(Buffer.from(chunk.buffer)) > 0 }, false)
    output.text('first')
    output.flush()
    const view = chunks[0]
    output.text('other')
    output.flush()
    assert.equal(view?.toString('latin1', 0, 5), 'first')
    assert.equal(chunks[1]?.toString('latin1', 0, 5), 'other')
  })
  test('a reader that is behind is noticed, and when it has caught up', () => {
    const stream = new SlowStream()
    const output = new Output(stream, false)
    let caughtUp = 0
    output.onCaughtUp = () => caughtUp++
    output.raw(Buffer.alloc(1_000_000), 0, 1_000_000)
    assert.equal(output.isBehind, false)
    output.raw(Buffer.alloc(100_000), 0, 100_000)
    assert.equal(output.isBehind, true)
    stream.finish()
    assert.deepEqual([output.isBehind, caughtUp], [false, 1])
  })
  test('whenWritten waits for what is pending', () => {
    const stream = new SlowStream()
    const output = new Output(stream, false)
    let done = false
    output.text('a')
    output.whenWritten(() => {
      done = true
    })
    assert.deepEqual([stream.text, done], ['a', false])
    stream.finish()
    assert.equal(done, true)
  })
  test('a reader that has gone away is told once, and nothing is waited for', () => {
    const stream = new SlowStream()
    const output = new Output(stream, false)
    const told: string[] = []
    output.onClosed = () => told.push('closed')
    output.text('a')
    output.whenWritten(() => told.push('written'))
    stream.break()
    stream.break()
    output.text('b')
    output.whenWritten(() => told.push('written'))
    assert.deepEqual(told, ['written', 'closed', 'written'])
    assert.equal(stream.text, 'a')
  })
  test('on a terminal only what was received is escaped', () => {
    const stream = new SlowStream()
    const output = new Output(stream, true)
    output.text('\x1b[1m')
    output.receivedText('t\x1b[2Jü')
    output.bytes('\x07')
    output.receivedBytes('\x08')
    output.received(Buffer.from('a\x00b'), 0, 3)
    output.flush()
    assert.equal(Buffer.from(stream.text, 'latin1').toString(), '\x1b[1mt\\x1b[2Jü\x07\\x08a\\x00b')
  })
})

describe('control characters on a terminal', () => {
  const rows: readonly (readonly [bytes: string, shown: string])[] = [
    ['plain text', 'plain text'],
    ['line\nand\ttab', 'line\nand\ttab'],
    ['\r\x1b[31m\x07\x7f', '\\x0d\\x1b[31m\\x07\\x7f'],
    ['\xc2\x9b31m', '\\xc2\\x9b31m'],
    ['\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80', 'ü€😀'],
    ['\xff\xfe', '\\xff\\xfe'],
    ['\xc3', '\\xc3'],
    ['\xe2\x82x', '\\xe2\\x82x'],
    ['\xed\xa0\x80', '\\xed\\xa0\\x80'],
    ['\xc0\x80', '\\xc0\\x80'],
    ['', ''],
  ]
  for (const [bytes, shown] of rows)
    test(JSON.stringify(bytes), () => assert.equal(escapeControls(Buffer.from(bytes, 'latin1')), shown))
})
