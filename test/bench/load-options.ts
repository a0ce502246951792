// The arguments of the load generator: one letter each, a value behind it or as the next word. They are the ones other
// generators for these scenarios take, so that one can stand in for another.

/** What to generate; see the table for the letters. */
export interface LoadOptions {
  port: number
  publishers: number
  subscribers: number
  /** Publisher and subscriber `j` use topic `bench/(j mod topics)/v`. */
  topics: number
  qos: number
  /** Payload bytes. */
  size: number
  /** Measured time, after two seconds of warm-up. */
  seconds: number
  /** Deliveries outstanding at most (closed loop). */
  window: number
  /** Other subscriptions, on other connections, that match nothing. */
  wildcards: number
  /** The broker's process, for its CPU and memory; 0 without. */
  brokerPid: number
  /** Publishes a second (open loop, with latencies); 0 for a closed loop. */
  rate: number
  /** Idle clients to connect instead of publishing. */
  idle: number
  /** 1: every subscriber subscribes to `bench/#`. */
  fanAll: number
  /** QoS 1 and 2 publishes in flight per publisher at most. */
  inFlight: number
  /** 1: each topic has a subscriber with a lasting session, too, that is away; latencies of acknowledgements are measured. */
  away: number
  /** 1: over TLS 1.3. */
  tls: number
  /** 1: over WebSocket, a packet in each frame. */
  webSocket: number
}

/** Without a number behind them. */
const FLAGS: ReadonlySet<keyof LoadOptions> = new Set(['fanAll', 'away', 'tls', 'webSocket'])

const LETTERS: Readonly<Record<string, keyof LoadOptions>> = {
  p: 'port',
  P: 'publishers',
  S: 'subscribers',
  k: 'topics',
  q: 'qos',
  s: 'size',
  d: 'seconds',
  w: 'window',
  W: 'wildcards',
  b: 'brokerPid',
  r: 'rate',
  C: 'idle',
  F: 'fanAll',
  i: 'inFlight',
  O: 'away',
  T: 'tls',
  X: 'webSocket',
}

/** Reads an argument list; throws an `Error` naming the first argument that is unknown or has no number. */
export function parseLoadOptions(args: readonly string[]): LoadOptions {
  const options: LoadOptions = {
    port: 1883,
    publishers: 1,
    subscribers: 1,
    topics: 1,
    qos: 0,
    size: 16,
    seconds: 5,
    window: 1000,
    wildcards: 0,
    brokerPid: 0,
    rate: 0,
    idle: 0,
    fanAll: 0,
    inFlight: 20,
    away: 0,
    tls: 0,
    webSocket: 0,
  }
  const words = [...args]
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const name = word.startsWith('-') ? LETTERS[word.charAt(1)] : undefined
    if (!name) throw new Error(`unknown argument ${word}`)
    const value = FLAGS.has(name) ? 1 : Number(word.slice(2) || words.shift())
    if (!Number.isFinite(value) || value < 0) throw new Error(`${word} needs a number`)
    options[name] = value
  }
  return options
}
