// Extended authentication between CONNECT and CONNACK (MQTT 5.0 section 4.12): AUTH packets to and fro until a plugin knows who the
// client is.

import type { Connection } from '../../net/connection.js'
import { encodeWithin } from '../../protocol/codec.js'
import { PacketType } from '../../protocol/packet-types.js'
import type { Auth } from '../../protocol/packets/disconnect.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import type { Exchange, ExchangeStep, LoginRequest } from '../plugins/plugin.js'
import { andThen, isPromise, type Soon } from '../plugins/soon.js'
import type { Refused } from './connect.js'
import { admitted, type Identity, refusedBy, vouchedFor } from './plugin-login.js'
import { authenticationProperties } from './reauthentication.js'

export interface LoginExchangeHost {
  /** Whether the connection is still there. */
  readonly isWaiting: boolean
  /** Bytes that the client takes. */
  readonly maximumPacketSize: number
  write(bytes: Buffer): void
  /** @param data for CONNACK */
  onIdentified(identity: Identity | Refused, data: Uint8Array | undefined): void
  onError(error: unknown): void
}

/** How a step ends: another packet to the client, or the verdict. */
type Outcome =
  | { readonly challenge: Uint8Array }
  | { readonly identity: Identity | Refused; readonly data: Uint8Array | undefined }

export class LoginExchange {
  /** It is the plugin's turn. */
  isThinking = false
  private readonly context: BrokerContext
  private readonly connection: Connection
  private readonly exchange: Exchange
  private readonly method: string
  private readonly login: LoginRequest
  private readonly host: LoginExchangeHost

  constructor(
    context: BrokerContext,
    connection: Connection,
    exchange: Exchange,
    method: string,
    login: LoginRequest,
    host: LoginExchangeHost,
  ) {
    this.context = context
    this.connection = connection
    this.exchange = exchange
    this.method = method
    this.login = login
    this.host = host
  }

  /** Takes the data of CONNECT. */
  begin(data: Uint8Array | undefined): void {
    const { framer } = this.connection
    framer.only = undefined
    framer.version = 5
    this.step(data)
  }

  /** @throws ProtocolError 0x82 */
  onAuth({ reasonCode, properties }: Auth): void {
    if (reasonCode !== ReasonCode.CONTINUE_AUTHENTICATION)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 're-authentication before CONNACK')
    if (properties.authenticationMethod !== this.method)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'another authentication method than in CONNECT') // [MQTT-4.12.0-5]
    this.step(properties.authenticationData)
  }

  private step(data: Uint8Array | undefined): void {
    const outcome = andThen(this.exchange.step(data && Buffer.from(data)), (step) => this.outcomeOf(step))
    if (!isPromise(outcome)) {
      this.take(outcome)
      return
    }
    this.isThinking = true
    this.connection.pause()
    outcome
      .then((late) => {
        this.isThinking = false
        if (!this.host.isWaiting) return
        this.take(late)
        this.connection.resume()
      })
      .catch((error) => this.host.onError(error))
  }

  private outcomeOf(step: ExchangeStep): Soon<Outcome> {
    if ('continue' in step) return { challenge: step.continue }
    if ('refuse' in step) return { identity: refusedBy(step), data: undefined } // [MQTT-4.12.0-4]
    const { data } = step
    const identity = admitted(this.context.points, this.login, vouchedFor(step, this.login))
    return andThen(identity, (known): Outcome => ({ identity: known, data }))
  }

  private take(outcome: Outcome): void {
    if ('identity' in outcome) {
      this.host.onIdentified(outcome.identity, outcome.data)
      return
    }
    const bytes = encodeWithin(
      {
        type: PacketType.AUTH,
        reasonCode: ReasonCode.CONTINUE_AUTHENTICATION, // [MQTT-4.12.0-2]
        properties: authenticationProperties(this.method, outcome.challenge),
      },
      5,
      this.host.maximumPacketSize,
    )
    if (bytes === undefined) {
      const reason = 'AUTH is larger than the client takes'
      this.host.onIdentified({ reasonCode: ReasonCode.PACKET_TOO_LARGE, reason }, undefined)
      return
    }
    this.host.write(bytes)
    this.context.statistics.countSent(PacketType.AUTH)
  }
}
