// Publishers and subscribers in one process: a closed loop with a window of outstanding deliveries, or an open loop at a given
// rate with latencies. Counts what the broker delivers in the measured time. Idle clients are idle-load.ts's.
import { Latencies, type Percentiles } from './latencies.js'
import { LoadConnection } from './load-connection.js'
import type { LoadOptions } from './load-options.js'
import { cpuSeconds, residentBytes } from './process-usage.js'
import { type PublishFrame, publishFrame } from './wire.js'

const WARM_UP_MS = 2000
const CHECK_MS = 300
/**
 * Messages that one of several publishers writes at a time. With as few as 4 the generator's system calls are what limits the rate of
 * a broker that is quick.
 */
const BURST = 16
const FILTERS_PER_CONNECTION = 1000
/** Copies of a small QoS 0 frame that are written by reference are cut from a block of about this size. */
const REPEATED_BYTES = 65_536

/** What was measured; `_s` is per second, `cpu` in cores used by the broker. */
export interface MessageLoadResult {
  readonly in_s: number
  readonly out_s: number
  readonly cpu: number
  /** Broker CPU microseconds per message received or sent by it. */
  readonly cpu_us_per_msg: number
  readonly peak_rss_mb: number
  /** Times the window was reset because nothing arrived any more: the broker dropped messages. */
  readonly stalls: number
  /** Cores used by this process: near 1, the generator is what was measured. */
  readonly generator_cpu: number
  readonly lat_us?: Percentiles
}

interface Publisher {
  readonly connection: LoadConnection
  readonly frame: PublishFrame
  /** Bytes of the frame on the wire. */
  readonly framedSize: number
  /** QoS 0: the frame many times over, as on the wire. */
  readonly repeated: Buffer
  packetId: number
  inFlight: number
  /** By packet identifier: when it was sent, where latencies of acknowledgements are measured. */
  readonly sentAt: Float64Array
  /** QoS 0 publishes of this turn that are not written yet. */
  pending: number
}

/** Wildcard filters that match no topic published here. */
function idleFilter(index: number): string {
  if (index % 3 === 0) return `other/${index}/+/x`
  return index % 3 === 1 ? `bench/${index}/w/+` : `+/none${index}/#`
}

export class MessageLoad {
  private readonly options: LoadOptions
  private readonly deliveriesPerPublish: number
  private readonly burst: number
  private readonly connections: LoadConnection[] = []
  private readonly publishers: Publisher[] = []
  private readonly latencies = new Latencies()
  private sent = 0
  private received = 0
  private outstanding = 0
  private next = 0
  private startedAt = 0
  private published = 0
  private isTurnScheduled = false
  private isRunning = true

  constructor(options: LoadOptions) {
    this.options = options
    const { fanAll, subscribers, topics, publishers } = options
    this.deliveriesPerPublish = Math.max(1, fanAll ? subscribers : Math.floor(subscribers / topics))
    this.burst = publishers === 1 ? 32 : BURST
  }

  /** Connects, warms up, measures, disconnects. */
  async run(): Promise<MessageLoadResult> {
    await this.connect()
    this.startedAt = performance.now()
    this.scheduleTurn()
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
    const result = await this.measure()
    this.isRunning = false
    for (const connection of this.connections) connection.close()
    return result
  }

  private async connect(): Promise<void> {
    const { port, publishers, subscribers, topics, wildcards, fanAll, qos, size, away } = this.options
    const afterRead = (): void => this.scheduleTurn()
    for (let i = 0; i < away * topics; i++) {
      const sleeper = await LoadConnection.open(port, { clientId: `d${i}-${process.pid}`, cleanSession: false })
      await sleeper.subscribe([`bench/${i}/v`], qos)
      sleeper.close()
    }
    for (let i = 0; i < subscribers; i++) {
      const connection = await this.open(`s${i}-${process.pid}`, port)
      await connection.subscribe([fanAll ? 'bench/#' : `bench/${i % topics}/v`], qos)
      connection.start({ onFrame: this.subscriberFrames(connection), afterRead })
    }
    for (let i = 0; i < publishers; i++) {
      const connection = await this.open(`p${i}-${process.pid}`, port)
      const frame = publishFrame(`bench/${i % topics}/v`, qos, size)
      const framed = connection.framed(frame.bytes)
      const copies = Math.max(1, Math.floor(REPEATED_BYTES / framed.length))
      const repeated = Buffer.concat(Array.from({ length: copies }, () => framed))
      const sentAt = new Float64Array(away > 0 ? 65_536 : 0)
      const counters = { packetId: 0, inFlight: 0, pending: 0 }
      const publisher = { connection, frame, framedSize: framed.length, repeated, sentAt, ...counters }
      this.publishers.push(publisher)
      connection.start({ onFrame: this.publisherFrames(publisher), afterRead })
    }
    for (let first = 0; first < wildcards; first += FILTERS_PER_CONNECTION) {
      const connection = await this.open(`w${first}-${process.pid}`, port)
      const count = Math.min(FILTERS_PER_CONNECTION, wildcards - first)
      await connection.subscribe(
        Array.from({ length: count }, (_, i) => idleFilter(first + i)),
        0,
      )
      connection.start({ onFrame: () => undefined })
    }
  }

  private async open(clientId: string, port: number): Promise<LoadConnection> {
    const { tls, webSocket } = this.options
    const choice = { isTls: tls > 0, isWebSocket: webSocket > 0 }
    const connection = await LoadConnection.open(port, { clientId }, choice)
    this.connections.push(connection)
    return connection
  }

  /** QoS 0 without latencies only counts; the rest looks for the payload's time stamp and the packet identifier. */
  private subscriberFrames(connection: LoadConnection): (bytes: Buffer, start: number, body: number) => void {
    const { rate, size } = this.options
    const isTimed = rate > 0 && size >= 8
    return (bytes, start, body) => {
      const header = bytes[start] as number
      if (header >> 4 === 3) {
        this.received++
        this.outstanding--
        const qos = (header >> 1) & 3
        if (!isTimed && qos === 0) return
        let at = body + 2 + (((bytes[body] as number) << 8) | (bytes[body + 1] as number))
        if (qos > 0) {
          connection.appendAck(qos === 1 ? 0x40 : 0x50, bytes[at] as number, bytes[at + 1] as number)
          at += 2
        }
        if (isTimed) this.latencies.add(performance.now() - bytes.readDoubleLE(at))
      } else if (header >> 4 === 6) connection.appendAck(0x70, bytes[body] as number, bytes[body + 1] as number)
      else throw new Error(`a subscriber got a packet with header ${header}`)
    }
  }

  private publisherFrames(publisher: Publisher): (bytes: Buffer, start: number, body: number) => void {
    return (bytes, start, body) => {
      const type = (bytes[start] as number) >> 4
      if (type === 5) publisher.connection.appendAck(0x62, bytes[body] as number, bytes[body + 1] as number)
      else {
        publisher.inFlight--
        const sent = publisher.sentAt[((bytes[body] as number) << 8) | (bytes[body + 1] as number)]
        if (sent !== undefined) this.latencies.add(performance.now() - sent)
      }
    }
  }

  private scheduleTurn(): void {
    if (this.isTurnScheduled || !this.isRunning) return
    this.isTurnScheduled = true
    setImmediate(() => {
      this.isTurnScheduled = false
      this.turn()
    })
  }

  /** After all reads of one event-loop iteration: publish what is due, then one write per connection. */
  private turn(): void {
    const { rate, qos } = this.options
    if (rate > 0) {
      this.publishDue()
      this.scheduleTurn()
    } else if (qos > 0) this.fillWindowAcknowledged()
    else this.fillWindow()
    if (qos > 0 || rate > 0) for (const connection of this.connections) connection.flush()
  }

  private publishDue(): void {
    const due = Math.floor(((performance.now() - this.startedAt) * this.options.rate) / 1000)
    for (; this.published < due; this.published++) {
      const publisher = this.nextPublisher()
      if (this.options.size >= 8) publisher.frame.bytes.writeDoubleLE(performance.now(), publisher.frame.payloadAt)
      this.append(publisher)
    }
  }

  private fillWindow(): void {
    const { window } = this.options
    const step = this.deliveriesPerPublish
    const touched: Publisher[] = []
    while (this.outstanding < window) {
      const publisher = this.nextPublisher()
      if (publisher.pending === 0) touched.push(publisher)
      const count = Math.min(this.burst, Math.ceil((window - this.outstanding) / step))
      publisher.pending += count
      this.outstanding += count * step
      this.sent += count
    }
    for (const publisher of touched) {
      const { connection, repeated, framedSize } = publisher
      for (let left = publisher.pending * framedSize; left > 0; left -= repeated.length)
        connection.write(left >= repeated.length ? repeated : repeated.subarray(0, left))
      publisher.pending = 0
    }
  }

  private fillWindowAcknowledged(): void {
    const { window, inFlight } = this.options
    let blocked = 0
    while (this.outstanding < window && blocked < this.publishers.length) {
      const publisher = this.nextPublisher()
      const count = Math.min(this.burst, inFlight - publisher.inFlight)
      blocked = count > 0 ? 0 : blocked + 1
      for (let i = 0; i < count && this.outstanding < window; i++) this.append(publisher)
    }
  }

  private nextPublisher(): Publisher {
    const publisher = this.publishers[this.next] as Publisher
    this.next = (this.next + 1) % this.publishers.length
    return publisher
  }

  private append(publisher: Publisher): void {
    const { bytes, packetIdAt } = publisher.frame
    if (this.options.qos > 0) {
      publisher.packetId = (publisher.packetId % 65_535) + 1
      bytes.writeUInt16BE(publisher.packetId, packetIdAt)
      publisher.inFlight++
      if (this.options.away > 0) publisher.sentAt[publisher.packetId] = performance.now()
    }
    publisher.connection.append(bytes)
    this.outstanding += this.deliveriesPerPublish
    this.sent++
  }

  private async measure(): Promise<MessageLoadResult> {
    const { seconds, brokerPid, window, qos, rate, away } = this.options
    const sent = this.sent
    const received = this.received
    const brokerCpu = cpuSeconds(brokerPid)
    const ownCpu = process.cpuUsage()
    const startedAt = performance.now()
    this.latencies.clear()
    let peak = 0
    let stalls = 0
    let before = this.received
    const check = setInterval(() => {
      peak = Math.max(peak, residentBytes(brokerPid))
      if (this.received === before && this.outstanding >= window && qos === 0 && rate === 0) {
        stalls++
        this.outstanding = 0
        this.scheduleTurn()
      }
      before = this.received
    }, CHECK_MS)
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    clearInterval(check)
    const elapsed = (performance.now() - startedAt) / 1000
    const cpu = cpuSeconds(brokerPid) - brokerCpu
    const own = process.cpuUsage(ownCpu)
    const messages = this.received - received + this.sent - sent
    const lat_us = rate > 0 || away > 0 ? this.latencies.percentiles() : undefined
    return {
      in_s: (this.sent - sent) / elapsed,
      out_s: (this.received - received) / elapsed,
      cpu: cpu / elapsed,
      cpu_us_per_msg: messages > 0 ? (cpu * 1e6) / messages : 0,
      peak_rss_mb: peak / 1_048_576,
      stalls,
      generator_cpu: (own.user + own.system) / 1e6 / elapsed,
      ...(lat_us && { lat_us }),
    }
  }
}
