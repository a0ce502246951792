// The points of the broker's work at which plugins are asked or told: for each one function made of those of all plugins, in their
// order, or undefined when none of them has it, so that an unused point costs one look at a field. What the methods mean is in
// plugin.ts; which answers can be used in answers.ts.

import type { AclDecision } from '../../access/client-rights.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import type { Message } from '../../session/message.js'
import {
  atOnce,
  changedMessage,
  checkedConnect,
  checkedExchange,
  checkedKey,
  checkedLogin,
  checkedPublish,
  checkedStep,
  checkedSubscription,
  checkedVerdict,
} from './answers.js'
import type { LoadedPlugin } from './loaded-plugin.js'
import type {
  Acceptance,
  AuthorizedAction,
  Exchange,
  LoginRequest,
  Plugin,
  Refusal,
  SubscriptionChange,
} from './plugin.js'
import type { ClientInfo, ListenerInfo } from './plugin-facts.js'
import { andThen, isPromise, type Soon } from './soon.js'

type Maybe<T> = T | undefined

/** Points where something is told and no answer awaited. */
type WatchPoint =
  | ('reload' | 'tick' | 'connected' | 'disconnected' | 'offline' | 'enqueued' | 'dropped' | 'acknowledged')
  | ('notConsumed' | 'subscribed' | 'unsubscribed' | 'packetIn' | 'packetOut' | 'retainedChanged' | 'retainedCleared')
  | ('sessionPrepared' | 'sessionDeleted')

type Watchers = { readonly [K in WatchPoint]: Plugin[K] }

export interface Points extends Watchers {
  readonly authenticate: Maybe<(login: LoginRequest) => Soon<Maybe<Acceptance | Refusal>>>
  readonly exchange: Maybe<(method: string, login: LoginRequest) => Maybe<Exchange | Refusal>>
  readonly pskKey: Maybe<(identity: string, listener: ListenerInfo) => Maybe<Buffer>>
  readonly connect: Maybe<(login: LoginRequest) => Soon<Maybe<Refusal>>>
  readonly authorize: Maybe<(client: ClientInfo, action: AuthorizedAction, topic: string) => Maybe<AclDecision>>
  /** What becomes of a message: another, the same, or the reason code for its publisher; SUCCESS when it is dropped. */
  readonly publish: Maybe<(message: Message, client: ClientInfo) => Message | ReasonCode>
  /** Undefined when the client does not get it. */
  readonly deliver: Maybe<(message: Message, client: ClientInfo, qos: 0 | 1 | 2, retain: boolean) => Maybe<Message>>
  readonly subscribe: Maybe<(subscription: Asked, client: ClientInfo) => Soon<Asked | Refusal>>
  readonly unsubscribe: Maybe<(filter: string, client: ClientInfo) => Soon<string | Refusal>>
  readonly retainedLoading: Maybe<(message: Message) => Maybe<Message>>
  /** Some plugin has to see each message on its way to each client. */
  readonly isApart: boolean
}

type Asked = Parameters<NonNullable<Plugin['subscribe']>>[0]

const UNAVAILABLE: Refusal = { refuse: ReasonCode.SERVER_UNAVAILABLE, reason: 'a plugin has failed' }
const FAILED: Refusal = { refuse: ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, reason: 'a plugin has failed' }

/** The points of no plugins. */
export const NO_POINTS: Points = pointsOf([], () => 0)

/** @param clock ms since 1970 */
export function pointsOf(plugins: readonly LoadedPlugin[], clock: () => number): Points {
  const points = {
    ...loginPoints(plugins),
    ...messagePoints(plugins, clock),
    ...subscriptionPoints(plugins),
    authorize: authorizePoint(plugins),
    reload: watch(plugins, 'reload'),
    tick: watch(plugins, 'tick'),
    connected: watchClients(plugins, 'connected', 0),
    disconnected: watchClients(plugins, 'disconnected', 0),
    offline: watchClients(plugins, 'offline', 0),
    enqueued: watchClients(plugins, 'enqueued', 1),
    dropped: watchClients(plugins, 'dropped', 1),
    acknowledged: watchClients(plugins, 'acknowledged', 1),
    notConsumed: watchClients(plugins, 'notConsumed', 1),
    subscribed: watchClients(plugins, 'subscribed', 1),
    unsubscribed: watchClients(plugins, 'unsubscribed', 1),
    packetIn: watch(plugins, 'packetIn'),
    packetOut: watch(plugins, 'packetOut'),
    retainedChanged: watch(plugins, 'retainedChanged'),
    retainedCleared: watch(plugins, 'retainedCleared'),
    sessionPrepared: watchClients(plugins, 'sessionPrepared', 0),
    sessionDeleted: watchClients(plugins, 'sessionDeleted', 0),
  }
  const { deliver, authorize, dropped, packetOut } = points
  return { ...points, isApart: [deliver, authorize, dropped, packetOut].some((each) => each !== undefined) }
}

/** A plugin with one of its methods. */
interface Bound<K extends keyof Plugin> {
  readonly by: LoadedPlugin
  readonly call: NonNullable<Plugin[K]>
}

function bound<K extends keyof Plugin>(plugins: readonly LoadedPlugin[], point: K): Maybe<readonly Bound<K>[]> {
  const found = plugins.flatMap((by) => {
    const method = by.plugin[point]
    if (typeof method !== 'function') return []
    return [{ by, call: method.bind(by.plugin) as NonNullable<Plugin[K]> }]
  })
  return found.length === 0 ? undefined : found
}

/** The same with the loose types that watchers of different arguments have in common. */
type Watcher = (...args: readonly unknown[]) => unknown

function watch<K extends WatchPoint>(
  plugins: readonly LoadedPlugin[],
  point: K,
  concerns: (by: LoadedPlugin, args: readonly unknown[]) => boolean = () => true,
): Plugin[K] {
  const all = bound(plugins, point)
  if (all === undefined) return undefined
  const tell: Watcher = (...args) => {
    for (const { by, call } of all) if (concerns(by, args)) tellOne(by, point, call as Watcher, args)
  }
  return tell as Plugin[K]
}

/** Those that are told of a client, which is the argument at `index`. */
function watchClients<K extends WatchPoint>(plugins: readonly LoadedPlugin[], point: K, index: number): Plugin[K] {
  return watch(plugins, point, (by, args) => by.knows(args[index] as ClientInfo))
}

function tellOne(by: LoadedPlugin, point: string, call: Watcher, args: readonly unknown[]): void {
  by.guard(
    point,
    () => {
      const answer = call(...args)
      // Nobody waits for it, and nobody else would hear of its failure.
      if (isPromise(answer)) answer.then(undefined, (error) => by.failed(point, error))
    },
    undefined,
  )
}

/** Asks one after the other until one has an answer. */
function first<K extends keyof Plugin, T>(
  asked: readonly Bound<K>[],
  ask: (one: Bound<K>) => Soon<Maybe<T>>,
  from = 0,
): Soon<Maybe<T>> {
  for (let at = from; at < asked.length; at++) {
    const answer = ask(asked[at] as Bound<K>)
    if (isPromise(answer)) return answer.then((late) => (late === undefined ? first(asked, ask, at + 1) : late))
    if (answer !== undefined) return answer
  }
  return undefined
}

/** Hands `value` from one to the next, each of which may change it, until one refuses. */
function through<K extends keyof Plugin, T extends object | string>(
  asked: readonly Bound<K>[],
  value: T,
  ask: (one: Bound<K>, value: T) => Soon<T | Refusal>,
  from = 0,
): Soon<T | Refusal> {
  let current = value
  for (let at = from; at < asked.length; at++) {
    const answer = ask(asked[at] as Bound<K>, current)
    if (isPromise(answer)) return answer.then((late) => (isRefusal(late) ? late : through(asked, late, ask, at + 1)))
    if (isRefusal(answer)) return answer
    current = answer
  }
  return current
}

export function isRefusal(answer: object | string): answer is Refusal {
  return typeof answer === 'object' && 'refuse' in answer
}

function loginPoints(
  plugins: readonly LoadedPlugin[],
): Pick<Points, 'authenticate' | 'connect' | 'exchange' | 'pskKey'> {
  const authenticate = bound(plugins, 'authenticate')
  const connect = bound(plugins, 'connect')
  const exchange = bound(plugins, 'exchange')
  const pskKey = bound(plugins, 'pskKey')
  return {
    authenticate:
      authenticate &&
      ((login) =>
        first(authenticate, ({ by, call }) => {
          if (!by.serves(login.listener)) return undefined
          return by.guardAsync('authenticate', () => andThen(call(login), checkedLogin), UNAVAILABLE)
        })),
    connect:
      connect &&
      ((login) =>
        first(connect, ({ by, call }) => {
          if (!by.serves(login.listener)) return undefined
          return by.guardAsync('connect', () => andThen(call(login), checkedConnect), UNAVAILABLE)
        })),
    exchange:
      exchange &&
      ((method, login) => {
        for (const { by, call } of exchange) {
          if (!by.serves(login.listener)) continue
          const made = by.guard('exchange', () => checkedExchange(atOnce(call(method, login))), 'failed' as const)
          if (made === 'failed') return UNAVAILABLE
          if (made !== undefined) return guardedExchange(by, made)
        }
        return undefined
      }),
    pskKey:
      pskKey &&
      ((identity, listener) => {
        for (const { by, call } of pskKey) {
          if (!by.serves(listener)) continue
          const key = by.guard('pskKey', () => checkedKey(atOnce(call(identity, listener))), 'failed' as const)
          // An empty key lets nobody in.
          if (key !== undefined) return Buffer.from(key === 'failed' ? [] : key)
        }
        return undefined
      }),
  }
}

function guardedExchange(by: LoadedPlugin, exchange: Exchange): Exchange {
  return {
    step: (data) => by.guardAsync('exchange', () => andThen(exchange.step(data), checkedStep), UNAVAILABLE),
  }
}

function authorizePoint(plugins: readonly LoadedPlugin[]): Points['authorize'] {
  const asked = bound(plugins, 'authorize')?.map(({ by, call }) => ({
    by,
    call,
    allow: { allowed: true, reason: 'plugin', by: by.plugin.name } as const,
    deny: { allowed: false, reason: 'plugin', by: by.plugin.name } as const,
  }))
  return (
    asked &&
    ((client, action, topic) => {
      for (const { by, call, allow, deny } of asked) {
        if (!by.knows(client)) continue
        if (by.scope.deniesSpecialChars && hasSpecialChars(client)) return deny
        let answer: 'allow' | 'deny' | undefined
        try {
          answer = checkedVerdict(call(client, action, topic))
        } catch (error) {
          by.failed('authorize', error)
          return deny
        }
        if (answer !== undefined) return answer === 'allow' ? allow : deny
      }
      return undefined
    })
  )
}

function hasSpecialChars({ clientId, username }: ClientInfo): boolean {
  return /[+#/]/.test(clientId) || (username !== undefined && /[+#/]/.test(username))
}

function messagePoints(
  plugins: readonly LoadedPlugin[],
  clock: () => number,
): Pick<Points, 'publish' | 'deliver' | 'retainedLoading'> {
  const publish = bound(plugins, 'publish')
  const deliver = bound(plugins, 'deliver')
  const retainedLoading = bound(plugins, 'retainedLoading')
  return {
    publish:
      publish &&
      ((message, client) => {
        let current = message
        for (let at = 0; at < publish.length; at++) {
          const { by, call } = publish[at] as Bound<'publish'>
          if (!by.knows(client)) continue
          try {
            const raw = call(current, client)
            if (raw === undefined) continue
            const answer = checkedPublish(raw)
            if (answer === 'drop') return ReasonCode.SUCCESS
            if (typeof answer === 'number') return answer
            current = changedMessage(current, answer, clock())
          } catch (error) {
            by.failed('publish', error)
            return ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
          }
        }
        return current
      }),
    deliver:
      deliver &&
      ((message, client, qos, retain) => {
        let current = message
        for (const { by, call } of deliver) {
          if (!by.knows(client)) continue
          try {
            const answer = call(current, client, qos, retain)
            if (answer === undefined) continue
            if (answer === 'drop') return undefined
            const { topic, payload, properties } = atOnce(answer)
            current = changedMessage(current, dense({ topic, payload, properties }), clock())
          } catch (error) {
            by.failed('deliver', error)
            return undefined
          }
        }
        return current
      }),
    retainedLoading:
      retainedLoading &&
      ((message) => {
        let current: Maybe<Message> = message
        for (const { by, call } of retainedLoading) {
          const before: Message = current
          const change = () => {
            const answer = atOnce(call(before))
            if (answer === 'drop') return undefined
            return answer === undefined ? before : changedMessage(before, answer, clock())
          }
          current = by.guard('retainedLoading', change, before)
          if (current === undefined) return undefined
        }
        return current
      }),
  }
}

/** Without members that are undefined. */
function dense<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Partial<T>
}

function subscriptionPoints(plugins: readonly LoadedPlugin[]): Pick<Points, 'subscribe' | 'unsubscribe'> {
  const subscribe = bound(plugins, 'subscribe')
  const unsubscribe = bound(plugins, 'unsubscribe')
  return {
    subscribe:
      subscribe &&
      ((subscription, client) =>
        through(subscribe, subscription, ({ by, call }, current) => {
          if (!by.knows(client)) return current
          const use = (answer: Maybe<SubscriptionChange | Refusal>) =>
            merged(current, checkedSubscription(answer, 'SUBACK'))
          return by.guardAsync<Asked | Refusal>('subscribe', () => andThen(call(current, client), use), FAILED)
        })),
    unsubscribe:
      unsubscribe &&
      ((filter, client) =>
        through(unsubscribe, filter, ({ by, call }, current) => {
          if (!by.knows(client)) return current
          const use = (raw: Maybe<SubscriptionChange | Refusal>) => {
            const answer = checkedSubscription(raw, 'UNSUBACK')
            if (answer === undefined) return current
            return isRefusal(answer) ? answer : (answer.filter ?? current)
          }
          return by.guardAsync<string | Refusal>('unsubscribe', () => andThen(call(current, client), use), FAILED)
        })),
  }
}

function merged(asked: Asked, answer: Maybe<SubscriptionChange | Refusal>): Asked | Refusal {
  if (answer === undefined) return asked
  if (isRefusal(answer)) return answer
  const { filter = asked.filter, qos = asked.qos } = answer
  return { ...asked, filter, qos }
}
