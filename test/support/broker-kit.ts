// A broker in this process for tests: on a free loopback port, configured by the text of a mosquitto.conf, with a clock that
// only moves when the test moves it, and a log that can be read.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Log } from '../../src/broker/admin/log.js'
import { Broker } from '../../src/broker/broker.js'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import { readConfFile } from '../../src/options/conf-file.js'
import type { Config } from '../../src/options/config.js'
import type { Store } from '../../src/store/store.js'
import { rememberPort, transportLine } from './transport.js'

export interface TestBroker {
  readonly port: number
  readonly broker: Broker
  /** Lines as logged, without time, all types. */
  readonly log: readonly string[]
  /** Of its clock, in ms since 1970. */
  readonly now: number
  /** Empties `log`. */
  forgetLog(): void
  /** Lets time pass: moves the clock in steps of half a second and has the broker look at it. */
  advance(seconds: number): void
  /** Writes another configuration and other files, and has the broker read them, as SIGHUP does. */
  reload(options: TestBrokerOptions): void
  stop(): Promise<void>
}

export interface TestBrokerOptions {
  /** Lines of the configuration behind `listener 0 127.0.0.1`. `allow_anonymous true` unless they say otherwise. */
  readonly conf?: string
  /** Files the configuration names, as `{folder}/name` in `conf`: name → content. */
  readonly files?: Readonly<Record<string, string>>
  /** False for a log without debug lines, for which every packet is looked at. */
  readonly debug?: boolean
  /** With `persistence true`: what is used as store, so that a second broker finds what the first has left. */
  readonly store?: Store
  /** Of the clock, in ms since 1970. */
  readonly startsAt?: number
  readonly plugins?: readonly Plugin[]
}

const START = 1_700_000_000_000

/** Starts a broker; stop it in `after` or `finally`. */
export async function startBroker({
  conf = '',
  files = {},
  debug = true,
  store,
  startsAt = START,
  plugins = [],
}: TestBrokerOptions = {}): Promise<TestBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-test-'))
  try {
    const config = writeConf(folder, { conf, files })
    if (config.problems.length > 0) throw new Error(config.problems.map(({ message }) => message).join('\n'))
    let now = startsAt
    const log: string[] = []
    const usual = ['error', 'warning', 'notice', 'information', 'subscribe', 'unsubscribe'] as const
    const types = debug ? (['debug', ...usual] as const) : usual
    const settings = { ...config, log_type: types, log_timestamp: false }
    const sink = (line: string) => void log.push(line)
    const broker = new Broker(config, {
      log: new Log(settings, [sink], () => ''),
      version: 'test',
      clock: () => now,
      plugins,
      ...(store && { openStore: () => Promise.resolve(store) }),
    })
    const [bound] = await broker.start()
    if (bound === undefined) throw new Error('nothing was bound')
    rememberPort(bound.port)
    return {
      port: bound.port,
      broker,
      log,
      get now() {
        return now
      },
      forgetLog: () => void log.splice(0),
      advance(seconds) {
        for (const end = now + seconds * 1000; now < end; ) {
          now = Math.min(end, now + 500)
          broker.tick()
        }
      },
      reload: (options) => void broker.reload(writeConf(folder, options)),
      async stop() {
        rmSync(folder, { recursive: true, force: true })
        await broker.stop()
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

function writeConf(folder: string, { conf = '', files = {} }: TestBrokerOptions): Config {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 })
  const anonymous = /^allow_anonymous /m.test(conf) ? '' : 'allow_anonymous true\n'
  const lines = `listener 0 127.0.0.1\n${transportLine()}${anonymous}${conf.replaceAll('{folder}', folder)}\n`
  writeFileSync(join(folder, 'tsmq.conf'), lines)
  return readConfFile(join(folder, 'tsmq.conf'))
}
