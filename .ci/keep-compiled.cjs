// Keeps what V8 has compiled of each command after a usual run of it, for bin/start.js. build.mjs has it run with a private broker
// (`tsmq --run`), whose address is in the environment. With a name and arguments it is one such run.
const { spawnSync } = require('node:child_process')
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { compile, filesOf, run } = require('../bin/start.js')

const { TSMQ_HOST: host, TSMQ_PORT: port } = process.env
const [name, ...words] = process.argv.slice(2)

function keep(command, ...args) {
  const { status } = spawnSync(process.execPath, [__filename, command, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) process.exitCode = 1
}

if (name === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-build-'))
  const passwords = join(folder, 'passwords')
  writeFileSync(passwords, '', { mode: 0o600 })
  // A retained message, for the subscriber.
  keep('tsmq-pub', '-h', host, '-p', port, '-t', 'a', '-m', 'b', '-r')
  keep('tsmq-sub', '-h', host, '-p', port, '-t', 'a', '-C', '1')
  keep('tsmq-passwd', '-H', 'sha512-pbkdf2', '-b', passwords, 'user', 'password')
  rmSync(folder, { recursive: true })
} else {
  const files = filesOf(name)
  const script = compile(files)
  process.argv = [process.execPath, files.bundle, ...words]
  process.once('exit', () => writeFileSync(files.compiled, script.createCachedData()))
  run(script, files)
}
