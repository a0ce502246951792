// Reaching a broker through a SOCKS 5 proxy, which also looks up its name. The connection to the proxy is made by dial.ts; the
// handshake is the work of `socks`.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { SocksClient } from 'socks'
import type { DialLayer, HostPort, LayerOutcome } from './dial.js'
import { readStream } from './plain-socket.js'

/** TABLE of what `socks` says of a refusal, in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  Failure: 'the proxy failed',
  NotAllowed: 'the proxy does not allow it',
  NetworkUnreachable: 'the network is unreachable from the proxy',
  HostUnreachable: 'the proxy cannot reach the host',
  ConnectionRefused: 'the broker refused the connection of the proxy',
  TTLExpired: 'the proxy gave up',
  CommandNotSupported: 'the proxy does not make connections',
  AddressNotSupported: 'the proxy does not know this kind of address',
}

/** ms; longer waits are ended by whoever dials. */
const NO_TIMEOUT = 2_147_483_647

export class SocksDialer implements DialLayer {
  readonly stage = 'proxy'
  private readonly username: string | undefined
  private readonly password: string | undefined

  constructor(username: string | undefined, password: string | undefined) {
    this.username = username
    this.password = password
  }

  open(socket: Duplex, { host, port }: HostPort, outcome: LayerOutcome): () => void {
    const { username, password = '' } = this
    SocksClient.createConnection({
      command: 'connect',
      destination: { host, port },
      existing_socket: socket as Socket,
      timeout: NO_TIMEOUT,
      // The address is not used: the socket is connected already.
      proxy: { host: 'proxy', port: 1, type: 5, ...(username !== undefined && { userId: username, password }) },
    }).then(
      () => {
        if (outcome.take !== undefined) readStream(socket, outcome.take)
        outcome.opened(socket)
      },
      (error: Error) => outcome.failed(reasonOf(error), /NotAllowed|uthentication/.test(error.message)),
    )
    return () => socket.on('error', () => {}).destroy()
  }
}

function reasonOf({ message }: Error): string {
  const code = /rejected connection - (?:\()?(\w+)/.exec(message)?.[1] ?? ''
  const known = REFUSALS[code]
  if (known !== undefined) return known
  if (/[Aa]uthentication failed/.test(message)) return 'the proxy refuses user name and password'
  if (/no accepted authentication|[Aa]uthentication type/.test(message)) return 'the proxy asks for another login'
  if (/Socket closed|ECONNRESET/.test(message)) return 'the proxy closed the connection'
  return `the proxy does not answer as a SOCKS 5 proxy does (${message})`
}
