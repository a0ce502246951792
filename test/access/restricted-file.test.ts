// Opening of files that decide about access (files.md section 7).
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { AccessFileError } from '../../src/access/access-file-error.js'
import { permissionWarnings, readRestrictedFile } from '../../src/access/restricted-file.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-'))
after(() => rmSync(folder, { recursive: true }))

const file = join(folder, 'file')
const link = join(folder, 'link')
const pipe = join(folder, 'pipe')
writeFileSync(file, 'content', { mode: 0o600 })
symlinkSync(file, link)
mkdirSync(join(folder, 'folder'))
execFileSync('mkfifo', [pipe])

describe('what can be opened', () => {
  test('a regular file', () => {
    assert.deepEqual(readRestrictedFile(file, false), { content: Buffer.from('content'), warnings: [] })
  })
  test('a symbolic link where they are allowed', () => {
    assert.equal(readRestrictedFile(link, true).content.toString(), 'content')
  })
  const refused = [
    { name: 'a symbolic link', path: link, reason: /link: is a symbolic link/ },
    { name: 'a folder', path: join(folder, 'folder'), reason: /folder: is not a regular file/ },
    { name: 'a named pipe nobody writes to', path: pipe, reason: /pipe: is not a regular file/ },
    { name: 'a missing file', path: join(folder, 'missing'), reason: /missing: no such file or directory$/ },
  ]
  for (const { name, path, reason } of refused)
    test(`not ${name}`, () => {
      assert.throws(
        () => readRestrictedFile(path, false),
        (error: unknown) => {
          assert.ok(error instanceof AccessFileError)
          assert.match(error.message, reason)
          assert.deepEqual(error.problems, [])
          return true
        },
      )
    })
})

describe('what is warned about', () => {
  const me = { uid: 10, gid: 20 }
  const cases = [
    { name: 'nothing when only the owner may', stats: { mode: 0o100600, uid: 10, gid: 20 }, hints: [] },
    { name: 'nothing when the group may', stats: { mode: 0o100660, uid: 10, gid: 20 }, hints: [] },
    { name: 'others may read', stats: { mode: 0o100604, uid: 10, gid: 20 }, hints: ['chmod 0600 f'] },
    { name: 'others may execute', stats: { mode: 0o100601, uid: 10, gid: 20 }, hints: ['chmod 0600 f'] },
    { name: 'another owner', stats: { mode: 0o100600, uid: 11, gid: 20 }, hints: ['chown 10 f'] },
    { name: 'another group', stats: { mode: 0o100600, uid: 10, gid: 21 }, hints: ['chgrp 20 f'] },
    {
      name: 'all of it',
      stats: { mode: 0o100777, uid: 0, gid: 0 },
      hints: ['chmod 0600 f', 'chown 10 f', 'chgrp 20 f'],
    },
  ]
  for (const { name, stats, hints } of cases)
    test(name, () => {
      const warnings = permissionWarnings('f', stats, me)
      assert.equal(warnings.length, hints.length)
      for (const [index, hint] of hints.entries()) assert.ok(warnings[index]?.endsWith(hint), warnings[index])
    })
  test('an unknown group is not compared', () => {
    assert.deepEqual(permissionWarnings('f', { mode: 0o600, uid: 1, gid: 2 }, { uid: 1, gid: undefined }), [])
  })
  test('a file everyone may read is read all the same', () => {
    const open = join(folder, 'open')
    writeFileSync(open, 'x')
    chmodSync(open, 0o644)
    const { content, warnings } = readRestrictedFile(open, false)
    assert.equal(content.toString(), 'x')
    assert.equal(warnings.length, 1)
  })
})
