// Bridges between tsmq and Debian's Mosquitto, in both roles, over TCP and TLS, with the connection cut and either side restarted.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { Client } from '../../src/client/client.js'
import type { Qos } from '../../src/protocol/packets/publish.js'
import { localMessage } from '../../src/session/message.js'
import { MemoryStore } from '../../src/store/memory-store.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl } from '../support/certificates.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { killPrograms, Program } from '../support/program.js'
import { until } from '../support/until.js'
import { pathOf, suite } from './programs.js'

const BROKER = pathOf('mosquitto')

/** ms. Mosquitto looks at its bridges now and then only. */
const PATIENCE = 20_000

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A Mosquitto that may be killed and started again on its port. */
class Mosquitto {
  readonly port: number
  private readonly folder = mkdtempSync(join(tmpdir(), 'tsmq-mosquitto-'))
  private readonly lines: string
  private program: Program | undefined = undefined

  private constructor(port: number, lines: string) {
    this.port = port
    this.lines = lines
  }

  static async start(t: TestContext, lines: string): Promise<Mosquitto> {
    const mosquitto = new Mosquitto(await freePort(), lines)
    t.after(() => mosquitto.remove())
    await mosquitto.go()
    return mosquitto
  }

  async go(): Promise<void> {
    const conf = join(this.folder, 'mosquitto.conf')
    const common = `listener ${this.port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_type all\nuser root\n`
    writeFileSync(
      conf,
      `${common}persistence true\npersistence_location ${this.folder}/\nautosave_interval 1\n${this.lines}\n`,
    )
    this.program = new Program(BROKER, ['-c', conf])
    await this.program.line(/mosquitto version \S+ running/)
  }

  /** Stops it as SIGTERM does, so that it saves what it has. */
  async stop(): Promise<void> {
    await this.program?.stop()
    this.program = undefined
  }

  line(pattern: RegExp): Promise<string> {
    if (this.program === undefined) throw new Error('it does not run')
    return this.program.line(pattern)
  }

  private async remove(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function tsmq(t: TestContext, conf: string): Promise<TestBroker> {
  const broker = await startBroker({ conf })
  t.after(() => broker.stop())
  return broker
}

/** A client at a broker: takes what comes as `topic payload`, publishes, and answers every handshake. */
class Person {
  readonly lines: string[] = []
  private readonly client: Client

  private constructor(port: number, clientId: string, onConnect: (client: Client) => void) {
    const target = { host: '127.0.0.1', port }
    const options = {
      target,
      version: 4,
      clientId,
      cleanStart: false,
      keepAlive: 0,
      reconnect: { base: 20, cap: 20 },
    } as const
    this.client = new Client(options, {
      onConnect: () => onConnect(this.client),
      onMessage: (topic, { payload, retain }) =>
        void this.lines.push(`${topic} ${payload}${retain ? ' retained' : ''}`),
      onDrain: () => {},
      onDisconnect: () => {},
    })
    this.client.start()
  }

  /** Connects, and subscribes with QoS 2. */
  static async at(t: TestContext, port: number, clientId: string, filter: string): Promise<Person> {
    let isSubscribed = false
    const person = new Person(port, clientId, (client) => {
      const subscription = { filter, qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
      client.subscribe([subscription], undefined, (error) => {
        isSubscribed = error === undefined
      })
    })
    t.after(() => person.client.stop())
    await until(() => isSubscribed, 'a subscription')
    return person
  }

  /** Publishes and waits until the broker has taken it. */
  publish(topic: string, payload: string, qos: Qos = 1, retain = false): Promise<void> {
    return new Promise((resolve, reject) => {
      this.client.publish(localMessage(topic, Buffer.from(payload), qos, retain), (error) =>
        error === undefined ? resolve() : reject(error),
      )
    })
  }

  async has(...lines: readonly string[]): Promise<void> {
    await until(
      () => lines.every((line) => this.lines.includes(line)),
      () => `${lines.join(', ')} among ${this.lines.join(', ')}`,
      PATIENCE,
    )
  }

  /** Waits until the last message is this one, retained or not. */
  async last(line: string): Promise<void> {
    await until(
      () => this.lines.at(-1)?.replace(' retained', '') === line,
      () => `${line} as the last of ${this.lines.join(', ')}`,
      PATIENCE,
    )
  }
}

/** Lines of a bridge, in the words that both brokers know. */
function bridge(port: number, lines: string, host = '127.0.0.1'): string {
  return `connection b\naddress ${host}:${port}\nremote_clientid bridge-b\nrestart_timeout 1\n${lines}\n`
}

/** Has the clock of a broker of ours go on, so that its bridge connects again. */
function ticking(t: TestContext, broker: TestBroker): void {
  const timer = setInterval(() => broker.advance(0.5), 100)
  t.after(() => clearInterval(timer))
}

const STATE = '$SYS/broker/connection/bridge-b/state'
const TOPICS = 'topic # both 2 loc/ rem/\n'

/** One side has the bridge, the other is bridged to. */
interface Pair {
  readonly bridgePort: number
  readonly farPort: number
  readonly way: CuttingProxy
  /** The far side keeps no session for the bridge. */
  readonly forgets?: boolean
}

/** What holds in both roles. */
async function exchange(t: TestContext, { bridgePort, farPort, way, forgets = false }: Pair): Promise<void> {
  const near = await Person.at(t, bridgePort, 'near', '#')
  const far = await Person.at(t, farPort, 'far', '#')
  const state = await Person.at(t, farPort, 'state', STATE)
  await state.last(`${STATE} 1`)
  // Both directions, every QoS, under the other name, and no echo.
  for (const qos of [0, 1, 2] as const) {
    await near.publish('loc/up', `${qos}`, qos)
    await far.publish('rem/down', `${qos}`, qos)
  }
  await far.has('rem/up 0', 'rem/up 1', 'rem/up 2')
  await near.has('loc/down 0', 'loc/down 1', 'loc/down 2')
  await near.publish('loc/kept', 'k', 1, true)
  await far.has('rem/kept k')
  // The way breaks, both go on, and what they said arrives once and in order.
  way.isDown = true
  way.cut()
  await state.last(`${STATE} 0`)
  for (const text of ['a', 'b', 'c']) {
    await near.publish('loc/cut', text, 2)
    if (!forgets) await far.publish('rem/cut', text, 2)
  }
  way.isDown = false
  await far.has('rem/cut c')
  if (!forgets) await near.has('loc/cut c')
  await state.last(`${STATE} 1`)
  await far.publish('rem/last', 'x')
  await near.publish('loc/last', 'y')
  await near.has('loc/last x', 'loc/last y')
  await far.has('rem/last x', 'rem/last y')
  const crossed = (lines: readonly string[]) => lines.filter((line) => /(cut|up|down) /.test(line))
  const cut = (lines: readonly string[]) => crossed(lines).filter((line) => line.includes('cut'))
  // One's own, and the other's.
  const [own, others] = [['a', 'b', 'c'], forgets ? [] : ['a', 'b', 'c']]
  assert.deepEqual(
    cut(near.lines),
    [...own, ...others].map((text) => `loc/cut ${text}`),
  )
  assert.deepEqual(
    cut(far.lines),
    [...others, ...own].map((text) => `rem/cut ${text}`),
  )
  assert.equal(new Set(crossed(far.lines).filter((line) => !line.includes('cut'))).size, 6)
  assert.equal(crossed(far.lines).filter((line) => !line.includes('cut')).length, 6)
}

describe(...suite('bridges between tsmq and mosquitto', [BROKER]), () => {
  after(killPrograms)

  for (const version of ['mqttv31', 'mqttv311', 'mqttv50']) {
    const expiry = version === 'mqttv50' ? 'bridge_session_expiry_interval 600\n' : ''

    test(`tsmq has the bridge, ${version}`, async (t) => {
      const mosquitto = await Mosquitto.start(t, '')
      const way = await CuttingProxy.open(mosquitto.port)
      t.after(() => way.close())
      const lines = `bridge_protocol_version ${version}\n${expiry}${TOPICS}`
      const broker = await tsmq(t, bridge(way.port, lines))
      ticking(t, broker)
      await exchange(t, { bridgePort: broker.port, farPort: mosquitto.port, way })
    })

    test(`mosquitto has the bridge, ${version}`, async (t) => {
      const broker = await tsmq(t, '')
      const way = await CuttingProxy.open(broker.port)
      t.after(() => way.close())
      const lines = `bridge_protocol_version ${version}\n${TOPICS}`
      const mosquitto = await Mosquitto.start(t, bridge(way.port, lines))
      // Mosquitto 2.0 asks for no session in 5.0.
      await exchange(t, { bridgePort: mosquitto.port, farPort: broker.port, way, forgets: version === 'mqttv50' })
      const kind = version === 'mqttv50' ? 'client' : 'bridge'
      assert.ok(broker.log.some((line) => new RegExp(`^New ${kind} connected from .* as bridge-b `).test(line)))
    })
  }

  test('mosquitto is restarted: what waited at both sides arrives', async (t) => {
    const mosquitto = await Mosquitto.start(t, '')
    const broker = await tsmq(t, bridge(mosquitto.port, TOPICS))
    ticking(t, broker)
    const near = await Person.at(t, broker.port, 'near', 'loc/#')
    const far = await Person.at(t, mosquitto.port, 'far', 'rem/#')
    await near.publish('loc/x', 'before', 2)
    await far.has('rem/x before')
    await mosquitto.stop()
    for (const text of ['1', '2', '3']) await near.publish('loc/x', text, 2)
    await mosquitto.go()
    await far.has('rem/x 3')
    assert.deepEqual(far.lines, ['rem/x before', 'rem/x 1', 'rem/x 2', 'rem/x 3'])
    await far.publish('rem/y', 'back', 2)
    await near.has('loc/y back')
  })

  test('tsmq is restarted: the bridge of mosquitto connects again, and what waited arrives', async (t) => {
    const port = await freePort()
    const store = new MemoryStore()
    const start = () => startBroker({ conf: `listener ${port} 127.0.0.1\npersistence true\n`, store })
    let broker = await start()
    t.after(() => broker.stop())
    const mosquitto = await Mosquitto.start(t, bridge(port, TOPICS))
    const near = await Person.at(t, mosquitto.port, 'near', 'loc/#')
    const far = await Person.at(t, port, 'far', 'rem/#')
    await near.publish('loc/x', 'before', 2)
    await far.has('rem/x before')
    await broker.stop()
    for (const text of ['1', '2', '3']) await near.publish('loc/x', text, 2)
    broker = await start()
    await far.has('rem/x 3')
    assert.deepEqual(far.lines, ['rem/x before', 'rem/x 1', 'rem/x 2', 'rem/x 3'])
  })

  describe('over TLS', { skip: !hasOpenssl }, () => {
    let certificates: Certificates
    before(() => {
      certificates = new Certificates()
    })
    after(() => certificates.remove())

    test('tsmq has the bridge, with a client certificate', async (t) => {
      const { folder } = certificates
      const tls = `cafile ${folder}/ca.crt\ncertfile ${folder}/server.crt\nkeyfile ${folder}/server.key\nrequire_certificate true\n`
      const port = await freePort()
      const mosquitto = await Mosquitto.start(t, `listener ${port} 127.0.0.1\n${tls}`)
      const client = `bridge_certfile ${folder}/client.crt\nbridge_keyfile ${folder}/client.key\n`
      const broker = await tsmq(t, bridge(port, `bridge_cafile ${folder}/ca.crt\n${client}${TOPICS}`, 'localhost'))
      const near = await Person.at(t, broker.port, 'near', 'loc/#')
      const far = await Person.at(t, mosquitto.port, 'far', 'rem/#')
      await near.publish('loc/x', 'up')
      await far.has('rem/x up')
      await far.publish('rem/y', 'down')
      await near.has('loc/y down')
    })

    test('mosquitto has the bridge', async (t) => {
      const { folder } = certificates
      const port = await freePort()
      const tls = `certfile ${folder}/server.crt\nkeyfile ${folder}/server.key\n`
      const broker = await tsmq(t, `listener ${port} 127.0.0.1\n${tls}`)
      const mosquitto = await Mosquitto.start(t, bridge(port, `bridge_cafile ${folder}/ca.crt\n${TOPICS}`, 'localhost'))
      const near = await Person.at(t, mosquitto.port, 'near', 'loc/#')
      const far = await Person.at(t, broker.port, 'far', 'rem/#')
      await near.publish('loc/x', 'up')
      await far.has('rem/x up')
      await far.publish('rem/y', 'down')
      await near.has('loc/y down')
    })
  })

  test('PSK to mosquitto', async (t) => {
    const port = await freePort()
    const file = join(mkdtempSync(join(tmpdir(), 'tsmq-psk-')), 'psk')
    writeFileSync(file, 'one:00ff10\n')
    const mosquitto = await Mosquitto.start(t, `listener ${port} 127.0.0.1\npsk_hint h\npsk_file ${file}\n`)
    const broker = await tsmq(t, bridge(port, `bridge_identity one\nbridge_psk 00ff10\n${TOPICS}`))
    const far = await Person.at(t, mosquitto.port, 'far', 'rem/#')
    const near = await Person.at(t, broker.port, 'near', 'loc/#')
    await near.publish('loc/x', 'up')
    await far.has('rem/x up')
  })
})
