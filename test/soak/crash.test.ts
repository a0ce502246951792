// kill -9 at random moments, start-up included: every message that was acknowledged arrives, with QoS 2 once, every subscription that
// was acknowledged is there, no retained value is older than what was acknowledged. Half a minute, or with `npm run soak` at
// least fifty kills. TSMQ_SEED repeats the moments.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Program } from '../support/program.js'
import { command } from '../support/tsmq-process.js'
import { CrashScene, freePort, randomFrom } from './crash-scene.js'
import { isLong } from './length.js'

const seed = Number(process.env.TSMQ_SEED ?? Date.now() % 1_000_000)
const SECONDS = isLong ? 120 : 18
const LEAST_KILLS = isLong ? 50 : 5

test(`kill -9 at random moments for ${SECONDS} s, seed ${seed}`, { timeout: (SECONDS + 240) * 1000 }, async (t) => {
  const random = randomFrom(seed)
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-crash-'))
  const port = await freePort()
  const conf = join(folder, 'tsmq.conf')
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}`,
  ]
  writeFileSync(conf, [...lines, 'max_queued_messages 0', 'connection_messages false', ''].join('\n'))
  const start = (): Program => command('tsmq', ['-c', conf], { cwd: folder })
  let broker = start()
  const scene = new CrashScene(port)
  t.after(async () => {
    scene.stop()
    await broker.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  await scene.begin()

  const end = performance.now() + SECONDS * 1000
  let kills = 0
  let early = 0
  while (performance.now() < end || kills < LEAST_KILLS) {
    // Short ones hit a broker that is starting.
    await delay(random() < 0.3 ? random() * 400 : 400 + random() * 1600)
    if (!/ running$/m.test(broker.stderr)) early++
    await broker.stop('SIGKILL')
    kills++
    const complaints = broker.stderr.split('\n').filter((line) => / (Error|Internal error|cannot)/.test(line))
    assert.deepEqual(complaints, [])
    broker = start()
  }

  await scene.settle().catch((error: Error) => {
    throw new Error(`${error.message}; the broker says: ${broker.stderr}`)
  })
  t.diagnostic(`${kills} kills (${early} while starting), ${scene.judge()}`)
})
