// The examples of tsmq-plugin(7), run as they are written there; and every method and member that the page names is one of the types.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { MemoryStore } from '../../src/store/memory-store.js'
import { startBroker } from '../support/broker-kit.js'
import { literalBlocks } from '../support/man-examples.js'
import { RawClient } from '../support/raw-client.js'
import { line, lines } from './plugin-kit.js'

const page = readFileSync('man/tsmq-plugin.7', 'utf8')
const [stamp = '', conf = '', directory = '', payloadLog = ''] = literalBlocks(page)

test('stamp.mjs: changes payloads, and counts on after a restart', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-example-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'stamp.mjs'), stamp)
  const store = new MemoryStore()
  for (const want of [
    ['PUBLISH t a from u #1 q0 r0', 'PUBLISH t b from u #2 q0 r0'],
    ['PUBLISH t a from u #3 q0 r0', 'PUBLISH t b from u #4 q0 r0'],
  ]) {
    const broker = await startBroker({ conf: `persistence true\n${conf.replace('./', `${folder}/`)}`, store })
    try {
      const { client } = await RawClient.connect(broker.port, { username: 'u' })
      await client.subscribe('t')
      for (const payload of ['a', 'b']) client.publish({ topic: 't', payload })
      assert.deepEqual(lines(await client.settled()), want)
    } finally {
      await broker.stop()
    }
  }
})

test('directory.mjs: another service says who comes in', async (t) => {
  const service = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => response.writeHead(body === '{"username":"alice","password":"right"}' ? 200 : 403).end())
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  t.after(() => service.close())
  const { port } = service.address() as AddressInfo
  const options = `plugin {folder}/directory.mjs\nplugin_opt_url http://127.0.0.1:${port}/\nallow_anonymous false\n`
  const broker = await startBroker({ conf: options, files: { 'directory.mjs': directory } })
  t.after(() => broker.stop())
  for (const [password, want] of [
    ['right', 'CONNACK 0x0'],
    ['wrong', 'CONNACK 0x87'],
  ] as const) {
    const { connack } = await RawClient.connect(broker.port, { version: 5, username: 'alice', password })
    assert.equal(line(connack), want)
  }
})

test('payload-log.mjs: a line for each message, of which no more than bytes are shown', async (t) => {
  const broker = await startBroker({
    conf: 'plugin {folder}/payload-log.mjs\nplugin_opt_bytes 3\n',
    files: { 'payload-log.mjs': payloadLog },
  })
  t.after(() => broker.stop())
  const { client } = await RawClient.connect(broker.port, { clientId: 'c' })
  client.publish({ topic: 't', payload: 'a\nbc' })
  await client.settled()
  assert.ok(broker.log.includes(String.raw`payload-log: c t "a\nb"`))
})

/** Members of an interface in one of the files of types. */
function membersOf(file: string, name: string): string[] {
  const text = readFileSync(`src/broker/plugins/${file}`, 'utf8')
  const body = new RegExp(`export interface ${name} [^{]*{\\n([\\s\\S]*?)\\n}`).exec(text)?.[1] ?? ''
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[(:]/gm)].map(([, member = '']) => member)
}

test('the page names every method of a plugin and everything that a broker offers', () => {
  const wanted = [
    ...membersOf('plugin.ts', 'Plugin').filter((each) => each !== 'name' && each !== 'version'),
    ...membersOf('broker-handle.ts', 'BrokerHandle'),
  ]
  assert.ok(wanted.length > 35, wanted.join())
  assert.deepEqual(
    wanted.filter((each) => !new RegExp(`^\\.It Li .*\\b${each}\\b`, 'm').test(page)),
    [],
  )
})
