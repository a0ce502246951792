// A broker that may have few files open: it keeps some for itself, serves those who are connected, says once that it is full, reads
// its files meanwhile (CVE-2017-7652), and lets others in when there is room again.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { PacketType } from '../../src/protocol/packet-types.js'
import { passwordFile } from '../support/password-lines.js'
import { killPrograms } from '../support/program.js'
import { RawClient } from '../support/raw-client.js'
import { speakWebSocket } from '../support/transport.js'
import { startTsmq, type TsmqProcess } from '../support/tsmq-process.js'

after(killPrograms)

const FULL = /No file descriptors left: \d+ connections are open/

/** The return code of a login, undefined when there is no answer. */
async function login({ port }: TsmqProcess, username?: string): Promise<number | undefined> {
  const fields = username === undefined ? {} : { username, password: username }
  const answer = await RawClient.connect(port, { clientId: `of ${username}`, ...fields }).catch(() => undefined)
  await answer?.client.drop()
  return answer?.connack.reasonCode
}

for (const protocol of ['mqtt', 'websockets'])
  test(`CVE-2017-7652: out of file descriptors, with SIGHUP meanwhile, over ${protocol}`, async () => {
    const broker = await startTsmq({
      conf: `protocol ${protocol}\nallow_anonymous false\npassword_file {folder}/passwords\nconnect_timeout 60`,
      files: { passwords: passwordFile('alice', 'leaver') },
      openFiles: 128,
    })
    if (protocol === 'websockets') speakWebSocket(broker.port)
    const { client } = await RawClient.connect(broker.port, { clientId: 'in', username: 'alice', password: 'alice' })
    await client.subscribe('a')
    const sockets: Socket[] = []
    for (let i = 0; i < 200; i++) {
      const socket = connect({ port: broker.port, host: '127.0.0.1' })
      socket.on('error', () => {}).resume()
      sockets.push(socket)
    }
    await broker.program.line(FULL)
    assert.equal(await login(broker, 'alice'), undefined)

    client.publish({ topic: 'a', payload: 'served' })
    assert.equal((await client.expect(PacketType.PUBLISH)).type, PacketType.PUBLISH)
    writeFileSync(join(broker.folder, 'passwords'), passwordFile('alice', 'bob'))
    broker.program.kill('SIGHUP')
    await broker.program.line('Reloading config.')
    client.publish({ topic: 'a', payload: 'still served' })
    await client.expect(PacketType.PUBLISH)

    for (const socket of sockets) socket.destroy()
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')))
    let tries = 0
    while ((await login(broker, 'bob')) === undefined) assert.ok(tries++ < 200, 'room again')
    await broker.program.line('There are file descriptors for connections again.')
    assert.equal(await login(broker, 'bob'), 0, 'the reload has read the file')
    assert.equal(await login(broker, 'leaver'), 5)
    assert.equal(await login(broker), 5, 'nobody without a password')
    assert.equal(broker.program.lines.filter((line) => FULL.test(line)).length, 1)
    await client.drop()
    assert.equal(await broker.stop(), 0)
  })
