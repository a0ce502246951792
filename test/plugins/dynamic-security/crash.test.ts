// kill -9 while commands are carried out: the file is always whole, and has everything that was answered.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Publish } from '../../../src/protocol/packets/publish.js'
import { killPrograms } from '../../support/program.js'
import { RawClient } from '../../support/raw-client.js'
import { startTsmq } from '../../support/tsmq-process.js'
import { ADMIN, command, config, TOPIC } from './dynsec-kit.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-dynsec-crash-'))
after(() => {
  killPrograms()
  rmSync(folder, { recursive: true })
})

test('what was answered is in the file, whenever the broker is killed', async () => {
  const file = join(folder, 'dynsec.json')
  writeFileSync(file, JSON.stringify(config()), { mode: 0o600 })
  const conf = `plugin tsmq/plugins/dynamic-security\nplugin_opt_config_file ${file}\n`
  const answered: string[] = []
  for (const round of [3, 20, 57]) {
    const { port, program } = await startTsmq({ conf })
    const { client } = await RawClient.connect(port, ADMIN)
    await client.subscribe(`${TOPIC}/response`)
    for (let n = 0; n < 90; n++) {
      const members = { username: `u${round}-${n}`, textname: 'x'.repeat(2000), correlationData: `u${round}-${n}` }
      client.publish({ topic: TOPIC, payload: JSON.stringify({ commands: [command('createClient', members)] }) })
    }
    for (let n = 0; n < round; n++) {
      const { responses } = JSON.parse(`${((await client.next()) as Publish).payload}`)
      answered.push(responses[0].correlationData)
    }
    await program.stop('SIGKILL')
    const { clients } = JSON.parse(readFileSync(file, 'utf8')) as { readonly clients: readonly { username: string }[] }
    const names = new Set(clients.map(({ username }) => username))
    assert.deepEqual(
      answered.filter((name) => !names.has(name)),
      [],
    )
  }
  assert.equal(answered.length, 80)
})
