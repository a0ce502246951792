// The lock and the replacement of a file: who waits, which locks are broken, what a file keeps.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { PasswdError } from '../../src/cli/tsmq-passwd-error.js'
import { replaceFile, withLock } from '../../src/cli/tsmq-passwd-write.js'

const folders: string[] = []
let path: string

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-'))
  path = join(folder, 'file')
  folders.push(folder)
})

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

describe('the lock', () => {
  test('lets one in at a time, and is gone afterwards', async () => {
    let inside = 0
    let most = 0
    const change = async () => {
      most = Math.max(most, ++inside)
      await new Promise(setImmediate)
      inside--
    }
    await Promise.all(Array.from({ length: 5 }, () => withLock(path, change)))
    assert.equal(most, 1)
    assert.equal(existsSync(`${path}.lock`), false)
  })
  test('is given back after a failure', async () => {
    await assert.rejects(
      withLock(path, () => {
        throw new Error('no')
      }),
      /no/,
    )
    assert.equal(await withLock(path, () => 'yes', 0), 'yes')
  })
  test('leaves no handlers behind', async () => {
    const before = process.listenerCount('SIGTERM')
    await withLock(path, () => {})
    assert.equal(process.listenerCount('SIGTERM'), before)
  })

  const endedPid = spawnSync(process.execPath, ['-e', '0']).pid
  const foreign = [
    { name: 'of a process that runs', content: `${process.pid} ${hostname()}`, taken: false },
    { name: 'of a process of another user', content: `1 ${hostname()}`, taken: false },
    { name: 'of another machine', content: `${endedPid} elsewhere`, taken: false },
    { name: 'not yet written', content: '', taken: false },
    { name: 'that nobody here has written', content: `x ${hostname()}`, taken: false },
    { name: 'of a process that has ended', content: `${endedPid} ${hostname()}`, taken: true },
  ]
  for (const { name, content, taken } of foreign)
    test(`${name} is ${taken ? 'broken' : 'respected'}`, async () => {
      writeFileSync(`${path}.lock`, content)
      let entered = false
      const attempt = withLock(
        path,
        () => {
          entered = true
        },
        0,
      ).catch((error: unknown) => assert.ok(error instanceof PasswdError && error.message.includes(`${path}.lock`)))
      await attempt
      assert.equal(entered, taken)
      assert.equal(existsSync(`${path}.lock`), !taken)
      assert.equal(existsSync(`${path}.lock.judge`), false)
    })
  test('cannot be taken where no file can be created', async () => {
    await assert.rejects(
      withLock(join(path, 'none'), () => {}),
      PasswdError,
    )
  })
})

describe('the replacement', () => {
  test('a new file is for its owner only', () => {
    replaceFile(path, Buffer.from('x'))
    assert.equal(readFileSync(path, 'utf8'), 'x')
    assert.equal(statSync(path).mode & 0o7777, 0o600)
  })
  test('mode, owner and group stay, the file is another', (context) => {
    writeFileSync(path, 'old', { mode: 0o640 })
    if (process.getuid?.() === 0) spawnSync('chown', ['12:34', path])
    else context.diagnostic('not root: owner and group are those of the test')
    const before = statSync(path)
    replaceFile(path, Buffer.from('new'))
    const after = statSync(path)
    assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid])
    assert.notEqual(after.ino, before.ino)
    assert.equal(readFileSync(path, 'utf8'), 'new')
  })
  test('what a crash left beside it is no hindrance', () => {
    writeFileSync(path, 'old')
    writeFileSync(`${path}.new`, 'half', { mode: 0o644 })
    replaceFile(path, Buffer.from('new'))
    assert.equal(readFileSync(path, 'utf8'), 'new')
    assert.deepEqual(readdirSync(join(path, '..')), ['file'])
  })
  test('a failure is told and leaves nothing behind', () => {
    assert.throws(() => replaceFile(join(path, 'none'), Buffer.from('x')), PasswdError)
    assert.equal(existsSync(path), false)
  })
})
