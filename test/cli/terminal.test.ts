// What a person at a terminal sees of tsmq-pub and tsmq-sub besides the data.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { start, tool, until } from './client-tool.js'

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
