// One network client from accept to close: the order of packets, the login, keep alive, and how it ends (MQTT 5.0 sections 3.1.4,
// 3.14.4, 4.13). What single packets do is in publish-in and subscribe; whether a CONNECT is acceptable in login, and what it
// makes of the client in entry.

import type { Connection, ConnectionOwner } from '../../net/connection.js'
import type { Peer } from '../../net/listener.js'
import { decodePacket, encodeWithin } from '../../protocol/codec.js'
import { PacketType, PLAIN_PUBLISH, packetTypeRow } from '../../protocol/packet-types.js'
import type { AckType } from '../../protocol/packets/acks.js'
import type { Connect } from '../../protocol/packets/connect.js'
import type { Disconnect } from '../../protocol/packets/disconnect.js'
import { decodePublish } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ReasonCode, reasonText } from '../../protocol/reason-codes.js'
import type { SharedBlock } from '../../protocol/shared-block.js'
import type { Traffic } from '../admin/statistics.js'
import type { BrokerContext } from '../context.js'
import type { OpenListener } from '../open-listener.js'
import { HeldOutput } from '../persistence/held-output.js'
import type { Waiter } from '../persistence/journal.js'
import type { PacketConnection } from '../plugins/plugin.js'
import { isPromise, type Soon } from '../plugins/soon.js'
import { type PacketOutlet, WatchedOutlet } from '../plugins/watched-packets.js'
import { handleAck, handleFollowingAcks } from './acknowledge-in.js'
import { subscribeWithPlugins, unsubscribeWithPlugins } from './asked-plugins.js'
import { type Admission, boundExpiry, connackProperties, refusalOfStore, STORE_FAILS, welcome } from './connect.js'
import type { ConnectedClient } from './connected-client.js'
import { type ConnectionFacts, connectionFacts, connectionInfo } from './connection-facts.js'
import { describeArrival } from './describe.js'
import { enter, type Keepers } from './entry.js'
import { Login, type LoginHost } from './login.js'
import { handleNumbered } from './numbered-in.js'
import { PacketSender } from './packet-sender.js'
import { handleFollowing, handlePublish } from './publish-in.js'
import { Reauthentication } from './reauthentication.js'
import type { SessionClient } from './session.js'
import type { Sessions } from './sessions.js'

/** Most bytes of a CONNECT packet, whatever `max_packet_size` allows later. */
const MAX_CONNECT = 100_000
/** First bytes of the acknowledgements; without reason code and properties they are two bytes more than that. */
const FIRST_ACK = PacketType.PUBACK << 4
const END_OF_ACKS = PacketType.SUBSCRIBE << 4
const CLOSED_BY_CLIENT = 'connection closed by client'
/** How long a connection that this side has ended may stay open for the peer to read the last packet, in ms. */
const GRACE = 2000

/** Packets that are taken one by one after two that were not alike: the next ones may not be either. */
const UNLIKE = 7

type State = 'new' | 'connected' | 'ended'

/** What the handler needs of the broker's list of connections. */
export interface HandlerHost extends Keepers {
  /** The connection is gone for good. */
  closed(handler: ClientHandler): void
}

export class ClientHandler implements ConnectionOwner, SessionClient, LoginHost {
  readonly listener: OpenListener
  readonly peer: Peer
  private readonly context: BrokerContext
  private readonly host: HandlerHost
  private connection: Connection | undefined = undefined
  /** Where packets to the client go: the outbox of the connection, unless plugins watch. */
  private outlet: PacketOutlet | undefined = undefined
  /** Until the client is let in. */
  private login: Login | undefined = undefined
  private state: State = 'new'
  private client: ConnectedClient | undefined = undefined
  /** After extended authentication. */
  private reauthentication: Reauthentication | undefined = undefined
  private isActive = false
  /** Packets behind which it is not looked for others like them. */
  private unlike = 0
  /** The client waits for plugins, not the broker for the client. */
  private isAsking = false
  /** The client has sent DISCONNECT. */
  private isOrderly = false
  /** ms: of the last packet while connected, otherwise of the beginning of the present state. */
  private since: number
  private why = ''

  /** @param since ms: when the connection was accepted */
  constructor(context: BrokerContext, host: HandlerHost, listener: OpenListener, peer: Peer, since: number) {
    this.context = context
    this.host = host
    this.listener = listener
    this.peer = peer
    this.since = since
  }

  /** Gives the handler the connection it owns, before anything is read from it. */
  start(connection: Connection): void {
    this.connection = connection
    connection.framer.only = PacketType.CONNECT
    connection.framer.maximumPacketSize = Math.min(MAX_CONNECT, this.context.config.max_packet_size)
    const { packetOut } = this.context.points
    this.outlet =
      packetOut === undefined ? connection.outbox : new WatchedOutlet(connection.outbox, packetOut, () => this.watched)
    this.login = new Login(this.context, this.listener, this.peer, connection, this.outlet, this)
    connection.outbox.maxPendingBytes = this.context.config.max_outgoing_bytes || Number.POSITIVE_INFINITY
  }

  /** What its connection counts for itself. */
  get traffic(): Traffic | undefined {
    return this.connection
  }

  /** Of a client that has been let in, while it is there. */
  get clientId(): string | undefined {
    return this.state === 'connected' ? this.client?.session.clientId : undefined
  }

  /** The connection of a client that has been let in, for those who ask for it. */
  get facts(): ConnectionFacts | undefined {
    const { client, connection } = this
    return client && connection && connectionFacts(this, connection, client)
  }

  /** The connection as those see it who watch packets. */
  get watched(): PacketConnection {
    const { address, port } = this.peer
    return { address, port, clientId: this.client?.session.clientId ?? '' }
  }

  get sender(): PacketSender {
    return this.connected.sender
  }

  get waiter(): Waiter | undefined {
    return this.client?.waiter
  }

  private get connected(): ConnectedClient {
    if (this.client === undefined) throw new Error('no client is connected')
    return this.client
  }

  /** The client as the log calls it. */
  private get name(): string {
    return this.client?.session.clientId ?? this.login?.connect?.clientId ?? this.peer.address
  }

  onPacket(header: number, bytes: Buffer, start: number, end: number, block: SharedBlock | undefined): void {
    if (this.state === 'ended') return // [MQTT-3.1.4-6]
    this.isActive = true
    const { context, client } = this
    context.statistics.countReceived(header >> 4)
    if (client === undefined) {
      this.login?.onPacket(header, bytes, start, end)
      return
    }
    if (header >> 4 === PacketType.PUBLISH) {
      const packet = decodePublish(header & 15, bytes, start, end, client.version, 'client', context.topics)
      handlePublish(context, client, packet, start, block)
      return
    }
    // An answer is not to overtake what was published before.
    context.router.settle()
    if (end - start === 2 && header >= FIRST_ACK && header < END_OF_ACKS) {
      const packetId = ((bytes[start] as number) << 8) | (bytes[start + 1] as number)
      handleAck(context, client, (header >> 4) as AckType, packetId, ReasonCode.SUCCESS)
      return
    }
    const packet = decodePacket(header, bytes, start, end, client.version, 'client', context.topics)
    switch (packet.type) {
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBREL:
      case PacketType.PUBCOMP:
        handleAck(context, client, packet.type, packet.packetId, packet.reasonCode)
        return
      case PacketType.SUBSCRIBE:
        subscribeWithPlugins(context, client, packet, this)
        return
      case PacketType.UNSUBSCRIBE:
        unsubscribeWithPlugins(context, client, packet, this)
        return
      case PacketType.PINGREQ:
        if (context.log.isDebug) context.log.debug(`Received PINGREQ from ${this.name}`)
        client.sender.sendPingresp() // [MQTT-3.12.4-1]
        return
      case PacketType.DISCONNECT:
        this.onDisconnect(client, packet)
        return
      case PacketType.AUTH:
        if (this.reauthentication === undefined)
          throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'AUTH without a login that uses it') // [MQTT-4.12.0-7]
        this.reauthentication.onAuth(packet)
        return
      case PacketType.CONNECT:
        throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'second CONNECT') // [MQTT-3.1.0-2]
      default:
        throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `${packetTypeRow(packet.type)?.name} from a client`)
    }
  }

  onFollowing(bytes: Buffer, before: number, at: number, limit: number): number {
    const { client, connection, state } = this
    if (client === undefined || connection === undefined || state !== 'connected') return at
    const header = bytes[at] as number
    if (header >= FIRST_ACK) return handleFollowingAcks(this.context, client, bytes, at, limit)
    if (this.unlike > 0) {
      this.unlike--
      return at
    }
    const most = connection.framer.maximumPacketSize
    const next =
      header === PLAIN_PUBLISH
        ? handleFollowing(this.context, client, bytes, at, limit, most)
        : handleNumbered(this.context, client, bytes, before, at, limit, most)
    if (next === at) this.unlike = UNLIKE
    return next
  }

  /** Goes on with an answer of plugins; the client's next packets wait for it. */
  goOn<T>(answer: Soon<T>, use: (answer: T) => void): void {
    if (!isPromise(answer)) {
      use(answer)
      return
    }
    this.connection?.pause()
    this.isAsking = true
    answer
      .then((late) => {
        this.isAsking = false
        this.isActive = true
        if (this.state !== 'connected') return
        this.context.router.settle()
        use(late)
        this.connection?.resume()
      })
      .catch((error) => this.onError(error))
  }

  // --- coming in ---

  onAccepted(connect: Connect, admission: Admission): void {
    const { context, listener } = this
    const { config } = listener
    const connection = this.connection as Connection
    const { protocolVersion: version } = connect
    const properties = version === 5 ? connackProperties(context, config, connect, admission) : NO_PROPERTIES
    const { maximumPacketSize: most } = connect.properties
    if (most !== undefined && encodeWithin(welcome(false, properties), 5, most) === undefined) {
      this.end('CONNACK is larger than the client takes') // [MQTT-3.1.2-24]
      return
    }
    const sender = new PacketSender(context, this.outlet ?? connection.outbox, connect, admission.clientId, config)
    const waiter = context.journal && new HeldOutput(connection.outbox, (isFirst) => this.onStoreFailure(isFirst))
    const { client, isPresent, rights } = enter(context, this.host, listener, connect, admission, { sender, waiter })
    this.login = undefined
    this.client = client
    this.state = 'connected'
    this.since = client.connectedAt
    if (admission.authentication !== undefined)
      this.reauthentication = new Reauthentication(context, this, admission.authentication)
    const { framer } = connection
    framer.only = undefined
    framer.version = version
    framer.maximumPacketSize = context.config.max_packet_size
    this.logArrival(connect)
    waiter?.beginWithConnack()
    sender.send(welcome(isPresent, properties)) // [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.2-3]
    if (context.log.isDebug) context.log.debug(`Sending CONNACK to ${this.name} (${Number(isPresent)}, 0)`)
    const { session, keepAlive } = client
    context.points.connected?.(session.info, connectionInfo(this, version, keepAlive))
    const window = context.config.max_inflight_messages || 65_535
    const asked = version === 5 ? (connect.properties.receiveMaximum ?? window) : window
    session.attach(this, rights, asked, this.since)
  }

  private logArrival(connect: Connect): void {
    const { log, config } = this.context
    const { secured } = this.peer
    if (config.connection_messages) log.notice(describeArrival(this.peer, connect, this.name))
    if (secured !== undefined) log.notice(`Client ${this.name} negotiated ${secured.version} cipher ${secured.cipher}`)
  }

  get sessions(): Sessions {
    return this.host.sessions
  }

  get isWaiting(): boolean {
    return this.state === 'new'
  }

  onRefused(reason: string): void {
    this.end(reason)
  }

  // --- going ---

  private onDisconnect(client: ConnectedClient, { reasonCode, properties }: Disconnect): void {
    const { log, config } = this.context
    if (log.isDebug) log.debug(`Received DISCONNECT from ${this.name}`)
    const { sessionExpiryInterval: expiry } = properties
    if (expiry !== undefined) {
      if (expiry > 0 && !client.askedForSession)
        throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'session expiry raised from 0 by DISCONNECT')
      client.session.expiryInterval = boundExpiry(expiry, config.persistent_client_expiration)
    }
    this.isOrderly = true
    if (reasonCode === ReasonCode.SUCCESS) client.will = undefined // [MQTT-3.14.4-3] [MQTT-3.1.2-10]
    this.end(reasonCode === ReasonCode.SUCCESS ? '' : reasonText(reasonCode))
  }

  /** Whatever was wrong, the connection ends [MQTT-4.8.0-1 of 3.1.1] [MQTT-4.8.0-2 of 3.1.1]. */
  onError(error: unknown): void {
    const { log } = this.context
    if (!(error instanceof ProtocolError)) {
      log.error(`Internal error while serving ${this.name}: ${error instanceof Error ? error.stack : error}`)
      this.disconnect(ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, 'internal error')
      return
    }
    log.info(
      `Protocol error from ${this.client === undefined ? `${this.peer.address}:${this.peer.port}` : this.name}: ${error.message}.`,
    )
    this.disconnect(error.reasonCode, error.message)
  }

  /**
   * Ends the connection from this side: a 5.0 client that has its CONNACK is told why [MQTT-3.14.0-1] [MQTT-4.13.1-1]
   * [MQTT-4.13.2-1].
   */
  disconnect(reasonCode: ReasonCode, reason: string): void {
    if (this.state === 'ended') return
    if (this.client?.version === 5) {
      const properties = { reasonString: reason }
      this.client.sender.send({ type: PacketType.DISCONNECT, reasonCode, properties })
      if (this.context.log.isDebug) this.context.log.debug(`Sending DISCONNECT to ${this.name} (rc${reasonCode})`)
    }
    this.end(reason)
  }

  /** What this client was to be told cannot be kept. */
  private onStoreFailure(wasConnack: boolean): void {
    const { client } = this
    if (wasConnack && client !== undefined) {
      // Nothing may come before CONNACK [MQTT-3.2.0-1].
      client.will = undefined
      client.sender.send(refusalOfStore(client.version))
      this.end(STORE_FAILS)
    } else this.disconnect(ReasonCode.QUOTA_EXCEEDED, STORE_FAILS)
  }

  takenOver(endsSession: boolean): void {
    const { client } = this
    const delay = client?.will?.properties.willDelayInterval ?? 0
    if (client !== undefined && !endsSession && delay > 0) client.will = undefined
    this.disconnect(ReasonCode.SESSION_TAKEN_OVER, 'session taken over') // [MQTT-3.1.4-3]
  }

  /** Other settings and access rules are in force: a client that would not be let in again has to go. */
  recheck(): void {
    const { access, config } = this.context
    if (this.connection !== undefined)
      this.connection.outbox.maxPendingBytes = config.max_outgoing_bytes || Number.POSITIVE_INFINITY
    if (this.state === 'ended') return
    const fault = this.listener.sockets?.faultNow(this.peer)
    if (fault !== undefined) {
      this.disconnect(ReasonCode.NOT_AUTHORIZED, fault)
      return
    }
    if (this.client === undefined) return
    const { session, isVouchedFor, credential } = this.client
    const { username, clientId } = session
    const refusal = isVouchedFor ? undefined : access.refusalNow(this.listener.config, username, credential)
    if (refusal !== undefined) this.disconnect(ReasonCode.NOT_AUTHORIZED, refusal)
    else if (!clientId.startsWith(config.clientid_prefixes ?? ''))
      this.disconnect(ReasonCode.ADMINISTRATIVE_ACTION, 'the client id lacks the prefix that is now demanded')
  }

  /** Drops the connection at once. */
  abort(): void {
    this.connection?.destroy()
  }

  /** The one way out on this side: session, will, log line, then the socket. */
  private end(why: string): void {
    if (this.state === 'ended') return
    this.why = why
    this.leave()
    this.since = this.context.clock()
    this.connection?.end()
  }

  private leave(): void {
    const { client } = this
    const { log, config } = this.context
    const { address, port } = this.peer
    // A login that was refused has had its line.
    if (config.connection_messages && (this.state === 'connected' || this.login?.connect === undefined))
      log.notice(`Client ${this.name} [${address}:${port}] disconnected${this.why ? `: ${this.why}` : ''}.`)
    this.state = 'ended'
    if (client === undefined) return
    const { session, publisher, mountPoint, will } = client
    const now = this.context.clock()
    this.host.sessions.detached(session, now)
    const { disconnected, offline } = this.context.points
    disconnected?.(session.info, { reason: this.why, isOrderly: this.isOrderly })
    if (session.expiryInterval > 0) offline?.(session.info)
    // The end of the session, if that comes before the will's delay is over, publishes it too [MQTT-3.1.2-8].
    if (will !== undefined) this.host.wills.leave({ will, publisher, mountPoint }, session.expiryInterval, now)
    else this.host.wills.withdraw(session.clientId) // [MQTT-3.1.2-12 of 3.1.1]
  }

  onPeerEnd(): void {
    this.end(CLOSED_BY_CLIENT)
  }

  onClose(error: Error | undefined): void {
    if (this.state !== 'ended') {
      this.why = error === undefined ? CLOSED_BY_CLIENT : error.message
      this.leave()
    }
    const { statistics } = this.context
    statistics.bytesReceived += this.connection?.bytesReceived ?? 0
    statistics.bytesSent += this.connection?.bytesSent ?? 0
    this.host.closed(this)
  }

  onDrain(): void {
    this.client?.session.outbound.pump(this.context.clock())
  }

  /** Looks at the time: logins that never come, keep alive [MQTT-3.1.2-22], peers that do not close. */
  tick(now: number): void {
    this.client?.session.settle()
    const keepAlive = this.client?.keepAlive ?? 0
    if (this.state === 'ended') {
      if (now - this.since >= GRACE) this.connection?.destroy()
    } else if (this.state !== 'connected') {
      if (this.login?.isClientsTurn !== false && now - this.since >= this.context.config.connect_timeout * 1000)
        this.login?.onSilence()
    } else if (this.isActive || this.isAsking) {
      this.isActive = false
      this.since = now
    } else if (keepAlive > 0 && now - this.since >= keepAlive * 1500)
      this.disconnect(ReasonCode.KEEP_ALIVE_TIMEOUT, 'exceeded timeout')
  }
}
