// Headers of the PROXY protocol, as bytes: each as it should be read, in two pieces at every place, and cut short; those that are
// none; and whatever a random source has to offer. Built here by the specification, without the code that reads them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_PROXY_HEADER, type ProxyHeader, ProxyHeaderError, parseProxyHeader } from '../../src/net/proxy-protocol.js'

const SIGNATURE = '0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a'
const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

/** Version 2: command, family, and what follows the length. */
function binary(command: string, family: string, payload: Buffer): Buffer {
  const size = Buffer.alloc(2)
  size.writeUInt16BE(payload.length)
  return Buffer.concat([hex(`${SIGNATURE} ${command} ${family}`), size, payload])
}

function tlv(type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.of(type, bytes.length >> 8, bytes.length & 255), bytes])
}

/** The field of TLS: bits, result of the verification, fields within. */
function ssl(bits: number, verify: number, ...fields: readonly Buffer[]): Buffer {
  return tlv(0x20, Buffer.concat([Buffer.of(bits, 0, 0, 0, verify), ...fields]))
}

const IPV4 = hex('c0 00 02 01  c6 33 64 02  d4 31  07 5b')
const IPV6 = hex('20010db8000000000000000000000001 20010db8000000000000000000000002  00 50  22 b3')
const UNIX = Buffer.concat([Buffer.from('/run/a.sock'.padEnd(108, '\0')), Buffer.alloc(108, 'x')])
const NAMES = [tlv(0x21, 'TLSv1.3'), tlv(0x22, 'client one'), tlv(0x23, 'TLS_AES_128_GCM_SHA256')]
const SHOWN = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', commonName: 'client one' }

type Read = Partial<Omit<ProxyHeader, 'length'>>
const cases: readonly {
  readonly name: string
  readonly version: 1 | 2
  readonly bytes: Buffer | string
  readonly read: Read
}[] = [
  {
    name: 'TCP4',
    version: 1,
    bytes: 'PROXY TCP4 192.0.2.1 198.51.100.2 54321 1883\r\n',
    read: { source: { address: '192.0.2.1', port: 54_321 } },
  },
  {
    name: 'TCP6',
    version: 1,
    bytes: 'PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n',
    read: { source: { address: '2001:db8::1', port: 1 } },
  },
  { name: 'UNKNOWN alone', version: 1, bytes: 'PROXY UNKNOWN\r\n', read: {} },
  { name: 'UNKNOWN with a space', version: 1, bytes: 'PROXY UNKNOWN \r\n', read: {} },
  { name: 'UNKNOWN with whatever', version: 1, bytes: 'PROXY UNKNOWN ffff:: x 1\r\n', read: {} },
  { name: 'a line of 108 bytes', version: 1, bytes: `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, read: {} },
  {
    name: 'TCP4',
    version: 2,
    bytes: binary('21', '11', IPV4),
    read: { source: { address: '192.0.2.1', port: 54_321 } },
  },
  { name: 'TCP6', version: 2, bytes: binary('21', '21', IPV6), read: { source: { address: '2001:db8::1', port: 80 } } },
  {
    name: 'Unix stream',
    version: 2,
    bytes: binary('21', '31', UNIX),
    read: { source: { address: '/run/a.sock', port: 0 } },
  },
  {
    name: 'Unix stream with the longest path',
    version: 2,
    bytes: binary('21', '31', Buffer.alloc(216, 'p')),
    read: { source: { address: 'p'.repeat(108), port: 0 } },
  },
  {
    name: 'Unix stream with a path that looks like more',
    version: 2,
    bytes: binary('21', '31', Buffer.from('/a b:1 as c (p4\n\u00e4'.padEnd(215, '\0'))),
    read: { source: { address: '/a%20b:1%20as%20c%20(p4%0A%C3%A4', port: 0 } },
  },
  { name: 'unspecified', version: 2, bytes: binary('21', '00', tlv(0x04, 'noop')), read: {} },
  { name: 'LOCAL', version: 2, bytes: binary('20', '00', Buffer.alloc(0)), read: { isHealthCheck: true } },
  { name: 'LOCAL with an address', version: 2, bytes: binary('20', '11', IPV4), read: { isHealthCheck: true } },
  {
    name: 'fields that mean nothing here',
    version: 2,
    bytes: binary('21', '11', Buffer.concat([IPV4, tlv(0x01, 'mqtt'), tlv(0xee, ''), tlv(0x20, Buffer.alloc(5))])),
    read: { source: { address: '192.0.2.1', port: 54_321 } },
  },
  {
    name: 'TLS with a valid certificate',
    version: 2,
    bytes: binary('21', '11', Buffer.concat([IPV4, tlv(0x02, 'host'), ssl(7, 0, ...NAMES)])),
    read: { source: { address: '192.0.2.1', port: 54_321 }, tls: { ...SHOWN, hasValidCertificate: true } },
  },
  {
    name: 'TLS with a certificate in the session only',
    version: 2,
    bytes: binary('21', '00', ssl(5, 0, ...NAMES)),
    read: { tls: { ...SHOWN, hasValidCertificate: true } },
  },
  {
    name: 'TLS with a certificate that is not valid',
    version: 2,
    bytes: binary('21', '00', ssl(7, 1, ...NAMES)),
    read: { tls: { ...SHOWN, hasValidCertificate: false } },
  },
  {
    name: 'TLS without a certificate',
    version: 2,
    bytes: binary('21', '00', ssl(1, 0)),
    read: { tls: { version: '', cipher: '', commonName: undefined, hasValidCertificate: false } },
  },
  {
    name: 'a payload of 500 bytes',
    version: 2,
    bytes: binary('21', '11', Buffer.concat([IPV4, tlv(0x04, Buffer.alloc(485))])),
    read: { source: { address: '192.0.2.1', port: 54_321 } },
  },
]

for (const { name, version, bytes, read } of cases)
  test(`PROXY v${version}: ${name}, alone, before other bytes, and at every length`, () => {
    const header = Buffer.from(bytes as string)
    const expected = { isHealthCheck: false, source: undefined, tls: undefined, ...read, length: header.length }
    assert.deepEqual(parseProxyHeader(version, header), expected)
    assert.deepEqual(parseProxyHeader(version, Buffer.concat([header, hex('10 0c')])), expected)
    for (let size = 0; size < header.length; size++)
      assert.equal(parseProxyHeader(version, header.subarray(0, size)), undefined, `${size} bytes`)
  })

/** CRC32C by long division of the bits, not reflected; the reference is RFC 3720 appendix B.4. */
function sumOf(bytes: Buffer): number {
  const reverse = (value: number, size: number) =>
    Number.parseInt([...value.toString(2).padStart(size, '0')].reverse().join(''), 2)
  let rest = 0xffffffffn
  for (const byte of bytes) {
    rest ^= BigInt(reverse(byte, 8)) << 24n
    for (let i = 0; i < 8; i++) rest = rest & 0x80000000n ? ((rest << 1n) ^ 0x11edc6f41n) & 0xffffffffn : rest << 1n
  }
  return reverse(Number(rest ^ 0xffffffffn), 32)
}

/** A header with its checksum as the last field, changed by `wrong`. */
function summed(wrong = 0): Buffer {
  const bytes = binary('21', '11', Buffer.concat([IPV4, ssl(1, 0, ...NAMES), tlv(0x03, Buffer.alloc(4))]))
  bytes.writeUInt32BE((sumOf(bytes) ^ wrong) >>> 0, bytes.length - 4)
  return bytes
}

test('PROXY v2: the checksum is CRC32C of the header', () => {
  assert.equal(sumOf(Buffer.from('123456789')), 0xe3069283)
  assert.equal(parseProxyHeader(2, summed())?.tls?.commonName, 'client one')
})

const wrong: readonly { readonly name: string; readonly version: 1 | 2; readonly bytes: Buffer | string }[] = [
  { name: 'a CONNECT', version: 1, bytes: hex('10') },
  { name: 'a TLS handshake', version: 1, bytes: hex('16 03 01') },
  { name: 'a lower-case word', version: 1, bytes: 'proxy' },
  { name: 'a header of version 2', version: 1, bytes: binary('21', '11', IPV4) },
  { name: 'no line end in 108 bytes', version: 1, bytes: `PROXY UNKNOWN ${'x'.repeat(94)}` },
  { name: 'a line of 109 bytes', version: 1, bytes: `PROXY UNKNOWN ${'x'.repeat(93)}\r\n` },
  { name: 'another protocol', version: 1, bytes: 'PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n' },
  { name: 'IPv6 as TCP4', version: 1, bytes: 'PROXY TCP4 ::1 ::1 1 1\r\n' },
  { name: 'IPv4 as TCP6', version: 1, bytes: 'PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n' },
  { name: 'an address too large', version: 1, bytes: 'PROXY TCP4 1.2.3.256 1.2.3.4 1 1\r\n' },
  { name: 'a wrong destination', version: 1, bytes: 'PROXY TCP4 1.2.3.4 x 1 1\r\n' },
  { name: 'port 0', version: 1, bytes: 'PROXY TCP4 1.2.3.4 1.2.3.4 0 1\r\n' },
  { name: 'port 65536', version: 1, bytes: 'PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n' },
  { name: 'a port with a zero before it', version: 1, bytes: 'PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n' },
  { name: 'a negative port', version: 1, bytes: 'PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n' },
  { name: 'no ports', version: 1, bytes: 'PROXY TCP4 1.2.3.4 1.2.3.4\r\n' },
  { name: 'one field too many', version: 1, bytes: 'PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n' },
  { name: 'two spaces', version: 1, bytes: 'PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n' },
  { name: 'a header of version 1', version: 2, bytes: 'PROXY' },
  { name: 'a wrong signature', version: 2, bytes: hex('0d 0a 0d 0a 00 0d 0a 51 55 49 54 0b') },
  { name: 'version 1 in binary', version: 2, bytes: binary('11', '11', IPV4) },
  { name: 'an unknown command', version: 2, bytes: binary('22', '11', IPV4) },
  { name: 'UDP', version: 2, bytes: binary('21', '12', IPV4) },
  { name: 'an unknown family', version: 2, bytes: binary('21', '41', IPV4) },
  { name: 'addresses cut short', version: 2, bytes: binary('21', '11', IPV4.subarray(0, 11)) },
  { name: 'a path cut short', version: 2, bytes: binary('21', '31', UNIX.subarray(0, 215)) },
  { name: 'a length of 501 bytes, without them', version: 2, bytes: hex(`${SIGNATURE} 21 11 01 f5`) },
  { name: 'a field cut short', version: 2, bytes: binary('21', '00', hex('04 00 03 01 02')) },
  { name: 'the beginning of a field', version: 2, bytes: binary('21', '00', hex('04 00')) },
  { name: 'a field of TLS of four bytes', version: 2, bytes: binary('21', '00', tlv(0x20, Buffer.alloc(4))) },
  { name: 'a wrong checksum', version: 2, bytes: summed(1) },
  { name: 'a checksum of three bytes', version: 2, bytes: binary('21', '00', tlv(0x03, Buffer.alloc(3))) },
  {
    name: 'a cipher with a blank',
    version: 2,
    bytes: binary('21', '00', ssl(1, 0, tlv(0x23, 'A CIPHER'))),
  },
  {
    name: 'a version with a line end',
    version: 2,
    bytes: binary('21', '00', ssl(1, 0, tlv(0x21, 'TLSv1.3\n'))),
  },
  {
    name: 'a cipher that is not ASCII',
    version: 2,
    bytes: binary('21', '00', ssl(1, 0, tlv(0x23, '\u00c4'))),
  },
  {
    name: 'a field within that of TLS cut short',
    version: 2,
    bytes: binary('21', '00', ssl(1, 0, hex('21 00 09 54'))),
  },
]

for (const { name, version, bytes } of wrong)
  test(`PROXY v${version}: refused: ${name}`, () => {
    assert.throws(() => parseProxyHeader(version, Buffer.from(bytes as string)), ProxyHeaderError)
  })

test('PROXY: random and mutated bytes are a header, the beginning of one, or refused; nothing is longer than allowed', () => {
  const seeds = [...cases, ...wrong].map(({ bytes }) => Buffer.from(bytes as string))
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 4 }))
    .map(([seed, changes]) => {
      const bytes = Buffer.from(seed)
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value
      return bytes
    })
  const random = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.constantFrom(1 as const, 2 as const), fc.oneof(mutated, random), (version, bytes) => {
      try {
        const header = parseProxyHeader(version, bytes)
        if (header === undefined) assert.ok(bytes.length < MAX_PROXY_HEADER[version])
        else assert.ok(header.length <= Math.min(bytes.length, MAX_PROXY_HEADER[version]))
      } catch (error) {
        if (!(error instanceof ProxyHeaderError)) throw error
      }
    }),
    { numRuns: 20_000 },
  )
})
