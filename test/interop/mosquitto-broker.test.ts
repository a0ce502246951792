// tsmq-pub and tsmq-sub against Debian's Mosquitto broker, and the other way round mixed with its clients.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { killPrograms, Program } from '../support/program.js'
import { command } from '../support/tsmq-process.js'
import { Exchange, exchangeTests, printed } from './exchange.js'
import { pathOf, suite } from './programs.js'

const BROKER = pathOf('mosquitto')
const PUB = pathOf('mosquitto_pub')
const SUB = pathOf('mosquitto_sub')

const PASSWORDS =
  't7:$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==\n'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

let folder: string

/** Starts Mosquitto, which cannot choose a free port itself and would give up the rights to read our files. */
async function startMosquitto(lines: readonly string[]): Promise<{ program: Program; port: number }> {
  const port = await freePort()
  folder = mkdtempSync(join(tmpdir(), 'tsmq-mosquitto-'))
  const conf = join(folder, 'mosquitto.conf')
  const common = [`listener ${port} 127.0.0.1`, 'log_dest stderr', 'log_type all', 'user root']
  writeFileSync(join(folder, 'passwords'), PASSWORDS, { mode: 0o600 })
  writeFileSync(conf, `${[...common, ...lines].join('\n').replaceAll('{folder}', folder)}\n`)
  const program = new Program(BROKER, ['-c', conf])
  await program.line(/mosquitto version \S+ running/)
  return { program, port }
}

let mosquitto: { program: Program; port: number }

async function stop(): Promise<void> {
  await mosquitto.program.stop()
  killPrograms()
  rmSync(folder, { recursive: true })
}

describe(...suite('tsmq-pub and tsmq-sub against mosquitto', [BROKER]), () => {
  let exchange: Exchange

  before(async () => {
    mosquitto = await startMosquitto(['allow_anonymous true', 'sys_interval 1', 'max_queued_messages 0'])
    exchange = new Exchange(
      mosquitto,
      (args, more) => command('tsmq-pub', args, more),
      (args, more) => command('tsmq-sub', args, more),
    )
  })
  after(stop)

  exchangeTests(() => exchange)

  test('$SYS of the broker', async () => {
    const sub = await exchange.subscribed('$SYS/broker/version', ['-C', '1'])
    assert.match(await printed(sub), /^mosquitto version /)
  })
})

describe(...suite('tsmq-pub and tsmq-sub against mosquitto with passwords', [BROKER]), () => {
  before(async () => {
    mosquitto = await startMosquitto(['allow_anonymous false', 'password_file {folder}/passwords'])
  })
  after(stop)

  const cases = [
    { name: 'right', args: ['-u', 't7', '-P', 'correct horse'], version: '311', status: 0 },
    { name: 'right', args: ['-u', 't7', '-P', 'correct horse'], version: '5', status: 0 },
    { name: 'wrong', args: ['-u', 't7', '-P', 'battery'], version: '31', status: 5 },
    { name: 'wrong', args: ['-u', 't7', '-P', 'battery'], version: '311', status: 5 },
    { name: 'wrong', args: ['-u', 't7', '-P', 'battery'], version: '5', status: 135 },
    { name: 'none', args: [], version: '311', status: 5 },
    { name: 'none', args: [], version: '5', status: 135 },
  ]
  for (const { name, args, version, status } of cases)
    for (const [program, more] of [
      ['tsmq-pub', ['-t', 'a', '-m', 'x', '-q', '1']],
      ['tsmq-sub', ['-t', 'a', '-E']],
    ] as const)
      test(`${program}: password ${name}, ${version}: exit ${status}`, async () => {
        const at = ['-h', '127.0.0.1', '-p', `${mosquitto.port}`]
        const result = await command(program, [...at, ...args, '-V', version, ...more], { input: '' }).end()
        assert.equal(result.status, status, result.stderr)
        assert.equal(result.stdout, '')
        if (status > 0) assert.match(result.stderr, /not authori[sz]ed/i)
      })
})

describe(...suite('clients of both against each other through mosquitto', [BROKER, PUB, SUB]), () => {
  before(async () => {
    mosquitto = await startMosquitto(['allow_anonymous true'])
  })
  after(stop)

  type Start = ConstructorParameters<typeof Exchange>[1]
  const publishers: readonly Start[] = [
    (args, more) => command('tsmq-pub', args, more),
    (args, more) => new Program(PUB, args, more),
  ]
  const subscribers: readonly Start[] = [
    (args, more) => command('tsmq-sub', args, more),
    (args, more) => new Program(SUB, args, more),
  ]
  const properties = [
    ['user-property', 'a', 'b'],
    ['content-type', 'text/plain'],
    ['response-topic', 'c/d'],
  ].flatMap((words) => ['-D', 'publish', ...words])
  const format = ['-V', 'mqttv5', '-C', '1', '-F', '%t|%q|%p|%x|%l|%C|%R|%P']

  test('mosquitto_sub and tsmq-sub print the same of a message of tsmq-pub, and of mosquitto_pub', async () => {
    const out: string[] = []
    for (const publisher of publishers)
      for (const listener of subscribers) {
        const exchange = new Exchange(mosquitto, publisher, listener)
        const subscriber = await exchange.subscribed('same', [...format, '-q', '2'])
        await exchange.published('-V', 'mqttv5', '-t', 'same', '-q', '2', '-m', 'ü x', ...properties)
        out.push(await printed(subscriber))
      }
    assert.deepEqual(new Set(out), new Set(['same|2|ü x|c3bc2078|4|text/plain|c/d|a:b\n']))
    assert.equal(out.length, 4)
  })
})
