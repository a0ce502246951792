// How a process ends whose threads wait for files that do not answer. A named pipe nobody writes to stands for a folder on a network
// that is gone: opening it takes for ever, too.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-exit-'))
after(() => rmSync(folder, { recursive: true }))
const pipe = join(folder, 'pipe')
execFileSync('mkfifo', [pipe])

/** Runs a program that has `exitSoon` and `open`. */
function run(program: string): {
  readonly status: number | null
  readonly signal: string | null
  readonly out: string
} {
  const module = JSON.stringify(new URL('../../src/cli/exit.js', import.meta.url).href)
  const source = `import { open } from 'node:fs/promises'; import { exitSoon } from ${module}; ${program}`
  const { status, signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    timeout: 20_000,
    killSignal: 'SIGKILL',
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  return { status, signal, out: stdout.toString() }
}

const canReplace = 'execve' in process
const ends = canReplace ? 'with its status' : 'as by SIGTERM (Node 22.15 and later: with its status)'
test(`a thread that waits for a file for ever does not keep the process: it ends ${ends}`, () => {
  const { status, signal, out } = run(`void open(${JSON.stringify(pipe)}, 'r'); console.log('said'); exitSoon(7)`)
  assert.equal(out, 'said\n')
  assert.deepEqual([status, signal], canReplace ? [7, null] : [null, 'SIGTERM'])
})

test('a file that answers is waited for, and the status is that of every other end', () => {
  assert.deepEqual(run(`void open('/dev/null', 'r'); exitSoon(7)`), { status: 7, signal: null, out: '' })
  assert.deepEqual(run('exitSoon(0)'), { status: 0, signal: null, out: '' })
})
