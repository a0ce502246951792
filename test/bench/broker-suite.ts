// `npm run bench`: starts each broker in turn for each scenario, drives it from a separate process, and prints what that measured.
// It asserts nothing: a floor that is not held is printed as BELOW.
import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { type Broker, CORES, type Command, type ExtraSettings, findBrokers, pinned, startBroker } from './brokers.js'
import { GUARD } from './guard.js'
import { peakResidentBytes, residentBytes, runSeconds, stolenSeconds } from './process-usage.js'
import { type JudgedRun, judge, PLAIN, type Run, tableHead, tableRows } from './report.js'
import { type ListenerKind, LOGIN_STORM_CLIENTS, type Measures, SCENARIOS, type Scenario } from './scenarios.js'
import { selfSigned } from './self-signed.js'
import { stormPasswordFile } from './storm-users.js'

const HELP = `npm run bench -- [options]
  --only NAMES       scenarios, comma separated: ${SCENARIOS.map(({ name }) => name).join(' ')}
  --brokers NAMES    brokers, comma separated; default: all that are found of tsmq, mosquitto, aedes
  --also NAME=CMD    one more broker; {port} in the command is replaced (may be repeated)
  --seconds N        measured time per run after two seconds of warm-up (2)
  --rounds N         runs of each broker in each scenario, in turn; the best counts (3). One during which a virtual
                     machine's host took more than 5 % of a core away is repeated, twice at most
  --generator FILE   a program to use as load generator, with the arguments of test/bench/load.ts
  --guarded          tsmq with an ACL file of 1,000 rules, a password file of 10,000 users and the log that is usual
  --json             one JSON array instead of the table`

/** Time for a broker without clients to settle before it is watched, and for how long at least. */
const SETTLE_MS = 2000
const IDLE_SECONDS = 5
/** Above this share of a core the generator may be what was measured. */
const GENERATOR_BUSY = 0.95
/** Cores that other machines on the host may take in a run that counts, and how often one is repeated for more. */
const MOST_STOLEN = 0.05
const MOST_REPEATS = 2
/** Beyond its measured time, how long a generator may take before it is stopped and the run counts as failed. */
const GENERATOR_MS = 120_000
/** Many connections live long: without room for them the generator's time goes into collecting garbage. */
const GENERATOR_FLAGS = ['--max-semi-space-size=64']
const MIB = 1_048_576
const NO_EXTRA: ExtraSettings = { lines: [], files: {} }
const run = promisify(execFile)

interface Settings {
  readonly seconds: number
  readonly rounds: number
  readonly generator: string | undefined
  /** Whether tsmq has rules and users to look at. */
  readonly isGuarded: boolean
}

/** Runs the suite with the words of the command line; throws an `Error` for one it does not know. */
export async function runBrokerSuite(words: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: 'string' },
      brokers: { type: 'string' },
      also: { type: 'string', multiple: true },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      generator: { type: 'string' },
      guarded: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const scenarios = choose('scenario', SCENARIOS, values.only)
  const brokers = choose('broker', findBrokers(values.also ?? []), values.brokers)
  const settings = {
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    generator: values.generator,
    isGuarded: values.guarded,
  }
  if (!(settings.seconds > 0)) throw new Error(`--seconds ${values.seconds}: expected a number above 0`)
  if (!(settings.rounds >= 1)) throw new Error(`--rounds ${values.rounds}: expected a number of at least 1`)

  if (!values.json) console.log(tableHead())
  const all: JudgedRun[] = []
  for (const scenario of scenarios) {
    const judged = judge(scenario, await measureAll(scenario, brokers, settings))
    all.push(...judged)
    if (!values.json && judged.length > 0) console.log(tableRows(scenario, judged))
  }
  if (values.json) console.log(JSON.stringify(all, null, 2))
}

/**
 * The best run of each broker. They take turns, so that what else the machine does, or stops doing, is the same for all; what it
 * takes away is noise, and none of it makes anybody faster.
 */
async function measureAll(scenario: Scenario, brokers: readonly Broker[], settings: Settings): Promise<Run[]> {
  const contestants = brokers.filter((broker) => applies(scenario, broker)).map((broker) => ({ broker, scenario }))
  const plain = brokers.find(({ name }) => name === 'tsmq')
  if (scenario.plainLines !== undefined && plain !== undefined)
    contestants.push({
      broker: { ...plain, name: PLAIN },
      scenario: { ...scenario, lines: scenario.plainLines },
    })
  const best = new Map<string, Run>()
  for (let round = 0; round < settings.rounds; round++)
    for (const { broker, scenario: own } of contestants) {
      const run = await measureUndisturbed(own, broker, settings)
      const former = best.get(broker.name)
      if (former === undefined || isBetter(run, former, scenario.compares)) best.set(broker.name, run)
    }
  return [...best.values()]
}

/** A run during which the host took part of the machine away is repeated; of all of them the least disturbed counts. */
async function measureUndisturbed(scenario: Scenario, broker: Broker, settings: Settings): Promise<Run> {
  let run = await measure(scenario, broker, settings)
  for (let again = 0; again < MOST_REPEATS && stolenCpu(run) > MOST_STOLEN; again++) {
    const next = await measure(scenario, broker, settings)
    if (stolenCpu(next) < stolenCpu(run)) run = next
  }
  if (stolenCpu(run) <= MOST_STOLEN) return run
  const { note } = run.measures
  const disturbed = `host took ${(stolenCpu(run) * 100).toFixed(0)} % of a core`
  return { ...run, measures: { ...run.measures, note: note === undefined ? disturbed : `${note}, ${disturbed}` } }
}

function stolenCpu({ measures }: Run): number {
  return measures.stolenCpu ?? 0
}

function isBetter(run: Run, former: Run, measure: Scenario['compares']): boolean {
  const value = run.measures[measure]
  const before = former.measures[measure]
  if (value === undefined || before === undefined) return before === undefined
  return measure === 'rate' ? value > before : value < before
}

/** The rows named in `list`, in its order; all without one. */
function choose<Row extends { readonly name: string }>(
  kind: string,
  rows: readonly Row[],
  list: string | undefined,
): readonly Row[] {
  if (list === undefined) return rows
  return list.split(',').map((name) => {
    const row = rows.find((candidate) => candidate.name === name)
    if (!row) throw new Error(`no ${kind} ${name}: there is ${rows.map((candidate) => candidate.name).join(', ')}`)
    return row
  })
}

/** Only tsmq reads bcrypt password files; another kind of listener is a matter of the configuration file. */
function applies(scenario: Scenario, broker: Broker): boolean {
  if (scenario.listener !== undefined || scenario.lines !== undefined) return broker.readsConf
  return scenario.program !== 'login-storm' || broker.name === 'tsmq'
}

async function measure(scenario: Scenario, broker: Broker, settings: Settings): Promise<Run> {
  // Password checks run on threads of their own: pinned with the broker to one core they would only compete with it.
  const isStorm = scenario.program === 'login-storm'
  const core = isStorm ? undefined : CORES.broker
  try {
    const own = isStorm ? stormSettings() : ownSettings(scenario)
    const isGuarded = settings.isGuarded && !isStorm && broker.name === 'tsmq'
    const running = await startBroker(broker, core, isGuarded ? both(own, GUARD) : own)
    try {
      const [stolen, startedAt] = [stolenSeconds(), performance.now()]
      const measures =
        scenario.program === 'nothing'
          ? await watchIdle(running.pid, settings.seconds)
          : await drive(scenario, settings, running.port, running.pid)
      const stolenCpu = ((stolenSeconds() - stolen) * 1000) / (performance.now() - startedAt)
      return {
        broker: broker.name,
        measures: { peakMiB: peakResidentBytes(running.pid) / MIB, ...measures, stolenCpu },
      }
    } finally {
      await running.stop()
    }
  } catch (error) {
    return { broker: broker.name, measures: {}, failure: lastLine(error) }
  }
}

function stormSettings(): ExtraSettings {
  return {
    lines: ['password_file {folder}/passwords'],
    files: { passwords: stormPasswordFile(LOGIN_STORM_CLIENTS) },
  }
}

function both(one: ExtraSettings, other: ExtraSettings): ExtraSettings {
  return { lines: [...one.lines, ...other.lines], files: { ...one.files, ...other.files } }
}

function ownSettings({ listener, lines = [] }: Scenario): ExtraSettings {
  const settings = listenerSettings(listener)
  return { ...settings, lines: [...settings.lines, ...lines] }
}

function listenerSettings(listener: ListenerKind | undefined): ExtraSettings {
  if (listener === undefined) return NO_EXTRA
  // Mosquitto 2.0 does not start with WebSocket listeners only.
  const webSocket = ['protocol websockets', 'listener {other-port} 127.0.0.1']
  if (listener === 'websockets') return { lines: webSocket, files: {} }
  const { cert, key } = selfSigned()
  return {
    lines: ['certfile {folder}/server.crt', 'keyfile {folder}/server.key', ...(listener === 'tls' ? [] : webSocket)],
    files: { 'server.crt': cert, 'server.key': key },
  }
}

async function watchIdle(pid: number, seconds: number): Promise<Measures> {
  await delay(SETTLE_MS)
  const watched = Math.max(seconds, IDLE_SECONDS)
  const before = runSeconds(pid)
  await delay(watched * 1000)
  const cpuPercent = ((runSeconds(pid) - before) / watched) * 100
  return { cpuPercent, peakMiB: residentBytes(pid) / MIB, note: `${cpuPercent.toFixed(2)} % CPU` }
}

async function drive(scenario: Scenario, settings: Settings, port: number, pid: number): Promise<Measures> {
  const isExternal = scenario.program === 'load' && settings.generator !== undefined
  const program: Command = isExternal
    ? [settings.generator ?? '']
    : [process.execPath, ...GENERATOR_FLAGS, fileURLToPath(new URL(`${scenario.program}.js`, import.meta.url))]
  const given = ['-p', String(port), '-b', String(pid), '-d', String(settings.seconds)]
  const core = scenario.program === 'login-storm' ? undefined : CORES.generator
  const [file, ...args] = pinned([...program, ...given, ...scenario.args.split(' ')], core)
  const { stdout } = await run(file, args, { timeout: GENERATOR_MS + settings.seconds * 1000 })
  return measuresOf(JSON.parse(stdout))
}

/** What any of the generators may print. */
interface Printed {
  readonly out_s?: number
  readonly connect_s?: number
  readonly acks_s?: number
  readonly logins_s?: number
  readonly cpu_us_per_msg?: number
  readonly broker_cpu_us_per_connect?: number
  readonly kb_per_conn?: number
  readonly generator_cpu?: number
  readonly stalls?: number
  readonly refused?: number
  readonly flood_s?: number
  readonly reader_disconnected?: boolean
  readonly lat_us?: { readonly p50: number; readonly p99: number }
}

function measuresOf(printed: Printed): Measures {
  const notes: string[] = []
  if (printed.kb_per_conn !== undefined) notes.push(`${printed.kb_per_conn.toFixed(1)} KiB per client`)
  if (printed.flood_s !== undefined) notes.push(`flood ${printed.flood_s.toLocaleString('en-US')}/s`)
  if (printed.reader_disconnected) notes.push('reader disconnected')
  if (printed.stalls) notes.push(`${printed.stalls} stalls`)
  if (printed.refused) notes.push(`${printed.refused} refused`)
  const isSpinning = printed.lat_us !== undefined
  if (!isSpinning && (printed.generator_cpu ?? 0) > GENERATOR_BUSY) notes.push('generator busy')
  return withoutUndefined({
    rate: printed.out_s ?? printed.connect_s ?? printed.acks_s ?? printed.logins_s,
    cpuMicros: printed.cpu_us_per_msg ?? printed.broker_cpu_us_per_connect,
    clientKiB: printed.kb_per_conn,
    generatorCpu: printed.generator_cpu,
    p50: printed.lat_us?.p50,
    p99: printed.lat_us?.p99,
    note: notes.join(', ') || undefined,
  })
}

function withoutUndefined(measures: { [Name in keyof Measures]: Measures[Name] | undefined }): Measures {
  return Object.fromEntries(Object.entries(measures).filter(([, value]) => value !== undefined))
}

/** A failed generator's own message is the last line it wrote before the stack trace's end. */
function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /^Error: (.*)$/m.exec(text)?.[1] ?? text.split('\n')[0] ?? text
}
