// Every golden packet: decoded, encoded to the very bytes, arriving in two pieces cut anywhere, and cut short anywhere.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodePacket } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { packet } from '../golden/bytes.js'
import { senders, versions } from '../golden/golden-packet.js'
import { goldenPackets } from '../golden/packets.js'
import { packetsIn, plain, protocolErrorOf } from './decoding.js'

for (const row of goldenPackets) {
  const { name, version, sender, bytes } = row
  const meaning = plain(row.packet)

  test(`decode ${name}`, () => {
    assert.deepEqual(packetsIn([bytes], version, sender), [meaning])
  })

  test(`encode ${name}`, () => {
    const encoded = encodePacket(row.packet, version)
    if (row.readOnly === undefined) assert.equal(encoded.toString('hex'), bytes.toString('hex'))
    else {
      assert.notEqual(encoded.toString('hex'), bytes.toString('hex'))
      assert.deepEqual(packetsIn([encoded], version, sender), [meaning])
    }
  })

  test(`split ${name}`, () => {
    for (let cut = 1; cut < bytes.length; cut++) {
      const packets = packetsIn([bytes.subarray(0, cut), bytes.subarray(cut)], version, sender)
      assert.deepEqual(packets, [meaning], `cut at ${cut}`)
    }
  })

  test(`short ${name}`, () => {
    for (let length = 0; length < bytes.length; length++)
      assert.deepEqual(packetsIn([bytes.subarray(0, length)], version, sender), [], `${length} bytes`)
    const body = bytes.subarray(bytes.findIndex((byte, at) => at > 0 && byte < 0x80) + 1)
    if (body.length > 200) return
    for (let length = 0; length < body.length; length++) {
      const shortened = packet(bytes[0] as number, [...body.subarray(0, length)])
      protocolErrorOf(() => packetsIn([shortened], version, sender))
    }
  })
}

test('every golden packet at once, a byte at a time', () => {
  for (const version of versions)
    for (const sender of senders) {
      const rows = goldenPackets.filter((row) => row.version === version && row.sender === sender)
      const stream = Buffer.concat(rows.map((row) => row.bytes))
      const meanings = rows.map((row) => plain(row.packet))
      assert.deepEqual(packetsIn([stream], version, sender), meanings)
      const single = Array.from(stream, (byte) => Uint8Array.of(byte))
      assert.deepEqual(packetsIn(single, version, sender), meanings)
    }
})

test('the table covers every packet type, version and side', () => {
  const present = new Set(goldenPackets.map((row) => `${row.packet.type} ${row.version} ${row.sender}`))
  const missing: string[] = []
  const client = [1, 3, 4, 5, 6, 7, 8, 10, 12, 14]
  const server = [2, 3, 4, 5, 6, 7, 9, 11, 13]
  for (const version of versions) {
    for (const type of client) if (!present.has(`${type} ${version} client`)) missing.push(`${type} ${version} client`)
    for (const type of server) if (!present.has(`${type} ${version} server`)) missing.push(`${type} ${version} server`)
  }
  for (const only5 of ['14 5 server', '15 5 client', '15 5 server']) if (!present.has(only5)) missing.push(only5)
  assert.deepEqual(missing, [])
  assert.equal(new Set(goldenPackets.map((row) => row.name)).size, goldenPackets.length)
  assert.ok(goldenPackets.length >= 150, `${goldenPackets.length} rows`)
  assert.equal(Object.keys(PacketType).length, 15)
})
