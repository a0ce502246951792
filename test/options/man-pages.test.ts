// The manual pages against what they describe: the lists made from the tables, the exit statuses, the files in the examples, and
// mandoc's opinion of the markup.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parseAclFile } from '../../src/access/acl-file.js'
import { EXIT_STATUS } from '../../src/cli/exit.js'
import { exitStatuses } from '../../src/cli/exit-statuses.js'
import { readConfFile } from '../../src/options/conf-file.js'
import { literalBlocks } from '../support/man-examples.js'
import { manLists, withLists } from '../support/man-lists.js'

const folder = resolve('man')
const pages = readdirSync(folder).sort()

function read(page: string): string {
  return readFileSync(join(folder, page), 'utf8')
}

test('the pages are those that have lists, and are installed with the package', () => {
  assert.deepEqual(pages, Object.keys(manLists).sort())
  const { man } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly man: readonly string[] }
  assert.deepEqual([...man].sort(), pages.map((page) => `man/${page}`).sort())
})

for (const page of pages) {
  test(`${page}: the lists are those of the tables (npm run man writes them)`, () => {
    const text = read(page)
    assert.equal(text, withLists(page, text))
    const marked = [...text.matchAll(/^\.\\" (\w+): made from the tables/gm)].map(([, name]) => name)
    assert.deepEqual(marked.sort(), Object.keys(manLists[page] ?? {}).sort())
  })

  test(`${page}: plain ASCII without blanks at the ends of lines`, () => {
    assert.doesNotMatch(read(page), /[^\n\x20-\x7e]/)
    assert.doesNotMatch(read(page), / $/m)
  })
}

/** Which source files decide with which statuses a command ends; codes of the broker are passed on beside them. */
const deciders: Readonly<Record<string, RegExp>> = {
  'tsmq.8': /^(tsmq-command|acl-command|private-broker)\.ts$/,
  'tsmq-passwd.1': /^tsmq-passwd-.*\.ts$/,
}

for (const [page, files] of Object.entries(deciders))
  test(`${page}: the exit statuses are those the command ends with`, () => {
    const section = /\n\.Sh EXIT STATUS\n([\s\S]*?)\n\.Sh /.exec(read(page))?.[1] ?? ''
    const documented = [...section.matchAll(/^\.It (\d+)$/gm)].map(([, number]) => Number(number))
    const used = readdirSync('src/cli')
      .filter((file) => files.test(file))
      .flatMap((file) => [...readFileSync(join('src/cli', file), 'utf8').matchAll(/EXIT_STATUS\.(\w+)/g)])
      .map(([, name]) => EXIT_STATUS[name as keyof typeof EXIT_STATUS])
    assert.deepEqual(
      documented,
      [...new Set(used)].sort((a, b) => a - b),
    )
  })

/** Ended by signals: 128 and their number. */
const bySignal: readonly number[] = [130, 143]

test('every exit status of the table is one that a command ends with', () => {
  const code = readdirSync('src/cli')
    .map((file) => readFileSync(join('src/cli', file), 'utf8'))
    .join('\n')
  const unused = exitStatuses.filter(
    ({ name, status }) => !bySignal.includes(status) && !code.includes(`EXIT_STATUS.${name}`),
  )
  assert.deepEqual(unused, [])
})

test('tsmq.conf.5: the broker reads the configuration and the ACL of the example without a complaint', () => {
  const [conf = '', acl = ''] = literalBlocks(read('tsmq.conf.5'))
  const base = mkdtempSync(join(tmpdir(), 'tsmq-man-'))
  try {
    writeFileSync(join(base, 'tsmq.conf'), conf)
    const config = readConfFile(join(base, 'tsmq.conf'))
    assert.deepEqual([...config.problems, ...config.warnings], [])
    assert.deepEqual(
      config.listeners.map(({ port, protocol }) => [port, protocol]),
      [
        [1883, 'mqtt'],
        [9001, 'websockets'],
      ],
    )
    const { rules, problems } = parseAclFile(Buffer.from(acl))
    assert.deepEqual(problems, [])
    assert.deepEqual([rules.patterns.length, [...rules.users.keys()]], [2, ['dashboard']])
  } finally {
    rmSync(base, { recursive: true })
  }
})

const hasMandoc = spawnSync('mandoc', ['-T', 'lint'], { input: '' }).error === undefined
const isCi = process.env.CI === 'true'
const lints = hasMandoc || isCi
const lintReason = lints ? '' : ' (skipped: mandoc is not installed)'
test(`mandoc finds nothing to warn of${lintReason}`, { skip: !lints }, () => {
  const files = pages.map((page) => join(folder, page))
  const { status, stdout, error } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', ...files], { encoding: 'utf8' })
  assert.equal(error, undefined)
  assert.deepEqual({ status, stdout }, { status: 0, stdout: '' })
})
for (const page of ['tsmq-pub.1', 'tsmq-sub.1', 'tsmq-passwd.1'])
  test(`${page}: nothing against its style either${lintReason}`, { skip: !lints }, () => {
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', join(folder, page)], { encoding: 'utf8' })
    // Neither the other pages of this package nor those of the system need be installed.
    const found = stdout.split('\n').filter((line) => line !== '' && !/manual not found|mandoc\.db/.test(line))
    assert.deepEqual(found, [])
  })
