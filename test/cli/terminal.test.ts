// What a person at a terminal sees of tsmq-pub and tsmq-sub besides the data.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isInForeground } from '../../src/cli/foreground.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { start, tool, until } from './client-tool.js'
import { message, subscribed } from './subscribed-tool.js'

const RED_ERROR = '\x1b[31mError:\x1b[39m'

describe('messages on stderr', () => {
  const usage = ['-t', 'a/#', '-m', 'x']
  for (const [name, options, isRed] of [
    ['a terminal', { terminal: true }, true],
    ['no terminal', { terminal: false }, false],
    ['a terminal with NO_COLOR', { terminal: true, env: { NO_COLOR: '1' } }, false],
    ['a terminal with NO_COLOR empty', { terminal: true, env: { NO_COLOR: '' } }, true],
    ['a dumb terminal', { terminal: true, env: { TERM: 'dumb' } }, false],
  ] as const)
    test(`${name}: ${isRed ? 'coloured' : 'plain'}`, async () => {
      const { stderr } = await tool('tsmq-pub', 1, usage, options)
      assert.equal(stderr.startsWith(isRed ? RED_ERROR : 'Error: '), true)
    })
  test('what the broker says cannot act on the terminal', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-V', '5', '-t', 'a\u{9b}'.slice(0, 1)], { terminal: true })
    const peer = await broker.peer()
    await peer.expect(PacketType.CONNECT)
    peer.send('20 0a 00 87 07 1f 00 04 61 c3 bc 62')
    assert.match((await run.result).stderr, /Not authorized \(aüb\)/)
  })
})

describe('the spinner', () => {
  test('shows on a terminal when connecting takes long, and goes away', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-t', 'a', '-E'], { terminal: true })
    await until(() => run.stderr.includes(`connecting to 127.0.0.1:${broker.port}`), 'the spinner')
    const peer = await broker.peer()
    await peer.accept()
    await peer.expect(PacketType.SUBSCRIBE)
    peer.send('90 03 00 01 00')
    const { status, stdout } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, ''])
  })
  for (const [name, args, options] of [
    ['--quiet', ['--quiet'], { terminal: true }],
    ['no terminal', [], { terminal: false }],
    ['a dumb terminal', [], { terminal: true, env: { TERM: 'dumb' } }],
    ['a terminal that does not know its width', [], { terminal: true, columns: 0 }],
  ] as const)
    test(`does not show: ${name}`, async (t) => {
      const broker = await ScriptedBroker.start(t)
      const run = start('tsmq-sub', broker.port, ['-t', 'a', '-W', '1', ...args], options)
      assert.deepEqual([(await run.result).status, run.stderr], [255, ''])
    })
  test('does not show when connecting is quick', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-pub', broker.port, ['-t', 'a', '-m', 'x'], { terminal: true })
    await (await broker.peer()).accept()
    assert.deepEqual([(await run.result).status, run.stderr], [0, ''])
  })
})

/** A second CONNACK, which is forbidden and ends any run. */
const FORBIDDEN = '20 02 00 00'
const CURSOR_BACK = '\x1b[?25h'
/** ms in which a spinner would have come. */
const LONG_ENOUGH = 500

describe('the spinner of tsmq-sub that waits for messages', () => {
  for (const [args, words] of [
    [['-C', '2'], 'waiting for message 1 of 2'],
    [['--expect', 'x'], 'waiting for the message that is expected'],
    [['--expect-none', '-W', '9'], 'waiting: no message is to come'],
    [['-W', '9'], 'waiting for messages'],
    [['--idle', '9'], 'waiting for messages'],
    [['--retained-only'], 'waiting for messages'],
  ] as const)
    test(`${args.join(' ')}: ${words}`, async (t) => {
      const { run, peer } = await subscribed(t, ['-t', 'a', ...args], { terminal: true })
      await until(() => run.stderr.includes(words), 'the spinner')
      peer.send(FORBIDDEN)
      assert.equal((await run.result).status, 2)
    })
  test('subscribing, until the broker has confirmed it', async (t) => {
    const broker = await ScriptedBroker.start(t)
    const run = start('tsmq-sub', broker.port, ['-t', 'a'], { terminal: true })
    const peer = await broker.peer()
    await peer.accept()
    await until(() => run.stderr.includes('subscribing'), 'the spinner')
    peer.send('90 03 00 01 00')
    await until(() => run.stderr.endsWith(CURSOR_BACK), 'its end')
    peer.send(FORBIDDEN)
    await run.result
  })
  for (const [name, args, options] of [
    ['the run has no end of its own', [], { terminal: true }],
    ['-w draws the screen', ['-w', '-W', '9'], { terminal: true }],
    ['a program that is started may write', ['--exec', 'true', '-W', '9'], { terminal: true }],
    ['--quiet', ['-W', '9', '--quiet'], { terminal: true }],
    ['no terminal', ['-W', '9'], { terminal: false }],
  ] as const)
    test(`none: ${name}`, async (t) => {
      const exec = args.indexOf('--exec' as never)
      const words =
        exec < 0 ? ['-t', 'a', ...args] : ['-t', 'a', ...args.slice(exec + 2), ...args.slice(exec, exec + 2)]
      const { run, peer } = await subscribed(t, words, options)
      const from = Date.now()
      await until(() => Date.now() - from > LONG_ENOUGH, 'the time of a spinner')
      assert.equal(run.stderr, '')
      peer.send(FORBIDDEN)
      await run.result
    })
  test('makes way for each message, and comes back behind it', async (t) => {
    const { run, peer } = await subscribed(t, ['-t', 'a', '-C', '2'], { terminal: true })
    await until(() => run.stderr.includes('message 1 of 2'), 'the spinner')
    peer.send(message('a', 'one'))
    await until(() => run.stdout.length > 0, 'the message')
    assert.ok(run.stderr.includes(CURSOR_BACK))
    await until(() => run.stderr.includes('message 2 of 2'), 'the spinner again')
    peer.send(message('a', 'two'))
    const { status, stdout, stderr } = await run.result
    assert.deepEqual([status, stdout.toString()], [0, 'one\ntwo\n'])
    assert.ok(stderr.endsWith(CURSOR_BACK))
  })
  test('does not come back on the line of a message that has no end', async (t) => {
    const { run, peer } = await subscribed(t, ['-t', 'a', '-C', '3', '-N'], { terminal: true })
    peer.send(message('a', 'one'))
    const from = Date.now()
    await until(() => Date.now() - from > LONG_ENOUGH, 'the time of a spinner')
    assert.equal(run.stderr, '')
    peer.send(message('a', 'two\n'))
    await until(() => run.stderr.includes('message 3 of 3'), 'the spinner on a line of its own')
    peer.send(message('a', 'three'))
    assert.equal((await run.result).stdout.toString(), 'onetwo\nthree')
  })
})

describe('the foreground', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-foreground-'))
  after(() => rmSync(folder, { recursive: true }))
  // Fields of proc(5): pid, name, state, parent, group, session, terminal, foreground group of it.
  for (const [name, stat, foreground] of [
    ['this group has the terminal', '21 (node) S 20 21 20 34816 21 4194304', true],
    ['another group has it', '21 (node) S 20 21 20 34816 20 4194304', false],
    ['there is no terminal of the session', '21 (node) S 20 21 20 0 -1 4194304', true],
    ['a name with parentheses and blanks', '21 (a ) S 1 2 3 4 5) S 20 21 20 34816 20 4194304', false],
    ['not Linux', undefined, true],
  ] as const)
    test(`${name}: ${foreground}`, () => {
      const file = join(folder, name)
      if (stat !== undefined) writeFileSync(file, stat)
      assert.equal(isInForeground(file), foreground)
    })
})
