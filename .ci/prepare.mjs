// Makes a checkout runnable: installs packages when the lock file is newer than what is installed, builds when a source file is
// newer than the last build. Silent when there is nothing to do. `npm start`, `npm test` and `npm run bench` begin with it.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const inRoot = (...names) => join(root, ...names)
const timeOf = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0)

function newest(folder) {
  let time = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    time = Math.max(time, timeOf(join(entry.parentPath ?? entry.path, entry.name)))
  return time
}

const isCheckout = existsSync(inRoot('src')) && existsSync(inRoot('package-lock.json'))
if (isCheckout) {
  if (timeOf(inRoot('node_modules', '.package-lock.json')) < timeOf(inRoot('package-lock.json'))) {
    console.error('tsmq: installing packages (npm ci)')
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    })
  }
  const stamp = inRoot('build', '.stamp')
  const sources = Math.max(...['src', 'test', 'bin', '.ci'].map((name) => newest(inRoot(name))))
  if (timeOf(stamp) < sources || !existsSync(inRoot('dist'))) {
    console.error('tsmq: building')
    await import('./build.mjs')
    writeFileSync(stamp, '')
  }
}
