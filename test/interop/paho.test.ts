// paho-mqtt for Python against tsmq: a sensor that publishes JSON every second, a monitor of /sensors/#, broken connections, wills.

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { killPrograms, Program } from '../support/program.js'
import { startTsmq, type TsmqProcess } from '../support/tsmq-process.js'
import { python, suite } from './programs.js'

const SCRIPT = resolve('test', 'interop', 'paho-client.py')

let tsmq: TsmqProcess

function paho(role: 'sensor' | 'monitor', args: readonly string[], port = tsmq.port): Program {
  return new Program(python, [SCRIPT, role, '--port', `${port}`, ...args])
}

async function monitor(args: readonly string[], port = tsmq.port): Promise<Program> {
  const program = paho('monitor', args, port)
  await program.line(/^subscribed/)
  return program
}

const starting = (program: Program, word: string) => program.lines.filter((line) => line.startsWith(`${word} `))

describe(...suite('paho-mqtt against tsmq', [python]), () => {
  before(async () => {
    tsmq = await startTsmq({ conf: 'allow_anonymous true\nlog_type all\nmax_queued_messages 0' })
  })
  after(async () => {
    const status = await tsmq.stop()
    killPrograms()
    assert.equal(status, 0)
    assert.doesNotMatch(tsmq.program.stderr, /Internal error|Protocol error/)
  })

  for (const version of ['3', '4', '5']) {
    const name = { 3: '3.1', 4: '3.1.1', 5: '5.0' }[version]

    test(`${name}: JSON to /sensors/temperature every second, read through /sensors/#`, async () => {
      const watching = await monitor(['--version', version, '--topic', '/sensors/#', '--id', `monitor-${version}`])
      const sensor = paho('sensor', [
        '--version',
        version,
        '--name',
        `s${version}`,
        '--count',
        '3',
        '--id',
        `s${version}`,
      ])
      const begun = performance.now()
      const { status } = await sensor.end()
      assert.ok(performance.now() - begun > 1900, 'three messages take two seconds')
      assert.equal(status, 0)
      assert.deepEqual(starting(sensor, 'acked'), ['acked 0', 'acked 1', 'acked 2'])
      const text = (n: number) => `{"name": "s${version}", "n": ${n}, "celsius": ${(20 + n / 10).toFixed(1)}}`
      const mine = () => starting(watching, 'message').filter((line) => line.includes(`"s${version}"`))
      await watching.until(() => mine().length >= 3, 'three messages')
      assert.deepEqual(
        mine(),
        [0, 1, 2].map((n) => `message /sensors/temperature 1 0 ${text(n)}`),
      )
      await watching.stop()
    })

    for (const qos of ['0', '1', '2'])
      test(`${name}: 500 messages at QoS ${qos} as fast as it goes`, async () => {
        const topic = `/fast/${version}/${qos}`
        const args = ['--version', version, '--qos', qos, '--topic', topic]
        const watching = await monitor([...args, '--id', `fast-${version}-${qos}`])
        const sensor = paho('sensor', [...args, '--count', '500', '--interval', '0', '--id', `pub-${version}-${qos}`])
        assert.equal((await sensor.end()).status, 0)
        await watching.until(() => starting(watching, 'message').length >= 500, '500 messages')
        const numbers = starting(watching, 'message').map((line) => JSON.parse(line.slice(line.indexOf('{'))).n)
        assert.deepEqual(
          numbers,
          Array.from({ length: 500 }, (_, n) => n),
        )
        await watching.stop()
      })

    test(`${name}: the will of a killed client`, async () => {
      const topic = `/will/${version}`
      const watching = await monitor(['--version', version, '--topic', topic, '--id', `heir-${version}`])
      const dying = await monitor(['--version', version, '--will-topic', topic, '--id', `dying-${version}`])
      dying.kill('SIGKILL')
      assert.equal(await watching.line(/^message/), `message ${topic} 1 0 gone`)
      await watching.stop()
      const late = await monitor(['--version', version, '--topic', topic, '--id', `late-${version}`])
      assert.equal(await late.line(/^message/), `message ${topic} 1 1 gone`)
      await late.stop()
    })

    test(`${name}: broken connections: a durable monitor misses nothing`, async () => {
      const proxy = await CuttingProxy.open(tsmq.port)
      const topic = `/broken/${version}`
      const durable = ['--version', version, '--topic', topic, '--qos', '2', '--durable']
      try {
        const watching = await monitor([...durable, '--id', `durable-${version}`], proxy.port)
        const rest = ['--count', '200', '--interval', '0.005', '--id', `sensor-${version}`]
        const sensor = paho('sensor', [...durable, ...rest], proxy.port)
        for (let round = 1; round <= 4; round++) {
          await sensor.until(() => starting(sensor, 'acked').length >= round * 40, `${round * 40} acknowledged`)
          proxy.cut()
        }
        assert.equal((await sensor.end()).status, 0)
        assert.equal(starting(sensor, 'acked').length, 200)
        const numbers = () =>
          starting(watching, 'message').map((line) => JSON.parse(line.slice(line.indexOf('{'))).n as number)
        await watching.until(() => new Set(numbers()).size >= 200, 'all messages')
        assert.deepEqual(
          numbers().sort((a, b) => a - b),
          Array.from({ length: 200 }, (_, n) => n),
        )
        assert.ok(watching.lines.includes('lost'))
        if (version !== '3') assert.ok(watching.lines.includes('connected 0 1'), 'the session was there')
        await watching.stop()
      } finally {
        await proxy.close()
      }
    })
  }

  test('keep alive of 1 s: the connection stays', async () => {
    const watching = await monitor(['--keepalive', '1', '--topic', '/pings', '--id', 'pinging'])
    const pings = () => tsmq.program.lines.filter((line) => line.endsWith('Received PINGREQ from pinging')).length
    await tsmq.program.until(() => pings() >= 2, 'two pings')
    assert.ok(!watching.lines.includes('lost'))
    await watching.stop()
  })
})
