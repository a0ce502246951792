// Plugins of a configuration file with the command: exit statuses, what --test-config finds, and nothing of their secrets.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { command, startTsmq } from '../support/tsmq-process.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-plugin-cli-'))
after(() => rmSync(folder, { recursive: true }))

const PLUGIN =
  "export default ({ greeting }) => ({ name: 'hello', started: (broker) => broker.log('notice', greeting) })"

for (const { name, module, says } of [
  { name: 'that is not there', module: './missing.mjs', says: /plugin \.\/missing\.mjs: ENOENT/ },
  { name: 'that fails', module: './fails.mjs', says: /plugin \.\/fails\.mjs: no good\n/ },
])
  test(`a plugin ${name}: exit 13`, async () => {
    writeFileSync(join(folder, 'fails.mjs'), "throw new Error('no good')")
    const conf = join(folder, 'tsmq.conf')
    writeFileSync(conf, `listener 0 127.0.0.1\nplugin ${module}\nplugin_opt_password secret\n`)
    const { status, stderr } = await command('tsmq', ['-c', conf]).ended
    assert.equal(status, 13)
    assert.match(stderr, says)
    assert.doesNotMatch(stderr, /secret/)
  })

test('--test-config finds a plugin that is not there, and does not run those that are', async () => {
  writeFileSync(join(folder, 'runs.mjs'), "throw new Error('it runs')")
  const conf = join(folder, 'test.conf')
  writeFileSync(conf, 'listener 0 127.0.0.1\nplugin ./runs.mjs\nplugin ./missing.mjs\n')
  const { status, stderr } = await command('tsmq', ['-c', conf, '--test-config']).ended
  assert.equal(status, 3)
  assert.match(stderr, /test\.conf:3: .*plugin \.\/missing\.mjs: ENOENT/)
  assert.doesNotMatch(stderr, /it runs/)
})

test('a plugin beside its configuration file gets its options and speaks in the log', async () => {
  const files = { 'hello.mjs': PLUGIN }
  const { program, stop } = await startTsmq({ conf: 'plugin ./hello.mjs\nplugin_opt_greeting good morning\n', files })
  assert.equal(await stop(), 0)
  assert.match((await program.ended).stderr, /hello: good morning/)
})

test('the library of Mosquitto is the plugin that comes with tsmq; a file that is no good ends the start with status 13 and stays', async () => {
  const conf = join(folder, 'dynsec.conf')
  const file = join(folder, 'dynsec.json')
  const bad = '{\n\t"clients": [}\n'
  writeFileSync(file, bad, { mode: 0o600 })
  writeFileSync(
    conf,
    `listener 0 127.0.0.1\nplugin /usr/lib/mosquitto_dynamic_security.so\nplugin_opt_config_file ${file}\n`,
  )
  assert.equal((await command('tsmq', ['-c', conf, '--test-config']).ended).status, 0)
  const { status, stderr } = await command('tsmq', ['-c', conf]).ended
  assert.equal(status, 13)
  assert.match(stderr, /plugin tsmq\/plugins\/dynamic-security: \S+dynsec\.json: line 2, column 14: not valid JSON\n/)
  assert.equal(readFileSync(file, 'utf8'), bad)
})
