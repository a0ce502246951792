// A connection whose peer both publishes and subscribes: what it has to answer and what it waits for leave in segments of their own.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { Connection, type ConnectionOwner } from '../../src/net/connection.js'
import { sharedMemory } from '../../src/net/outbox.js'
import { NumberedRun } from '../../src/protocol/numbered-run.js'
import { PublishFrames } from '../../src/protocol/publish-frames.js'
import { localMessage } from '../../src/session/message.js'

const PUBACK = 0x40
const PUBREL = 0x62
const PUBLISH = '32 07 00 01 61 00 01 68 69'

const owner: ConnectionOwner = {
  onPacket: () => {},
  onError: (error) => assert.fail(String(error)),
  onClose: () => {},
  onDrain: () => {},
}

function recorded() {
  const writes: string[] = []
  const socket = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk.toString('hex').replace(/..(?=.)/g, '$& '))
      done()
    },
  })
  const connection = new Connection(socket, owner, 'client', sharedMemory())
  const frames = new PublishFrames()
  frames.use(localMessage('a', Buffer.from('hi'), 1, false))
  return {
    connection,
    publish: () => connection.outbox.writeFrame(frames.frame(4, true), 0x32, 1),
    /** What the socket got in this turn of the event loop, write by write. */
    async turn(): Promise<string[]> {
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
      return writes.splice(0)
    },
  }
}

test('acknowledgements of a peer that only publishes leave together', async () => {
  const { connection, turn } = recorded()
  for (let id = 1; id <= 3; id++) connection.outbox.writeAck(PUBACK, id)
  assert.deepEqual(await turn(), ['40 02 00 01 40 02 00 02 40 02 00 03'])
})

for (const first of ['publish', 'acknowledgement'] as const)
  test(`after a turn with both, the ${first} first, acknowledgements leave behind what has to be answered`, async () => {
    const { connection, publish, turn } = recorded()
    if (first === 'publish') publish()
    connection.outbox.writeAck(PUBACK, 7)
    if (first === 'acknowledgement') publish()
    assert.equal((await turn()).length, 1)
    connection.outbox.writeAck(PUBACK, 8)
    publish()
    connection.outbox.writeAck(PUBACK, 9)
    assert.deepEqual(await turn(), [PUBLISH, '40 02 00 08 40 02 00 09'])
  })

for (const first of ['run', 'acknowledgement'] as const)
  test(`so they do after a turn with a run of packets, the ${first} first`, async () => {
    const { connection, publish, turn } = recorded()
    const packet = Buffer.from('32050001610001', 'hex')
    const run = new NumberedRun()
    run.find(Buffer.concat([packet, packet]), 2, 5, 4, packet.length, 2 * packet.length, 100, 100)
    const parts = [
      () => connection.outbox.writeRun(run, Uint16Array.of(5), 1),
      () => connection.outbox.writeAck(PUBACK, 7),
    ]
    for (const part of first === 'run' ? parts : parts.reverse()) part()
    const wanted = ['32 05 00 01 61 00 05', '40 02 00 07']
    assert.deepEqual(await turn(), [(first === 'run' ? wanted : wanted.reverse()).join(' ')])
    connection.outbox.writeAck(PUBACK, 8)
    publish()
    assert.deepEqual(await turn(), [PUBLISH, '40 02 00 08'])
  })

async function twoWay() {
  const kit = recorded()
  kit.publish()
  kit.connection.outbox.writeAck(PUBACK, 7)
  await kit.turn()
  return kit
}

test('PUBREL is answered too and stays with the publishes', async () => {
  const { connection, publish, turn } = await twoWay()
  connection.outbox.writeAck(PUBACK, 8)
  publish()
  connection.outbox.writeAck(PUBREL, 3)
  assert.deepEqual(await turn(), [`${PUBLISH} 62 02 00 03`, '40 02 00 08'])
})

test('any other packet leaves behind the acknowledgements before it', async () => {
  const { connection, turn } = await twoWay()
  connection.outbox.writeAck(PUBACK, 8)
  connection.outbox.write(Buffer.from('d000', 'hex'))
  connection.outbox.writeAck(PUBACK, 9)
  assert.deepEqual(await turn(), ['40 02 00 08 d0 00', '40 02 00 09'])
})

test('many acknowledgements keep their order', async () => {
  const { connection, turn } = await twoWay()
  for (let id = 1; id <= 300; id++) connection.outbox.writeAck(PUBACK, id)
  const sent = (await turn()).join(' ').match(/40 02 (.. ..)/g) ?? []
  assert.deepEqual(
    sent.map((ack) => Number.parseInt(ack.slice(6).replace(' ', ''), 16)),
    Array.from({ length: 300 }, (_, index) => index + 1),
  )
})

test('what is held back leaves before the connection ends', async () => {
  const { connection, turn } = await twoWay()
  connection.outbox.writeAck(PUBACK, 8)
  connection.end()
  assert.deepEqual(await turn(), ['40 02 00 08'])
})
