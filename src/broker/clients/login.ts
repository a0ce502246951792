// The CONNECT of one connection: from its bytes through the checks to the verdict, and the CONNACK of a refusal (MQTT 5.0 section
// 3.1.4). What an accepted client becomes is its handler's business; the single checks are in connect.

import type { Connection } from '../../net/connection.js'
import type { Peer } from '../../net/listener.js'
import { encodeWithin } from '../../protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../protocol/packet-types.js'
import { type Connect, decodeConnect, refusalVersion } from '../../protocol/packets/connect.js'
import { decodeAuth } from '../../protocol/packets/disconnect.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { Reader } from '../../protocol/reader.js'
import { ReasonCode, returnCodeFor } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import { isIdentifiedByHandshake, usernameOf } from '../identity.js'
import type { OpenListener } from '../open-listener.js'
import { andThen, isPromise, type Soon } from '../plugins/soon.js'
import type { PacketOutlet } from '../plugins/watched-packets.js'
import { type Admission, judgeConnect, judgeOwner, type Refused } from './connect.js'
import { LoginExchange } from './login-exchange.js'
import { admitted, type Identity, identified, loginRequest, refusedBy } from './plugin-login.js'
import type { Sessions } from './sessions.js'

/** Who waits for the verdict. */
export interface LoginHost {
  readonly sessions: Sessions
  /** False when the connection has ended while a password was checked. */
  readonly isWaiting: boolean
  onAccepted(connect: Connect, admission: Admission): void
  /** Refused, and told so if its version has a way to. The connection is to be closed [MQTT-3.2.2-7]. */
  onRefused(reason: string): void
  /** The check itself failed. */
  onError(error: unknown): void
}

const NO_IDENTITY: Refused = {
  reasonCode: ReasonCode.BAD_USER_NAME_OR_PASSWORD,
  reason: 'the client certificate is missing or has no usable name',
}

const NO_LIMIT = Number.POSITIVE_INFINITY

export class Login {
  /** What the client has said of itself, once it could be read. */
  connect: Connect | undefined = undefined
  /** Extended authentication that is under way. */
  private exchange: LoginExchange | undefined = undefined
  private readonly context: BrokerContext
  private readonly listener: OpenListener
  private readonly peer: Peer
  private readonly connection: Connection
  private readonly outlet: PacketOutlet
  private readonly host: LoginHost

  /** @param outlet where packets to the client go */
  constructor(
    context: BrokerContext,
    listener: OpenListener,
    peer: Peer,
    connection: Connection,
    outlet: PacketOutlet,
    host: LoginHost,
  ) {
    this.context = context
    this.listener = listener
    this.peer = peer
    this.connection = connection
    this.outlet = outlet
    this.host = host
  }

  /** Whether the client has the next word: its CONNECT, or another AUTH. */
  get isClientsTurn(): boolean {
    return this.connect === undefined || this.exchange?.isThinking === false
  }

  /** The client has said nothing when it was its turn. */
  onSilence(): void {
    if (this.connect === undefined) this.host.onRefused('no CONNECT in time')
    else this.refuse({ reasonCode: ReasonCode.NOT_AUTHORIZED, reason: 'no AUTH in time' }, 5)
  }

  /** Takes a packet: a CONNECT, then those of extended authentication. @throws ProtocolError */
  onPacket(header: number, bytes: Buffer, start: number, end: number): void {
    if (this.exchange === undefined) this.onConnect(bytes, start, end)
    else if (header >> 4 === PacketType.AUTH)
      this.exchange.onAuth(decodeAuth(new Reader(bytes, start, end), 'client')) // [MQTT-3.1.2-30]
    else if (header >> 4 === PacketType.DISCONNECT) this.host.onRefused('')
    else throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'another packet than AUTH before CONNACK')
  }

  /** Judges the CONNECT in bytes[start..end), at once or, with reading paused, when its password has been checked. */
  private onConnect(bytes: Buffer, start: number, end: number): void {
    const { context } = this
    context.statistics.connectionsReceived++
    let connect: Connect
    try {
      connect = detached(decodeConnect(new Reader(bytes, start, end)))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.refuseUnreadable(error, new Reader(bytes, start, end))
      return
    }
    this.connect = connect
    const { config } = this.listener
    if (!isIdentifiedByHandshake(config)) {
      this.judge(connect)
      return
    }
    const username = usernameOf(config, this.peer)
    if (username === undefined) this.refuse(NO_IDENTITY, connect.protocolVersion)
    else this.judge({ ...connect, username, password: undefined })
  }

  /** Returns whether the verdict is already there. */
  private judge(connect: Connect): boolean {
    const { context, listener } = this
    const { access } = context
    const verdict = judgeConnect(context, this.host.sessions, listener.config, connect)
    if ('reasonCode' in verdict) {
      this.refuse(verdict, connect.protocolVersion)
      return true
    }
    if (connect.properties.authenticationMethod !== undefined) {
      this.exchange = this.beginExchange(connect, verdict, connect.properties.authenticationMethod)
      this.exchange?.begin(connect.properties.authenticationData)
      return true
    }
    const identity = this.identify(connect, verdict)
    if (!isPromise(identity)) {
      this.onIdentified(connect, verdict, identity)
      return true
    }
    this.connection.pause()
    identity
      .then((result) => {
        if (!this.host.isWaiting) return
        if (access === context.access) this.onIdentified(connect, verdict, result)
        // A reload has put other rules in force meanwhile.
        else if (!this.judge(connect)) return
        this.connection.resume()
      })
      .catch((error) => this.host.onError(error))
    return false
  }

  /** Who the client is, by the word of plugins or by its password. */
  private identify(connect: Connect, { clientId }: Admission): Soon<Identity | Refused> {
    const { context, listener } = this
    const { access, points } = context
    const { username, password } = connect
    const applicant = { address: this.peer.address, isWaiting: () => this.host.isWaiting }
    const check = () =>
      andThen(access.authenticate(listener.config, username, password, applicant), (refusal): Identity | Refused =>
        refusal === undefined
          ? { clientId, username, isVouchedFor: false }
          : { reasonCode: ReasonCode.NOT_AUTHORIZED, ...refusal },
      )
    if (points.authenticate === undefined && points.connect === undefined) return check()
    const login = loginRequest(listener, this.peer, connect, clientId)
    return admitted(points, login, identified(points, login, check))
  }

  /** Undefined when the client has been refused. */
  private beginExchange(connect: Connect, admission: Admission, method: string): LoginExchange | undefined {
    const { context, listener, connection } = this
    const login = loginRequest(listener, this.peer, connect, admission.clientId)
    const found = context.points.exchange?.(method, login)
    if (found === undefined || 'refuse' in found) {
      const unknown = { reasonCode: ReasonCode.BAD_AUTHENTICATION_METHOD, reason: 'unknown authentication method' }
      this.refuse(found === undefined ? unknown : refusedBy(found), 5) // [MQTT-4.12.0-1]
      return undefined
    }
    const onIdentified = (identity: Identity | Refused, data: Uint8Array | undefined) =>
      this.onIdentified(connect, { ...admission, authentication: { method, data, login } }, identity)
    const { host } = this
    return new LoginExchange(context, connection, found, method, login, {
      get isWaiting() {
        return host.isWaiting
      },
      write: (bytes) => this.outlet.write(bytes),
      onIdentified,
      onError: (error) => host.onError(error),
      maximumPacketSize: connect.properties.maximumPacketSize ?? NO_LIMIT,
    })
  }

  private onIdentified(connect: Connect, admission: Admission, identity: Identity | Refused): void {
    if ('reasonCode' in identity) {
      this.refuse(identity, connect.protocolVersion)
      return
    }
    const { clientId, username, isVouchedFor } = identity
    const refused = judgeOwner(this.host.sessions, clientId, username)
    if (refused !== undefined) this.refuse(refused, connect.protocolVersion)
    else if (isVouchedFor) this.host.onAccepted({ ...connect, username }, { ...admission, clientId, isVouchedFor })
    else this.host.onAccepted(connect, admission)
  }

  private refuseUnreadable(error: ProtocolError, reader: Reader): void {
    const version = refusalVersion(reader)
    const unsupported = error.reasonCode === ReasonCode.UNSUPPORTED_PROTOCOL_VERSION
    const { reasonCode, message: reason } = error
    this.context.log.info(`Protocol error from ${this.peer.address}:${this.peer.port}: ${reason}.`)
    // A malformed 3.x CONNECT gets no answer [MQTT-3.1.4-1].
    if (version === 5 || (version !== undefined && unsupported)) this.refuse({ reasonCode, reason }, version)
    else this.host.onRefused(reason)
  }

  /** CONNACK with the reason, where the version has a code for it [MQTT-3.1.4-2] [MQTT-3.2.2-7]. */
  private refuse({ reasonCode, reason, told = reason }: Refused, version: ProtocolVersion): void {
    const code = version === 5 ? reasonCode : returnCodeFor(reasonCode)
    if (code !== undefined) {
      const properties = version === 5 ? { reasonString: told } : NO_PROPERTIES
      const packet = { type: PacketType.CONNACK, sessionPresent: false, reasonCode: code, properties } as const
      const bytes = encodeWithin(packet, version, this.connect?.properties.maximumPacketSize ?? NO_LIMIT)
      if (bytes !== undefined) {
        this.outlet.write(bytes)
        this.context.statistics.countSent(PacketType.CONNACK)
      }
    }
    this.logRefusal(reason)
    this.host.onRefused(reason)
  }

  /** Whatever `connection_messages` says: somebody has tried to get in. */
  private logRefusal(reason: string): void {
    const { address, port } = this.peer
    const { clientId, username } = this.connect ?? {}
    const client = clientId ? `client '${clientId}'` : 'no client id'
    const user = username === undefined ? 'no user name' : `user '${username}'`
    // What the client has chosen comes last: it can neither look like the rest nor push it off the end of the line.
    this.context.log.notice(
      `Refused login from ${address}:${port} on port ${this.listener.port}: ${reason} (${client}, ${user}).`,
    )
  }
}

/** The CONNECT in memory of its own: a login takes longer than the read buffer stays as it is. */
function detached(connect: Connect): Connect {
  const { will, password } = connect
  if (will === undefined && password === undefined) return connect
  return {
    ...connect,
    password: password && Buffer.from(password),
    will: will && { ...will, payload: Buffer.from(will.payload), properties: ownData(will.properties) },
  }
}

function ownData<P extends { correlationData?: Uint8Array }>(properties: P): P {
  const { correlationData } = properties
  return correlationData === undefined ? properties : { ...properties, correlationData: Buffer.from(correlationData) }
}
