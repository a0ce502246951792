// Puts the parts of a broker together: listeners, connections, sessions, router, the one tick that drives everything that depends
// on time. Starts and stops it; what happens in between is in the rooms below.

import { BcryptWorkers } from '../access/bcrypt-workers.js'
import { Connection } from '../net/connection.js'
import type { Accepted } from '../net/listener.js'
import { sharedMemory } from '../net/outbox.js'
import type { KeyLog } from '../net/tls.js'
import type { Config } from '../options/config.js'
import { NumberedRun } from '../protocol/numbered-run.js'
import { NO_PROPERTIES } from '../protocol/properties.js'
import { PublishFrames } from '../protocol/publish-frames.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { TopicTable } from '../protocol/topic-table.js'
import { localMessage } from '../session/message.js'
import { MessageRun } from '../session/message-run.js'
import type { Store } from '../store/store.js'
import { AccessControl } from './access-control.js'
import { BROKER_ENDPOINT, brokerCommands } from './admin/broker-commands.js'
import { Control } from './admin/control.js'
import { Denials } from './admin/denials.js'
import type { HttpApi } from './admin/http-api.js'
import type { Log } from './admin/log.js'
import { Statistics, type Traffic } from './admin/statistics.js'
import { subscriptionTree } from './admin/subscription-tree.js'
import { SysTopics } from './admin/sys-topics.js'
import { Bridges } from './bridge/bridges.js'
import { ClientHandler, type HandlerHost } from './clients/client-handler.js'
import { Sessions } from './clients/sessions.js'
import { type BrokerContext, messageSettings } from './context.js'
import { type BoundListener, Listeners, openingText } from './listeners.js'
import { MemoryLimit } from './memory-limit.js'
import { Neighbours } from './neighbours.js'
import type { OpenListener } from './open-listener.js'
import { openStore, Persistence } from './persistence/persistence.js'
import type { Plugin } from './plugins/plugin.js'
import { Plugins } from './plugins/plugins.js'
import { NO_POINTS } from './plugins/points.js'
import { watchedOwner } from './plugins/watched-packets.js'
import { prepareReload } from './reload.js'
import { Router } from './routing/router.js'
import { type PendingWill, Wills } from './routing/wills.js'

/** Seconds that a line of the log waits for its reader. */
const LOG_EXPIRY = 20
/** ms between two looks at the time. */
const TICK = 500
/** ms that clients have to take their last packet when the broker stops. */
const STOP_GRACE = 1000
/** ms that a store has in which everything that was promised is already. */
const STORE_GRACE = 2500

export interface BrokerParts {
  readonly log: Log
  /** Of tsmq, for `$SYS/broker/version`. */
  readonly version: string
  /** ms since 1970; the system's clock unless a test brings its own. */
  readonly clock?: () => number
  /** Opens the store; the one that the configuration names unless a test brings its own. */
  readonly openStore?: (config: Config) => Promise<Store>
  /** Has the keys of TLS connections written down. */
  readonly keyLog?: KeyLog | undefined
  /** Asked behind those of the configuration, about everyone. */
  readonly plugins?: readonly Plugin[]
}

export class Broker implements HandlerHost {
  readonly wills: Wills
  readonly sessions: Sessions
  private readonly context: BrokerContext
  private readonly sys: SysTopics
  private readonly bridges: Bridges
  private readonly plugins: Plugins
  private readonly bcrypt = new BcryptWorkers()
  private readonly listeners: Listeners
  private readonly parts: BrokerParts
  /** With `persistence true`. */
  private persistence: Persistence | undefined = undefined
  /** Undefined without a listener for it. */
  private httpApi: HttpApi | undefined = undefined
  private bound: readonly BoundListener[] = []
  private readonly handlers = new Set<ClientHandler>()
  private timer: NodeJS.Timeout | undefined = undefined
  /** ms: when expired retained messages were last looked for. */
  private sweptAt: number
  private onEmpty: (() => void) | undefined = undefined

  constructor(config: Config, parts: BrokerParts) {
    const { log, version, clock = Date.now, keyLog } = parts
    this.parts = parts
    const frames = new PublishFrames()
    const memory = sharedMemory()
    const router = new Router(frames, memory.blocks, () => memory.writes.wake())
    memory.writes.beforeFlush = () => router.settle()
    this.wills = new Wills((will) => this.publishWill(will))
    this.sessions = new Sessions(
      () => this.context,
      ({ clientId }) => this.wills.sessionEnded(clientId),
    )
    const statistics = new Statistics()
    const topics = new TopicTable()
    this.context = {
      config,
      settings: messageSettings(config),
      // Until `start` has read the files: nobody is served before.
      access: new AccessControl({ ...config, listeners: [] }, this.bcrypt),
      points: NO_POINTS,
      log,
      denials: new Denials(log),
      version,
      clock,
      router,
      frames,
      run: new MessageRun(new NumberedRun()),
      topics,
      memory,
      statistics,
      keyLog,
      memoryLimit: new MemoryLimit(log, clock),
      control: new Control(router, frames, clock),
      neighbours: new Neighbours((clientId) => this.sessions.get(clientId) !== undefined),
      journal: undefined,
    }
    const { control } = this.context
    const reach = { context: this.context, sessions: this.sessions, handlers: () => this.handlers }
    this.plugins = new Plugins(reach, parts.plugins ?? [])
    const sources = {
      ...reach,
      plugins: () => this.plugins.facts,
      bound: () => this.bound,
      bridges: () => this.bridges.facts,
    }
    control.register(BROKER_ENDPOINT, brokerCommands(sources), () => this.context.config.enable_control_api)
    this.listeners = new Listeners(this.context, (...accepted) => this.serve(...accepted))
    this.sys = new SysTopics(this.context, this.sessions, () => this.traffic(), clock())
    this.bridges = new Bridges(this.context, this.sessions)
    this.sweptAt = clock()
  }

  /**
   * Opens every listener, reads the password and ACL files, and serves. Returns what was bound.
   * @param onBound called in between: the time to give up rights that only binding needs.
   * @throws ListenError, AccessError, PluginError, and what `onBound` throws; nothing is left open then
   */
  async start(onBound: (bound: readonly BoundListener[]) => void = () => {}): Promise<readonly BoundListener[]> {
    const { config, log } = this.context
    try {
      if (config.listeners.some(({ protocol }) => protocol === 'http_api')) this.httpApi = await this.openHttpApi()
      this.bound = await this.listeners.listen()
      onBound(this.bound)
      this.context.access = new AccessControl(config, this.bcrypt)
      await this.plugins.load(this.listeners.all)
      if (config.persistence) await this.restore(config)
      await this.plugins.start()
    } catch (error) {
      await this.stop()
      throw error
    }
    for (const each of this.bound) log.info(openingText(each))
    for (const warning of this.context.access.warnings) log.warning(warning)
    this.sys.publish()
    this.bridges.start()
    this.context.memoryLimit.set(config.memory_limit)
    // Of clients that were connected when the broker was killed, before they come back and say that they are there.
    this.wills.tick(this.context.clock())
    this.listeners.startServing()
    this.timer = setInterval(() => this.tick(), TICK)
    return this.bound
  }

  private async restore(config: Config): Promise<void> {
    const { context, listeners, sessions, wills, parts } = this
    const { states } = this.plugins
    const store = await (parts.openStore ?? openStore)(config)
    this.persistence = await Persistence.start(store, { context, listeners, sessions, wills, states })
    // No plugin has such a name.
    context.neighbours.keepIn(states.of(''))
  }

  /** Writes what has changed to the store. False where there is none. */
  save(): boolean {
    this.persistence?.save()
    return this.persistence !== undefined
  }

  /** Loaded only where there is a listener for it. */
  private async openHttpApi(): Promise<HttpApi> {
    const { HttpApi } = await import('./admin/http-api.js')
    return new HttpApi(this.context, { bound: () => this.bound, numbers: () => this.sys.numbers() })
  }

  /** Serves a connection that was accepted elsewhere, by the settings of the first listener without a socket. */
  take(accepted: Accepted): void {
    this.listeners.take(accepted)
  }

  /** Who gets what: for those who publish and subscribe inside the process. */
  get router(): Router {
    return this.context.router
  }

  private serve(listener: OpenListener, accepted: Accepted, since: number): void {
    if (listener.config.protocol === 'http_api') {
      const { address } = accepted.peer
      this.httpApi?.serve(listener, accepted, since, () => this.listeners.left(listener, address))
      return
    }
    const handler = new ClientHandler(this.context, this, listener, accepted.peer, since)
    const { packetIn } = this.context.points
    const connection = new Connection(
      accepted.open((bytes, length, block) => connection.onData(bytes, length, block)),
      packetIn === undefined ? handler : watchedOwner(handler, packetIn, () => handler.watched),
      'client',
      this.context.memory,
    )
    handler.start(connection)
    this.handlers.add(handler)
    accepted.start()
  }

  closed(handler: ClientHandler): void {
    if (!this.handlers.delete(handler)) return
    this.listeners.left(handler.listener, handler.peer.address)
    if (this.handlers.size === 0) this.onEmpty?.()
  }

  /** Publishes a will as its client, if that still may [MQTT-3.1.2-14] [MQTT-3.1.2-15]. */
  private publishWill({ will, publisher, mountPoint }: PendingWill): void {
    const topic = mountPoint + will.topic
    if (!publisher.mayWrite(topic)) {
      this.context.log.notice(`Will of ${publisher.clientId} to '${topic}' denied by the ACL.`)
      return
    }
    const { willDelayInterval: _, ...rest } = will.properties
    const properties = Object.keys(rest).length === 0 ? NO_PROPERTIES : rest
    const payload = Buffer.from(will.payload.buffer, will.payload.byteOffset, will.payload.length)
    const { clock, router, points } = this.context
    const message = localMessage(topic, payload, will.qos, will.retain, properties, publisher, clock())
    const { clientId, username, origin = '' } = publisher
    const listener = this.listeners.named(origin).info
    const judged = points.publish === undefined ? message : points.publish(message, { clientId, username, listener })
    if (typeof judged !== 'number') router.publish(judged)
  }

  /**
   * Puts a newly read configuration in force as a whole, or, when anything in it cannot be used, logs every reason and changes
   * nothing. Returns the configuration in force. Clients that would not be let in again are disconnected.
   */
  reload(fresh: Config): Config {
    const { context } = this
    const { log } = context
    const next = prepareReload(context, fresh, this.bcrypt)
    if ('errors' in next) return this.keepsOld(next.errors)
    context.router.settle()
    const sockets = this.listeners.prepare(next.config)
    if (sockets.errors.length > 0) return this.keepsOld(sockets.errors)
    for (const warning of next.warnings) log.warning(warning)
    context.config = next.config
    context.settings = messageSettings(next.config)
    context.access = next.access
    this.listeners.replace(next.config)
    for (const putInForce of sockets.ready) putInForce()
    this.listeners.warnOfDates()
    this.persistence?.reload(next.config)
    const now = context.clock()
    const { persistent_client_expiration: longest } = next.config
    if (longest !== undefined) this.sessions.boundExpiry(longest, now)
    this.sessions.renew(now)
    for (const handler of [...this.handlers]) handler.recheck()
    this.bridges.reload()
    this.sys.reloaded()
    context.points.reload?.()
    context.memoryLimit.set(next.config.memory_limit)
    log.info('The configuration has been reloaded.')
    return next.config
  }

  private keepsOld(errors: readonly string[]): Config {
    const { log, config } = this.context
    for (const error of errors) log.error(error)
    log.error('The new configuration cannot be used; the old one stays in force.')
    return config
  }

  private *traffic(): IterableIterator<Traffic> {
    for (const { traffic } of this.handlers) if (traffic !== undefined) yield traffic
    yield* this.bridges.traffic()
  }

  /** Every subscription, then those that are shared, then every retained message, as trees for a person to read. */
  describe(): string {
    return subscriptionTree(this.sessions.values(), this.context.router.retained.all())
  }

  /** Publishes a line of the log for those who watch its topic now or are back soon. */
  publishLog(topic: string, line: string): void {
    const { router, clock } = this.context
    const properties = { messageExpiryInterval: LOG_EXPIRY }
    router.publish(localMessage(topic, Buffer.from(line), 2, false, properties, undefined, clock()))
  }

  /** Looks at everything that waits for a time. Called by the timer; a test calls it with a clock of its own. */
  tick(): void {
    const now = this.context.clock()
    this.context.denials.tick(now)
    this.context.memoryLimit.look()
    this.listeners.tick(now)
    this.plugins.tick(now)
    this.httpApi?.tick(now)
    for (const handler of this.handlers) handler.tick(now)
    this.bridges.tick(now)
    this.sessions.tick(now)
    this.wills.tick(now)
    this.persistence?.tick(now)
    this.sys.tick(now)
    const { retain_expiry_interval: minutes } = this.context.config
    if (minutes !== undefined && now - this.sweptAt >= minutes * 60_000) {
      this.sweptAt = now
      this.context.router.retained.sweep(now)
    }
  }

  /**
   * Stops: no new clients, the present ones are told, wills are published, everything is closed. Takes a second at most, and what
   * plugins and the store need. False when the store has not answered, as on a network that is gone: a thread waits for it.
   */
  async stop(): Promise<boolean> {
    clearInterval(this.timer)
    this.listeners.close()
    this.httpApi?.close()
    for (const handler of this.handlers) handler.disconnect(ReasonCode.SERVER_SHUTTING_DOWN, 'broker is shutting down')
    // Those that wait for their delay go on waiting in the store.
    if (this.persistence === undefined) this.wills.publishAll()
    const empty = new Promise<void>((resolve) => {
      if (this.handlers.size === 0) resolve()
      else this.onEmpty = resolve
    })
    const grace = pause(STOP_GRACE)
    // After the wills, which may go out over a bridge.
    await Promise.race([Promise.all([empty, this.bridges.stop()]), grace])
    for (const handler of this.handlers) handler.abort()
    this.bridges.abort()
    await Promise.race([this.plugins.stop(), pause(STOP_GRACE)])
    const isClosed = await this.closeStore()
    this.bcrypt.close()
    return isClosed
  }

  private async closeStore(): Promise<boolean> {
    const { persistence } = this
    if (persistence === undefined) return true
    const closed = persistence.close().then(() => true)
    // Otherwise everything since the last time is still to be written, which may take longer.
    if (this.context.config.persistence_durability !== 'commit') return closed
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), STORE_GRACE)
    })
    const isClosed = await Promise.race([closed, late])
    clearTimeout(timer)
    if (!isClosed)
      this.context.log.error('The store does not answer. It holds what was acknowledged, but not what has ended since.')
    return isClosed
  }
}

/** @param ms nothing is kept alive for its sake */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
