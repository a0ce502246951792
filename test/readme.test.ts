// The README as its reader follows it: every block of commands is run as written, one terminal each, and shows what the page says.
// Only the port is another one, and times, which change.

import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { killPrograms, Program } from './support/program.js'

/** Commands and what is shown, in the order of the page. */
const terminals = [...readFileSync('README.md', 'utf8').matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(
  ([, text = '']) => text,
)

/** ms that a terminal may take. */
const PATIENCE = 60_000

let folder: string

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmq-readme-'))
  mkdirSync(join(folder, 'bin'))
  serve(0)
})
after(() => {
  killPrograms()
  rmSync(folder, { recursive: true })
})

/** Makes the commands in `bin/` of the folder, for clients with another default port. */
function serve(port: number): void {
  for (const name of ['tsmq', 'tsmq-pub', 'tsmq-sub', 'tsmq-passwd']) {
    const options = name === 'tsmq-pub' || name === 'tsmq-sub' ? `-p ${port} ` : ''
    const file = join(folder, 'bin', name)
    writeFileSync(
      file,
      `#!/bin/sh\nexport PUID=0 PGID=0\nexec '${process.execPath}' '${resolve('bin', name)}' ${options}"$@"\n`,
    )
    chmodSync(file, 0o755)
  }
}

/** A terminal in which the commands are typed; what it shows is on stdout. */
function follow(terminal: string): Program {
  const commands = terminal.split('\n').filter((line) => line.startsWith('$ '))
  const script = commands.map((line, at) => {
    // The last one takes the place of the shell, so that a signal reaches it.
    const command = `${at === commands.length - 1 ? 'exec ' : ''}${line.slice(2)}`
    const shown = line.replaceAll("'", "'\\''")
    return `printf '%s\\n' '${shown}'\n${command.replace("'listener 1883'", "'listener 0 127.0.0.1' 'log_type all'")}\n`
  })
  return new Program('sh', ['-c', `exec 2>&1\n${script.join('')}`], { cwd: folder, input: '' })
}

/** Without what differs from one time to the next. */
function comparable(text: string): string {
  return text
    .replace(/^\d{10}: /gm, '<time>: ')
    .replace(/ -p \d+/g, '')
    .replace(/(port |localhost:)\d+/g, '$1<n>')
    .replace(/ +$/gm, '')
}

async function shows(program: Program, terminal: string): Promise<void> {
  const { status, stdout } = await program.end(PATIENCE)
  assert.equal(comparable(stdout), comparable(terminal))
  assert.equal(status, 0)
}

/** The port of a broker, from its log. */
async function portOf(broker: Program): Promise<number> {
  return Number(/port (\d+)\./.exec(await broker.line(/Opening ipv4/))?.[1])
}

describe('README', () => {
  const [started = '', subscribed = '', published = '', configured = '', dashboard = '', sensors = ''] = terminals
  const recipes = terminals.slice(6)

  test('has six terminals and five recipes', () => assert.equal(terminals.length, 11))

  test('npm start, and two more terminals', async () => {
    const { start } = JSON.parse(readFileSync('package.json', 'utf8')).scripts
    const script = `${start.replace('&& node', '&& exec node')} -p 0 -v 2>&1`
    const broker = new Program('sh', ['-c', script], { env: { npm_lifecycle_event: 'start', PUID: '0', PGID: '0' } })
    const port = await portOf(broker)
    await broker.line('and in a third')
    const log = (text: string) => text.split('\n').filter((line) => /^\d{10}: /.test(line))
    const promised = log(started)
    assert.equal(promised.length, 8)
    assert.equal(comparable(log(broker.stdout).join('\n')), comparable(promised.join('\n')))
    serve(port)
    const subscriber = follow(subscribed)
    await broker.line(' 0 sensors/#')
    await shows(follow(published), published)
    await shows(subscriber, subscribed)
    assert.equal((await broker.stop('SIGINT')).status, 0)
  })

  test('passwords and an ACL', async () => {
    const broker = follow(configured)
    serve(await portOf(broker))
    await broker.line(/ running$/)
    assert.ok(comparable(broker.stdout).startsWith(comparable(configured)), broker.stdout)
    const subscriber = follow(dashboard)
    await broker.line(' 0 sensor/#')
    await shows(follow(sensors), sensors)
    await shows(subscriber, dashboard)
    assert.equal((await broker.stop()).status, 0)
  })

  test('recipes', async () => {
    const broker = new Program(process.execPath, ['bin/tsmq', '-p', '0', '-v'], { env: { PUID: '0', PGID: '0' } })
    serve(await portOf(broker))
    await broker.line(/ running$/)
    for (const recipe of recipes) await shows(follow(recipe), recipe)
    assert.equal((await broker.stop()).status, 0)
  })
})
