// Judges a CONNECT: may this client come in, as whom, and what does CONNACK say (MQTT 5.0 section 3.1.4)? Checking the password
// and opening the session is done by the handler between the two judgements made here.

import { randomBytes } from 'node:crypto'
import type { Config, ListenerConfig } from '../../options/config.js'
import { PacketType, type ProtocolVersion } from '../../protocol/packet-types.js'
import type { Connack } from '../../protocol/packets/connack.js'
import type { Connect } from '../../protocol/packets/connect.js'
import { NO_PROPERTIES, type Properties } from '../../protocol/properties.js'
import { ReasonCode, returnCodeFor } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import { Room } from '../memory-limit.js'
import { introduction, nameIn } from '../neighbours.js'
import { type Authentication, authenticationProperties } from './reauthentication.js'
import { NEVER } from './session.js'
import type { Sessions } from './sessions.js'

/** Why a client is not let in. */
export interface Refused {
  readonly reasonCode: ReasonCode
  /** For the log and, in 5.0, the Reason String. */
  readonly reason: string
  /** For the Reason String, where the client is not to hear all of it. */
  readonly told?: string
}

/** As what a client is let in, if its credentials are right. */
export interface Admission {
  readonly clientId: string
  /** The id was made up here and has to be told. */
  readonly isAssigned: boolean
  /** Seconds; 0 is off. */
  readonly keepAlive: number
  /** Seconds that the session outlives the connection, `NEVER` for ever. */
  readonly sessionExpiry: number
  /** A plugin has let it in: the password file knows nothing of it. */
  readonly isVouchedFor?: boolean
  /** The extended authentication that let it in. */
  readonly authentication?: Authentication | undefined
}

const NEVER_EXPIRES = 0xffff_ffff

function refused(reasonCode: ReasonCode, reason: string): Refused {
  return { reasonCode, reason }
}

/** Everything that can be judged before the credentials are checked. */
export function judgeConnect(
  context: BrokerContext,
  sessions: Sessions,
  listener: ListenerConfig,
  connect: Connect,
): Admission | Refused {
  const { config } = context
  const { protocolVersion: version, will, properties } = connect
  if (!listener.accept_protocol_versions.includes(version))
    return refused(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, 'this listener does not accept the protocol version')
  if (properties.authenticationMethod !== undefined && context.points.exchange === undefined)
    return refused(ReasonCode.BAD_AUTHENTICATION_METHOD, 'unknown authentication method') // [MQTT-4.12.0-1]
  const identity = clientIdOf(listener, connect)
  if ('reasonCode' in identity) return identity
  const { clientid_prefixes: prefix, max_keepalive: longest } = config
  if (prefix !== undefined && !identity.clientId.startsWith(prefix))
    return refused(ReasonCode.NOT_AUTHORIZED, 'client id without the prefix that clientid_prefixes demands')
  const tooLong = longest > 0 && (connect.keepAlive === 0 || connect.keepAlive > longest)
  if (tooLong && version < 5) return refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, 'keep alive above max_keepalive')
  if (will !== undefined) {
    const fault = judgeWill(context, listener, will)
    if (fault !== undefined) return fault
  }
  if (context.memoryLimit.room !== Room.EVERYTHING && sessions.get(identity.clientId) === undefined)
    return refused(ReasonCode.QUOTA_EXCEEDED, 'memory_limit reached')
  const sessionExpiry = expiryOf(context, connect)
  const isKept = sessionExpiry > 0 || sessions.get(identity.clientId)?.isDurable === true
  if (isKept && context.journal?.isFailing === true) return refused(storeCode(version), STORE_FAILS)
  const most = config.global_max_clients
  if (most > 0 && sessions.get(identity.clientId) === undefined && sessions.count >= most)
    return refused(ReasonCode.SERVER_BUSY, 'global_max_clients reached')
  const { clientId, isAssigned } = identity
  return { clientId, isAssigned, keepAlive: tooLong ? longest : connect.keepAlive, sessionExpiry }
}

function judgeWill(
  { config }: BrokerContext,
  listener: ListenerConfig,
  will: NonNullable<Connect['will']>,
): Refused | undefined {
  if (will.qos > listener.max_qos) return refused(ReasonCode.QOS_NOT_SUPPORTED, 'will QoS above max_qos') // [MQTT-3.2.2-12]
  if (will.retain && !config.retain_available) return refused(ReasonCode.RETAIN_NOT_SUPPORTED, 'will with retain') // [MQTT-3.2.2-13]
  if (config.message_size_limit > 0 && will.payload.length > config.message_size_limit)
    return refused(ReasonCode.PACKET_TOO_LARGE, 'will payload above message_size_limit')
  if (will.topic.startsWith('$CONTROL/')) return refused(ReasonCode.NOT_AUTHORIZED, 'will to a control topic')
  return undefined
}

function clientIdOf(
  listener: ListenerConfig,
  connect: Connect,
): { readonly clientId: string; readonly isAssigned: boolean } | Refused {
  if (listener.use_username_as_clientid) {
    if (!connect.username) return refused(ReasonCode.NOT_AUTHORIZED, 'no user name to use as client id')
    return { clientId: connect.username, isAssigned: false }
  }
  if (connect.clientId.length > 0) return { clientId: connect.clientId, isAssigned: false } // [MQTT-3.1.3-5]
  const isAllowed =
    listener.allow_zero_length_clientid &&
    connect.protocolVersion > 3 &&
    (connect.protocolVersion === 5 || connect.cleanStart) // [MQTT-3.1.3-7 of 3.1.1]
  // [MQTT-3.1.3-8] [MQTT-3.1.3-8 of 3.1.1] [MQTT-3.1.3-9 of 3.1.1]
  if (!isAllowed) return refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, 'empty client id')
  return { clientId: listener.auto_id_prefix + randomId(), isAssigned: true } // [MQTT-3.1.3-6] [MQTT-3.2.2-16]
}

/** 32 upper-case hex digits as 8-4-4-4-12. */
function randomId(): string {
  const hex = randomBytes(16).toString('hex').toUpperCase()
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function expiryOf({ config }: BrokerContext, connect: Connect): number {
  return boundExpiry(
    connect.protocolVersion === 5
      ? (connect.properties.sessionExpiryInterval ?? 0)
      : connect.cleanStart
        ? 0 // [MQTT-3.1.2-6 of 3.1.1]
        : NEVER_EXPIRES,
    config.persistent_client_expiration,
  )
}

/** A Session Expiry Interval from the wire as seconds, at most `longest`. */
export function boundExpiry(interval: number, longest: number | undefined): number {
  const wanted = interval === NEVER_EXPIRES ? NEVER : interval
  return longest === undefined ? wanted : Math.min(wanted, longest)
}

/** Once the credentials are known to be right: may this user have this client id? */
export function judgeOwner(sessions: Sessions, clientId: string, username: string | undefined): Refused | undefined {
  if (sessions.reserved.has(clientId))
    return refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, 'the client id is that of a bridge')
  const session = sessions.get(clientId)
  if (session === undefined || !session.isConnected || session.username === username) return undefined
  return refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, 'the client id is in use by another user')
}

/**
 * QoS 2 messages that a client may have open: `max_inflight_messages` where it is set. Its default is not imposed on clients,
 * because those that send what they have kept without counting, as paho and MQTT.js do, would be cut off again and again.
 */
export function receiveMaximumOf(config: Config): number {
  const { max_inflight_messages: window, positions } = config
  return positions.has('max_inflight_messages') && window > 0 ? window : 65_535
}

/** The CONNACK that lets a client in. */
export function welcome(sessionPresent: boolean, properties: Readonly<Properties>): Connack {
  return { type: PacketType.CONNACK, sessionPresent, reasonCode: ReasonCode.SUCCESS, properties }
}

/** What a client hears whose promises cannot be kept. */
export const STORE_FAILS = 'the store cannot be written'

function storeCode(version: ProtocolVersion): ReasonCode {
  return version === 5 ? ReasonCode.QUOTA_EXCEEDED : ReasonCode.SERVER_UNAVAILABLE
}

/** The CONNACK for a client that was let in and whose session then could not be written. */
export function refusalOfStore(version: ProtocolVersion): Connack {
  const code = storeCode(version)
  const reasonCode = version === 5 ? code : (returnCodeFor(code) ?? code)
  const properties = version === 5 ? { reasonString: STORE_FAILS } : NO_PROPERTIES
  return { type: PacketType.CONNACK, sessionPresent: false, reasonCode, properties }
}

/** What CONNACK tells a 5.0 client beyond the reason code. */
export function connackProperties(
  { config, neighbours }: BrokerContext,
  listener: ListenerConfig,
  connect: Connect,
  admission: Admission,
): Properties {
  const { authentication } = admission
  const properties: Properties = authentication
    ? authenticationProperties(authentication.method, authentication.data)
    : {}
  const asked = connect.properties.sessionExpiryInterval ?? 0
  const granted = admission.sessionExpiry === NEVER ? NEVER_EXPIRES : admission.sessionExpiry
  if (granted !== asked) properties.sessionExpiryInterval = granted
  const receiveMaximum = receiveMaximumOf(config)
  if (receiveMaximum < 65_535) properties.receiveMaximum = receiveMaximum
  if (listener.max_qos < 2) properties.maximumQos = listener.max_qos // [MQTT-3.2.2-9]
  if (!config.retain_available) properties.retainAvailable = 0
  properties.maximumPacketSize = config.max_packet_size
  if (admission.isAssigned) properties.assignedClientIdentifier = admission.clientId // [MQTT-3.1.3-7]
  if (listener.max_topic_alias > 0) properties.topicAliasMaximum = listener.max_topic_alias
  if (admission.keepAlive !== connect.keepAlive) properties.serverKeepAlive = admission.keepAlive // [MQTT-3.2.2-22]
  if (nameIn(connect.properties) !== undefined) Object.assign(properties, introduction(neighbours.name))
  return properties
}
