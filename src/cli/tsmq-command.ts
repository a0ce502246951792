// The command tsmq: arguments and configuration in, a running broker until a signal, exit status out.

import { AccessError } from '../broker/access-control.js'
import { ListenError } from '../broker/listeners.js'
import { parseCommandLine, UsageError } from '../options/command-line.js'
import { defaultConfig, readConfFile } from '../options/conf-file.js'
import type { Config } from '../options/config.js'
import { helpText } from '../options/help-text.js'
import { type TsmqValues, tsmqOptions } from '../options/tsmq-options.js'
import { runUntilSignal } from './broker-process.js'
import { foreground, startDaemon } from './daemon.js'
import { EXIT_STATUS } from './exit.js'
import { ProcessError } from './process-error.js'
import { packageVersion } from './version.js'

const help = {
  usage: ['tsmq [-c FILE] [-p PORT] [-d] [-v | -q]', 'tsmq -c FILE --test-config'],
  about:
    'An MQTT 3.1, 3.1.1 and 5.0 broker. Without a configuration file it listens on port 1883 of the loopback addresses and admits everybody.',
  table: tsmqOptions,
}

/** Shows lines to whoever started the command. */
type Show = (text: string) => void

const toStderr: Show = (text) => void process.stderr.write(text)

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
  let values: TsmqValues
  try {
    values = parseCommandLine(tsmqOptions, argv).values
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
  const front = foreground()
  if (values.daemon && !values.test_config && front === undefined) return startDaemon(argv, toStderr)
  const complain = complainTo(front?.show ?? toStderr)
  const status = await checkAndServe(values, complain, () => front?.release())
  await front?.told()
  return status
}

async function checkAndServe(values: TsmqValues, complain: Show, onRunning: () => void): Promise<number> {
  const config = readConfig(values)
  for (const { message } of config.warnings) complain(`warning: ${message}`)
  for (const { message } of config.problems) complain(message)
  if (config.problems.length > 0) return EXIT_STATUS.invalid
  if (values.test_config) {
    complain(`${values.config_file.join(', ')}: no problems found`)
    return EXIT_STATUS.ok
  }
  try {
    await runUntilSignal(config, values, { readConfig: () => readConfig(values), complain, onRunning })
    return EXIT_STATUS.ok
  } catch (error) {
    return failure(error, complain)
  }
}

function readConfig({ config_file: files, port: ports }: TsmqValues): Config {
  return files.length > 0 ? readConfFile(files, { ports }) : defaultConfig({ ports })
}

function failure(error: unknown, complain: Show): number {
  if (error instanceof AccessError) {
    complain(error.message)
    return error.errors.every(({ problems }) => problems.length > 0) ? EXIT_STATUS.invalid : EXIT_STATUS.unopenable
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
  const { port, bind_address: host, local_only: localOnly } = listener
  const at = `port ${port}${host === undefined ? '' : ` of ${host}`}`
  const flag = process.env.npm_lifecycle_event === 'start' ? 'npm start -- -p' : 'tsmq -p'
  const other = localOnly ? `, for instance with ${flag} ${port + 1}` : ' in the configuration file'
  if (code === 'EADDRINUSE') return `${at} is already in use; choose another${other}`
  if (code === 'EACCES') return `no permission to listen on ${at}; choose a port above 1023${other}`
  return `cannot listen on ${at}: ${message}`
}
