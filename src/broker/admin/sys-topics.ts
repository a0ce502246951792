// TABLE of the `$SYS` topics and their publication: retained, QoS 2, when a value has changed, at whole multiples of sys_interval.

import { PacketType, packetTypes } from '../../protocol/packet-types.js'
import { localMessage } from '../../session/message.js'
import type { Sessions } from '../clients/sessions.js'
import type { BrokerContext } from '../context.js'
import { LoadAverages } from './load-averages.js'
import type { Traffic } from './statistics.js'

/** Names of numbers that `measures` gathers. */
type Measure = keyof ReturnType<typeof measures>

interface SysTopicRow {
  /** Behind `$SYS/broker/`. */
  readonly topic: string
  readonly measure: Measure
}

// biome-ignore format: one row a line
const sysTopics: readonly SysTopicRow[] = [
  { topic: 'clients/total', measure: 'sessions' },
  { topic: 'clients/maximum', measure: 'clientsMaximum' },
  { topic: 'clients/connected', measure: 'connections' },
  { topic: 'clients/active', measure: 'connections' },
  { topic: 'clients/disconnected', measure: 'disconnected' },
  { topic: 'clients/inactive', measure: 'disconnected' },
  { topic: 'clients/expired', measure: 'clientsExpired' },
  { topic: 'messages/received', measure: 'packetsReceived' },
  { topic: 'messages/sent', measure: 'packetsSent' },
  { topic: 'messages/stored', measure: 'stored' },
  { topic: 'store/messages/count', measure: 'stored' },
  { topic: 'store/messages/bytes', measure: 'storedBytes' },
  { topic: 'subscriptions/count', measure: 'subscriptions' },
  { topic: 'shared_subscriptions/count', measure: 'sharedSubscriptions' },
  { topic: 'heap/current', measure: 'heap' },
  { topic: 'heap/maximum', measure: 'heapMaximum' },
  { topic: 'bytes/received', measure: 'bytesReceived' },
  { topic: 'bytes/sent', measure: 'bytesSent' },
  { topic: 'publish/bytes/received', measure: 'publishBytesReceived' },
  { topic: 'publish/bytes/sent', measure: 'publishBytesSent' },
  { topic: 'publish/messages/received', measure: 'publishesReceived' },
  { topic: 'publish/messages/sent', measure: 'publishesSent' },
  { topic: 'publish/messages/dropped', measure: 'publishesDropped' },
  { topic: 'packet/out/count', measure: 'pendingWrites' },
  { topic: 'packet/out/bytes', measure: 'pendingBytes' },
  { topic: 'connections/socket/count', measure: 'socketsAccepted' },
]

// biome-ignore format: one row a line
const loads: readonly SysTopicRow[] = [
  { topic: 'messages/received', measure: 'packetsReceived' },
  { topic: 'messages/sent', measure: 'packetsSent' },
  { topic: 'publish/dropped', measure: 'publishesDropped' },
  { topic: 'publish/received', measure: 'publishesReceived' },
  { topic: 'publish/sent', measure: 'publishesSent' },
  { topic: 'bytes/received', measure: 'bytesReceived' },
  { topic: 'bytes/sent', measure: 'bytesSent' },
  { topic: 'sockets', measure: 'socketsAccepted' },
  { topic: 'connections', measure: 'connectionsReceived' },
]

/** How many messages there are, this one included. */
const RETAINED = 'retained messages/count'

/** `mqtt/publish/received` and so on, in both directions: bridges are clients of other brokers. */
const packetCounts = packetTypes.flatMap(({ code, name }) =>
  (['received', 'sent'] as const).map((direction) => ({
    topic: `mqtt/${name.toLowerCase()}/${direction}`,
    direction,
    code,
  })),
)

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0)
}

function measures(
  { router, statistics }: BrokerContext,
  sessions: Sessions,
  connections: Iterable<Traffic>,
  peak: number,
) {
  const { received, sent, ...counters } = statistics
  const traffic = { connections: 0, pendingBytes: 0, pendingWrites: 0 }
  for (const { bytesReceived, bytesSent, pendingBytes, pendingWrites } of connections) {
    traffic.connections++
    counters.bytesReceived += bytesReceived
    counters.bytesSent += bytesSent
    traffic.pendingBytes += pendingBytes
    traffic.pendingWrites += pendingWrites
  }
  const store = { disconnected: 0, stored: router.retained.count, storedBytes: router.retained.bytes }
  for (const { isConnected, outbound } of sessions.values()) {
    if (!isConnected) store.disconnected++
    store.stored += outbound.queuedCount + outbound.inFlightCount
    store.storedBytes += outbound.queuedBytes + outbound.inFlightBytes
  }
  const { heapUsed, external } = process.memoryUsage()
  return {
    ...counters,
    ...traffic,
    ...store,
    packetsReceived: sum(received),
    packetsSent: sum(sent),
    publishesReceived: received[PacketType.PUBLISH] ?? 0,
    publishesSent: sent[PacketType.PUBLISH] ?? 0,
    sessions: sessions.count,
    subscriptions: router.subscriptions.count,
    sharedSubscriptions: router.subscriptions.sharedSubscriptionCount,
    heap: heapUsed + external,
    heapMaximum: Math.max(peak, heapUsed + external),
  }
}

export class SysTopics {
  private readonly context: BrokerContext
  private readonly sessions: Sessions
  private readonly connections: () => Iterable<Traffic>
  private readonly startedAt: number
  private readonly averages: LoadAverages
  private readonly sent = new Map<string, string>()
  private heapMaximum = 0
  private next = 0

  /** @param connections those that are open. */
  constructor(context: BrokerContext, sessions: Sessions, connections: () => Iterable<Traffic>, now: number) {
    this.context = context
    this.sessions = sessions
    this.connections = connections
    this.startedAt = now
    this.averages = new LoadAverages(now)
  }

  /** Publishes when an interval of the wall clock is over. */
  tick(now: number): void {
    const { sys_interval: interval } = this.context.config
    if (interval === 0 || now < this.next) return
    this.publish()
  }

  /** The interval may be another: the next look at the time publishes. */
  reloaded(): void {
    this.next = 0
  }

  /** Every number, by topic: without load averages, and what has two topics by the first of them. */
  numbers(): Readonly<Record<string, number>> {
    const values = measures(this.context, this.sessions, this.connections(), this.heapMaximum)
    const { clock, statistics } = this.context
    const first = sysTopics.filter((row, at) => sysTopics.findIndex(({ measure }) => measure === row.measure) === at)
    const entries = [
      ['uptime', Math.floor((clock() - this.startedAt) / 1000)] as const,
      ...first.map(({ topic, measure }) => [topic, values[measure]] as const),
      ...packetCounts.map(({ topic, direction, code }) => [topic, statistics[direction][code] ?? 0] as const),
      [RETAINED, this.context.router.retained.count] as const,
    ]
    return Object.fromEntries(entries.map(([topic, value]) => [`$SYS/broker/${topic}`, value]))
  }

  /** Publishes every value that differs from the one sent last. */
  publish(): void {
    const { config, clock, statistics, router } = this.context
    const now = clock()
    if (config.sys_interval === 0) return
    const step = config.sys_interval * 1000
    this.next = (Math.floor(now / step) + 1) * step
    this.send('version', `tsmq version ${this.context.version}`)
    this.send('uptime', `${Math.floor((now - this.startedAt) / 1000)} seconds`)
    const values = measures(this.context, this.sessions, this.connections(), this.heapMaximum)
    this.heapMaximum = values.heapMaximum
    for (const { topic, measure } of sysTopics) this.send(topic, String(values[measure]))
    // A copy: what is being published is being counted.
    const { received, sent } = { received: [...statistics.received], sent: [...statistics.sent] }
    for (const { topic, direction, code } of packetCounts)
      this.send(topic, String((direction === 'received' ? received : sent)[code]))
    const counters = new Map(loads.map(({ topic, measure }) => [`load/${topic}`, values[measure]]))
    for (const [topic, value] of this.averages.update(counters, now)) this.send(topic, value)
    this.send(RETAINED, String(router.retained.count + (this.sent.has(RETAINED) ? 0 : 1)))
  }

  private send(topic: string, value: string): void {
    if (this.sent.get(topic) === value) return
    this.sent.set(topic, value)
    this.context.router.publish(localMessage(`$SYS/broker/${topic}`, Buffer.from(value), 2, true))
  }
}
