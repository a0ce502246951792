// The command tsmq: arguments and configuration in, a running broker until a signal, exit status out.

import { AccessError } from '../broker/access-control.js'
import { bridgeProblems } from '../broker/bridge/bridge-names.js'
import { type BoundListener, ListenError } from '../broker/listeners.js'
import { PluginError } from '../broker/plugins/loaded-plugin.js'
import { parseCommandLine, UsageError } from '../options/command-line.js'
import { completionScript } from '../options/completion.js'
import { defaultConfig, readConfFile } from '../options/conf-file.js'
import { type Config, ConfigError } from '../options/config.js'
import { helpText } from '../options/help-text.js'
import { type TsmqValues, tsmqOptions } from '../options/tsmq-options.js'
import { StoreError } from '../store/store-error.js'
import { packageVersion } from '../version.js'
import { runUntilSignal } from './broker-process.js'
import { foreground, startDaemon } from './daemon.js'
import { EXIT_STATUS, exit } from './exit.js'
import { runWithBroker, supervisor } from './private-broker.js'
import { ProcessError } from './process-error.js'

const help = {
  usage: [
    'tsmq [-c FILE] [-p PORT] [-d] [-v | -q]',
    'tsmq --run [-c FILE] -- COMMAND',
    'tsmq -c FILE --test-config',
    'tsmq -c FILE --dump-store [--json]',
    'tsmq -c FILE --import-mosquitto-db FILE',
    'tsmq -c FILE --acl-check user=NAME,id=CLIENT read|write|subscribe TOPIC',
  ],
  about:
    'An MQTT 3.1, 3.1.1 and 5.0 broker. Without a configuration file it listens on port 1883 of the loopback addresses and admits everybody.',
  table: tsmqOptions,
}

/** Shows lines to whoever started the command. */
type Show = (text: string) => void

const toStderr: Show = (text) => void process.stderr.write(text)
const print: Show = (line) => void process.stdout.write(`${line}\n`)

function complainTo(show: Show): (text: string) => void {
  return (text) => {
    for (const line of text.split('\n')) show(`tsmq: ${line}\n`)
  }
}

/**
 * Runs the command and returns its exit status (broker-options: 0 stopped, 1 cannot listen, 3 invalid, 13 unreadable file, 14 the
 * system refuses).
 */
export async function runBroker(argv: readonly string[]): Promise<number> {
  const supervised = supervisor()
  let values: TsmqValues
  let command: readonly string[]
  try {
    const line = parseCommandLine(tsmqOptions, argv, { operands: 'behind --' })
    values = line.values
    command = line.operands
    checkUsage(values, command)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    complainTo(toStderr)(error.message)
    toStderr("Try 'tsmq --help'.\n")
    return EXIT_STATUS.invalid
  }
  if (values.help || values.version) {
    process.stdout.write(values.help ? helpText(help, process.stdout.columns) : `tsmq version ${packageVersion()}\n`)
    return EXIT_STATUS.ok
  }
  if (values.completion !== undefined) {
    process.stdout.write(completionScript(values.completion, 'tsmq', tsmqOptions))
    return EXIT_STATUS.ok
  }
  if (values.run && supervised === undefined) return runWithBroker(argv, command, complainTo(toStderr))
  const front = foreground()
  if (values.daemon && !isQuestion(values) && front === undefined) return startDaemon(argv, toStderr)
  const complain = complainTo(front?.show ?? toStderr)
  const onRunning = (bound: readonly BoundListener[]) => {
    supervised?.ready(bound)
    front?.release()
  }
  const status = await checkAndServe(values, complain, onRunning)
  await front?.told()
  return status
}

/** Whether something is to be told rather than run. */
function isQuestion(values: TsmqValues): boolean {
  const { test_config: test, acl_check: check, acl_test: table } = values
  return test || check !== undefined || table !== undefined || concernsStore(values)
}

function concernsStore({ dump_store: dump, import_mosquitto_db: file }: TsmqValues): boolean {
  return dump || file !== undefined
}

/** What the table of flags cannot say. Throws UsageError. */
function checkUsage({ run, help, version, ...values }: TsmqValues, command: readonly string[]): void {
  if (help || version) return
  if (run && command.length === 0) throw new UsageError('--run needs -- and a command behind it')
  if (!run && command.length > 0) throw new UsageError('-- and a command are for --run')
  if (values.json && !values.test_config && !values.dump_store)
    throw new UsageError('--json needs --test-config or --dump-store too')
  if (values.listener !== undefined && values.acl_check === undefined && values.acl_test === undefined)
    throw new UsageError('--listener needs --acl-check or --acl-test too')
}

async function checkAndServe(
  values: TsmqValues,
  complain: Show,
  onRunning: (bound: readonly BoundListener[]) => void,
): Promise<number> {
  const config = readConfig(values)
  if (values.test_config) return testConfig(config, values, complain)
  for (const { message } of config.warnings) complain(`warning: ${message}`)
  for (const { message } of config.problems) complain(message)
  if (config.problems.length > 0) return EXIT_STATUS.invalid
  if (concernsStore(values)) return useStore(config, values, complain)
  if (isQuestion(values)) {
    const { askAcl } = await import('./acl-command.js')
    return askAcl(config, values, { print, complain })
  }
  try {
    // A private broker leaves the terminal to the command.
    const quiet = values.quiet || (values.run && !values.verbose && values.config_file.length === 0)
    await runUntilSignal(config, { ...values, quiet }, { readConfig: () => readConfig(values), complain, onRunning })
    return EXIT_STATUS.ok
  } catch (error) {
    return failure(error, complain)
  }
}

async function useStore(config: Config, values: TsmqValues, complain: Show): Promise<number> {
  const { dumpStore, importMosquittoDb } = await import('./store-command.js')
  const { import_mosquitto_db: file, json } = values
  const voices = { print, complain }
  // Whoever read it has seen enough.
  process.stdout.on('error', () => exit(EXIT_STATUS.failure))
  return file === undefined ? dumpStore(config, json, voices) : importMosquittoDb(config, file, voices)
}

async function testConfig(config: Config, values: TsmqValues, complain: Show): Promise<number> {
  const { checkConfig } = await import('./config-check.js')
  const { findingText, reportJson, summaryText } = await import('./config-report.js')
  const { all } = await checkConfig(config, values)
  const findings = values.strict ? all.map((each) => ({ ...each, severity: 'error' as const })) : all
  if (values.json) print(reportJson(config, findings))
  else {
    for (const finding of findings) toStderr(`${findingText(finding)}\n`)
    complain(summaryText(values.config_file, findings))
  }
  return findings.some(({ severity }) => severity === 'error') ? EXIT_STATUS.invalid : EXIT_STATUS.ok
}

function readConfig({ config_file: files, port, run, env }: TsmqValues): Config {
  // A private broker takes any free port.
  const ports = run && port.length === 0 ? [0] : port
  const config =
    files.length > 0 ? readConfFile(files, { ports, ...(env && { env: process.env }) }) : defaultConfig({ ports })
  const isPortIgnored = port.length > 0 && config.listeners.some((listener) => !listener.local_only)
  const ignored = new ConfigError(files.join(', '), 0, '-p', '-p has no effect, because a listener is opened here')
  return {
    ...config,
    problems: [...config.problems, ...bridgeProblems(config)],
    warnings: isPortIgnored ? [...config.warnings, ignored] : config.warnings,
  }
}

function failure(error: unknown, complain: Show): number {
  if (error instanceof AccessError) {
    complain(error.message)
    return error.errors.every(({ problems }) => problems.length > 0) ? EXIT_STATUS.invalid : EXIT_STATUS.unopenable
  }
  if (error instanceof StoreError) {
    complain(error.message)
    return EXIT_STATUS.failure
  }
  if (error instanceof PluginError) {
    complain(error.message)
    return EXIT_STATUS.unopenable
  }
  if (error instanceof ListenError) {
    complain(listenFailure(error))
    return EXIT_STATUS.failure
  }
  if (error instanceof ProcessError) {
    complain(error.message)
    return error.fault === 'invalid' ? EXIT_STATUS.invalid : EXIT_STATUS.system
  }
  throw error
}

function listenFailure({ listener, cause, message }: ListenError): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const { port, path, bind_address: host, local_only: localOnly } = listener
  // libuv has the same code for a folder that is missing as for one that is closed.
  if (path !== undefined)
    return code === 'EACCES'
      ? `cannot make the socket ${path}: no such folder, or no permission`
      : `cannot listen: ${message}`
  const at = `port ${port}${host === undefined ? '' : ` of ${host}`}`
  const flag = process.env.npm_lifecycle_event === 'start' ? 'npm start -- -p' : 'tsmq -p'
  const other = localOnly ? `, for instance with ${flag} ${port + 1}` : ' in the configuration file'
  if (code === 'EADDRINUSE') return `${at} is already in use; choose another${other}`
  if (code === 'EACCES') return `no permission to listen on ${at}; choose a port above 1023${other}`
  return `cannot listen on ${at}: ${message}`
}
