// The life of the broker's process: log, sockets, the user it becomes, pid file, signals, the end. What its failures mean for the
// exit status is decided by the command.

import { Broker } from '../broker/broker.js'
import type { BoundListener } from '../broker/listeners.js'
import type { Config } from '../options/config.js'
import type { TsmqValues } from '../options/tsmq-options.js'
import { packageVersion } from '../version.js'
import { BrokerLog } from './broker-log.js'
import { EXIT_STATUS, exitAtOnce } from './exit.js'
import { KeyLogFile } from './key-log.js'
import { logPainters } from './log-painters.js'
import { OwnFile } from './own-file.js'
import { paced } from './paced.js'
import { ProcessError } from './process-error.js'
import { become, planIdentity } from './process-identity.js'
import { readyReport } from './ready-report.js'
import { onRealTimeSignal } from './real-time-signal.js'
import { looseFiles } from './secret-files.js'
import { ServiceManager } from './service-manager.js'

/** ms that belong to clients between two reloads. */
const RELOAD_PAUSE = 500

/** ms that a start has which is to be broken off. */
const START_GRACE = 1000

/** The way the process hears and speaks. */
export interface ProcessParts {
  /** Reads the configuration again. */
  readConfig(): Config
  /** Tells what went wrong with something the broker can do without. */
  complain(text: string): void
  onRunning(bound: readonly BoundListener[]): void
}

/**
 * Runs a broker until a signal ends it.
 * @throws ListenError, AccessError, ProcessError when it cannot start
 */
export async function runUntilSignal(
  config: Config,
  values: TsmqValues,
  { readConfig, complain, onRunning }: ProcessParts,
): Promise<void> {
  applyUmask()
  const plan = planIdentity(config.user, !config.positions.has('user'))
  let broker: Broker | undefined
  const outlets = {
    painters: await logPainters(process),
    publish: (topic: string, line: string) => broker?.publishLog(topic, line),
    onFailure: complain,
  }
  const brokerLog = new BrokerLog(config, outlets, values)
  const { log } = brokerLog
  const version = packageVersion()
  const { config_file: files } = values
  const readyFile = values.ready_file === undefined ? undefined : new OwnFile(values.ready_file, '--ready-file')
  readyFile?.clear()
  const pidFile = config.pid_file === undefined ? undefined : new OwnFile(config.pid_file, 'pid_file')
  const keyLogFile = values.tls_keylog
  const keyLog = keyLogFile === undefined ? undefined : new KeyLogFile(keyLogFile, (text) => log.error(text))
  log.info(`tsmq version ${version} starting`)
  log.info(files.length > 0 ? `Config loaded from ${files.join(', ')}.` : 'Using default config.')
  if (keyLogFile !== undefined)
    log.warning(`Keys are written to ${keyLogFile}: whoever has them can read what TLS connections carry.`)
  let isClosed = true
  try {
    const running = new Broker(config, { log, version, keyLog: keyLog?.write })
    broker = running
    const warnOfLooseFiles = (inForce: Config) => {
      for (const { message } of looseFiles(inForce)) log.warning(`Warning: ${message}`)
    }
    const onBound = (bound: readonly BoundListener[]) => {
      warnOfLooseFiles(config)
      if (plan.identity !== undefined) {
        for (const file of [pidFile, readyFile]) file?.reserve(plan.identity)
        become(
          plan.identity,
          bound.filter(({ family }) => family === 'unix').map(({ address }) => address),
        )
        log.info(`Running as user ${plan.identity.name ?? plan.identity.uid}.`)
      }
      for (const warning of plan.warnings) log.warning(warning)
      brokerLog.reopen()
      pidFile?.write(String(process.pid))
    }
    const reload = paced(() => {
      log.info('Reloading config.')
      const inForce = running.reload(readConfig())
      brokerLog.reopen(inForce)
      warnOfLooseFiles(inForce)
    }, RELOAD_PAUSE)
    const onceRunning = (action: () => void) => () => void started.then(action, () => {})
    const stopped = untilSignal({
      SIGHUP: onceRunning(reload),
      SIGUSR1: onceRunning(() =>
        log.info(running.save() ? 'Saving the store.' : 'There is no persistence: nothing to save.'),
      ),
      SIGUSR2: onceRunning(() => process.stdout.write(running.describe())),
    })
    onRealTimeSignal(() => brokerLog.reopen())
    const started = running.start(onBound)
    const bound = await Promise.race([started, stopped.then(() => unlessLate(started))])
    // A thread may wait for the store.
    if (bound === undefined) isClosed = !config.persistence
    else {
      log.info(`tsmq version ${version} running`)
      if (config.listeners[0]?.local_only === true && bound[0] !== undefined) adviseLocal(log, bound[0].port)
      const manager = new ServiceManager(process.env, (message) => log.warning(message))
      manager.ready()
      brokerLog.flush()
      readyFile?.write(`${JSON.stringify(readyReport(bound))}\n`)
      onRunning(bound)
      await stopped
      const told = manager.stopping()
      isClosed = await running.stop()
      await told
    }
    log.info(`tsmq version ${version} terminating`)
  } finally {
    readyFile?.remove()
    keyLog?.close()
    pidFile?.remove()
    brokerLog.close()
  }
  if (!isClosed) exitAtOnce(EXIT_STATUS.ok)
}

/** Undefined when a start does not come to its end soon. */
function unlessLate<T>(started: Promise<T>): Promise<T | undefined> {
  return Promise.race([
    started,
    new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), START_GRACE)
    }),
  ])
}

/** UMASK_SET is for the files that are not for their owner alone anyway. */
function applyUmask(): void {
  const { UMASK_SET: text } = process.env
  if (text === undefined) return
  if (!/^0?[0-7]{3}$/.test(text))
    throw new ProcessError('invalid', `UMASK_SET must be three octal digits, not '${text}'`)
  process.umask(Number.parseInt(text, 8))
}

/** Says how to reach a broker that nobody configured, in the words of whoever started it. */
function adviseLocal(log: BrokerLog['log'], port: number): void {
  const folder = process.env.npm_lifecycle_event === 'start' ? 'bin/' : ''
  const flag = port === 1883 ? '' : ` -p ${port}`
  log.warning(
    'Local only: clients on this machine are admitted without a password. A listener in a file given with -c changes that.',
  )
  log.info(`Try in a second terminal:  ${folder}tsmq-sub${flag} -v -t '#'`)
  log.info(`and in a third:            ${folder}tsmq-pub${flag} -t greeting -m hello`)
}

/** Has the other signals handled until SIGINT or SIGTERM comes; those are not fatal afterwards, because the end is under way. */
function untilSignal(others: Readonly<Record<'SIGHUP' | 'SIGUSR1' | 'SIGUSR2', () => void>>): Promise<void> {
  process.on('SIGHUP', others.SIGHUP)
  process.on('SIGUSR1', others.SIGUSR1)
  process.on('SIGUSR2', others.SIGUSR2)
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve())
  })
}
