// Opens connections to a broker: by name or address, IPv4 or IPv6, over TCP. What went wrong is turned into words that name
// host, address, port and cause. Other transports have a file of their own and one line here.

import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ChunkTaker, SharedReadBuffer } from './plain-socket.js'

export interface DialTarget {
  /** Name or address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/** No connection came about. `stage` tells how far it got: finding the name's address, or connecting to it. */
export class DialError extends Error {
  override readonly name = 'DialError'
  readonly stage: 'lookup' | 'connect'

  constructor(stage: 'lookup' | 'connect', message: string, options: ErrorOptions) {
    super(message, options)
    this.stage = stage
  }
}

/** ms after which the next address of a name is tried beside the one that does not answer. */
const NEXT_ADDRESS_AFTER = 2000

/** TABLE of the system's error codes in words. */
const CAUSES: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'address not available',
  EAI_AGAIN: 'the name cannot be looked up now',
  ECONNABORTED: 'connection aborted',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTDOWN: 'host is down',
  EHOSTUNREACH: 'no route to host',
  ENETDOWN: 'network is down',
  ENETUNREACH: 'network is unreachable',
  ENOTFOUND: 'no such host',
  EPIPE: 'connection broken',
  ETIMEDOUT: 'connection timed out',
}

/** A socket's error in words, without address. */
export function causeOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return CAUSES[code] ?? (error.message || code)
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostAndPort({ host, port }: DialTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function attempts(error: Error): readonly Error[] {
  return error instanceof AggregateError ? error.errors.filter((each): each is Error => each instanceof Error) : [error]
}

function dialError(target: DialTarget, error: Error): DialError {
  const stage = 'syscall' in error && error.syscall === 'getaddrinfo' ? 'lookup' : 'connect'
  const causes = attempts(error).map((each) => {
    const address = 'address' in each && typeof each.address === 'string' ? each.address : target.host
    return address === target.host ? causeOf(each) : `${causeOf(each)} (${address})`
  })
  const hint = /^[^:]+:\d+$/.test(target.host) ? '; the port is given apart from the host' : ''
  const message = `cannot connect to ${hostAndPort(target)}: ${[...new Set(causes)].join(', ')}${hint}`
  return new DialError(stage, message, { cause: error })
}

/**
 * Connects to `target`. Calls `onOpen` with the socket, which already delivers what it reads to `take`, or `onFailure`; one of
 * them, once. Returns a function that gives up, after which neither is called.
 */
export function dial(
  target: DialTarget,
  reads: SharedReadBuffer,
  take: ChunkTaker,
  onOpen: (socket: Duplex) => void,
  onFailure: (error: DialError) => void,
): () => void {
  const { host, port } = target
  const socket: Socket = connect({
    host,
    port,
    noDelay: true,
    onread: reads.onread(take),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER,
  })
  const fail = (error: Error) => onFailure(dialError(target, error))
  const ignore = () => {}
  socket.once('error', fail)
  socket.once('connect', () => {
    socket.off('error', fail)
    onOpen(socket)
  })
  return () => {
    socket.removeAllListeners('connect').off('error', fail).on('error', ignore).destroy()
  }
}
