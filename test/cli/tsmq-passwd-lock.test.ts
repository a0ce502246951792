// The lock of a password file: who waits, which locks are taken away and when, and what becomes of those who lose one.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { PasswdError } from '../../src/cli/tsmq-passwd-error.js'
import { withLock } from '../../src/cli/tsmq-passwd-lock.js'

const folders: string[] = []
let folder: string
let path: string
let lock: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmq-'))
  path = join(folder, 'file')
  lock = `${path}.lock`
  folders.push(folder)
})
after(() => {
  for (const each of folders) rmSync(each, { recursive: true })
})

const NEVER = 1_000_000
/** Does not wait at all. */
const AT_ONCE = { wait: 0, stale: NEVER, beat: NEVER }

/** The pid of a process that has ended. */
const ended = spawnSync(process.execPath, ['-e', '0']).pid

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
  assert.deepEqual(readdirSync(folder), [])
})

test('is for its owner only, and names it', async () => {
  await withLock(path, (isHeld) => {
    assert.equal(statSync(lock).mode & 0o777, 0o600)
    assert.ok(readFileSync(lock, 'utf8').startsWith(`${process.pid} ${hostname()} `))
    assert.equal(isHeld(), true)
  })
})

test('is given back after a failure', async () => {
  const failing = withLock(path, () => {
    throw new Error('no')
  })
  await assert.rejects(failing, /no/)
  assert.equal(await withLock(path, () => 'yes', AT_ONCE), 'yes')
})

test('leaves no handlers behind', async () => {
  const before = process.listenerCount('SIGTERM')
  await withLock(path, () => {})
  assert.equal(process.listenerCount('SIGTERM'), before)
})

describe('the lock of another', () => {
  const cases = [
    { name: 'of a process that runs', content: `${process.pid} ${hostname()} x`, taken: false },
    { name: 'of a process of another user', content: `1 ${hostname()} x`, taken: false },
    { name: 'of another machine', content: `${ended} elsewhere x`, taken: false },
    { name: 'not yet written', content: '', taken: false },
    { name: 'that nobody here has written', content: `x ${hostname()}`, taken: false },
    { name: 'of a process that has ended', content: `${ended} ${hostname()} x`, taken: true },
  ]
  for (const { name, content, taken } of cases)
    test(`${name} is ${taken ? 'taken away' : 'respected'}`, async () => {
      writeFileSync(lock, content)
      let entered = false
      const enter = () => {
        entered = true
      }
      await withLock(path, enter, AT_ONCE).catch((error: unknown) =>
        assert.ok(error instanceof PasswdError && error.message.includes(`delete ${lock}`)),
      )
      assert.equal(entered, taken)
      assert.deepEqual(readdirSync(folder), taken ? [] : ['file.lock'])
    })
  for (const { name, content } of cases.filter(({ taken }) => !taken))
    test(`${name} is taken away when it gives no sign of life, so that nobody is blocked for ever`, async () => {
      writeFileSync(lock, content)
      assert.equal(await withLock(path, () => 'in', { wait: NEVER, stale: 40, beat: NEVER }), 'in')
      assert.deepEqual(readdirSync(folder), [])
    })
  test('is respected while it gives signs of life', async () => {
    writeFileSync(lock, `${process.pid} ${hostname()} x`)
    let time = 1_000
    const life = setInterval(() => utimesSync(lock, ++time, time), 10)
    await assert.rejects(
      withLock(path, () => {}, { wait: 400, stale: 200, beat: NEVER }),
      PasswdError,
    )
    clearInterval(life)
    assert.ok(existsSync(lock))
  })
  test('is not taken away from a holder that works long', async () => {
    const order: string[] = []
    const long = withLock(
      path,
      async (isHeld) => {
        await new Promise((resolve) => setTimeout(resolve, 500))
        order.push(`first ${isHeld()}`)
      },
      { wait: NEVER, stale: NEVER, beat: 20 },
    )
    const next = withLock(path, () => order.push('second'), { wait: NEVER, stale: 300, beat: NEVER })
    await Promise.all([long, next])
    assert.deepEqual(order, ['first true', 'second'])
  })
})

test('who has lost the lock can see that, and leaves the new one alone', async () => {
  await withLock(path, (isHeld) => {
    writeFileSync(lock, 'another')
    assert.equal(isHeld(), false)
  })
  assert.equal(readFileSync(lock, 'utf8'), 'another')
})

test('many who find the lock of a dead process at the same time still enter one by one', async () => {
  for (let round = 0; round < 20; round++) {
    writeFileSync(lock, `${ended} ${hostname()} x`)
    let inside = 0
    let most = 0
    const change = async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 1))
      inside--
    }
    await Promise.all(Array.from({ length: 4 }, () => withLock(path, change)))
    assert.equal(most, 1)
  }
})

describe('cannot be taken', () => {
  test('where there is no folder', async () => {
    const attempt = withLock(join(folder, 'none', 'file'), () => {})
    await assert.rejects(attempt, (error: unknown) => error instanceof PasswdError && /ENOENT/.test(error.message))
  })
})
