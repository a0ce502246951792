// mosquitto_pub, mosquitto_sub and mosquitto_rr of Mosquitto 2.0 against tsmq: what people type. A subscriber is ready when the
// broker has logged its subscription.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { killPrograms, Program, run } from '../support/program.js'
import { command, startTsmq, type TsmqProcess } from '../support/tsmq-process.js'
import { pathOf, suite } from './programs.js'

const PUB = pathOf('mosquitto_pub')
const SUB = pathOf('mosquitto_sub')
const RR = pathOf('mosquitto_rr')

let tsmq: TsmqProcess
let nextId = 0

const at = ({ port }: TsmqProcess) => ['-h', '127.0.0.1', '-p', `${port}`]

async function publish(args: readonly string[], broker = tsmq, input = '') {
  const { status, stderr } = await run(PUB, [...at(broker), ...args], { input })
  return { status, stderr }
}

/** Publishes what has to be accepted. */
async function published(...args: string[]): Promise<void> {
  assert.deepEqual(await publish(args), { status: 0, stderr: '' })
}

/** Starts a subscriber and returns it when its subscription to `filter` is in force. */
async function subscribed(filter: string, args: readonly string[] = [], broker = tsmq): Promise<Program> {
  const id = args.includes('-i') ? `${args[args.indexOf('-i') + 1]}` : `sub-${nextId++}`
  const before = broker.program.lines.length
  const sub = new Program(SUB, [...at(broker), '-i', id, '-t', filter, ...args])
  const isSubscription = (line: string) => line.includes(`: ${id} `) && line.endsWith(` ${filter}`)
  const { program } = broker
  const early = sub.ended.then(({ stderr }) => Promise.reject(new Error(`${id} ended before it subscribed: ${stderr}`)))
  const isReady = program.until(
    ({ lines }) => lines.slice(before).some(isSubscription),
    `${id} subscribes to ${filter}`,
  )
  early.catch(() => {})
  await Promise.race([isReady, early])
  return sub
}

/** What a subscriber with `-C` prints until it ends by itself. */
async function printed(sub: Program): Promise<string> {
  const { status, stdout, stderr } = await sub.end()
  assert.deepEqual([status, stderr], [0, ''])
  return stdout
}

describe(...suite('mosquitto_pub and mosquitto_sub against tsmq', [PUB, SUB]), () => {
  before(async () => {
    tsmq = await startTsmq({ conf: 'allow_anonymous true\nlog_type all\nsys_interval 1' })
  })
  after(async () => {
    const status = await tsmq.stop()
    killPrograms()
    assert.equal(status, 0)
    assert.doesNotMatch(tsmq.program.stderr, /Internal error|Protocol error/)
  })

  const versions = ['mqttv31', 'mqttv311', 'mqttv5']
  for (const from of versions)
    for (const to of versions)
      for (const qos of ['0', '1', '2'])
        test(`QoS ${qos} from ${from} to ${to}`, async () => {
          const topic = `plain/${from}/${to}/${qos}`
          const sub = await subscribed(topic, ['-V', to, '-q', qos, '-C', '1', '-F', '%t %q %r %p'])
          await published('-V', from, '-t', topic, '-q', qos, '-m', 'hällo wörld')
          assert.equal(await printed(sub), `${topic} ${qos} 0 hällo wörld\n`)
        })

  const granted = [
    { published: '2', subscribed: '0' },
    { published: '0', subscribed: '2' },
    { published: '2', subscribed: '1' },
  ]
  for (const each of granted)
    test(`a message of QoS ${each.published} to a subscription of QoS ${each.subscribed} has the lower one`, async () => {
      const topic = `granted/${each.published}/${each.subscribed}`
      const sub = await subscribed(topic, ['-q', each.subscribed, '-C', '1', '-F', '%q'])
      await published('-t', topic, '-q', each.published, '-m', 'x')
      assert.equal(await printed(sub), `${Math.min(Number(each.published), Number(each.subscribed))}\n`)
    })

  for (const qos of ['0', '1', '2'])
    test(`2,000 lines at QoS ${qos} arrive once and in order`, async () => {
      const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`)
      const sub = await subscribed(`lines/${qos}`, ['-q', qos, '-C', '2000'])
      const args = ['-t', `lines/${qos}`, '-q', qos, '-l']
      assert.deepEqual(await publish(args, tsmq, `${lines.join('\n')}\n`), { status: 0, stderr: '' })
      assert.deepEqual((await printed(sub)).trimEnd().split('\n'), lines)
    })

  test('almost 2 MB, the default limit of a packet', async () => {
    const hex = randomBytes(990_000).toString('hex')
    const sub = await subscribed('large', ['-q', '1', '-C', '1'])
    assert.equal((await publish(['-t', 'large', '-q', '1', '-s'], tsmq, hex)).status, 0)
    assert.equal(await printed(sub), `${hex}\n`)
  })

  test('a retained message greets late subscribers until it is cleared', async () => {
    await published('-t', 'kept/a', '-r', '-q', '1', '-m', 'first')
    await published('-t', 'kept/a', '-r', '-q', '1', '-m', 'second')
    const args = ['-q', '1', '-C', '1', '-F', '%t %r %p']
    assert.equal(await printed(await subscribed('kept/#', args)), 'kept/a 1 second\n')
    await published('-t', 'kept/a', '-r', '-n')
    const late = await subscribed('kept/#', args)
    await published('-t', 'kept/a', '-m', 'live')
    assert.equal(await printed(late), 'kept/a 0 live\n')
  })

  const wildcards = [
    { filter: '+/b/c', match: true },
    { filter: 'a/+/c', match: true },
    { filter: 'a/#', match: true },
    { filter: 'a/b/c/#', match: true },
    { filter: 'a/+', match: false },
    { filter: 'b/#', match: false },
  ]
  for (const { filter, match } of wildcards)
    test(`wild/${filter} ${match ? 'matches' : 'does not match'} wild/a/b/c`, async () => {
      const sub = await subscribed(`wild/${filter}`, ['-t', 'wild/end', '-C', '1', '-v'])
      await published('-t', 'wild/a/b/c', '-m', 'x')
      await published('-t', 'wild/end', '-m', 'x')
      assert.equal(await printed(sub), match ? 'wild/a/b/c x\n' : 'wild/end x\n')
    })

  test('$SYS can be read, and # does not show it', async () => {
    assert.match(await printed(await subscribed('$SYS/broker/version', ['-C', '1'])), /^tsmq version \d+\.\d+\.\d+\n$/)
    assert.match(await printed(await subscribed('$SYS/broker/uptime', ['-C', '1'])), /^\d+ seconds\n$/)
    const sub = await subscribed('#', ['-C', '1', '-v', '-R'])
    const uptime = await subscribed('$SYS/broker/uptime', ['-C', '2'])
    await printed(uptime)
    await published('-t', 'after', '-m', 'uptime changed')
    assert.equal(await printed(sub), 'after uptime changed\n')
  })

  for (const version of versions)
    test(`the will of a killed client, ${version}`, async () => {
      const topic = `will/${version}`
      const watcher = await subscribed(topic, ['-q', '1', '-C', '1', '-F', '%t %q %r %p'])
      const will = ['--will-topic', topic, '--will-payload', 'gone', '--will-qos', '1', '--will-retain']
      const dying = await subscribed('nothing', ['-V', version, ...will])
      dying.kill('SIGKILL')
      assert.equal(await printed(watcher), `${topic} 1 0 gone\n`)
      const late = await subscribed(topic, ['-q', '1', '-C', '1', '-F', '%t %q %r %p'])
      assert.equal(await printed(late), `${topic} 1 1 gone\n`)
    })

  const durable = [
    { version: 'mqttv31', args: [] },
    { version: 'mqttv311', args: [] },
    { version: 'mqttv5', args: ['-x', '3600'] },
  ]
  for (const { version, args } of durable)
    test(`a durable session gets what came while it was away, ${version}`, async () => {
      const topic = `durable/${version}`
      const session = ['-V', version, ...args, '-c', '-i', `durable-${version}`, '-q', '2']
      await printed(await subscribed(topic, [...session, '-E']))
      // QoS 0 is not promised to those who are away.
      for (const [index, qos] of ['1', '1', '0', '1', '2', '2'].entries())
        await published('-t', topic, '-q', qos, '-m', `message ${index}`)
      const back = await subscribed(topic, [...session, '-C', '5', '-F', '%q %p'])
      assert.equal(await printed(back), '1 message 0\n1 message 1\n1 message 3\n2 message 4\n2 message 5\n')
    })

  test('5.0: the properties of a message reach the subscriber', async () => {
    const format = '%C|%D|%E|%F|%P|%R|%S|%p'
    const identifier = ['-D', 'subscribe', 'subscription-identifier', '7']
    const sub = await subscribed('v5/properties', ['-V', 'mqttv5', '-C', '1', '-F', format, ...identifier])
    const properties = [
      ['content-type', 'text/plain'],
      ['correlation-data', 'no 1'],
      ['message-expiry-interval', '60'],
      ['payload-format-indicator', '1'],
      ['response-topic', 'v5/answer'],
      ['user-property', 'colour', 'blue'],
      ['user-property', 'colour', 'green'],
    ].flatMap((words) => ['-D', 'publish', ...words])
    await published('-V', 'mqttv5', '-t', 'v5/properties', '-m', 'x', ...properties)
    assert.equal(await printed(sub), 'text/plain|no 1|60|1|colour:blue colour:green|v5/answer|7|x\n')
  })

  test('5.0: topic aliases of a publisher are resolved', async () => {
    const sub = await subscribed('v5/alias', ['-V', 'mqttv5', '-C', '3', '-v'])
    const args = ['-V', 'mqttv5', '-t', 'v5/alias', '-D', 'publish', 'topic-alias', '1', '-l']
    assert.deepEqual(await publish(args, tsmq, 'a\nb\nc\n'), { status: 0, stderr: '' })
    assert.equal(await printed(sub), 'v5/alias a\nv5/alias b\nv5/alias c\n')
  })

  test('5.0: retain as published', async () => {
    const sub = await subscribed('v5/retain', ['-V', 'mqttv5', '--retain-as-published', '-C', '1', '-F', '%r %p'])
    await published('-t', 'v5/retain', '-r', '-m', 'new')
    assert.equal(await printed(sub), '1 new\n')
  })

  test('5.0: request and response', async () => {
    const server = await subscribed('rr/ask', ['-V', 'mqttv5', '-C', '1', '-F', '%R %D'])
    const asking = new Program(RR, [
      ...at(tsmq),
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
    await published('-t', responseTopic, '-m', '42')
    const { status, stdout } = await asking.end()
    assert.equal(status, 0)
    assert.match(stdout, /^42$/m)
  })

  test('members of a share get each message once between them', async () => {
    const members = [await subscribed('$share/team/job', ['-q', '1']), await subscribed('$share/team/job', ['-q', '1'])]
    const jobs = Array.from({ length: 40 }, (_, index) => `job ${index}`)
    await publish(['-t', 'job', '-q', '1', '-l'], tsmq, `${jobs.join('\n')}\n`)
    const all = () => members.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== ''))
    await Promise.race(members.map((member) => member.until(() => all().length >= 40, 'all are done')))
    for (const member of members) await member.stop()
    assert.deepEqual(all().sort(), jobs.sort())
    for (const { stdout } of members) assert.ok(stdout.split('\n').length > 5, 'a fair part')
  })
})

describe(...suite('mosquitto_pub and mosquitto_sub with passwords and an ACL', [PUB, SUB]), () => {
  const acl = `user reader
topic read sensor/#
pattern write sensor/%u/data
`
  before(async () => {
    tsmq = await startTsmq({
      conf: 'password_file {folder}/passwords\nacl_file {folder}/acl\nlog_type all',
      files: { passwords: await passwordFile(['alice', 'bob', 'reader']), acl },
    })
  })
  after(async () => {
    const status = await tsmq.stop()
    killPrograms()
    assert.equal(status, 0)
  })

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
    const sub = await subscribed('sensor/#', [...as('reader'), '-q', '1', '-C', '2', '-v'])
    await published(...as('alice'), '-t', 'sensor/alice/data', '-q', '1', '-m', '1')
    await published(...as('alice'), '-t', 'sensor/bob/data', '-q', '1', '-m', 'forged')
    await published(...as('reader'), '-t', 'sensor/alice/data', '-q', '1', '-m', 'forged')
    await published(...as('bob'), '-t', 'sensor/bob/data', '-q', '1', '-m', '2')
    assert.equal(await printed(sub), 'sensor/alice/data 1\nsensor/bob/data 2\n')
  })

  test('5.0: a publisher without the right is told', async () => {
    const args = [...as('alice'), '-V', 'mqttv5', '-t', 'sensor/bob/data', '-q', '1', '-m', 'forged']
    assert.match((await publish(args)).stderr, /not authori[sz]ed/i)
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
        const result = await publish([...args, '-V', version, '-t', 'sensor/alice/data', '-m', 'x'])
        assert.equal(result.status, status)
        assert.match(result.stderr, /not authori[sz]ed/i)
      })
})
