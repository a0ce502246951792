// Sockets that wait for clients: binds the addresses a listener names and hands over each accepted connection. Transports other
// than TCP have a file of their own and one line here.

import { lookup } from 'node:dns/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  type AcceptedHandle,
  acceptHandles,
  type ChunkTaker,
  handleOf,
  SharedReadBuffer,
  startReading,
} from './plain-socket.js'
import type { WebSocketAcceptor, WebSocketRules } from './websocket.js'

/** What may change while the sockets are open, for connections accepted afterwards. */
export interface SocketRules {
  readonly noDelay: boolean
  /** Set when MQTT comes over WebSocket; that cannot be changed. */
  readonly webSocket: WebSocketRules | undefined
}

export interface ListenerAddress extends SocketRules {
  /** Undefined for every address of the machine. */
  readonly host: string | undefined
  /** 0 for any free port. */
  readonly port: number
  /** Only addresses of this family. */
  readonly family: 'ipv4' | 'ipv6' | undefined
}

export interface Peer {
  readonly address: string
  readonly port: number
}

/** A connection that was accepted: `open` is called once with where its bytes shall go and returns what to write to. */
export interface Accepted {
  readonly peer: Peer
  open(take: ChunkTaker): Duplex
  /** Begins to read; call it when the taker is ready. */
  start(): void
  /** Refuses it. */
  destroy(): void
}

export interface BoundAddress {
  readonly address: string
  readonly port: number
  readonly family: 'ipv4' | 'ipv6'
}

const BACKLOG = 4096

export class Listener {
  private readonly servers: Server[] = []
  private readonly readBuffer = new SharedReadBuffer()
  private acceptorClass: typeof WebSocketAcceptor | undefined = undefined
  private readonly onAccept: (accepted: Accepted) => void
  private readonly onFailure: (error: Error) => void
  private rules: SocketRules = { noDelay: false, webSocket: undefined }
  private webSockets: WebSocketAcceptor | undefined = undefined

  /** @param onFailure an error of the listening socket after it was bound, for instance no descriptors left. */
  constructor(onAccept: (accepted: Accepted) => void, onFailure: (error: Error) => void) {
    this.onAccept = onAccept
    this.onFailure = onFailure
  }

  /** Binds every address of `at`. Throws the system's error (EADDRINUSE, EACCES, …) if one cannot be bound. */
  async listen(at: ListenerAddress): Promise<readonly BoundAddress[]> {
    const bound: BoundAddress[] = []
    let failure: unknown
    // Loaded only where it is used, for a quick start.
    if (at.webSocket !== undefined) this.acceptorClass = (await import('./websocket.js')).WebSocketAcceptor
    this.update(at)
    for (const { address, family, optional } of await addressesOf(at)) {
      // All families of one listener share the port that the first of them got.
      const port = at.port === 0 && bound[0] !== undefined ? bound[0].port : at.port
      try {
        const server = await this.bind(address, port)
        this.servers.push(server)
        const where = server.address()
        if (where !== null && typeof where === 'object')
          bound.push({ address: where.address, port: where.port, family })
      } catch (error) {
        if (!optional || !isMissingFamily(error)) throw error
        failure = error
      }
    }
    if (bound.length === 0) throw failure
    return bound
  }

  /** Has other rules hold for the connections accepted from now on. */
  update(rules: SocketRules): void {
    this.rules = rules
    if (this.acceptorClass !== undefined && rules.webSocket !== undefined)
      this.webSockets = new this.acceptorClass(rules.webSocket)
  }

  private bind(address: string, port: number): Promise<Server> {
    const isPlain = this.webSockets === undefined
    const server = createServer({ pauseOnConnect: isPlain }, (socket) => {
      const { webSockets } = this
      if (webSockets === undefined) this.acceptPlain(handleOf(socket))
      else this.onAccept(overWebSocket(socket.setNoDelay(this.rules.noDelay), webSockets))
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address, port, backlog: BACKLOG, ipv6Only: address.includes(':') }, () => {
        server.off('error', reject)
        server.on('error', this.onFailure)
        if (isPlain) acceptHandles(server, (handle) => this.acceptPlain(handle))
        resolve(server)
      })
    })
  }

  private acceptPlain(handle: AcceptedHandle): void {
    if (this.rules.noDelay) handle.setNoDelay?.(true)
    this.onAccept(this.plain(handle))
  }

  private plain(handle: AcceptedHandle): Accepted {
    let taker: ChunkTaker | undefined
    const socket = this.readBuffer.socketOf(handle, (bytes, length) => taker?.(bytes, length))
    return {
      peer: peerOf(socket),
      open: (take) => {
        taker = take
        return socket
      },
      start: () => startReading(socket),
      destroy: () => socket.destroy(),
    }
  }

  /** Stops accepting; connections that were accepted live on. */
  close(): void {
    for (const server of this.servers) server.close()
    this.servers.length = 0
  }
}

function overWebSocket(socket: Socket, webSockets: WebSocketAcceptor): Accepted {
  return {
    peer: peerOf(socket),
    open: (take) => webSockets.open(socket, take),
    start: () => webSockets.start(socket),
    destroy: () => socket.destroy(),
  }
}

function peerOf(socket: Socket): Peer {
  return { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
}

interface Candidate {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  /** May be missing on a machine without that family. */
  readonly optional: boolean
}

async function addressesOf(at: ListenerAddress): Promise<readonly Candidate[]> {
  const every: readonly Candidate[] = [
    { address: '0.0.0.0', family: 'ipv4', optional: at.family === undefined },
    { address: '::', family: 'ipv6', optional: at.family === undefined },
  ]
  const found =
    at.host === undefined
      ? every
      : (await lookup(at.host, { all: true })).map(
          ({ address, family }): Candidate => ({ address, family: family === 6 ? 'ipv6' : 'ipv4', optional: false }),
        )
  const wanted = found.filter(({ family }) => at.family === undefined || family === at.family)
  if (wanted.length === 0) throw new Error(`${at.host ?? 'this machine'} has no ${at.family} address`)
  return wanted
}

function isMissingFamily(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'
}
