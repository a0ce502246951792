// The MQTT client of the library: promises, iterators and automatic reconnection around the client that the commands use.
// A subscription is made again when a connection comes back without the session; what is published while there is none waits.

import { randomInt } from 'node:crypto'
import { type ClientHandler, type ClientOptions, Client as Engine } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import type { ProtocolVersion } from '../protocol/packet-types.js'
import type { Connack } from '../protocol/packets/connack.js'
import type { Publish, Qos } from '../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../protocol/properties.js'
import { ReasonCode, reasonText } from '../protocol/reason-codes.js'
import { matches, parseFilter } from '../protocol/topics.js'
import { type ConnectOptions, clientSettings } from './connect-options.js'
import { Intake } from './intake.js'
import { type IncomingMessage, incoming, type OutgoingMessage, outgoing } from './message.js'
import { Requests } from './requests.js'
import { type MessageHandler, Subscription } from './subscription.js'

/** How to subscribe (MQTT 5.0 section 3.8.3.1). */
export interface SubscribeOptions {
  /** Most QoS to get messages with; 0 unless given. */
  readonly qos?: Qos
  /** Not what this client publishes itself (MQTT 5.0). */
  readonly noLocal?: boolean
  /** Keep the retain flag of messages that come live (MQTT 5.0). */
  readonly retainAsPublished?: boolean
  /** Retained messages: 0 all, 1 only if the subscription is new, 2 none (MQTT 5.0). */
  readonly retainHandling?: 0 | 1 | 2
}

const DEFAULT_PENDING = 100_000
/** Messages that may wait in an iterator before no more are read from the connection. */
const MOST_WAITING = 1000
/** Messages of an earlier life of the session that are kept until they are subscribed to. */
const MOST_EARLY = 10_000
/** Where the identifiers of subscriptions begin that are made beside those of a session's earlier life. */
const MOST_FIRST_IDENTIFIER = 200_000_000
/** Bytes of a text in MQTT (section 1.5.4). */
const MOST_TEXT = 65_535
/** ms */
const RESPONSE_TIMEOUT = 10_000

interface Entry {
  readonly subscription: Subscription
  readonly options: SubscribeOptions
  /** 0 where the broker, or the version, has none: then messages are matched with the filters. */
  readonly identifier: number
  isMade: boolean
}

interface Settle {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** One client, made by `Client.connect`. */
export class Client {
  private readonly options: ConnectOptions
  private readonly engine: Engine
  private readonly version: ProtocolVersion
  private readonly entries = new Map<Subscription, Entry>()
  private readonly intake: Intake
  /** QoS 0 messages that wait for a connection. */
  private readonly waiting: (() => void)[] = []
  private readonly requests = new Requests(this)
  /** The last that was given to a subscription, and what all that were are greater than. */
  private identifiers = 0
  private foreignIdentifiers = 0
  /** Messages of the session as it was found that no subscription has taken yet; undefined when it is new. */
  private early: IncomingMessage[] | undefined = undefined
  private pendingCount = 0
  private onIdle: (() => void)[] = []
  private first: Settle | undefined = undefined
  private ended: ClientError | undefined = undefined
  private readonly closed: Promise<void>
  private onClosed: () => void = () => {}

  private constructor(options: ConnectOptions, settings: ClientOptions, first: Settle) {
    this.options = options
    this.version = settings.version
    this.first = first
    this.closed = new Promise((resolve) => {
      this.onClosed = resolve
    })
    this.engine = new Engine(settings, this.handler())
    this.intake = new Intake(this.engine)
  }

  /**
   * Connects to `url`: `mqtt://`, `mqtts://`, `ws://` or `wss://` with host, optional port, user and password, or `unix:/path`.
   * Resolves when the broker has accepted the connection.
   * @throws ClientError when that fails; `kind` and `reasonCode` tell how
   */
  static async connect(url: string, options: ConnectOptions = {}): Promise<Client> {
    const settings = await clientSettings(url, options)
    return new Promise((resolve, reject) => {
      const client: Client = new Client(options, settings, { resolve: () => resolve(client), reject })
      client.engine.start()
    })
  }

  /** The client id; once connected, the one that the broker has chosen if none was given. */
  get clientId(): string {
    return this.engine.clientId
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.engine.isConnected
  }

  /** Publishes that are not finished: waiting for a connection, on their way, or not acknowledged. */
  get pending(): number {
    return this.pendingCount
  }

  private handler(): ClientHandler {
    return {
      onSession: ({ sessionPresent }) => this.onSession(sessionPresent),
      onConnect: (connack) => this.onConnect(connack),
      onMessage: (topic, packet) => this.onMessage(topic, packet),
      onDrain: () => {},
      onDisconnect: (error, retryIn) => this.onDisconnect(error, retryIn),
    }
  }

  /**
   * Publishes a message. Resolves when it has been handed to the socket (QoS 0) or acknowledged (QoS 1 and 2), with the reason
   * code: 0, or 16 when nobody subscribes. Without a connection it waits for one.
   * @throws ClientError 'invalid' for a topic or property that may not be, 'publish refused' with the broker's reason code,
   * 'stopped' when `end` is called before, which is no unhandled rejection where nobody waits
   */
  publish(message: OutgoingMessage): Promise<number> {
    const finished: Promise<number> = new Promise((resolve, reject) => {
      if (this.ended !== undefined) throw this.ended
      const { maxPending = DEFAULT_PENDING } = this.options
      if (this.pendingCount >= maxPending)
        throw new ClientError('not supported', `${maxPending} publishes are pending`, ReasonCode.QUOTA_EXCEEDED)
      const { topic, payload = '', qos = 0 } = message
      if (typeof topic !== 'string' || (typeof payload !== 'string' && !(payload instanceof Uint8Array)))
        throw new ClientError('invalid', 'a message has a text as topic, and as payload a text or a Uint8Array')
      if (Buffer.byteLength(topic) > MOST_TEXT) throw new ClientError('invalid', 'a topic has at most 65535 bytes')
      if (qos !== 0 && qos !== 1 && qos !== 2) throw new ClientError('invalid', `QoS ${qos}`)
      const content = outgoing(message)
      const answered = this.intake.await('answer')
      const settle = () => {
        this.pendingCount--
        answered()
        if (this.pendingCount === 0) for (const idle of this.onIdle.splice(0)) idle()
      }
      const send = () =>
        this.engine.publish(content, (error, reasonCode) => {
          if (error?.kind === 'lost' && content.qos === 0 && this.ended === undefined) {
            this.waiting.push(send)
            return
          }
          settle()
          const why = error && (this.ended ?? error)
          if (why === undefined) resolve(reasonCode)
          else reject(why)
          if (why?.kind === 'stopped') finished.catch(() => {})
        })
      this.pendingCount++
      try {
        send()
      } catch (error) {
        settle()
        throw error
      }
    })
    return finished
  }

  /**
   * Subscribes to one filter or several. Resolves when the broker has granted all of them. Messages go to `handler`, or wait for
   * `for await (const message of subscription)`; while 1,000 wait there, QoS 1 and 2 are not acknowledged, and nothing is read from
   * the connection unless an answer is awaited. The first are those that the broker has kept for this client since it subscribed to
   * the same in an earlier process (`cleanStart: false`).
   * @throws ClientError 'invalid' for a filter that may not be, 'refused' with the reason code of the first filter that is not
   * granted, 'lost' without a connection
   */
  async subscribe(
    filters: string | readonly string[],
    options: SubscribeOptions | MessageHandler = {},
    handler?: MessageHandler,
  ): Promise<Subscription> {
    if (typeof options === 'function') return this.subscribe(filters, {}, options)
    const list = typeof filters === 'string' ? [filters] : [...filters]
    checkFilters(list)
    const subscription: Subscription = new Subscription(
      {
        hold: (each, isFull) => this.intake.hold(each, isFull),
        unsubscribe: (each) => this.unsubscribe(each),
        report: (error) => this.report(error),
      },
      list,
      handler,
      MOST_WAITING,
    )
    const hasIdentifiers = this.version === 5 && this.engine.serverLimits.subscriptionIdentifiers
    const identifier = hasIdentifiers ? ++this.identifiers : 0
    const entry: Entry = { subscription, options, identifier, isMade: false }
    // From now on, because messages may come before the answer.
    this.entries.set(subscription, entry)
    this.handEarly(subscription)
    try {
      await this.make(entry)
    } catch (error) {
      this.entries.delete(subscription)
      subscription.finish(undefined)
      throw error
    }
    entry.isMade = true
    return subscription
  }

  private make({ subscription, options, identifier }: Entry): Promise<void> {
    const { qos = 0, noLocal = false, retainAsPublished = false, retainHandling = 0 } = options
    const requests = subscription.filters.map((filter) => ({ filter, qos, noLocal, retainAsPublished, retainHandling }))
    const properties = identifier === 0 ? NO_PROPERTIES : { subscriptionIdentifiers: [identifier] }
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) throw this.ended
      const answered = this.intake.await('answer')
      this.engine.subscribe(requests, properties, (error, codes) => {
        answered()
        const refused = codes.findIndex((code) => code >= 0x80)
        if (error !== undefined) reject(error)
        else if (refused < 0) resolve()
        else {
          const filter = subscription.filters[refused]
          const words = `the subscription to '${filter}' was refused: ${reasonText(codes[refused] ?? 0)}`
          reject(new ClientError('refused', words, codes[refused]))
        }
      })
    })
  }

  private async unsubscribe(subscription: Subscription): Promise<void> {
    if (!this.entries.delete(subscription)) return
    subscription.finish(undefined)
    if (!this.engine.isConnected) return
    const others = new Set([...this.entries.keys()].flatMap(({ filters }) => filters))
    const filters = subscription.filters.filter((filter) => !others.has(filter))
    if (filters.length === 0) return
    await new Promise<void>((resolve, reject) => {
      const answered = this.intake.await('answer')
      this.engine.unsubscribe(filters, NO_PROPERTIES, (error) => {
        answered()
        // Without a connection there is no subscription either.
        if (error === undefined || error.kind === 'lost' || error.kind === 'stopped') resolve()
        else reject(error)
      })
    })
  }

  /**
   * Publishes a request and resolves with the response that comes to its response topic (MQTT 5.0 section 4.10).
   * @param timeout ms; 10,000 unless given
   * @throws ClientError 'timeout', and what `subscribe` and `publish` throw
   */
  async request(message: OutgoingMessage, timeout = RESPONSE_TIMEOUT): Promise<IncomingMessage> {
    if (this.version < 5) throw new ClientError('invalid', 'requests with a response topic need MQTT 5.0')
    return this.requests.send(message, timeout).finally(this.intake.await('message'))
  }

  /**
   * Answers requests to `filter` with what `respond` returns (MQTT 5.0 section 4.10); those without a response topic are ignored.
   * What `respond` throws is reported to `onError`, and the request is not answered.
   */
  async respond(
    filter: string,
    respond: (message: IncomingMessage) => string | Uint8Array | Promise<string | Uint8Array>,
  ): Promise<Subscription> {
    return this.subscribe(filter, { qos: 1 }, (message) => {
      const { responseTopic, correlationData } = message.properties
      if (responseTopic === undefined) return
      const properties = correlationData === undefined ? {} : { correlationData }
      const answer = async () => {
        await this.publish({ topic: responseTopic, payload: await respond(message), qos: message.qos, properties })
      }
      // The end of this client is no mistake of the request.
      answer().catch((error) => this.ended === undefined && this.report(error))
    })
  }

  /**
   * Ends with DISCONNECT. Waits for pending publishes first, at most `patience` ms (5,000 unless given); those that are left then
   * fail. With a connection that is lost, nothing is waited for unless it comes back in time.
   */
  async end(patience = 5000): Promise<void> {
    if (this.ended !== undefined) return
    if (this.pendingCount > 0 && patience > 0) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience)
      })
      await Promise.race([new Promise<void>((resolve) => this.onIdle.push(resolve)), late])
      clearTimeout(timer)
    }
    this.engine.disconnect()
    await this.closed
  }

  /** `await using client = await Client.connect(…)`, on a Node that has it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
  }

  private onSession(sessionPresent: boolean): void {
    // MQTT 3.1 does not say.
    const mayBePresent = sessionPresent || (this.version === 3 && this.options.cleanStart === false)
    if (this.first !== undefined && mayBePresent) {
      this.early = []
      this.foreignIdentifiers = randomInt(MOST_FIRST_IDENTIFIER)
      this.identifiers = this.foreignIdentifiers
    }
    if (!sessionPresent)
      for (const entry of this.entries.values())
        if (entry.isMade) this.make(entry).catch((error) => this.lose(entry, error))
  }

  private onConnect({ sessionPresent }: Connack): void {
    this.first?.resolve()
    this.first = undefined
    this.intake.begin()
    for (const send of this.waiting.splice(0)) send()
    this.options.onConnect?.(sessionPresent)
  }

  /** A subscription could not be made again. */
  private lose({ subscription }: Entry, error: unknown): void {
    if (error instanceof ClientError && (error.kind === 'lost' || error.kind === 'stopped')) return
    this.entries.delete(subscription)
    subscription.finish(error instanceof Error ? error : new Error(String(error)))
    this.report(error)
  }

  private onMessage(topic: string, packet: Publish): void {
    const message = incoming(topic, packet)
    const identifiers = packet.properties.subscriptionIdentifiers
    const isOurs = identifiers?.some((each) => each > this.foreignIdentifiers && each <= this.identifiers) === true
    let isTaken = false
    for (const { subscription, identifier } of [...this.entries.values()]) {
      if (isOurs && identifier > 0 ? !identifiers.includes(identifier) : !isFor(subscription, topic)) continue
      isTaken = true
      subscription.take(message)
    }
    this.intake.received(packet)
    if (!isTaken && !isOurs && this.early !== undefined && this.early.length < MOST_EARLY) this.early.push(message)
  }

  /** Hands over what came before it was subscribed to. */
  private handEarly(subscription: Subscription): void {
    const early = this.early?.splice(0) ?? []
    for (const message of early)
      if (isFor(subscription, message.topic)) subscription.take(message)
      else this.early?.push(message)
  }

  private report(error: unknown): void {
    const { onError } = this.options
    if (onError !== undefined) onError(error)
    else
      queueMicrotask(() => {
        throw error
      })
  }

  private onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    if (this.first !== undefined && retryIn !== undefined) {
      // Whoever waits for the first connection decides what to do without it.
      const { first } = this
      this.first = undefined
      this.engine.stop()
      first.reject(error ?? new ClientError('lost', 'no connection'))
      return
    }
    if (retryIn === undefined) {
      this.ended = error ?? new ClientError('stopped', 'the client has ended')
      for (const { subscription } of this.entries.values()) subscription.finish(error)
      this.entries.clear()
      for (const send of this.waiting.splice(0)) send()
    }
    if (this.first !== undefined) this.first.reject(error ?? new ClientError('stopped', 'the client has ended'))
    else this.options.onDisconnect?.(error, retryIn)
    this.first = undefined
    if (retryIn === undefined) this.onClosed()
  }
}

/** @throws ClientError */
function checkFilters(filters: readonly string[]): void {
  if (filters.length === 0) throw new ClientError('invalid', 'there is no filter to subscribe to')
  for (const filter of filters)
    if (typeof filter !== 'string' || parseFilter(filter) === undefined || Buffer.byteLength(filter) > MOST_TEXT)
      throw new ClientError('invalid', `'${filter}' is not a filter to subscribe to`)
}

function isFor({ filters }: Subscription, topic: string): boolean {
  return filters.some((filter) => matches(parseFilter(filter)?.filter ?? filter, topic))
}
