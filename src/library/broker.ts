// The broker of the library: the one behind the command, started from an object and used from the program it runs in.

import type { IncomingMessage as HttpRequest, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { Log, type LogType } from '../broker/admin/log.js'
import { Broker as Engine } from '../broker/broker.js'
import { faultOf } from '../broker/own-message.js'
import type { Plugin } from '../broker/plugins/plugin.js'
import { checkFilter } from '../protocol/packets/subscribe.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { packageVersion } from '../version.js'
import { type BrokerSettings, configOf, OptionsError } from './broker-options.js'
import type { SubscribeOptions } from './client.js'
import { LocalReceiver } from './local-receiver.js'
import { type IncomingMessage, type OutgoingMessage, outgoing } from './message.js'
import { type MessageHandler, Subscription } from './subscription.js'

/** Options of tsmq.conf(5), and what only a program can give. */
export interface BrokerOptions extends BrokerSettings {
  /** Called in this order at each point, behind those of the configuration. */
  readonly plugins?: readonly Plugin[]
  /** Takes each line of the log. Without it there is no log. */
  readonly log?: (type: LogType, line: string) => void
}

/** An address that is listened on. */
export interface BrokerAddress {
  /** An IP address, or the path of a Unix socket. */
  readonly address: string
  /** 0 for a Unix socket. */
  readonly port: number
  readonly family: 'ipv4' | 'ipv6' | 'unix'
}

/** A session, and its client while that is there. */
export interface BrokerClient {
  readonly clientId: string
  readonly username: string | undefined
  readonly isConnected: boolean
  /** Messages that wait for it, and those it has not acknowledged. */
  readonly queued: number
  readonly inFlight: number
}

/** Where the WebSocket of an HTTP server is. */
export interface AttachOptions {
  /** Path of the requests that are for the broker; `/mqtt` unless given. */
  readonly path?: string
  /** Values of the Origin header that are let in; any unless given. */
  readonly origins?: readonly string[]
}

/** Messages that may wait in an iterator inside the broker's process. */
const MOST_WAITING = 100_000

/** One running broker, made by `Broker.start`. */
export class Broker {
  /** What is listened on. */
  readonly addresses: readonly BrokerAddress[]
  private readonly engine: Engine
  private readonly log: Log
  private readonly routes = new Map<Subscription, () => void>()
  private readonly attached = new Set<() => void>()
  private stopping: Promise<void> | undefined = undefined

  private constructor(engine: Engine, log: Log, addresses: readonly BrokerAddress[]) {
    this.engine = engine
    this.log = log
    this.addresses = addresses
  }

  /**
   * Opens every listener, reads the files that the options name, and serves.
   * @throws OptionsError for options that cannot be used; AccessError for password and ACL files that cannot; ListenError when an
   * address cannot be listened on; PluginError for a plugin that cannot be loaded or does not start; StoreError for a store that
   * cannot be opened
   */
  static async start({ log: write, plugins = [], ...settings }: BrokerOptions = {}): Promise<Broker> {
    const config = configOf(settings)
    const sinks = write === undefined ? [] : [(line: string, type: LogType) => write(type, line)]
    const log = new Log({ ...config, log_timestamp: false }, sinks, () => '')
    for (const { message } of config.warnings) log.warning(message)
    const engine = new Engine(config, { log, version: packageVersion(), plugins })
    const addresses = await engine.start()
    return new Broker(
      engine,
      log,
      addresses.map(({ address, port, family }) => ({ address, port, family })),
    )
  }

  /** The port of the first listener; 0 when it is a Unix socket or there is none. */
  get port(): number {
    return this.addresses[0]?.port ?? 0
  }

  /**
   * Publishes a message to those who have subscribed. Returns whether anybody had.
   * @throws OptionsError for a topic that may not be published to, another QoS, or properties that do not fit in a packet; Error when
   * the broker has been stopped
   */
  publish(message: OutgoingMessage): boolean {
    this.checkRunning()
    const fault = faultOf(message)
    if (fault !== undefined) throw new OptionsError([fault])
    return this.engine.router.publish(outgoing(message))
  }

  private checkRunning(): void {
    if (this.stopping !== undefined) throw new Error('the broker has been stopped')
  }

  /**
   * Takes messages inside this process, retained ones first. They go to `handler`, or wait for
   * `for await (const message of subscription)`; an iterator that lets 100,000 wait ends with an error. They keep the QoS that they
   * were published with, unless `options` say less.
   * @throws ProtocolError for a malformed filter; Error when the broker has been stopped
   */
  subscribe(
    filters: string | readonly string[],
    options: SubscribeOptions | MessageHandler = {},
    handler?: MessageHandler,
  ): Subscription {
    if (typeof options === 'function') return this.subscribe(filters, {}, options)
    this.checkRunning()
    const { router } = this.engine
    const { qos = 2, retainAsPublished = false, retainHandling = 0 } = options
    const list = typeof filters === 'string' ? [filters] : filters
    const subscription: Subscription = new Subscription(
      {
        hold: () => this.drop(subscription),
        unsubscribe: async (each) => this.unsubscribe(each),
        report: (error, { topic }) =>
          this.log.error(`A local subscriber to ${topic} failed: ${error instanceof Error ? error.stack : error}`),
      },
      list,
      handler,
      MOST_WAITING,
    )
    const routes = list.map((text) => ({
      receiver: new LocalReceiver((message) => subscription.take(message)),
      text,
      ...checkFilter(text),
      qos,
      noLocal: false,
      retainAsPublished,
      retainHandling,
      identifier: 0,
    }))
    this.routes.set(subscription, () => {
      for (const route of routes) router.subscriptions.remove(route)
    })
    for (const route of routes) {
      router.subscriptions.add(route)
      if (route.group === undefined && retainHandling < 2)
        for (const message of router.retained.matching(route.filter, Date.now()))
          route.receiver.deliverRetained(message, route)
    }
    return subscription
  }

  private unsubscribe(subscription: Subscription): void {
    this.routes.get(subscription)?.()
    this.routes.delete(subscription)
    subscription.finish(undefined)
  }

  /** Nobody reads it. */
  private drop(subscription: Subscription): void {
    this.routes.get(subscription)?.()
    this.routes.delete(subscription)
    subscription.finish(new Error(`${MOST_WAITING} messages wait for an iterator that is not read`))
  }

  /** Retained messages whose topic matches `filter`, the broker's own only if it begins with `$SYS`. */
  retained(filter = '#'): IncomingMessage[] {
    const found: IncomingMessage[] = []
    this.subscribe(filter, (message) => found.push(message)).unsubscribe()
    return found
  }

  /** Every session. */
  get clients(): BrokerClient[] {
    return [...this.engine.sessions.values()].map(({ clientId, username, isConnected, outbound }) => ({
      clientId,
      username,
      isConnected,
      queued: outbound.queuedCount,
      inFlight: outbound.inFlightCount,
    }))
  }

  /** Disconnects a client, with reason code 0x98 in MQTT 5.0. Returns whether it was connected. */
  disconnectClient(clientId: string): boolean {
    const client = this.engine.sessions.get(clientId)?.client
    client?.disconnect(ReasonCode.ADMINISTRATIVE_ACTION, 'administrative action')
    return client !== undefined
  }

  /**
   * Serves a client over a stream that carries MQTT, by the options that hold for all listeners.
   * @throws Error when the broker has been stopped; the stream is destroyed then
   */
  async serve(stream: Duplex, peer: { readonly address?: string; readonly port?: number } = {}): Promise<void> {
    const { acceptedStream } = await import('./handed-connections.js')
    if (this.stopping !== undefined) stream.destroy()
    this.checkRunning()
    this.engine.take(
      acceptedStream(stream, { address: peer.address ?? 'stream', port: peer.port ?? 0, secured: undefined }),
    )
  }

  /**
   * Speaks MQTT over WebSocket at a path of an HTTP or HTTPS server, until what is returned is called or the broker stops. Other
   * upgrades are left to who else listens for them, and refused with 404 when nobody does.
   * @throws Error when the broker has been stopped
   */
  attach(server: Server, { path = '/mqtt', origins = [] }: AttachOptions = {}): () => void {
    this.checkRunning()
    const onUpgrade = async (request: HttpRequest, socket: Duplex, head: Buffer) => {
      if (request.url?.split('?', 1)[0] !== path) {
        if (server.listenerCount('upgrade') === 1) refuse(socket)
        return
      }
      // Until it is served, nobody else hears that it breaks.
      socket.on('error', ignore)
      const { acceptedUpgrade } = await import('./handed-connections.js')
      if (this.stopping !== undefined || socket.destroyed) {
        socket.destroy()
        return
      }
      const { remoteAddress = 'http', remotePort = 0 } = request.socket
      const peer = { address: remoteAddress, port: remotePort, secured: undefined }
      this.engine.take(acceptedUpgrade(request, socket, head, peer, origins))
      socket.off('error', ignore)
    }
    server.on('upgrade', onUpgrade)
    const detach = () => {
      server.off('upgrade', onUpgrade)
      this.attached.delete(detach)
    }
    this.attached.add(detach)
    return detach
  }

  /** Stops: clients are told, wills are published, everything is closed. Takes about a second at most. */
  stop(): Promise<void> {
    for (const subscription of [...this.routes.keys()]) this.unsubscribe(subscription)
    for (const detach of [...this.attached]) detach()
    this.stopping ??= this.engine.stop().then(() => {})
    return this.stopping
  }

  /** `await using broker = await Broker.start(…)`, on a Node that has it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function ignore(): void {}

function refuse(socket: Duplex): void {
  socket.on('error', ignore)
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () => socket.destroy())
}
