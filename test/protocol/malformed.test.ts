// Every malformed packet is refused with its reason code, also when it arrives a byte at a time and behind a good packet.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { raw, u8 } from '../golden/bytes.js'
import { malformedPackets } from '../golden/malformed.js'
import { packetsIn, protocolErrorOf } from './decoding.js'

for (const { name, version, sender, bytes, reasonCode } of malformedPackets)
  test(name, () => {
    assert.equal(protocolErrorOf(() => packetsIn([bytes], version, sender))?.reasonCode, reasonCode)
    if (bytes.length > 1000) return
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
    assert.equal(protocolErrorOf(() => packetsIn(single, version, sender))?.reasonCode, reasonCode)
    const ping = raw(u8(sender === 'client' ? 0xc0 : 0xd0), u8(0))
    assert.equal(protocolErrorOf(() => packetsIn([ping, bytes], version, sender))?.reasonCode, reasonCode)
  })

test('the table of malformed packets has distinct rows', () => {
  assert.ok(malformedPackets.length >= 150, `${malformedPackets.length} rows`)
  const names = new Set<string>()
  const repeated = malformedPackets.filter((row) => names.size === names.add(row.name).size).map((row) => row.name)
  assert.deepEqual(repeated, [])
})
