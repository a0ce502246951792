// Which listeners a configuration opens, and with which effective settings (broker-options.md sections 4 and 5).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultConfig } from '../../src/options/conf-file.js'
import { anonymousAllowed, type Config } from '../../src/options/config.js'
import { readFiles, readText } from './conf-text.js'

/** `port address anonymous`, with ~ for local-only mode. */
const shown = (config: Config): string[] =>
  config.listeners.map((each) =>
    [
      each.local_only ? '~' : '',
      each.path ?? `${each.port} ${each.bind_address ?? '*'}`,
      each.allow_anonymous ? ' open' : '',
    ].join(''),
  )

const openers: readonly {
  readonly name: string
  readonly conf: string
  readonly ports?: readonly number[]
  readonly listeners: readonly string[]
  readonly problems?: readonly string[]
}[] = [
  { name: 'nothing', conf: '', listeners: ['~1883 127.0.0.1 open', '~1883 ::1 open'] },
  {
    name: 'nothing, with -p',
    conf: '',
    ports: [1884, 0],
    listeners: ['~1884 127.0.0.1 open', '~1884 ::1 open', '~0 127.0.0.1 open', '~0 ::1 open'],
  },
  { name: 'allow_anonymous false', conf: 'allow_anonymous false\n', listeners: ['~1883 127.0.0.1', '~1883 ::1'] },
  { name: 'listener', conf: 'listener 1884\n', listeners: ['1884 *'] },
  { name: 'listener, with -p', conf: 'listener 1884\n', ports: [1885], listeners: ['1884 *'] },
  {
    name: 'listener with address',
    conf: 'listener 1884 localhost\nallow_anonymous true\n',
    listeners: ['1884 localhost open'],
  },
  {
    name: 'listener with comment',
    conf: 'listener 1884 # all\nlistener 0x75d ::1 more\n',
    listeners: ['1884 *', '1885 ::1'],
  },
  { name: 'listener on any free port', conf: 'listener 0\nlistener 0 127.0.0.1\n', listeners: ['0 *', '0 127.0.0.1'] },
  { name: 'port', conf: 'port 1884\n', listeners: ['1884 *'] },
  { name: 'bind_address', conf: 'bind_address 127.0.0.1\n', listeners: ['1883 127.0.0.1'] },
  { name: 'port between listeners', conf: 'listener 1884\nport 1885\nmax_qos 1\n', listeners: ['1885 *', '1884 *'] },
  {
    name: 'port 0',
    conf: 'port 0\n',
    listeners: ['1883 *'],
    problems: ['conf:1: port must be between 1 and 65535, not 0'],
  },
  {
    name: 'a Unix socket',
    conf: 'listener 0 /run/mqtt.sock more\nlistener 0 mqtt.sock\n',
    listeners: ['/run/mqtt.sock', 'mqtt.sock'],
  },
  {
    name: 'listener_allow_anonymous true',
    conf: 'listener 1\nlistener_allow_anonymous true\nlistener 2\n',
    listeners: ['1 * open', '2 *'],
  },
  {
    name: 'listener_allow_anonymous false',
    conf: 'allow_anonymous true\nlistener 1\nlistener_allow_anonymous false\nlistener 2\n',
    listeners: ['1 *', '2 * open'],
  },
  { name: 'anonymous set behind the listener', conf: 'listener 1\nallow_anonymous true\n', listeners: ['1 * open'] },
  { name: 'socket_domain in local-only mode', conf: 'socket_domain ipv4\n', listeners: ['~1883 127.0.0.1 open'] },
  {
    name: 'a listener whose port is wrong is not forgotten',
    conf: 'listener x\n',
    listeners: ['1883 *'],
    problems: ["conf:1: the port of listener must be a whole number, not 'x'"],
  },
]

for (const { name, conf, ports, listeners, problems = [] } of openers)
  test(`listeners: ${name}`, () => {
    const read = readFiles({ conf }, ports)
    assert.deepEqual(read.problems, problems)
    assert.deepEqual(shown(read.config), listeners)
  })

test('settings of the default listener reach the loopback sockets', () => {
  const { config, warnings } = readFiles({ conf: 'max_qos 1\nmax_connections 5\nmount_point a/\n' })
  assert.deepEqual(warnings, [])
  assert.deepEqual(
    config.listeners.map((each) => [each.local_only, each.max_qos, each.max_connections, each.mount_point]),
    [
      [true, 1, 5, 'a/'],
      [true, 1, 5, 'a/'],
    ],
  )
})

test('settings before the first listener that reach nobody are warned about', () => {
  const { config, warnings, problems } = readFiles({ conf: 'max_qos 1\nmount_point a/\nlistener 1884\nmax_qos 0\n' })
  assert.deepEqual(problems, [])
  assert.deepEqual(warnings, [
    'conf:1: max_qos stands before the first listener line and has no effect',
    'conf:2: mount_point stands before the first listener line and has no effect',
  ])
  assert.deepEqual(
    config.listeners.map((each) => [each.port, each.max_qos, each.mount_point]),
    [[1884, 0, undefined]],
  )
})

test('with port, settings before the first listener are those of the default listener', () => {
  const { config, warnings } = readFiles({ conf: 'max_qos 1\nport 1884\nlistener 1885\n' })
  assert.deepEqual(warnings, ['conf:2: port is deprecated: use listener'])
  assert.deepEqual(
    config.listeners.map((each) => [each.port, each.max_qos]),
    [
      [1884, 1],
      [1885, 2],
    ],
  )
})

test('a directive that needs a listener line is content with the default listener, one is not', () => {
  const { problems } = readFiles({ conf: 'port 1884\nmax_topic_alias 3\naccept_protocol_versions 5\n' })
  assert.deepEqual(problems, ['conf:3: accept_protocol_versions must stand below a listener line'])
})

test('each listener has its own values, and what it inherits is decided', () => {
  const { listeners } = readText(`auto_id_prefix a-
acl_file /acl
listener 1
listener_auto_id_prefix b-
accept_protocol_versions 4,5
listener 2`)
  assert.deepEqual(
    listeners.map((each) => [each.auto_id_prefix, each.acl_file, each.accept_protocol_versions, each.where?.line]),
    [
      ['b-', '/acl', [4, 5], 3],
      ['a-', '/acl', [3, 4, 5], 6],
    ],
  )
})

test('anonymous clients: listener, global, mode', () => {
  const rules = [
    // listener, global, per listener, local only → allowed
    [undefined, undefined, false, true, true],
    [undefined, false, false, true, false],
    [undefined, undefined, false, false, false],
    [undefined, true, false, false, true],
    [false, true, false, false, false],
    [true, false, false, false, true],
    [true, undefined, true, false, true],
    [undefined, true, true, false, false],
    [false, undefined, false, true, false],
  ] as const
  for (const [listener, global, perListener, localOnly, allowed] of rules)
    assert.equal(anonymousAllowed({ listener, global, perListener, localOnly }), allowed)
})

test('per_listener_settings gives each listener its own security settings', () => {
  const conf = `per_listener_settings true
listener 1
allow_anonymous true
acl_file /one
listener 2
password_file /two
allow_zero_length_clientid false`
  const { config, problems } = readFiles({ conf })
  assert.deepEqual(problems, [])
  assert.deepEqual(
    config.listeners.map((each) => [
      each.allow_anonymous,
      each.acl_file,
      each.password_file,
      each.allow_zero_length_clientid,
    ]),
    [
      [true, '/one', undefined, true],
      [false, undefined, '/two', false],
    ],
  )
})

test('per_listener_settings has its place before all security settings, and stays on', () => {
  const first =
    'acl_file a\nper_listener_settings true\nallow_anonymous true\nlistener 1\nper_listener_settings false\n'
  assert.deepEqual(readFiles({ conf: first }).problems, [
    'conf:2: per_listener_settings must stand before acl_file',
    'conf:3: allow_anonymous must stand below a listener line, because of per_listener_settings',
    'conf:5: per_listener_settings cannot be switched off again',
  ])
})

test('without a file', () => {
  const config = defaultConfig({ ports: [0] })
  assert.deepEqual([config.problems, config.warnings], [[], []])
  assert.deepEqual(shown(config), ['~0 127.0.0.1 open', '~0 ::1 open'])
  assert.equal(config.max_inflight_messages, 20)
  assert.deepEqual(config.log_dest, [{ to: 'stderr' }])
  assert.deepEqual(config.log_type, ['error', 'warning', 'notice', 'information'])
})
