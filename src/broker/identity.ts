// User names that a listener takes from the handshake instead of CONNECT: of a client certificate, or its PSK
// identity. Such a client has proved who it is and is asked for no password; that has been decided in net/tls.

import type { Peer } from '../net/listener.js'
import type { ListenerConfig } from '../options/config.js'

/** As in a CONNECT packet. */
const MAX_USERNAME_BYTES = 65_535

/** Whether clients of this listener are who the handshake says, whatever their CONNECT says. */
export function isIdentifiedByHandshake(listener: ListenerConfig): boolean {
  return listener.use_identity_as_username || listener.use_subject_as_username
}

/** The user name that the handshake of `peer` gives; undefined when it gives none that can be one. */
export function usernameOf(listener: ListenerConfig, { secured }: Peer): string | undefined {
  const name = listener.use_identity_as_username ? secured?.identity : secured?.subject
  if (name === undefined || name === '' || Buffer.byteLength(name) > MAX_USERNAME_BYTES) return undefined
  // Control characters are refused in CONNECT too; NUL would end the name for whoever reads it as C does. What was no UTF-8 has
  // become U+FFFD, and different names the same one.
  return /[\u0000-\u001f\u007f-\u009f\ufffd]/.test(name) ? undefined : name
}
