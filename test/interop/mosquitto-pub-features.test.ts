// What tsmq-pub has beyond mosquitto_pub, against Debian's Mosquitto broker and its clients: requests, confirmation, probes, replay.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { killPrograms, Program } from '../support/program.js'
import { command } from '../support/tsmq-process.js'
import { pathOf, suite } from './programs.js'

const BROKER = pathOf('mosquitto')
const PUB = pathOf('mosquitto_pub')
const SUB = pathOf('mosquitto_sub')
const RR = pathOf('mosquitto_rr')

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe(...suite('tsmq-pub beside mosquitto', [BROKER, PUB, SUB, RR]), () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-beside-'))
  let mosquitto: Program
  let at: readonly string[]

  before(async () => {
    const port = await freePort()
    writeFileSync(join(folder, 'acl'), 'topic readwrite #\ntopic deny secret/#\n')
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', `acl_file ${join(folder, 'acl')}`]
    writeFileSync(join(folder, 'conf'), `${[...lines, 'log_dest stderr', 'log_type all', 'user root'].join('\n')}\n`)
    mosquitto = new Program(BROKER, ['-c', join(folder, 'conf')])
    await mosquitto.line(/mosquitto version \S+ running/)
    at = ['-h', '127.0.0.1', '-p', String(port)]
  })
  after(async () => {
    await mosquitto.stop()
    killPrograms()
    rmSync(folder, { recursive: true })
  })

  const pub = (args: readonly string[], input?: string) => command('tsmq-pub', [...at, ...args], { input }).end()
  const subscribed = (id: string) => mosquitto.line(new RegExp(`Sending SUBACK to ${id}`))

  /** A responder made of mosquitto_sub and mosquitto_pub, which copies the correlation data. */
  function responder(id: string, topic: string): Program {
    const line = `'${SUB}' ${at.join(' ')} -V 5 -i ${id} -t ${topic} -C 1 -F '%R %D %p' | { read -r where data text; exec '${PUB}' ${at.join(' ')} -V 5 -t "$where" -m "got $text" -D publish correlation-data "$data"; }`
    return new Program('sh', ['-c', line])
  }

  test('--rr: a responder that copies the correlation data', async () => {
    const answering = responder('answers', 'ask')
    await subscribed('answers')
    await new Program(PUB, [...at, '-r', '-t', 'reply', '-m', 'old']).end()
    const { status, stdout } = await pub(['--rr', '-t', 'ask', '-e', 'reply', '-m', 'question', '-W', '10'])
    assert.deepEqual([status, stdout], [0, 'got question\n'])
    await answering.end()
  })
  test('--rr prints what mosquitto_rr prints', async () => {
    for (const args of [['-v'], ['-N'], ['-F', '%t %q %r %l %p'], ['-q', '1'], ['-V', '311']]) {
      const both = [...args, '-t', 'loop/back', '-e', 'loop/back', '-m', 'there and back']
      const theirs = await new Program(RR, [...at, ...both]).end()
      const ours = await pub(['--rr', ...both])
      assert.deepEqual([args, ours.status, ours.stdout], [args, theirs.status, theirs.stdout])
      assert.ok(ours.stdout.includes('there'))
    }
  })
  test('--require-subscriber', async () => {
    assert.equal((await pub(['-t', 'nobody', '-m', 'x', '--require-subscriber'])).status, 66)
    const sub = new Program(SUB, [...at, '-i', 'listens', '-t', 'somebody', '-C', '1'])
    await subscribed('listens')
    assert.equal((await pub(['-t', 'somebody', '-m', 'x', '--require-subscriber'])).status, 0)
    assert.equal((await sub.end()).stdout, 'x\n')
  })
  test('a publish that is refused: 135, and --confirm where the protocol is silent', async () => {
    assert.equal((await pub(['-V', '5', '-q', '1', '-t', 'secret/a', '-m', 'x'])).status, 135)
    assert.equal((await pub(['-V', '5', '-q', '2', '-t', 'secret/a', '-m', 'x'])).status, 135)
    assert.equal((await pub(['-V', '5', '-q', '1', '-t', 'secret/a', '-l'], 'a\nb\n')).status, 135)
    assert.equal((await pub(['-t', 'secret/a', '-m', 'x'])).status, 0)
    assert.equal((await pub(['-t', 'secret/a', '-m', 'x', '--confirm', '0.5'])).status, 74)
    for (const version of ['31', '311', '5'])
      assert.equal((await pub(['-V', version, '-t', 'open/a', '-m', 'x', '--confirm', '10'])).status, 0)
  })
  test('--probe', async () => {
    for (const version of ['31', '311', '5']) {
      const { status, stdout } = await pub(['--probe', '--round-trip', '-t', 'health', '-V', version])
      assert.match(stdout, /^TCP {9}ok .*\nCONNECT {5}ok .*\nround trip {2}ok .*\n$/)
      assert.equal(status, 0)
    }
  })
  test('--ndjson takes what mosquitto_sub -F %j and %J print', async () => {
    const sub = new Program(SUB, [...at, '-V', '5', '-i', 'recorder', '-t', 'from/#', '-C', '2', '-F', '%j'])
    await subscribed('recorder')
    await pub(['-V', '5', '-q', '0', '-t', 'from/a', '-m', 'ä "quoted"', '-D', 'publish', 'content-type', 'text/plain'])
    await pub(['-t', 'from/b', '-m', '{"n":1}'])
    const { stdout } = await sub.end()
    const printed = new Program(SUB, [...at, '-V', '5', '-i', 'again', '-t', 'to/#', '-C', '2', '-F', '%t %C %p'])
    await subscribed('again')
    const file = join(folder, 'recorded')
    writeFileSync(file, stdout)
    assert.equal((await pub(['-V', '5', '--replay', file, '--speed', 'max', '--map', 'from/=to/'])).status, 0)
    assert.equal((await printed.end()).stdout, 'to/a text/plain ä "quoted"\nto/b  {"n":1}\n')
  })
})
