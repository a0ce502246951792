// A database that Debian's Mosquitto has written, read in with --import-mosquitto-db: its clients go on with tsmq as if nothing had
// happened.

import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { readMosquittoDb } from '../../src/store/mosquitto-db.js'
import { mosquittoBatch } from '../../src/store/mosquitto-import.js'
import { line, publishesOf, received } from '../support/deliveries.js'
import { killPrograms, Program } from '../support/program.js'
import { type ConnectFields, RawClient } from '../support/raw-client.js'
import { command } from '../support/tsmq-process.js'
import { pathOf, suite } from './programs.js'

const durable = (clientId: string, more: ConnectFields = {}): ConnectFields => ({
  clientId,
  version: 5,
  cleanStart: false,
  properties: { sessionExpiryInterval: 1000 },
  ...more,
})

const opened = new Set<RawClient>()

async function connect(port: number, fields: ConnectFields) {
  const joined = await RawClient.connect(port, fields)
  opened.add(joined.client)
  return joined
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe(...suite('a database of Mosquitto', ['mosquitto']), () => {
  let folder: string
  let port: number
  let db: string
  let tsmq: Program

  /** Everything that Mosquitto is to keep. */
  async function fill(): Promise<void> {
    const queue = await connect(port, durable('queue', { username: 'joe' }))
    await queue.client.subscribe([{ filter: 'q/#', qos: 2, retainAsPublished: true }], {
      subscriptionIdentifiers: [77],
    })
    await queue.client.drop()
    const old = await connect(port, { clientId: 'old', cleanStart: false })
    await old.client.subscribe([{ filter: 'q/+', qos: 1 }])
    await old.client.drop()
    const { client: from } = await connect(port, { clientId: 'from', version: 5, username: 'ann' })
    for (const [topic, payload, qos, retain] of [
      ['q/a', 'one', 2, false],
      ['q/b', 'two', 1, false],
      ['q/c', 'three', 2, true],
      ['kept/1', 'retained', 1, true],
      ['kept/2', 'cleared', 1, true],
      ['kept/2', '', 1, true],
    ] as const) {
      const properties = { contentType: 'text', messageExpiryInterval: 3600, userProperties: [['a', 'b'] as const] }
      const { packetId } = from.publish({ topic, payload, qos, retain, properties })
      await from.next()
      if (qos === 2) {
        from.ack(PacketType.PUBREL, packetId)
        await from.expect(PacketType.PUBCOMP)
      }
    }
    // The first message has its PUBREC, the second was sent only.
    const again = await connect(port, durable('queue', { username: 'joe' }))
    const [first] = publishesOf(await again.client.settled()) as [Publish]
    again.client.ack(PacketType.PUBREC, first.packetId)
    await again.client.expect(PacketType.PUBREL)
    await again.client.drop()
    // This one was begun and not released.
    const sender = await connect(port, durable('sender'))
    sender.client.publish({ topic: 'q/d', payload: 'begun', qos: 2, packetId: 9 })
    await sender.client.expect(PacketType.PUBREC)
    await sender.client.drop()
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tsmq-import-'))
    port = await freePort()
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${folder}/`,
    ]
    const conf = join(folder, 'mosquitto.conf')
    writeFileSync(conf, [...lines, 'user root', 'log_dest stderr', ''].join('\n'))
    const mosquitto = new Program(pathOf('mosquitto'), ['-c', conf])
    await mosquitto.line(/mosquitto version \S+ running/)
    await fill()
    await mosquitto.stop()
    db = join(folder, 'mosquitto.db.old')
    copyFileSync(join(folder, 'mosquitto.db'), db)
    // The file itself is refused, with what to do.
    const refused = await command('tsmq', ['-c', conf], { cwd: folder, input: '' }).ended
    assert.equal(refused.status, 1)
    assert.match(refused.stderr, /was written by Mosquitto.*--import-mosquitto-db/)
    rmSync(join(folder, 'mosquitto.db'))
    const imported = await command('tsmq', ['-c', conf, '--import-mosquitto-db', db], { cwd: folder, input: '' }).ended
    assert.match(imported.stderr, /3 sessions, 2 subscriptions, 8 queued messages, 2 retained messages/)
    assert.equal(imported.status, 0)
    tsmq = command('tsmq', ['-c', conf], { cwd: folder })
    await tsmq.line(/ running$/)
  })

  after(async () => {
    for (const each of opened) await each.drop()
    await tsmq?.stop()
    killPrograms()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a 5.0 session goes on: PUBREL, then PUBLISH with DUP, then what was queued', async () => {
    const { client, connack } = await connect(port, durable('queue', { username: 'joe' }))
    assert.equal(connack.sessionPresent, true)
    const packets = await client.settled()
    assert.equal(packets[0]?.type, PacketType.PUBREL)
    const publishes = publishesOf(packets)
    assert.deepEqual(publishes.map(line), ['q/b two q1 dup', 'q/c three q2 retain dup', 'q/d begun q2'])
    const [second] = publishes as [Publish]
    assert.deepEqual(second.properties.subscriptionIdentifiers, [77])
    assert.equal(second.properties.contentType, 'text')
    assert.deepEqual(second.properties.userProperties, [['a', 'b']])
    assert.ok((second.properties.messageExpiryInterval ?? 0) > 3000)
    assert.deepEqual((await client.unsubscribe('q/#', 'q/+')).reasonCodes, [0, 0x11])
  })

  test('a 3.1.1 session goes on', async () => {
    const { client, connack } = await connect(port, { clientId: 'old', cleanStart: false })
    assert.equal(connack.sessionPresent, true)
    assert.deepEqual(await received(client), ['q/a one q1', 'q/b two q1', 'q/c three q1', 'q/d begun q1'])
  })

  test('a message that was begun is not taken twice', async () => {
    const { client, connack } = await connect(port, durable('sender'))
    assert.equal(connack.sessionPresent, true)
    client.publish({ topic: 'q/d', payload: 'begun', qos: 2, packetId: 9, dup: true })
    await client.expect(PacketType.PUBREC)
    client.ack(PacketType.PUBREL, 9)
    await client.expect(PacketType.PUBCOMP)
    const { client: reader } = await connect(port, { clientId: 'old', cleanStart: false })
    const begun = (await received(reader)).filter((text) => text.includes('begun'))
    assert.deepEqual(begun, ['q/d begun q1 dup'])
  })

  test('retained messages', async () => {
    const { client } = await connect(port, { clientId: 'reader', version: 5 })
    await client.subscribe('#')
    assert.deepEqual((await received(client)).sort(), ['kept/1 retained q1 retain', 'q/c three q2 retain'])
  })

  test('a file of version 5, which has neither listener nor user name', () => {
    const bytes = readFileSync(db)
    const head = bytes.subarray(0, 23)
    const chunks: Buffer[] = [Buffer.from(head)]
    chunks[0]?.writeUInt32BE(5, 19)
    for (let at = 23; at < bytes.length; ) {
      const type = bytes.readUInt32BE(at)
      const body = bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at + 4))
      at += 8 + body.length
      const idSize = body.length >= 24 ? body.readUInt16BE(14) : 0
      const old = type === 6 ? Buffer.concat([body.subarray(0, 16), body.subarray(24, 24 + idSize)]) : body
      const chunkHead = Buffer.alloc(8)
      chunkHead.writeUInt32BE(type)
      chunkHead.writeUInt32BE(old.length, 4)
      chunks.push(chunkHead, old)
    }
    const five = readMosquittoDb(Buffer.concat(chunks))
    const six = readMosquittoDb(bytes)
    assert.deepEqual(
      five.clients,
      six.clients.map((each) => ({ ...each, username: undefined, port: 0 })),
    )
    assert.deepEqual(mosquittoBatch(five).counts, mosquittoBatch(six).counts)
  })
})
