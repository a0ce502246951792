// A connected client proves again who it is (MQTT 5.0 section 4.12.1). What it sends meanwhile is handled as before; when it fails
// the connection ends.

import { PacketType } from '../../protocol/packet-types.js'
import type { Auth } from '../../protocol/packets/disconnect.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { disconnectOf, isReasonCodeOf, ReasonCode } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import type { Exchange, ExchangeStep, LoginRequest } from '../plugins/plugin.js'
import { isPromise } from '../plugins/soon.js'
import type { PacketSender } from './packet-sender.js'

/** How a client has proved who it is. */
export interface Authentication {
  readonly method: string
  /** For its CONNACK. */
  readonly data: Uint8Array | undefined
  readonly login: LoginRequest
}

/** What AUTH and CONNACK say of it [MQTT-4.12.0-5]. */
export function authenticationProperties(method: string, data: Uint8Array | undefined) {
  return { authenticationMethod: method, ...(data === undefined ? {} : { authenticationData: data }) }
}

export interface ReauthenticationHost {
  readonly sender: PacketSender
  /** Ends the connection. */
  disconnect(reasonCode: ReasonCode, reason: string): void
  onError(error: unknown): void
}

export class Reauthentication {
  private readonly context: BrokerContext
  private readonly host: ReauthenticationHost
  private readonly authentication: Authentication
  private exchange: Exchange | undefined = undefined
  /** It is the plugin's turn. */
  private isThinking = false

  constructor(context: BrokerContext, host: ReauthenticationHost, authentication: Authentication) {
    this.context = context
    this.host = host
    this.authentication = authentication
  }

  /** @throws ProtocolError 0x82, 0x8C */
  onAuth({ reasonCode, properties }: Auth): void {
    const { method, login } = this.authentication
    const begins = reasonCode === ReasonCode.RE_AUTHENTICATE
    if (properties.authenticationMethod !== method)
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'another authentication method than in CONNECT') // [MQTT-4.12.1-1]
    if (this.isThinking || begins === (this.exchange !== undefined))
      throw new ProtocolError(ReasonCode.PROTOCOL_ERROR, 'AUTH out of turn')
    if (begins) {
      const found = this.context.points.exchange?.(method, login)
      if (found === undefined || 'refuse' in found)
        throw new ProtocolError(ReasonCode.BAD_AUTHENTICATION_METHOD, 'no plugin knows the method any more')
      this.exchange = found
    }
    const { authenticationData: data } = properties
    this.take(this.exchange?.step(data && Buffer.from(data)))
  }

  private take(answer: ReturnType<Exchange['step']> | undefined): void {
    if (answer === undefined) return
    if (!isPromise(answer)) {
      this.onStep(answer)
      return
    }
    this.isThinking = true
    answer
      .then((step) => {
        this.isThinking = false
        this.onStep(step)
      })
      .catch((error) => this.host.onError(error))
  }

  private onStep(step: ExchangeStep): void {
    if ('refuse' in step) {
      const code = isReasonCodeOf(disconnectOf('server'), step.refuse) ? step.refuse : ReasonCode.NOT_AUTHORIZED
      this.host.disconnect(code, step.reason ?? 'authentication failed') // [MQTT-4.12.1-2]
      return
    }
    const isOver = 'accept' in step
    if (isOver) this.exchange = undefined
    this.host.sender.send({
      type: PacketType.AUTH,
      reasonCode: isOver ? ReasonCode.SUCCESS : ReasonCode.CONTINUE_AUTHENTICATION, // [MQTT-4.12.0-2]
      properties: authenticationProperties(this.authentication.method, isOver ? step.data : step.continue),
    })
  }
}
