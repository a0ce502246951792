// The options files of tsmq-pub and tsmq-sub (files.md section 5): which one is read, its lines, and what wins.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parseCommandLine, UsageError } from '../../src/options/command-line.js'
import { defaultOptionsFile, optionsOf } from '../../src/options/options-file.js'
import { pubOptions } from '../../src/options/pub-options.js'
import { subOptions } from '../../src/options/sub-options.js'

describe('lines', () => {
  const rows: readonly (readonly [content: string, words: readonly (readonly string[])[]])[] = [
    ['', []],
    ['-d', [['-d']]],
    ['-q 1\n-r\n', [['-q', '1'], ['-r']]],
    ['# comment\n\n-d\n', [['-d']]],
    ['  -h  host ', [['-h', ' host ']]],
    [' # no comment', [['#', 'no comment']]],
    ['-m\tx', [['-m\tx']]],
    ['-m a  b "c"', [['-m', 'a  b "c"']]],
    [
      '-h a\r\n-p 1\r\n',
      [
        ['-h', 'a'],
        ['-p', '1'],
      ],
    ],
    [`-m ${'x'.repeat(5000)}`, [['-m', 'x'.repeat(5000)]]],
  ]
  for (const [content, words] of rows)
    test(JSON.stringify(content.slice(0, 40)), () =>
      assert.deepEqual(
        optionsOf(Buffer.from(content), 'f').map((line) => line.words),
        words,
      ),
    )
  test('lines are numbered as in the file', () =>
    assert.deepEqual(
      optionsOf(Buffer.from('\n# x\n-d\n'), 'f').map(({ origin }) => origin),
      ['f:3'],
    ))
})

describe('with a command line', () => {
  const read = (file: string, argv: string) =>
    parseCommandLine(pubOptions, argv.split(' '), { earlier: () => optionsOf(Buffer.from(file), 'opts') })
  test('the command line comes later', () => {
    const { values, given } = read('-q 1\n-h there\n-u me', '-t a -m b -q 2')
    assert.deepEqual([values.qos, values.host, values.username, values.message], [2, 'there', 'me', 'b'])
    assert.deepEqual(given, ['qos', 'host', 'username', 'topic', 'message', 'qos'])
  })
  test('lists are joined, those of the file first', () => {
    const { values } = parseCommandLine(subOptions, ['-t', 'b'], { earlier: () => optionsOf(Buffer.from('-t a'), 'f') })
    assert.deepEqual(values.topic, ['a', 'b'])
  })
  test('a URL on the command line wins over a host in the file, and -p behind it over both', () => {
    const { values } = read('-h there\n-p 1', '-L mqtt://u:p@here:2/x -p 3 -m b')
    assert.deepEqual(
      [values.host, values.port, values.topic, values.username, values.password],
      ['here', 3, 'x', 'u', 'p'],
    )
  })
  const problems: readonly (readonly [file: string, argv: string, says: RegExp])[] = [
    ['-d\n-q 3', '-t a -m b', /^opts:2: -q must be between 0 and 2, not 3$/],
    ['--nonsense', '-t a -m b', /^opts:1: unknown option '--nonsense'$/],
    ['-d x', '-t a -m b', /^opts:1: unexpected word 'x'/],
    ['-D publish content-type text', '-t a -m b', /^opts:1: -D needs COMMAND NAME VALUE behind it$/],
    ['-h', '-t a -m b', /^opts:1: -h needs HOST behind it$/],
    ['-m a', '-t a -m b', /^only one of .* may be given, and once$/],
    ['-i a', '-t a -m b -I c', /^opts:1: -i and -I cannot be used together$/],
    ['-L mqtt://h', '-m b', /^opts:1: -L has no topic/],
  ]
  for (const [file, argv, says] of problems)
    test(`${JSON.stringify(file)} before ${argv}`, () =>
      assert.throws(
        () => read(file, argv),
        (error) => error instanceof UsageError && says.test(error.message),
      ))
})

describe('the default file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-options-'))
  after(() => rmSync(folder, { recursive: true }))
  const files = [
    'xdg/tsmq-pub',
    'xdg/mosquitto_pub',
    'old/mosquitto_pub',
    'home/.config/mosquitto_pub',
    'both/.config/tsmq-pub',
    'both/.config/mosquitto_pub',
  ]
  for (const file of files) {
    mkdirSync(join(folder, file, '..'), { recursive: true })
    writeFileSync(join(folder, file), '-d\n')
  }
  const rows: readonly (readonly [xdg: string | undefined, home: string | undefined, found: string | undefined])[] = [
    ['xdg', undefined, 'xdg/tsmq-pub'],
    ['old', undefined, 'old/mosquitto_pub'],
    ['none', 'home', undefined],
    [undefined, 'home', 'home/.config/mosquitto_pub'],
    ['', 'home', 'home/.config/mosquitto_pub'],
    [undefined, 'both', 'both/.config/tsmq-pub'],
    [undefined, undefined, undefined],
  ]
  for (const [xdg, home, found] of rows)
    test(`XDG_CONFIG_HOME ${xdg}, HOME ${home}: ${found}`, () => {
      const env = {
        ...(xdg !== undefined && { XDG_CONFIG_HOME: xdg && join(folder, xdg) }),
        ...(home !== undefined && { HOME: join(folder, home) }),
      }
      const file = defaultOptionsFile(['tsmq-pub', 'mosquitto_pub'], env)
      assert.equal(file, found && join(folder, found))
    })
})
