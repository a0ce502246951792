// Names in certificates as user names: the common name, and the whole subject as RFC 2253 writes it. Says what stands there; whether
// the certificate is genuine has been decided before.

import type { X509Certificate } from 'node:crypto'
import type { PeerCertificate } from 'node:tls'

/** The (first) common name; undefined without one. */
export function commonName({ subject }: PeerCertificate): string | undefined {
  const name: unknown = subject?.CN
  return Array.isArray(name) ? String(name[0]) : typeof name === 'string' ? name : undefined
}

/**
 * The subject as RFC 2253 writes it, last part first: `CN=client one,O=Org`. Bytes beyond ASCII are written as `\XX`, as in
 * Mosquitto. Undefined when it is empty.
 */
export function rfc2253Subject({ subject }: X509Certificate): string | undefined {
  // Node writes a part a line, already escaped, and several values of one part with ` + ` between; a plus in a value is escaped.
  const parts = subject?.split('\n').filter((part) => part !== '') ?? []
  if (parts.length === 0) return undefined
  return parts
    .reverse()
    .map((part) => part.split(' + ').reverse().join('+'))
    .join(',')
    .replace(/[^\u0000-\u007f]+/g, (text) => Buffer.from(text).toString('hex').toUpperCase().replace(/../g, '\\$&'))
}
