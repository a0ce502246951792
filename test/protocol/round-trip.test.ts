// Encode, then decode: any packet of any version and side comes back as it was, in one piece or in two.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodePacket } from '../../src/protocol/codec.js'
import { senders, versionNames, versions } from '../golden/golden-packet.js'
import { packetArbitraries } from '../support/packet-arbitraries.js'
import { packetsIn, plain } from './decoding.js'

for (const version of versions)
  for (const sender of senders)
    for (const [name, arbitrary] of Object.entries(packetArbitraries(version, sender)))
      test(`${name} ${versionNames[version]} from ${sender} comes back as it was`, () => {
        fc.assert(
          fc.property(arbitrary, fc.nat(), (packet, at) => {
            const bytes = encodePacket(packet, version)
            assert.deepEqual(packetsIn([bytes], version, sender), [plain(packet)])
            const cut = 1 + (at % (bytes.length - 1))
            const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)]
            assert.deepEqual(packetsIn(pieces, version, sender), [plain(packet)])
          }),
          { numRuns: 100 },
        )
      })

for (const version of versions)
  for (const sender of senders)
    test(`any packets of ${versionNames[version]} from ${sender} in one stream, cut anywhere`, () => {
      const any = fc.oneof(...Object.values(packetArbitraries(version, sender)))
      const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 })
      fc.assert(
        fc.property(fc.array(any, { minLength: 1, maxLength: 8 }), sizes, (packets, lengths) => {
          const stream = Buffer.concat(packets.map((packet) => encodePacket(packet, version)))
          const chunks: Buffer[] = []
          let at = 0
          for (let i = 0; at < stream.length; i++) {
            const length = lengths[i] ?? 8192
            chunks.push(stream.subarray(at, at + length))
            at += length
          }
          assert.deepEqual(packetsIn(chunks, version, sender), packets.map(plain))
        }),
        { numRuns: 50 },
      )
    })
