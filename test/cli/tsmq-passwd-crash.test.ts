// tsmq-passwd stopped at any moment: the file is the old one or the new one, what was reported as done is in it, and the next
// command is not hindered. Each step on the way to disk is made to fail, and the process to die before it.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, beforeEach, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { passwd } from '../../src/cli/tsmq-passwd-command.js'

const BIN = resolve('bin', 'tsmq-passwd')
/** Quick, and behind it nothing but the way to disk. */
const ADD = ['-H', 'sha512-pbkdf2', '-I', '1', '-b']

let base: string
let folder: string
let file: string
let preload: string

before(() => {
  base = mkdtempSync(join(tmpdir(), 'tsmq-crash-'))
  // Loaded before the command: the n-th call that changes something on disk does not happen.
  preload = join(base, 'preload.mjs')
  writeFileSync(
    preload,
    `import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const { FAIL_AT, FAIL_WITH } = process.env
let calls = 0
for (const name of ['writeFileSync', 'fchmodSync', 'fchownSync', 'fsyncSync', 'closeSync', 'renameSync', 'unlinkSync', 'openSync']) {
  const original = fs[name]
  fs[name] = (...args) => {
    // From the lock on: before it Node itself opens and closes files.
    const counts = calls > 0 ? name !== 'openSync' || args[1] === 'wx' : name === 'openSync' && args[1] === 'wx'
    if (counts && ++calls === Number(FAIL_AT)) {
      fs.writeSync(2, 'step ' + name + '\\n')
      if (FAIL_WITH === 'KILL') process.kill(process.pid, 'SIGKILL')
      if (name === 'writeFileSync') original(args[0], Buffer.from(args[1]).subarray(0, 5))
      if (name === 'closeSync') original(...args)
      throw Object.assign(new Error(FAIL_WITH + ': injected, ' + name), { code: FAIL_WITH })
    }
    return original(...args)
  }
}
syncBuiltinESMExports()
`,
  )
})
after(() => rmSync(base, { recursive: true }))
beforeEach(() => {
  folder = mkdtempSync(join(base, 'test-'))
  file = join(folder, 'passwords')
  writeFileSync(file, OLD, { mode: 0o640 })
})

const OLD = '# mine\nfirst:$plain\n'

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess & { ended: Promise<Ended> } {
  const NODE_OPTIONS = env.FAIL_AT ? `--import ${pathToFileURL(preload)}` : ''
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...process.env, NODE_OPTIONS, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<Ended>((done) => child.on('close', (status, signal) => done({ status, signal, stderr })))
  return Object.assign(child, { ended })
}

/** The same on this process, which must succeed. */
async function addHere(user: string): Promise<void> {
  let stderr = ''
  const ignore = { write: () => {} }
  const note = { write: (text: string) => void (stderr += text) }
  const status = await passwd([...ADD, file, user, 'x'], { stdin: Readable.from([]), stdout: ignore, stderr: note })
  assert.equal(status, 0, stderr)
}

interface Ended {
  readonly status: number | null
  readonly signal: string | null
  readonly stderr: string
}

const content = () => readFileSync(file, 'utf8')
const isNew = (text: string) => /^# mine\nfirst:\$plain\nadded:\$7\$1\$\S+\n$/.test(text)

describe('each step on the way to disk', () => {
  for (const kind of ['KILL', 'ENOSPC'])
    test(`${kind}: the old file or the new one, and the next command works at once`, async () => {
      const steps: string[] = []
      for (let at = 1; ; at++) {
        writeFileSync(file, OLD, { mode: 0o640 })
        const { status, signal, stderr } = await start([...ADD, file, 'added', 'x'], {
          FAIL_AT: String(at),
          FAIL_WITH: kind,
        }).ended
        const step = /^step (\w+)$/m.exec(stderr)?.[1]
        if (step === undefined) {
          assert.deepEqual([status, isNew(content())], [0, true], stderr)
          break
        }
        steps.push(step)
        const name = `step ${at}, ${step}`
        assert.ok(content() === OLD || isNew(content()), `${name}: ${content()}`)
        assert.equal(statSync(file).mode & 0o777, 0o640, name)
        if (kind === 'KILL') assert.equal(signal, 'SIGKILL', name)
        else {
          // What cannot be done is told in a line; after the rename the new file is there.
          assert.equal(status === 0, isNew(content()) && !stderr.includes('Error:'), `${name}: ${stderr}`)
          assert.ok(!/^ +at /m.test(stderr), `${name}: ${stderr}`)
        }
        const begun = performance.now()
        await addHere('next')
        assert.ok(performance.now() - begun < 10_000, `${name}: the lock was waited for`)
        assert.match(content(), /^next:/m)
        assert.deepEqual(
          readdirSync(folder).filter((each) => !/^passwords$/.test(each)),
          [],
          `${name}: something is left behind`,
        )
      }
      for (const step of ['openSync', 'writeFileSync', 'fsyncSync', 'renameSync'])
        assert.ok(steps.includes(step), `${step} was made to fail: ${steps}`)
    })
})

test('writers killed at random moments: what was reported as done is there, and nothing else is lost', async () => {
  const done = new Set<string>()
  let begun = 0
  const writer = async () => {
    while (begun < 20) {
      const user = `user${begun++}`
      const child = start([...ADD, file, user, 'x'])
      // From before the first line of the command to after its last.
      const timer = setTimeout(() => child.kill('SIGKILL'), 50 + Math.random() * 300)
      const { status } = await child.ended
      clearTimeout(timer)
      if (status === 0) done.add(user)
    }
  }
  await Promise.all([writer(), writer(), writer()])
  await addHere('last')
  const lines = content().split('\n')
  assert.deepEqual(lines.slice(0, 2), OLD.split('\n').slice(0, 2))
  for (const line of lines.slice(2, -1)) assert.match(line, /^\w+:\$7\$1\$[\w+/=]+\$[\w+/=]+$/)
  const users = new Set(lines.map((line) => line.split(':')[0] ?? ''))
  for (const user of done) assert.ok(users.has(user), `${user} is lost`)
  assert.ok(users.has('last'))
})
