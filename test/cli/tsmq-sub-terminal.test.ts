// tsmq-sub on a real terminal, which `script` makes: what a person sees, Ctrl-C, and pipes on the other side.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { pathOf, suite } from '../interop/programs.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Program } from '../support/program.js'
import { RawClient } from '../support/raw-client.js'
import { until } from './client-tool.js'

const SCRIPT = pathOf('script')

let broker: TestBroker
let publisher: RawClient
let clients = 0

/** tsmq-sub with `args`, then `echo status` of it, on a terminal; `pipe` stands behind it. */
async function onTerminal(
  args: string,
  { env = {}, pipe = '' }: { readonly env?: Readonly<Record<string, string>>; readonly pipe?: string } = {},
): Promise<{ readonly program: Program; readonly topic: string }> {
  const topic = `tty/${++clients}`
  const address = `-h 127.0.0.1 -p ${broker.port} -i tty${clients}`
  // Ctrl-C goes to the shell too, and some shells end at once unless they have a trap.
  const line = `trap : INT; '${process.execPath}' bin/tsmq-sub ${address} -t '${topic}/#' ${args}${pipe}; echo "status $?"`
  const clean = { TERM: 'xterm', NO_COLOR: '', ...env }
  const program = new Program(SCRIPT, ['-qec', line, '/dev/null'], { env: clean })
  await until(() => broker.log.some((entry) => entry.endsWith(` ${topic}/#`)), 'the subscription')
  return { program, topic }
}

/** What the terminal shows before the status, without the spinner that there is when starting takes long. */
function shown(stdout: string): readonly string[] {
  return stdout.replace(/^.*(\x1b\[\?25h)/s, '').split('\r\n')
}

describe(...suite('tsmq-sub on a terminal', [SCRIPT]), () => {
  before(async () => {
    broker = await startBroker()
    publisher = (await RawClient.connect(broker.port, { clientId: 'publisher' })).client
  })
  after(async () => {
    publisher.disconnect()
    await broker.stop()
  })

  test('-v: topics are coloured by level, control characters escaped', async () => {
    const { program, topic } = await onTerminal('-v -C 1')
    publisher.publish({ topic: `${topic}/x`, payload: '\x1b]0;title\x07' })
    const [line, status] = shown((await program.end()).stdout)
    const level = (colour: number, text: string) => `\x1b[${colour}m${text}\x1b[39m`
    const [, number = ''] = topic.split('/')
    const coloured = [level(36, 'tty'), level(32, number), level(33, 'x')].join('\x1b[2m/\x1b[22m')
    assert.deepEqual([line, status], [`${coloured} \\x1b]0;title\\x07`, 'status 0'])
  })
  test('NO_COLOR: plain, and still escaped', async () => {
    const { program, topic } = await onTerminal('-v -C 1', { env: { NO_COLOR: '1' } })
    publisher.publish({ topic: `${topic}/x`, payload: '\x1b[1m' })
    assert.equal(shown((await program.end()).stdout)[0], `${topic}/x \\x1b[1m`)
  })
  test('--raw: every byte', async () => {
    const { program, topic } = await onTerminal('-C 1 --raw')
    publisher.publish({ topic, payload: '\x1b[1mbold' })
    assert.equal(shown((await program.end()).stdout)[0], '\x1b[1mbold')
  })
  test('a pipe gets every byte without colour, though stderr is a terminal', async () => {
    const { program, topic } = await onTerminal('-v -C 1', { pipe: ' | cat -v' })
    publisher.publish({ topic, payload: '\x1b[1m' })
    assert.equal(shown((await program.end()).stdout)[0], `${topic} ^[[1m`)
  })
  test('| head -1 ends quietly', async () => {
    const { program, topic } = await onTerminal('', { pipe: ' | head -1' })
    const feeding = setInterval(() => publisher.publish({ topic, payload: 'line' }), 20)
    const { stdout } = await program.end().finally(() => clearInterval(feeding))
    assert.deepEqual(shown(stdout), ['line', 'status 0', ''])
  })
  for (const [name, args, status] of [
    ['ends it with DISCONNECT and 0, as mosquitto_sub', '', 0],
    ['while something is expected: 130', '--expect x', 130],
  ] as const)
    test(`Ctrl-C ${name}`, async () => {
      const { program } = await onTerminal(args)
      program.write('\x03')
      await program.line(`status ${status}`)
      assert.equal((await program.end()).status, 0)
      const id = `tty${clients}`
      const isClean = () => broker.log.some((line) => line.includes(id) && /disconnected\.$/.test(line))
      await until(isClean, `the DISCONNECT of ${id}`)
    })
})
