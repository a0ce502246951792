// The plugin payload-log: which messages it tells, and how.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import payloadLog from '../../src/plugins/payload-log.js'
import { startBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'

const cases: readonly (readonly [options: Readonly<Record<string, string>>, payload: string | Buffer, line: string])[] =
  [
    [{}, 'hello', 'payload-log: c a/b q0 r1 "hello"'],
    [{}, '', 'payload-log: c a/b q0 r1 ""'],
    [{}, 'x\n"\u001b[31m\u009b', String.raw`payload-log: c a/b q0 r1 "x\n\"\u001b[31m\x9b"`],
    [{}, Buffer.from([0xff, 0x41]), 'payload-log: c a/b q0 r1 "\ufffdA"'],
    [{}, 'y'.repeat(101), `payload-log: c a/b q0 r1 "${'y'.repeat(100)}" of 101 bytes`],
    [{ bytes: '0' }, 'hello', 'payload-log: c a/b q0 r1 "" of 5 bytes'],
    [{ topic: 'a/+', bytes: '2' }, 'hello', 'payload-log: c a/b q0 r1 "he" of 5 bytes'],
    [{ topic: 'b' }, 'hello', ''],
  ]

for (const [options, payload, want] of cases)
  test(`${JSON.stringify(options)} ${JSON.stringify(`${payload}`).slice(0, 30)}`, async (t) => {
    const broker = await startBroker({ plugins: [payloadLog(options)] })
    t.after(() => broker.stop())
    const { client } = await RawClient.connect(broker.port, { clientId: 'c' })
    client.publish({ topic: 'a/b', payload, retain: true })
    await client.settled()
    assert.deepEqual(
      broker.log.filter((line) => line.startsWith('payload-log: ')),
      want === '' ? [] : [want],
    )
  })

test('options that cannot be used', () => {
  assert.throws(() => payloadLog({ topic: 'a/#/b' }), { message: "plugin_opt_topic: 'a/#/b' is no topic filter" })
  assert.throws(() => payloadLog({ bytes: 'many' }), { message: "plugin_opt_bytes: 'many' is no number of bytes" })
})
