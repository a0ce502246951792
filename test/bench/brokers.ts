// The brokers that are compared: which are there, how each is started, and how it ends. All get the same settings: one listener
// on 127.0.0.1, anonymous clients, errors only in the log, defaults otherwise.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const START_MS = 15_000
const STOP_MS = 5_000

/** A program and its arguments. */
export type Command = readonly [file: string, ...args: string[]]

/** A broker that can be started. */
export interface Broker {
  readonly name: string
  /** The command line that listens on `port`; `confFile` holds mosquitto.conf lines that say the same. */
  readonly command: (port: number, confFile: string) => Command
  /** Whether it reads `confFile`, and with it the settings a scenario adds. */
  readonly readsConf: boolean
}

/** One that accepts connections. */
export interface RunningBroker {
  readonly pid: number
  readonly port: number
  readonly stop: () => Promise<void>
}

/** Settings a scenario adds: lines for the conf file, and files they name as `{folder}/name`; `{other-port}` is a free one. */
export interface ExtraSettings {
  readonly lines: readonly string[]
  readonly files: Readonly<Record<string, string>>
}

/** Core for the broker and core for the generator, where processes can be pinned. */
export const CORES = { broker: 0, generator: 1 } as const

const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-c', '0,1', 'true']).status === 0

/** The command pinned to a core, or as it is where that is not possible or not wanted. */
export function pinned(command: Command, core: number | undefined): Command {
  return canPin && core !== undefined ? ['taskset', '-c', String(core), ...command] : command
}

/** The brokers found here, plus those of `also`: `name=command with {port}`. Throws an `Error` for one that is malformed. */
export function findBrokers(also: readonly string[]): Broker[] {
  const found: Broker[] = []
  const launcher = join(ROOT, 'bin', 'tsmq')
  if (existsSync(join(ROOT, 'dist', 'tsmq.js')))
    found.push({ name: 'tsmq', readsConf: true, command: (_, conf) => [process.execPath, launcher, '-c', conf] })
  const mosquitto = findProgram('mosquitto')
  if (mosquitto) found.push({ name: 'mosquitto', readsConf: true, command: (_, conf) => [mosquitto, '-c', conf] })
  const aedes = fileURLToPath(new URL('aedes-broker.js', import.meta.url))
  if (existsSync(join(ROOT, 'node_modules', 'aedes')))
    found.push({ name: 'aedes', readsConf: false, command: (port) => [process.execPath, aedes, String(port)] })
  return [...found, ...also.map(brokerFromText)]
}

function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin']
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
}

function brokerFromText(text: string): Broker {
  const [name = '', command = ''] = text.split(/=(.*)/s)
  const [file, ...args] = command.split(' ').filter((word) => word !== '')
  if (name === '' || file === undefined) throw new Error(`--also ${text}: expected name=command with {port}`)
  return {
    name,
    readsConf: false,
    command: (port) => [file, ...args.map((word) => word.replaceAll('{port}', String(port)))],
  }
}

/** Starts `broker` on a free port, pinned unless `core` is undefined; throws an `Error` with its last words if it does not come up. */
export async function startBroker(
  broker: Broker,
  core: number | undefined,
  extra: ExtraSettings,
): Promise<RunningBroker> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-bench-'))
  const confFile = join(folder, 'bench.conf')
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'log_dest stderr']
  if (!extra.lines.some((line) => line.startsWith('log_type '))) lines.push('log_type error')
  // Started by root, Mosquitto would become a user who cannot read what is written here.
  if (process.getuid?.() === 0) lines.unshift('user root')
  const otherPort = String(await freePort())
  const extraLines = extra.lines.map((line) => line.replaceAll('{folder}', folder).replace('{other-port}', otherPort))
  writeFileSync(confFile, `${[...lines, ...extraLines].join('\n')}\n`)
  for (const [name, content] of Object.entries(extra.files)) writeFileSync(join(folder, name), content, { mode: 0o600 })

  const [file, ...args] = pinned(broker.command(port, confFile), core)
  // The same for tsmq.
  const env = { ...process.env, PUID: '0', PGID: '0' }
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-2000)))
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const stop = async (): Promise<void> => {
    await end(child)
    process.off('exit', killAtExit)
    rmSync(folder, { recursive: true, force: true })
  }
  const until = performance.now() + START_MS
  while (!(await accepts(port))) {
    if (!isAlive(child) || performance.now() > until) {
      await stop()
      throw new Error(`${broker.name} did not start: ${words.trim() || 'no message'}`)
    }
    await delay(20)
  }
  return { pid: child.pid ?? 0, port, stop }
}

function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

async function end(child: ChildProcess): Promise<void> {
  if (!isAlive(child)) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    const answer = (isOpen: boolean): void => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => answer(true)).once('error', () => answer(false))
  })
}
