// The reader of mosquitto.conf: syntax, contexts, include_dir (broker-options.md section 5).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfFile } from '../../src/options/conf-file.js'
import type { Config, ListenerConfig } from '../../src/options/config.js'
import { ConfigError } from '../../src/options/config.js'
import type { PluginConfig } from '../../src/options/plugin-config.js'
import { readFiles, readText } from './conf-text.js'

const NAMES = [
  'debug',
  'error',
  'warning',
  'notice',
  'information',
  'subscribe',
  'unsubscribe',
  'websockets',
  'internal',
]

/** Text of a file, and what it results in: values, problems and warnings, all of them. */
const snippets: readonly {
  readonly name: string
  readonly conf: string | Uint8Array
  readonly values?: Partial<Config>
  readonly listener?: Partial<ListenerConfig>
  readonly plugins?: readonly Omit<PluginConfig, 'folder' | 'where'>[]
  readonly problems?: readonly string[]
  readonly warnings?: readonly string[]
}[] = [
  { name: 'an empty file', conf: '' },
  { name: 'comments and blank lines', conf: '# a\n#b c\n\n   \n\t\n#\n' },
  {
    name: 'a comment in Latin-1',
    conf: Buffer.from('# caf\xe9\nmax_keepalive 7\n', 'latin1'),
    values: { max_keepalive: 7 },
  },
  { name: 'no newline at the end', conf: 'max_keepalive 7', values: { max_keepalive: 7 } },
  {
    name: 'CRLF',
    conf: 'max_keepalive 7\r\nclientid_prefixes a b\r\n\r\n',
    values: { clientid_prefixes: 'a b' },
    warnings: ['conf:2: clientid_prefixes is deprecated: use acl_file with patterns, or user names'],
  },
  { name: 'a byte order mark', conf: '\ufeffmax_keepalive 7\n', values: { max_keepalive: 7 } },
  {
    name: 'spaces before the name and before the value',
    conf: '   max_keepalive    7\n',
    values: { max_keepalive: 7 },
  },
  {
    name: 'a line longer than any buffer',
    conf: `acl_file ${'x'.repeat(60_000)}\n`,
    values: { acl_file: 'x'.repeat(60_000) },
  },
  {
    name: '# in a text is data',
    conf: 'password_file /etc/pw # not a comment\n',
    values: { password_file: '/etc/pw # not a comment' },
  },
  { name: 'quotes are data', conf: 'password_file "/etc/pw"\n', values: { password_file: '"/etc/pw"' } },
  {
    name: 'what is behind a boolean or number is not read',
    conf: 'retain_available false # no\nmax_keepalive 7 s\n',
    values: { retain_available: false, max_keepalive: 7 },
  },
  { name: 'an indented comment', conf: '  # a\n', problems: ['conf:1: a comment must begin in the first column'] },
  {
    name: 'a TAB instead of a space',
    conf: 'max_keepalive\t7\n',
    problems: ['conf:1: a TAB does not end a name: put a space between name and value'],
  },
  {
    name: 'a TAB before the name',
    conf: '\tmax_keepalive 7\n',
    problems: ['conf:1: a TAB does not end a name: put a space between name and value'],
  },
  {
    name: 'a NUL byte',
    conf: 'max_keepalive 7\nsys_\0interval 7\nmax_keepalive 8\n',
    values: { max_keepalive: 8 },
    problems: ['conf:2: contains a NUL byte'],
  },
  { name: 'a NUL byte in a comment', conf: '# \0\n', problems: ['conf:1: contains a NUL byte'] },
  {
    name: 'bytes that are not UTF-8',
    conf: Buffer.from('password_file caf\xe9\n', 'latin1'),
    problems: ['conf:1: is not valid UTF-8'],
  },
  {
    name: 'a name alone',
    conf: 'max_keepalive\nacl_file\nallow_anonymous \nlistener\n',
    problems: [
      'conf:1: max_keepalive needs a value',
      'conf:2: acl_file needs a value',
      'conf:3: allow_anonymous needs a value',
      'conf:4: listener needs a value',
    ],
  },
  {
    name: 'a misspelt name',
    conf: 'max_inflght_messages 7\nalow_anonymous true\nMax_QoS 1\nxyzzy 1\n',
    problems: [
      'conf:1: unknown option max_inflght_messages; did you mean max_inflight_messages?',
      'conf:2: unknown option alow_anonymous; did you mean allow_anonymous?',
      'conf:3: unknown option Max_QoS; did you mean max_qos?',
      'conf:4: unknown option xyzzy',
    ],
  },
  {
    name: 'names of object properties',
    conf: 'constructor 1\n__proto__ 1\ntoString 1\n',
    problems: [
      'conf:1: unknown option constructor',
      'conf:2: unknown option __proto__',
      'conf:3: unknown option toString',
    ],
  },
  {
    name: 'every problem is told, and the rest is read',
    conf: 'max_keepalive x\nsys_interval 5\nmax_packet_size 3\nplugin mosquitto_persist_sqlite.so\nlistener 70000\nmax_qos 3\n',
    values: { sys_interval: 5, max_keepalive: 0 },
    problems: [
      "conf:1: max_keepalive must be a whole number, not 'x'",
      'conf:3: max_packet_size must be at least 20, not 3',
      'conf:4: plugin mosquitto_persist_sqlite is not supported: use persistence true',
      'conf:5: the port of listener must be between 0 and 65535, not 70000',
      'conf:6: max_qos must be between 0 and 2, not 3',
    ],
  },
  { name: 'the last number counts', conf: 'max_keepalive 7\nmax_keepalive 8\n', values: { max_keepalive: 8 } },
  {
    name: 'a text twice',
    conf: 'auto_id_prefix a\nauto_id_prefix b\n',
    values: { auto_id_prefix: 'a' },
    problems: ['conf:2: auto_id_prefix is given twice'],
    warnings: [
      'conf:1: auto_id_prefix is deprecated: use listener_auto_id_prefix',
      'conf:2: auto_id_prefix is deprecated: use listener_auto_id_prefix',
    ],
  },
  { name: 'a file name twice', conf: 'acl_file a\nacl_file b\n', values: { acl_file: 'b' } },
  { name: 'log types add up', conf: 'log_type error\nlog_type debug\n', values: { log_type: ['error', 'debug'] } },
  {
    name: 'log types one a line',
    conf: 'log_type error warning\n',
    values: { log_type: ['error'] },
    warnings: ["conf:1: log_type takes one word a line: 'warning' behind error is ignored"],
  },
  {
    name: 'log_type none, then one',
    conf: 'log_type all\nlog_type none\nlog_type notice\n',
    values: { log_type: ['notice'] },
  },
  { name: 'log_type all', conf: 'log_type all\n', values: { log_type: NAMES as unknown as Config['log_type'] } },
  {
    name: 'log destinations add up',
    conf: 'log_dest stdout\nlog_dest file /tmp/a b.log\n',
    values: { log_dest: [{ to: 'stdout' }, { to: 'file', path: '/tmp/a b.log' }] },
  },
  { name: 'log_dest none', conf: 'log_dest stdout\nlog_dest none\n', values: { log_dest: [] } },
  {
    name: 'two log files',
    conf: 'log_dest file a\nlog_dest file b\n',
    values: { log_dest: [{ to: 'file', path: 'a' }] },
    problems: ['conf:2: log_dest file is given twice; one log file is possible'],
  },
  {
    name: 'log destinations that come later',
    conf: 'log_dest syslog\nlog_dest topic\n',
    values: { log_dest: [{ to: 'syslog' }, { to: 'topic' }] },
  },
  {
    name: 'websockets',
    conf: 'listener 8080\nprotocol websockets\nwebsockets_origin a\nwebsockets_origin b\n',
    listener: { protocol: 'websockets', websockets_origin: ['a', 'b'] },
  },
  {
    name: 'the lines of a bridge are checked, and those that are wrong are not missed as well',
    conf: 'connection b\naddress a:0\ntopic # both 3\ncleansession maybe\nkeepalive_interval 3\n',
    problems: [
      "conf:2: address needs a port between 1 and 65535 in 'a:0'",
      "conf:3: topic needs a QoS of 0, 1 or 2, not '3'",
      "conf:4: cleansession must be true or false, not 'maybe'",
    ],
    warnings: ['conf:5: keepalive_interval is at least 5, which is used instead of 3'],
  },
  {
    name: 'two bridges of one name',
    conf: 'connection b\naddress h\ntopic #\nconnection b\naddress h\ntopic #\n',
    problems: ['conf:4: connection b is given twice'],
  },
  {
    name: 'addresses of a bridge twice',
    conf: 'connection b\ntopic #\naddress a\naddresses b\n',
    problems: ['conf:4: addresses is given twice'],
  },
  {
    name: 'a bridge does not end the listener',
    conf: 'listener 1\nconnection b\naddress h\ntopic #\nmax_qos 1\n',
    listener: { max_qos: 1 },
  },
  {
    name: 'bridge lines without a bridge',
    conf: 'topic # both\n',
    problems: ['conf:1: topic must stand below a connection line'],
  },
  {
    name: 'plugins in their order, with their options and those of the old names',
    conf: 'plugin ./a b.mjs\nplugin_opt_url http://x y\nplugin_opt_x  1\nauth_plugin c\nauth_opt_y 2\nplugin_opt_z\n',
    plugins: [
      { module: './a b.mjs', options: { url: 'http://x y', x: '1' }, listeners: undefined, deniesSpecialChars: true },
      { module: 'c', options: { y: '2' }, listeners: undefined, deniesSpecialChars: true },
    ],
    problems: ['conf:6: plugin_opt_z needs a value'],
    warnings: ['conf:4: auth_plugin is an old name: use plugin', 'conf:5: auth_opt_y is an old name: use plugin_opt_'],
  },
  {
    name: 'with per_listener_settings a plugin is its listener’s, a global_plugin everybody’s, and a loaded one whose who use it',
    conf:
      'per_listener_settings true\nplugin_load l ./l.mjs\nplugin_opt_a 1\nplugin_load unused ./u.mjs\nglobal_plugin ./g.mjs\n' +
      'listener 1\nplugin ./one.mjs\nauth_plugin_deny_special_chars false\nplugin_use l\nlistener 2\nlistener 3\nplugin_use l\n',
    plugins: [
      { module: './l.mjs', options: { a: '1' }, listeners: [0, 2], deniesSpecialChars: true },
      { module: './g.mjs', options: {}, listeners: undefined, deniesSpecialChars: true },
      { module: './one.mjs', options: {}, listeners: [0], deniesSpecialChars: false },
    ],
    warnings: ['conf:1: per_listener_settings is deprecated: use the directives whose names begin with listener_'],
  },
  {
    name: 'plugin lines that lack something',
    conf: 'plugin_use l\nplugin_load l\nplugin_load l a.mjs\nplugin_load l b.mjs\nlistener 1\nplugin_use m\nplugin\n',
    problems: [
      'conf:1: plugin_use must stand below a listener line',
      'conf:2: plugin_load needs a name and a path',
      'conf:4: plugin_load l is given twice',
      'conf:6: plugin_use: no plugin_load line above has given the name m',
      'conf:7: plugin needs a value',
    ],
  },
  {
    name: 'Mosquitto’s plugins for password and ACL files are built in',
    conf:
      'plugin /usr/lib/mosquitto_password_file.so\nplugin_opt_password_file p w\n' +
      'plugin mosquitto_acl_file\nplugin_opt_acl_file a\n',
    values: { password_file: 'p w', acl_file: 'a' },
    plugins: [],
  },
  {
    name: 'Mosquitto’s plugins with options that they do not have, without the one that they need, or against the directive',
    conf: 'acl_file a\nplugin mosquitto_password_file.so\nplugin_opt_acl_file x\nplugin mosquitto_acl_file.so\nplugin_opt_acl_file b\n',
    plugins: [],
    problems: [
      'conf:3: the plugin mosquitto_password_file has no option plugin_opt_acl_file',
      'conf:2: plugin_opt_password_file is missing',
      'conf:4: acl_file is given as well',
    ],
  },
  {
    name: 'Mosquitto’s dynamic security is a plugin that comes with tsmq',
    conf: 'plugin /usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so\nplugin_opt_config_file /x\n',
    plugins: [
      {
        module: 'tsmq/plugins/dynamic-security',
        options: { config_file: '/x' },
        listeners: undefined,
        deniesSpecialChars: true,
      },
    ],
  },
  {
    name: 'Mosquitto’s plugins that are not there yet',
    conf: 'plugin mosquitto_persist_sqlite.so\n',
    problems: ['conf:1: plugin mosquitto_persist_sqlite is not supported: use persistence true'],
  },
  {
    name: 'plugin options without a plugin',
    conf: 'plugin_opt_a b\nauth_opt_a b\n',
    problems: [
      'conf:1: plugin_opt_a must stand below a plugin line',
      'conf:2: auth_opt_a must stand below a plugin line',
    ],
    warnings: ['conf:2: auth_opt_a is an old name: use plugin_opt_'],
  },
  { name: 'a plugin option without a key', conf: 'plugin_opt_ b\n', problems: ['conf:1: unknown option plugin_opt_'] },
]

for (const { name, conf, values = {}, listener, plugins, problems = [], warnings = [] } of snippets)
  test(`conf: ${name}`, () => {
    const read = readFiles({ conf })
    assert.deepEqual(read.problems, problems)
    assert.deepEqual(read.warnings, warnings)
    if (plugins !== undefined)
      assert.deepEqual(
        read.config.plugins.map(({ module, options, listeners, deniesSpecialChars }) => ({
          module,
          options,
          listeners,
          deniesSpecialChars,
        })),
        plugins,
      )
    for (const [key, value] of Object.entries(values)) assert.deepEqual(read.config[key as keyof Config], value, key)
    for (const [key, value] of Object.entries(listener ?? {}))
      assert.deepEqual(read.config.listeners[0]?.[key as keyof ListenerConfig], value, key)
  })

test('include_dir reads the files ending in .conf by name, capitals first', () => {
  const names = ['B', 'b', 'aa', 'a', 'Ab', 'A', '01', '00', '.h', '_x']
  const files = Object.fromEntries(names.map((name) => [`d/${name}.conf`, `bad_${name} 1\n`]))
  const { problems } = readFiles({
    conf: 'include_dir FOLDER/d\n',
    ...files,
    'd/.conf': 'x\n',
    'd/c.CONF': 'x\n',
    'd/c.conf~': 'x\n',
  })
  assert.deepEqual(
    problems.map((text) => text.replace(/:.*/, '')),
    ['.h', '00', '01', 'A', 'Ab', 'a', 'aa', 'B', 'b', '_x'].map((name) => `d/${name}.conf`),
  )
})

test('an included file begins without a listener, and the file around it goes on with its own', () => {
  const { config, problems } = readFiles({
    conf: 'listener 1\ninclude_dir FOLDER/d\nmax_qos 1\nmax_keepalive 5\n',
    'd/a.conf': 'max_topic_alias 3\nlistener 2\nmax_qos 0\nmax_keepalive 4\n',
    'd/b.conf': 'mount_point x\ninclude_dir FOLDER/d\n',
  })
  assert.deepEqual(problems, [
    'd/a.conf:1: max_topic_alias must stand below a listener line',
    'd/b.conf:1: mount_point must stand below a listener line',
    'd/b.conf:2: include_dir must not stand in an included file',
  ])
  assert.deepEqual(
    config.listeners.map((each) => [each.port, each.max_qos]),
    [
      [1, 1],
      [2, 0],
    ],
  )
  assert.equal(config.max_keepalive, 5)
})

test('include_dir: several, in the order written; a text given in two files is given twice', () => {
  const { config, problems } = readFiles({
    conf: 'include_dir FOLDER/z\ninclude_dir FOLDER/a\n',
    'z/1.conf': 'max_keepalive 1\nlog_timestamp_format %s\n',
    'a/1.conf': 'max_keepalive 2\nlog_timestamp_format %F\n',
  })
  assert.equal(config.max_keepalive, 2)
  assert.deepEqual(problems, ['a/1.conf:2: log_timestamp_format is given twice'])
})

test('include_dir of a folder that is not there', () => {
  assert.deepEqual(readFiles({ conf: '\ninclude_dir /no/such/folder\n' }).problems, [
    'conf:2: include_dir /no/such/folder cannot be read: no such file or directory',
  ])
})

test('a file that cannot be read is a problem with the reason of the system', () => {
  for (const [path, reason] of [
    ['/no/such.conf', 'no such file or directory'],
    ['/', 'illegal operation on a directory'],
  ] as const) {
    const [problem, ...others] = readConfFile(path).problems
    assert.ok(problem instanceof ConfigError)
    assert.deepEqual([problem.message, problem.line, others.length], [`${path}: cannot be read: ${reason}`, 0, 0])
  }
})

test('several files are read as one, each beginning without a listener', () => {
  const files = { a: 'listener 1\nmax_keepalive 1\n', b: 'max_keepalive 2\nmount_point x\nlistener 2\n' }
  const { config, problems } = readFiles(files, [], ['a', 'b'])
  assert.deepEqual(problems, ['b:2: mount_point must stand below a listener line'])
  assert.deepEqual(
    config.listeners.map((each) => each.port),
    [1, 2],
  )
  assert.equal(config.max_keepalive, 2)
})

test('positions say where a directive was given last', () => {
  const { positions } = readText('max_keepalive 1\nacl_file a\nacl_file b\n')
  assert.equal(positions.get('acl_file')?.line, 3)
  assert.equal(positions.get('max_keepalive')?.line, 1)
  assert.equal(positions.get('sys_interval'), undefined)
})
