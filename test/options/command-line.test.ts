// argv → values for the four commands (pub.md sections 1, 2, 3 and 10, sub.md section 1, passwd.md sections 1 and 2,
// broker-options.md section 1).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCommandLine, UsageError } from '../../src/options/command-line.js'
import { type Flag, hasValue } from '../../src/options/option.js'
import { passwdOptions } from '../../src/options/passwd-options.js'
import { pubOptions } from '../../src/options/pub-options.js'
import { subOptions } from '../../src/options/sub-options.js'
import { tsmqOptions } from '../../src/options/tsmq-options.js'

const tables: Readonly<Record<string, readonly Flag[]>> = {
  pub: pubOptions,
  sub: subOptions,
  passwd: passwdOptions,
  tsmq: tsmqOptions,
}

/** The command and its words, separated by spaces unless a list; the values given, or the message. */
type Case = readonly [
  command: string,
  argv: string | readonly string[],
  expected: Readonly<Record<string, unknown>> | string,
]

const cases: readonly Case[] = [
  ['pub', '', {}],
  ['pub', '-t a -m b', { topic: 'a', message: 'b' }],
  ['pub', '--topic a --message b', { topic: 'a', message: 'b' }],
  ['pub', '--topic=a --message=b', { topic: 'a', message: 'b' }],
  ['pub', '--message=', { message: '' }],
  ['pub', '--message==b=', { message: '=b=' }],
  ['pub', ['-m', ''], { message: '' }],
  ['pub', '-m -5', { message: '-5' }],
  ['pub', '-m --help', { message: '--help' }],
  ['pub', '-m -- -t -t', { message: '--', topic: '-t' }],
  ['pub', '-t __proto__ -m constructor', { topic: '__proto__', message: 'constructor' }],
  ['pub', ['-m', '"{"'], { message: '"{"' }],
  ['pub', ['-m', '"quoted"'], { message: '"quoted"' }],
  ['pub', ["--message='quoted'"], { message: "'quoted'" }],
  ['pub', ['-m', ' a\nb '], { message: ' a\nb ' }],
  ['pub', '-m 007', { message: '007' }],
  ['pub', '-m true -u 1e3 -P 0x10', { message: 'true', username: '1e3', password: '0x10' }],
  ['pub', '-u a.b --will-topic x.y', { username: 'a.b', will_topic: 'x.y' }],
  ['pub', '-m b -m c', 'only one of -f -l -m -n -s --ndjson --replay may be given, and once'],
  ['pub', '-m b -n', 'only one of -f -l -m -n -s --ndjson --replay may be given, and once'],
  ['pub', '-l -s', 'only one of -f -l -m -n -s --ndjson --replay may be given, and once'],
  ['pub', '-f x', { file: 'x' }],
  ['pub', '--ndjson', { ndjson: '-' }],
  ['pub', '--ndjson -', { ndjson: '-' }],
  ['pub', '--ndjson x -t a', { ndjson: 'x', topic: 'a' }],
  ['pub', '--ndjson -t a', { ndjson: '-', topic: 'a' }],
  ['pub', '--ndjson=-x', { ndjson: '-x' }],
  ['pub', ['-f', ''], '-f must not be empty'],
  ['pub', '-t a -t b', { topic: 'b' }],
  ['pub', ['-t', ''], '-t must not be empty'],
  ['pub', '-p 1884 --port 1885', { port: 1885 }],
  ['pub', '-p 65536', '-p must be between 0 and 65535, not 65536'],
  ['pub', '-p 1883x', "-p must be a whole number, not '1883x'"],
  ['pub', ['-p', ''], '-p needs a value'],
  ['pub', '-p x -p 1883', "-p must be a whole number, not 'x'"],
  ['pub', '-p 0', { port: 0 }],
  ['pub', '--port=-1', '--port must be between 0 and 65535, not -1'],
  ['pub', '-q 0 -q 2', { qos: 2 }],
  ['pub', '--qos 3', '--qos must be between 0 and 2, not 3'],
  ['pub', '--will-topic w --will-qos 3', '--will-qos must be between 0 and 2, not 3'],
  ['pub', '--will-qos 1', { will_qos: 1 }],
  ['pub', '--will-topic w --will-payload p --will-retain', { will_topic: 'w', will_payload: 'p', will_retain: true }],
  ['pub', '--will-payload p', '--will-payload needs --will-topic too'],
  ['pub', '--will-retain', '--will-retain needs --will-topic too'],
  ['pub', '-k 5', { keepalive: 5 }],
  ['pub', '-k 65535', { keepalive: 65_535 }],
  ['pub', '-k 4', '-k must be between 5 and 65535, not 4'],
  ['pub', '-k 65536', '-k must be between 5 and 65535, not 65536'],
  ['pub', '-M 1', { max_inflight: 1 }],
  ['pub', '-M 0', '-M must be between 1 and 65535, not 0'],
  ['pub', '--repeat 1 --repeat-delay 0.5', { repeat: 1, repeat_delay: 0.5 }],
  ['pub', '--repeat 0', '--repeat must be at least 1, not 0'],
  ['pub', '--repeat-delay -0.1', '--repeat-delay must be at least 0, not -0.1'],
  ['pub', '-V mqttv5', { protocol_version: 5 }],
  ['pub', '-V 31 -V 311', { protocol_version: 4 }],
  ['pub', '-V 3', "-V must be one of 31, 311, 5, mqttv31, mqttv311, mqttv5, not '3'"],
  ['pub', '-x 0x10', { session_expiry: 16 }],
  ['pub', '-x -1', { session_expiry: 4_294_967_295 }],
  ['pub', '-x ∞', { session_expiry: 4_294_967_295 }],
  ['pub', '-x 1s', "-x must be a whole number, not '1s'"],
  ['pub', '-x -2', '-x must be between 0 and 4294967295, not -2'],
  ['pub', '-i a -c', { id: 'a', disable_clean_session: true }],
  ['pub', '-c', '-c needs --id too'],
  ['pub', '-I a', { id_prefix: 'a' }],
  ['pub', '-i a -I b', '-i and -I cannot be used together'],
  ['pub', '--id-prefix b --id a', '--id and --id-prefix cannot be used together'],
  ['pub', ['-i', ''], '-i must not be empty'],
  ['pub', '-r -d --quiet', { retain: true, debug: true, quiet: true }],
  ['pub', '--quiet --quiet', { quiet: true }],
  ['pub', '--quiet=1', '--quiet takes no value'],
  [
    'pub',
    '-D publish content-type text/plain -D Connect USER-PROPERTY Key Value -m a',
    {
      property: [
        { command: 'publish', property: 'content-type', values: ['text/plain'] },
        { command: 'connect', property: 'user-property', values: ['Key', 'Value'] },
      ],
      message: 'a',
    },
  ],
  [
    'pub',
    ['-D', 'publish', 'content-type', ''],
    { property: [{ command: 'publish', property: 'content-type', values: [''] }] },
  ],
  [
    'pub',
    '--property=publish content-type -x',
    { property: [{ command: 'publish', property: 'content-type', values: ['-x'] }] },
  ],
  ['pub', '-D publish', '-D needs COMMAND NAME VALUE behind it'],
  ['pub', '-D publish content-type', '-D needs COMMAND NAME VALUE behind it'],
  ['pub', '-D publish user-property a', '-D needs COMMAND NAME VALUE VALUE behind it'],
  ['pub', '-m', '-m needs MESSAGE behind it'],
  ['pub', '-t a -h', '-h needs HOST behind it'],
  ['pub', '--help -t', { help: true }],
  ['pub', '--version --nonsense', { version: true }],
  ['pub', '-p x --help', "-p must be a whole number, not 'x'"],
  ['pub', '--will-retain --help', { will_retain: true, help: true }],
  ['pub', '--nonsense --help', "unknown option '--nonsense'"],
  ['pub', 'word', "unexpected word 'word': the value of an option stands behind its flag"],
  ['pub', '-', "unknown option '-'"],
  ['pub', '--', "unknown option '--'"],
  ['pub', '-p1884', "unknown option '-p1884'; did you mean -p 1884?"],
  ['pub', '-t=a', "unknown option '-t=a'; did you mean -t a?"],
  ['pub', '--topics a', "unknown option '--topics'; did you mean --topic?"],
  ['pub', '--mesage=b', "unknown option '--mesage=b'; did you mean --message?"],
  ['pub', '-message b', "unknown option '-message'; did you mean --message?"],
  ['pub', '-H a', "unknown option '-H'; did you mean -h?"],
  ['pub', '-\x1b[31m', "unknown option '-\\x1b[31m'"],
  ['pub', '-C 1', "unknown option '-C'; did you mean -c?"],
  ['pub', '--cafile x', { cafile: 'x' }],
  ['pub', '--cafile=', '--cafile must not be empty'],
  [
    'pub',
    '-h x -p 1 -t y -L mqtt://u:p@h/t',
    { url: 'mqtt://u:p@h/t', host: 'h', port: 1883, topic: 't', username: 'u', password: 'p' },
  ],
  ['pub', '-L mqtt://h/t -h x -t y', { url: 'mqtt://h/t', host: 'x', port: 1883, topic: 'y' }],
  ['pub', '-L mqtt://h', '-L has no topic: it stands behind the host, after a slash'],
  ['sub', '-t a --url mqtt://h/b', { topic: ['a', 'b'], url: 'mqtt://h/b', host: 'h', port: 1883 }],
  ['pub', '--unix /s', { unix: '/s', host: '/s', port: 0 }],
  ['pub', '--unix /s -h x -p 2', { unix: '/s', host: 'x', port: 2 }],
  ['pub', ['-t', 'a\udce9'], '-t must be UTF-8'],
  ['pub', ['-u', '\udce9'], '-u must be UTF-8'],
  ['pub', ['-f', '\udce9'], '-f must be UTF-8'],
  ['pub', ['-m', '\udce9', '-P', '\udce9'], { message: '\udce9', password: '\udce9' }],
  ['pub', '--exit-codes -x', { exit_codes: true }],
  ['pub', '--completion fish', { completion: 'fish' }],
  ['pub', '--completion tcsh', "--completion must be one of bash, zsh, fish, not 'tcsh'"],
  ['pub', '--rr', '--rr needs -e too'],
  ['pub', '--tls-engine x', '--tls-engine is not supported: OpenSSL engines do not work here: give the key with --key'],
  ['sub', '-t a -t b/# -q 1 -t c', { topic: ['a', 'b/#', 'c'], qos: 1 }],
  ['sub', '-T a -T b -U c', { filter_out: ['a', 'b'], unsubscribe: ['c'] }],
  [
    'sub',
    '-v -N -E -R --pretty',
    { verbose: true, no_newline: true, exit_after_subscribe: true, skip_retained: true, pretty: true },
  ],
  ['sub', '-C 1 -W 1', { count: 1, timeout: 1 }],
  ['sub', '-C 0', '-C must be at least 1, not 0'],
  ['sub', '-W 0', '-W must be at least 1, not 0'],
  ['sub', ['-F', '%t %p'], { format: '%t %p' }],
  ['sub', '-m a', "unknown option '-m'; did you mean -M?"],
  ['sub', '--retained-only', { retained_only: true }],
  ['sub', '--summary', { summary: 0 }],
  ['sub', '--summary -t a', { summary: 0, topic: ['a'] }],
  ['sub', '--summary 5', { summary: 5 }],
  ['sub', '--summary=5', { summary: 5 }],
  ['sub', '-t a --exec sh -c -t', { topic: ['a'], exec: 'sh' }],
  ['sub', '--exec x --exec-jobs 2 --exec-ack -t a', { exec: 'x', exec_jobs: 2, exec_ack: true }],
  ['sub', '--exec x -- --exec-ack', { exec: 'x' }],
  ['tsmq', '', {}],
  ['tsmq', '-p 1883 -p 0 -v', { port: [1883, 0], verbose: true }],
  ['tsmq', '-p 65536', '-p must be between 0 and 65535, not 65536'],
  ['tsmq', Array.from({ length: 10 }, () => ['-p', '1']).flat(), { port: Array.from({ length: 10 }, () => 1) }],
  ['tsmq', Array.from({ length: 11 }, () => ['-p', '1']).flat(), '-p may be given 10 times at most'],
  ['tsmq', '-c a --config-file b', { config_file: ['a', 'b'] }],
  ['tsmq', '-c', '-c needs FILE behind it'],
  ['tsmq', '--test-config', '--test-config needs --config-file too'],
  ['tsmq', '--test-config -c a', { test_config: true, config_file: ['a'] }],
  ['tsmq', '-h -x', { help: true }],
  ['tsmq', '--tls-keylog k', { tls_keylog: 'k' }],
  ['tsmq', 'run', "unexpected word 'run': the value of an option stands behind its flag"],
  ['passwd', '-b -c', { batch: true, create: true }],
  ['passwd', '-H argon2id --cost 12 -I 5', { hash: 'argon2id', cost: 12, iterations: 5 }],
  ['passwd', '-H md5', "-H must be one of bcrypt, argon2id, sha512-pbkdf2, sha512, not 'md5'"],
  ['passwd', ['-H', 'bcrypt x'], "-H takes one word a line: 'x' behind bcrypt is ignored"],
  ['passwd', '-I 0', '-I must be between 1 and 5000000, not 0'],
  ['passwd', '--cost 3', '--cost must be between 4 and 16, not 3'],
  ['passwd', '-c -D', '-c and -D cannot be used together'],
  ['passwd', '-U -c', '-c and -U cannot be used together'],
  ['passwd', '-D -U', '-D and -U cannot be used together'],
  ['passwd', '-b -D', '-D and -b cannot be used together'],
]

for (const [command, argv, expected] of cases) {
  const words = typeof argv === 'string' ? argv.split(' ').filter((word) => word !== '') : argv
  test(`tsmq-${command} ${words.length > 12 ? `${words.length} words` : JSON.stringify(words)}`, () => {
    const table = tables[command] ?? []
    if (typeof expected === 'string') {
      assert.throws(() => parseCommandLine(table, words), new UsageError(expected))
      return
    }
    const { values } = parseCommandLine(table, words)
    assert.deepEqual(values, { ...parseCommandLine(table, []).values, ...expected })
  })
}

test('without arguments everything has its default', () => {
  const { values, given, operands } = parseCommandLine(subOptions, [])
  assert.deepEqual([given, operands], [[], []])
  assert.equal(values.host, 'localhost')
  assert.equal(values.keepalive, 60)
  assert.equal(values.qos, 0)
  assert.equal(values.max_inflight, 20)
  assert.equal(values.protocol_version, undefined)
  assert.deepEqual(values.topic, [])
  assert.equal(values.verbose, false)
})

test('the order of the options is kept', () => {
  const { given } = parseCommandLine(subOptions, ['-t', 'a', '-q', '1', '-t', 'b', '-V', '5', '-q', '0'])
  assert.deepEqual(given, ['topic', 'qos', 'topic', 'protocol_version', 'qos'])
})

const operandCases: readonly (readonly [argv: string, values: object, operands: readonly string[]])[] = [
  ['file user', {}, ['file', 'user']],
  ['-b file user -p', { batch: true }, ['file', 'user', '-p']],
  ['-c - user', { create: true }, ['-', 'user']],
  ['file -b user', {}, ['file', '-b', 'user']],
  ['file --help', {}, ['file', '--help']],
  ['-H sha512 file', { hash: 'sha512' }, ['file']],
]

for (const [argv, expected, operands] of operandCases)
  test(`tsmq-passwd ${argv}, with operands`, () => {
    const line = parseCommandLine(passwdOptions, argv.split(' '), { operands: true })
    assert.deepEqual(line.operands, operands)
    assert.deepEqual(line.values, { ...parseCommandLine(passwdOptions, []).values, ...expected })
  })

for (const [argv, operands] of [
  ['-t a --exec cat', []],
  ['-t a --exec sh -c -t', ['-c', '-t']],
  ['-t a --exec ./x --exec-jobs 2 --exec-ack', []],
  ['--exec=./x --exec-jobs=2 y --exec-ack', ['y', '--exec-ack']],
  ['--exec x -- --exec-ack', ['--exec-ack']],
] as const)
  test(`tsmq-sub ${argv}: what stands behind the program is its own`, () => {
    assert.deepEqual(parseCommandLine(subOptions, argv.split(' ')).operands, operands)
  })

test('an unknown option before the operands is still an error', () => {
  assert.throws(() => parseCommandLine(passwdOptions, ['-x', 'file'], { operands: true }), /unknown option '-x'/)
})

for (const [command, table] of Object.entries(tables)) {
  test(`tsmq-${command}: no flag stands in two rows, and rows name others that exist`, () => {
    const flags = table.flatMap((row) => row.flags)
    assert.equal(new Set(flags).size, flags.length)
    const names = table.map((row) => row.name)
    assert.equal(new Set(names).size, names.length)
    for (const row of table)
      for (const other of [...(row.excludes ?? []), ...(row.needs ?? [])]) assert.ok(names.includes(other), other)
  })

  for (const row of table.filter((each) => hasValue(each)))
    for (const flag of row.flags)
      test(`tsmq-${command} ${flag} takes ${row.args?.length ?? 0} words`, () => {
        const words = row.args?.map(
          (_, at) =>
            (row.words ?? { float: ['1'], decimal: ['5'], url: ['mqtt://h/t'] }[row.kind as 'float'] ?? ['5'])[at] ??
            '5',
        )
        assert.equal(row.args === undefined, row.kind === 'flag')
        const alone = { ...row, needs: [], min: 0, max: Number.MAX_SAFE_INTEGER }
        assert.deepEqual(parseCommandLine([alone], [flag, ...(words ?? [])]).given, [row.name])
        if (words && row.leftOut === undefined)
          assert.throws(() => parseCommandLine([alone], [flag, ...words.slice(1)]), /behind it$/)
      })
}

/** pub.md sections 2 and 3, sub.md section 1, with the options of request and response in `pub`. */
const PUB = `-A -c --disable-clean-session -d --debug -D --property -h --host -i --id -I --id-prefix -k --keepalive -L --url -M -o -p
  --port -P --pw -q --qos -S -u --username -V --protocol-version -x --cafile --capath --cert --key --ciphers --help --version
  --insecure --keyform --no-tls --nodelay --proxy --psk --psk-identity --quiet --tls-alpn --tls-engine --tls-engine-kpass-sha1
  --tls-keylog --tls-use-os-certs --tls-version --unix --will-topic --will-payload --will-qos --will-retain --ws -f --file -l
  --stdin-line -m --message -n --null-message -s --stdin-file -r --retain --repeat --repeat-delay -t --topic`
const SUB = `-t --topic -U --unsubscribe -C -E -F -N -R -T --filter-out -v --verbose -W -w --watch --message-rate --pretty
  --random-filter --remove-retained --retain-as-published --retain-handling --retained-only`

test('every flag of mosquitto_pub, mosquitto_sub and mosquitto_rr is known', () => {
  const missing = (table: readonly Flag[], flags: string) =>
    flags.split(/\s+/).filter((flag) => !table.some((row) => row.flags.includes(flag)))
  assert.deepEqual(missing(pubOptions, PUB), [])
  assert.deepEqual(missing(subOptions, SUB), [])
  const shared = PUB.slice(0, PUB.indexOf('-f --file'))
  assert.deepEqual(missing(subOptions, shared.trim()), [])
  assert.deepEqual(
    missing(pubOptions, '-e -F -N -R -v --verbose -W --latency --pretty --retain-as-published --retain-handling'),
    [],
  )
})
