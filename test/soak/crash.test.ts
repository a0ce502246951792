// kill -9 at random moments, start-up included: every message that was acknowledged arrives, with QoS 2 once, every subscription that
// was acknowledged is there, no retained value is older than what was acknowledged. Half a minute, or with `npm run soak` at
// least fifty kills. TSMQ_SEED repeats the moments.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Program } from '../support/program.js'
import { command } from '../support/tsmq-process.js'
import { CrashCollector, CrashKeeper, CrashPublisher, CrashSubscriber } from './crash-clients.js'
import { isLong } from './length.js'

const seed = Number(process.env.TSMQ_SEED ?? Date.now() % 1_000_000)
const SECONDS = isLong ? 120 : 18
const LEAST_KILLS = isLong ? 50 : 5
/** ms that the rest may take once nothing is killed any more. */
const PATIENCE = 60_000

/** Numbers from 0 to 1, the same for each seed (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const end = performance.now() + PATIENCE
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${PATIENCE} ms for ${what()}`)
    await delay(20)
  }
}

test(`kill -9 at random moments for ${SECONDS} s, seed ${seed}`, { timeout: (SECONDS + 120) * 1000 }, async (t) => {
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
  const publishers = [1, 2, 1, 2].map((qos, index) => new CrashPublisher(port, `p${index}q${qos}`, qos as 1 | 2))
  const subscribers = [1, 2].map((qos) => new CrashSubscriber(port, `s-q${qos}`, qos as 1 | 2))
  const sleeper = new CrashSubscriber(port, 'sleeper', 2)
  const keepers = [0, 1].map((index) => new CrashKeeper(port, `k${index}`))
  const collector = new CrashCollector(port, 'collector')
  const clients = [...publishers, ...subscribers, sleeper, ...keepers, collector]
  t.after(async () => {
    for (const client of clients) client.stop()
    await broker.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  // Subscribers first: what is promised to them is everything.
  for (const client of [...subscribers, sleeper]) client.start()
  await until(
    () => [...subscribers, sleeper].every(({ isSubscribed }) => isSubscribed),
    () => `SUBACK: ${broker.stderr}`,
  )
  sleeper.stop()
  for (const client of [...publishers, ...keepers, collector]) client.start()

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

  for (const publisher of publishers) publisher.isPublishing = false
  for (const keeper of keepers) keeper.isPublishing = false
  await until(
    () => publishers.every(({ isDone }) => isDone),
    () => `acknowledgements; the broker says: ${broker.stderr}`,
  )
  sleeper.start()
  const all = [...subscribers, sleeper]
  await until(
    () => all.every((each) => publishers.every(({ topic, last }) => each.received(topic) >= last)),
    () =>
      all
        .flatMap((each) =>
          publishers.map(({ topic, last }) => `${each.clientId} ${topic} ${each.received(topic)} of ${last}`),
        )
        .join(', '),
  ).catch(() => {})
  collector.verify()
  await until(
    () => collector.isVerified,
    () => 'UNSUBACK',
  )
  await delay(300)

  for (const client of clients) assert.deepEqual(client.faults, [])
  for (const subscriber of all)
    for (const { topic, last, clientId } of publishers) {
      const { missing, twice } = subscriber.compare(topic, last)
      assert.deepEqual(missing, [], `${subscriber.clientId} misses messages of ${clientId}`)
      if (clientId.endsWith('q2') && subscriber.clientId !== 's-q1')
        assert.deepEqual(twice, [], `${subscriber.clientId} got messages of ${clientId} twice`)
    }
  assert.deepEqual(collector.missing, [])
  const published = publishers.reduce((sum, { last }) => sum + last, 0)
  const checks = keepers.reduce((sum, each) => sum + each.checks, 0)
  t.diagnostic(
    `${kills} kills (${early} while starting), ${published} messages, ${collector.acknowledged} subscriptions, ${checks} looks at retained values`,
  )
  assert.ok(published > 100 && collector.acknowledged > 10 && checks > 2)
})
