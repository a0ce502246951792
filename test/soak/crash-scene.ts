// The crowd of the crash tests: who publishes, subscribes and keeps what, how it is set going and brought to rest, and whether the
// broker has kept what it promised each of them.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../support/until.js'
import { CrashCollector, CrashKeeper, CrashMortal, CrashPublisher, CrashSubscriber } from './crash-clients.js'

/** ms that the rest may take once nothing goes wrong any more. */
const PATIENCE = 60_000

/** Numbers from 0 to 1, the same for each seed (mulberry32). */
export function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export class CrashScene {
  private readonly publishers: readonly CrashPublisher[]
  private readonly subscribers: readonly CrashSubscriber[]
  private readonly sleeper: CrashSubscriber
  private readonly keepers: readonly CrashKeeper[]
  private readonly collector: CrashCollector
  private readonly mortal: CrashMortal

  constructor(port: number) {
    this.publishers = [1, 2, 1, 2].map((qos, index) => new CrashPublisher(port, `p${index}q${qos}`, qos as 1 | 2))
    this.subscribers = [1, 2].map((qos) => new CrashSubscriber(port, `s-q${qos}`, qos as 1 | 2))
    this.sleeper = new CrashSubscriber(port, 'sleeper', 2)
    this.keepers = [0, 1].map((index) => new CrashKeeper(port, `k${index}`))
    this.collector = new CrashCollector(port, 'collector')
    this.mortal = new CrashMortal(port, 'mortal')
  }

  private get clients() {
    return [...this.publishers, ...this.subscribers, this.sleeper, ...this.keepers, this.collector, this.mortal]
  }

  private get allSubscribers() {
    return [...this.subscribers, this.sleeper]
  }

  /** Subscribers first: what is promised to them is everything. One of them is away until the end. */
  async begin(): Promise<void> {
    for (const client of this.allSubscribers) client.start()
    await until(
      () => this.allSubscribers.every(({ isSubscribed }) => isSubscribed),
      () => 'SUBACK',
      PATIENCE,
    )
    this.sleeper.stop()
    for (const client of [...this.publishers, ...this.keepers, this.collector, this.mortal]) client.start()
  }

  /** Nothing goes wrong any more: everything comes to its end. */
  async settle(): Promise<void> {
    for (const client of [...this.publishers, ...this.keepers]) client.isPublishing = false
    this.mortal.stop()
    await until(
      () => this.publishers.every(({ isDone }) => isDone),
      () => 'the last acknowledgements',
      PATIENCE,
    )
    this.sleeper.start()
    await until(
      () =>
        this.allSubscribers.every((each) => this.publishers.every(({ topic, last }) => each.received(topic) >= last)),
      () => 'the last messages',
      PATIENCE,
    ).catch(() => {})
    this.collector.verify()
    await until(
      () => this.collector.isVerified,
      () => 'UNSUBACK',
      PATIENCE,
    )
    await delay(300)
  }

  /** Whether every promise was kept. Returns what was done, in words. */
  judge(): string {
    for (const { faults } of this.clients) assert.deepEqual(faults, [])
    for (const subscriber of this.allSubscribers)
      for (const { topic, last, clientId } of this.publishers) {
        const { missing, twice } = subscriber.compare(topic, last)
        assert.deepEqual(missing, [], `${subscriber.clientId} misses messages of ${clientId}`)
        if (clientId.endsWith('q2') && subscriber.clientId !== 's-q1')
          assert.deepEqual(twice, [], `${subscriber.clientId} got messages of ${clientId} twice`)
      }
    for (const subscriber of this.allSubscribers) {
      const { topic, accepted } = this.mortal
      const { missing, twice } = subscriber.compare(topic, Math.max(...accepted))
      const lost = missing.filter((number) => accepted.includes(number))
      assert.deepEqual(lost, [], `${subscriber.clientId} misses wills`)
      if (subscriber.clientId !== 's-q1') assert.deepEqual(twice, [], `${subscriber.clientId} got wills twice`)
    }
    assert.deepEqual(this.collector.missing, [])
    const published = this.publishers.reduce((sum, { last }) => sum + last, 0)
    const checks = this.keepers.reduce((sum, each) => sum + each.checks, 0)
    const { acknowledged } = this.collector
    const wills = this.mortal.accepted.length
    assert.ok(published > 100 && acknowledged > 10 && checks > 2)
    return `${published} messages, ${acknowledged} subscriptions, ${checks} looks at retained values, ${wills} wills`
  }

  stop(): void {
    for (const client of this.clients) client.stop()
  }
}
