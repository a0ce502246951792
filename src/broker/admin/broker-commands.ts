// What `$CONTROL/broker/v1` answers: the commands of Mosquitto (spec: broker-options.md section 11), and those about clients and
// subscriptions, which are tsmq's own. Long lists come in parts: `count` entries (-1 for all) behind the first `offset`.

import type { ListenerConfig } from '../../options/config.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { BridgeFacts } from '../bridge/bridge.js'
import type { ClientHandler } from '../clients/client-handler.js'
import { NEVER, type Session } from '../clients/session.js'
import type { Sessions } from '../clients/sessions.js'
import type { BrokerContext } from '../context.js'
import type { BoundListener } from '../listeners.js'
import type { PluginFacts } from '../plugins/plugins.js'
import { type ControlCommand, type ControlCommands, ControlError, countOf, textOf } from './control.js'

/** What the commands look at. */
export interface CommandSources {
  readonly context: BrokerContext
  readonly sessions: Sessions
  readonly handlers: () => Iterable<ClientHandler>
  readonly bound: () => readonly BoundListener[]
  readonly bridges: () => readonly BridgeFacts[]
  readonly plugins: () => readonly PluginFacts[]
}

/** Topic `$CONTROL/broker/v1`. */
export const BROKER_ENDPOINT = 'broker/v1'

export function brokerCommands(sources: CommandSources): ControlCommands {
  return new Map<string, (command: ControlCommand, clientId: string) => object | undefined>([
    ['listplugins', () => ({ plugins: sources.plugins() })],
    ['listlisteners', () => ({ listeners: sources.bound().map(listenerText) })],
    ['listbridges', () => ({ bridges: sources.bridges() })],
    ['listclients', (command) => listClients(sources, command)],
    ['getclient', (command) => ({ client: clientFacts(sessionOf(sources, command), handlersBySession(sources)) })],
    ['disconnectclient', (command, clientId) => disconnectClient(sources, command, clientId)],
    ['listsubscriptions', (command) => listSubscriptions(sources, command)],
  ])
}

function listenerText({ listener, port, address, family }: BoundListener): object {
  const { protocol, certfile, psk_hint: hint, bind_address: host } = listener
  return {
    ...(family === 'unix' ? { 'socket-path': address } : { port }),
    ...(protocol === 'http_api' ? {} : { protocol: protocol === 'websockets' ? 'mqtt+websockets' : 'mqtt' }),
    ...(host === undefined ? {} : { 'bind-address': host }),
    tls: isEncrypted({ certfile, psk_hint: hint }),
  }
}

/** Whether clients of a listener speak TLS. */
export function isEncrypted({ certfile, psk_hint: hint }: Pick<ListenerConfig, 'certfile' | 'psk_hint'>): boolean {
  return certfile !== undefined || hint !== undefined
}

/** The part of a list that was asked for. */
function part<T>(all: readonly T[], command: ControlCommand): readonly T[] {
  const offset = countOf(command, 'offset', 0, 0)
  const count = countOf(command, 'count', -1, -1)
  return all.slice(offset, count < 0 ? undefined : offset + count)
}

function listClients(sources: CommandSources, command: ControlCommand): object {
  const all = [...sources.sessions.values()]
  const some = part(all, command)
  const handlers = handlersBySession(sources)
  const describe = (session: Session) => (command.verbose === true ? clientFacts(session, handlers) : session.clientId)
  return { totalCount: all.length, clients: some.map(describe) }
}

function sessionOf({ sessions }: CommandSources, command: ControlCommand): Session {
  const session = sessions.get(textOf(command, 'clientid'))
  if (session === undefined) throw new ControlError('Client not found')
  return session
}

function handlersBySession({ handlers }: CommandSources): ReadonlyMap<unknown, ClientHandler> {
  return new Map([...handlers()].map((handler) => [handler, handler]))
}

function clientFacts(session: Session, handlers: ReadonlyMap<unknown, ClientHandler>): object {
  const { clientId, username, client, outbound, subscriptions, expiryInterval, isConnected } = session
  const facts = handlers.get(client)?.facts
  return {
    clientid: clientId,
    ...(username === undefined ? {} : { username }),
    connected: isConnected,
    ...facts,
    sessionExpiryInterval: expiryInterval === NEVER ? -1 : expiryInterval,
    subscriptions: subscriptions.size,
    queuedMessages: outbound.queuedCount,
    inFlightMessages: outbound.inFlightCount,
  }
}

function disconnectClient(sources: CommandSources, command: ControlCommand, by: string): undefined {
  const { clientId, client } = sessionOf(sources, command)
  if (client === undefined) throw new ControlError('Client not connected')
  sources.context.log.notice(`Client ${by} had client ${clientId} disconnected.`)
  client.disconnect(ReasonCode.ADMINISTRATIVE_ACTION, 'administrative action')
}

function listSubscriptions(sources: CommandSources, command: ControlCommand): object {
  const sessions = command.clientid === undefined ? sources.sessions.values() : [sessionOf(sources, command)]
  const all: object[] = []
  for (const { clientId, subscriptions } of sessions)
    for (const { text, qos, noLocal, retainAsPublished, retainHandling, identifier } of subscriptions.values())
      all.push({ clientid: clientId, topic: text, qos, noLocal, retainAsPublished, retainHandling, identifier })
  return { totalCount: all.length, subscriptions: part(all, command) }
}
