// Payloads from files and standard input, whole and line by line (pub.md sections 3 and 7).

import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { type ByteInput, inputOf, standardInput } from '../../src/cli/byte-input.js'
import { LineReader } from '../../src/cli/line-reader.js'
import { MAX_PAYLOAD, PayloadError, payloadOfFile, payloadOfInput } from '../../src/cli/payload-source.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-payload-'))
after(() => rmSync(folder, { recursive: true }))

/** Chunks that are overwritten after each call, as those of a pipe are. */
function inputFrom(chunks: readonly (string | Buffer)[]): ByteInput {
  const buffer = Buffer.alloc(Math.max(1, ...chunks.map((chunk) => chunk.length)))
  const left = [...chunks]
  let taker: Parameters<ByteInput['start']>[0] | undefined
  const give = () => {
    const chunk = left.shift()
    if (taker === undefined) return
    if (chunk === undefined) {
      taker.onEnd()
      return
    }
    buffer.fill('#')
    const length = typeof chunk === 'string' ? buffer.write(chunk, 'latin1') : chunk.copy(buffer)
    if (taker.onBytes(buffer, length)) setImmediate(give)
  }
  return {
    name: 'standard input',
    start(given) {
      taker = given
      setImmediate(give)
    },
    resume: () => setImmediate(give),
    stop() {
      taker = undefined
    },
  }
}

/** The lines of the chunks; `hold` names the lines after which the reader is held until the next turn of the event loop. */
function linesOf(chunks: readonly string[], hold: readonly number[] = []): Promise<string[]> {
  const lines: string[] = []
  return new Promise((resolve, reject) => {
    const reader = new LineReader(inputFrom(chunks), {
      onLine(bytes, start, end) {
        lines.push(bytes.toString('latin1', start, end))
        if (!hold.includes(lines.length)) return
        reader.hold()
        setImmediate(() => reader.resume())
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
    ['NUL is a byte like others', ['ab\0cd\nef\n'], ['ab\0cd', 'ef']],
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
      const reader = new LineReader(standardInput({ ...process, stdin: input }), {
        onLine: (bytes, start, end) => resolve(bytes.toString('latin1', start, end)),
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
  test('a pipe', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const reading = payloadOfFile(pipe)
    execFile('sh', ['-c', `head -c 200000 /dev/zero | tr '\\0' x > '${pipe}'`])
    assert.equal((await reading).toString(), 'x'.repeat(200_000))
  })
  test('a file of more than a packet can hold', async () => {
    const large = join(folder, 'large')
    writeFileSync(large, '')
    truncateSync(large, MAX_PAYLOAD + 1)
    await assert.rejects(payloadOfFile(large), /large has more than 268435455 bytes/)
  })
  test('what has no end is not read without end', () =>
    assert.rejects(payloadOfFile('/dev/zero'), /\/dev\/zero has more than 268435455 bytes/))
  test('standard input', async () =>
    assert.deepEqual(await payloadOfInput(inputFrom([Buffer.from('ab'), Buffer.from('\ncd')])), Buffer.from('ab\ncd')))
  test('empty standard input', () => assert.rejects(payloadOfInput(inputFrom([])), /standard input is empty/))
  test('standard input without end', async () => {
    const chunk = Buffer.alloc(1 << 20)
    const input = standardInput({ ...process, stdin: Readable.from(Array.from({ length: 300 }, () => chunk)) })
    await assert.rejects(payloadOfInput(input), /standard input has more than 268435455 bytes/)
  })
})

describe('a file as input', () => {
  test('chunk after chunk, to the end', async () => {
    const path = join(folder, 'lines')
    const text = Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join('')
    writeFileSync(path, text)
    assert.equal((await payloadOfInput(inputOf(path, process))).toString(), text)
  })
  test('one that is not there', () =>
    assert.rejects(payloadOfInput(inputOf(join(folder, 'missing'), process)), /cannot read .*missing: ENOENT/))
})
