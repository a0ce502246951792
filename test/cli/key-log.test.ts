// --tls-keylog of the broker: what it writes opens the connection to whoever has it, so the file is for its owner only.

import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from 'node:tls'
import { PacketType } from '../../src/protocol/packet-types.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { command, startTsmq } from '../support/tsmq-process.js'

describe(`--tls-keylog${skippedWithout}`, { skip: !hasOpenssl }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-keylog-'))
  let certificates: Certificates
  before(() => {
    certificates = new Certificates()
  })
  after(() => {
    certificates.remove()
    rmSync(folder, { recursive: true })
  })

  test('the keys of each connection, in a file for its owner only, and a warning', async () => {
    const file = join(folder, 'keys')
    const broker = await startTsmq({
      conf: 'allow_anonymous true\ncertfile {folder}/crt\nkeyfile {folder}/key\n',
      files: { crt: certificates.read('server.crt'), key: certificates.read('server.key') },
      args: ['--tls-keylog', file],
    })
    const socket = connect({ port: broker.port, host: '127.0.0.1', ca: certificates.read('ca.crt') })
    const seen: string[] = []
    socket.on('keylog', (line: Buffer) => seen.push(line.toString()))
    const client = new RawClient(socket)
    client.send(connectPacket())
    await client.expect(PacketType.CONNACK)
    await client.drop()
    assert.equal(await broker.stop(), 0)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const written = readFileSync(file, 'latin1')
    assert.ok(seen.length >= 4)
    for (const line of seen) assert.ok(written.includes(line.trim()), line)
    assert.match(broker.program.stderr, /Keys are written to \S+keys: whoever has them can read/)
  })

  for (const { name, make, says } of [
    {
      name: 'others may read it',
      make: (file: string) => {
        writeFileSync(file, '')
        chmodSync(file, 0o640)
      },
      says: /must be for its owner only/,
    },
    {
      name: 'a symbolic link',
      make: (file: string) => symlinkSync('/dev/null', file),
      says: /symbolic link/,
    },
  ])
    test(`${name}: no start`, async () => {
      const file = join(folder, name.replaceAll(' ', '-'))
      make(file)
      const { status, stderr } = await command('tsmq', ['-p', '0', '--tls-keylog', file]).ended
      assert.equal(status, 3)
      assert.match(stderr, says)
      assert.ok(stderr.includes(`--tls-keylog ${file}`), stderr)
    })
})
