// The store of the broker as a process: what it does when that cannot be used, what kill -9 leaves, what --dump-store shows.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { killPrograms, type Program, type Result } from '../support/program.js'
import { RawClient } from '../support/raw-client.js'
import { command } from '../support/tsmq-process.js'

after(killPrograms)

interface Place {
  readonly folder: string
  readonly conf: string
}

function place(t: TestContext, more = '', location?: string): Place {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-store-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const conf = join(folder, 'tsmq.conf')
  writeFileSync(
    conf,
    `listener 0 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location ${location ?? folder}\npersistence_file s.db\n${more}`,
  )
  return { folder, conf }
}

const start = ({ conf, folder }: Place): Program => command('tsmq', ['-c', conf], { cwd: folder })
const run = ({ conf, folder }: Place, ...args: string[]): Promise<Result> =>
  command('tsmq', ['-c', conf, ...args], { cwd: folder, input: '' }).ended

async function portOf(broker: Program): Promise<number> {
  const opened = await broker.line(/Opening ipv4 listen socket on port \d+\./)
  await broker.line(/ running$/)
  return Number(/port (\d+)\./.exec(opened)?.[1])
}

describe('a store that cannot be used ends the broker with status 1', () => {
  const cases: readonly { readonly name: string; readonly content: Buffer; readonly says: RegExp }[] = [
    { name: 'another file', content: Buffer.from('not a store at all'), says: /tsmq: .*s\.db is not a store of tsmq/ },
    {
      name: 'a database of Mosquitto',
      content: Buffer.from('\x00\xb5\x00mosquitto db\0\0\0\0\0\0\0\x06', 'latin1'),
      says: /tsmq: .*s\.db was written by Mosquitto.*--import-mosquitto-db/,
    },
  ]
  for (const { name, content, says } of cases)
    test(name, async (t) => {
      const at = place(t)
      writeFileSync(join(at.folder, 's.db'), content)
      const { status, stderr } = await start(at).ended
      assert.equal(status, 1)
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n {4}at /)
      assert.deepEqual(readFileSync(join(at.folder, 's.db')), content)
    })

  test('a folder that is not there', async (t) => {
    const at = place(t, '', '/nowhere/at/all')
    const { status, stderr } = await start(at).ended
    assert.equal(status, 1)
    assert.match(stderr, /tsmq: cannot make \/nowhere\/at\/all\/s\.db/)
  })

  test('one that another broker uses', async (t) => {
    const at = place(t)
    const first = start(at)
    await portOf(first)
    const { status, stderr } = await start(at).ended
    assert.equal(status, 1)
    assert.match(stderr, new RegExp(`tsmq: the store .*s\\.db is in use by process ${first.pid}`))
    assert.equal((await first.stop()).status, 0)
  })
})

test('kill -9, a restart, and --dump-store while the broker runs and afterwards', async (t) => {
  const at = place(t)
  const first = start(at)
  const port = await portOf(first)
  const { client } = await RawClient.connect(port, { clientId: 'sleeper', cleanStart: false })
  await client.subscribe('a/#')
  await client.drop()
  const from = await RawClient.connect(port, { clientId: 'from' })
  from.client.publish({ topic: 'a/b', payload: 'kept\u0007', qos: 2, retain: true })
  await from.client.expect(PacketType.PUBREC)
  await first.stop('SIGKILL')
  assert.equal(statSync(join(at.folder, 's.db')).mode & 0o777, 0o600)

  const second = start(at)
  const again = await portOf(second)
  assert.match(
    second.stderr,
    /Restored 1 sessions, 1 subscriptions, 1 queued messages, 1 retained messages and 0 wills/,
  )
  const during = await run(at, '--dump-store')
  assert.equal(during.status, 0)
  assert.deepEqual(during.stdout.trim().split('\n'), [
    'session "sleeper" lasts',
    'subscription "sleeper" q2 "a/#"',
    'queued "sleeper" q2 "a/b" (5 bytes)',
    'retained q2 "a/b" (5 bytes)',
  ])
  assert.match(during.stderr, /1 sessions, 1 subscriptions, 1 queued messages, 1 retained messages, 0 wills/)
  const back = await RawClient.connect(again, { clientId: 'sleeper', cleanStart: false })
  assert.equal(back.connack.sessionPresent, true)
  await back.client.expect(PacketType.PUBLISH)
  await back.client.drop()
  assert.equal((await second.stop()).status, 0)

  const { status, stdout } = await run(at, '--dump-store', '--json')
  assert.equal(status, 0)
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly kind: string; readonly message?: { readonly payload: string } })
  assert.deepEqual(rows.map(({ kind }) => kind).sort(), ['delivery', 'progress', 'retained', 'session', 'subscription'])
  const retained = rows.find(({ kind }) => kind === 'retained')
  assert.equal(Buffer.from(retained?.message?.payload ?? '', 'base64').toString(), 'kept\u0007')
})

test('SIGUSR1 saves', async (t) => {
  const at = place(t, 'persistence_durability interval\n')
  const broker = start(at)
  const port = await portOf(broker)
  const { client } = await RawClient.connect(port, { clientId: 'lasting', cleanStart: false })
  await client.subscribe('a')
  broker.kill('SIGUSR1')
  await broker.line(/Saving the store\./)
  await client.settled()
  for (let tries = 0; ; tries++) {
    const { stdout } = await run(at, '--dump-store')
    if (stdout.includes('subscription "lasting"')) break
    assert.ok(tries < 10, stdout)
  }
  await broker.stop('SIGKILL')
})

describe('questions about a store', () => {
  test('that is not there', async (t) => {
    const at = place(t)
    const { status, stderr } = await run(at, '--dump-store')
    assert.equal(status, 1)
    assert.match(stderr, /tsmq: cannot open the store .*s\.db: no such file or directory/)
  })

  test('--json needs something to be told', async (t) => {
    const { status, stderr } = await run(place(t), '--json')
    assert.equal(status, 3)
    assert.match(stderr, /--json needs --test-config or --dump-store too/)
  })

  for (const [name, content, says] of [
    ['is no database', 'hello', /it is no database of Mosquitto/],
    [
      'is of another version',
      '\x00\xb5\x00mosquitto db\0\0\0\0\0\0\0\x04',
      /it has version 4; versions 5 and 6 can be read/,
    ],
    ['ends too early', '\x00\xb5\x00mosquitto db\0\0\0\0\0\0\0\x06\0\0\0\x02\0\0\0\x40', /it ends within a chunk/],
  ] as const)
    test(`an import of what ${name}`, async (t) => {
      const at = place(t)
      const file = join(at.folder, 'old.db')
      writeFileSync(file, content, 'latin1')
      const { status, stderr } = await run(at, '--import-mosquitto-db', file)
      assert.equal(status, 1)
      assert.match(stderr, says)
      assert.throws(() => statSync(join(at.folder, 's.db')), /ENOENT/)
    })
})
