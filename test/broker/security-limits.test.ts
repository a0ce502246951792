// Limits that are there by default or by option, and files that cannot be used: no mistake opens the broker.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AccessError } from '../../src/broker/access-control.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { startBroker } from '../support/broker-kit.js'
import { client, join } from '../support/deliveries.js'
import { passwordFile } from '../support/password-lines.js'
import { connectPacket, RawClient } from '../support/raw-client.js'

/** Whether one more connection gets a CONNACK. */
async function isLetIn(port: number): Promise<boolean> {
  const one = await RawClient.open(port)
  one.send(connectPacket({ clientId: 'one more' }))
  const first = await one.next().catch(() => undefined)
  await one.drop()
  return first?.type === PacketType.CONNACK
}

describe('slots', () => {
  test('CVE-2020-13849 CVE-2023-5632: E12 connections without a whole CONNECT end when connect_timeout is over', async (t) => {
    const own = await startBroker({ conf: 'connect_timeout 5' })
    t.after(() => own.stop())
    const silent = await RawClient.open(own.port)
    const dripping = await RawClient.open(own.port)
    dripping.send('10 20 00 04 4d')
    await client(t, own, { clientId: 'in-time' }).then((one) => one.settled())
    own.advance(4.5)
    dripping.send('51')
    own.advance(0.5)
    assert.deepEqual(await silent.closed(), [])
    assert.deepEqual(await dripping.closed(), [])
  })

  const keepAlives = [
    { version: 4, keepAlive: 0, accepted: false },
    { version: 4, keepAlive: 61, accepted: false },
    { version: 3, keepAlive: 65_535, accepted: false },
    { version: 4, keepAlive: 60, accepted: true },
  ] as const
  for (const { version, keepAlive, accepted } of keepAlives)
    test(`CVE-2020-13849: max_keepalive 60 ${accepted ? 'accepts' : 'refuses'} ${keepAlive} of version ${version}`, async (t) => {
      const own = await startBroker({ conf: 'max_keepalive 60' })
      t.after(() => own.stop())
      const { connack } = await join(t, own, { clientId: 'x', version, keepAlive })
      assert.equal(connack.reasonCode, accepted ? 0 : 2)
    })

  for (const keepAlive of [0, 65_535])
    test(`CVE-2020-13849: max_keepalive 60 lowers ${keepAlive} of 5.0 and ends the connection by it`, async (t) => {
      const own = await startBroker({ conf: 'max_keepalive 60' })
      t.after(() => own.stop())
      const { client: one, connack } = await join(t, own, { clientId: 'x', version: 5, keepAlive })
      assert.equal(connack.properties.serverKeepAlive, 60)
      own.advance(91)
      const [last] = await one.closed()
      assert.ok(last?.type === PacketType.DISCONNECT && last.reasonCode === 0x8d)
    })

  for (const option of ['global_max_connections', 'max_connections', 'max_connections_per_ip'])
    for (const limit of [0, 1, 2])
      test(`CVE-2020-13849 D3.5: ${option} ${limit}: ${limit === 0 ? 'nobody is turned away' : `${limit + 1} are too many, until one leaves`}`, async (t) => {
        const own = await startBroker({ conf: `${option} ${limit}` })
        t.after(() => own.stop())
        const [first] = await Promise.all(
          ['a', 'b', 'c'].slice(0, limit || 3).map((clientId) => client(t, own, { clientId })),
        )
        if (limit === 0 || first === undefined) return
        const tooMany = await RawClient.open(own.port)
        tooMany.send(connectPacket({ clientId: 'd' }))
        assert.deepEqual(await tooMany.closed(), [])
        first.disconnect()
        await first.closed()
        // The broker notices the end a moment after the client.
        let tries = 0
        while (tries < 100 && !(await isLetIn(own.port))) tries++
        assert.ok(tries < 100)
      })

  test('D3.5 global_max_clients counts sessions that are away: 0x89, a known one may come back', async (t) => {
    const own = await startBroker({ conf: 'global_max_clients 1' })
    t.after(() => own.stop())
    const first = await client(t, own, { clientId: 'a', cleanStart: false })
    first.disconnect()
    await first.closed()
    assert.equal((await join(t, own, { clientId: 'b', version: 5 })).connack.reasonCode, 0x89)
    assert.equal((await join(t, own, { clientId: 'a', cleanStart: false })).connack.sessionPresent, true)
  })
})

describe('D3.6 files that cannot be used', () => {
  const files = [
    { name: 'CVE-2018-12551: a user without a name', conf: 'password_file', content: `${passwordFile('ann')}:x\n` },
    { name: 'CVE-2018-12551: a user without a hash', conf: 'password_file', content: 'ann:\n' },
    { name: 'a hash that is none', conf: 'password_file', content: 'ann:secret\n' },
    { name: 'an ACL line that is none', conf: 'acl_file', content: 'topic read a\nallow everything\n' },
    { name: 'an ACL with a bad filter', conf: 'acl_file', content: 'topic read a/#/b\n' },
  ]
  for (const { name, conf, content } of files)
    test(`${name}: the broker does not start`, async () => {
      await assert.rejects(startBroker({ conf: `${conf} {folder}/file`, files: { file: content } }), AccessError)
    })

  for (const conf of ['acl_file', 'password_file'])
    test(`${conf} that is missing: the broker does not start`, async () => {
      await assert.rejects(startBroker({ conf: `${conf} {folder}/missing` }), AccessError)
    })

  for (const content of ['', '# nothing but a comment\n', '\n\n'])
    test(`CVE-2018-12550: an ACL file of ${JSON.stringify(content)} allows nothing`, async (t) => {
      const own = await startBroker({ conf: 'acl_file {folder}/acl', files: { acl: content } })
      t.after(() => own.stop())
      const one = await client(t, own, { clientId: 'x', version: 5 })
      await one.subscribe([{ filter: '#' }, { filter: '$SYS/#' }])
      one.publish({ topic: 'a', qos: 1, packetId: 9 })
      const [ack, ...others] = await one.settled()
      assert.ok(ack?.type === PacketType.PUBACK && ack.reasonCode === 0x87)
      assert.deepEqual(others, [])
    })

  for (const anonymous of [true, false])
    test(`CVE-2018-20145: acl_file, password_file and allow_anonymous ${anonymous} hold for each listener`, async (t) => {
      const files = { acl: 'topic read a\n', passwords: passwordFile('ann') }
      const conf = `listener 0 127.0.0.1\nacl_file {folder}/acl\npassword_file {folder}/passwords\nallow_anonymous ${anonymous}`
      const own = await startBroker({ conf, files })
      t.after(() => own.stop())
      const ports = own.log.flatMap((text) => / listen socket on port (\d+)/.exec(text)?.[1] ?? []).map(Number)
      assert.equal(ports.length, 2)
      for (const port of ports) {
        const there = { ...own, port }
        const { connack, client: one } = await join(t, there, { clientId: 'x', version: 5 })
        assert.equal(connack.reasonCode >= 0x80, !anonymous)
        const logins = [{ password: 'ann' }, { password: 'bob' }, {}]
        const codes: number[] = []
        for (const login of logins)
          codes.push(
            (await join(t, there, { clientId: 'y', version: 5, username: 'ann', ...login })).connack.reasonCode,
          )
        assert.deepEqual(codes, [0, 0x87, 0x87])
        if (!anonymous) continue
        one.publish({ topic: 'a', qos: 1 })
        const ack = await one.expect(PacketType.PUBACK)
        assert.ok(ack.type === PacketType.PUBACK && ack.reasonCode === 0x87)
      }
    })
})
