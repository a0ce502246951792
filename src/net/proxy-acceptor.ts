// Reads the PROXY header of an accepted socket and judges it by the rules of the listener. It has no clock: a header that does not
// come is ended by the owner of the connection. What the bytes mean is proxy-protocol's.

import type { Socket } from 'node:net'
import { MAX_PROXY_HEADER, type ProxyHeader, ProxyHeaderError, parseProxyHeader } from './proxy-protocol.js'

export interface ProxyRules {
  readonly version: 1 | 2
  /** Only clients that have reached the load balancer over TLS. */
  readonly requiresTls: boolean
  /** Only clients whose certificate the load balancer has found valid. */
  readonly requiresCertificate: boolean
}

/** How it ends: one of the two is called, once. */
export interface ProxyOutcome {
  /** What follows the header has been put back. */
  received(header: ProxyHeader): void
  /** The connection is gone. `reason` is undefined when there is nothing to say about it. */
  failed(reason: string | undefined): void
}

/** Waits for the header on a socket from which nothing was read. */
export function receiveProxyHeader(socket: Socket, rules: ProxyRules, outcome: ProxyOutcome): void {
  let have: Buffer = Buffer.alloc(0)
  const onClose = () => outcome.failed(undefined)
  const fail = (reason: string | undefined) => {
    socket.off('readable', onReadable).off('close', onClose)
    outcome.failed(reason)
    socket.destroy()
  }
  const onReadable = () => {
    const chunk: Buffer | null = socket.read()
    // The peer has left; 'close' follows.
    if (chunk === null) return
    have = have.length === 0 ? chunk : Buffer.concat([have, chunk])
    let header: ProxyHeader | undefined
    try {
      header = parseProxyHeader(rules.version, have.subarray(0, MAX_PROXY_HEADER[rules.version]))
    } catch (error) {
      if (!(error instanceof ProxyHeaderError)) throw error
      fail(error.message)
      return
    }
    if (header === undefined) return
    const fault = header.isHealthCheck ? undefined : faultOf(header, rules)
    if (header.isHealthCheck || fault !== undefined) {
      fail(fault)
      return
    }
    socket.off('readable', onReadable).off('close', onClose)
    if (have.length > header.length) socket.unshift(have.subarray(header.length))
    outcome.received(header)
  }
  socket.on('error', () => {})
  socket.on('close', onClose).on('readable', onReadable)
}

function faultOf({ tls }: ProxyHeader, rules: ProxyRules): string | undefined {
  if (rules.requiresTls && tls === undefined) return 'the client has reached the load balancer without TLS'
  if (rules.requiresCertificate && tls?.hasValidCertificate !== true)
    return 'the client has shown the load balancer no valid certificate'
  return undefined
}
