// The ACL at work: every way in which a message can enter or leave the broker asks it (spec of the file: files.md section 2).

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as pathOf } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { AccessControl } from '../../src/broker/access-control.js'
import type { BrokerContext } from '../../src/broker/context.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Ack } from '../../src/protocol/packets/acks.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { client, nextPublish, payloads, received } from '../support/deliveries.js'
import type { ConnectFields, RawClient } from '../support/raw-client.js'

const acl = `
topic read open/#
topic write open/anonymous
topic read $SYS/broker/version
user writer
topic write #
topic read $own/#
topic write $own/#
user reader
topic read #
topic deny room/secret/#
user both
topic readwrite #
user lonely
pattern readwrite sensor/%u/data
pattern read inbox/%c/#
`

const broker = await startBroker({ conf: 'sys_interval 0\nacl_file {folder}/acl', files: { acl } })
after(() => broker.stop())

let number = 0

async function user(t: TestContext, username: string | undefined, fields: ConnectFields = {}): Promise<RawClient> {
  const login = username === undefined ? {} : { username }
  return client(t, broker, { clientId: `${username}-${++number}`, version: 5, ...login, ...fields })
}

function durable(clientId: string, username: string): ConnectFields {
  return { clientId, username, version: 5, cleanStart: false, properties: { sessionExpiryInterval: 1000 } }
}

async function leave(one: RawClient): Promise<void> {
  one.disconnect()
  await one.closed()
}

/** Puts other rules in force, as a reload does. */
function putInForce({ broker: running }: TestBroker, rules: string): void {
  const { context } = running as unknown as { readonly context: BrokerContext }
  const folder = mkdtempSync(pathOf(tmpdir(), 'tsmq-acl-'))
  try {
    const file = pathOf(folder, 'acl')
    writeFileSync(file, rules, { mode: 0o600 })
    // The listener keeps the name of its file; only what the file says is new.
    const [listener] = context.config.listeners
    const access = new AccessControl(
      { ...context.config, listeners: [{ ...listener, acl_file: file } as never] },
      {} as never,
    )
    const { rightsFor } = access
    access.rightsFor = (asked, ...who) => rightsFor.call(access, { ...asked, acl_file: file }, ...who)
    context.access = access
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('publish', () => {
  const rows = [
    { name: 'anonymous, allowed', username: undefined, topic: 'open/anonymous', allowed: true },
    { name: 'anonymous, only readable', username: undefined, topic: 'open/other', allowed: false },
    { name: 'a user with #', username: 'writer', topic: 'a/b', allowed: true },
    { name: 'a user without', username: 'reader', topic: 'a/b', allowed: false },
    { name: 'unknown user', username: 'nobody', topic: 'a/b', allowed: false },
    { name: '# does not stand for $ topics', username: 'both', topic: '$own/x', allowed: false },
    { name: 'a $ topic by name', username: 'writer', topic: '$own/x', allowed: true },
    {
      name: "CVE-2026-33217 $SYS is nobody's to write",
      username: 'writer',
      topic: '$SYS/broker/version',
      allowed: false,
    },
    { name: 'pattern %u', username: 'sam', topic: 'sensor/sam/data', allowed: true },
    { name: 'pattern %u of another', username: 'sam', topic: 'sensor/tom/data', allowed: false },
    { name: 'pattern %u is skipped for anonymous clients', username: undefined, topic: 'sensor//data', allowed: false },
  ]
  for (const { name, username, topic, allowed } of rows)
    test(`${name}: ${allowed ? 'accepted' : 'refused with 0x87, in 3.1.1 acknowledged and dropped'}`, async (t) => {
      const watcher = await user(t, 'both')
      await watcher.subscribe([{ filter: topic }])
      const spy = topic.startsWith('$') ? await user(t, 'writer') : watcher
      await spy.subscribe([{ filter: topic }])
      const five = await user(t, username)
      five.publish({ topic, payload: 'v5 q0' })
      five.publish({ topic, payload: 'v5 q1', qos: 1 })
      five.publish({ topic, payload: 'v5 q2', qos: 2 })
      const codes = ((await five.settled()) as Ack[]).map(({ reasonCode }) => reasonCode)
      if (allowed) for (const code of codes) assert.ok(code < 0x80)
      else assert.deepEqual(codes, [0x87, 0x87])
      const four = await user(t, username, { version: 4 })
      four.publish({ topic, payload: 'v4 q1', qos: 1 })
      await four.expect(PacketType.PUBACK)
      const expected = allowed ? ['v5 q0', 'v5 q1', 'v5 q2', 'v4 q1'] : []
      assert.deepEqual(await payloads(spy), expected)
    })
})

describe('deliver', () => {
  test('SUBSCRIBE is always granted, the NanoMQ lesson: that never means that anything is delivered', async (t) => {
    const reader = await user(t, 'lonely')
    assert.deepEqual((await reader.subscribe([{ filter: '#' }, { filter: 'room/x' }])).reasonCodes, [0, 0])
    const writer = await user(t, 'writer')
    writer.publish({ topic: 'room/x', payload: 'x' })
    await writer.settled()
    assert.deepEqual(await payloads(reader), [])
  })

  test('NATS 2026-26: a narrower deny holds for live, retained and queued messages alike', async (t) => {
    const fields = durable('deny', 'reader')
    const reader = await client(t, broker, fields)
    const writer = await user(t, 'writer')
    writer.publish({ topic: 'room/secret/old', payload: 'no', retain: true })
    writer.publish({ topic: 'room/old', payload: 'retained', retain: true })
    await writer.settled()
    await reader.subscribe([{ filter: 'room/#', qos: 1 }])
    for (const topic of ['room/secret', 'room/secret/x']) writer.publish({ topic, payload: 'no', qos: 1 })
    writer.publish({ topic: 'room/x', payload: 'live', qos: 1 })
    await writer.settled()
    assert.deepEqual(await payloads(reader), ['retained', 'live'])
    reader.ack(PacketType.PUBACK, 1)
    await leave(reader)
    for (const topic of ['room/secret/x', 'room/y']) writer.publish({ topic, payload: topic, qos: 1 })
    await writer.settled()
    assert.deepEqual(await payloads(await client(t, broker, fields)), ['room/y'])
  })

  test('NATS 2026-18: a shared subscription does not escape a deny, and the message goes to a member that may read', async (t) => {
    const denied = await user(t, 'reader')
    const allowed = await user(t, 'both')
    for (const one of [denied, allowed]) await one.subscribe([{ filter: '$share/g/room/secret/+', qos: 1 }])
    const writer = await user(t, 'writer')
    for (let i = 0; i < 4; i++) writer.publish({ topic: 'room/secret/x', payload: `${i}`, qos: 1 })
    await writer.settled()
    assert.deepEqual(await payloads(denied), [])
    assert.deepEqual(await payloads(allowed), ['0', '1', '2', '3'])
  })

  test('pattern %c, and CVE-2017-7650: names that hold wildcards or slashes open nothing', async (t) => {
    const writer = await user(t, 'writer')
    const ids = ['plain', '+', '#', 'a/b', '+/x']
    const readers = await Promise.all(
      ids.map(async (clientId) => {
        const one = await client(t, broker, { clientId, username: 'anyone' })
        await one.subscribe([{ filter: 'inbox/#' }, { filter: 'sensor/#' }])
        return one
      }),
    )
    for (const id of ['plain', 'other', 'a/b', 'a']) writer.publish({ topic: `inbox/${id}/x`, payload: id })
    await writer.settled()
    const got = await Promise.all(readers.map(payloads))
    assert.deepEqual(got, [['plain'], [], [], [], []])
  })

  for (const username of ['+', '#', 'tom/data', 'a/../tom', '%u', '%c'])
    test(`CVE-2017-7650: user name ${username} neither reads nor writes what is tom's`, async (t) => {
      const mallory = await client(t, broker, { clientId: `mallory-${++number}`, username, version: 5 })
      await mallory.subscribe([{ filter: 'sensor/tom/data' }, { filter: '#' }])
      const tom = await user(t, 'tom')
      tom.publish({ topic: 'sensor/tom/data', payload: 'secret', qos: 1 })
      await tom.settled()
      assert.deepEqual(await payloads(mallory), [])
      mallory.publish({ topic: 'sensor/tom/data', payload: 'forged', qos: 1 })
      assert.equal(((await mallory.expect(PacketType.PUBACK)) as Ack).reasonCode, 0x87)
    })

  test('$SYS is read only where a rule with $ allows it', async (t) => {
    const sys = await startBroker({ conf: 'acl_file {folder}/acl', files: { acl } })
    t.after(() => sys.stop())
    const count = async (username: string | undefined) => {
      const login = username === undefined ? {} : { username }
      const one = await client(t, sys, { clientId: `sys-${username}`, ...login })
      await one.subscribe([{ filter: '$SYS/#' }])
      return (await payloads(one)).length
    }
    assert.equal(await count(undefined), 1)
    assert.equal(await count('reader'), 0)
  })
})

describe('wills', () => {
  const will = (topic: string) => ({ topic, payload: Buffer.from('will') })

  for (const version of [4, 5] as const)
    test(`${version}: CVE-2018-3778 E51 one that may not be written is not kept at CONNECT; the client comes in`, async (t) => {
      const watcher = await user(t, 'both')
      await watcher.subscribe([{ filter: 'wills/#' }])
      for (const username of ['reader', 'writer']) {
        const leaving = await user(t, username, { version, will: will(`wills/${username}`) })
        await leaving.drop()
      }
      assert.equal((await nextPublish(watcher)).topic, 'wills/writer')
      assert.deepEqual(await payloads(watcher), [])
      assert.ok(broker.log.some((text) => text.startsWith('Will of reader-') && text.includes("'wills/reader' denied")))
    })

  test('a will to $SYS or $share is never published, with or without ACL', async (t) => {
    const open = await startBroker({ conf: 'sys_interval 0' })
    t.after(() => open.stop())
    const watcher = await client(t, open, { clientId: 'watcher' })
    await watcher.subscribe([{ filter: '#' }, { filter: '$SYS/#' }, { filter: '$share/g/#' }])
    for (const topic of ['$SYS/broker/version', '$share/g/t']) {
      const leaving = await client(t, open, { clientId: 'leaving', will: will(topic) })
      await leaving.drop()
    }
    await client(t, open, { clientId: 'probe' })
    assert.deepEqual(await payloads(watcher), [])
  })
})

describe('after the rules have changed', () => {
  const before = 'user p\ntopic write #\nuser s\ntopic read #\n'

  async function running(t: TestContext, conf = ''): Promise<TestBroker> {
    const own = await startBroker({ conf: `sys_interval 0\nacl_file {folder}/acl\n${conf}`, files: { acl: before } })
    t.after(() => own.stop())
    return own
  }

  for (const [conf, delivered] of [
    ['', ['ok x q0 retain']],
    ['check_retain_source true', ['ok x q0 retain']],
    ['check_retain_source false', ['lost x q0 retain', 'ok x q0 retain']],
  ] as const)
    test(`CVE-2018-12546: a retained message whose publisher has lost the right, ${conf || 'by default'}`, async (t) => {
      const own = await running(t, conf)
      const publisher = await client(t, own, { clientId: 'p', username: 'p' })
      for (const topic of ['lost', 'ok']) publisher.publish({ topic, payload: 'x', retain: true })
      await publisher.settled()
      putInForce(own, 'user p\ntopic write ok\nuser s\ntopic read #\n')
      const reader = await client(t, own, { clientId: 's', username: 's' })
      await reader.subscribe([{ filter: '#' }])
      assert.deepEqual((await received(reader)).sort(), delivered)
    })

  test('CVE-2021-34434: a durable client that has lost the right gets nothing on its return: not what is queued, not what is sent again, nothing new', async (t) => {
    const own = await running(t)
    const fields = durable('s', 's')
    const first = await client(t, own, fields)
    await first.subscribe([{ filter: '#', qos: 1 }])
    const publisher = await client(t, own, { clientId: 'p', username: 'p' })
    for (const topic of ['lost/open', 'ok/open']) publisher.publish({ topic, payload: 'x', qos: 1 })
    await publisher.settled()
    assert.equal((await payloads(first)).length, 2)
    await leave(first)
    for (const topic of ['lost/queued', 'ok/queued']) publisher.publish({ topic, payload: 'x', qos: 1 })
    await publisher.settled()
    putInForce(own, 'user p\ntopic write #\nuser s\ntopic read ok/#\n')
    const again = await client(t, own, fields)
    for (const topic of ['lost/new', 'ok/new']) publisher.publish({ topic, payload: 'x', qos: 1 })
    await publisher.settled()
    assert.deepEqual(await received(again), ['ok/open x q1 dup', 'ok/queued x q1', 'ok/new x q1'])
  })

  test('a will is judged again when it fires', async (t) => {
    const own = await running(t)
    const watcher = await client(t, own, { clientId: 's', username: 's' })
    await watcher.subscribe([{ filter: '#' }])
    const leaving = await client(t, own, { clientId: 'p', username: 'p', will: { topic: 'w' } })
    putInForce(own, 'user s\ntopic read #\n')
    await leaving.drop()
    await client(t, own, { clientId: 'probe', username: 's' })
    assert.deepEqual(await payloads(watcher), [])
  })
})
