// The replacement of a file: what it keeps, what is left behind, and that only the holder of the lock replaces it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { PasswdError } from '../../src/cli/tsmq-passwd-error.js'
import { changeFile, replaceFile } from '../../src/cli/tsmq-passwd-write.js'

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

test('a lock that was lost meanwhile: nothing is replaced', async () => {
  writeFileSync(path, 'old')
  await assert.rejects(
    changeFile(path, (replace) => {
      writeFileSync(`${path}.lock`, 'another')
      replace(Buffer.from('new'))
    }),
    /another process has taken the lock/,
  )
  assert.equal(readFileSync(path, 'utf8'), 'old')
  assert.equal(readFileSync(`${path}.lock`, 'utf8'), 'another', 'the lock of another is not given back')
})
