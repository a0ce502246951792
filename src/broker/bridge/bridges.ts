// All bridges of a broker: starts them, exchanges those that a reload has changed, drives them by the broker's tick, and ends them
// (bridges.md section 9).

import { isDeepStrictEqual } from 'node:util'
import type { ClientMemory } from '../../client/link.js'
import { SharedReadBuffer } from '../../net/plain-socket.js'
import { readSendQueues } from '../../net/tcp-table.js'
import type { BridgeConfig } from '../../options/bridge-config.js'
import { defaultConfig } from '../../options/conf-file.js'
import { TopicTable } from '../../protocol/topic-table.js'
import type { Traffic } from '../admin/statistics.js'
import { BRIDGE_USER } from '../clients/session.js'
import type { Sessions } from '../clients/sessions.js'
import type { BrokerContext } from '../context.js'
import { OpenListener } from '../open-listener.js'
import { Bridge, type BridgeEnvironment, type BridgeFacts } from './bridge.js'
import { TickClock } from './tick-clock.js'
import { UserTimeouts } from './user-timeouts.js'

/** Topics that are recognised without being decoded again. */
const INTERNED_TOPICS = 4096

export class Bridges {
  private readonly context: BrokerContext
  private readonly sessions: Sessions
  private readonly clock: TickClock
  private readonly byName = new Map<string, Bridge>()
  private shared: BridgeEnvironment | undefined = undefined

  constructor(context: BrokerContext, sessions: Sessions) {
    this.context = context
    this.sessions = sessions
    this.clock = new TickClock(context.clock)
    context.neighbours.onGuest = () => {
      for (const bridge of this.byName.values()) bridge.introduce()
    }
  }

  /** What bridges share is made with the first of them. */
  private get environment(): BridgeEnvironment {
    this.shared ??= this.makeEnvironment()
    return this.shared
  }

  private makeEnvironment(): BridgeEnvironment {
    const { context, sessions, clock } = this
    const memory: ClientMemory = { ...context.memory, reads: new SharedReadBuffer() }
    const [plain] = defaultConfig().listeners
    if (plain === undefined) throw new Error('there is no default listener')
    const listener = new OpenListener(plain)
    // Nobody comes in there.
    listener.port = 0
    const topics = new TopicTable(INTERNED_TOPICS)
    const userTimeouts = new UserTimeouts(readSendQueues, context.clock, ({ message }) =>
      context.log.warning(`bridge_tcp_user_timeout has no effect as long as this lasts: ${message}`),
    )
    return { context, sessions, clock, userTimeouts, memory, topics, listener, random: Math.random }
  }

  /** Starts the bridges of the configuration. Before clients are served, so that nothing passes a bridge by. */
  start(): void {
    for (const config of this.context.config.bridges) this.begin(new Bridge(this.environment, config), 0)
    this.endOrphans()
  }

  /** Ends the sessions that bridges of an earlier configuration have left in the store. */
  private endOrphans(): void {
    const { reserved } = this.sessions
    for (const session of [...this.sessions.values()])
      if (session.username === BRIDGE_USER && !reserved.has(session.clientId)) this.sessions.end(session)
  }

  private begin(bridge: Bridge, after: number): void {
    this.byName.set(bridge.config.name, bridge)
    bridge.start(after)
  }

  /** Another configuration is in force: bridges come and go, and those that have changed do so when their reload type says. */
  reload(): void {
    const { bridges } = this.context.config
    const names = new Set(bridges.map(({ name }) => name))
    for (const [name, bridge] of this.byName)
      if (!names.has(name)) {
        this.byName.delete(name)
        bridge.stop(false, () => {})
      }
    for (const config of bridges) {
      const running = this.byName.get(config.name)
      if (running === undefined) this.begin(new Bridge(this.environment, config), 0)
      else if (isSame(running.config, config)) running.onPause = () => false
      else if (config.bridge_reload_type === 'immediate' || running.isResting) this.exchange(running, config, 0)
      else
        running.onPause = (delay) => {
          this.exchange(running, config, delay)
          return true
        }
    }
  }

  /** Has a bridge with another configuration take the place of `running`, with its session if that is the same. */
  private exchange(running: Bridge, config: BridgeConfig, after: number): void {
    const next = new Bridge(this.environment, config)
    this.byName.set(config.name, next)
    running.stop(running.sharesSession(next), () => {
      if (this.byName.get(config.name) === next) next.start(after)
    })
  }

  /** What there is to say about each, in the order of the configuration. */
  get facts(): readonly BridgeFacts[] {
    return [...this.byName.values()].map(({ facts }) => facts)
  }

  tick(now: number): void {
    this.clock.tick()
    this.shared?.userTimeouts.tick(now)
    for (const bridge of this.byName.values()) bridge.tick(now)
  }

  /** What their connections count. */
  *traffic(): IterableIterator<Traffic> {
    for (const { traffic } of this.byName.values()) if (traffic !== undefined) yield traffic
  }

  /** Says goodbye to every remote broker; what waits stays in the sessions. */
  async stop(): Promise<void> {
    const ends = [...this.byName.values()].map((bridge) => new Promise<void>((done) => bridge.stop(true, done)))
    await Promise.all(ends)
  }

  /** Drops every connection at once. */
  abort(): void {
    for (const bridge of this.byName.values()) bridge.abort()
  }
}

/** Whether two configurations differ in no more than the place where they stand. */
function isSame(a: BridgeConfig, b: BridgeConfig): boolean {
  return isDeepStrictEqual({ ...a, where: undefined }, { ...b, where: undefined })
}
