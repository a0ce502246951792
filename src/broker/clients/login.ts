// The CONNECT of one connection: from its bytes through the checks to the verdict, and the CONNACK of a refusal (MQTT 5.0 section
// 3.1.4). What an accepted client becomes is its handler's business; the single checks are in connect.

import type { Connection } from '../../net/connection.js'
import type { Peer } from '../../net/listener.js'
import { encodeWithin } from '../../protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../protocol/packet-types.js'
import { type Connect, decodeConnect, refusalVersion } from '../../protocol/packets/connect.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { Reader } from '../../protocol/reader.js'
import { ReasonCode, returnCodeFor } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import { isIdentifiedByHandshake, usernameOf } from '../identity.js'
import type { OpenListener } from '../open-listener.js'
import { type Admission, judgeConnect, judgeOwner, type Refused } from './connect.js'
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
  private readonly context: BrokerContext
  private readonly listener: OpenListener
  private readonly peer: Peer
  private readonly connection: Connection
  private readonly host: LoginHost

  constructor(context: BrokerContext, listener: OpenListener, peer: Peer, connection: Connection, host: LoginHost) {
    this.context = context
    this.listener = listener
    this.peer = peer
    this.connection = connection
    this.host = host
  }

  /** Judges the CONNECT in bytes[start..end), at once or, with reading paused, when its password has been checked. */
  onConnect(bytes: Buffer, start: number, end: number): void {
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
    const applicant = { address: this.peer.address, isWaiting: () => this.host.isWaiting }
    const refusal = access.authenticate(listener.config, connect.username, connect.password, applicant)
    if (!(refusal instanceof Promise)) {
      this.onAuthenticated(connect, verdict, refusal)
      return true
    }
    this.connection.pause()
    refusal
      .then((result) => {
        if (!this.host.isWaiting) return
        if (access === context.access) this.onAuthenticated(connect, verdict, result)
        // A reload has put other rules in force meanwhile.
        else if (!this.judge(connect)) return
        this.connection.resume()
      })
      .catch((error) => this.host.onError(error))
    return false
  }

  private onAuthenticated(connect: Connect, admission: Admission, refusal: string | undefined): void {
    const refused =
      refusal === undefined
        ? judgeOwner(this.host.sessions, admission.clientId, connect.username)
        : { reasonCode: ReasonCode.NOT_AUTHORIZED, reason: refusal }
    if (refused === undefined) this.host.onAccepted(connect, admission)
    else this.refuse(refused, connect.protocolVersion)
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
  private refuse({ reasonCode, reason }: Refused, version: ProtocolVersion): void {
    const code = version === 5 ? reasonCode : returnCodeFor(reasonCode)
    if (code !== undefined) {
      const properties = version === 5 ? { reasonString: reason } : NO_PROPERTIES
      const packet = { type: PacketType.CONNACK, sessionPresent: false, reasonCode: code, properties } as const
      const bytes = encodeWithin(packet, version, this.connect?.properties.maximumPacketSize ?? NO_LIMIT)
      if (bytes !== undefined) {
        this.connection.write(bytes)
        this.context.statistics.countSent(PacketType.CONNACK)
      }
    }
    this.logRefusal(reason)
    this.host.onRefused(reason)
  }

  private logRefusal(reason: string): void {
    const { config, log } = this.context
    if (!config.connection_messages) return
    const { address, port } = this.peer
    const { clientId, username } = this.connect ?? {}
    const client = clientId ? `client '${clientId}'` : 'no client id'
    const user = username === undefined ? 'no user name' : `user '${username}'`
    // What the client has chosen comes last: it can neither look like the rest nor push it off the end of the line.
    log.notice(`Refused login from ${address}:${port} on port ${this.listener.port}: ${reason} (${client}, ${user}).`)
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
