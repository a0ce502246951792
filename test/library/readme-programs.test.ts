// The programs of the README, run as written beside each other; only the port is another one.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { killPrograms, Program } from '../support/program.js'

const programs = [...readFileSync('README.md', 'utf8').matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(
  ([, text = '']) => text,
)

const folder = mkdtempSync(join(tmpdir(), 'tsmq-programs-'))
after(() => {
  killPrograms()
  rmSync(folder, { recursive: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('a broker that tells what happens, a publisher each second, a subscriber that connects again', async () => {
  assert.equal(programs.length, 3)
  const port = await freePort()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'tsmq'))
  const start = (at: number) => {
    const file = join(folder, `${at}.mjs`)
    writeFileSync(file, (programs[at] ?? '').replaceAll('1883', String(port)).replace('localhost', '127.0.0.1'))
    return new Program(process.execPath, [file], { cwd: folder })
  }
  const server = start(0)
  await server.line(/^listening/)
  const publisher = start(1)
  const subscriber = start(2)
  for (const line of [
    /^clock connected from 127\.0\.0\.1$/,
    /^display subscribed to time with QoS 1$/,
    /^clock published time: 20/,
  ])
    await server.line(line)
  await subscriber.line(/^time 20/)
  server.kill('SIGTERM')
  assert.equal((await server.ended).status, 0)
  await subscriber.line(/again in \d+ ms$/)
  const before = subscriber.lines.length
  const again = start(0)
  await again.line(/^display subscribed/)
  await again.line(/^clock published/)
  await subscriber.until(({ lines }) => lines.slice(before).some((line) => line.startsWith('time ')), 'a message')
  for (const program of [publisher, subscriber, again]) {
    program.kill('SIGTERM')
    assert.equal((await program.ended).status, 0, program.stderr)
  }
  assert.ok(again.lines.some((line) => line.startsWith('clock disconnected')))
})
