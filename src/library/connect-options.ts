// How a client of the library connects: what a program says, and what the client that the commands use makes of it.

import { randomUUID } from 'node:crypto'
import type { ClientOptions } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import type { ProtocolVersion } from '../protocol/packet-types.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import { isTopicName } from '../protocol/topics.js'
import { brokerAddress, type ClientTlsOptions } from './broker-address.js'
import type { OutgoingMessage } from './message.js'

/** How a client connects. */
export interface ConnectOptions {
  /** 3 (MQTT 3.1), 4 (3.1.1) or 5; 5 unless given. */
  readonly version?: ProtocolVersion
  /** `tsmq-` and a random name unless given. */
  readonly clientId?: string
  /** Whether to forget the session that the broker may have for this client id; true unless given. Reconnections resume it. */
  readonly cleanStart?: boolean
  /** Seconds for which the broker keeps the session without a connection (MQTT 5.0); 0 unless given. */
  readonly sessionExpiryInterval?: number
  /** Seconds of silence after which the connection is checked, 0 for never; 60 unless given. */
  readonly keepAlive?: number
  /** Take precedence over those of the URL. */
  readonly username?: string
  readonly password?: string | Uint8Array
  /** Published by the broker when the connection breaks. */
  readonly will?: OutgoingMessage
  /** More properties of CONNECT (MQTT 5.0 section 3.1.2.11). */
  readonly properties?: Readonly<Properties>
  /** For `mqtts:` and `wss:`. */
  readonly tls?: ClientTlsOptions
  /** ms from the first step of a connection to the broker's answer; 30,000 unless given. */
  readonly connectTimeout?: number
  /** ms between attempts to connect again after a loss, or false to end then; from 500 up to 30,000 unless given. */
  readonly reconnect?: false | { readonly base: number; readonly cap: number }
  /** Publishes that may be pending; one more is refused. 100,000 unless given. */
  readonly maxPending?: number
  /** A connection stands: the first, or another. */
  readonly onConnect?: (sessionPresent: boolean) => void
  /** A connection is lost; `retryIn` ms until the next attempt, undefined when there is none. */
  readonly onDisconnect?: (error: Error | undefined, retryIn: number | undefined) => void
  /** What a function that takes messages has thrown. Without it, that is an uncaught exception. */
  readonly onError?: (error: unknown) => void
}

const CONNECT_TIMEOUT = 30_000
const RECONNECT = { base: 500, cap: 30_000 }

/** Bytes of a text in MQTT (5.0 section 1.5.4). */
const MOST_TEXT = 65_535
/** Of a timer, in ms. */
const MOST_WAIT = 2_147_483_647

/** @throws ClientError when `url` is none, and for options that cannot be used */
export async function clientSettings(url: string, options: ConnectOptions): Promise<ClientOptions> {
  check(options)
  const { target, ...user } = await brokerAddress(url, options.tls)
  const { version = 5, will, sessionExpiryInterval, reconnect = RECONNECT } = options
  const password = options.password ?? user.password
  const properties: Properties = { ...options.properties }
  if (sessionExpiryInterval !== undefined) properties.sessionExpiryInterval = sessionExpiryInterval
  return {
    target,
    version,
    clientId: options.clientId ?? `tsmq-${randomUUID().slice(0, 13)}`,
    cleanStart: options.cleanStart ?? true,
    keepAlive: options.keepAlive ?? 60,
    username: options.username ?? user.username,
    password: password === undefined ? undefined : Buffer.from(password),
    will: will && {
      topic: will.topic,
      payload: Buffer.from(will.payload ?? ''),
      qos: will.qos ?? 0,
      retain: will.retain ?? false,
      properties: will.properties ?? NO_PROPERTIES,
    },
    ...(Object.keys(properties).length > 0 && { properties }),
    connectTimeout: options.connectTimeout ?? CONNECT_TIMEOUT,
    ...(reconnect !== false && { reconnect }),
  }
}

/** @throws ClientError */
function check({ version = 5, keepAlive = 0, will, ...rest }: ConnectOptions): void {
  const { clientId = '', username = '', password = '', connectTimeout = 1, reconnect, maxPending = 0 } = rest
  const { base, cap } = reconnect || RECONNECT
  const rules: readonly [boolean, string][] = [
    [[3, 4, 5].includes(version), `version ${version} is none of 3, 4 and 5`],
    [isWithin(keepAlive, 0, 65_535), `keepAlive is 0 to 65535 seconds, not ${keepAlive}`],
    [isText(clientId), 'clientId is a text of at most 65535 bytes'],
    [isText(username), 'username is a text of at most 65535 bytes'],
    [Buffer.byteLength(password) <= MOST_TEXT, 'password has at most 65535 bytes'],
    [
      will === undefined || (isText(will.topic) && isTopicName(will.topic)),
      `'${will?.topic}' is not a topic for a will`,
    ],
    [will === undefined || isWithin(will.qos ?? 0, 0, 2), `QoS ${will?.qos} of the will`],
    [Buffer.byteLength(will?.payload ?? '') <= MOST_TEXT, 'the payload of the will has at most 65535 bytes'],
    [isTime(connectTimeout), `connectTimeout is a number of ms, not ${connectTimeout}`],
    [isTime(base) && isTime(cap), 'reconnect is { base, cap }, in ms, or false'],
    [maxPending >= 0, `maxPending is a number of messages, not ${maxPending}`],
  ]
  for (const [holds, problem] of rules) if (!holds) throw new ClientError('invalid', problem)
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}

function isTime(ms: number): boolean {
  return ms >= 0 && ms <= MOST_WAIT
}

function isText(value: string): boolean {
  return typeof value === 'string' && Buffer.byteLength(value) <= MOST_TEXT
}
