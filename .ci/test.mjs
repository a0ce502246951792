// Runs the tests under build/test with node:test. Arguments that name folders or parts of file names choose among them
// (`npm test -- protocol`); without any, everything runs. `--not PART` leaves out. `--long` has
// the tests under soak/ take their time: minutes where they otherwise take one.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'build', 'test')
const wanted = process.argv.slice(2)
const except = []
const long = wanted.indexOf('--long')
if (long >= 0) wanted.splice(long, 1)
for (let at = wanted.indexOf('--not'); at >= 0; at = wanted.indexOf('--not')) except.push(wanted.splice(at, 2)[1] ?? '')
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  .filter((file) => {
    const name = relative(folder, file)
    if (wanted.length > 0) return wanted.some((part) => name.includes(part))
    return !except.some((part) => part !== '' && name.startsWith(part))
  })
  .sort()
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`)
  process.exit(1)
}
// As many files at once as there are processors; Node would leave one of them idle.
const concurrency = `--test-concurrency=${availableParallelism()}`
const { status } = spawnSync(process.execPath, ['--test', concurrency, '--test-reporter=spec', ...files], {
  cwd: root,
  stdio: 'inherit',
  env: long >= 0 ? { ...process.env, TSMQ_SOAK: 'long' } : process.env,
})
process.exit(status ?? 1)
