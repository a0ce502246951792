// tsmq-pub and tsmq-sub as processes of their own, from bin/: signals, pipes, and streams that stay open.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { ScriptedBroker } from '../client/scripted-broker.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { command } from '../support/tsmq-process.js'
import { until } from './client-tool.js'

let broker: TestBroker
let at: readonly string[]

before(async () => {
  broker = await startBroker()
  at = ['-h', '127.0.0.1', '-p', String(broker.port)]
})
after(() => broker.stop())

const isSubscribed = (id: string) =>
  until(() => broker.log.some((line) => line.includes(`${id} `) && / [01] \S+$/.test(line)), `${id} to subscribe`)

/** Runs a line of shell with PUB and SUB standing for the commands at the broker. */
function shell(line: string): Promise<{ readonly status: number; readonly stdout: Buffer; readonly stderr: string }> {
  const commands = { PUB: 'tsmq-pub', SUB: 'tsmq-sub' }
  const text = line.replace(
    /PUB|SUB/g,
    (name) => `'${process.execPath}' bin/${commands[name as 'PUB' | 'SUB']} ${at.join(' ')}`,
  )
  return new Promise((resolve) => {
    execFile('/bin/bash', ['-o', 'pipefail', '-c', text], { encoding: 'buffer' }, (error, stdout, stderr) =>
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr: stderr.toString() }),
    )
  })
}

describe('signals', { concurrency: true }, () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    test(`tsmq-sub, ${signal}: DISCONNECT with will, exit 0`, async (t) => {
      const scripted = await ScriptedBroker.start(t)
      const sub = command('tsmq-sub', ['-h', '127.0.0.1', '-p', String(scripted.port), '-V', '5', '-t', 'a'])
      const peer = await scripted.peer()
      await peer.accept()
      await peer.expect(PacketType.SUBSCRIBE)
      peer.send('90 04 00 01 00 00')
      sub.kill(signal)
      assert.equal((await peer.expect(PacketType.DISCONNECT)).reasonCode, 4)
      assert.deepEqual(await sub.end(), { status: 0, stdout: '', stderr: '' })
    })
  test('tsmq-sub, SIGINT before CONNACK: exit 255', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const sub = command('tsmq-sub', ['-h', '127.0.0.1', '-p', String(scripted.port), '-t', 'a'])
    await (await scripted.peer()).expect(PacketType.CONNECT)
    sub.kill('SIGINT')
    assert.deepEqual(await sub.end(), { status: 255, stdout: '', stderr: '' })
  })
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    test(`tsmq-pub, ${signal}: DISCONNECT, exit ${status}`, async (t) => {
      const scripted = await ScriptedBroker.start(t)
      const pub = command('tsmq-pub', ['-h', '127.0.0.1', '-p', String(scripted.port), '-t', 'a', '-l'])
      const peer = await scripted.peer()
      await peer.accept()
      pub.write('x\n')
      await peer.expect(PacketType.PUBLISH)
      pub.kill(signal)
      await peer.expect(PacketType.DISCONNECT)
      assert.deepEqual(await pub.end(), { status, stdout: '', stderr: '' })
    })
  test('tsmq-pub, SIGINT before CONNACK: exit 130', async (t) => {
    const scripted = await ScriptedBroker.start(t)
    const pub = command('tsmq-pub', ['-h', '127.0.0.1', '-p', String(scripted.port), '-t', 'a', '-n'])
    await (await scripted.peer()).expect(PacketType.CONNECT)
    pub.kill('SIGINT')
    assert.deepEqual(await pub.end(), { status: 130, stdout: '', stderr: '' })
  })
})

describe('pipes', { concurrency: true }, () => {
  test('a line is published when it is written, not when the next one or the end comes', async () => {
    const sub = command('tsmq-sub', [...at, '-i', 'reader', '-t', 'typed'])
    await isSubscribed('reader')
    const pub = command('tsmq-pub', [...at, '-t', 'typed', '-l'])
    pub.write('first\n')
    await sub.line('first')
    pub.write('second\n')
    await sub.line('second')
    pub.endInput()
    assert.equal((await pub.end()).status, 0)
    assert.equal((await sub.stop('SIGINT')).stdout, 'first\nsecond\n')
  })
  test('tsmq-sub | head -1 ends quietly', async () => {
    const run = shell('SUB -i headed -t headed -F %p | head -1')
    await isSubscribed('headed')
    const { client } = await RawClient.connect(broker.port, { clientId: 'feeder' })
    // It is noticed with the next message.
    const feeding = setInterval(() => client.publish({ topic: 'headed', payload: 'line' }), 20)
    const { status, stdout, stderr } = await run.finally(() => clearInterval(feeding))
    client.disconnect()
    assert.deepEqual([status, stdout.toString(), stderr], [0, 'line\n', ''])
  })
  test('every byte survives tsmq-sub -N | tsmq-pub -s', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256))
    const { client } = await RawClient.connect(broker.port)
    await client.subscribe('out')
    const passing = shell('SUB -i passing -t in -N -C 1 | PUB -t out -s')
    await isSubscribed('passing')
    client.publish({ topic: 'in', payload: bytes })
    const packet = await client.next()
    assert.equal((await passing).status, 0)
    assert.equal(packet.type === PacketType.PUBLISH && packet.payload.equals(bytes), true)
    client.disconnect()
  })
  test('100,000 lines from one pipe to the other, QoS 0', async () => {
    const run = shell('SUB -i counting -t counting -C 100000 | md5sum')
    await isSubscribed('counting')
    const { status } = await shell('seq 100000 | PUB -t counting -l')
    assert.equal(status, 0)
    assert.equal((await run).stdout.toString(), (await shell('seq 100000 | md5sum')).stdout.toString())
  })
})
