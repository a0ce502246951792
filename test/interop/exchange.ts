// A broker, a program that publishes and one that subscribes, both with the flags of mosquitto_pub and mosquitto_sub; and the
// tests that have to pass whichever of the three is somebody else's. A subscriber is ready when the broker has logged its
// subscription.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { Program, ProgramOptions, Result } from '../support/program.js'

type Start = (args: readonly string[], options?: ProgramOptions) => Program

/** A broker that logs subscriptions as `<id> <QoS> <filter>`. */
export interface Broker {
  readonly program: Program
  readonly port: number
}

export class Exchange {
  /** What a command line begins with. */
  readonly at: readonly string[]
  private readonly broker: Broker
  private readonly publisher: Start
  private readonly subscriber: Start
  private nextId = 0

  constructor(broker: Broker, publisher: Start, subscriber: Start) {
    this.at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
    this.broker = broker
    this.publisher = publisher
    this.subscriber = subscriber
  }

  /** Runs the publisher. */
  publish(args: readonly string[], input = ''): Promise<Result> {
    return this.publisher([...this.at, ...args], { input }).end()
  }

  /** Publishes what has to be accepted without a word. */
  async published(...args: string[]): Promise<void> {
    assert.deepEqual(await this.publish(args), { status: 0, stdout: '', stderr: '' })
  }

  /** Publishes each line of `lines`. */
  async publishedLines(lines: readonly string[], ...args: string[]): Promise<void> {
    const result = await this.publish([...args, '-l'], `${lines.join('\n')}\n`)
    assert.deepEqual(result, { status: 0, stdout: '', stderr: '' })
  }

  /** Starts a subscriber and returns it when its subscription to `filter` is in force. */
  async subscribed(filter: string, args: readonly string[] = []): Promise<Program> {
    const id = args.includes('-i') ? `${args[args.indexOf('-i') + 1]}` : `sub-${this.nextId++}`
    const { program } = this.broker
    const before = program.lines.length
    const subscriber = this.subscriber([...this.at, '-i', id, '-t', filter, ...args])
    const isSubscription = (line: string) => line.includes(`: ${id} `) && line.endsWith(` ${filter}`)
    const early = subscriber.ended.then(({ stderr }) => Promise.reject(new Error(`${id} ended too early: ${stderr}`)))
    early.catch(() => {})
    const what = `${id} subscribes to ${filter}`
    await Promise.race([program.until(({ lines }) => lines.slice(before).some(isSubscription), what), early])
    return subscriber
  }
}

/** What a subscriber with `-C` prints until it ends by itself. */
export async function printed(subscriber: Program): Promise<string> {
  const { status, stdout, stderr } = await subscriber.end()
  assert.deepEqual([status, stderr], [0, ''])
  return stdout
}

const versions = ['mqttv31', 'mqttv311', 'mqttv5']

/** The tests, inside of a suite whose `before` makes the exchange. */
export function exchangeTests(exchange: () => Exchange): void {
  for (const from of versions)
    for (const to of versions)
      for (const qos of ['0', '1', '2'])
        test(`QoS ${qos} from ${from} to ${to}`, async () => {
          const topic = `plain/${from}/${to}/${qos}`
          const sub = await exchange().subscribed(topic, ['-V', to, '-q', qos, '-C', '1', '-F', '%t %q %r %p'])
          await exchange().published('-V', from, '-t', topic, '-q', qos, '-m', 'hällo wörld')
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
      const sub = await exchange().subscribed(topic, ['-q', each.subscribed, '-C', '1', '-F', '%q'])
      await exchange().published('-t', topic, '-q', each.published, '-m', 'x')
      assert.equal(await printed(sub), `${Math.min(Number(each.published), Number(each.subscribed))}\n`)
    })

  for (const qos of ['0', '1', '2'])
    test(`2,000 lines at QoS ${qos} arrive once and in order`, async () => {
      const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`)
      const sub = await exchange().subscribed(`lines/${qos}`, ['-q', qos, '-C', '2000'])
      await exchange().publishedLines(lines, '-t', `lines/${qos}`, '-q', qos)
      assert.deepEqual((await printed(sub)).trimEnd().split('\n'), lines)
    })

  test('almost 2 MB, the default limit of a packet', async () => {
    const hex = randomBytes(990_000).toString('hex')
    const sub = await exchange().subscribed('large', ['-q', '1', '-C', '1'])
    assert.equal((await exchange().publish(['-t', 'large', '-q', '1', '-s'], hex)).status, 0)
    assert.equal(await printed(sub), `${hex}\n`)
  })

  test('a retained message greets late subscribers until it is cleared', async () => {
    await exchange().published('-t', 'kept/a', '-r', '-q', '1', '-m', 'first')
    await exchange().published('-t', 'kept/a', '-r', '-q', '1', '-m', 'second')
    const args = ['-q', '1', '-C', '1', '-F', '%t %r %p']
    assert.equal(await printed(await exchange().subscribed('kept/#', args)), 'kept/a 1 second\n')
    await exchange().published('-t', 'kept/a', '-r', '-n')
    const late = await exchange().subscribed('kept/#', args)
    await exchange().published('-t', 'kept/a', '-m', 'live')
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
      const sub = await exchange().subscribed(`wild/${filter}`, ['-t', 'wild/end', '-C', '1', '-v'])
      await exchange().published('-t', 'wild/a/b/c', '-m', 'x')
      await exchange().published('-t', 'wild/end', '-m', 'x')
      assert.equal(await printed(sub), match ? 'wild/a/b/c x\n' : 'wild/end x\n')
    })

  for (const version of versions)
    test(`the will of a killed client, ${version}`, async () => {
      const topic = `will/${version}`
      const watcher = await exchange().subscribed(topic, ['-q', '1', '-C', '1', '-F', '%t %q %r %p'])
      const will = ['--will-topic', topic, '--will-payload', 'gone', '--will-qos', '1', '--will-retain']
      const dying = await exchange().subscribed('nothing', ['-V', version, ...will])
      dying.kill('SIGKILL')
      assert.equal(await printed(watcher), `${topic} 1 0 gone\n`)
      const late = await exchange().subscribed(topic, ['-q', '1', '-C', '1', '-F', '%t %q %r %p'])
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
      await printed(await exchange().subscribed(topic, [...session, '-E']))
      // QoS 0 is not promised to those who are away.
      for (const [index, qos] of ['1', '1', '0', '1', '2', '2'].entries())
        await exchange().published('-t', topic, '-q', qos, '-m', `message ${index}`)
      const back = await exchange().subscribed(topic, [...session, '-C', '5', '-F', '%q %p'])
      assert.equal(await printed(back), '1 message 0\n1 message 1\n1 message 3\n2 message 4\n2 message 5\n')
    })

  test('5.0: the properties of a message reach the subscriber', async () => {
    const format = '%C|%D|%E|%F|%P|%R|%S|%p'
    const identifier = ['-D', 'subscribe', 'subscription-identifier', '7']
    const sub = await exchange().subscribed('v5/properties', ['-V', 'mqttv5', '-C', '1', '-F', format, ...identifier])
    const properties = [
      ['content-type', 'text/plain'],
      ['correlation-data', 'no 1'],
      ['message-expiry-interval', '60'],
      ['payload-format-indicator', '1'],
      ['response-topic', 'v5/answer'],
      ['user-property', 'colour', 'blue'],
      ['user-property', 'colour', 'green'],
    ].flatMap((words) => ['-D', 'publish', ...words])
    await exchange().published('-V', 'mqttv5', '-t', 'v5/properties', '-m', 'x', ...properties)
    assert.equal(await printed(sub), 'text/plain|no 1|60|1|colour:blue colour:green|v5/answer|7|x\n')
  })

  test('5.0: topic aliases of a publisher are resolved', async () => {
    const sub = await exchange().subscribed('v5/alias', ['-V', 'mqttv5', '-C', '3', '-v'])
    const args = ['-V', 'mqttv5', '-t', 'v5/alias', '-D', 'publish', 'topic-alias', '1']
    await exchange().publishedLines(['a', 'b', 'c'], ...args)
    assert.equal(await printed(sub), 'v5/alias a\nv5/alias b\nv5/alias c\n')
  })

  test('members of a share get each message once between them', async () => {
    const members = [
      await exchange().subscribed('$share/team/job', ['-q', '1']),
      await exchange().subscribed('$share/team/job', ['-q', '1']),
    ]
    const jobs = Array.from({ length: 40 }, (_, index) => `job ${index}`)
    await exchange().publishedLines(jobs, '-t', 'job', '-q', '1')
    const all = () => members.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== ''))
    await Promise.race(members.map((member) => member.until(() => all().length >= 40, 'all are done')))
    for (const member of members) await member.stop()
    assert.deepEqual(all().sort(), jobs.sort())
    for (const { stdout } of members) assert.ok(stdout.split('\n').length > 5, 'a fair part')
  })
}
