// TABLE of what the broker suite measures: the arguments of the generator, what the main number counts, and the floors tsmq must
// hold. Running them is broker-suite.ts's, printing report.ts's.

/** The numbers a scenario may give. */
export interface Measures {
  /** Per second, of what the scenario counts. */
  rate?: number
  /** Broker CPU microseconds per message in or out (per connect where connects are counted). */
  cpuMicros?: number
  /** Broker CPU in percent of a core. */
  cpuPercent?: number
  /** MiB: the most the broker ever had resident; without any load, what it has now. */
  peakMiB?: number
  /** Latencies in microseconds. */
  p50?: number
  p99?: number
  /** KiB of broker memory per connected client. */
  clientKiB?: number
  /** Cores the generator used. */
  generatorCpu?: number
  /** Cores that other machines on the host took from this one meanwhile. */
  stolenCpu?: number
  /** Anything worth saying about the run. */
  note?: string
}

/** A bound on one measure: as a multiple of Mosquitto's or of tsmq's with `plainLines` in the same run, or absolute. */
export interface Floor {
  readonly measure: Exclude<keyof Measures, 'note'>
  readonly atLeast?: number
  readonly atMost?: number
  readonly against: 'mosquitto' | 'plain' | 'fixed'
}

export type ListenerKind = 'tls' | 'websockets' | 'websockets over tls'

/** One row. */
export interface Scenario {
  readonly name: string
  readonly title: string
  /** What `rate` counts. */
  readonly counts: string
  /** Which generator drives it; nothing: the broker is left alone. */
  readonly program: 'load' | 'flood' | 'login-storm' | 'nothing'
  /** For the generator, without port, pid and seconds. */
  readonly args: string
  /** What the listener speaks, where it is not plain MQTT over TCP. */
  readonly listener?: ListenerKind
  /** Added to the configuration of brokers that read one. */
  readonly lines?: readonly string[]
  /** tsmq runs once more with these instead. */
  readonly plainLines?: readonly string[]
  /** The measure whose ratio to Mosquitto's is shown. */
  readonly compares: Exclude<keyof Measures, 'note'>
  readonly floors: readonly Floor[]
}

const timesMosquitto = (atLeast: number): readonly Floor[] => [{ measure: 'rate', atLeast, against: 'mosquitto' }]
const throughput = { counts: 'deliveries', program: 'load', compares: 'rate' } as const

export const LOGIN_STORM_CLIENTS = 200

export const SCENARIOS: readonly Scenario[] = [
  { ...throughput, name: '1-1', title: 'QoS 0, 1 → 1', args: '-P1 -S1 -w 10000', floors: timesMosquitto(10) },
  { ...throughput, name: '1-100', title: 'QoS 0, 1 → 100', args: '-P1 -S100 -w 20000', floors: timesMosquitto(25) },
  {
    ...throughput,
    name: '100-1',
    title: 'QoS 0, 100 → 1',
    args: '-P100 -S1 -F -k100 -w 2000',
    floors: timesMosquitto(6),
  },
  {
    ...throughput,
    name: 'pairs',
    title: 'QoS 0, 50 pairs',
    args: '-P50 -S50 -k50 -w 5000',
    floors: timesMosquitto(6),
  },
  {
    ...throughput,
    name: 'wildcards',
    title: 'same + 20,000 subscriptions',
    args: '-P50 -S50 -k50 -w 5000 -W 20000',
    floors: timesMosquitto(5),
  },
  {
    ...throughput,
    name: 'qos1',
    title: 'QoS 1, 50 pairs',
    args: '-P50 -S50 -k50 -w 5000 -q1',
    floors: timesMosquitto(5),
  },
  {
    ...throughput,
    name: 'qos2',
    title: 'QoS 2, 50 pairs',
    args: '-P50 -S50 -k50 -w 5000 -q2',
    floors: timesMosquitto(6),
  },
  {
    ...throughput,
    name: 'durable',
    title: 'QoS 1, 50 pairs, 50 away, disk',
    args: '-P50 -S50 -k50 -w 5000 -q1 -O',
    lines: ['max_queued_messages 0', 'persistence true', 'persistence_location {folder}/'],
    plainLines: ['max_queued_messages 0'],
    floors: [...timesMosquitto(1), { measure: 'rate', atLeast: 0.5, against: 'plain' }],
  },
  { ...throughput, name: '4k', title: 'QoS 0, 4 KiB', args: '-P1 -S1 -s 4096 -w 500', floors: timesMosquitto(2.5) },
  { ...throughput, name: '64k', title: 'QoS 0, 64 KiB', args: '-P1 -S1 -s 65536 -w 50', floors: timesMosquitto(1) },
  { ...throughput, name: '1m', title: 'QoS 0, 1 MiB', args: '-P1 -S1 -s 1048576 -w 8', floors: timesMosquitto(1) },
  {
    ...throughput,
    name: 'tls',
    title: '50 pairs, TLS 1.3',
    args: '-P50 -S50 -k50 -w 5000 -T',
    listener: 'tls',
    floors: timesMosquitto(2),
  },
  {
    ...throughput,
    name: 'ws',
    title: '50 pairs, WebSocket',
    args: '-P50 -S50 -k50 -w 5000 -X',
    listener: 'websockets',
    floors: timesMosquitto(2),
  },
  {
    ...throughput,
    name: 'ws4k',
    title: 'same, 4 KiB',
    args: '-P50 -S50 -k50 -w 500 -s 4096 -X',
    listener: 'websockets',
    floors: [],
  },
  {
    ...throughput,
    name: 'wss',
    title: '50 pairs, WebSocket over TLS',
    args: '-P50 -S50 -k50 -w 5000 -T -X',
    listener: 'websockets over tls',
    floors: [],
  },
  {
    ...throughput,
    name: 'latency',
    title: 'latency at 2,000 msg/s',
    args: '-P10 -S10 -k10 -r 2000',
    compares: 'p50',
    floors: [{ measure: 'p50', atMost: 1.5, against: 'mosquitto' }],
  },
  {
    name: 'clients',
    title: '10,000 idle clients',
    counts: 'connects',
    program: 'load',
    args: '-C 10000',
    compares: 'rate',
    floors: [
      { measure: 'rate', atLeast: 6000, against: 'fixed' },
      { measure: 'clientKiB', atMost: 12, against: 'fixed' },
    ],
  },
  {
    name: 'idle',
    title: 'no clients at all',
    counts: '',
    program: 'nothing',
    args: '',
    compares: 'peakMiB',
    floors: [
      { measure: 'peakMiB', atMost: 75, against: 'fixed' },
      { measure: 'cpuPercent', atMost: 0.2, against: 'fixed' },
    ],
  },
  {
    name: 'flood',
    title: 'QoS 1 beside a QoS 0 flood',
    counts: 'acks',
    program: 'flood',
    args: '-s 1024',
    compares: 'rate',
    floors: [],
  },
  {
    name: 'bcrypt',
    title: 'a pair, 200 bcrypt logins',
    counts: 'logins',
    program: 'login-storm',
    args: `-C ${LOGIN_STORM_CLIENTS} -r 200`,
    compares: 'p99',
    floors: [{ measure: 'p99', atMost: 20_000, against: 'fixed' }],
  },
]
