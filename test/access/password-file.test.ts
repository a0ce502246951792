// The lines of a password file (files.md section 1.1), and that no file can define a user without a password.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { AccessFileError } from '../../src/access/access-file-error.js'
import { loadPasswordFile, parsePasswordFile } from '../../src/access/password-file.js'

const HASH =
  '$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg=='

const cases = [
  { name: 'an empty file', text: '', users: [], problems: [] },
  { name: 'one user', text: `a:${HASH}\n`, users: ['a'], problems: [] },
  { name: 'no line end at the end', text: `a:${HASH}\nb:${HASH}`, users: ['a', 'b'], problems: [] },
  { name: 'CRLF', text: `a:${HASH}\r\nb:${HASH}\r\n`, users: ['a', 'b'], problems: [] },
  { name: 'comments and blank lines', text: `# all\n\n  \t\na:${HASH}\n#b:x\n`, users: ['a'], problems: [] },
  { name: 'blanks around both fields', text: ` a b \t:\t ${HASH} \n`, users: ['a b'], problems: [] },
  { name: 'a name that ends with a space of Unicode', text: `a\u00A0:${HASH}\n`, users: ['a\u00A0'], problems: [] },
  { name: 'further fields', text: `a:${HASH}:more:fields\n`, users: ['a'], problems: [] },
  { name: 'a byte order mark', text: `\uFEFFa:${HASH}\n`, users: ['a'], problems: [] },
  {
    name: 'names that objects have',
    text: `__proto__:${HASH}\nconstructor:${HASH}\n`,
    users: ['__proto__', 'constructor'],
    problems: [],
  },
  {
    name: 'a name of 65535 bytes',
    text: `${'ä'.repeat(32_767)}x:${HASH}\n`,
    users: [`${'ä'.repeat(32_767)}x`],
    problems: [],
  },
  { name: 'a name of 65536 bytes', text: `${'ä'.repeat(32_768)}:${HASH}\n`, users: [], problems: [1] },
  { name: 'CVE-2018-12551: a line without colon', text: `a:${HASH}\nb\n`, users: ['a'], problems: [2] },
  { name: 'CVE-2018-12551: a user without hash', text: 'a:\n', users: [], problems: [1] },
  { name: 'CVE-2018-12551: a user with a blank hash', text: 'a: \t\n', users: [], problems: [1] },
  { name: 'CVE-2018-12551: a user with further fields only', text: `a::${HASH}\n`, users: [], problems: [1] },
  { name: 'CVE-2018-12551: blank lines define nobody', text: '\n\n \n\r\n', users: [], problems: [] },
  { name: 'an empty name', text: `:${HASH}\n`, users: [], problems: [1] },
  { name: 'a blank name', text: ` \t:${HASH}\n`, users: [], problems: [1] },
  { name: 'an indented comment is no comment', text: ' # a\n', users: [], problems: [1] },
  { name: 'plain text', text: 'a:secret\n', users: [], problems: [1] },
  { name: 'a duplicate', text: `a:${HASH}\nb:${HASH}\na:${HASH}\n`, users: ['a', 'b'], problems: [3] },
  { name: 'a duplicate of a broken line', text: `a:x\na:${HASH}\n`, users: [], problems: [1, 2] },
  { name: 'a zero byte', text: `a\0b:${HASH}\n`, users: [], problems: [1] },
  {
    name: 'all problems, in order',
    text: `x\n:y\nok:${HASH}\nok:${HASH}\nz:plain\n`,
    users: ['ok'],
    problems: [1, 2, 4, 5],
  },
  {
    name: '#1584: a long line is one entry',
    text: `${'a'.repeat(250)}mallory:${HASH}:${'b'.repeat(600)}root:${HASH}\n`,
    users: [`${'a'.repeat(250)}mallory`],
    problems: [],
  },
]

describe('lines', () => {
  for (const { name, text, users, problems } of cases)
    test(name, () => {
      const file = parsePasswordFile(Buffer.from(text))
      assert.deepEqual([...file.users.keys()], users)
      assert.deepEqual(
        file.problems.map(({ line }) => line),
        problems,
      )
      for (const hash of file.users.values()) assert.equal(hash.text, HASH)
    })

  test('a line that is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from(`a:${HASH}\nb`), Buffer.from([0xff]), Buffer.from(`:${HASH}\nc:x\n`)])
    const { users, problems } = parsePasswordFile(bytes)
    assert.deepEqual([...users.keys()], ['a'])
    assert.deepEqual(
      problems.map(({ line }) => line),
      [2, 3],
    )
  })

  test('no message shows the secret', () => {
    const { problems } = parsePasswordFile(Buffer.from('a:hunter2\nhunter2\na:$9$hunter2\n'))
    assert.equal(problems.length, 3)
    for (const { message } of problems) assert.ok(!message.includes('hunter2'), message)
  })
})

test('a file with problems is refused as a whole, with every line named', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'passwords')
  writeFileSync(path, `a:${HASH}\nb\nc:\n`, { mode: 0o600 })
  assert.throws(
    () => loadPasswordFile(path),
    (error: unknown) => {
      assert.ok(error instanceof AccessFileError)
      assert.deepEqual(
        error.problems.map(({ line }) => line),
        [2, 3],
      )
      assert.match(error.message, new RegExp(`${path}:2: .*\n${path}:3: `))
      return true
    },
  )
  writeFileSync(path, `a:${HASH}\n`)
  assert.deepEqual([...loadPasswordFile(path).users.keys()], ['a'])
})
