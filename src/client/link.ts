// One connection of a client, from dialling to the end: CONNECT and CONNACK, keep alive, DISCONNECT from either side, and the
// checks on what a broker may send when (mqtt-rules E.10). What packets mean for the session is its owner's business.

import { Connection, type ConnectionOwner } from '../net/connection.js'
import { cannotConnect, DialError, type Dialling, type DialStage, type DialTarget, dial } from '../net/dial.js'
import { causeOf, isTlsError } from '../net/dial-causes.js'
import type { SharedMemory } from '../net/outbox.js'
import type { SharedReadBuffer } from '../net/plain-socket.js'
import { decodePacket, encodePacket, type Packet } from '../protocol/codec.js'
import { PacketType } from '../protocol/packet-types.js'
import type { Ack } from '../protocol/packets/acks.js'
import type { Connack } from '../protocol/packets/connack.js'
import type { Connect } from '../protocol/packets/connect.js'
import type { Disconnect } from '../protocol/packets/disconnect.js'
import type { Publish } from '../protocol/packets/publish.js'
import type { Suback } from '../protocol/packets/subscribe.js'
import type { Unsuback } from '../protocol/packets/unsubscribe.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { TopicTable } from '../protocol/topic-table.js'
import { ClientError, reasonWords } from './client-error.js'
import type { Cancel, Clock } from './clock.js'
import { KeepAlive } from './keep-alive.js'

/** Sees every packet of a connection, for a trace. */
export interface PacketWatcher {
  onSent(packet: Packet): void
  onReceived(packet: Packet): void
}

/** What the connections of one process share. */
export interface ClientMemory extends SharedMemory {
  readonly reads: SharedReadBuffer
}

export interface LinkEnvironment {
  readonly clock: Clock
  readonly memory: ClientMemory
  readonly topics: TopicTable
  readonly watcher: PacketWatcher | undefined
  /** ms to CONNACK. */
  readonly connectTimeout: number | undefined
}

export type SessionPacket = Publish | Ack | Suback | Unsuback

export interface LinkOwner {
  /** The broker has accepted the connection. */
  onOpen(connack: Connack): void
  onPacket(packet: SessionPacket): void
  /** What was waiting to be sent has gone. */
  onDrain(): void
  /** The connection is over, or never came about; without an error if `disconnect` asked for it. Called once. */
  onEnd(error: ClientError | undefined): void
}

/** ms that the broker has to close its side before the connection is dropped. */
const GRACE = 500
/** Of MQTT without TLS. */
const STANDARD_PORT = 1883
/** First bytes of what else may answer on a port. */
const FOREIGN: Readonly<Record<number, string>> = {
  21: 'the broker speaks TLS on this port',
  72: 'the broker speaks HTTP on this port, which may be for WebSocket (--ws)',
}
/** What has taken too long at each stage. */
const WAITING: Readonly<Record<DialStage, string>> = {
  lookup: 'the name is not found',
  connect: 'nobody answers',
  proxy: 'the proxy does not connect',
  tls: 'the TLS handshake is not done',
  websocket: 'the WebSocket handshake is not done',
}
/** Bytes that may wait for the socket before publishing pauses. */
const MAX_PENDING_BYTES = 1_048_576

export class Link implements ConnectionOwner {
  connection: Connection | undefined = undefined
  private readonly target: DialTarget
  private readonly connect: Connect
  private readonly owner: LinkOwner
  private readonly environment: LinkEnvironment
  private state: 'dialling' | 'connecting' | 'open' | 'closing' | 'over' = 'dialling'
  private keepAlive: KeepAlive | undefined = undefined
  private dialling: Dialling | undefined = undefined
  private cancelDeadline: Cancel = () => {}
  private cancelTimer: Cancel = () => {}
  private isReading = true
  /** What speaks at the other end, if its first byte is not one of MQTT. */
  private foreign: string | undefined = undefined
  /** What `onEnd` is told once the connection has closed. */
  private outcome: ClientError | undefined = undefined

  constructor(target: DialTarget, connect: Connect, owner: LinkOwner, environment: LinkEnvironment) {
    this.target = target
    this.connect = connect
    this.owner = owner
    this.environment = environment
  }

  start(): void {
    const { clock, connectTimeout, memory } = this.environment
    if (connectTimeout !== undefined)
      this.cancelDeadline = clock.after(connectTimeout, () => this.onDeadline(connectTimeout))
    this.dialling = dial(
      this.target,
      memory.reads,
      (bytes, length) => this.onData(bytes, length),
      (socket) => {
        const connection = new Connection(socket, this, 'server', memory)
        const { maximumPacketSize } = this.connect.properties
        connection.framer.version = this.connect.protocolVersion
        if (maximumPacketSize !== undefined) connection.framer.maximumPacketSize = maximumPacketSize
        connection.outbox.maxPendingBytes = MAX_PENDING_BYTES
        this.connection = connection
        this.state = 'connecting'
        this.send(this.connect) // [MQTT-3.1.0-1]
        this.startKeepAlive(this.connect.keepAlive)
        this.keepAlive?.expectAnswer()
      },
      (error) => this.finish(connectError(error)),
    )
  }

  private onData(bytes: Buffer, length: number): void {
    const { connection } = this
    if (connection?.bytesReceived === 0) this.foreign = FOREIGN[bytes[0] ?? 0]
    connection?.onData(bytes, length)
  }

  private onDeadline(ms: number): void {
    const stage = this.state === 'dialling' ? this.dialling?.stage : undefined
    const waited = stage === undefined ? 'the broker does not answer CONNECT' : WAITING[stage]
    const message = `${cannotConnect(this.target)}: ${waited} within ${ms / 1000} s`
    this.drop(stage === undefined ? new ClientError('timeout', message) : connectError(new DialError(stage, message)))
  }

  /** Ends at once. */
  private drop(error: ClientError | undefined): void {
    this.dialling?.cancel()
    this.connection?.destroy()
    this.finish(error)
  }

  send(packet: Packet): void {
    this.connection?.outbox.write(encodePacket(packet, this.connect.protocolVersion))
    this.environment.watcher?.onSent(packet)
  }

  /** Stops reading: what arrives stays with the system until `resume`. */
  pause(): void {
    this.isReading = false
    this.connection?.pause()
  }

  resume(): void {
    this.isReading = true
    this.connection?.resume()
  }

  /** Says goodbye and closes. Before the broker has accepted, only closes. */
  disconnect(reasonCode: ReasonCode, properties: Readonly<Properties>): void {
    if (this.state === 'open') {
      this.isReading = true
      this.close(undefined, { type: PacketType.DISCONNECT, reasonCode, properties })
    } else if (this.state !== 'closing') this.abort()
  }

  /** Sends what is pending and closes without DISCONNECT. */
  hangUp(): void {
    if (this.state === 'open') this.close(undefined, undefined)
    else if (this.state !== 'closing') this.abort()
  }

  /** Closes without a word, so that the broker publishes the will. */
  abort(): void {
    if (this.state !== 'over') this.drop(undefined)
  }

  /** Ends at once, as a connection that was lost. @param cause in words */
  giveUp(cause: string): void {
    this.drop(this.state === 'closing' ? this.outcome : new ClientError('lost', `connection lost: ${cause}`))
  }

  /** Sends what is pending and `last`, closes this side, and waits a short while from then on for the broker to close its own. */
  private close(outcome: ClientError | undefined, last: Disconnect | undefined): void {
    this.state = 'closing'
    this.outcome = outcome
    this.cancelTimer()
    this.cancelDeadline()
    if (last !== undefined) this.send(last)
    this.connection?.end() // [MQTT-3.14.4-1] [MQTT-3.14.4-2]
    this.awaitClose()
  }

  private awaitClose(): void {
    this.cancelTimer = this.environment.clock.after(GRACE, () => {
      // The end stands behind what was sent, and a large message over a slow line takes its time.
      if ((this.connection?.pendingBytes ?? 0) > 0) this.awaitClose()
      else this.connection?.destroy()
    })
  }

  private finish(error: ClientError | undefined): void {
    if (this.state === 'over') return
    this.state = 'over'
    this.cancelTimer()
    this.cancelDeadline()
    this.owner.onEnd(error)
  }

  private startKeepAlive(seconds: number): void {
    this.cancelTimer()
    this.keepAlive = seconds > 0 ? new KeepAlive(seconds) : undefined
    this.nextTick()
  }

  private nextTick(): void {
    const { keepAlive } = this
    if (keepAlive !== undefined)
      this.cancelTimer = this.environment.clock.after(keepAlive.tickMs, () => this.onTick(keepAlive))
  }

  private onTick(keepAlive: KeepAlive): void {
    const { connection } = this
    if (connection === undefined) return
    const action = keepAlive.tick(connection.bytesSent, connection.bytesReceived, this.isReading)
    if (action === 'dead') {
      connection.destroy()
      this.finish(new ClientError('keep alive', 'the broker does not answer'))
      return
    }
    if (action === 'ping' && this.state === 'open') {
      this.send({ type: PacketType.PINGREQ })
      keepAlive.expectAnswer()
    }
    this.nextTick()
  }

  onPacket(header: number, bytes: Buffer, start: number, end: number): void {
    const { topics, watcher } = this.environment
    const packet = decodePacket(header, bytes, start, end, this.connect.protocolVersion, 'server', topics)
    watcher?.onReceived(packet)
    if (this.state === 'connecting') this.onFirstPacket(packet)
    else if (this.state === 'open') this.onLaterPacket(packet)
  }

  private onFirstPacket(packet: Packet): void {
    const method = this.connect.properties.authenticationMethod
    if (packet.type === PacketType.AUTH && method !== undefined) {
      this.close(new ClientError('not supported', 'the broker asks for enhanced authentication'), undefined)
      return
    }
    if (packet.type !== PacketType.CONNACK)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'another packet before CONNACK') // [MQTT-3.2.0-1] [MQTT-3.14.0-1]
    const { reasonCode, sessionPresent, properties } = packet
    if (reasonCode !== 0) {
      const words = reasonWords(reasonCode, properties.reasonString)
      this.close(new ClientError('refused', words, reasonCode), undefined)
      return
    }
    if (sessionPresent && this.connect.cleanStart)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'session present though a clean start was asked for') // [MQTT-3.2.2-2]
    if (properties.authenticationMethod !== method)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'another authentication method than asked for') // [MQTT-4.12.0-5] [MQTT-4.12.0-6]
    this.state = 'open'
    this.cancelDeadline()
    this.startKeepAlive(properties.serverKeepAlive ?? this.connect.keepAlive) // [MQTT-3.1.2-21] [MQTT-3.2.2-21]
    this.owner.onOpen(packet)
  }

  private onLaterPacket(packet: Packet): void {
    switch (packet.type) {
      case PacketType.PUBLISH:
        this.owner.onPacket(packet)
        return
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBREL:
      case PacketType.PUBCOMP:
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        this.checkProblemInformation(packet.properties)
        this.owner.onPacket(packet)
        return
      case PacketType.PINGRESP:
        return
      case PacketType.DISCONNECT: {
        const words = reasonWords(packet.reasonCode, packet.properties.reasonString)
        this.close(new ClientError('disconnected', words, packet.reasonCode), undefined)
        return
      }
      default: // CONNACK [MQTT-3.2.0-2], AUTH [MQTT-4.12.0-6]; the framer refuses what only clients send.
        throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, `packet type ${packet.type} from the broker`)
    }
  }

  /** [MQTT-3.1.2-29] */
  private checkProblemInformation(properties: Readonly<Properties>): void {
    if (this.connect.properties.requestProblemInformation !== 0 || properties === NO_PROPERTIES) return
    if (properties.reasonString !== undefined || properties.userProperties !== undefined)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'problem information that was not asked for')
  }

  onError(error: unknown): void {
    if (!(error instanceof ProtocolError)) {
      this.connection?.destroy()
      throw error
    }
    const { reasonCode, message } = error
    if (this.foreign !== undefined) {
      this.connection?.destroy()
      this.finish(connectError(new DialError('connect', `${cannotConnect(this.target)}: ${this.foreign}`, true)))
      return
    }
    const goodbye: Disconnect = { type: PacketType.DISCONNECT, reasonCode, properties: NO_PROPERTIES }
    const outcome = new ClientError('protocol', `the broker broke the protocol: ${message}`, reasonCode, {
      cause: error,
    })
    this.close(outcome, this.connect.protocolVersion === 5 ? goodbye : undefined)
  }

  onDrain(): void {
    if (this.state === 'open') this.owner.onDrain()
  }

  onClose(error: Error | undefined): void {
    if (this.state === 'closing') this.finish(this.outcome)
    else if (this.state === 'connecting' && error !== undefined && isTlsError(error)) {
      // In TLS 1.3 the broker looks at the client's certificate when the handshake is over for the client.
      this.finish(connectError(new DialError('tls', `${cannotConnect(this.target)}: ${causeOf(error)}`, true)))
    } else {
      const when = this.state === 'connecting' ? `, in answer to CONNECT${this.suspicion}` : ''
      const cause = error === undefined ? 'the broker closed it' : causeOf(error)
      this.finish(new ClientError('lost', `connection lost: ${cause}${when}`, 0, { cause: error }))
    }
  }

  /** What may be wrong when the broker has no word for CONNECT. */
  private get suspicion(): string {
    const { layers = [], port } = this.target
    const isOdd = layers.length === 0 && port !== STANDARD_PORT && port !== 0
    const text = isOdd ? 'it may want TLS on this port' : layers.at(-1)?.suspicion
    return text === undefined ? '' : `; ${text}`
  }
}

function connectError(error: DialError): ClientError {
  return new ClientError('connect', error.message, 0, { cause: error })
}
