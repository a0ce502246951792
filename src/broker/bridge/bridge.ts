// One bridge: when it connects, to which of its addresses, and what becomes of it when the connection ends (bridges.md sections 5
// and 6). What waits here is local-side's; what is exchanged with the remote broker bridge-connection's.

import { ClientError } from '../../client/client-error.js'
import type { Cancel } from '../../client/clock.js'
import { type ClientMemory, Link, type LinkOwner, type PacketWatcher, type SessionPacket } from '../../client/link.js'
import { type Dialling, type DialTarget, dial, hostAndPort } from '../../net/dial.js'
import { TlsFileError } from '../../net/tls-files.js'
import type { BridgeConfig } from '../../options/bridge-config.js'
import type { BridgeAddress } from '../../options/option.js'
import { PacketType, packetTypeRow } from '../../protocol/packet-types.js'
import type { Connack } from '../../protocol/packets/connack.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { TopicTable } from '../../protocol/topic-table.js'
import type { Traffic } from '../admin/statistics.js'
import type { SessionClient, SessionSender } from '../clients/session.js'
import type { Sessions } from '../clients/sessions.js'
import type { BrokerContext } from '../context.js'
import type { OpenListener } from '../open-listener.js'
import type { Waiter } from '../persistence/journal.js'
import { BridgeConnect } from './bridge-connect.js'
import { BridgeConnection, type BridgeParts } from './bridge-connection.js'
import { bridgeNames } from './bridge-names.js'
import { bridgeTarget, plainTarget } from './bridge-target.js'
import { BridgeTopics } from './bridge-topics.js'
import { LocalSide } from './local-side.js'
import { RestartDelay } from './restart-delay.js'
import type { TickClock } from './tick-clock.js'
import type { UserTimeouts } from './user-timeouts.js'

/** What all bridges share. */
export interface BridgeEnvironment {
  readonly context: BrokerContext
  readonly sessions: Sessions
  readonly clock: TickClock
  readonly userTimeouts: UserTimeouts
  readonly memory: ClientMemory
  readonly topics: TopicTable
  /** For their sessions: where nothing is restricted. */
  readonly listener: OpenListener
  /** 0 to 1. */
  readonly random: () => number
}

/** What is told about a bridge. */
export interface BridgeFacts {
  readonly name: string
  /** At the remote broker. */
  readonly clientid: string
  readonly localClientid: string
  /** The one in use, or to be tried next. */
  readonly address: string
  readonly connected: boolean
  /** Waiting, or on their way. */
  readonly queuedMessages: number
}

/** ms that a remote broker has to answer CONNECT. */
const CONNECT_TIMEOUT = 30_000
/** ms between two looks at the first address while another one is in use; it grows while going back fails. */
const FIRST_PROBE = 5000
const LONGEST_PROBE = 320_000

/** What the bridge does: nothing yet, trying, connected, saying goodbye, waiting to try again or for messages, nothing any more. */
type Phase = 'new' | 'connecting' | 'open' | 'closing' | 'waiting' | 'idle' | 'over'

export class Bridge implements LinkOwner, SessionClient {
  readonly config: BridgeConfig
  /** Called when the connection has ended and before another is made; true when this bridge is not to go on. */
  onPause: (delay: number) => boolean = () => false
  private readonly environment: BridgeEnvironment
  private readonly context: BrokerContext
  private readonly parts: BridgeParts
  private readonly local: LocalSide
  private readonly delay: RestartDelay
  private readonly watcher: PacketWatcher
  private phase: Phase = 'new'
  private link: Link | undefined = undefined
  private connection: BridgeConnection | undefined = undefined
  /** Of the address in use. */
  private index = 0
  /** ms. */
  private openedAt = 0
  private cancelTimer: Cancel = () => {}
  private endWatch: () => void = () => {}
  private probe: Dialling | undefined = undefined
  private probeAfter = FIRST_PROBE
  /** What to do once a connection has ended that was ended from this side. */
  private afterwards: (() => void) | undefined = undefined

  constructor(environment: BridgeEnvironment, config: BridgeConfig) {
    const { context, sessions, listener, random } = environment
    const names = bridgeNames(config)
    const topics = new BridgeTopics(config.topic)
    const isLazy = config.start_type === 'lazy'
    const isDurable = !(config.local_cleansession ?? config.cleansession)
    const settings = { clientId: names.localClientId, listener, topics, isDurable, queuesQos0: isLazy }
    this.local = new LocalSide(context, sessions, settings, (waiting) => this.onWaiting(waiting))
    this.parts = { config, names, topics, connect: new BridgeConnect(config, names), local: this.local }
    this.environment = environment
    this.context = context
    this.config = config
    this.delay = new RestartDelay(config.restart_timeout, random)
    this.watcher = {
      onSent: ({ type }) => this.note('Sending', 'to', type),
      onReceived: ({ type }) => this.note('Received', 'from', type),
    }
  }

  /** For those who ask about bridges. */
  get facts(): BridgeFacts {
    const { remoteClientId, localClientId } = this.parts.names
    return {
      name: this.config.name,
      clientid: remoteClientId,
      localClientid: localClientId,
      address: hostAndPort(this.address),
      connected: this.phase === 'open',
      queuedMessages: this.local.unfinished,
    }
  }

  /** What its connection counts for itself. */
  get traffic(): Traffic | undefined {
    return this.link?.connection
  }

  /** Begins: messages wait from now on. @param after ms until the first attempt */
  start(after: number): void {
    this.local.open()
    this.publishState('0')
    if (this.config.start_type === 'lazy') this.rest()
    else if (after > 0) this.connectAfter(after)
    else this.connect()
  }

  private get address(): BridgeAddress {
    const { address } = this.config
    const found = address[this.index]
    if (found === undefined) throw new Error(`bridge ${this.config.name} has no address ${this.index}`)
    return found
  }

  private publishState(state: '0' | '1'): void {
    if (this.config.notifications) this.local.publishState(this.parts.names.stateTopic, state)
  }

  private connect(): void {
    const { context, address } = this
    const { clock, memory, topics } = this.environment
    this.phase = 'connecting'
    context.log.notice(`Connecting bridge ${this.config.name} (${hostAndPort(address)})`)
    try {
      const target = bridgeTarget(this.config, address, context.clock)
      const packet = this.parts.connect.packet(context.config, context.neighbours.name)
      const settings = { clock, memory, topics, watcher: this.watcher, connectTimeout: CONNECT_TIMEOUT }
      this.link = new Link(this.watched(target), packet, this, settings)
    } catch (error) {
      if (!(error instanceof TlsFileError)) throw error
      this.onEnd(new ClientError('connect', error.message))
      return
    }
    this.link.start()
  }

  /** Has the connection end when what is sent is not acknowledged in time. */
  private watched(target: DialTarget): DialTarget {
    const { bridge_tcp_user_timeout: limit } = this.config
    if (limit === 0) return target
    const cause = `data sent was not acknowledged for ${limit} ms (bridge_tcp_user_timeout)`
    const onSocket: DialTarget['onSocket'] = (socket) => {
      target.onSocket?.(socket)
      this.endWatch = this.environment.userTimeouts.watch(socket, limit, () => this.link?.giveUp(cause))
    }
    return { ...target, onSocket }
  }

  private connectAfter(ms: number): void {
    this.phase = 'waiting'
    this.cancelTimer = this.environment.clock.after(ms, () => this.connect())
  }

  /** Waits for messages. */
  private rest(): void {
    this.phase = 'idle'
    this.onWaiting(this.local.unfinished)
  }

  private onWaiting(count: number): void {
    if (this.phase === 'idle' && count >= this.config.threshold) this.connect()
  }

  /** Counts and tells the packets that pass. */
  private note(verb: 'Sending' | 'Received', preposition: 'to' | 'from', type: PacketType): void {
    const { log, statistics } = this.context
    if (verb === 'Sending') statistics.countSent(type)
    else statistics.countReceived(type)
    if (!log.isDebug || type === PacketType.PUBLISH) return
    const { localClientId, remoteClientId } = this.parts.names
    if (type === PacketType.CONNECT) log.debug(`Bridge ${remoteClientId} sending CONNECT`)
    else if (type === PacketType.CONNACK) log.debug(`Received CONNACK on connection ${localClientId}.`)
    else log.debug(`${verb} ${packetTypeRow(type)?.name} ${preposition} ${localClientId}`)
  }

  // --- the connection ---

  onOpen(connack: Connack): void {
    const { link, context } = this
    if (link?.connection === undefined) return
    this.phase = 'open'
    this.openedAt = context.clock()
    if (this.index === 0) this.probeAfter = FIRST_PROBE
    if (context.config.connection_messages)
      context.log.notice(`Connected bridge ${this.config.name} (${hostAndPort(this.address)}).`)
    this.guarded(() => {
      const { connection } = link
      if (connection === undefined) return
      this.connection = new BridgeConnection(context, this.parts, link, connection, connack)
      this.connection.begin(this)
      this.publishState('1')
    })
    this.watchFirst()
  }

  onPacket(packet: SessionPacket): void {
    if (this.phase === 'open') this.guarded(() => this.connection?.onPacket(packet))
  }

  onDrain(): void {
    if (this.phase === 'open') this.connection?.onDrain()
  }

  /** Has a defect of ours end this connection and nothing else. */
  private guarded(action: () => void): void {
    try {
      action()
    } catch (error) {
      if (error instanceof ProtocolError) throw error
      const text = error instanceof Error ? error.stack : error
      this.context.log.error(`Internal error in bridge ${this.config.name}: ${text}`)
      throw new ProtocolError(ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, 'internal error')
    }
  }

  onEnd(error: ClientError | undefined): void {
    const { context, link } = this
    const wasOpen = this.phase === 'open'
    this.cancelTimer()
    this.endWatch()
    this.probe?.cancel()
    this.probe = undefined
    context.statistics.bytesReceived += link?.connection?.bytesReceived ?? 0
    context.statistics.bytesSent += link?.connection?.bytesSent ?? 0
    if (wasOpen) this.detach(error)
    else if (error !== undefined) context.log.error(`Error creating bridge ${this.config.name}: ${error.message}.`)
    this.link = undefined
    this.connection = undefined
    this.phase = 'waiting'
    const { afterwards } = this
    this.afterwards = undefined
    if (afterwards !== undefined) afterwards()
    else this.goOn(error, wasOpen)
  }

  /** Nothing is sent any more: messages wait from now on. */
  private detach(error: ClientError | undefined): void {
    this.phase = 'closing'
    this.local.detach()
    this.publishState('0')
    const { log, config } = this.context
    const { host, port } = this.address
    const why = error === undefined ? '' : `: ${error.message}`
    if (config.connection_messages) log.notice(`Client ${this.local.clientId} [${host}:${port}] disconnected${why}.`)
  }

  /** What comes after a connection that was lost, or an attempt that failed. */
  private goOn(error: ClientError | undefined, wasOpen: boolean): void {
    const { config, context } = this
    const { log } = context
    const change = error?.kind === 'refused' ? this.parts.connect.adapt(error.reasonCode) : undefined
    if (change !== undefined) {
      log.notice(`Bridge ${config.name}: ${change}.`)
      this.connectAfter(0)
      return
    }
    this.index = (this.index + 1) % config.address.length
    const lived = context.clock() - this.openedAt
    const isStable = wasOpen && this.delay.isStable(lived)
    const delay = wasOpen ? this.delay.afterLoss(lived) : this.delay.afterFailure()
    if (this.onPause(delay)) return
    if (config.start_type === 'once') {
      this.phase = 'over'
      log.notice(`Bridge ${config.name} stays disconnected, because its start_type is once.`)
      return
    }
    if (config.start_type === 'lazy' && this.local.unfinished < config.threshold) {
      this.rest()
      return
    }
    if (isStable) log.info(`Bridge ${config.name} was connected long enough: its backoff begins anew`)
    log.info(`Bridge ${config.name} next backoff will be ${delay} ms`)
    this.connectAfter(delay)
  }

  /** Ends what there is, with a goodbye to the remote broker, and then does something else. */
  private leave(then: () => void): void {
    this.cancelTimer()
    if (this.link === undefined) {
      then()
      return
    }
    this.afterwards = then
    if (this.phase === 'open') {
      if (this.parts.connect.announces) this.connection?.announce('0')
      this.detach(undefined)
    }
    this.link.disconnect(ReasonCode.SUCCESS, NO_PROPERTIES)
  }

  // --- time ---

  tick(now: number): void {
    const { connection, config } = this
    if (connection === undefined || this.phase !== 'open' || config.start_type !== 'lazy' || this.local.unfinished > 0)
      return
    if (now - connection.lastPublish < config.idle_timeout * 1000) return
    this.context.log.notice(`Bridge ${config.name} disconnects: no message for ${config.idle_timeout} seconds.`)
    this.leave(() => this.rest())
  }

  /** While another address is in use, looks now and then whether the first one is reachable again, and goes back to it. */
  private watchFirst(): void {
    const [first] = this.config.address
    if (this.index === 0 || this.config.round_robin || first === undefined) return
    this.cancelTimer = this.environment.clock.after(this.probeAfter, () => {
      this.probe = dial(
        plainTarget(this.config, first),
        this.environment.memory.reads,
        () => {},
        (stream) => {
          stream.on('error', () => {}).destroy()
          this.context.log.notice(
            `Bridge ${this.config.name} goes back to ${hostAndPort(first)}, which is there again.`,
          )
          this.probeAfter = Math.min(this.probeAfter * 2, LONGEST_PROBE)
          this.leave(() => {
            this.index = 0
            this.connect()
          })
        },
        () => this.watchFirst(),
      )
    })
  }

  // --- the local session's connection ---

  get sender(): SessionSender {
    if (this.connection === undefined) throw new Error(`bridge ${this.config.name} is not connected`)
    return this.connection.sender
  }

  get waiter(): Waiter | undefined {
    return this.connection?.waiter
  }

  takenOver(): void {
    this.disconnect()
  }

  disconnect(): void {
    this.link?.abort()
  }

  /** A bridge has come in from another broker: it may be the one at the other end of this one. */
  introduce(): void {
    if (this.phase === 'open') this.connection?.introduce()
  }

  // --- the end ---

  /**
   * Ends the bridge. `keepsSession` leaves the local session and what waits in it to a successor or to the next start.
   * @param then called once the connection is closed
   */
  stop(keepsSession: boolean, then: () => void): void {
    this.leave(() => {
      this.phase = 'over'
      if (!keepsSession) this.local.close()
      then()
    })
  }

  /** Whether there is neither a connection nor an attempt to make one. */
  get isResting(): boolean {
    return this.phase === 'idle' || this.phase === 'waiting' || this.phase === 'over'
  }

  /** Drops the connection at once. */
  abort(): void {
    this.link?.abort()
  }

  /** Whether `other` would go on with the local session of this one. */
  sharesSession(other: Bridge): boolean {
    return this.local.clientId === other.local.clientId && this.local.isDurable && other.local.isDurable
  }
}
