// The command suite (`npm run bench -- cli`): how long each command takes from its start to its end, beside `node -e 0`,
// mosquitto_pub and MQTT.js's `mqtt pub`; and how many lines a second tsmq-pub -l and tsmq-sub move, beside Mosquitto's clients.
// Everything is taken in turns, so that what else the machine does hits all alike.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { pathOf } from '../interop/programs.js'
import { type Command, findBrokers, startBroker } from './brokers.js'
import { cpuSeconds, peakResidentBytes } from './process-usage.js'
import { startStandIn } from './stand-in-broker.js'

const HELP = `npm run bench -- cli [options]

  --rounds N   how often each command is started, default 15
  --lines N    messages of the throughput rows, default 1000000; 0 leaves them out
`

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const MQTT_JS = join(ROOT, 'node_modules', '.bin', 'mqtt')
/** ms between two looks at a process's memory. */
const LOOK_EVERY = 20

/** What one run of a program took. */
interface Taken {
  readonly ms: number
  readonly cpuMs: number
  readonly peakBytes: number
}

interface Start {
  readonly name: string
  readonly command: Command
  /** Most times as long as `node -e 0`. */
  readonly goal?: number
  /** ms from the start that count; the whole run unless given. */
  readonly until?: (started: number) => number
}

interface Flow {
  readonly name: string
  readonly ours: Command
  readonly theirs: Command
  /** What is written to its standard input: a file. */
  readonly input: string
}

const own = (name: string, ...args: string[]): Command => [process.execPath, join(ROOT, 'bin', name), ...args]

/** Runs a program to its end; throws an `Error` when it fails. */
function run([file, ...args]: Command, input: string, output: string): Promise<Taken> {
  const files = [openSync(input, 'r'), openSync(output, 'w')]
  const started = performance.now()
  const child = spawn(file, args, { stdio: [...files, 'ignore'] })
  for (const each of files) closeSync(each)
  let cpu = 0
  let peakBytes = 0
  const look = setInterval(() => {
    cpu = cpuSeconds(child.pid ?? 0) || cpu
    peakBytes = peakResidentBytes(child.pid ?? 0) || peakBytes
  }, LOOK_EVERY)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (status) => {
      clearInterval(look)
      const ms = performance.now() - started
      if (status === 0) resolve({ ms, cpuMs: cpu * 1000, peakBytes })
      else reject(new Error(`${[file, ...args].join(' ')} ended with status ${status}`))
    })
  })
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

async function startUps(rounds: number, port: number, folder: string): Promise<void> {
  const standIn = await startStandIn({ count: 1, size: 1 })
  const at = (to: number): string[] => ['-h', '127.0.0.1', '-p', String(to)]
  const message = ['-t', 'a', '-m', 'b']
  const passwords = join(folder, 'passwords')
  writeFileSync(passwords, '', { mode: 0o600 })
  const confirmed = (started: number): number => standIn.confirmed - started
  const rows: readonly Start[] = [
    { name: 'node -e 0', command: [process.execPath, '-e', '0'] },
    { name: 'tsmq-pub -t a -m b', command: own('tsmq-pub', ...at(port), ...message), goal: 1.5 },
    // Without hashing: that of sha512 takes no time.
    { name: 'tsmq-passwd -b', command: own('tsmq-passwd', '-H', 'sha512', '-b', passwords, 'u', 'p'), goal: 1.4 },
    {
      name: 'tsmq-sub -C 1, to SUBACK',
      command: own('tsmq-sub', ...at(standIn.port), '-t', 'a', '-C', '1'),
      goal: 1.5,
      until: confirmed,
    },
    { name: 'tsmq-pub --help', command: own('tsmq-pub', '--help'), goal: 2.2 },
    { name: 'tsmq-sub --help', command: own('tsmq-sub', '--help'), goal: 2.2 },
    { name: 'mosquitto_pub -t a -m b', command: [pathOf('mosquitto_pub'), ...at(port), ...message] },
    { name: 'mqtt pub -t a -m b', command: [process.execPath, MQTT_JS, 'pub', ...at(port), ...message] },
  ]
  const there = rows.filter(({ command }) => command.every((word) => !word.startsWith('/') || existsSync(word)))
  const taken = new Map(there.map(({ name }): [string, number[]] => [name, []]))
  // The first start of each fills the caches, and does not count.
  for (let round = 0; round <= rounds; round++)
    for (const { name, command, until } of there) {
      const started = performance.now()
      const { ms } = await run(command, '/dev/null', '/dev/null')
      if (round > 0) taken.get(name)?.push(until?.(started) ?? ms)
    }
  standIn.stop()
  const bare = median(taken.get('node -e 0') ?? [])
  console.log(`start-up, median of ${rounds}        ms   × node -e 0`)
  for (const { name, goal } of there) {
    const ms = median(taken.get(name) ?? [])
    const ratio = ms / bare
    const verdict = goal === undefined ? '' : `  ${ratio <= goal ? 'held' : 'MISSED'}: at most ${goal}`
    console.log(`${name.padEnd(26)} ${ms.toFixed(0).padStart(8)} ${ratio.toFixed(2).padStart(11)}${verdict}`)
  }
}

/** Messages that a subscriber has got when `publish` is done and nothing more comes. */
async function arrivals(port: number, folder: string, publish: () => Promise<void>): Promise<number> {
  const [ready, output] = [join(folder, 'ready'), join(folder, 'arrived')]
  const sub = own('tsmq-sub', '-h', '127.0.0.1', '-p', String(port), '-t', 'x', '-N', '-F', '.', '--idle', '5')
  const subscriber = run([...sub, '--ready-file', ready], '/dev/null', output)
  while (!existsSync(ready)) await setTimeout(LOOK_EVERY)
  await publish()
  await subscriber
  return statSync(output).size
}

async function flows(lines: number, port: number, folder: string): Promise<void> {
  const input = join(folder, 'lines')
  writeFileSync(input, Array.from({ length: lines }, (_, at) => `${at + 1}\n`).join(''))
  const standIn = await startStandIn({ count: lines, size: 16 })
  const pub = (qos: string): string[] => ['-h', '127.0.0.1', '-p', String(port), '-t', 'x', '-l', '-q', qos]
  const sub = ['-h', '127.0.0.1', '-p', String(standIn.port), '-t', '#', '-C', String(lines)]
  const rows: readonly Flow[] = [
    ...['0', '1'].map((qos) => ({
      name: `pub -l -q ${qos}`,
      ours: own('tsmq-pub', ...pub(qos)),
      theirs: [pathOf('mosquitto_pub'), ...pub(qos)] as const,
      input,
    })),
    ...[[], ['-v']].map((flags) => ({
      name: ['sub', ...flags, '> file'].join(' '),
      ours: own('tsmq-sub', ...sub, ...flags),
      theirs: [pathOf('mosquitto_sub'), ...sub, ...flags] as const,
      input: '/dev/null',
    })),
  ]
  console.log(`\n${lines} lines              messages/s  CPU µs each  peak MiB`)
  for (const row of rows) {
    const rates: number[] = []
    for (const side of ['ours', 'theirs'] as const) {
      const program = side === 'ours' ? 'tsmq' : 'mosquitto'
      const output = join(folder, 'out')
      if (!existsSync(row[side][0])) continue
      const { ms, cpuMs, peakBytes } = await run(row[side], row.input, output)
      // mosquitto_pub -l ends with what it has not sent yet.
      const publish = async () => void (await run(row[side], row.input, output))
      const arrived = row.name.startsWith('pub') ? await arrivals(port, folder, publish) : lines
      const rate = (arrived / ms) * 1000
      rates.push(rate)
      const numbers = [
        Math.round(rate).toString().padStart(11),
        ((cpuMs * 1000) / lines).toFixed(2).padStart(12),
        (peakBytes / 1_048_576).toFixed(0).padStart(9),
      ]
      const size = statSync(output).size
      const written = row.name.startsWith('sub') ? `  ${size} bytes` : ''
      const lost = arrived < lines ? `  ${arrived} of ${lines} arrived` : ''
      console.log(`${program.padEnd(9)} ${row.name.padEnd(14)} ${numbers.join(' ')}${written}${lost}`)
    }
    const [ours, theirs] = rates
    if (ours !== undefined && theirs !== undefined)
      console.log(`${' '.repeat(25)}${(ours / theirs).toFixed(2)} × mosquitto: ${ours >= theirs ? 'held' : 'MISSED'}`)
  }
  standIn.stop()
}

/** Runs the suite as its arguments say. Throws an `Error` for what cannot be run. */
export async function runCliSuite(words: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...words],
    options: { rounds: { type: 'string' }, lines: { type: 'string' }, help: { type: 'boolean' } },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const { rounds = '15', lines = '1000000' } = values
  for (const number of [rounds, lines]) if (!/^\d+$/.test(number)) throw new Error(`'${number}' is not a whole number`)
  const [tsmq] = findBrokers([]).filter(({ name }) => name === 'tsmq')
  if (tsmq === undefined) throw new Error('tsmq is not built')
  const broker = await startBroker(tsmq, undefined, { lines: [], files: {} })
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-cli-bench-'))
  try {
    await startUps(Number(rounds), broker.port, folder)
    if (Number(lines) > 0) await flows(Number(lines), broker.port, folder)
  } finally {
    await broker.stop()
    rmSync(folder, { recursive: true })
  }
}
