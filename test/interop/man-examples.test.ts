// The examples of the manual pages are run as written, by a shell and against a broker of their own: what they print is what the
// page shows. It takes some seconds, as everything that starts so many programs.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { literalBlocks, scriptOf } from '../support/man-examples.js'
import { Program } from '../support/program.js'
import { startTsmq, type TsmqProcess } from '../support/tsmq-process.js'

let broker: TsmqProcess
let folder: string

// One of each for each page: what one of them leaves behind is nothing to the next.
beforeEach(async () => {
  broker = await startTsmq()
  folder = mkdtempSync(join(tmpdir(), 'tsmq-examples-'))
  // The examples mean a broker on port 1883; a later -p of theirs counts.
  for (const name of ['tsmq-pub', 'tsmq-sub', 'tsmq-passwd']) {
    const port = name === 'tsmq-passwd' ? '' : `-p ${broker.port}`
    const file = join(folder, name)
    writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${resolve('bin', name)}' ${port} "$@"\n`)
    chmodSync(file, 0o755)
  }
})
afterEach(async () => {
  await broker.stop()
  rmSync(folder, { recursive: true })
})

/** ms for a session of dozens of programs. */
const PATIENCE = 120_000

/** Without the time of printing, and blanks at the ends of lines. */
function comparable(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[-+]\d{4}/g, '<time$1>')
    .replace(/\.\d{6}>/g, '.f>')
    .replace(/ +$/gm, '')
}

for (const page of ['tsmq-pub.1', 'tsmq-sub.1', 'tsmq-passwd.1'])
  test(`${page}: the session prints what it shows`, async () => {
    const sessions = literalBlocks(readFileSync(join('man', page), 'utf8')).filter((block) => /^\$ /m.test(block))
    const session = sessions.join('')
    assert.ok(session.split('\n').filter((line) => line.startsWith('$ ')).length >= 10)
    const PATH = `${folder}${delimiter}${process.env.PATH}`
    const shell = new Program('sh', ['-c', `exec 2>&1\n${scriptOf(session)}`], {
      cwd: folder,
      env: { PATH },
      input: '',
    })
    const { status, stdout } = await shell.end(PATIENCE)
    assert.equal(comparable(stdout), comparable(session))
    assert.equal(status, 0)
  })

test('tsmq.8: the $SYS topics are those that the broker publishes', async () => {
  const text = readFileSync(join('man', 'tsmq.8'), 'utf8')
  const section = /\n\.Ss The \$SYS topics\n([\s\S]*?)\n\.Ss /.exec(text)?.[1] ?? ''
  const listed = [...section.matchAll(/^\.It Li (.*)$/gm)].flatMap(([, names = '']) => names.split(' , '))
  const watch = new Program(join(folder, 'tsmq-sub'), ['-W', '1', '-F', '%t', '-t', '$SYS/#'])
  const { stdout } = await watch.end()
  const published = [...new Set(stdout.trimEnd().split('\n'))]
  // NAME and PACKET stand for many; what ends in dots is published when it happens.
  const patterns = listed
    .filter((name) => !name.endsWith('...'))
    .map((name) => new RegExp(`^\\$SYS/broker/${name.replace('NAME', '.+').replace('PACKET', '[a-z]+')}$`))
  assert.ok(patterns.length > 20)
  assert.deepEqual(
    published.filter((topic) => !patterns.some((pattern) => pattern.test(topic))),
    [],
  )
  assert.deepEqual(
    patterns.filter((pattern) => !published.some((topic) => pattern.test(topic))),
    [],
  )
})
