// All sessions by client id: opening, take-over, expiry, end. A take-over is one step: the old connection is detached before the
// new one is attached (MQTT 5.0 sections 3.1.4, 4.1).

import { ReasonCode } from '../../protocol/reason-codes.js'
import type { BrokerContext } from '../context.js'
import { rightsOf } from '../plugins/plugin-rights.js'
import { NEVER, Session, type SessionJournal, type SessionOwner } from './session.js'

/** What a CONNECT asks of the session. */
export interface SessionRequest extends SessionOwner {
  readonly cleanStart: boolean
  /** Seconds, `NEVER` for ever. */
  readonly expiryInterval: number
}

/** Who keeps sessions on disk. */
export interface SessionKeeper {
  /** Takes up a session that outlives its connection. */
  keep(session: Session): SessionJournal
}

export class Sessions {
  keeper: SessionKeeper | undefined = undefined
  /** Client ids of bridges: nobody else gets such a session, and it never expires. */
  readonly reserved = new Set<string>()
  private readonly byId = new Map<string, Session>() // [MQTT-3.1.3-2]
  private readonly expiring = new Set<Session>()
  private readonly context: () => BrokerContext
  private readonly onEnd: (session: Session) => void

  /** @param onEnd called when a session has ended, for its will. */
  constructor(context: () => BrokerContext, onEnd: (session: Session) => void) {
    this.context = context
    this.onEnd = onEnd
  }

  /** Sessions, connected or not. */
  get count(): number {
    return this.byId.size
  }

  values(): IterableIterator<Session> {
    return this.byId.values()
  }

  get(clientId: string): Session | undefined {
    return this.byId.get(clientId)
  }

  /**
   * The session for a CONNECT that was accepted, and whether it existed [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6]
   * [MQTT-3.1.4-4]. A connection it had is told that it was taken over [MQTT-3.1.4-3]. A session of another user, or below
   * another mount point, is never resumed.
   */
  open(request: SessionRequest): { readonly session: Session; readonly isPresent: boolean } {
    const context = this.context()
    const existing = this.byId.get(request.clientId)
    // A session without expiry ends with the connection that is taken over.
    const resumed =
      existing !== undefined &&
      !request.cleanStart &&
      existing.username === request.username &&
      existing.mountPoint === request.mountPoint &&
      existing.expiryInterval > 0
        ? existing
        : undefined
    existing?.client?.takenOver(resumed === undefined)
    if (existing !== undefined && resumed === undefined) this.end(existing)
    const session = resumed ?? new Session(context, request)
    session.listener = request.listener
    this.byId.set(request.clientId, session)
    this.expiring.delete(session)
    session.expiryInterval = request.expiryInterval
    session.expiresAt = NEVER
    this.keep(session)
    context.points.sessionPrepared?.(session.info, {
      isPresent: resumed !== undefined,
      expiryInterval: request.expiryInterval,
    })
    context.statistics.clientsMaximum = Math.max(context.statistics.clientsMaximum, this.byId.size)
    return { session, isPresent: resumed !== undefined }
  }

  /** What is on disk of a session follows from how long it lives. */
  private keep(session: Session): void {
    if (this.keeper === undefined) return
    if (session.expiryInterval > 0) session.durable ??= this.keeper.keep(session)
    else {
      session.durable?.end()
      session.durable = undefined
    }
    session.durable?.changed()
  }

  /** Takes back a session that was kept; its time runs. */
  restore(session: Session): void {
    this.byId.set(session.clientId, session)
    if (session.expiresAt !== NEVER) this.expiring.add(session)
  }

  /** The connection of a session is gone: its time begins to run, or ends at once [MQTT-3.1.2-23]. */
  detached(session: Session, now: number): void {
    session.detach()
    if (this.byId.get(session.clientId) !== session) return
    if (session.expiryInterval === 0) {
      this.end(session)
      return
    }
    if (session.expiryInterval !== NEVER) {
      session.expiresAt = now + session.expiryInterval * 1000
      this.expiring.add(session)
    }
    session.durable?.changed()
  }

  /**
   * Ends a session: its subscriptions go, and what it owed as member of a share goes to another member, except a QoS 2 message
   * that was begun [MQTT-4.8.2-5] (section 4.8.2).
   */
  end(session: Session): void {
    if (this.byId.get(session.clientId) !== session) return
    this.byId.delete(session.clientId)
    this.expiring.delete(session)
    const { router, clock, points } = this.context()
    const now = clock()
    for (const subscription of session.subscriptions.values()) router.subscriptions.remove(subscription)
    for (const { message, qos, packetId, share } of session.outbound.deliveries()) {
      const subscription = share === undefined ? undefined : session.subscriptions.get(share)
      if (subscription?.group === undefined || (qos === 2 && packetId > 0)) continue
      const group = router.subscriptions.group(subscription.filter, subscription.group)
      if (group !== undefined && message.expiresAt > now) router.deliverToGroup(message, group)
    }
    session.subscriptions.clear()
    session.durable?.end()
    this.onEnd(session)
    points.sessionDeleted?.(session.info)
  }

  /**
   * Other rules and limits are in force. A connected client that is left without any right has to go; it may come back, as any
   * client may that has none.
   */
  renew(now: number): void {
    const context = this.context()
    for (const session of [...this.byId.values()]) {
      const { rights: earlier, client, username, clientId, listener } = session
      const rights = rightsOf(context, listener, username, clientId)
      session.renew(rights, now)
      if (rights.grantsNothing && !earlier.grantsNothing)
        client?.disconnect(ReasonCode.ADMINISTRATIVE_ACTION, 'the client has no rights any more')
    }
  }

  /** `persistent_client_expiration` (seconds) holds for the sessions that exist, too. */
  boundExpiry(longest: number, now: number): void {
    for (const session of this.byId.values()) {
      if (this.reserved.has(session.clientId)) continue
      session.expiryInterval = Math.min(session.expiryInterval, longest)
      if (session.isConnected) continue
      session.expiresAt = Math.min(session.expiresAt, now + longest * 1000)
      this.expiring.add(session)
      session.durable?.changed()
    }
  }

  /** Ends the sessions whose time is over at `now` (ms) [MQTT-4.1.0-2]. */
  tick(now: number): void {
    for (const session of this.expiring) {
      if (session.expiresAt > now) continue
      const { log, statistics } = this.context()
      statistics.clientsExpired++
      log.notice(`Expiring client ${session.clientId} due to timeout.`)
      this.end(session)
    }
  }
}
