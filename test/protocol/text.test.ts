// Text fields: which bytes are text (MQTT 5.0 section 1.5.4), for every code point and for any bytes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeText } from '../../src/protocol/reader.js'
import { badTexts } from '../golden/malformed-packet.js'
import { protocolErrorOf } from './decoding.js'

function decode(bytes: Uint8Array): string {
  return decodeText(Buffer.from(bytes), 0, bytes.length)
}

for (const { name, bytes } of badTexts)
  test(`${name}: alone and between other text`, () => {
    assert.equal(protocolErrorOf(() => decode(Uint8Array.from(bytes)))?.reasonCode, 0x81)
    const between = Uint8Array.from([0x61, 0xc3, 0xa9, ...bytes, 0x62])
    assert.equal(protocolErrorOf(() => decode(between))?.reasonCode, 0x81)
  })

const goodTexts = [
  '',
  ' ',
  '~',
  'sensors/temperature',
  'é',
  '\u00a0',
  '€',
  '\uD7FF',
  '\uE000',
  '\uFDCF',
  '\uFDF0',
  '\uFFFD',
  '\uFEFFa',
  'a\uFEFF',
  '\u{10000}',
  '\u{1FFFD}',
  '\u{1F321}',
  '\u{10FFFD}',
  '\u{E0001}',
  'e\u0301',
]

for (const text of goodTexts)
  test(`[MQTT-1.5.4-3] E23 F127 accepted unchanged: ${JSON.stringify(text)}`, () => {
    assert.equal(decode(new TextEncoder().encode(text)), text)
  })

/** Sections 1.5.4: U+0000 is forbidden, control characters and non-characters may be refused and are. */
function isText(codePoint: number): boolean {
  if (codePoint <= 0x1f || (codePoint >= 0x7f && codePoint <= 0x9f)) return false
  if (codePoint >= 0xfdd0 && codePoint <= 0xfdef) return false
  return (codePoint & 0xffff) < 0xfffe
}

test('[MQTT-1.5.4-2] E20 E21 E22 E23 every code point', () => {
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue
    if (codePoint > 0x12000 && codePoint < 0x10f000 && (codePoint & 0xffff) < 0xfff0) continue
    const text = String.fromCodePoint(codePoint)
    let decoded: string | undefined
    protocolErrorOf(() => {
      decoded = decode(Buffer.from(text))
    })
    assert.equal(decoded, isText(codePoint) ? text : undefined, `U+${codePoint.toString(16)}`)
  }
})

test('[MQTT-1.5.4-1] E17 E18 E19 any bytes decode as a strict decoder says, or not at all', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const mixed = fc.array(
    fc.oneof(fc.integer({ min: 0x20, max: 0xff }), fc.constantFrom(0xc3, 0xa9, 0xe2, 0x82, 0xac)),
    {
      maxLength: 12,
    },
  )
  fc.assert(
    fc.property(mixed, (list) => {
      const bytes = Uint8Array.from(list)
      let expected: string | undefined
      try {
        const text = strict.decode(bytes)
        if ([...text].every((character) => isText(character.codePointAt(0) ?? 0))) expected = text
      } catch {
        expected = undefined
      }
      let decoded: string | undefined
      const error = protocolErrorOf(() => {
        decoded = decode(bytes)
      })
      assert.equal(decoded, expected)
      assert.equal(error?.reasonCode, expected === undefined ? 0x81 : undefined)
    }),
    { numRuns: 5000 },
  )
})
