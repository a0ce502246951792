// The broker's open listeners: opens them, counts and admits connections, waits for their handshakes, and hands those that may
// come in to whoever serves clients. A reload gives the same listeners new settings.

import type { Accepted, Arriving, BoundAddress, ConnectionTaker, SocketRules } from '../net/listener.js'
import { Listener } from '../net/listener.js'
import type { Config, ListenerConfig } from '../options/config.js'
import { Arrivals } from './arrivals.js'
import { ConnectionLimits, OPEN_FILES } from './connection-limits.js'
import type { BrokerContext } from './context.js'
import { OpenListener } from './open-listener.js'
import { socketRules } from './socket-rules.js'

/**
 * Serves a client whose handshake is over.
 * @param since ms: when its connection was accepted
 */
export type Serve = (listener: OpenListener, accepted: Accepted, since: number) => void

/** A listener that could not be opened. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly listener: ListenerConfig

  constructor(listener: ListenerConfig, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.listener = listener
  }
}

/** An address that is listened on, and for which listener. */
export interface BoundListener extends BoundAddress {
  readonly listener: ListenerConfig
}

/** What a reload would do to the sockets. */
export interface PreparedSockets {
  /** To be called when everything else is in force, too. */
  readonly ready: readonly (() => void)[]
  readonly errors: readonly string[]
}

export class Listeners {
  private readonly context: BrokerContext
  private readonly serve: Serve
  private readonly limits = new ConnectionLimits()
  private readonly arrivals: Arrivals
  private readonly open: OpenListener[] = []
  private isServing = false
  private isOutOfFiles = false
  /** Came while the rest was still being opened or read. */
  private readonly early: { readonly connection: Accepted | Arriving; serve(): void }[] = []

  constructor(context: BrokerContext, serve: Serve) {
    this.context = context
    this.serve = serve
    this.arrivals = new Arrivals(context)
  }

  /**
   * Opens a socket for each listener of the configuration; who connects waits until `startServing`. Returns what was bound.
   * @throws ListenError
   */
  async listen(): Promise<readonly BoundListener[]> {
    const bound: BoundListener[] = []
    let failure: ListenError | undefined
    for (const listener of this.context.config.listeners) {
      if (listener.without_socket) {
        this.open.push(new OpenListener(listener))
        continue
      }
      // The two loopback sockets of local-only mode share the free port that the first of them got.
      const isSecond = listener.local_only && listener.port === 0 && listener.bind_address === '::1'
      const port = isSecond ? (bound.at(-1)?.port ?? 0) : listener.port
      try {
        const addresses = await this.openOne(listener, port)
        bound.push(...addresses.map((address) => ({ ...address, listener })))
      } catch (error) {
        failure = new ListenError(listener, error)
        // One of them is enough where the machine lacks the other's family.
        const isMissing = listener.local_only && (isSecond || !isInUse(error))
        if (!isMissing) throw failure
      }
    }
    if (bound.length === 0 && failure !== undefined) throw failure
    return bound
  }

  /** The listener that has this origin or, when none has it any more, the first with the same port, or the first of all. */
  named(origin: string): OpenListener {
    const [port] = origin.split(' ')
    const found =
      this.open.find((listener) => listener.origin === origin) ??
      this.open.find(({ config }) => `${config.port}` === port)
    return found ?? (this.open[0] as OpenListener)
  }

  /** Takes a connection that was accepted elsewhere, for the first listener without a socket. Without one it is refused. */
  take(accepted: Accepted): void {
    const listener = this.open.find(({ config }) => config.without_socket)
    if (listener === undefined) accepted.destroy()
    else this.onAccept(listener, accepted)
  }

  /** In the order of the configuration. */
  get all(): readonly OpenListener[] {
    return this.open
  }

  /** Lets in those who came early, and everyone who comes now. */
  startServing(): void {
    this.warnOfDates()
    this.isServing = true
    for (const { serve } of this.early.splice(0)) serve()
  }

  private async openOne(config: ListenerConfig, port: number): Promise<readonly BoundAddress[]> {
    const { log, config: settings } = this.context
    const listener = new OpenListener(config)
    this.open.push(listener)
    const taker: ConnectionTaker = {
      onAccept: (accepted) => this.onAccept(listener, accepted),
      onArrival: (arriving) => this.onArrival(listener, arriving),
      onFailure: (error) => log.error(`Listener on port ${listener.port}: ${error.message}.`),
    }
    listener.sockets = new Listener(taker, this.context.memory.blocks)
    const bound = await listener.sockets.listen({
      path: config.path,
      host: config.bind_address,
      port,
      family: config.socket_domain,
      interfaceName: config.bind_interface,
      ...this.socketRules(settings, config, listener),
    })
    listener.port = bound[0]?.port ?? port
    return bound
  }

  private onAccept(listener: OpenListener, accepted: Accepted): void {
    if (!this.isServing) {
      this.early.push({ connection: accepted, serve: () => this.onAccept(listener, accepted) })
      return
    }
    const { peer } = accepted
    this.context.statistics.socketsAccepted++
    if (this.admits(listener, accepted, listener.config.path === undefined ? peer.address : undefined))
      this.serve(listener, accepted, this.context.clock())
  }

  private onArrival(listener: OpenListener, arriving: Arriving): void {
    if (!this.isServing) {
      this.early.push({ connection: arriving, serve: () => this.onArrival(listener, arriving) })
      return
    }
    const { isProxied } = arriving
    this.context.statistics.socketsAccepted++
    const address = isProxied || listener.config.path !== undefined ? undefined : arriving.peer.address
    if (!this.admits(listener, arriving, address)) return
    this.arrivals.add(arriving, {
      onReady: (accepted, since) => {
        // Only now it is known whose connection it is.
        if (isProxied) this.limits.remove(listener, undefined)
        if (!isProxied || this.admits(listener, accepted, accepted.peer.address)) this.serve(listener, accepted, since)
      },
      onGone: () => this.limits.remove(listener, address),
    })
  }

  /** Counts a connection, at its address where that tells clients apart; one too many is closed. */
  private admits(listener: OpenListener, connection: Accepted | Arriving, counted: string | undefined): boolean {
    const { config, log } = this.context
    const { address, port } = connection.peer
    const limit = this.limits.exceeded(config, listener, counted)
    if (limit !== undefined) {
      if (limit === OPEN_FILES) this.tellOfFiles()
      else if (config.connection_messages) log.notice(`Client connection from ${address} denied: ${limit} exceeded.`)
      connection.destroy()
      return false
    }
    this.limits.add(listener, counted)
    if (config.connection_messages && !('isProxied' in connection && connection.isProxied))
      log.notice(`New connection from ${address}:${port} on port ${listener.port}.`)
    return true
  }

  /** Once, and not for each of thousands. */
  private tellOfFiles(): void {
    if (this.isOutOfFiles) return
    this.isOutOfFiles = true
    const most = this.limits.mostOpen
    this.context.log.error(
      `No file descriptors left: ${most} connections are open, more are refused until some have gone (see ulimit -n).`,
    )
  }

  private socketRules(config: Config, listener: ListenerConfig, open: OpenListener): SocketRules {
    return socketRules(
      config,
      listener,
      (identity) => this.context.points.pskKey?.(identity, open.info) ?? this.context.access.pskOf(listener, identity),
      this.context.keyLog,
    )
  }

  /** What `config` would change, or why it cannot be used. */
  prepare(config: Config): PreparedSockets {
    const ready: (() => void)[] = []
    const errors: string[] = []
    config.listeners.forEach((listener, at) => {
      const open = this.open[at] as OpenListener
      const { sockets } = open
      try {
        if (sockets !== undefined) ready.push(sockets.prepare(this.socketRules(config, listener, open)))
      } catch (error) {
        errors.push(`Listener on port ${listener.port}: ${error instanceof Error ? error.message : error}`)
      }
    })
    return { ready, errors }
  }

  /** Puts the settings of `config` in force, whose listeners are in the order of the old ones. */
  replace(config: Config): void {
    config.listeners.forEach((listener, at) => {
      const open = this.open[at] as OpenListener
      open.config = listener
    })
  }

  /** Says, once for each file, whose certificates are over or soon will be. */
  warnOfDates(): void {
    const { clock, log } = this.context
    const warnings = this.open.flatMap(({ sockets }) => sockets?.dateWarnings(clock()) ?? [])
    for (const warning of new Set(warnings)) log.warning(`${warning}.`)
  }

  /** A client that was served is gone. */
  left(listener: OpenListener, address: string): void {
    this.limits.remove(listener, address)
  }

  /** Ends handshakes that take too long, and tells when there is room again. */
  tick(now: number): void {
    this.arrivals.tick(now)
    if (!this.isOutOfFiles || !this.limits.hasRoom) return
    this.isOutOfFiles = false
    this.context.log.notice('There are file descriptors for connections again.')
  }

  /** No more clients. */
  close(): void {
    for (const { connection } of this.early.splice(0)) connection.destroy()
    for (const listener of this.open) {
      listener.sockets?.close()
      listener.sockets = undefined
    }
    this.arrivals.close()
  }
}

/** What the log says of an address that is listened on. */
export function openingText({ family, address, port, listener }: BoundListener): string {
  const { protocol, certfile, psk_hint: hint } = listener
  const kind = protocol === 'http_api' ? ['http api'] : protocol === 'websockets' ? [family, 'websockets'] : [family]
  const layers = certfile === undefined && hint === undefined ? kind : [...kind, 'TLS']
  return `Opening ${layers.join(' ')} listen socket on ${family === 'unix' ? `path ${address}` : `port ${port}`}.`
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES')
}
