// Two brokers that each have a bridge to the other: nothing goes round in circles, whatever the two bridges share, in every version
// of MQTT, and also when one of them has been away.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { client, line, publishesOf } from '../support/deliveries.js'
import { FaultStore } from '../support/fault-store.js'
import type { RawClient } from '../support/raw-client.js'
import { until } from '../support/until.js'

const VERSIONS = ['mqttv31', 'mqttv311', 'mqttv50'] as const

interface Circle {
  readonly a: TestBroker
  readonly b: TestBroker
  readonly proxy: CuttingProxy
}

/** Brokers a and b with a bridge each to the other. `b` is reached through a proxy. */
async function circle(t: TestContext, bridgeA: string, bridgeB = bridgeA, store?: FaultStore): Promise<Circle> {
  const persistence = store === undefined ? '' : 'persistence true\n'
  const conf = `${persistence}sys_interval 0`
  const b = await startBroker({ conf, debug: false, ...(store && { store }) })
  t.after(() => b.stop())
  const proxy = await CuttingProxy.open(b.port)
  t.after(() => proxy.close())
  const a = await startBroker({ conf: `sys_interval 0\n${bridge('ab', proxy.port, bridgeA)}`, debug: false })
  t.after(() => a.stop())
  b.reload({ conf: `${conf}\n${bridge('ba', a.port, bridgeB)}` })
  await logged(a, /^Connected bridge/)
  await logged(b, /^Connected bridge/)
  await quiet(t, { a, b, proxy })
  return { a, b, proxy }
}

function bridge(name: string, port: number, lines: string): string {
  return `connection ${name}\naddress 127.0.0.1:${port}\nremote_clientid ${name}\nrestart_timeout 1\n${lines}\n`
}

async function logged(broker: TestBroker, pattern: RegExp, times = 1): Promise<void> {
  const count = () => broker.log.filter((each) => pattern.test(each)).length
  await until(
    () => count() >= times,
    () => `${pattern}:\n${broker.log.slice(-10).join('\n')}`,
  )
}

/** What is on its way has arrived, if there is an end to it. */
async function quiet(t: TestContext, { a, b }: Circle): Promise<void> {
  const ends = [await client(t, a, { clientId: 'quiet-a' }), await client(t, b, { clientId: 'quiet-b' })]
  for (let i = 0; i < 10; i++) for (const end of ends) await end.settled()
  for (const end of ends) await end.drop()
}

/** A client that has subscribed to everything. */
async function watcher(t: TestContext, broker: TestBroker): Promise<RawClient> {
  const sub = await client(t, broker, { clientId: 'watcher' })
  await sub.subscribe([{ filter: '#', qos: 2 }])
  return sub
}

async function heard(from: RawClient): Promise<string[]> {
  return publishesOf(await from.settled()).map(line)
}

const shared: readonly { readonly topics: string; readonly here: number; readonly there: number }[] = [
  { topics: 'topic # out 1', here: 1, there: 1 },
  { topics: 'topic # in 1', here: 1, there: 1 },
  // By both ways.
  { topics: 'topic # both 1', here: 1, there: 2 },
]

for (const version of VERSIONS)
  for (const { topics, here, there } of shared)
    test(`${version}, both with ${topics}: ${here} here, ${there} there, and no more`, async (t) => {
      const scene = await circle(t, `bridge_protocol_version ${version}\n${topics}`)
      const subs = { a: await watcher(t, scene.a), b: await watcher(t, scene.b) }
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const) {
        const pub = await client(t, scene[from], { clientId: 'pub' })
        pub.publish({ topic: `from/${from}`, payload: 'x', qos: 1, retain: true })
        await pub.settled()
        await quiet(t, scene)
        const message = `from/${from} x q1`
        assert.deepEqual(
          await heard(subs[from]),
          Array.from({ length: here }, () => message),
        )
        assert.deepEqual(
          await heard(subs[to]),
          Array.from({ length: there }, () => message),
        )
      }
    })

for (const version of VERSIONS)
  for (const way of ['the other way is made anew', 'the broker is started anew'] as const)
    test(`${version}: what is retained does not come back either, older than it has become, when ${way}`, async (t) => {
      const lines = `bridge_reload_type immediate\nbridge_protocol_version ${version}\ntopic # out 1`
      const store = new FaultStore()
      const scene = await circle(t, lines, lines, store)
      const pub = await client(t, scene.a, { clientId: 'pub' })
      pub.publish({ topic: 'state', payload: 'old', qos: 1, retain: true })
      await pub.settled()
      await quiet(t, scene)
      assert.equal(scene.b.broker.router.retained.get('state')?.payload.toString(), 'old')
      scene.proxy.isDown = true
      scene.proxy.cut()
      pub.publish({ topic: 'state', payload: 'new', qos: 1, retain: true })
      await pub.settled()
      const conf = `persistence true\nsys_interval 0\n${bridge('ba', scene.a.port, `${lines}\ntopic more in`)}`
      if (way === 'the other way is made anew') {
        scene.b.reload({ conf })
        await logged(scene.b, /^Connected bridge/, 2)
        await quiet(t, scene)
      } else {
        await scene.b.stop()
        const b = await startBroker({ conf, debug: false, store })
        t.after(() => b.stop())
        await logged(b, /^Connected bridge/)
        await quiet(t, { ...scene, b })
      }
      assert.equal(scene.a.broker.router.retained.get('state')?.payload.toString(), 'new')
    })

test('brokers that do not tell whose their bridges are send round what both carry, and say so once', async (t) => {
  const scene = await circle(t, 'try_private false\ntopic # out', 'topic # out')
  const pub = await client(t, scene.a, { clientId: 'pub' })
  for (const payload of ['x', 'y']) pub.publish({ topic: 'round', payload })
  const warned = /^The same message to 'round' has come in by the bridge ba and left by local\.ab 500 times in 10 s: /
  await logged(scene.a, warned)
  for (let i = 0; i < 100; i++) await pub.settled()
  assert.equal(scene.a.log.filter((each) => /^The same message/.test(each)).length, 1)
})
