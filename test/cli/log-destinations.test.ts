// Where the log of tsmq goes besides the standard streams and files: syslog, topics, terminals; and how its files are opened anew
// (spec: sys-topics.md sections 3 and 4, broker-options.md sections 2 and 8). Lines and types are tested in tsmq.test.ts.

import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Log } from '../../src/broker/admin/log.js'
import { logPainters } from '../../src/cli/log-painters.js'
import { payloads } from '../support/deliveries.js'
import { RawClient } from '../support/raw-client.js'
import { startTsmq } from '../support/tsmq-process.js'
import { until } from '../support/until.js'

const base = mkdtempSync(join(tmpdir(), 'tsmq-log-'))
after(() => rmSync(base, { recursive: true }))

/** A folder with a `logger` that writes its arguments and what it reads to a file beside it. */
function fakeLogger(script: string): { readonly path: string; read(): string } {
  const folder = mkdtempSync(join(base, 'logger-'))
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'logger'), `#!/bin/sh\n${script.replaceAll('{folder}', folder)}\n`)
  chmodSync(join(bin, 'logger'), 0o755)
  const file = join(folder, 'said')
  return { path: `${bin}:${process.env.PATH}`, read: () => (existsSync(file) ? readFileSync(file, 'utf8') : '') }
}

const anonymous = 'allow_anonymous true\n'
const together = { concurrency: 4 }

describe('log_dest syslog', together, () => {
  for (const [facility, name] of [
    ['', 'daemon'],
    ['log_facility 3\n', 'local3'],
  ])
    test(`${facility || 'no log_facility'}: each line with its severity, without time, to logger`, async () => {
      const logger = fakeLogger('echo "$@" > {folder}/said; cat >> {folder}/said; echo end >> {folder}/said')
      // The log goes nowhere else, so that nothing tells when the broker is up.
      const conf = `${anonymous}log_dest syslog\nlog_dest stdout\n${facility}`
      const { port, program, stop } = await startTsmq({ conf, env: { PATH: logger.path } })
      try {
        await RawClient.connect(port, { clientId: 'visitor' })
        await program.stop()
        await until(() => logger.read().endsWith('end\n'), 'the end of logger')
        const [args, ...lines] = logger.read().trimEnd().split('\n')
        assert.equal(args, `--prio-prefix --priority ${name}.notice --tag tsmq --id=${program.pid}`)
        assert.match(lines[0] ?? '', /^<6>tsmq version \S+ starting$/)
        assert.ok(lines.some((line) => /^<5>New client connected from .* as visitor/.test(line)))
        assert.match(lines.at(-2) ?? '', /^<6>tsmq version \S+ terminating$/)
      } finally {
        await stop()
      }
    })

  for (const [what, script, path] of [
    ['fails', 'exit 1', undefined],
    ['is not there', 'exit 1', '/nowhere'],
  ])
    test(`logger ${what}: one complaint, and the lines go to stderr`, async () => {
      const logger = fakeLogger(script ?? '')
      const conf = `${anonymous}log_dest syslog\nlog_dest stdout\n`
      const { port, program, stop } = await startTsmq({ conf, env: { PATH: path ?? logger.path } })
      try {
        await program.line(/^tsmq: cannot write to syslog: /)
        await RawClient.connect(port, { clientId: 'visitor' })
        await until(() => / as visitor /.test(program.stderr), 'the line')
      } finally {
        await stop()
      }
      assert.equal(program.stderr.match(/cannot write to syslog/g)?.length, 1)
    })
})

test('log_dest file on a full disk: said once, and at the end how much is lost', {
  ...together,
  skip: !existsSync('/dev/full'),
}, async () => {
  const { port, program, stop } = await startTsmq({ conf: `${anonymous}log_dest file /dev/full\nlog_dest stdout\n` })
  for (let at = 0; at < 5; at++) await (await RawClient.connect(port, { clientId: `${at}` })).client.drop()
  assert.equal(await stop(), 0)
  const said = program.stderr.split('\n').filter((line) => line.includes('/dev/full'))
  assert.match(said[0] ?? '', /^tsmq: log file \/dev\/full cannot be written: no space left on device; /)
  assert.match(said[1] ?? '', /^tsmq: log file \/dev\/full could not be written to the end: \d+ lines are lost$/)
  assert.equal(said.length, 2)
})

test('log_dest topic: by type, not retained, for a while; never what is debug', together, async () => {
  const conf = `${anonymous}log_dest topic\nlog_dest stdout\nlog_type all\nlog_timestamp false\nsys_interval 0\n`
  const { port, stop } = await startTsmq({ conf })
  try {
    const { client } = await RawClient.connect(port, { clientId: 'reader', version: 5 })
    // The line about the subscription comes before SUBACK.
    client.send('82 17 0001 00 0011 245359532f62726f6b65722f6c6f672f23 02')
    const { client: other } = await RawClient.connect(port, { clientId: 'other' })
    await other.subscribe([{ filter: 'a/b', qos: 1 }])
    await other.unsubscribe('a/b')
    const seen: string[] = []
    while (!seen.some((line) => line.includes('/unsubscribe'))) {
      const packet = await client.next()
      if (!('topic' in packet)) continue
      assert.equal(packet.retain, false)
      assert.equal(packet.properties.messageExpiryInterval, 20)
      seen.push(`${packet.topic} ${packet.payload}`)
    }
    const shapes = [
      /^\$SYS\/broker\/log\/M\/subscribe reader 2 \$SYS\/broker\/log\/#$/,
      /^\$SYS\/broker\/log\/N New connection from /,
      /^\$SYS\/broker\/log\/N New client connected from .* as other /,
      /^\$SYS\/broker\/log\/M\/subscribe other 1 a\/b$/,
      /^\$SYS\/broker\/log\/M\/unsubscribe other a\/b$/,
    ]
    for (const [at, line] of seen.slice(-5).entries()) assert.match(line, shapes[at] ?? /none/)
    const { client: late } = await RawClient.connect(port, { clientId: 'late' })
    await late.subscribe([{ filter: '$SYS/broker/log/N' }])
    assert.deepEqual(await payloads(late), [])
  } finally {
    await stop()
  }
})

/** Whether this Node hands out what lies beneath its signals; it has no name for SIGRTMIN. */
function hasRealTimeSignals(): boolean {
  const { binding } = process as unknown as { readonly binding?: (name: string) => unknown }
  try {
    return binding?.('signal_wrap') !== undefined
  } catch {
    return false
  }
}

for (const signal of ['SIGHUP', 'SIGRTMIN'] as const) {
  const cannot = signal === 'SIGRTMIN' && !hasRealTimeSignals()
  const why = cannot ? ' (skipped: this Node cannot receive it)' : ''
  test(`${signal}: a log file that was moved away is opened anew${why}`, { ...together, skip: cannot }, async () => {
    const conf = `${anonymous}log_dest file {folder}/broker.log\nlog_dest stdout\n`
    const { port, program, folder, stop } = await startTsmq({ conf })
    try {
      const file = join(folder, 'broker.log')
      renameSync(file, `${file}.1`)
      process.kill(program.pid, signal === 'SIGRTMIN' ? 34 : signal)
      await until(() => existsSync(file), 'the new file')
      await RawClient.connect(port, { clientId: 'visitor' })
      await until(() => / as visitor /.test(readFileSync(file, 'utf8')), 'the line')
      assert.doesNotMatch(readFileSync(`${file}.1`, 'utf8'), / as visitor /)
    } finally {
      await stop()
    }
  })
}

describe('colour', () => {
  const terminal = { isTTY: true } as never
  const pipe = { isTTY: false } as never

  test('each type has its own on a terminal, a pipe gets none', async () => {
    const { stdout, stderr } = await logPainters({ stdout: pipe, stderr: terminal, env: {} })
    assert.equal(stdout, undefined)
    assert.equal(stderr?.('text', 'error', '1: '), '\u001b[2m1: \u001b[22m\u001b[31mtext\u001b[39m')
    assert.equal(stderr?.('text', 'warning', ''), '\u001b[33mtext\u001b[39m')
    assert.equal(stderr?.('text', 'information', ''), 'text')
  })

  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
    test(`none with ${JSON.stringify(env)}`, async () => {
      assert.deepEqual(await logPainters({ stdout: terminal, stderr: terminal, env }), {
        stdout: undefined,
        stderr: undefined,
      })
    })
})

test('a line is cut after 1000 characters, the time included, and holds no control characters', () => {
  const lines: string[] = []
  const settings = { log_dest: [], log_type: ['error'], log_timestamp: true, log_timestamp_format: '%n' } as const
  const log = new Log(settings, [(text, _, time) => void lines.push(time + text)], () => 'a\nb\u001b')
  log.error(`\u0007${'x'.repeat(2000)}`)
  log.error('\u202egnp\u2028\u061c')
  log.notice('not this type')
  assert.equal(lines.length, 2)
  assert.ok(lines[1]?.endsWith('\\u202egnp\\u2028\\u061c'))
  assert.equal(lines[0]?.length, 1000)
  assert.match(lines[0] ?? '', /^a\\nb\\x1b: \\x07x+$/)
})
