// A store that does not do what it should, at random moments: writes that take their time, writes that fail for a while, and power
// cuts, after which only what was written is there. The promises of the broker hold as they do after kill -9.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Log } from '../../src/broker/admin/log.js'
import { Broker } from '../../src/broker/broker.js'
import { readConfFile } from '../../src/options/conf-file.js'
import { FaultStore } from '../support/fault-store.js'
import { CrashScene, freePort, randomFrom } from './crash-scene.js'
import { isLong } from './length.js'

const seed = Number(process.env.TSMQ_SEED ?? Date.now() % 1_000_000)
const SECONDS = isLong ? 120 : 10

async function startBroker(conf: string, store: FaultStore): Promise<Broker> {
  const config = readConfFile(conf)
  const log = new Log({ ...config, log_timestamp: false, log_type: [] }, [], () => '')
  const broker = new Broker(config, { log, version: 'test', openStore: () => Promise.resolve(store) })
  await broker.start()
  return broker
}

test(`a store with faults for ${SECONDS} s, seed ${seed}`, { timeout: (SECONDS + 240) * 1000 }, async (t) => {
  const random = randomFrom(seed)
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-faults-'))
  const port = await freePort()
  const conf = join(folder, 'tsmq.conf')
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence true', 'max_queued_messages 0', '']
  writeFileSync(conf, lines.join('\n'))
  let store = new FaultStore()
  let broker = await startBroker(conf, store)
  const scene = new CrashScene(port)
  t.after(async () => {
    scene.stop()
    store.failure = undefined
    store.isSlow = false
    store.proceed()
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  await scene.begin()

  const counts = { slow: 0, failures: 0, cuts: 0 }
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end; ) {
    store.isSlow = true
    for (let i = 0; i < 10; i++) {
      await delay(random() * 60)
      if (store.pending > 0) counts.slow++
      store.proceed()
    }
    store.isSlow = random() < 0.5
    if (random() < 0.3) {
      counts.failures++
      store.failure = 'no space left'
      store.proceed()
      await delay(random() * 2000)
      store.failure = undefined
    } else if (random() < 0.5) {
      counts.cuts++
      // Nothing is written from this moment on; what waits to be written is lost.
      store.failure = 'no power'
      store.isSlow = false
      const disk = await store.copy()
      store.proceed()
      await broker.stop()
      store = disk
      broker = await startBroker(conf, store)
    }
  }
  store.isSlow = false
  store.failure = undefined
  store.proceed()
  await scene.settle()
  const { slow, failures, cuts } = counts
  t.diagnostic(`${slow} slow writes, ${failures} failures, ${cuts} power cuts, ${scene.judge()}`)
})
