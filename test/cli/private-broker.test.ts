// --run and --ready-file as processes: what the command is told, how signals and exit statuses pass, and that nothing is left behind
// (features.md C3).

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { killPrograms } from '../support/program.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { command } from '../support/tsmq-process.js'
import { until } from '../support/until.js'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmq-run-'))
})
after(() => {
  killPrograms()
  rmSync(folder, { recursive: true })
})

const tsmq = (...args: readonly string[]) => command('tsmq', args, { cwd: folder, input: '' })
const sh = (script: string) => ['--run', '--', 'sh', '-c', script]

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('--run', { concurrency: 3 }, () => {
  test('the command is told where the broker is, which admits everybody and is gone afterwards', async () => {
    const script = 'echo $TSMQ_URL $TSMQ_HOST $TSMQ_PORT $TSMQ_PID; read line; exit 5'
    const program = command('tsmq', sh(script), { cwd: folder })
    const told = await program.line(/^mqtt:/)
    const [, port, host, samePort, pid] = /^mqtt:\/\/127\.0\.0\.1:(\d+) (\S+) (\d+) (\d+)$/.exec(told) ?? []
    assert.deepEqual([host, samePort], ['127.0.0.1', port])
    const { connack, client } = await RawClient.connect(Number(port))
    assert.equal(connack.reasonCode, 0)
    await client.drop()
    assert.ok(isAlive(Number(pid)))
    assert.notEqual(Number(pid), program.pid)
    program.write('done\n')
    assert.equal((await program.end()).status, 5)
    assert.ok(!isAlive(Number(pid)))
  })

  const statuses = [
    { name: 'success', script: 'exit 0', status: 0 },
    { name: 'a status of its own', script: 'exit 7', status: 7 },
    { name: 'a signal', script: 'kill -TERM $$', status: 143 },
    { name: 'SIGKILL', script: 'kill -KILL $$', status: 137 },
    { name: 'the broker dies, which ends the command', script: 'kill -KILL $TSMQ_PID; exec sleep 60', status: 70 },
    { name: 'the broker dies, and the command ends before that is known', script: 'kill -KILL $TSMQ_PID', status: 70 },
    { name: 'the broker was asked to end', script: 'kill -TERM $TSMQ_PID; sleep 0.5; exit 4', status: 4 },
  ]
  for (const { name, script, status } of statuses)
    test(`${name}: exit ${status}`, async () => {
      const result = await tsmq(...sh(script)).end()
      assert.equal(result.status, status, result.stderr)
      assert.equal(result.stdout, '')
      if (status !== 70) assert.equal(result.stderr, '')
    })

  test('standard input, output and error are those of the command', async () => {
    const program = command('tsmq', sh('tr a-z A-Z; echo problem >&2'), { cwd: folder, input: 'hello\n' })
    assert.deepEqual(await program.end(), { status: 0, stdout: 'HELLO\n', stderr: 'problem\n' })
  })

  test('what stands behind -- is left as it is', async () => {
    const { stdout } = await tsmq('--run', '--', 'printf', '%s|', '-v', '--', '--run', '').end()
    assert.equal(stdout, '-v|--|--run||')
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const)
    test(`${signal} is the command's to handle`, async () => {
      const name = signal.slice(3)
      const program = tsmq(...sh(`trap 'echo got; exit 9' ${name}; echo up; while :; do sleep 0.05; done`))
      await program.line('up')
      program.kill(signal)
      const { status, stdout } = await program.end()
      assert.deepEqual([status, stdout], [9, 'up\ngot\n'])
    })

  test('the broker does not outlive a supervisor that is killed', async () => {
    const program = tsmq(...sh('echo $TSMQ_PID; exec sleep 2'))
    const pid = Number(await program.line(/^\d+$/))
    program.kill('SIGKILL')
    await until(() => !isAlive(pid), 'the end of the broker')
  })

  test('with a file: its listeners, its rules, its log', async () => {
    const conf = join(folder, 'ws.conf')
    writeFileSync(
      conf,
      'listener 0 127.0.0.1\nprotocol websockets\nlistener 0 ::1\nlog_type error\nallow_anonymous true\n',
    )
    const { stdout, stderr } = await tsmq('-c', conf, ...sh('echo $TSMQ_URL')).end()
    assert.match(stdout, /^ws:\/\/127\.0\.0\.1:\d+\n$/)
    assert.equal(stderr, '')
  })

  const failures = [
    { name: 'no command', args: ['--run'], status: 3, says: /--run needs -- and a command behind it/ },
    { name: 'no command behind --', args: ['--run', '--'], status: 3, says: /--run needs -- and a command/ },
    { name: 'a command without --run', args: ['--', 'true'], status: 3, says: /are for --run/ },
    { name: 'with -d', args: ['-d', '--run', '--', 'true'], status: 3, says: /cannot be used together/ },
    { name: 'no such command', args: ['--run', '--', './nothing'], status: 127, says: /\.\/nothing: there is no such/ },
    {
      name: 'no program',
      args: ['--run', '--', '/etc/passwd'],
      status: 126,
      says: /\/etc\/passwd: it is not executable/,
    },
    { name: 'no such file', args: ['-c', 'gone.conf', '--run', '--', 'true'], status: 3, says: /gone\.conf: cannot/ },
  ]
  for (const { name, args, status, says } of failures)
    test(`${name}: exit ${status}`, async () => {
      const result = await tsmq(...args).end()
      assert.deepEqual([result.status, result.stdout], [status, ''])
      assert.match(result.stderr, says)
    })

  test('only a Unix socket: there is nothing to tell the command', async () => {
    const conf = join(folder, 'unix.conf')
    writeFileSync(conf, `listener 0 ${folder}/socket\nlog_type none\n`)
    const { status, stderr } = await tsmq('-c', conf, '--run', '--', 'true').end()
    assert.equal(status, 3)
    assert.match(stderr, /needs a listener that clients can reach over TCP/)
  })
})

/** Nothing while there is no such file. */
function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

describe('--ready-file', { concurrency: 3 }, () => {
  test('is there when the broker accepts clients, as JSON, and gone at the end', async () => {
    const file = join(folder, 'ready')
    writeFileSync(file, 'left behind by another broker')
    const program = tsmq('-p', '0', '-q', '--ready-file', file)
    await until(() => contentOf(file).startsWith('{'), 'the ready file')
    const { pid, listeners } = JSON.parse(readFileSync(file, 'utf8'))
    assert.equal(pid, program.pid)
    const [first] = listeners
    assert.deepEqual(
      { ...first, port: 0 },
      { address: '127.0.0.1', port: 0, family: 'ipv4', protocol: 'mqtt', tls: false },
    )
    // Both families have one port, so that localhost is as good as either.
    for (const { port } of listeners) assert.equal(port, first.port)
    const client = await RawClient.open(first.port)
    client.send(connectPacket())
    await client.next()
    await client.drop()
    program.kill('SIGTERM')
    assert.equal((await program.end()).status, 0)
    assert.ok(!existsSync(file))
  })

  test('names every listener of a file, those on any free port included', async () => {
    const file = join(folder, 'listeners')
    const conf = join(folder, 'listeners.conf')
    writeFileSync(conf, `listener 0 127.0.0.1\nlistener 0\nprotocol websockets\nlistener 0 ${folder}/a-socket\n`)
    const program = tsmq('-c', conf, '--ready-file', file)
    const logged = await program.line(/websockets|port \d+\.$/)
    await until(() => existsSync(file), 'the ready file')
    const { listeners } = JSON.parse(readFileSync(file, 'utf8'))
    const [mqtt] = listeners
    assert.ok(logged.includes(`port ${mqtt.port}.`), logged)
    assert.equal(new Set(listeners.map(({ protocol }: { protocol: string }) => protocol)).size, 2)
    assert.deepEqual(listeners.at(-1), { path: `${folder}/a-socket`, family: 'unix', protocol: 'mqtt', tls: false })
    await program.stop()
  })

  test('a folder that is not there: exit 14', async () => {
    const { status, stderr } = await tsmq('-p', '0', '--ready-file', join(folder, 'no', 'ready')).end()
    assert.equal(status, 14)
    assert.match(stderr, /^tsmq: cannot write --ready-file .*no such file or directory$/m)
  })

  test('is not there when the broker does not start', async () => {
    const file = join(folder, 'never')
    const conf = join(folder, 'never.conf')
    writeFileSync(conf, 'listener 0 127.0.0.1\nacl_file /nowhere/acl\n')
    const { status } = await tsmq('-c', conf, '--ready-file', file).end()
    assert.deepEqual([status, existsSync(file)], [13, false])
  })
})
