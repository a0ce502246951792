// Sockets that wait for clients: binds the addresses a listener names and hands over each accepted connection. What comes before
// MQTT (PROXY protocol, TLS, WebSocket) has files of its own and is put together here.

import { createServer, type ListenOptions, type Server, Socket } from 'node:net'
import type { BlockPool } from '../protocol/shared-block.js'
import { type AcceptedHandle, AcceptedSockets, acceptHandles, handleOf, startReading } from './accepted-socket.js'
import { addressesOf } from './addresses.js'
import type { ByteStream } from './byte-stream.js'
import type { HandleStream } from './handle-stream.js'
import { type ChunkTaker, readStream } from './plain-socket.js'
import type { ProxyRules, receiveProxyHeader } from './proxy-acceptor.js'
import type { ProxyTls } from './proxy-protocol.js'
import type { Secured, TlsAcceptor, TlsRules } from './tls.js'
import type { WebSocketAcceptor, WebSocketRules } from './websocket.js'

/** What may change while the sockets are open, for connections accepted afterwards. */
export interface SocketRules {
  readonly noDelay: boolean
  /** Set when MQTT comes over WebSocket; that cannot be changed. */
  readonly webSocket: WebSocketRules | undefined
  /** Set when connections are encrypted; that cannot be changed. */
  readonly tls: TlsRules | undefined
  /** Set when a load balancer says who its clients are; that cannot be changed. */
  readonly proxy: ProxyRules | undefined
}

export interface ListenerAddress extends SocketRules {
  /** Of a Unix socket, which has none of the rest. */
  readonly path: string | undefined
  /** Undefined for every address of the machine. */
  readonly host: string | undefined
  /** 0 for any free port. */
  readonly port: number
  /** Only addresses of this family. */
  readonly family: 'ipv4' | 'ipv6' | undefined
  /** Only addresses of this network interface. */
  readonly interfaceName: string | undefined
}

/** Who is at the other end. */
export interface Peer {
  readonly address: string
  readonly port: number
  /** Over TLS, which may have ended at a load balancer. */
  readonly secured: Secured | undefined
}

/** A connection that was accepted: `open` is called once with where its bytes shall go and returns what to write to. */
export interface Accepted {
  readonly peer: Peer
  open(take: ChunkTaker): ByteStream
  /** Begins to read; call it when the taker is ready. */
  start(): void
  /** Refuses it. */
  destroy(): void
}

/** A connection that was accepted and has a handshake before it: one of the callbacks is called once, unless it is destroyed. */
export interface Arriving {
  /** As far as it is known. */
  readonly peer: Peer
  /** Whether `peer` is a load balancer at first, and becomes its client. */
  readonly isProxied: boolean
  /**
   * Shakes hands.
   * @param onFailed the connection is gone; the reason is undefined when the client has merely left
   */
  shakeHands(onReady: (accepted: Accepted) => void, onFailed: (reason: string | undefined) => void): void
  /** Gives up. */
  destroy(): void
}

/** Who takes what a listener accepts. */
export interface ConnectionTaker {
  onAccept(accepted: Accepted): void
  onArrival(arriving: Arriving): void
  /** The listening socket has an error after it was bound, for instance no descriptors left. */
  onFailure(error: Error): void
}

export interface BoundAddress {
  /** The path of a Unix socket. */
  readonly address: string
  /** 0 for a Unix socket. */
  readonly port: number
  readonly family: 'ipv4' | 'ipv6' | 'unix'
}

const BACKLOG = 4096

export class Listener {
  private readonly servers: Server[] = []
  private readonly sockets: AcceptedSockets
  private readonly taker: ConnectionTaker
  /** Loaded only where they are used, for a quick start. */
  private webSocketClass: typeof WebSocketAcceptor | undefined = undefined
  private tlsClass: typeof TlsAcceptor | undefined = undefined
  private noDelay = false
  private webSockets: WebSocketAcceptor | undefined = undefined
  private tls: TlsAcceptor | undefined = undefined
  private proxy: ProxyRules | undefined = undefined
  private receiveProxyHeader: typeof receiveProxyHeader | undefined = undefined
  /** Of a Unix socket, whose clients have no address of their own. */
  private path = ''

  /** @param blocks what packets are passed on from without a copy */
  constructor(taker: ConnectionTaker, blocks: BlockPool) {
    this.taker = taker
    this.sockets = new AcceptedSockets(blocks)
  }

  /**
   * Binds every address of `at`.
   * @throws TlsFileError, or the system's error (EADDRINUSE, EACCES, …) if an address cannot be bound
   */
  async listen(at: ListenerAddress): Promise<readonly BoundAddress[]> {
    const bound: BoundAddress[] = []
    let failure: unknown
    if (at.webSocket !== undefined) this.webSocketClass = (await import('./websocket.js')).WebSocketAcceptor
    if (at.tls !== undefined) this.tlsClass = (await import('./tls.js')).TlsAcceptor
    if (at.proxy !== undefined) this.receiveProxyHeader = (await import('./proxy-acceptor.js')).receiveProxyHeader
    this.prepare(at)()
    if (at.path !== undefined) return [await this.bindPath(at.path)]
    for (const { address, family, optional } of await addressesOf(at)) {
      // All families of one listener share the port that the first of them got.
      const port = at.port === 0 && bound[0] !== undefined ? bound[0].port : at.port
      try {
        const server = await this.bind({ host: address, port, backlog: BACKLOG, ipv6Only: address.includes(':') })
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

  /**
   * Makes other rules ready. Calling what is returned has them hold for the connections accepted from then on.
   * @throws TlsFileError, or an Error when TLS or the PROXY protocol would come or go; the rules in force stay
   */
  prepare(rules: SocketRules): () => void {
    const { webSocketClass, tlsClass } = this
    if ((rules.tls === undefined) !== (tlsClass === undefined))
      throw new Error('to switch TLS on or off, the broker has to be restarted')
    if ((rules.proxy === undefined) !== (this.receiveProxyHeader === undefined))
      throw new Error('to switch the PROXY protocol on or off, the broker has to be restarted')
    const tls = tlsClass && rules.tls && new tlsClass(rules.tls)
    const webSockets = webSocketClass && rules.webSocket && new webSocketClass(rules.webSocket)
    return () => {
      this.noDelay = rules.noDelay
      this.tls = tls
      this.proxy = rules.proxy
      this.webSockets = webSockets
    }
  }

  /** Why the client of a connection would not be let in by the rules in force; undefined if it would. Files only, no dates. */
  faultNow({ secured }: Peer): string | undefined {
    return secured && this.tls?.faultNow(secured)
  }

  /** What is to be said of the dates of certificates. @param now ms since 1970 */
  dateWarnings(now: number): readonly string[] {
    return this.tls?.dateWarnings(now) ?? []
  }

  private async bindPath(path: string): Promise<BoundAddress> {
    const { clearPath, withSocketMode } = await import('./unix-socket.js')
    await clearPath(path)
    this.path = path
    await withSocketMode(() => this.bind({ path, backlog: BACKLOG }))
    return { address: path, port: 0, family: 'unix' }
  }

  private bind(at: ListenOptions): Promise<Server> {
    const { taker } = this
    const isPlain = this.tls === undefined && this.proxy === undefined
    const onPlain = (handle: AcceptedHandle) => taker.onAccept(this.plain(handle))
    const server = createServer({ pauseOnConnect: isPlain }, (socket) =>
      isPlain ? onPlain(handleOf(socket)) : this.onSocket(socket),
    )
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(at, () => {
        server.off('error', reject)
        this.servers.push(server)
        server.on('error', (error) => taker.onFailure(error))
        if (isPlain) acceptHandles(server, onPlain)
        resolve(server)
      })
    })
  }

  private onSocket(socket: Socket): void {
    if (this.noDelay) socket.setNoDelay(true)
    const peer = this.peerOf(socket)
    this.taker.onArrival(this.arriving(socket, peer))
  }

  /** First the header of a load balancer, then TLS, as far as the listener has them. */
  private arriving(socket: Socket, from: Peer): Arriving {
    const { tls, proxy, receiveProxyHeader: receive } = this
    let peer = from
    const secure = (onReady: (accepted: Accepted) => void, failed: (reason: string | undefined) => void) =>
      tls === undefined
        ? onReady(this.layered(socket, peer))
        : tls.secure(socket, {
            secured: (stream, secured) => {
              const secure = { ...peer, secured }
              // A reload may have come during the handshake.
              const fault = this.tls === tls ? undefined : this.faultNow(secure)
              if (fault === undefined) onReady(this.layered(stream, secure))
              else {
                failed(fault)
                stream.destroy()
              }
            },
            failed,
          })
    return {
      get peer() {
        return peer
      },
      isProxied: proxy !== undefined,
      shakeHands(onReady, failed) {
        if (proxy === undefined || receive === undefined) secure(onReady, failed)
        else
          receive(socket, proxy, {
            received(header) {
              peer = { ...peer, ...header.source, secured: header.tls && securedBy(header.tls) }
              secure(onReady, failed)
            },
            failed,
          })
      },
      destroy: () => socket.destroy(),
    }
  }

  /** A connection over a stream that is read through `data` events. */
  private layered(stream: Socket, peer: Peer): Accepted {
    return this.accepted(stream, peer, (take) => readStream(stream, take))
  }

  private plain(handle: AcceptedHandle): Accepted {
    const { sockets, webSockets } = this
    let taker: ChunkTaker | undefined
    const take: ChunkTaker = (bytes, length, block) => taker?.(bytes, length, block)
    // A WebSocket handshake takes a stream of Node's.
    const stream = webSockets === undefined ? sockets.streamOf(handle, take) : sockets.socketOf(handle, take)
    if (this.noDelay) stream.setNoDelay(true)
    return this.accepted(stream, this.peerOf(stream), (reader) => {
      taker = reader
      startReading(stream)
    })
  }

  /** With WebSocket on it where the listener says so. */
  private accepted(stream: Socket | HandleStream, peer: Peer, read: (take: ChunkTaker) => void): Accepted {
    const { webSockets } = this
    let taker: ChunkTaker = () => {}
    return {
      peer,
      open(take) {
        const upper = stream instanceof Socket ? webSockets?.open(stream, take) : undefined
        taker = upper === undefined ? take : (bytes, length) => upper.receive(bytes, length)
        return upper ?? stream
      },
      start: () => read(taker),
      destroy: () => void stream.destroy(),
    }
  }

  private peerOf(socket: Socket | HandleStream): Peer {
    return { address: socket.remoteAddress ?? this.path, port: socket.remotePort ?? 0, secured: undefined }
  }

  /** Stops accepting; connections that were accepted live on. */
  close(): void {
    for (const server of this.servers) server.close()
    this.servers.length = 0
  }
}

function securedBy({ version, cipher, commonName, hasValidCertificate }: ProxyTls): Secured {
  const identity = hasValidCertificate ? commonName : undefined
  return { version, cipher, identity, subject: undefined, certificates: [], key: undefined }
}

function isMissingFamily(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'
}
