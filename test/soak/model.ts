// What a broker owes its clients, as simply as it can be said: lists that are searched, no caches, no packets. The sequence fuzz
// compares a real broker with it. Written from the specification, and by Mosquitto's choice where that leaves one.

import type { Qos } from '../../src/protocol/packets/publish.js'
import type { RetainHandling } from '../../src/protocol/packets/subscribe.js'

export interface ModelMessage {
  readonly topic: string
  /** Different for each message; empty to clear a retained one. */
  readonly payload: string
  readonly qos: Qos
  readonly retain: boolean
  /** Client id. */
  readonly publisher: string
  /** ms */
  readonly expiresAt: number
}

export interface ModelSubscription {
  readonly text: string
  readonly qos: Qos
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: RetainHandling
  readonly identifier: number
}

/** What has to arrive at a client. Those of one `group` may arrive in any order. */
export interface Owed {
  readonly message: ModelMessage
  readonly group: number
  readonly qos: Qos
  readonly retain: boolean
  readonly identifier: number
}

export interface ModelWill {
  readonly message: Omit<ModelMessage, 'expiresAt'>
  /** Seconds. */
  readonly delay: number
}

export interface InFlight {
  readonly owed: Owed
  /** PUBREC has been sent. */
  isReleased: boolean
}

/** A share name with its filter, and who has to have got the message. */
export interface OwedShare {
  readonly members: readonly ModelSession[]
  readonly owed: Owed
}

export class ModelSession {
  readonly clientId: string
  readonly subscriptions = new Map<string, ModelSubscription>()
  /** QoS 1 and 2 that have not been sent. */
  waiting: Owed[] = []
  readonly inFlight = new Map<number, InFlight>()
  /** QoS 2 that this client has published and not released. */
  readonly open = new Set<number>()
  isConnected = false
  /** Seconds; Infinity for ever. */
  expiry = 0
  /** ms: when it ends, while its client is away. */
  endsAt = Number.POSITIVE_INFINITY
  /** Of the connection. */
  will: ModelWill | undefined = undefined
  /** Due at, in ms. */
  delayedWill: { readonly will: ModelWill; readonly due: number } | undefined = undefined
  /** QoS 0 that has to have arrived when everything has settled. */
  now: Owed[] = []

  constructor(clientId: string) {
    this.clientId = clientId
  }
}

export class Model {
  readonly sessions = new Map<string, ModelSession>()
  readonly retained = new Map<string, ModelMessage>()
  /** Shared messages of which one member each has to have got one. */
  shares: OwedShare[] = []
  /** ms */
  time = 0
  private groups = 0

  publish(message: ModelMessage): void {
    if (message.retain) {
      if (message.payload === '') this.retained.delete(message.topic)
      else this.retained.set(message.topic, message)
    }
    const group = ++this.groups
    const shares = new Map<string, ModelSession[]>()
    for (const session of this.sessions.values())
      for (const subscription of session.subscriptions.values()) {
        const { group: share, filter } = parts(subscription.text)
        if (!fits(filter.split('/'), message.topic.split('/'))) continue
        if (share === undefined) this.deliver(session, subscription, message, group)
        // Shared subscriptions are QoS 0 here: they are for those who are there.
        else if (session.isConnected) shares.set(subscription.text, [...(shares.get(subscription.text) ?? []), session])
      }
    for (const members of shares.values())
      this.shares.push({ members, owed: { message, group, qos: 0, retain: false, identifier: 0 } })
  }

  private deliver(session: ModelSession, subscription: ModelSubscription, message: ModelMessage, group: number): void {
    if (subscription.noLocal && message.publisher === session.clientId) return
    const retain = subscription.retainAsPublished && message.retain
    this.owe(session, subscription, message, group, retain)
  }

  private owe(
    session: ModelSession,
    { qos: granted, identifier }: ModelSubscription,
    message: ModelMessage,
    group: number,
    retain: boolean,
  ) {
    const qos = Math.min(granted, message.qos) as Qos
    const owed = { message, group, qos, retain, identifier }
    if (qos > 0) session.waiting.push(owed)
    else if (session.isConnected) session.now.push(owed)
  }

  /** Makes the subscriptions of one packet. */
  subscribe(session: ModelSession, subscriptions: readonly ModelSubscription[]): void {
    const group = ++this.groups
    const fresh = subscriptions.map((each) => {
      const isNew = !session.subscriptions.has(each.text)
      // It takes the place of the old one.
      session.subscriptions.set(each.text, each)
      return { each, isNew }
    })
    for (const { each, isNew } of fresh) {
      const { group: share, filter } = parts(each.text)
      if (share !== undefined || each.retainHandling === 2 || (each.retainHandling === 1 && !isNew)) continue
      for (const message of this.retained.values())
        if (message.expiresAt > this.time && fits(filter.split('/'), message.topic.split('/')))
          this.owe(session, each, message, group, true)
    }
  }

  /** A client has come. Returns its session and whether that was there before. */
  connect(clientId: string, cleanStart: boolean, expiry: number, will: ModelWill | undefined) {
    const old = this.sessions.get(clientId)
    if (old?.isConnected === true) this.takeOver(old, cleanStart)
    const kept = this.sessions.get(clientId)
    const isPresent = kept !== undefined && !cleanStart
    if (kept !== undefined && cleanStart) this.end(kept)
    const session = isPresent ? kept : new ModelSession(clientId)
    this.sessions.set(clientId, session)
    if (isPresent) session.delayedWill = undefined
    session.isConnected = true
    session.expiry = expiry
    session.endsAt = Number.POSITIVE_INFINITY
    session.will = will
    return { session, isPresent }
  }

  private takeOver(session: ModelSession, cleanStart: boolean): void {
    const resumes = !cleanStart && session.expiry > 0
    if (resumes && (session.will?.delay ?? 0) > 0) session.will = undefined
    this.gone(session, false)
  }

  /** The connection is over. */
  gone(session: ModelSession, saidGoodbye: boolean): void {
    const { will } = session
    session.isConnected = false
    session.now = []
    session.will = undefined
    if (!saidGoodbye && will !== undefined) {
      const delay = Math.min(will.delay, session.expiry)
      session.delayedWill = { will, due: this.time + delay * 1000 }
    }
    if (session.expiry > 0) session.endsAt = this.time + session.expiry * 1000
    this.look()
    if (session.expiry === 0) this.end(session)
  }

  private end(session: ModelSession): void {
    this.sessions.delete(session.clientId)
    this.publishWill(session)
  }

  private publishWill(session: ModelSession): void {
    const { delayedWill } = session
    session.delayedWill = undefined
    if (delayedWill !== undefined) this.publish({ ...delayedWill.will.message, expiresAt: Number.POSITIVE_INFINITY })
  }

  /** Does what is due. */
  look(): void {
    for (const session of [...this.sessions.values()]) {
      if (session.delayedWill !== undefined && session.delayedWill.due <= this.time) this.publishWill(session)
      if (session.endsAt <= this.time) this.end(session)
    }
  }
}

/** `$share/group/filter`, or a filter. */
export function parts(text: string): { readonly group: string | undefined; readonly filter: string } {
  const [first, group, ...rest] = text.split('/')
  return first === '$share' ? { group, filter: rest.join('/') } : { group: undefined, filter: text }
}

function fits(filter: readonly string[], topic: readonly string[]): boolean {
  const wildcard = filter[0] === '#' || filter[0] === '+'
  return !(wildcard && topic[0]?.startsWith('$') === true) && fitsFrom(filter, topic)
}

function fitsFrom([first, ...filter]: readonly string[], topic: readonly string[]): boolean {
  if (first === '#') return true
  if (first === undefined) return topic.length === 0
  const [level, ...rest] = topic
  return level !== undefined && (first === '+' || first === level) && fitsFrom(filter, rest)
}
