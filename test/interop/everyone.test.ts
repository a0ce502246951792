// All clients at once, for two minutes with CI set and 15 seconds otherwise, while publishers and subscribers are killed and
// connections are cut at random: nothing is lost that QoS 1 and 2 promise, nothing comes twice that QoS 2 forbids. Promised is a
// message whose publisher was told so: by its acknowledgement, by the exit status of the program, or by dying with a will.

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { killPrograms, Program } from '../support/program.js'
import { command, startTsmq, type TsmqProcess } from '../support/tsmq-process.js'
import { Exchange } from './exchange.js'
import { pathOf, python, suite } from './programs.js'

const SECONDS = process.env.CI ? 120 : 15
const PUB = pathOf('mosquitto_pub')
const SUB = pathOf('mosquitto_sub')
const PAHO = resolve('test', 'interop', 'paho-client.py')
/** The last message of all. It cannot overtake another. */
const END = '2 end 0'

const random = (most: number) => Math.floor(Math.random() * most)

/** Everybody who remembers what arrived. */
interface Witness {
  readonly name: string
  /** Messages as their text, in the order of arrival. */
  readonly received: () => readonly string[]
  /** Has it kept its memory throughout, so that nothing of QoS 2 may come twice? */
  readonly remembers: boolean
}

let tsmq: TsmqProcess
let exchange: Exchange
let isOver = false
const proxies: CuttingProxy[] = []
/** They connect again for ever, until they are told to end. */
const mqttJs: MqttClient[] = []
const promised = new Set<string>()
const counts = { cuts: 0, kills: 0 }

/** Text of a message: its QoS, who sent it, and its number. */
const textOf = (qos: number, name: string, n: number | string) => `${qos} ${name} ${n}`

async function proxied(): Promise<number> {
  const proxy = await CuttingProxy.open(tsmq.port)
  proxies.push(proxy)
  return proxy.port
}

async function cutConnections(): Promise<void> {
  while (!isOver) {
    await pause(100 + random(500))
    proxies[random(proxies.length)]?.cut()
    counts.cuts++
  }
}

// --- those who publish ---

/** Runs of a program that sends lines; some are killed, and what those have sent may or may not arrive. */
async function publishLines(
  name: string,
  start: (args: readonly string[], input: string) => Program,
  slowest: number,
): Promise<void> {
  for (let round = 0; !isOver; round++) {
    const qos = 1 + (round % 2)
    const lines = Array.from({ length: 30 }, (_, index) => textOf(qos, name, `${round}/${index}`))
    const program = start([...exchange.at, '-q', `${qos}`, '-t', `all/${name}`, '-l'], `${lines.join('\n')}\n`)
    if (random(3) === 0) {
      await pause(random(slowest))
      program.kill('SIGKILL')
      counts.kills++
    }
    const { status } = await program.end()
    if (status === 0) for (const line of lines) promised.add(line)
  }
}

/** Five publishers on one connection that is cut: what is not acknowledged is sent again in the same session. */
async function publishWithMqttJs(): Promise<void> {
  const client = await mqtt.connectAsync({
    host: '127.0.0.1',
    port: await proxied(),
    clientId: 'mqttjs-publisher',
    clean: false,
    reconnectPeriod: 20,
  })
  mqttJs.push(client)
  client.on('error', () => {})
  let n = 0
  const work = async () => {
    while (!isOver) {
      const qos = n % 2 === 0 ? 1 : 2
      const text = textOf(qos, 'mqttjs', n++)
      // When the connection is cut while MQTT.js goes through its store, it gives some messages up.
      const isSent = await client.publishAsync('all/mqttjs', text, { qos }).then(
        () => true,
        () => false,
      )
      if (isSent) promised.add(text)
      await pause(random(20))
    }
  }
  await Promise.all(Array.from({ length: 5 }, work))
  await client.endAsync()
}

function paho(role: 'sensor' | 'monitor', port: number, args: readonly string[]): Program {
  return new Program(python, [PAHO, role, '--port', `${port}`, ...args])
}

function promiseAcked(sensor: Program, name: string): void {
  for (const line of sensor.lines) if (line.startsWith('acked ')) promised.add(`${name} ${line.slice(6)}`)
}

async function publishWithPahoThroughCuts(): Promise<void> {
  const args = ['--id', 'paho-cut', '--name', '2 paho-cut', '--durable', '--topic', 'all/paho', '--qos', '2']
  const sensor = paho('sensor', await proxied(), [...args, '--interval', '0.02'])
  while (!isOver) await pause(100)
  await sensor.stop('SIGKILL')
  promiseAcked(sensor, '2 paho-cut')
}

async function publishWithPahoUntilKilled(): Promise<void> {
  for (let life = 0; !isOver; life++) {
    const name = `1 paho-killed-${life}`
    const args = ['--version', '5', '--id', name, '--name', name, '--topic', 'all/paho', '--qos', '1']
    const sensor = paho('sensor', tsmq.port, [...args, '--interval', '0.01'])
    await pause(300 + random(1500))
    await sensor.stop('SIGKILL')
    counts.kills++
    promiseAcked(sensor, name)
  }
}

/** Clients that only live to die: each leaves a will. */
async function dieWithWills(): Promise<void> {
  for (let life = 0; !isOver; life++) {
    const text = textOf(2, 'will', life)
    const will = ['--will-topic', 'all/will', '--will-payload', text, '--will-qos', '2']
    const version = ['mqttv31', 'mqttv311', 'mqttv5'][life % 3] ?? ''
    const dying = await exchange.subscribed('all/#', ['-V', version, '-q', `${random(3)}`, ...will])
    await pause(random(300))
    await dying.stop('SIGKILL')
    counts.kills++
    promised.add(text)
  }
}

// --- those who witness ---

/** The text of a message: a paho sensor sends it as JSON. */
function textIn(payload: string): string {
  if (!payload.startsWith('{')) return payload
  const { name, n } = JSON.parse(payload)
  return `${name} ${n}`
}

/** The payload is what stands behind topic, QoS and retain. */
function textInPahoLine(line: string): string {
  return textIn(line.split(' ').slice(4).join(' '))
}

async function watchWithCommand(
  name: string,
  start: (args: readonly string[]) => Program,
  port: number,
  qos: '1' | '2',
  args: readonly string[] = [],
): Promise<Witness> {
  const at = ['-h', '127.0.0.1', '-p', `${port}`, '-i', name, '-c']
  const program = start([...at, '-q', qos, '-t', 'all/#', '-F', '%p', ...args])
  await tsmq.program.line(`: ${name} ${qos} all/#`)
  return { name, received: () => program.lines.map(textIn), remembers: qos === '2' }
}

async function watchWithPaho(port: number): Promise<Witness> {
  const args = ['--version', '5', '--id', 'paho', '--durable', '--qos', '2', '--topic', 'all/#']
  const program = paho('monitor', port, args)
  await program.line('subscribed')
  const messages = () => program.lines.filter((line) => line.startsWith('message '))
  return { name: 'paho', received: () => messages().map(textInPahoLine), remembers: true }
}

/** paho acknowledges QoS 1 when its program is through with a message: whoever kills it loses nothing, but may see it again. */
async function watchWithPahoUntilKilled(): Promise<{ witness: Witness; lives: Promise<void> }> {
  const lines: string[] = []
  let current: Program
  const start = () => paho('monitor', tsmq.port, ['--id', 'mortal', '--durable', '--topic', 'all/#', '--qos', '1'])
  current = start()
  await current.line('subscribed')
  const messages = () => current.lines.filter((line) => line.startsWith('message '))
  const live = async () => {
    while (!isOver) {
      await pause(500 + random(1500))
      await current.stop('SIGKILL')
      counts.kills++
      lines.push(...messages())
      current = start()
      await current.line('connected 0 1')
    }
  }
  const witness = { name: 'mortal', received: () => [...lines, ...messages()].map(textInPahoLine), remembers: false }
  return { witness, lives: live() }
}

async function watchWithMqttJs(client: MqttClient): Promise<Witness> {
  const received: string[] = []
  client.on('error', () => {})
  client.on('message', (_topic, payload) => {
    received.push(textIn(`${payload}`))
  })
  await client.subscribeAsync('all/#', { qos: 2 })
  return { name: 'MQTT.js', received: () => received, remembers: true }
}

// --- the judgement ---

async function until(condition: () => boolean, seconds: number): Promise<boolean> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await pause(50))
    if (condition()) return true
  return condition()
}

function lost({ received }: Witness): string[] {
  const seen = new Set(received())
  return [...promised].filter((text) => !seen.has(text))
}

function twice({ received }: Witness): string[] {
  const seen = new Set<string>()
  return received().filter((text) => text.startsWith('2 ') && (seen.has(text) || !seen.add(text)))
}

describe(...suite('everyone at once', [PUB, SUB, python]), () => {
  before(async () => {
    tsmq = await startTsmq({
      conf: 'allow_anonymous true\nmax_queued_messages 0\nlog_type warning\nlog_type error\nlog_type information\nlog_type subscribe',
    })
    exchange = new Exchange(
      tsmq,
      (args, more) => new Program(PUB, args, more),
      (args, more) => new Program(SUB, args, more),
    )
  })
  after(async () => {
    isOver = true
    for (const client of mqttJs) await client.endAsync(true)
    for (const proxy of proxies) await proxy.close()
    const status = await tsmq.stop()
    killPrograms()
    assert.equal(status, 0, tsmq.program.stderr.slice(-2000))
    assert.doesNotMatch(tsmq.program.stderr, /Internal error/)
  })

  test(`${SECONDS} s of clients that are killed and connections that are cut`, async (t) => {
    const client = await mqtt.connectAsync({
      host: '127.0.0.1',
      port: await proxied(),
      clientId: 'mqttjs-witness',
      clean: false,
      reconnectPeriod: 20,
      resubscribe: false,
    })
    mqttJs.push(client)
    const mosquittoSub = (args: readonly string[]) => new Program(SUB, args)
    const tsmqSub = (args: readonly string[]) => command('tsmq-sub', args)
    const mortal = await watchWithPahoUntilKilled()
    const witnesses = [
      await watchWithCommand('mosquitto_sub', mosquittoSub, tsmq.port, '2'),
      // At QoS 2 libmosquitto 2.0 loses and repeats by itself when a PUBLISH comes again after a broken connection.
      await watchWithCommand('mosquitto_sub-cut', mosquittoSub, await proxied(), '1'),
      await watchWithCommand('tsmq-sub', tsmqSub, await proxied(), '2', ['-V', '5']),
      await watchWithPaho(await proxied()),
      await watchWithMqttJs(client),
      mortal.witness,
    ]
    const working: Record<string, Promise<void>> = {
      mosquitto_pub: publishLines('mosquitto_pub', (args, input) => new Program(PUB, args, { input }), 20),
      tsmq_pub: publishLines('tsmq-pub', (args, input) => command('tsmq-pub', args, { input }), 400),
      mqttjs: publishWithMqttJs(),
      paho_cut: publishWithPahoThroughCuts(),
      paho_killed: publishWithPahoUntilKilled(),
      wills: dieWithWills(),
      mortal: mortal.lives,
      cutter: cutConnections(),
    }
    const unfinished = new Set(Object.keys(working))
    const all = Object.entries(working).map(([name, work]) => work.then(() => unfinished.delete(name)))
    const late = pause((SECONDS + 30) * 1000, undefined, { ref: false }).then(() =>
      assert.fail(`does not come to an end: ${[...unfinished].join(', ')}`),
    )
    const over = setTimeout(() => {
      isOver = true
    }, SECONDS * 1000)
    await Promise.race([Promise.all(all), late]).finally(() => {
      isOver = true
      clearTimeout(over)
    })
    await exchange.published('-t', 'all/end', '-q', '2', '-m', END)
    promised.add(END)

    await until(() => witnesses.every((each) => lost(each).length === 0), 30)
    t.diagnostic(`${promised.size} messages promised, ${counts.kills} clients killed, ${counts.cuts} cuts`)
    for (const witness of witnesses) {
      const { name, received } = witness
      t.diagnostic(`${name}: ${received().length} received`)
    }
    assert.ok(promised.size > SECONDS * 50, 'there was something to lose')
    for (const witness of witnesses) {
      assert.deepEqual(lost(witness).slice(0, 10), [], `lost by ${witness.name}`)
      if (witness.remembers) assert.deepEqual(twice(witness).slice(0, 10), [], `came twice to ${witness.name}`)
    }
  })
})
