// Many clients that connect and then do nothing: how fast a broker accepts them and what each costs it.
import net, { type AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { IdleClient } from './idle-client.js'
import type { LoadOptions } from './load-options.js'
import { cpuSeconds, residentBytes } from './process-usage.js'
import { connectFrame } from './wire.js'

/** Handshakes under way at once. */
const CONCURRENT = 128
/** Connections to a stand-in for a broker before the clock starts: cold, this process would be slower than what it measures. */
const WARM_UP = 6000
/** Keeps the warm-up within the file descriptors the measurement needs anyway. */
const WARM_UP_ROUND = 500

export interface IdleLoadResult {
  readonly idle: number
  /** Connects per second. */
  readonly connect_s: number
  readonly broker_cpu_us_per_connect: number
  readonly rss0_mb: number
  readonly rss_mb: number
  readonly kb_per_conn: number
  readonly generator_cpu: number
}

/** Opens `options.idle` connections, waits a second, and looks at the broker. */
export async function runIdleLoad(options: LoadOptions): Promise<IdleLoadResult> {
  const { idle, port, brokerPid } = options
  await warmUp()
  const packets = connectPackets(idle)
  const memory = residentBytes(brokerPid)
  const cpu = cpuSeconds(brokerPid)
  const ownCpu = process.cpuUsage()
  const startedAt = performance.now()
  const clients = await openClients(port, packets)
  const elapsed = (performance.now() - startedAt) / 1000
  const own = process.cpuUsage(ownCpu)
  await delay(1000)
  const grown = residentBytes(brokerPid) - memory
  const result = {
    idle,
    connect_s: idle / elapsed,
    broker_cpu_us_per_connect: ((cpuSeconds(brokerPid) - cpu) * 1e6) / idle,
    rss0_mb: memory / 1_048_576,
    rss_mb: (memory + grown) / 1_048_576,
    kb_per_conn: grown / 1024 / idle,
    generator_cpu: (own.user + own.system) / 1e6 / elapsed,
  }
  for (const client of clients) client.close()
  return result
}

/** Rejects with what became of the first that was not accepted. */
function openClients(port: number, packets: readonly Buffer[]): Promise<IdleClient[]> {
  const clients: IdleClient[] = []
  let accepted = 0
  return new Promise((resolve, reject) => {
    const openNext = (): void => {
      const packet = packets[clients.length]
      if (packet !== undefined) clients.push(new IdleClient(port, packet, onOpened))
    }
    const onOpened = (failure?: string): void => {
      if (failure !== undefined) reject(new Error(failure))
      else if (++accepted === packets.length) resolve(clients)
      else openNext()
    }
    for (let i = 0; i < CONCURRENT; i++) openNext()
  })
}

function connectPackets(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => connectFrame(`idle${index}`))
}

async function warmUp(): Promise<void> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, 0])))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const packets = connectPackets(WARM_UP_ROUND)
  for (let done = 0; done < WARM_UP; done += WARM_UP_ROUND)
    for (const client of await openClients(port, packets)) client.close()
  server.close()
}
