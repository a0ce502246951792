// The header that a load balancer with the PROXY protocol sends before anything else: who its client is, in version 2 also what its
// TLS has shown. Bytes in, facts out (HAProxy: "The PROXY protocol", versions 1 and 2). Reading them is proxy-acceptor's part.

import { isIPv4, isIPv6 } from 'node:net'

/** A header that is none; `message` says why. */
export class ProxyHeaderError extends Error {
  override readonly name = 'ProxyHeaderError'
}

/** What the load balancer says of its client's TLS. */
export interface ProxyTls {
  readonly version: string
  readonly cipher: string
  /** The client has shown a certificate, and the load balancer has found it valid. */
  readonly hasValidCertificate: boolean
  readonly commonName: string | undefined
}

export interface ProxyHeader {
  /** Bytes of it; what follows is the client's. */
  readonly length: number
  /** The load balancer speaks for itself, to see whether somebody is there. */
  readonly isHealthCheck: boolean
  /** Undefined when the load balancer does not know: then the address of the socket holds. A Unix socket has its path, as in a URI, and port 0. */
  readonly source: { readonly address: string; readonly port: number } | undefined
  /** Undefined when the client has come without TLS, or in version 1. */
  readonly tls: ProxyTls | undefined
}

const MAX_LINE = 108
/** Signature, version and command, family, length. */
const FIXED = 16
const MAX_PAYLOAD = 500
/** Most bytes of a header. */
export const MAX_PROXY_HEADER = { 1: MAX_LINE, 2: FIXED + MAX_PAYLOAD } as const

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const PREFIX = Buffer.from('PROXY ', 'latin1')

const Command = { LOCAL: 0, PROXY: 1 } as const
const Tlv = { CRC32C: 0x03, SSL: 0x20, SSL_VERSION: 0x21, SSL_CN: 0x22, SSL_CIPHER: 0x23 } as const
const SslBit = { SSL: 0x01, CERTIFICATE_IN_SESSION: 0x04 } as const
/** Address family and transport → bytes of its two addresses with their ports. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 0: 0, 17: 12, 33: 36, 49: 216 }

/**
 * Reads a header at the beginning of `bytes`; undefined as long as more is needed.
 * @throws ProxyHeaderError as soon as it cannot become one
 */
export function parseProxyHeader(version: 1 | 2, bytes: Buffer): ProxyHeader | undefined {
  return version === 1 ? parseLine(bytes) : parseBinary(bytes)
}

function beginsAs(bytes: Buffer, expected: Buffer): void {
  const size = Math.min(bytes.length, expected.length)
  if (!bytes.subarray(0, size).equals(expected.subarray(0, size))) throw new ProxyHeaderError('no PROXY header')
}

function parseLine(bytes: Buffer): ProxyHeader | undefined {
  beginsAs(bytes, PREFIX)
  const end = bytes.subarray(0, MAX_LINE).indexOf('\r\n')
  if (end < 0) {
    if (bytes.length >= MAX_LINE) throw new ProxyHeaderError(`the PROXY line is longer than ${MAX_LINE} bytes`)
    return undefined
  }
  const fields = bytes.subarray(PREFIX.length, end).toString('latin1').split(' ')
  const header = { length: end + 2, isHealthCheck: false, tls: undefined }
  if (fields[0] === 'UNKNOWN') return { ...header, source: undefined }
  const [family, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] = fields
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : () => false
  const isRight =
    more.length === 0 && [source, destination].every(isAddress) && [sourcePort, destinationPort].every(isPort)
  if (!isRight) throw new ProxyHeaderError('the PROXY line is malformed')
  return { ...header, source: { address: source, port: Number(sourcePort) } }
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
}

function parseBinary(bytes: Buffer): ProxyHeader | undefined {
  beginsAs(bytes, SIGNATURE)
  if (bytes.length < FIXED) return undefined
  const size = bytes.readUInt16BE(14)
  const command = bytes.readUInt8(12) & 15
  const family = bytes.readUInt8(13)
  if (bytes.readUInt8(12) >> 4 !== 2) throw new ProxyHeaderError('the PROXY header has another version')
  if (command > Command.PROXY) throw new ProxyHeaderError('the PROXY header has an unknown command')
  if (size > MAX_PAYLOAD) throw new ProxyHeaderError(`the PROXY header is longer than ${MAX_PAYLOAD} bytes`)
  if (bytes.length < FIXED + size) return undefined
  const payload = bytes.subarray(FIXED, FIXED + size)
  const length = FIXED + size
  if (command === Command.LOCAL) return { length, isHealthCheck: true, source: undefined, tls: undefined }
  const addresses = ADDRESS_BYTES[family]
  if (addresses === undefined) throw new ProxyHeaderError('the PROXY header has an unknown address family')
  if (size < addresses) throw new ProxyHeaderError('the addresses of the PROXY header are cut short')
  const fields = tlvs(payload.subarray(addresses))
  const sum = fields.get(Tlv.CRC32C)
  if (sum !== undefined) checkSum(bytes.subarray(0, length), sum)
  const ssl = fields.get(Tlv.SSL)
  return { length, isHealthCheck: false, source: sourceOf(family, payload), tls: ssl && tlsOf(ssl) }
}

/** The sum is that of the whole header with zeros in its place. */
function checkSum(header: Buffer, sum: Buffer): void {
  if (sum.length !== 4) throw new ProxyHeaderError('the checksum of the PROXY header is cut short')
  const summed = Buffer.from(header)
  const at = sum.byteOffset - header.byteOffset
  summed.fill(0, at, at + 4)
  if (crc32c(summed) !== sum.readUInt32BE(0)) throw new ProxyHeaderError('the checksum of the PROXY header is wrong')
}

/** Castagnoli, reflected (RFC 3720 appendix B.4). */
function crc32c(bytes: Buffer): number {
  let rest = 0xffffffff
  for (const byte of bytes) {
    rest ^= byte
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (0x82f63b78 & -(rest & 1))
  }
  return (rest ^ 0xffffffff) >>> 0
}

function sourceOf(family: number, payload: Buffer): ProxyHeader['source'] {
  if (family === 0x11) return { address: payload.subarray(0, 4).join('.'), port: payload.readUInt16BE(8) }
  if (family === 0x21) return { address: ipv6Text(payload.subarray(0, 16)), port: payload.readUInt16BE(32) }
  if (family !== 0x31) return undefined
  const path = payload.subarray(0, 108)
  const end = path.indexOf(0)
  // The client has chosen it: without blanks it cannot look like the rest of a line of the log.
  return { address: encodeURI(path.subarray(0, end < 0 ? 108 : end).toString()), port: 0 }
}

/** Shortest form (RFC 5952). */
function ipv6Text(bytes: Buffer): string {
  const groups = bytes.toString('hex').match(/.{4}/g) ?? []
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

function tlvs(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = 0; at < bytes.length; ) {
    const end = at + 3 + (at + 3 <= bytes.length ? bytes.readUInt16BE(at + 1) : 0)
    if (end > bytes.length) throw new ProxyHeaderError('a field of the PROXY header is cut short')
    found.set(bytes.readUInt8(at), bytes.subarray(at + 3, end))
    at = end
  }
  return found
}

function tlsOf(value: Buffer): ProxyTls | undefined {
  if (value.length < 5) throw new ProxyHeaderError('the TLS field of the PROXY header is cut short')
  const bits = value.readUInt8(0)
  const fields = tlvs(value.subarray(5))
  if ((bits & SslBit.SSL) === 0) return undefined
  return {
    version: wordOf(fields.get(Tlv.SSL_VERSION)),
    cipher: wordOf(fields.get(Tlv.SSL_CIPHER)),
    hasValidCertificate: (bits & SslBit.CERTIFICATE_IN_SESSION) !== 0 && value.readUInt32BE(1) === 0,
    commonName: fields.get(Tlv.SSL_CN)?.toString(),
  }
}

/** Printable ASCII without blanks, as the names of versions and ciphers are. */
function wordOf(value: Buffer | undefined): string {
  const text = value?.toString('latin1') ?? ''
  if (!/^[!-~]*$/.test(text)) throw new ProxyHeaderError('the PROXY header names no version or cipher of TLS')
  return text
}
