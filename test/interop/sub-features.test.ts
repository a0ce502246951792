// What only tsmq-sub can, against both brokers: tsmq and Debian's Mosquitto. Lines of shell, as a user types them.

import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Program } from '../support/program.js'
import { startTsmq } from '../support/tsmq-process.js'
import { pathOf, suite } from './programs.js'

const MOSQUITTO = pathOf('mosquitto')
/** ms for a line of shell, in which some programs start one after the other. */
const PATIENCE = 120_000
const LARGE = 100_000_000
/** By default tsmq takes no such message, as Mosquitto 2.1. */
const LIMITLESS = 'allow_anonymous true\nmax_packet_size 268435455'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Broker {
  readonly port: number
  stop(): Promise<unknown>
}

async function startMosquitto(): Promise<Broker> {
  const port = await freePort()
  const program = new Program(MOSQUITTO, ['-p', String(port), '-v'])
  await program.line(/mosquitto version \S+ running/)
  return { port, stop: () => program.stop() }
}

/** What is typed, what is shown, and the exit status. */
type Row = readonly [name: string, line: string, shown: string, status: number]

const rows: readonly Row[] = [
  ['--on-ready', "tsmq-sub -t r -C 1 -W 20 --on-ready 'tsmq-pub -t r -m ping'", 'ping\n', 0],
  [
    '--expect',
    'tsmq-sub -t e -W 20 --expect pong --on-ready \'printf "ping\\npong\\n" | tsmq-pub -t e -l\'',
    'ping\npong\n',
    0,
  ],
  ['--expect-none', 'tsmq-sub -t quiet --expect-none --idle 0.3', '', 0],
  [
    'a publish that the subscription does not match',
    "tsmq-sub -t m/1 --expect-none -W 2 --on-ready 'tsmq-pub -t m/2 -m x'",
    '',
    0,
  ],
  [
    '--remove-retained with -C and with --retained-only',
    [
      'for t in a b c; do tsmq-pub -r -q 1 -t kept/$t -m x; done',
      "tsmq-sub -t 'kept/#' --remove-retained -C 1 -N",
      "tsmq-sub -t 'kept/#' --remove-retained --retained-only -N",
      "tsmq-sub -t 'kept/#' --retained-only --idle 0.5 -v",
    ].join(' && '),
    'xxx',
    0,
  ],
  [
    '--record, and tsmq-pub --replay',
    [
      `tsmq-sub -V 5 -q 1 -t 'rec/#' -C 2 --record rec.ndjson -F %l --on-ready "printf '\\377\\0\\n' | tsmq-pub -q 1 -t rec/1 -s; tsmq-pub -q 1 -t rec/2 -m x -D publish content-type text"`,
      "tsmq-sub -V 5 -q 1 -t 'again/#' -C 2 -F '%t %x %C' --on-ready 'tsmq-pub -V 5 --replay rec.ndjson --speed max --map rec/=again/'",
    ].join(' && '),
    '3\n1\nagain/1 ff000a \nagain/2 78 text\n',
    0,
  ],
  [
    '--exec-ack: what failed comes again, in the next run of the session',
    [
      'tsmq-sub -i worker -c -q 1 -t jobs -E',
      "printf '0\\n5\\n0\\n' | tsmq-pub -q 1 -t jobs -l",
      "tsmq-sub -i worker -c -q 1 -t jobs --exec sh --exec-ack -c 'read s; echo run $s; exit $s'; echo $?",
      "tsmq-sub -i worker -c -q 1 -t jobs -C 2 --exec sh --exec-ack -c 'read s; echo again $s'",
      'tsmq-sub -i worker -c -q 1 -t jobs --idle 0.3 -v',
    ].join('; '),
    'run 0\nrun 5\n5\nagain 5\nagain 0\n',
    0,
  ],
  [
    `${LARGE} bytes through tsmq-sub -N | tsmq-pub -s`,
    [
      `node -e "process.stdout.write(require('crypto').createHash('shake256',{outputLength:65536}).digest())" > seed`,
      `while [ $(wc -c < seed) -lt ${LARGE} ]; do cat seed seed > double; mv double seed; done; head -c ${LARGE} seed > large`,
      'tsmq-sub -W 60 -t large/out -N -C 1 --on-ready "tsmq-sub -W 60 -t large/in -N -C 1 --on-ready \'tsmq-pub -t large/in -f large\' | tsmq-pub -t large/out -s" | cmp - large',
    ].join(' && '),
    '',
    0,
  ],
]

function features(startBroker: () => Promise<Broker>): void {
  let broker: Broker
  let folder: string

  before(async () => {
    broker = await startBroker()
    folder = mkdtempSync(join(tmpdir(), 'tsmq-features-'))
    for (const name of ['tsmq-pub', 'tsmq-sub']) {
      const file = join(folder, name)
      const command = `'${process.execPath}' '${resolve('bin', name)}' -h 127.0.0.1 -p ${broker.port}`
      writeFileSync(file, `#!/bin/sh\nexec ${command} "$@"\n`)
      chmodSync(file, 0o755)
    }
  })
  after(async () => {
    await broker.stop()
    rmSync(folder, { recursive: true })
  })

  for (const [name, line, shown, expected] of rows)
    test(name, async () => {
      const env = { PATH: `${folder}${delimiter}${process.env.PATH}` }
      const shell = new Program('sh', ['-c', line], { cwd: folder, env, input: '' })
      const { status, stdout } = await shell.end(PATIENCE)
      assert.deepEqual([stdout, status], [shown, expected])
    })
}

describe('tsmq-sub against tsmq', () => features(() => startTsmq({ conf: LIMITLESS })))
describe(...suite('tsmq-sub against mosquitto', [MOSQUITTO]), () => features(startMosquitto))
