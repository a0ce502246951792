// ${NAME} in values: what is replaced, what is left, and what is an error with its place. Then which files hold secrets, and where
// the directives of a listener stand.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readConfFile } from '../../src/options/conf-file.js'
import { firstVariable, substituteVariables } from '../../src/options/environment.js'

const env = { PORT: '1884', EMPTY: '', _a1: 'x', NESTED: '$' + '{PORT}', toString: undefined }
/** Written with a placeholder, because the linter takes the sign for a mistake. */
const text = (written: string) => written.replaceAll('§', '$')

const substitutions = [
  { written: 'plain', value: 'plain' },
  { written: '§{PORT}', value: '1884' },
  { written: 'a§{PORT}b§{_a1}', value: 'a1884bx' },
  { written: '§{EMPTY}', value: '' },
  { written: '§{NESTED}', value: '§{PORT}' },
  { written: '§§{PORT}', value: '§{PORT}' },
  { written: '§PORT §( §', value: '§PORT §( §' },
  { written: '{PORT}', value: '{PORT}' },
  { written: '§{GONE}', problem: /GONE, which is not set/ },
  { written: '§{constructor}', problem: /constructor, which is not set/ },
  { written: '§{toString}', problem: /toString, which is not set/ },
  { written: '§{PORT', problem: /'\$\{PORT' .*not \$\{NAME\}/ },
  { written: '§{}', problem: /not \$\{NAME\}/ },
  { written: '§{1a}', problem: /not \$\{NAME\}/ },
  { written: '§{A B}', problem: /not \$\{NAME\}/ },
  { written: '§{GONE}§{PORT', problem: /GONE/ },
]

for (const { written, value, problem } of substitutions)
  test(`${text(written)} becomes ${value ?? 'an error'}`, () => {
    const result = substituteVariables(text(written), env)
    if ('problem' in result) assert.match(result.problem, problem ?? /^$/)
    else assert.equal(result.value, text(value ?? 'an error'))
  })

test('the first variable in a text', () => {
  assert.equal(firstVariable(text('a §{B} §{C}')), text('§{B}'))
  assert.equal(firstVariable(text('§B §{} §{1}')), undefined)
})

describe('in a configuration file', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsmq-env-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  function read(conf: string, variables?: Readonly<Record<string, string>>) {
    const file = join(folder, 'conf')
    writeFileSync(file, text(conf))
    const config = readConfFile(file, variables === undefined ? {} : { env: variables })
    const plain = (errors: readonly Error[]) => errors.map(({ message }) => message.replaceAll(`${folder}/`, ''))
    return { config, problems: plain(config.problems), warnings: plain(config.warnings) }
  }

  test('values of every kind, listeners and folders are replaced', () => {
    const conf = 'listener §{PORT} §{HOST}\nmax_qos §{QOS}\npid_file /run/§{NAME}.pid\ninclude_dir §{WHERE}\n# §{NO}\n'
    const { config, problems } = read(conf, { PORT: '7', HOST: '::1', QOS: '1', NAME: 'mq', WHERE: folder })
    assert.deepEqual(problems, [])
    const [listener] = config.listeners
    assert.deepEqual([listener?.port, listener?.bind_address, listener?.max_qos], [7, '::1', 1])
    assert.equal(config.pid_file, '/run/mq.pid')
  })

  test('a name that is not set is an error with its place, and so is a value that does not fit', () => {
    const { problems } = read('listener 1883\nmax_qos §{QOS}\nmax_qos §{BAD}\nmax_qos §{QOS\n', { BAD: 'x' })
    assert.deepEqual(problems, [
      'conf:2: max_qos needs the environment variable QOS, which is not set',
      "conf:3: max_qos must be a whole number, not 'x'",
      text("conf:4: max_qos has '§{QOS' in it, which is not §{NAME}"),
    ])
  })

  test('a variable brings no second line', () => {
    const { problems } = read('pid_file §{X}\n', { X: 'a\nallow_anonymous true' })
    assert.deepEqual(problems, ['conf:1: pid_file must not contain control characters'])
  })

  test('without --env it stands for itself, which a warning says', () => {
    const { config, problems, warnings } = read('pid_file §{HOME}/pid\n')
    assert.deepEqual([problems, config.pid_file], [[], text('§{HOME}/pid')])
    assert.deepEqual(warnings, [text('conf:1: pid_file has §{HOME} in it, which stands for itself without --env')])
  })

  test('files with passwords in them are known, others are not', () => {
    assert.equal(read('listener 1883\n').config.secretFiles.size, 0)
    const { config } = read('connection b\naddress localhost\ntopic # in\nremote_password secret\n')
    assert.deepEqual([...config.secretFiles], [join(folder, 'conf')])
  })

  test('the place of each directive of a listener', () => {
    const { config } = read('listener 1\nmax_qos 1\nlistener 2\n\nmax_qos 2\nmax_qos 0\n')
    assert.deepEqual(
      config.listeners.map(({ positions }) => positions.get('max_qos')?.line),
      [2, 6],
    )
  })

  const ignored = [
    { conf: 'log_facility 3\nlog_dest stderr\n', line: 1, warning: 'log_facility needs log_dest syslog' },
    { conf: 'log_facility 3\nlog_dest syslog\n' },
    { conf: 'log_timestamp false\nlog_timestamp_format %s\n', line: 2, warning: 'needs log_timestamp true' },
    { conf: 'log_timestamp_format %s\n' },
    { conf: 'packet_buffer_size 100\nlistener 1\n', line: 1, warning: 'needs protocol websockets' },
    { conf: 'packet_buffer_size 100\nlistener 1\nprotocol websockets\n' },
    { conf: 'psk_file x\nlistener 1\n', line: 1, warning: 'psk_file needs psk_hint' },
    { conf: 'psk_file x\nlistener 1\npsk_hint h\n' },
    { conf: 'listener 1\nwebsockets_origin x\n', line: 1, warning: 'websockets_origin needs protocol websockets' },
  ]
  for (const { conf, line, warning } of ignored)
    test(`${JSON.stringify(conf)}: ${warning ?? 'has an effect'}`, () => {
      const { warnings, problems } = read(conf)
      assert.deepEqual(problems, [])
      if (warning === undefined) assert.deepEqual(warnings, [])
      else {
        assert.equal(warnings.length, 1)
        assert.ok(warnings[0]?.startsWith(`conf:${line}: `) && warnings[0].includes(warning), warnings[0])
      }
    })
})
