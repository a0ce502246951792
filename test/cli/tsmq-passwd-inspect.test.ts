// What tsmq-passwd has beyond Mosquitto's tool: -v, -i, --generate, --list and --lint (features.md C6).
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { after, beforeEach, describe, test } from 'node:test'
import { passwd } from '../../src/cli/tsmq-passwd-command.js'

const SHA512 =
  '$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg=='
const PBKDF2 =
  '$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg=='
/** Of the password "correct horse" as well. */
const BCRYPT = '$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2'
const STRONG_PBKDF2 = PBKDF2.replace('$101$', '$100000$')
const argon2id = (memory: number) => `$argon2id$v=19$m=${memory},t=1,p=1$${'A'.repeat(86)}$${'A'.repeat(86)}`

const base = mkdtempSync(join(tmpdir(), 'tsmq-passwd-'))
let file: string

after(() => rmSync(base, { recursive: true }))
beforeEach(() => {
  file = join(mkdtempSync(join(base, 'test-')), 'passwords')
})

async function run(args: readonly string[], input: string | Uint8Array = '', isTTY = false) {
  let stdout = ''
  let stderr = ''
  const status = await passwd(
    args.map((word) => (word === 'FILE' ? file : word)),
    {
      stdin: Readable.from([Buffer.from(input)], { objectMode: false }),
      stdout: { isTTY, write: (text) => void (stdout += text) },
      stderr: { write: (text) => void (stderr += text) },
    },
  )
  return { status, stdout, stderr }
}

function put(text: string): void {
  writeFileSync(file, text, { mode: 0o600 })
}

describe('-v', () => {
  const text = `# c\n\na:${SHA512}\nb:${PBKDF2}\r\nc:${BCRYPT}\n`
  const cases = [
    { name: 'the password is right, -b', args: ['-v', '-b', 'FILE', 'a', 'correct horse'], status: 0 },
    { name: 'of another algorithm', args: ['-v', '-b', 'FILE', 'b', 'correct horse'], status: 0 },
    { name: 'it is not', args: ['-v', '-b', 'FILE', 'a', 'wrong'], status: 3, stderr: /not the password of user a/ },
    { name: 'an empty one', args: ['-v', '-b', 'FILE', 'a', ''], status: 3 },
    { name: 'bcrypt, not right', args: ['-v', '-b', 'FILE', 'c', 'wrong'], status: 3 },
    { name: 'bcrypt, longer than it can be', args: ['-v', '-b', 'FILE', 'c', 'x'.repeat(73)], status: 3 },
    { name: 'no such user', args: ['-v', '-b', 'FILE', 'x', 'correct horse'], status: 6, stderr: /user x not found/ },
    { name: 'no such user, without reading a password', args: ['-v', 'FILE', 'x'], status: 6 },
    { name: 'a line of the input', args: ['-v', 'FILE', 'a'], input: 'correct horse\n', status: 0 },
    { name: 'a line of the input, -i', args: ['-i', '-v', 'FILE', 'a'], input: 'correct horse\r\nmore\n', status: 0 },
    { name: 'another line', args: ['-v', 'FILE', 'a'], input: 'wrong\n', status: 3 },
    { name: 'no input', args: ['-v', 'FILE', 'a'], status: 1, stderr: /empty password/ },
    { name: 'no file', args: ['-v', '-b', '/none', 'a', 'x'], status: 1, stderr: /none: no such file/ },
    { name: 'no user given', args: ['-v', 'FILE'], status: 1, stderr: /FILE USER must follow/ },
    { name: 'a word too many', args: ['-v', 'FILE', 'a', 'x'], status: 1, stderr: /FILE USER must follow/ },
  ]
  for (const { name, args, input = '', status, stderr = /^/ } of cases)
    test(`${name}: ${status}`, async () => {
      put(text)
      const result = await run(args, input)
      assert.equal(result.status, status, result.stderr)
      assert.match(result.stderr, stderr)
      const user = args.find((word) => /^[abc]$/.test(word))
      assert.equal(result.stdout, status === 0 ? `Correct password for user ${user}\n` : '')
      assert.equal(readFileSync(file, 'utf8'), text)
    })
  for (const [name, line, stderr] of [
    ['a duplicate', `a:${SHA512}`, /:2: user "a" already has line 1/],
    ['a bad line', 'x', /:2: the line has no colon/],
    ['plain text', 'x:y', /:2: user "x": the password is not hashed/],
  ] as const)
    test(`${name} in the file, with which the broker would not start: 1`, async () => {
      put(`a:${SHA512}\n${line}\n`)
      const result = await run(['-v', '-b', 'FILE', 'a', 'correct horse'])
      assert.equal(result.status, 1)
      assert.match(result.stderr, stderr)
    })
})

describe('-i', () => {
  const add = ['-i', '-H', 'sha512-pbkdf2', '-I', '1', 'FILE', 'a']
  const cases = [
    { name: 'a line', input: 'correct horse\n', password: 'correct horse' },
    { name: 'without line end', input: 'correct horse', password: 'correct horse' },
    { name: 'with CRLF', input: 'x\r\n', password: 'x' },
    { name: 'only the first line', input: 'x\ny\n', password: 'x' },
    { name: 'blanks belong to it', input: ' x \n', password: ' x ' },
    { name: '65535 bytes', input: 'x'.repeat(65_535), password: 'x'.repeat(65_535) },
    { name: 'no input', input: '', stderr: /empty password/ },
    { name: 'an empty line', input: '\nx\n', stderr: /empty password/ },
    { name: '65536 bytes', input: 'x'.repeat(65_536), stderr: /longer than 65535 bytes/ },
  ]
  for (const { name, input, password, stderr } of cases)
    test(name, async () => {
      put('')
      const result = await run(add, input)
      assert.match(result.stderr, stderr ?? /^$/)
      assert.equal(result.status, stderr ? 1 : 0)
      assert.equal(result.stdout, stderr ? '' : 'Adding password for user a\n')
      if (password === undefined) assert.equal(readFileSync(file, 'utf8'), '')
      else assert.equal((await run(['-v', '-b', 'FILE', 'a', password])).status, 0)
    })
  test('bytes that are not UTF-8', async () => {
    put('')
    const password = Buffer.from([0xff, 0xfe, 0x01])
    assert.equal((await run(add, password)).status, 0)
    assert.equal((await run(['-v', 'FILE', 'a'], password)).status, 0)
    assert.equal((await run(['-v', 'FILE', 'a'], Buffer.from([0xff, 0xfd, 0x01]))).status, 3)
  })
})

describe('--generate', () => {
  const make = ['--generate', '-H', 'sha512-pbkdf2', '-I', '1']
  test('the password alone is on standard output, and works', async () => {
    const made = new Set<string>()
    for (const message of ['Adding', 'Updating']) {
      const result = await run([...make, ...(message === 'Adding' ? ['-c'] : []), 'FILE', 'a'])
      assert.deepEqual([result.status, result.stderr], [0, `${message} password for user a\n`])
      assert.match(result.stdout, /^[0-9A-Za-z]{22}\n$/)
      const password = result.stdout.trim()
      assert.equal((await run(['-v', '-b', 'FILE', 'a', password])).status, 0)
      assert.ok(!readFileSync(file, 'utf8').includes(password), 'it is nowhere else')
      made.add(password)
    }
    assert.equal(made.size, 2)
  })
  test('with -c - the line is on standard output and the password beside it', async () => {
    const { status, stdout, stderr } = await run([...make, '-c', '-', 'a'])
    assert.equal(status, 0)
    assert.match(stderr, /^[0-9A-Za-z]{22}\n$/)
    put(stdout)
    assert.equal((await run(['-v', '-b', 'FILE', 'a', stderr.trim()])).status, 0)
  })
  test('nothing is printed when the file cannot be changed', async () => {
    put('bad\n')
    const { status, stdout, stderr } = await run([...make, 'FILE', 'a'])
    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, /:1: /)
  })
})

describe('--list', () => {
  test('name, algorithm, cost', async () => {
    put(`# c\n\nä b:${SHA512}\nb:${PBKDF2}:more\r\nc:${BCRYPT}\nd:${argon2id(47_104)}\ne:plain\nf:$5$x$y\ng:$7$0$x$y`)
    const { status, stdout, stderr } = await run(['--list', 'FILE'])
    const expected = [
      'ä b\tsha512\t-',
      'b\tsha512-pbkdf2\t101',
      'c\tbcrypt\t5',
      'd\targon2id\tm=47104,t=1,p=1',
      'e\tplain\t-',
      'f\tunusable\t-',
      'g\tunusable\t-',
    ]
    assert.deepEqual([status, stdout, stderr], [0, `${expected.join('\n')}\n`, ''])
  })
  test('an empty file has nobody', async () => {
    put('')
    assert.deepEqual(await run(['--list', 'FILE']), { status: 0, stdout: '', stderr: '' })
  })
  test('a bad line is an error naming it', async () => {
    put(`a:${SHA512}\nbad\n`)
    const { status, stdout, stderr } = await run(['--list', 'FILE'])
    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, /:2: /)
  })
  test('on a terminal control characters of names are shown, not obeyed', async () => {
    put(`a\x1b[2Jb:${SHA512}\n`)
    assert.equal((await run(['--list', 'FILE'], '', true)).stdout, 'a\\x1b[2Jb\tsha512\t-\n')
    assert.equal((await run(['--list', 'FILE'])).stdout, 'a\x1b[2Jb\tsha512\t-\n')
  })
})

describe('--lint', () => {
  const good = [BCRYPT.replace('$05$', '$10$'), argon2id(47_104), STRONG_PBKDF2]
  const cases: { name: string; text: string; found: RegExp[] }[] = [
    { name: 'nothing', text: `#\n\n${good.map((hash, i) => `u${i}:${hash}\n`).join('')}`, found: [] },
    { name: 'bcrypt of a low cost', text: `a:${BCRYPT}\n`, found: [/:1: user "a": weak: bcrypt of cost 5/] },
    { name: 'sha512', text: `a:${SHA512}\n`, found: [/:1: user "a": weak: sha512/] },
    { name: 'few iterations', text: `a:${PBKDF2}\n`, found: [/:1: user "a": weak: 101 iterations/] },
    { name: 'argon2id with little memory', text: `a:${argon2id(1024)}\n`, found: [/:1: user "a": weak: argon2id/] },
    { name: 'plain text', text: 'a:secret\n', found: [/:1: user "a": the password is not hashed/] },
    { name: 'another kind', text: 'a:$5$x$y\n', found: [/:1: user "a": passwords of the kind \$5\$/] },
    { name: 'a duplicate', text: `a:${good[0]}\na:${good[0]}\n`, found: [/:2: user "a" already has line 1/] },
    { name: 'no colon', text: `a:${good[0]}\nb\n`, found: [/:2: the line has no colon/] },
    { name: 'no name', text: `:${good[0]}\n`, found: [/:1: the user name is empty/] },
    { name: 'no password', text: 'a:\n', found: [/:1: user "a" has no password/] },
    { name: 'not UTF-8', text: 'a\xff:x\n', found: [/:1: the line is not valid UTF-8/] },
    { name: 'a third field', text: `a:${good[0]}:x\n`, found: [/:1: user "a": what follows the second colon/] },
    { name: 'nobody', text: '# c\n', found: [/passwords: there are no users/] },
    { name: 'all at once', text: `a:${BCRYPT}\nb\nc:x\n`, found: [/:1: .*weak/, /:2: .*colon/, /:3: .*not hashed/] },
  ]
  for (const { name, text, found } of cases)
    test(name, async () => {
      writeFileSync(file, Buffer.from(text, 'latin1'), { mode: 0o600 })
      const { status, stdout, stderr } = await run(['--lint', 'FILE'])
      assert.deepEqual([status, stderr], [found.length > 0 ? 1 : 0, ''])
      const lines = stdout.split('\n').slice(0, -1)
      assert.equal(lines.length, found.length, stdout)
      for (const [i, pattern] of found.entries()) {
        assert.ok(lines[i]?.startsWith(file))
        assert.match(lines[i] ?? '', pattern)
        assert.ok(!stdout.includes('secret'), 'passwords are not shown')
      }
    })
  test('a mode that lets others read it', async () => {
    put(`a:${good[0]}\n`)
    chmodSync(file, 0o644)
    const { status, stdout } = await run(['--lint', 'FILE'])
    assert.deepEqual(
      [status, stdout],
      [1, `${file}: can be used by everyone on this machine. To fix this: chmod 0600 ${file}\n`],
    )
  })
  test('no file', async () => assert.equal((await run(['--lint', '/none'])).status, 1))
})

describe('what becomes of the output', () => {
  const BIN = resolve('bin', 'tsmq-passwd')
  test('a reader who has gone is no failure', () => {
    put(Array.from({ length: 5000 }, (_, i) => `user${i}:${SHA512}\n`).join(''))
    const script = `"$0" "$1" --list "$2" | head -n 1; exit \${PIPESTATUS[0]}`
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath, BIN, file], {
      encoding: 'utf8',
    })
    assert.deepEqual([status, stdout, stderr], [0, 'user0\tsha512\t-\n', ''])
  })
  const full = '/dev/full'
  const missing = !readdirSync('/dev').includes('full')
  test(`output that is lost is one${missing ? ' (skipped: no /dev/full)' : ''}`, { skip: missing }, () => {
    put(`a:${SHA512}\n`)
    const { status, stderr } = spawnSync(process.execPath, [BIN, '--list', file], {
      encoding: 'utf8',
      stdio: ['ignore', openSync(full, 'w'), 'pipe'],
    })
    assert.equal(status, 1)
    assert.match(stderr, /^Error: cannot write to standard output: .*no space/)
  })
})
