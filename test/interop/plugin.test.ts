// A plugin from end to end: a server in the manner of MQTTnet's samples (server-sample.mjs), and paho-mqtt as its clients.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { killPrograms, Program, type Result } from '../support/program.js'
import { startTsmq, type TsmqProcess } from '../support/tsmq-process.js'
import { python, suite } from './programs.js'

const SCRIPT = resolve('test', 'interop', 'paho-client.py')
const SAMPLE = readFileSync(resolve('test', 'interop', 'server-sample.mjs'), 'utf8')

let tsmq: TsmqProcess

function paho(role: 'sensor' | 'monitor', id: string, args: readonly string[], password = 'secret'): Program {
  const login = ['--username', role, '--password', password]
  return new Program(python, [SCRIPT, role, '--port', `${tsmq.port}`, '--id', id, ...login, ...args])
}

const starting = (program: Program, word: string) => program.lines.filter((line) => line.startsWith(`${word} `))

/** Publishes as the sensor, with tsmq-pub. */
function publish(topic: string, payload: string): Promise<Result> {
  const login = ['-h', '127.0.0.1', '-p', `${tsmq.port}`, '-V', '5', '-i', 'p', '-u', 'sensor', '-P', 'secret']
  const args = [...login, '-q', '1', '-t', topic, '-m', payload]
  return new Program(process.execPath, [resolve('bin/tsmq-pub'), ...args], { input: '' }).end()
}

/** What the plugin has told of one client, in its order. */
const told = (id: string) =>
  tsmq.program.lines
    .flatMap((line) => /sample: (.*)$/.exec(line)?.[1] ?? [])
    .filter((line) => line.startsWith(`${id} `))

describe(...suite('a plugin and paho-mqtt', [python]), () => {
  before(async () => {
    tsmq = await startTsmq({
      conf: 'plugin ./sample.mjs\nplugin_opt_greeting good morning\nlog_type all',
      files: { 'sample.mjs': SAMPLE },
    })
  })
  after(async () => {
    const status = await tsmq.stop()
    killPrograms()
    assert.equal(status, 0)
    assert.match(tsmq.program.stderr, /sample: started[\s\S]*sample: stopped/)
    assert.doesNotMatch(tsmq.program.stderr, /Internal error|Protocol error|Plugin sample: /)
  })

  for (const version of ['3', '4', '5'] as const) {
    const all = (topic: string) => ['--version', version, '--topic', topic]
    const refusal = { 3: 4, 4: 4, 5: 0x86 }[version]

    test(`version ${version}: messages are changed on their way, and everybody's steps are told`, async () => {
      const [monitor, sensor] = [`m${version}`, `s${version}`]
      const topic = `/room/${version}`
      const watching = paho('monitor', monitor, [...all(topic), '--qos', '2'])
      assert.equal(await watching.line(/^subscribed/), 'subscribed 1')
      const sending = paho('sensor', sensor, [...all(topic), '--count', '2', '--interval', '0', '--name', 'x'])
      assert.equal((await sending.end()).status, 0)
      await watching.until(() => starting(watching, 'message').length >= 2, 'two messages')
      assert.deepEqual(
        starting(watching, 'message'),
        [0, 1].map((n) => `message ${topic} 1 0 {"name":"x","n":${n},"celsius":${20 + n / 10},"from":"sensor"}`),
      )
      watching.kill('SIGKILL')
      await tsmq.program.line(`sample: ${monitor} disconnected`)
      assert.deepEqual(told(monitor), [
        `${monitor} connected: monitor, version ${version}`,
        `${monitor} subscribed to ${topic} with QoS 1`,
        `${monitor} has ${topic}`,
        `${monitor} has ${topic}`,
        `${monitor} disconnected, suddenly`,
      ])
      assert.deepEqual(told(sensor), [`${sensor} connected: sensor, version ${version}`, `${sensor} disconnected`])
    })

    test(`version ${version}: a wrong password, a client id that is too long`, async () => {
      const tooLong = { 3: 2, 4: 2, 5: 0x85 }[version]
      for (const [id, password, code] of [
        [`w${version}`, 'wrong', refusal],
        [`${version}`.padEnd(31, 'x'), 'secret', tooLong],
      ] as const) {
        const refused = paho('monitor', id, all('/x'), password)
        assert.equal(await refused.line(/^connected/), `connected ${code} 0`)
        refused.kill('SIGKILL')
        assert.deepEqual(told(id), [])
      }
    })

    test(`version ${version}: a filter that is refused, a greeting of the server, a client that is sent away`, async () => {
      const id = `g${version}`
      const greedy = paho('monitor', id, all('#'))
      const granted = { 3: 'subscribed 1', 4: 'subscribed 128', 5: 'subscribed 135' }[version]
      assert.equal(await greedy.line(/^subscribed/), granted)
      const welcomed = paho('monitor', `${id}b`, all(`welcome/${id}`))
      assert.equal(await welcomed.line(/^message/), `message welcome/${id} 0 1 good morning`)
      assert.equal((await publish('/stop', id)).status, 0)
      await greedy.line(/^lost/)
      greedy.kill('SIGKILL')
      welcomed.kill('SIGKILL')
    })
  }

  test('what nobody wants, what is dropped, what is refused', async () => {
    assert.equal((await publish('/nobody', '{"celsius":20}')).status, 0)
    await tsmq.program.line('sample: nobody wants /nobody')
    assert.equal((await publish('/lost', '{"celsius":20}')).status, 0)
    const { stderr } = await publish('/hot', '{"celsius":101}')
    assert.match(stderr, /Payload format invalid/)
    assert.ok(!tsmq.program.lines.some((line) => /sample: nobody wants \/(?:lost|hot)/.test(line)))
  })
})
