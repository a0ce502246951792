// TABLE of the `$SYS` topics and their publication: retained, QoS 2, when a value has changed, at whole multiples of sys_interval.

import { localMessage } from '../../session/message.js'
import type { BrokerContext } from '../context.js'

/** Names of numbers that `SysTopics` gathers. */
type Measure = keyof ReturnType<typeof measures>

interface SysTopicRow {
  /** Behind `$SYS/broker/`. */
  readonly topic: string
  readonly measure: Measure
}

// biome-ignore format: one row a line
const sysTopics: readonly SysTopicRow[] = [
  { topic: 'clients/total', measure: 'sessions' },
  { topic: 'clients/maximum', measure: 'sessionsMaximum' },
  { topic: 'clients/connected', measure: 'connections' },
  { topic: 'clients/active', measure: 'connections' },
  { topic: 'clients/disconnected', measure: 'disconnected' },
  { topic: 'clients/inactive', measure: 'disconnected' },
  { topic: 'clients/expired', measure: 'clientsExpired' },
  { topic: 'messages/received', measure: 'packetsReceived' },
  { topic: 'messages/sent', measure: 'packetsSent' },
  { topic: 'subscriptions/count', measure: 'subscriptions' },
  { topic: 'shared_subscriptions/count', measure: 'sharedSubscriptions' },
  { topic: 'retained messages/count', measure: 'retained' },
  { topic: 'publish/bytes/received', measure: 'publishBytesReceived' },
  { topic: 'publish/bytes/sent', measure: 'publishBytesSent' },
  { topic: 'publish/messages/received', measure: 'publishesReceived' },
  { topic: 'publish/messages/sent', measure: 'publishesSent' },
  { topic: 'publish/messages/dropped', measure: 'publishesDropped' },
  { topic: 'connections/socket/count', measure: 'socketsAccepted' },
]

function measures({ sessions, router, statistics }: BrokerContext, connections: number) {
  return {
    ...statistics,
    sessions: sessions.count,
    sessionsMaximum: statistics.clientsMaximum,
    connections,
    disconnected: Math.max(0, sessions.count - connections),
    subscriptions: router.subscriptions.count,
    sharedSubscriptions: router.subscriptions.sharedSubscriptionCount,
    retained: router.retained.count,
  }
}

export class SysTopics {
  private readonly context: BrokerContext
  private readonly startedAt: number
  private readonly sent = new Map<string, string>()
  private next = 0

  constructor(context: BrokerContext, now: number) {
    this.context = context
    this.startedAt = now
  }

  /** Publishes when an interval of the wall clock is over. */
  tick(now: number, connections: number): void {
    const { sys_interval: interval } = this.context.config
    if (interval === 0 || now < this.next) return
    this.publish(connections)
  }

  /** The interval may be another: the next look at the time publishes. */
  reloaded(): void {
    this.next = 0
  }

  /** Publishes every value that differs from the one sent last. */
  publish(connections: number): void {
    const { config, clock } = this.context
    const now = clock()
    if (config.sys_interval === 0) return
    const step = config.sys_interval * 1000
    this.next = (Math.floor(now / step) + 1) * step
    this.send('version', `tsmq version ${this.context.version}`)
    this.send('uptime', `${Math.floor((now - this.startedAt) / 1000)} seconds`)
    const values = measures(this.context, connections)
    for (const { topic, measure } of sysTopics) this.send(topic, String(values[measure]))
  }

  private send(topic: string, value: string): void {
    if (this.sent.get(topic) === value) return
    this.sent.set(topic, value)
    this.context.router.publish(localMessage(`$SYS/broker/${topic}`, Buffer.from(value), 2, true))
  }
}
