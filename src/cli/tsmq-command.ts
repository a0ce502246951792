// The command tsmq: arguments and configuration in, a running broker until a signal, exit status out.

import { AccessError } from '../broker/access-control.js'
import type { Log } from '../broker/admin/log.js'
import { Broker, ListenError } from '../broker/broker.js'
import { parseCommandLine, UsageError } from '../options/command-line.js'
import { defaultConfig, readConfFile } from '../options/conf-file.js'
import type { Config } from '../options/config.js'
import { helpText } from '../options/help-text.js'
import { type TsmqValues, tsmqOptions } from '../options/tsmq-options.js'
import { BrokerLog } from './broker-log.js'
import { EXIT_STATUS } from './exit.js'
import { logPainters } from './log-painters.js'
import { onRealTimeSignal } from './real-time-signal.js'
import { packageVersion } from './version.js'

const help = {
  usage: ['tsmq [-c FILE] [-p PORT] [-v | -q]', 'tsmq -c FILE --test-config'],
  about:
    'An MQTT 3.1, 3.1.1 and 5.0 broker. Without a configuration file it listens on port 1883 of the loopback addresses and admits everybody.',
  table: tsmqOptions,
}

function complain(text: string): void {
  for (const line of text.split('\n')) process.stderr.write(`tsmq: ${line}\n`)
}

/** Runs the command and returns its exit status (broker-options: 0 stopped, 1 cannot listen, 3 invalid, 13 unreadable file). */
export async function runBroker(argv: readonly string[]): Promise<number> {
  let values: TsmqValues
  try {
    values = parseCommandLine(tsmqOptions, argv).values
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    complain(error.message)
    process.stderr.write("Try 'tsmq --help'.\n")
    return EXIT_STATUS.invalid
  }
  if (values.help || values.version) {
    process.stdout.write(values.help ? helpText(help, process.stdout.columns) : `tsmq version ${packageVersion()}\n`)
    return EXIT_STATUS.ok
  }
  const config = readConfig(values)
  for (const { message } of config.warnings) complain(`warning: ${message}`)
  for (const { message } of config.problems) complain(message)
  if (config.problems.length > 0) return EXIT_STATUS.invalid
  if (values.test_config) {
    complain(`${values.config_file.join(', ')}: no problems found`)
    return EXIT_STATUS.ok
  }
  return serve(config, values)
}

function readConfig({ config_file: files, port: ports }: TsmqValues): Config {
  return files.length > 0 ? readConfFile(files, { ports }) : defaultConfig({ ports })
}

async function serve(config: Config, values: TsmqValues): Promise<number> {
  let broker: Broker | undefined
  const outlets = {
    painters: await logPainters(process),
    publish: (topic: string, line: string) => broker?.publishLog(topic, line),
    onFailure: complain,
  }
  const brokerLog = new BrokerLog(config, outlets, values)
  const { log } = brokerLog
  const version = packageVersion()
  log.info(`tsmq version ${version} starting`)
  log.info(
    values.config_file.length > 0 ? `Config loaded from ${values.config_file.join(', ')}.` : 'Using default config.',
  )
  try {
    const running = new Broker(config, { log, version })
    broker = running
    brokerLog.reopen()
    const stopped = untilSignal(() => {
      log.info('Reloading config.')
      brokerLog.reopen(running.reload(readConfig(values)))
    })
    onRealTimeSignal(() => brokerLog.reopen())
    const bound = await broker.start()
    log.info(`tsmq version ${version} running`)
    if (config.listeners[0]?.local_only === true && bound[0] !== undefined) adviseLocal(log, bound[0].port)
    await stopped
    await broker.stop()
    log.info(`tsmq version ${version} terminating`)
    return EXIT_STATUS.ok
  } catch (error) {
    return failure(error)
  } finally {
    brokerLog.close()
  }
}

/** Says how to reach a broker that nobody configured, in the words of whoever started it. */
function adviseLocal(log: Log, port: number): void {
  const folder = process.env.npm_lifecycle_event === 'start' ? 'bin/' : ''
  const flag = port === 1883 ? '' : ` -p ${port}`
  log.warning(
    'Local only: clients on this machine are admitted without a password. A listener in a file given with -c changes that.',
  )
  log.info(`Try in a second terminal:  ${folder}tsmq-sub${flag} -v -t '#'`)
  log.info(`and in a third:            ${folder}tsmq-pub${flag} -t greeting -m hello`)
}

function untilSignal(reload: () => void): Promise<void> {
  process.on('SIGHUP', reload)
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}

function failure(error: unknown): number {
  if (error instanceof AccessError) {
    complain(error.message)
    return error.errors.every(({ problems }) => problems.length > 0) ? EXIT_STATUS.invalid : EXIT_STATUS.unopenable
  }
  if (error instanceof ListenError) {
    complain(listenFailure(error))
    return EXIT_STATUS.failure
  }
  throw error
}

function listenFailure({ listener, cause, message }: ListenError): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const { port, bind_address: host, local_only: localOnly } = listener
  const at = `port ${port}${host === undefined ? '' : ` of ${host}`}`
  const flag = process.env.npm_lifecycle_event === 'start' ? 'npm start -- -p' : 'tsmq -p'
  const other = localOnly ? `, for instance with ${flag} ${port + 1}` : ' in the configuration file'
  if (code === 'EADDRINUSE') return `${at} is already in use; choose another${other}`
  if (code === 'EACCES') return `no permission to listen on ${at}; choose a port above 1023${other}`
  return `cannot listen on ${at}: ${message}`
}
