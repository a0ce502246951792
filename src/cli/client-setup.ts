// From the values of the flags that tsmq-pub and tsmq-sub share to the options of a client: version, client id, session, will.
// The rules between those flags are here (spec: pub.md sections 2, 5 and 6); where the broker is, in client-target.ts.

import type { Client, ClientOptions } from '../client/client.js'
import type { ReconnectDelays } from '../client/reconnect-delay.js'
import { type CommandLine, UsageError } from '../options/command-line.js'
import type { connectionOptions } from '../options/connection-options.js'
import { bytesOfText, isWellFormed } from '../options/text.js'
import type { ProtocolVersion } from '../protocol/packet-types.js'
import type { Will } from '../protocol/packets/connect.js'
import type { Qos } from '../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { hasAcceptableDepth, isTopicName, parseFilter } from '../protocol/topics.js'
import { clientPassword } from './client-password.js'
import { clientTarget } from './client-target.js'
import type { ConnectionValues } from './connection-values.js'
import { type PacketProperties, packetProperties } from './packet-properties.js'
import type { Streams, Terminal } from './terminal.js'

export interface ClientSetup {
  readonly options: ClientOptions
  readonly properties: PacketProperties
  readonly quiet: boolean
  readonly debug: boolean
  /** `--exit-mode`, if it is given. */
  readonly exitMode: ConnectionValues['exit_mode']
}

/** What the setup may need to ask, and to tell. */
export interface SetupEnvironment {
  readonly streams: Streams
  readonly terminal: Terminal
}

const NEVER = 0xffff_ffff
/** Longest client id that every MQTT 3.1 broker takes. */
const SHORT_ID = 23
const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Throws UsageError unless `topic` may be published to. */
export function checkTopic(flag: string, topic: string): void {
  if (!isWellFormed(topic)) throw new UsageError(`${flag}: the topic has characters that MQTT does not allow`)
  if (!isTopicName(topic)) throw new UsageError(`${flag}: '${topic}' has a wildcard and cannot be published to`)
  if (!hasAcceptableDepth(topic)) throw new UsageError(`${flag}: the topic has too many levels`)
}

/** Throws UsageError unless `filter` may be subscribed to. */
export function checkFilter(flag: string, filter: string): void {
  if (!isWellFormed(filter)) throw new UsageError(`${flag}: the filter has characters that MQTT does not allow`)
  if (parseFilter(filter) === undefined) throw new UsageError(`${flag}: '${filter}' is not a topic filter`)
  if (!hasAcceptableDepth(filter)) throw new UsageError(`${flag}: the filter has too many levels`)
}

/** `-x` and `-D` ask for 5.0; a `-V` behind them has the last word, and then they cannot be sent. */
function chooseVersion(values: ConnectionValues, given: readonly string[]): ProtocolVersion {
  const needs5 = Math.max(given.lastIndexOf('session_expiry'), given.lastIndexOf('property'))
  const asked = values.protocol_version ?? 4
  if (needs5 < 0) return asked
  if (asked < 5 && given.lastIndexOf('protocol_version') > needs5)
    throw new UsageError(`${given[needs5] === 'property' ? '-D' : '-x'} needs MQTT 5.0`)
  return 5
}

function chooseClientId(values: ConnectionValues, version: ProtocolVersion): string {
  if (values.id !== undefined) {
    if (!isWellFormed(values.id)) throw new UsageError('-i: the client id has characters that MQTT does not allow')
    return values.id
  }
  if (values.id_prefix !== undefined) return `${values.id_prefix}${process.pid}`
  if (version > 3) return ''
  let id = 'tsmq-'
  while (id.length < SHORT_ID) id += ALPHANUMERIC[Math.floor(Math.random() * ALPHANUMERIC.length)]
  return id
}

/** The Session Expiry Interval to send, if any: `-c` keeps the session for ever unless `-x` says how long. */
function chooseSession(values: ConnectionValues, version: ProtocolVersion): Properties {
  if (version < 5) return {}
  const expiry = values.session_expiry ?? (values.disable_clean_session ? NEVER : 0)
  if (expiry === NEVER && values.id === undefined)
    throw new UsageError('-x needs a client id, to find the session again: -i ID')
  return expiry === 0 ? {} : { sessionExpiryInterval: expiry }
}

function makeWill(values: ConnectionValues, properties: PacketProperties): Will | undefined {
  if (values.will_topic === undefined) return undefined
  checkTopic('--will-topic', values.will_topic)
  return {
    topic: values.will_topic,
    payload: bytesOfText(values.will_payload ?? ''),
    qos: values.will_qos as Qos,
    retain: values.will_retain,
    properties: properties.will,
  }
}

/** `--retry` treats the first connection and later ones alike; otherwise it is the command's choice what it does of its own. */
function chooseReconnect(values: ConnectionValues, own: number | undefined): ReconnectDelays | undefined {
  if (values.retry === undefined) return own === undefined ? undefined : { base: own, cap: own, onlyAfterLoss: true }
  const delay = values.retry_delay * 1000
  return { base: delay, cap: delay, attempts: values.retry }
}

function checkCredentials(values: ConnectionValues, version: ProtocolVersion): void {
  const { password, pw_file, username } = values
  if (version < 5 && username === undefined && (password !== undefined || pw_file !== undefined))
    throw new UsageError(`${password === undefined ? '--pw-file' : '-P'} needs a user name: -u NAME`)
  if (!isWellFormed(username ?? '')) throw new UsageError('-u has characters that MQTT does not allow')
}

/**
 * @param reconnect ms between the attempts to get a lost connection back when `--retry` does not say, undefined for none.
 * @throws UsageError
 */
export async function setUpClient(
  { values, given }: Pick<CommandLine<typeof connectionOptions>, 'values' | 'given'>,
  reconnect: number | undefined,
  { streams, terminal }: SetupEnvironment,
): Promise<ClientSetup> {
  const version = chooseVersion(values, given)
  const properties = packetProperties(values.property)
  const session = chooseSession(values, version)
  if (session.sessionExpiryInterval !== undefined && properties.connect.sessionExpiryInterval !== undefined)
    throw new UsageError('-D: session-expiry-interval of connect is given by -c or -x as well')
  if (values.exit_mode === 'will' && version < 5) throw new UsageError('--exit-mode will needs MQTT 5.0: -V 5')
  checkCredentials(values, version)
  const connect = { ...session, ...properties.connect }
  const { connect_timeout } = values
  return {
    options: {
      target: await clientTarget(values, (text) => terminal.warning(text)),
      version,
      clientId: chooseClientId(values, version),
      cleanStart: !values.disable_clean_session,
      keepAlive: values.keepalive,
      username: values.username,
      will: makeWill(values, properties),
      password: await clientPassword(values, streams, terminal),
      properties: Object.keys(connect).length === 0 ? NO_PROPERTIES : connect,
      maxInflight: values.max_inflight,
      reconnect: chooseReconnect(values, reconnect),
      connectTimeout: connect_timeout === undefined ? undefined : connect_timeout * 1000,
    },
    properties,
    quiet: values.quiet,
    debug: values.debug,
    exitMode: values.exit_mode,
  }
}

/**
 * Ends the connection as `--exit-mode` says.
 * @param reasonCode of DISCONNECT when it does not say.
 */
export function sayGoodbye(client: Client, setup: ClientSetup, reasonCode: ReasonCode = ReasonCode.SUCCESS): void {
  const { exitMode, properties } = setup
  if (exitMode === 'abort') client.hangUp()
  else if (exitMode === 'will') client.disconnect(ReasonCode.DISCONNECT_WITH_WILL, properties.disconnect)
  else client.disconnect(exitMode === 'clean' ? ReasonCode.SUCCESS : reasonCode, properties.disconnect)
}
