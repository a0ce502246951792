// mosquitto_pub, mosquitto_sub and mosquitto_rr of Mosquitto 2.0 against tsmq: what people type.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { killPrograms, Program } from '../support/program.js'
import { command, startTsmq, type TsmqProcess } from '../support/tsmq-process.js'
import { Exchange, exchangeTests, printed } from './exchange.js'
import { pathOf, suite } from './programs.js'

const PUB = pathOf('mosquitto_pub')
const SUB = pathOf('mosquitto_sub')
const RR = pathOf('mosquitto_rr')

let tsmq: TsmqProcess
let exchange: Exchange

async function start(options: Parameters<typeof startTsmq>[0]): Promise<void> {
  tsmq = await startTsmq(options)
  exchange = new Exchange(
    tsmq,
    (args, more) => new Program(PUB, args, more),
    (args, more) => new Program(SUB, args, more),
  )
}

async function stop(): Promise<void> {
  const status = await tsmq.stop()
  killPrograms()
  assert.equal(status, 0)
  assert.doesNotMatch(tsmq.program.stderr, /Internal error|Protocol error/)
}

describe(...suite('mosquitto_pub and mosquitto_sub against tsmq', [PUB, SUB, RR]), () => {
  before(() => start({ conf: 'allow_anonymous true\nlog_type all\nsys_interval 1\nmax_queued_messages 0' }))
  after(stop)

  exchangeTests(() => exchange)

  test('$SYS can be read, and # does not show it', async () => {
    assert.match(
      await printed(await exchange.subscribed('$SYS/broker/version', ['-C', '1'])),
      /^tsmq version \d+\.\d+\.\d+\n$/,
    )
    assert.match(await printed(await exchange.subscribed('$SYS/broker/uptime', ['-C', '1'])), /^\d+ seconds\n$/)
    const sub = await exchange.subscribed('#', ['-C', '1', '-v', '-R'])
    const uptime = await exchange.subscribed('$SYS/broker/uptime', ['-C', '2'])
    await printed(uptime)
    await exchange.published('-t', 'after', '-m', 'uptime changed')
    assert.equal(await printed(sub), 'after uptime changed\n')
  })

  test('5.0: retain as published', async () => {
    const sub = await exchange.subscribed('v5/retain', [
      '-V',
      'mqttv5',
      '--retain-as-published',
      '-C',
      '1',
      '-F',
      '%r %p',
    ])
    await exchange.published('-t', 'v5/retain', '-r', '-m', 'new')
    assert.equal(await printed(sub), '1 new\n')
  })

  test('5.0: request and response', async () => {
    const server = await exchange.subscribed('rr/ask', ['-V', 'mqttv5', '-C', '1', '-F', '%R %D'])
    const asking = new Program(RR, [
      ...exchange.at,
      '-i',
      'asking',
      '-t',
      'rr/ask',
      '-e',
      'rr/answer',
      '-m',
      '6 x 7',
      '-d',
    ])
    const [responseTopic = ''] = (await printed(server)).split(' ')
    assert.equal(responseTopic, 'rr/answer')
    await exchange.published('-t', responseTopic, '-m', '42')
    const { status, stdout } = await asking.end()
    assert.equal(status, 0)
    assert.match(stdout, /^42$/m)
  })
})

describe(...suite('mosquitto_pub and mosquitto_sub with passwords and an ACL', [PUB, SUB]), () => {
  const acl = `user reader
topic read sensor/#
pattern write sensor/%u/data
`
  before(async () => {
    await start({
      conf: 'password_file {folder}/passwords\nacl_file {folder}/acl\nlog_type all',
      files: { passwords: await passwordFile(['alice', 'bob', 'reader']), acl },
    })
  })
  after(stop)

  /** Lines as tsmq-passwd makes them: one of each kind of hash, the password is the name backwards. */
  async function passwordFile(names: readonly string[]): Promise<string> {
    const kinds = ['bcrypt', 'sha512-pbkdf2', 'sha512']
    const hashed = names.map((name, index) => {
      const args = ['-c', '-b', '-H', kinds[index] ?? 'bcrypt', '-', name, passwordOf(name)]
      return command('tsmq-passwd', args, { input: '' }).end()
    })
    return (await Promise.all(hashed)).map(({ stdout }) => stdout).join('')
  }
  const passwordOf = (name: string) => [...name].reverse().join('')
  const as = (name: string) => ['-u', name, '-P', passwordOf(name)]

  test('sensor/%u/data: a sensor may write its own topic and no other', async () => {
    const sub = await exchange.subscribed('sensor/#', [...as('reader'), '-q', '1', '-C', '2', '-v'])
    await exchange.published(...as('alice'), '-t', 'sensor/alice/data', '-q', '1', '-m', '1')
    await exchange.published(...as('alice'), '-t', 'sensor/bob/data', '-q', '1', '-m', 'forged')
    await exchange.published(...as('reader'), '-t', 'sensor/alice/data', '-q', '1', '-m', 'forged')
    await exchange.published(...as('bob'), '-t', 'sensor/bob/data', '-q', '1', '-m', '2')
    assert.equal(await printed(sub), 'sensor/alice/data 1\nsensor/bob/data 2\n')
  })

  test('5.0: a publisher without the right is told', async () => {
    const args = [...as('alice'), '-V', 'mqttv5', '-t', 'sensor/bob/data', '-q', '1', '-m', 'forged']
    assert.match((await exchange.publish(args)).stderr, /not authori[sz]ed/i)
  })

  const refused = [
    { name: 'wrong password', args: ['-u', 'alice', '-P', 'x'] },
    { name: 'unknown user', args: ['-u', 'carol', '-P', 'x'] },
    { name: 'no user', args: [] },
  ]
  const codes = { mqttv31: 5, mqttv311: 5, mqttv5: 135 }
  for (const { name, args } of refused)
    for (const [version, status] of Object.entries(codes))
      test(`${name}, ${version}: exit ${status}`, async () => {
        const result = await exchange.publish([...args, '-V', version, '-t', 'sensor/alice/data', '-m', 'x'])
        assert.equal(result.status, status)
        assert.match(result.stderr, /not authori[sz]ed/i)
      })
})
