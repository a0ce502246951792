// tsmq-passwd: its options, messages, files and exit statuses (spec: passwd.md). What needs a terminal is
// in a file of its own.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, beforeEach, describe, test } from 'node:test'
import { BcryptWorkers } from '../../src/access/bcrypt-workers.js'
import { parsePasswordFile } from '../../src/access/password-file.js'
import { describeHash, verifyPassword } from '../../src/access/password-hash.js'
import { passwd } from '../../src/cli/tsmq-passwd-command.js'

const BIN = resolve('bin', 'tsmq-passwd')
const HASHED =
  '$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg=='
/** The quickest hash, for tests that are about something else. */
const FAST = ['-H', 'sha512']

interface Result {
  status: number | null
  stdout: string
  stderr: string
}

let base: string
let folder: string
let file: string
let bcrypt: BcryptWorkers

before(() => {
  base = mkdtempSync(join(tmpdir(), 'tsmq-passwd-'))
  bcrypt = new BcryptWorkers({ threads: 1 })
})
after(async () => {
  rmSync(base, { recursive: true })
  await bcrypt.close()
})
beforeEach(() => {
  folder = mkdtempSync(join(base, 'test-'))
  file = join(folder, 'passwords')
})

/** The real command. */
function start(args: readonly string[], { input = '', env = {} as Record<string, string> } = {}): Promise<Result> {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, env: { ...process.env, ...env } })
  const result: Result = { status: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    result.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    result.stderr += chunk
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((done) => child.on('close', (status) => done({ ...result, status })))
}

/** The same without a process of its own, for the long tables. */
async function run(args: readonly string[], input = ''): Promise<Result> {
  let stdout = ''
  let stderr = ''
  const status = await passwd(args, {
    stdin: Readable.from([Buffer.from(input)], { objectMode: false }),
    stdout: {
      write: (text) => {
        stdout += text
      },
    },
    stderr: {
      write: (text) => {
        stderr += text
      },
    },
  })
  return { status, stdout, stderr }
}

function put(text: string): void {
  writeFileSync(file, text, { mode: 0o600 })
}

const content = () => readFileSync(file, 'utf8')

/** Whether the file as the broker reads it lets this user in. */
async function accepts(username: string, password: string): Promise<boolean> {
  const { users, problems } = parsePasswordFile(readFileSync(file))
  assert.deepEqual(problems, [])
  const hash = users.get(username)
  return hash !== undefined && verifyPassword(Buffer.from(password), hash, bcrypt)
}

function kindOf(username: string): string {
  const hash = parsePasswordFile(readFileSync(file)).users.get(username)
  return hash ? describeHash(hash) : 'no such user'
}

describe('adding and updating', () => {
  test('-c -b creates a file for its owner only, with bcrypt of cost 10', async () => {
    const result = await start(['-c', '-b', file, 'alice', 'correct horse'])
    assert.deepEqual(result, { status: 0, stdout: 'Adding password for user alice\n', stderr: '' })
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(kindOf('alice'), 'bcrypt, cost 10')
    assert.equal(await accepts('alice', 'correct horse'), true)
    assert.equal(await accepts('alice', 'wrong horse'), false)
    assert.deepEqual(readdirSync(folder), ['passwords'])
  })
  test('a user is added, then updated; other bytes stay', async () => {
    put(`# mine\r\n\na:${HASHED}:x`)
    assert.equal((await run([...FAST, '-b', file, 'b', 'one'])).stdout, 'Adding password for user b\n')
    assert.match(content(), /^# mine\r\n\na:\$6\$.*:x\r\nb:\$6\$.*\r\n$/)
    assert.equal((await run([...FAST, '-b', file, 'b', 'two'])).stdout, 'Updating password for user b\n')
    assert.ok(content().startsWith(`# mine\r\n\na:${HASHED}:x\r\nb:`))
    assert.deepEqual([await accepts('b', 'one'), await accepts('b', 'two')], [false, true])
  })
  test('the mode stays, and a loose one is warned about', async () => {
    put('')
    chmodSync(file, 0o644)
    const { status, stderr } = await run(['-H', 'sha512-pbkdf2', '-I', '10', '-b', file, 'a', 'x'])
    assert.equal(status, 0)
    assert.match(stderr, /chmod 0600/)
    assert.equal(statSync(file).mode & 0o777, 0o644)
  })
  test('behind a symbolic link the file is changed and the link stays', async () => {
    put('')
    const link = join(folder, 'link')
    symlinkSync(file, link)
    assert.equal((await run([...FAST, '-b', link, 'a', 'x'])).status, 0)
    assert.ok(lstatSync(link).isSymbolicLink())
    assert.equal(await accepts('a', 'x'), true)
  })
  test('words behind the file are no options', async () => {
    put('')
    assert.equal((await run([...FAST, '-b', file, '-c', '--help'])).status, 0)
    assert.equal(await accepts('-c', '--help'), true)
  })
  test('an empty password is taken with a warning', async () => {
    put('')
    const { status, stderr } = await run(['-H', 'sha512-pbkdf2', '-I', '10', '-b', file, 'a', ''])
    assert.equal(status, 0)
    assert.match(stderr, /password is empty/)
    assert.equal(await accepts('a', ''), true)
  })
  test('-c - writes the line to standard output only', async () => {
    const { status, stdout, stderr } = await run(['-c', '--cost', '4', '-', 'a'], 'x\nx\n')
    assert.equal(status, 0)
    assert.match(stdout, /^a:\$2b\$04\$.{53}\n$/)
    assert.equal(stderr, 'Password: \nReenter password: \n')
    assert.deepEqual(readdirSync(folder), [])
  })
  test('of two that create the file at the same time one fails', async () => {
    const results = await Promise.all(['a', 'b'].map((name) => run(['-c', ...FAST, '-b', file, name, 'x'])))
    assert.deepEqual(results.map(({ status }) => status).sort(), [0, 1])
    assert.match(content(), /^[ab]:\S+\n$/)
  })
  test('words too many are ignored with -c', async () => {
    assert.equal((await run(['-c', ...FAST, '-b', file, 'a', 'x', 'more'])).status, 0)
    assert.equal(await accepts('a', 'x'), true)
  })
  test('50 at the same time leave 50 users', async () => {
    put('first:x\n')
    const names = Array.from({ length: 50 }, (_, i) => `user${i}`)
    const results = await Promise.all(
      names.map((name, i) => (i % 10 === 0 ? start : run)([...FAST, '-b', file, name, 'x'])),
    )
    for (const { status, stderr } of results) assert.equal(status, 0, stderr)
    const users = content()
      .split('\n')
      .map((line) => line.split(':')[0])
    assert.deepEqual(users.sort(), ['', 'first', ...names].sort())
    assert.deepEqual(readdirSync(folder), ['passwords'])
  })
})

describe('hashes', () => {
  const cases = [
    { args: ['-H', 'bcrypt', '--cost', '5'], kind: 'bcrypt, cost 5' },
    { args: ['--cost=4'], kind: 'bcrypt, cost 4' },
    { args: ['-H', 'sha512-pbkdf2', '-I', '123'], kind: 'sha512-pbkdf2, 123 iterations' },
    { args: ['-H', 'sha512'], kind: 'sha512' },
    { args: ['-H', 'argon2id'], kind: 'argon2id, 47104 KiB, 1 passes, 1 lanes' },
    { args: ['-I', '7', '--cost', '4'], kind: 'bcrypt, cost 4' },
  ]
  for (const { args, kind } of cases)
    test(args.join(' '), async () => {
      assert.equal((await run([...args, '-c', '-b', file, 'a', 'pässwörd'])).status, 0)
      assert.equal(kindOf('a'), kind)
      assert.equal(await accepts('a', 'pässwörd'), true)
    })
  test('-I without sha512-pbkdf2 has no effect and says so', async () => {
    const { status, stderr } = await run(['-I', '1000', '--cost', '4', '-c', '-b', file, 'a', 'x'])
    assert.deepEqual([status, stderr], [0, 'Warning: -I has no effect with bcrypt.\n'])
  })
  test('sha512 is warned about', async () => {
    assert.match((await run([...FAST, '-c', '-b', file, 'a', 'x'])).stderr, /^Warning: sha512 /)
  })
})

describe('deleting', () => {
  test('the user goes, without a word', async () => {
    put(`#c\na:${HASHED}\nb:${HASHED}\n`)
    assert.deepEqual(await run(['-D', file, 'a']), { status: 0, stdout: '', stderr: '' })
    assert.equal(content(), `#c\nb:${HASHED}\n`)
  })
})

test('-D: words too many are ignored, and so are -H and -I, with a warning', async () => {
  put(`a:${HASHED}\nb:${HASHED}\n`)
  const { status, stderr } = await run(['-H', 'sha512', '-I', '5', '-D', file, 'a', 'more'])
  assert.deepEqual([status, content()], [0, `b:${HASHED}\n`])
  assert.equal(stderr, 'Warning: -H has no effect with -D.\nWarning: -I has no effect with -D.\n')
})

describe('hashing a file', () => {
  test('-b changes nothing and says so; -I counts', async () => {
    put('a:x\n')
    const { status, stderr } = await run(['-U', '-b', '-H', 'sha512-pbkdf2', '-I', '7', file])
    assert.equal(status, 0)
    assert.match(stderr, /^Warning: -b has no effect with -U\.\n/)
    assert.equal(kindOf('a'), 'sha512-pbkdf2, 7 iterations')
  })
  test('plain entries are hashed, hashed ones and comments stay', async () => {
    put(`# all\nalice: secret \n\nbob:${HASHED}\ncarol:geheim\n`)
    const { status, stdout, stderr } = await run(['-U', '--cost', '4', file])
    assert.equal(status, 0)
    assert.equal(stdout, '')
    assert.match(stderr, /2 of 3 passwords hashed, 1 were hashed already/)
    assert.match(content(), /^# all\nalice:\$2b\$04\$.{53}\n\nbob:\$6\$.*\ncarol:\$2b\$04\$.{53}\n$/)
    assert.deepEqual([await accepts('alice', 'secret'), await accepts('carol', 'geheim')], [true, true])
    assert.ok(content().includes(`bob:${HASHED}\n`))
  })
  test('a second time nothing changes', async () => {
    put(`bob:${HASHED}\n`)
    const before = statSync(file).ino
    assert.match((await run(['-U', file])).stderr, /0 of 1 passwords hashed/)
    assert.deepEqual([statSync(file).ino, content()], [before, `bob:${HASHED}\n`])
  })
})

describe('prompting without a terminal', () => {
  const cases = [
    { name: 'twice the same', input: 'correct horse\ncorrect horse\n', status: 0, stderr: /^$/ },
    { name: 'twice the same, no line end', input: 'correct horse\r\ncorrect horse', status: 0, stderr: /^$/ },
    { name: 'different', input: 'a\nb\n', status: 2, stderr: /do not match/ },
    { name: 'empty', input: '\n\n', status: 1, stderr: /empty password/ },
    { name: 'empty the second time', input: 'a\n\n', status: 1, stderr: /empty password/ },
    { name: 'no input', input: '', status: 1, stderr: /empty password/ },
    { name: 'one line', input: 'a\n', status: 1, stderr: /empty password/ },
  ]
  for (const { name, input, status, stderr } of cases)
    test(name, async () => {
      put('')
      const result = await run(['-H', 'sha512-pbkdf2', '-I', '10', file, 'a'], input)
      assert.equal(result.status, status)
      assert.ok(result.stdout.startsWith('Password: \n'))
      assert.match(result.stderr, stderr)
      assert.equal(content() === '', status !== 0)
      if (status === 0) assert.equal(await accepts('a', 'correct horse'), true)
    })
  test('in a pipe to the process', async () => {
    put('')
    const { status, stdout } = await start(['--cost', '4', file, 'a'], { input: 'correct horse\ncorrect horse\n' })
    assert.deepEqual([status, stdout], [0, 'Password: \nReenter password: \nAdding password for user a\n'])
    assert.equal(await accepts('a', 'correct horse'), true)
  })
  test('with -c nothing is created when it fails', async () => {
    assert.equal((await run(['-c', file, 'a'], 'a\nb\n')).status, 2)
    assert.deepEqual(readdirSync(folder), [])
  })
})

describe('what is refused, with the file untouched', () => {
  const cases = [
    { name: 'nothing given', args: [], stderr: /^Usage: / },
    { name: 'no user', args: ['FILE'], stderr: /FILE USER/ },
    { name: 'a password without -b', args: ['FILE', 'a', 'x'], stderr: /FILE USER/ },
    { name: '-b without password', args: ['-b', 'FILE', 'a'], stderr: /PASSWORD/ },
    { name: '-b and too much', args: ['-b', 'FILE', 'a', 'x', 'y'], stderr: /PASSWORD/ },
    { name: '-c without user', args: ['-c', 'FILE'], stderr: /USER/ },
    { name: '-D without user', args: ['-D', 'FILE'], stderr: /-D/ },
    { name: '-U with a user', args: ['-U', 'FILE', 'a'], stderr: /-U/ },
    { name: '-U without file', args: ['-U'], stderr: /-U/ },
    { name: '-c with -D', args: ['-c', '-D', 'FILE', 'a'], stderr: /-c and -D cannot be used together/ },
    { name: '-c with -U', args: ['-c', '-U', 'FILE'], stderr: /-c and -U cannot be used together/ },
    { name: '-D with -U', args: ['-D', '-U', 'FILE'], stderr: /-D and -U cannot be used together/ },
    { name: '-b with -D', args: ['-b', '-D', 'FILE', 'a'], stderr: /-[Db] and -[Db] cannot be used together/ },
    { name: '-H without value', args: ['-H'], stderr: /-H/ },
    { name: 'an unknown hash', args: ['-H', 'md5', '-b', 'FILE', 'a', 'x'], stderr: /md5/ },
    { name: '-I 0', args: ['-I', '0', '-b', 'FILE', 'a', 'x'], stderr: /-I/ },
    { name: '-I beyond the limit', args: ['-I', '5000001', '-b', 'FILE', 'a', 'x'], stderr: /-I/ },
    { name: '--cost 3', args: ['--cost', '3', '-b', 'FILE', 'a', 'x'], stderr: /--cost/ },
    { name: '--cost 17', args: ['--cost', '17', '-b', 'FILE', 'a', 'x'], stderr: /--cost/ },
    { name: 'an unknown option', args: ['--cots', '5', 'FILE', 'a'], stderr: /--cots.*--cost/ },
    { name: 'an empty user name', args: ['-b', 'FILE', '', 'x'], stderr: /user name is empty/ },
    { name: 'a user name with a colon', args: ['-b', 'FILE', 'a:b', 'x'], stderr: /colon/ },
    { name: 'a user name with a control character', args: ['-b', 'FILE', 'a\nb', 'x'], stderr: /control/ },
    { name: 'a user name with DEL', args: ['-b', 'FILE', 'a\x7f', 'x'], stderr: /control/ },
    { name: 'a user name of 65536 bytes', args: ['-b', 'FILE', 'a'.repeat(65_536), 'x'], stderr: /65535 bytes/ },
    { name: 'a user name that would be a comment', args: ['-b', 'FILE', '#a', 'x'], stderr: /comment/ },
    { name: 'a user name the broker would trim', args: ['-b', 'FILE', 'a ', 'x'], stderr: /blank/ },
    { name: 'a user name that was not UTF-8', args: ['-b', 'FILE', 'a\uFFFD', 'x'], stderr: /UTF-8/ },
    { name: 'a password that was not UTF-8', args: ['-b', 'FILE', 'a', '\uFFFD'], stderr: /UTF-8/ },
    { name: 'a password of 65536 bytes', args: ['-b', 'FILE', 'a', 'x'.repeat(65_536)], stderr: /65535 bytes/ },
    {
      name: 'a bcrypt password over 72 bytes',
      args: ['-b', 'FILE', 'a', 'ä'.repeat(37)],
      stderr: /72.*-H sha512-pbkdf2/,
    },
    { name: 'a missing file', args: [...FAST, '-b', '/none', 'a', 'x'], stderr: /none: no such file/ },
    { name: 'a missing folder', args: [...FAST, '-c', '-b', '/none/f', 'a', 'x'], stderr: /none\/f/ },
    { name: 'a folder', args: [...FAST, '-b', '.', 'a', 'x'], stderr: /not a regular file/ },
    { name: '-c over an existing file', args: ['-c', '-b', 'FILE', 'a', 'x'], stderr: /exists already.*leave out -c/ },
    { name: '-i with -b', args: ['-i', '-b', 'FILE', 'a', 'x'], stderr: /-[ib] and -[ib] cannot be used together/ },
    { name: '-i with -D', args: ['-i', '-D', 'FILE', 'a'], stderr: /-[iD] and -[iD] cannot be used together/ },
    { name: '--generate with -b', args: ['--generate', '-b', 'FILE', 'a', 'x'], stderr: /cannot be used together/ },
    { name: '--generate with -i', args: ['-i', '--generate', 'FILE', 'a'], stderr: /cannot be used together/ },
    { name: '-v with -c', args: ['-v', '-c', 'FILE', 'a'], stderr: /-[vc] and -[vc] cannot be used together/ },
    { name: '--list with --lint', args: ['--list', '--lint', 'FILE'], stderr: /cannot be used together/ },
    { name: '--list with -H', args: ['--list', '-H', 'sha512', 'FILE'], stderr: /cannot be used together/ },
    { name: '--list without file', args: ['--list'], stderr: /--list needs FILE/ },
    { name: '--lint with a user', args: ['--lint', 'FILE', 'a'], stderr: /--lint needs FILE/ },
    { name: '--cost with another hash', args: [...FAST, '--cost', '5', '-b', 'FILE', 'a', 'x'], stderr: /bcrypt/ },
    { name: '-I without value', args: ['-I'], stderr: /-I needs COUNT/ },
    { name: '-I that is no number', args: ['-I', 'x', '-b', 'FILE', 'a', 'x'], stderr: /-I/ },
    { name: 'a missing file, before asking', args: ['/none', 'a'], stderr: /none: no such file/ },
    { name: 'no user, -b', args: ['-b', 'FILE'], stderr: /FILE USER PASSWORD/ },
    { name: '-c -b without password', args: ['-c', '-b', 'FILE', 'a'], stderr: /PASSWORD/ },
    { name: '-D of nobody', args: ['-D', 'FILE', 'nobody'], stderr: /^Warning: user nobody not found/ },
    { name: '-D in an empty file', args: ['-D', 'FILE', 'a'], text: '', stderr: /not found/ },
    { name: '-U of an empty file', args: ['-U', 'FILE'], text: '# x\n', stderr: /no users/ },
    { name: 'a corrupt line, adding', args: [...FAST, '-b', 'FILE', 'b', 'x'], text: 'a:1\nbad\n', stderr: /:2: / },
    { name: 'a corrupt line, deleting', args: ['-D', 'FILE', 'a'], text: 'a:1\nbad\n', stderr: /:2: / },
    { name: 'a corrupt line, hashing', args: ['-U', 'FILE'], text: 'a:1\nbad\n', stderr: /:2: / },
    { name: '-U of a broken hash', args: ['-U', 'FILE'], text: 'a:1\nb:$7$0$x$y\n', stderr: /:2: / },
    { name: '-U of a password with a colon', args: ['-U', 'FILE'], text: 'a:x:y\n', stderr: /:1: .*colon/ },
    {
      name: '-U of a password over 72 bytes',
      args: ['-U', 'FILE'],
      text: `a:${'x'.repeat(73)}\n`,
      stderr: /:1: .*72.*-H/,
    },
  ]
  for (const { name, args, text = `a:${HASHED}\n`, stderr } of cases)
    test(name, async () => {
      put(text)
      const result = await run(args.map((word) => (word === 'FILE' ? file : word)))
      assert.match(result.stderr, stderr)
      assert.equal(result.status, 1)
      assert.equal(result.stdout, '')
      assert.equal(content(), text)
      assert.deepEqual(readdirSync(folder), ['passwords'])
    })

  test('status 10: a hash that is not available here', async () => {
    put('')
    // What a platform without a native build looks like.
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: join(folder, 'none.node') }
    const result = await start(['-H', 'argon2id', '-b', file, 'a', 'x'], { env })
    assert.equal(result.status, 10)
    assert.match(result.stderr, /unable to hash with argon2id/)
    assert.equal(content(), '')
  })
})

describe('--help and --version', () => {
  test('--help names every option', async () => {
    const { status, stdout, stderr } = await start(['--help'])
    assert.equal(status, 0)
    assert.equal(stderr, '')
    for (const word of '-b -c -D -U -H -I --cost -i --generate -v --list --lint --help --version'.split(' '))
      assert.match(stdout, new RegExp(`^ +${word}\\b`, 'm'))
  })
  test('--version', async () => {
    const { version } = JSON.parse(readFileSync(resolve('package.json'), 'utf8'))
    assert.deepEqual(await start(['--version']), { status: 0, stdout: `tsmq-passwd version ${version}\n`, stderr: '' })
  })
})

describe('a file made here works in Mosquitto’s tool and the other way', () => {
  const missing = spawnSync('mosquitto_passwd', []).error !== undefined
  test(`mosquitto_passwd${missing ? ' (skipped: it is not installed)' : ''}`, { skip: missing }, async () => {
    assert.equal((await run(['-c', '-H', 'sha512-pbkdf2', '-b', file, 'ours', 'x'])).status, 0)
    assert.equal(spawnSync('mosquitto_passwd', ['-b', file, 'theirs', 'y']).status, 0)
    assert.equal((await run([...FAST, '-b', file, 'again', 'z'])).status, 0)
    assert.deepEqual(
      [await accepts('ours', 'x'), await accepts('theirs', 'y'), await accepts('again', 'z')],
      [true, true, true],
    )
  })
})
