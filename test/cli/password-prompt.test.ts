// Reading passwords from a stream that stands for a terminal or a pipe; the real terminal is tested with tsmq-passwd.
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { PasswordPrompt } from '../../src/cli/password-prompt.js'

async function askAll(chunks: readonly (string | Uint8Array)[], isTTY: boolean) {
  const modes: boolean[] = []
  const input = Object.assign(
    Readable.from(
      chunks.map((chunk) => Buffer.from(chunk)),
      { objectMode: false },
    ),
    {
      isTTY,
      setRawMode: (raw: boolean) => modes.push(raw),
    },
  )
  let shown = ''
  const handlers = process.listenerCount('SIGTERM')
  const prompt = new PasswordPrompt(input, { write: (text) => void (shown += text) })
  const answers = [await prompt.ask('One: '), await prompt.ask('Two: ')].map((answer) => answer?.toString('latin1'))
  prompt.close()
  assert.equal(process.listenerCount('SIGTERM'), handlers)
  assert.equal(shown, 'One: \nTwo: \n')
  assert.deepEqual(modes, isTTY ? [true, false] : [])
  return answers
}

const latin1 = (text: string) => Buffer.from(text).toString('latin1')

describe('a pipe', () => {
  const cases = [
    { name: 'two lines', chunks: ['a b\nc\n'], answers: ['a b', 'c'] },
    { name: 'line ends of Windows', chunks: ['a\r\nb\r\n'], answers: ['a', 'b'] },
    { name: 'no line end at the end', chunks: ['a\nb'], answers: ['a', 'b'] },
    { name: 'byte by byte', chunks: [...'ab\ncd\n'], answers: ['ab', 'cd'] },
    { name: 'one line only', chunks: ['a\n'], answers: ['a', undefined] },
    { name: 'nothing', chunks: [], answers: [undefined, undefined] },
    { name: 'empty lines', chunks: ['\n\n'], answers: ['', ''] },
    { name: 'more lines than asked for', chunks: ['a\nb\nc\n'], answers: ['a', 'b'] },
    { name: 'blanks and control characters stay', chunks: [' \ta\x03\x7f \nb\n'], answers: [' \ta\x03\x7f ', 'b'] },
    {
      name: 'bytes that are not UTF-8 stay',
      chunks: [Buffer.from([0xff, 0xfe, 0x0a])],
      answers: ['\xff\xfe', undefined],
    },
    { name: '65535 bytes', chunks: [`${'x'.repeat(65_535)}\nb\n`], answers: ['x'.repeat(65_535), 'b'] },
    {
      name: '65536 bytes, which is too long and can be told to be so',
      chunks: [`${'x'.repeat(65_536)}\nb\n`],
      answers: ['x'.repeat(65_536), 'b'],
    },
    { name: '65535 bytes and CRLF', chunks: [`${'x'.repeat(65_535)}\r\nb\n`], answers: ['x'.repeat(65_535), 'b'] },
  ]
  for (const { name, chunks, answers } of cases)
    test(name, async () => assert.deepEqual(await askAll(chunks, false), answers))
})

test('100 MB without a line end do not fill the memory', async () => {
  const block = Buffer.alloc(1_000_000, 'x')
  const [answer] = await askAll(
    Array.from({ length: 100 }, () => block),
    false,
  )
  assert.equal(answer?.length, 65_536)
})

describe('a terminal', () => {
  const cases = [
    { name: 'two answers', chunks: ['a\r', 'b\r'], answers: ['a', 'b'] },
    { name: 'pasted at once', chunks: ['a\nb\n'], answers: ['a', 'b'] },
    { name: 'backspace', chunks: ['ax\x7fb\rcx\x08d\r'], answers: ['ab', 'cd'] },
    { name: 'backspace over a character of several bytes', chunks: ['aä€😀\x7f\x7f\x7fb\r\r'], answers: ['ab', ''] },
    { name: 'backspace at the beginning', chunks: ['\x7f\x7fa\rb\r'], answers: ['a', 'b'] },
    { name: 'Ctrl-U', chunks: ['wrong\x15right\rb\r'], answers: ['right', 'b'] },
    { name: 'Ctrl-D ends an answer', chunks: ['a\x04b\r'], answers: ['a', 'b'] },
    { name: 'Ctrl-D at the beginning ends the input', chunks: ['\x04'], answers: [undefined, undefined] },
    { name: 'letters beyond ASCII', chunks: ['pässwörd\r\r'], answers: [latin1('pässwörd'), ''] },
  ]
  for (const { name, chunks, answers } of cases)
    test(name, async () => assert.deepEqual(await askAll(chunks, true), answers))
})
