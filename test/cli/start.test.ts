// How the commands are started: with what the build has kept of their compilation, and all the same without it.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'

interface Files {
  readonly bundle: string
  readonly compiled: string
}

interface Start {
  filesOf(name: string): Files
  compile(files: Files): { readonly cachedDataRejected?: boolean }
}

const COMMANDS = ['tsmq-pub', 'tsmq-sub', 'tsmq-passwd']
const start = createRequire(resolve('bin', 'start.js'))('./start.js') as Start
const isKept = existsSync(start.filesOf('tsmq-pub').compiled)
const reason = isKept ? '' : ' (skipped: the build is that of another Node)'

describe(`what was kept of a compilation${reason}`, { skip: !isKept }, () => {
  for (const name of COMMANDS)
    test(`${name}: is used`, () => assert.equal(start.compile(start.filesOf(name)).cachedDataRejected, false))

  const folder = mkdtempSync(join(tmpdir(), 'tsmq-start-'))
  const compiled = join(folder, 'dist', basename(start.filesOf('tsmq-pub').compiled))
  before(() => {
    cpSync(resolve('bin'), join(folder, 'bin'), { recursive: true })
    mkdirSync(join(folder, 'dist'))
    copyFileSync(start.filesOf('tsmq-pub').bundle, join(folder, 'dist', 'tsmq-pub.cjs'))
  })
  after(() => rmSync(folder, { recursive: true }))
  const kept = () => readFileSync(start.filesOf('tsmq-pub').compiled)
  for (const [name, content] of [
    ['nothing was kept', () => undefined],
    ['it is empty', () => Buffer.alloc(0)],
    ['it is no such thing', () => Buffer.alloc(400_000, 'no such thing')],
    ['it is cut short', () => kept().subarray(0, 1000)],
    ['it is of another V8', () => Buffer.from(kept()).fill(0, 4, 8)],
  ] as const)
    test(`${name}: the command starts`, () => {
      const bytes = content()
      if (bytes === undefined) rmSync(compiled, { force: true })
      else writeFileSync(compiled, bytes)
      assert.equal(existsSync(compiled), bytes !== undefined)
      const text = execFileSync(process.execPath, [join(folder, 'bin', 'tsmq-pub'), '--exit-codes'], {
        encoding: 'utf8',
      })
      assert.match(text, /^0\t/)
    })
})

describe('a checkout that has not been built', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-start-'))
  before(() => cpSync(resolve('bin'), join(folder, 'bin'), { recursive: true }))
  after(() => rmSync(folder, { recursive: true }))
  for (const name of ['tsmq', ...COMMANDS])
    test(`${name} says so`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'bin', name)], { encoding: 'utf8' })
      const text = `${name}: not built yet: run 'npm install && npm run build' in ${realpathSync(folder)}\n`
      assert.deepEqual({ status, stdout, stderr }, { status: 1, stdout: '', stderr: text })
    })
})
