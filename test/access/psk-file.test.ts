// PSK files line by line (files.md section 3).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePskFile } from '../../src/access/psk-file.js'

const cases: readonly {
  readonly name: string
  readonly text: string
  readonly keys?: Readonly<Record<string, string>>
  readonly problems?: readonly string[]
  readonly warnings?: readonly string[]
}[] = [
  { name: 'nothing', text: '' },
  { name: 'comments and blank lines', text: '# a:00\n\n  \r\n' },
  { name: 'entries, with LF and CRLF', text: 'a:0102\r\nb:FFee\n', keys: { a: '0102', b: 'ffee' } },
  { name: 'an odd number of digits', text: 'a:123', keys: { a: '0123' } },
  { name: 'zeros belong to the key', text: 'a:0000ab\nb:00001', keys: { a: '0000ab', b: '000001' } },
  { name: 'blanks around both', text: ' a b : 12 \n', keys: { 'a b': '12' } },
  { name: 'a prototype is an identity like any other', text: '__proto__:12\n', keys: { ['__proto__']: '12' } },
  { name: 'a key of 256 bytes', text: `a:${'ab'.repeat(256)}`, keys: { a: 'ab'.repeat(256) } },
  {
    name: 'no colon',
    text: 'a:1\nb\n',
    keys: { a: '01' },
    warnings: ['2: the line has no colon; an entry has the form identity:key'],
  },
  { name: 'no identity', text: ':12\n', warnings: ['1: the identity is empty'] },
  { name: 'an identity of 128 bytes', text: `${'é'.repeat(64)}:12`, keys: { ['é'.repeat(64)]: '12' } },
  {
    name: 'an identity of 129 bytes',
    text: `${'é'.repeat(64)}x:12`,
    warnings: ['1: the identity is longer than 128 bytes'],
  },
  { name: 'a zero byte', text: 'a\0b:12', warnings: ['1: the identity contains a zero byte'] },
  {
    name: 'an identity twice: the first counts',
    text: 'a:11\na:22',
    keys: { a: '11' },
    warnings: ['2: identity "a" has a line above'],
  },
  { name: 'no key', text: 'a:\nb: ', problems: ['1: the key is missing', '2: the key is missing'] },
  {
    name: 'keys that are none',
    text: 'a:xyz\nb:0x12\nc:12 34\nd:12:34\n',
    problems: [1, 2, 3, 4].map((line) => `${line}: the key is not made of hexadecimal digits`),
  },
  { name: 'a key of 257 bytes', text: `a:${'ab'.repeat(257)}`, problems: ['1: the key is longer than 256 bytes'] },
  { name: 'not UTF-8', text: '\xff:12', problems: ['1: the line is not valid UTF-8'] },
]

for (const { name, text, keys = {}, problems = [], warnings = [] } of cases)
  test(`PSK file: ${name}`, () => {
    const bytes = Buffer.from(text, name === 'not UTF-8' ? 'latin1' : 'utf8')
    const file = parsePskFile(bytes)
    const found = [...file.keys].map(([identity, key]) => [identity, key.toString('hex')])
    assert.deepEqual(found, Object.entries(keys))
    const lines = (list: typeof file.problems) => list.map(({ line, message }) => `${line}: ${message}`)
    assert.deepEqual(lines(file.problems), problems)
    assert.deepEqual(
      lines(file.warnings),
      warnings.map((text) => `${text}; the line is not used`),
    )
  })
