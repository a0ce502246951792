// Password files between tsmq-passwd and Debian's Mosquitto, both ways: what one writes lets users into the broker of the other.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { killPrograms, Program } from '../support/program.js'
import { command, startTsmq } from '../support/tsmq-process.js'
import { pathOf, suite } from './programs.js'

const BROKER = pathOf('mosquitto')
const TOOL = pathOf('mosquitto_passwd')
const base = mkdtempSync(join(tmpdir(), 'tsmq-passwords-'))
let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(base, 'test-'))
  file = join(folder, 'passwords')
})
after(() => {
  killPrograms()
  rmSync(base, { recursive: true })
})

/** Runs ours or theirs; returns the status. */
function ours(...args: readonly string[]): number | null {
  return spawnSync(process.execPath, [resolve('bin', 'tsmq-passwd'), ...args]).status
}
function theirs(...args: readonly string[]): number | null {
  return spawnSync(TOOL, args).status
}

/** The exit status of a publish with these credentials: 0 when they are accepted, 5 when not. */
async function login(port: number, username: string, password: string): Promise<number | null> {
  const args = ['-h', '127.0.0.1', '-p', `${port}`, '-u', username, '-P', password, '-t', 'a', '-m', 'x', '-q', '1']
  return (await command('tsmq-pub', args, { input: '' }).end()).status
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

/** Debian's broker with our file; it would give up the rights to read it. */
async function withMosquitto(check: (port: number) => Promise<void>): Promise<void> {
  const port = await freePort()
  const conf = join(folder, 'mosquitto.conf')
  const lines = [`listener ${port} 127.0.0.1`, `password_file ${file}`, 'log_dest stderr', 'user root']
  writeFileSync(conf, `${lines.join('\n')}\n`)
  const program = new Program(BROKER, ['-c', conf])
  await program.line(/mosquitto version \S+ running/)
  try {
    await check(port)
  } finally {
    await program.stop()
  }
}

async function withTsmq(check: (port: number) => Promise<void>): Promise<void> {
  const broker = await startTsmq({ conf: `password_file ${file}\n` })
  try {
    await check(broker.port)
  } finally {
    await broker.stop()
  }
}

/** Each user's password is right, and another is not. */
async function checkLogins(port: number, users: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, password] of Object.entries(users)) {
    assert.equal(await login(port, name, password), 0, `${name} with the right password`)
    assert.equal(await login(port, name, `${password}x`), 5, `${name} with another`)
  }
}

describe(...suite('a file of tsmq-passwd in mosquitto', [BROKER]), () => {
  test('-H sha512-pbkdf2, added, updated, deleted, and -U', async () => {
    writeFileSync(file, 'plain:geheim\n', { mode: 0o600 })
    assert.equal(ours('-H', 'sha512-pbkdf2', '-U', file), 0)
    for (const args of [
      ['-b', file, 'alice', 'first'],
      ['-b', file, 'alice', 'correct horse'],
      ['-I', '1000', '-b', file, 'bob', 'pässwörd €'],
      ['-b', file, 'gone', 'x'],
    ])
      assert.equal(ours('-H', 'sha512-pbkdf2', ...args), 0)
    assert.equal(ours('-D', file, 'gone'), 0)
    await withMosquitto(async (port) => {
      await checkLogins(port, { plain: 'geheim', alice: 'correct horse', bob: 'pässwörd €' })
      assert.equal(await login(port, 'alice', 'first'), 5)
      assert.equal(await login(port, 'gone', 'x'), 5)
    })
  })
  test('-H sha512', async () => {
    assert.equal(ours('-c', '-H', 'sha512', '-b', file, 'alice', 'correct horse'), 0)
    await withMosquitto((port) => checkLogins(port, { alice: 'correct horse' }))
  })
})

describe(...suite('a file of mosquitto_passwd here', [TOOL]), () => {
  test('added, updated, deleted, and -U', async () => {
    writeFileSync(file, 'plain:geheim\n', { mode: 0o600 })
    for (const args of [
      ['-U', file],
      ['-b', file, 'alice', 'first'],
      ['-b', file, 'alice', 'correct horse'],
      ['-b', file, 'gone', 'x'],
      ['-D', file, 'gone'],
    ])
      assert.equal(theirs(...args), 0)
    const users = { plain: 'geheim', alice: 'correct horse' }
    for (const [name, password] of Object.entries(users)) {
      assert.equal(ours('-v', '-b', file, name, password), 0)
      assert.equal(ours('-v', '-b', file, name, 'wrong'), 3)
    }
    assert.equal(ours('-v', '-b', file, 'gone', 'x'), 6)
    await withTsmq((port) => checkLogins(port, users))
  })
})

describe(...suite('both tools on one file', [BROKER, TOOL]), () => {
  test('each leaves the lines of the other as they are', async () => {
    const lineOf = (user: string) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .find((line) => line.startsWith(`${user}:`))
    assert.equal(theirs('-c', '-b', file, 'theirs', 'one'), 0)
    const their = lineOf('theirs')
    assert.equal(ours('-H', 'sha512-pbkdf2', '-b', file, 'ours', 'two'), 0)
    const our = lineOf('ours')
    assert.equal(theirs('-b', file, 'again', 'three'), 0)
    assert.equal(ours('-H', 'sha512-pbkdf2', '-b', file, 'last', 'four'), 0)
    assert.deepEqual([lineOf('theirs'), lineOf('ours')], [their, our])
    const users = { theirs: 'one', ours: 'two', again: 'three', last: 'four' }
    await withMosquitto((port) => checkLogins(port, users))
    await withTsmq((port) => checkLogins(port, users))
  })
})
