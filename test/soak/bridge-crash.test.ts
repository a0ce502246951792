// A bridge between two brokers, each of which is killed with kill -9 at random moments: every message that one of them has
// acknowledged arrives at the other, with QoS 2 once. TSMQ_SEED repeats the moments.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Program } from '../support/program.js'
import { command } from '../support/tsmq-process.js'
import { CrashPublisher, CrashSubscriber } from './crash-clients.js'
import { freePort, randomFrom } from './crash-scene.js'
import { isLong } from './length.js'

const seed = Number(process.env.TSMQ_SEED ?? Date.now() % 1_000_000)
const SECONDS = isLong ? 60 : 4
const PATIENCE = 60_000

const bridges = [
  { name: '3.1.1, the bridge at the publisher', at: 'here', lines: 'topic crash/# out 2' },
  {
    name: '5.0, the bridge at the subscriber',
    at: 'there',
    lines: 'bridge_protocol_version mqttv50\nbridge_session_expiry_interval 4294967295\ntopic crash/# in 2',
  },
] as const

for (const { name, at, lines } of bridges)
  test(`kill -9 of both brokers, ${name}, for ${SECONDS} s, seed ${seed}`, {
    timeout: (SECONDS + 180) * 1000,
  }, async (t) => {
    const random = randomFrom(seed)
    const folder = mkdtempSync(join(tmpdir(), 'tsmq-bridge-crash-'))
    const ports = { here: await freePort(), there: await freePort() }
    const other = { here: ports.there, there: ports.here }
    const start = (side: 'here' | 'there'): Program => command('tsmq', ['-c', join(folder, side, 'tsmq.conf')])
    for (const side of ['here', 'there'] as const) {
      mkdirSync(join(folder, side))
      const bridge = `connection b\naddress 127.0.0.1:${other[side]}\nremote_clientid b\nrestart_timeout 1\n${lines}\n`
      const conf = [
        `listener ${ports[side]} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nconnection_messages false`,
        `persistence true\npersistence_location ${join(folder, side)}\n${side === at ? bridge : ''}`,
      ]
      writeFileSync(join(folder, side, 'tsmq.conf'), conf.join('\n'))
    }
    const brokers = { here: start('here'), there: start('there') }
    const publishers = ([1, 2] as const).map((qos) => new CrashPublisher(ports.here, `p${qos}`, qos))
    const subscribers = ([1, 2] as const).map((qos) => new CrashSubscriber(ports.there, `s${qos}`, qos))
    const clients = [...publishers, ...subscribers]
    t.after(async () => {
      for (const client of clients) client.stop()
      await Promise.all([brokers.here.stop('SIGKILL'), brokers.there.stop('SIGKILL')])
      rmSync(folder, { recursive: true, force: true })
    })
    const until = async (condition: () => boolean) => {
      for (const end = performance.now() + PATIENCE; !condition() && performance.now() < end; ) await delay(20)
    }
    for (const client of clients) client.start()
    // What was published before the bridge had its session is nobody's.
    await until(() => subscribers.every(({ connections, isSubscribed }) => connections > 0 && isSubscribed))
    await until(() => subscribers.every((each) => publishers.every(({ topic }) => each.received(topic) > 0)))

    let kills = 0
    for (const end = performance.now() + SECONDS * 1000; performance.now() < end; kills++) {
      await delay(300 + random() * 1500)
      const side = random() < 0.5 ? 'here' : 'there'
      await brokers[side].stop('SIGKILL')
      await delay(random() < 0.5 ? random() * 1000 : 0)
      brokers[side] = start(side)
    }
    for (const publisher of publishers) publisher.isPublishing = false
    await until(() => publishers.every(({ isDone }) => isDone))
    const last = (each: CrashSubscriber) => publishers.every(({ topic, last: most }) => each.latest(topic) === most)
    await until(() => subscribers.every(last))
    for (const { faults } of clients) assert.deepEqual(faults, [])
    for (const subscriber of subscribers)
      for (const { topic, last: most, clientId } of publishers) {
        const { missing, twice } = subscriber.compare(topic, most)
        const first = Math.min(...(subscriber.counts.get(topic)?.keys() ?? [Number.POSITIVE_INFINITY]))
        assert.deepEqual(
          missing.filter((number) => number > first),
          [],
          `${subscriber.clientId} misses messages of ${clientId}`,
        )
        if (clientId === 'p2' && subscriber.clientId === 's2') assert.deepEqual(twice, [])
      }
    const published = publishers.reduce((sum, each) => sum + each.last, 0)
    assert.ok(kills > 1 && published > 100)
    t.diagnostic(`${kills} kills, ${published} messages`)
  })
