import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { LineReader, PayloadError, payloadOfFile, payloadOfStream } from '../../src/cli/payload-source.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-payload-'))
after(() => rmSync(folder, { recursive: true }))

/** The lines of the chunks; `hold` names the lines after which the reader is held until the next turn of the event loop. */
function linesOf(chunks: readonly string[], hold: readonly number[] = []): Promise<string[]> {
  const lines: string[] = []
  return new Promise((resolve, reject) => {
    const reader = new LineReader(Readable.from(chunks.map((chunk) => Buffer.from(chunk, 'latin1'))), {
      onLine(bytes, start, end) {
        lines.push(bytes.toString('latin1', start, end))
        if (!hold.includes(lines.length)) return true
        setImmediate(() => reader.resume())
        return false
      },
      onEnd: () => resolve(lines),
      onError: reject,
    })
    reader.start()
  })
}

describe('lines of standard input', () => {
  // pub.md section 7.
  const rows: readonly (readonly [name: string, chunks: readonly string[], lines: readonly string[]])[] = [
    ['lines', ['a\nbc\n'], ['a', 'bc']],
    ['an empty line', ['a\n\nb\n'], ['a', '', 'b']],
    ['a last line without newline', ['a\nb'], ['a', 'b']],
    ['nothing', [], []],
    ['carriage returns are kept', ['a\r\nb\r\n'], ['a\r', 'b\r']],
    ['a line ends at the first NUL', ['ab\0cd\nef\n'], ['ab', 'ef']],
    ['a line over several chunks', ['ab', 'cd', 'ef\ng', 'h\n'], ['abcdef', 'gh']],
    ['a newline at the start of a chunk', ['ab', '\ncd\n'], ['ab', 'cd']],
    ['bytes that are no UTF-8', ['\xff\xfe\n\x80'], ['\xff\xfe', '\x80']],
    ['a long line', [`${'x'.repeat(100_000)}\ny\n`], ['x'.repeat(100_000), 'y']],
  ]
  for (const [name, chunks, lines] of rows) {
    test(name, async () => assert.deepEqual(await linesOf(chunks), lines))
    test(`${name}, byte by byte`, async () => {
      const bytes = chunks.join('').slice(0, 2000)
      assert.deepEqual(await linesOf([...bytes]), await linesOf([bytes]))
    })
    test(`${name}, held after each line`, async () => assert.deepEqual(await linesOf(chunks, [1, 2, 3, 4, 5]), lines))
  }
  test('a line is given at once, not when the next one comes', async () => {
    const input = new PassThrough()
    const line = new Promise((resolve) => {
      const reader = new LineReader(input, {
        onLine: (bytes, start, end) => {
          resolve(bytes.toString('latin1', start, end))
          return true
        },
        onEnd: () => {},
        onError: () => {},
      })
      reader.start()
    })
    input.write('first\nsec')
    assert.equal(await line, 'first')
  })
})

describe('whole payloads', () => {
  test('a file', async () => {
    writeFileSync(join(folder, 'file'), Buffer.from([0, 1, 0xff, 0x0a]))
    assert.deepEqual(await payloadOfFile(join(folder, 'file')), Buffer.from([0, 1, 0xff, 0x0a]))
  })
  test('an empty file', async () => {
    writeFileSync(join(folder, 'empty'), '')
    assert.equal((await payloadOfFile(join(folder, 'empty'))).length, 0)
  })
  for (const [name, path, words] of [
    ['a missing file', join(folder, 'missing'), /cannot read .*missing: ENOENT: no such file or directory$/],
    ['a folder', folder, /cannot read .*: EISDIR/],
  ] as const)
    test(name, () =>
      assert.rejects(
        payloadOfFile(path),
        (error: unknown) => error instanceof PayloadError && words.test(error.message),
      ),
    )
  test('standard input', async () =>
    assert.deepEqual(
      await payloadOfStream(Readable.from([Buffer.from('ab'), Buffer.from('\ncd')])),
      Buffer.from('ab\ncd'),
    ))
  test('empty standard input', () => assert.rejects(payloadOfStream(Readable.from([])), PayloadError))
})
