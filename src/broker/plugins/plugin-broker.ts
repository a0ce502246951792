// What one plugin may do with its broker, carried out: messages, clients, retained messages, log, state.

import { isReasonCodeOf, ReasonCode } from '../../protocol/reason-codes.js'
import { localMessage, type Message } from '../../session/message.js'
import type { ClientHandler } from '../clients/client-handler.js'
import { connectionInfo } from '../clients/connection-facts.js'
import { BRIDGE_USER, type Session } from '../clients/session.js'
import type { Sessions } from '../clients/sessions.js'
import { endSubscription } from '../clients/subscribe.js'
import type { BrokerContext } from '../context.js'
import { faultOf } from '../own-message.js'
import type { BrokerHandle, ClientState, OwnMessage, PluginState } from './broker-handle.js'
import type { LoadedPlugin } from './loaded-plugin.js'
import type { ListenerInfo, PluginMessage } from './plugin-facts.js'

/** The parts of the broker that plugins reach. */
export interface PluginReach {
  readonly context: BrokerContext
  readonly sessions: Sessions
  readonly handlers: () => Iterable<ClientHandler>
}

export class PluginBroker implements BrokerHandle {
  readonly version: string
  readonly state: PluginState
  private readonly by: LoadedPlugin
  private readonly reach: PluginReach

  constructor(by: LoadedPlugin, reach: PluginReach, state: PluginState) {
    this.by = by
    this.reach = reach
    this.state = state
    this.version = reach.context.version
  }

  now(): number {
    return this.reach.context.clock()
  }

  log(type: Parameters<BrokerHandle['log']>[0], text: string): void {
    this.reach.context.log.write(type, `${this.by.plugin.name}: ${text}`)
  }

  publish(message: OwnMessage): boolean {
    return this.reach.context.router.publish(this.messageOf(message))
  }

  private messageOf(message: OwnMessage): Message {
    const fault = faultOf(message)
    if (fault !== undefined) throw new RangeError(fault)
    const { topic, payload = '', qos = 0, retain = false, properties } = message
    return localMessage(topic, Buffer.from(payload as Uint8Array), qos, retain, properties, undefined, this.now())
  }

  clients(): readonly ClientState[] {
    const handlers = new Map<unknown, ClientHandler>([...this.reach.handlers()].map((each) => [each, each]))
    return [...this.reach.sessions.values()].map((session) => clientState(session, handlers.get(session.client)))
  }

  client(clientId: string): ClientState | undefined {
    const session = this.reach.sessions.get(clientId)
    if (session === undefined) return undefined
    for (const handler of this.reach.handlers()) if (handler === session.client) return clientState(session, handler)
    return clientState(session, undefined)
  }

  kick(
    clientId: string,
    reasonCode: ReasonCode = ReasonCode.ADMINISTRATIVE_ACTION,
    reason = 'administrative action',
  ): boolean {
    if (!isReasonCodeOf('server DISCONNECT', reasonCode) || reasonCode < ReasonCode.UNSPECIFIED_ERROR)
      throw new RangeError(`reason code ${reasonCode} does not end a connection from here`)
    const client = this.reach.sessions.get(clientId)?.client ?? this.arriving(clientId)
    if (client === undefined) return false
    // Whoever asks may stand in the middle of something that concerns this very client.
    queueMicrotask(() => client.disconnect(reasonCode, reason))
    return true
  }

  /** A client that has its CONNACK and not its session yet. */
  private arriving(clientId: string): ClientHandler | undefined {
    for (const handler of this.reach.handlers()) if (handler.clientId === clientId) return handler
    return undefined
  }

  unsubscribe(clientId: string, filter: string): boolean {
    const { context, sessions } = this.reach
    const session = sessions.get(clientId)
    const subscription = session?.subscriptions.get(filter)
    if (session === undefined || session.username === BRIDGE_USER || subscription === undefined) return false
    endSubscription(context, session, subscription)
    return true
  }

  serves(listener: ListenerInfo): boolean {
    return this.by.serves(listener)
  }

  retained(filter: string): readonly PluginMessage[] {
    return this.reach.context.router.retained.matching(filter, this.now())
  }

  setRetained(message: OwnMessage): void {
    this.reach.context.router.retained.apply(this.messageOf({ ...message, retain: true }))
  }

  clearRetained(): void {
    const { router, points } = this.reach.context
    for (const { topic } of router.retained.all()) if (!topic.startsWith('$SYS/')) router.retained.remove(topic)
    points.retainedCleared?.()
  }
}

function clientState({ info, subscriptions, outbound }: Session, handler: ClientHandler | undefined): ClientState {
  const facts = handler?.facts
  return {
    ...info,
    connection: facts && connectionInfo(handler, facts.protocolVersion, facts.keepAlive),
    subscriptions: [...subscriptions.keys()],
    queued: outbound.queuedCount,
    inFlight: outbound.inFlightCount,
  }
}
