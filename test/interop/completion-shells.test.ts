// Completion as people meet it: what `--completion` prints, read by a real shell on a pseudo-terminal where Tab is pressed. The
// completed line calls a function by the name of the command, which shows the words it was given.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { killPrograms, Program } from '../support/program.js'
import { until } from '../support/until.js'
import { pathOf, suite } from './programs.js'

const COMMANDS = ['tsmq', 'tsmq-pub', 'tsmq-sub', 'tsmq-passwd'] as const
const PROMPT = 'READY> '
/** ms that a shell may take. */
const PATIENCE = 20_000
const folder = mkdtempSync(join(tmpdir(), 'tsmq-completion-'))

/** What is typed before Tab, and the words that the command gets. */
const cases: readonly (readonly [typed: string, words: readonly string[]])[] = [
  ['tsmq-pub --exit-m', ['--exit-mode']],
  ['tsmq-pub --exit-mode cl', ['--exit-mode', 'clean']],
  ['tsmq-pub -V 31', ['-V', '31']],
  ['tsmq-pub -t a -f payl', ['-t', 'a', '-f', 'payload.json']],
  ['tsmq-pub --cafile certificates/ro', ['--cafile', 'certificates/root.pem']],
  ['tsmq-pub -D publish content-type text/plain --ndj', ['-D', 'publish', 'content-type', 'text/plain', '--ndjson']],
  ['tsmq-sub --retain-handling al', ['--retain-handling', 'always']],
  ['tsmq-sub -t a --expect-n', ['-t', 'a', '--expect-none']],
  ['tsmq-passwd -H sha512-', ['-H', 'sha512-pbkdf2']],
  ['tsmq-passwd -D payl', ['-D', 'payload.json']],
  ['tsmq --test-', ['--test-config']],
]

before(() => {
  writeFileSync(join(folder, 'payload.json'), '')
  mkdirSync(join(folder, 'certificates'))
  writeFileSync(join(folder, 'certificates', 'root.pem'), '')
  for (const shell of ['bash', 'zsh', 'fish'])
    for (const command of COMMANDS) {
      const words = [resolve('bin', command), '--completion', shell]
      writeFileSync(join(folder, `${command}.${shell}`), execFileSync(process.execPath, words))
    }
  mkdirSync(join(folder, 'functions'))
  for (const command of COMMANDS) {
    const words = [resolve('bin', command), '--completion', 'zsh']
    writeFileSync(join(folder, 'functions', `_${command}`), execFileSync(process.execPath, words))
  }
})
after(() => {
  killPrograms()
  rmSync(folder, { recursive: true })
})

/** A shell on a terminal of its own. */
class Shell {
  private readonly program: Program

  constructor(command: string) {
    const env = { TERM: 'xterm', PS1: PROMPT, SHELL: '/bin/sh' }
    this.program = new Program('script', ['-qec', command, '/dev/null'], { cwd: folder, env })
  }

  /** What it has shown, without the sequences that move the cursor and the like. */
  private get text(): string {
    return this.program.stdout.replace(/\x1b(\[[0-9;?]*[a-zA-Z]|[=>])/g, '')
  }

  private ready(after: number): Promise<void> {
    const isReady = () => this.text.length > after && this.text.endsWith(PROMPT)
    return until(isReady, () => `a prompt in ${JSON.stringify(this.text.slice(after))}`, PATIENCE)
  }

  /** Types `text`, which ends a line, when the shell is ready. Resolves to what it shows until it is ready again. */
  async type(text: string): Promise<string> {
    await this.ready(0)
    const { length } = this.text
    this.program.write(text)
    await this.ready(length)
    return this.text.slice(length)
  }

  async end(): Promise<void> {
    this.program.write('exit\n')
    await this.program.end()
  }
}

const shown = (words: readonly string[]) => words.map((word) => `<${word}>`).join('')
/** Functions in place of the commands. */
const stubs = COMMANDS.map((command) => `function ${command} { printf '<%s>' "$@"; echo; }`).join('; ')

const starts: readonly (readonly [name: string, program: string, command: string, lines: readonly string[]])[] = [
  ['bash', 'bash', 'bash --norc --noprofile -i', COMMANDS.map((command) => `source ./${command}.bash`)],
  [
    'zsh, with source',
    'zsh',
    'zsh -f -i',
    ['autoload -U compinit && compinit -D -u', ...COMMANDS.map((command) => `source ./${command}.zsh`)],
  ],
  ['zsh, from $fpath', 'zsh', 'zsh -f -i', ['fpath=($PWD/functions $fpath); autoload -U compinit && compinit -D -u']],
]

for (const [name, program, command, lines] of starts) {
  const [title, options] = suite(name, [program, 'script'])
  describe(title, options, () => {
    let shell: Shell
    before(async () => {
      shell = new Shell(command.replace(program, pathOf(program)))
      for (const line of [`${stubs}; cd '${folder}'`, ...lines]) await shell.type(`${line}\n`)
    })
    after(() => shell.end())
    for (const [typed, words] of cases)
      test(`${typed} Tab: ${words.join(' ')}`, async () => {
        const text = await shell.type(`${typed}\t\n`)
        assert.ok(text.includes(shown(words)), text)
      })
  })
}

// What fish would offer, it tells itself.
describe(...suite('fish', ['fish']), () => {
  const sources = COMMANDS.map((command) => `source ./${command}.fish`).join('; ')
  for (const [typed, words] of cases)
    test(`${typed} Tab: ${words.join(' ')}`, () => {
      const line = `${sources}; complete -C '${typed}'`
      const text = execFileSync(pathOf('fish'), ['--no-config', '-c', line], { cwd: folder, encoding: 'utf8' })
      const offered = text.split('\n').map((each) => each.split('\t')[0])
      assert.ok(offered.includes(words.at(-1)), text)
    })
})
