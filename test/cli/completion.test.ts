// The completion scripts: every flag is in them, and what bash would offer. Real shells read them in test/interop/completion-shells.test.ts.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { completionScript } from '../../src/options/completion.js'
import { passwdOptions } from '../../src/options/passwd-options.js'
import { pubOptions } from '../../src/options/pub-options.js'
import { subOptions } from '../../src/options/sub-options.js'
import { tsmqOptions } from '../../src/options/tsmq-options.js'

const tables = { tsmq: tsmqOptions, 'tsmq-pub': pubOptions, 'tsmq-sub': subOptions, 'tsmq-passwd': passwdOptions }
type Command = keyof typeof tables

const script = (shell: 'bash' | 'zsh' | 'fish', command: Command) =>
  completionScript(shell, command, tables[command], command === 'tsmq-passwd')
const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

/** What bash offers for the last of `words`. */
function offered(command: Command, words: readonly string[]): readonly string[] {
  const all = [command, ...words]
  const line = `${script('bash', command)}
compopt() { :; }
COMP_WORDS=(${all.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}
_${command.replaceAll('-', '_')}; printf '%s\\n' "\${COMPREPLY[@]}"`
  const text = execFileSync('bash', ['-c', line], { encoding: 'utf8', cwd: '/' })
  return text.split('\n').filter((word) => word !== '')
}

describe(`bash${has('bash') ? '' : ' (skipped: no bash)'}`, { skip: !has('bash') }, () => {
  const rows: readonly (readonly [command: Command, words: readonly string[], offers: readonly string[]])[] = [
    ['tsmq-pub', ['--exit-m'], ['--exit-mode']],
    ['tsmq-pub', ['--will-'], ['--will-topic', '--will-payload', '--will-qos', '--will-retain']],
    ['tsmq-pub', ['--exit-mode', ''], ['clean', 'will', 'abort']],
    ['tsmq-pub', ['-V', '3'], ['31', '311']],
    ['tsmq-pub', ['--tls-version', ''], ['tlsv1.2', 'tlsv1.3']],
    ['tsmq-pub', ['-m', '--'], []],
    ['tsmq-pub', ['--cafile', 'et'], ['etc']],
    ['tsmq-pub', ['-f', '/et'], ['/etc']],
    ['tsmq-sub', ['--retain-h'], ['--retain-handling']],
    ['tsmq-sub', ['--retain-handling', 'n'], ['new', 'never']],
    ['tsmq-passwd', ['-H', 'sha'], ['sha512-pbkdf2', 'sha512']],
    ['tsmq-passwd', ['-b', '/et'], ['/etc']],
    ['tsmq', ['--vers'], ['--version']],
  ]
  for (const [command, words, offers] of rows)
    test(`${command} ${words.join(' ')}: ${offers.join(' ')}`, () => assert.deepEqual(offered(command, words), offers))

  for (const command of Object.keys(tables) as Command[])
    test(`${command}: every flag that works is offered`, () => {
      const flags = tables[command]
        .filter((row) => !('later' in row && row.later) && !('refused' in row))
        .flatMap((row): readonly string[] => row.flags)
      assert.deepEqual([...offered(command, ['-'])].sort(), [...flags].sort())
    })
})

test('texts with quotes and brackets stay texts', () => {
  const row = { name: 'x', flags: ['-x', '--ex'], kind: 'text', args: ['A:B'], help: "it's [so]: \\" } as const
  assert.match(completionScript('zsh', 'c', [row]), /'\(-x --ex\)-x\[it'\\''s \\\[so\\\]\\: \\\\\]:A\\:B: '/)
  assert.match(completionScript('fish', 'c', [row]), /-s x -l ex -x -d 'it\\'s \[so\]: \\\\'/)
})
