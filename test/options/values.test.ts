// Text → value, kind by kind (broker-options.md section 5, bridges.md sections 2, 4, 5, pub.md sections 1 and 2).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Option } from '../../src/options/option.js'
import { parseValue } from '../../src/options/values.js'

const BYTES_65535 = 'x'.repeat(65_535)

interface Case {
  readonly row: Partial<Option> & Pick<Option, 'kind'>
  readonly text: string
  readonly before?: unknown
  readonly value?: unknown
  readonly warning?: RegExp
  readonly problem?: RegExp
}

const logWords = ['none', 'stdout', 'stderr', 'syslog', 'topic', 'file']
const types = ['error', 'warning', 'debug', 'none', 'all']

const cases: readonly Case[] = [
  ...['true', '1', '  true', 'true # yes'].map((text) => ({ row: { kind: 'boolean' as const }, text, value: true })),
  ...['false', '0', '0 '].map((text) => ({ row: { kind: 'boolean' as const }, text, value: false })),
  { row: { kind: 'boolean' }, text: 'True', problem: /^must be true or false, not 'True'$/ },
  { row: { kind: 'boolean' }, text: 'yes', problem: /true or false/ },
  { row: { kind: 'boolean' }, text: 'true\t', problem: /'true\\x09'/ },
  { row: { kind: 'boolean' }, text: '', problem: /^needs a value$/ },
  { row: { kind: 'boolean' }, text: '   ', problem: /^needs a value$/ },

  { row: { kind: 'integer' }, text: '17', value: 17 },
  { row: { kind: 'integer' }, text: '0', value: 0 },
  { row: { kind: 'integer' }, text: '-0', value: 0 },
  { row: { kind: 'integer' }, text: '+5', value: 5 },
  { row: { kind: 'integer' }, text: '-5', value: -5 },
  { row: { kind: 'integer' }, text: '0x1F', value: 31 },
  { row: { kind: 'integer' }, text: '-0X10', value: -16 },
  { row: { kind: 'integer' }, text: '010', value: 8 },
  { row: { kind: 'integer' }, text: '12 # dozen', value: 12 },
  { row: { kind: 'integer' }, text: '2147483647', value: 2_147_483_647 },
  { row: { kind: 'integer' }, text: '-2147483648', value: -2_147_483_648 },
  { row: { kind: 'integer' }, text: '2147483648', problem: /not 2147483648$/ },
  { row: { kind: 'integer' }, text: '-2147483649', problem: /not -2147483649$/ },
  { row: { kind: 'integer' }, text: '99999999999999999999', problem: /not 9{20}$/ },
  { row: { kind: 'integer' }, text: '08', problem: /whole number, not '08'/ },
  { row: { kind: 'integer' }, text: '12x', problem: /whole number, not '12x'/ },
  { row: { kind: 'integer' }, text: '1.5', problem: /whole number/ },
  { row: { kind: 'integer' }, text: '1e3', problem: /whole number/ },
  { row: { kind: 'integer' }, text: '', problem: /^needs a value$/ },
  { row: { kind: 'integer', min: 5, max: 9 }, text: '4', problem: /^must be between 5 and 9, not 4$/ },
  { row: { kind: 'integer', min: 20 }, text: '19', problem: /^must be at least 20, not 19$/ },
  { row: { kind: 'integer', max: 3 }, text: '4', problem: /^must be at most 3, not 4$/ },
  { row: { kind: 'integer', min: 0, below: 'raised' }, text: '-1', value: 0 },
  {
    row: { kind: 'integer', min: 5, below: 'raised with a warning' },
    text: '3',
    value: 5,
    warning: /used instead of 3/,
  },
  { row: { kind: 'integer', max: 9, above: 'lowered with a warning' }, text: '10', value: 9, warning: /instead of 10/ },
  { row: { kind: 'unsigned-integer' }, text: '4294967295', value: 4_294_967_295 },
  { row: { kind: 'unsigned-integer' }, text: '4294967296', problem: /must be/ },
  { row: { kind: 'unsigned-integer' }, text: '-1', problem: /must be/ },

  { row: { kind: 'string' }, text: ' \t a  "b" # c \t', value: 'a  "b" # c' },
  { row: { kind: 'string' }, text: 'ünï/日本', value: 'ünï/日本' },
  { row: { kind: 'string' }, text: '  \t ', problem: /^needs a value$/ },
  { row: { kind: 'string' }, text: 'a\tb', problem: /control characters/ },
  { row: { kind: 'string' }, text: 'a\x7fb', problem: /control characters/ },
  { row: { kind: 'string' }, text: 'a\u0085b', problem: /control characters/ },
  { row: { kind: 'string' }, text: 'a\ufffeb', problem: /control characters/ },
  { row: { kind: 'string' }, text: BYTES_65535, value: BYTES_65535 },
  { row: { kind: 'string' }, text: `${BYTES_65535}x`, problem: /longer than 65535 bytes/ },
  { row: { kind: 'string', max: 3 }, text: 'üü', problem: /longer than 3 bytes/ },
  { row: { kind: 'path' }, text: ' /a b/c ', value: '/a b/c' },
  { row: { kind: 'topic-prefix' }, text: 'home/', value: 'home/' },
  { row: { kind: 'topic-prefix' }, text: 'home/+/', problem: /wildcards/ },
  { row: { kind: 'topic-prefix' }, text: '#', problem: /wildcards/ },

  { row: { kind: 'word', words: ['a', 'b'] }, text: 'b', value: 'b' },
  { row: { kind: 'word', words: ['a', 'b'] }, text: 'a # c', value: 'a' },
  { row: { kind: 'word', words: ['a', 'b'] }, text: 'a b', value: 'a', warning: /'b' behind a is ignored/ },
  { row: { kind: 'word', words: ['a', 'b'] }, text: 'A', problem: /^must be one of a, b, not 'A'$/ },
  { row: { kind: 'word', words: ['a', 'b'] }, text: '', problem: /^needs a value$/ },
  { row: { kind: 'words', words: types }, text: 'error', value: ['error'] },
  { row: { kind: 'words', words: types }, text: 'debug', before: ['error'], value: ['error', 'debug'] },
  { row: { kind: 'words', words: types }, text: 'error', before: ['error'], value: ['error'] },
  { row: { kind: 'words', words: types }, text: 'none', before: ['error'], value: [] },
  { row: { kind: 'words', words: types }, text: 'all', before: [], value: ['error', 'warning', 'debug'] },
  { row: { kind: 'words', words: types }, text: 'error warning', value: ['error'], warning: /'warning'/ },
  { row: { kind: 'words', words: types }, text: 'errors', problem: /must be one of/ },

  { row: { kind: 'log-destination', words: logWords }, text: 'stdout', value: [{ to: 'stdout' }] },
  {
    row: { kind: 'log-destination', words: logWords },
    text: 'file /var/log/my broker.log ',
    before: [{ to: 'stdout' }],
    value: [{ to: 'stdout' }, { to: 'file', path: '/var/log/my broker.log' }],
  },
  { row: { kind: 'log-destination', words: logWords }, text: 'none', before: [{ to: 'stdout' }], value: [] },
  {
    row: { kind: 'log-destination', words: logWords },
    text: 'stdout',
    before: [{ to: 'stdout' }],
    value: [{ to: 'stdout' }],
  },
  { row: { kind: 'log-destination', words: logWords }, text: 'file', problem: /^file needs a path$/ },
  {
    row: { kind: 'log-destination', words: logWords },
    text: 'file b',
    before: [{ to: 'file', path: 'a' }],
    problem: /twice/,
  },
  { row: { kind: 'log-destination', words: logWords }, text: 'dlt', problem: /must be one of none, stdout/ },
  { row: { kind: 'log-destination', words: logWords }, text: '', problem: /needs a value/ },

  { row: { kind: 'duration' }, text: '90s', value: 90 },
  { row: { kind: 'duration' }, text: '2h', value: 7200 },
  { row: { kind: 'duration' }, text: '14d', value: 1_209_600 },
  { row: { kind: 'duration' }, text: '2w', value: 1_209_600 },
  { row: { kind: 'duration' }, text: '1m', value: 2_592_000 },
  { row: { kind: 'duration' }, text: '1y', value: 31_536_000 },
  ...['0s', '-1d', '5', '5x', 'd', '1.5h', '5 d'].map((text) => ({
    row: { kind: 'duration' as const },
    text,
    problem: /above 0 with one of s, h, d, w, m, y/,
  })),

  { row: { kind: 'protocol-versions' }, text: '3,4,5', value: [3, 4, 5] },
  { row: { kind: 'protocol-versions' }, text: '5, 4', value: [4, 5] },
  { row: { kind: 'protocol-versions' }, text: '4\t5', value: [4, 5] },
  { row: { kind: 'protocol-versions' }, text: '5,9', value: [5], warning: /'9' is ignored/ },
  { row: { kind: 'protocol-versions' }, text: '9', problem: /at least one of 3, 4 and 5/ },
  { row: { kind: 'protocol-versions' }, text: ' ', problem: /needs a value/ },

  { row: { kind: 'addresses' }, text: 'a', value: [{ host: 'a', port: 1883 }] },
  {
    row: { kind: 'addresses' },
    text: 'a:1 b:65535 # c',
    value: [
      { host: 'a', port: 1 },
      { host: 'b', port: 65_535 },
    ],
  },
  { row: { kind: 'addresses' }, text: '::1:1884', value: [{ host: '::1', port: 1884 }] },
  { row: { kind: 'addresses' }, text: '[::1]:1884', value: [{ host: '::1', port: 1884 }] },
  { row: { kind: 'addresses' }, text: '[::1]', value: [{ host: '::1', port: 1883 }] },
  {
    row: { kind: 'addresses' },
    text: '/run/a b:2',
    value: [
      { host: '/run/a', port: 0 },
      { host: 'b', port: 2 },
    ],
  },
  ...[
    ['ws://a', { host: 'a', port: 80, webSocket: { path: '/', isSecure: false } }],
    ['ws://a:8080/mqtt?x=1', { host: 'a', port: 8080, webSocket: { path: '/mqtt?x=1', isSecure: false } }],
    ['wss://[::1]/mqtt', { host: '::1', port: 443, webSocket: { path: '/mqtt', isSecure: true } }],
  ].map(([text, address]) => ({ row: { kind: 'addresses' as const }, text: String(text), value: [address] })),
  { row: { kind: 'addresses' }, text: 'mqtt://a', problem: /ws:\/\/ or wss:\/\/ instead of 'mqtt:\/\/a'/ },
  { row: { kind: 'addresses' }, text: 'ws://u:p@a', problem: /remote_username/ },
  { row: { kind: 'addresses' }, text: 'ws://a:0/', problem: /between 1 and 65535/ },
  { row: { kind: 'addresses' }, text: 'a:0', problem: /between 1 and 65535 in 'a:0'/ },
  { row: { kind: 'addresses' }, text: 'a:65536', problem: /between 1 and 65535/ },
  { row: { kind: 'addresses' }, text: 'a:b', problem: /between 1 and 65535/ },
  { row: { kind: 'addresses' }, text: ':1883', problem: /needs a host/ },
  { row: { kind: 'addresses' }, text: '# a', problem: /needs a value/ },

  ...[
    ['a/#', 'a/#', 'out', 0, '', ''],
    ['# in', '#', 'in', 0, '', ''],
    ['a BOTH 2 l/ r/', 'a', 'both', 2, 'l/', 'r/'],
    ['a out 1 "" r/', 'a', 'out', 1, '', 'r/'],
    ['a out 1 l/ ""', 'a', 'out', 1, 'l/', ''],
    ['a out 1 l/ # comment', 'a', 'out', 1, 'l/', ''],
    ['a # comment', 'a', 'out', 0, '', ''],
    ['"a b/c" in 1', 'a b/c', 'in', 1, '', ''],
    ['"foo" in', 'foo', 'in', 0, '', ''],
    ['"" both 0 local remote', '', 'both', 0, 'local', 'remote'],
  ].map(([text, pattern, direction, qos, localPrefix, remotePrefix]) => ({
    row: { kind: 'bridge-topic' as const },
    text: String(text),
    value: { pattern, direction, qos, localPrefix, remotePrefix },
  })),
  { row: { kind: 'bridge-topic' }, text: '', problem: /needs a value/ },
  { row: { kind: 'bridge-topic' }, text: '"a b out', problem: /closing quote/ },
  { row: { kind: 'bridge-topic' }, text: '"a"b out', problem: /closing quote/ },
  { row: { kind: 'bridge-topic' }, text: 'a outward', problem: /direction out, in or both.*'outward'/ },
  { row: { kind: 'bridge-topic' }, text: 'a out 3', problem: /QoS of 0, 1 or 2, not '3'/ },
  { row: { kind: 'bridge-topic' }, text: 'a out 256', problem: /QoS/ },
  { row: { kind: 'bridge-topic' }, text: 'a out abc', problem: /QoS/ },
  { row: { kind: 'bridge-topic' }, text: 'a out 0 l/#', problem: /wildcards/ },
  { row: { kind: 'bridge-topic' }, text: 'a out 0 l/ r/+', problem: /wildcards/ },
  { row: { kind: 'bridge-topic' }, text: '"" out 0 local', problem: /both prefixes/ },
  { row: { kind: 'bridge-topic' }, text: '"" out', problem: /both prefixes/ },

  { row: { kind: 'restart-timeout' }, text: '10', value: { base: 10, cap: 10, stable: 0 } },
  {
    row: { kind: 'restart-timeout' },
    text: '0',
    value: { base: 1, cap: 1, stable: 0 },
    warning: /1 is used instead of 0/,
  },
  {
    row: { kind: 'restart-timeout' },
    text: '3601',
    value: { base: 3600, cap: 3600, stable: 0 },
    warning: /3600 is used/,
  },
  { row: { kind: 'restart-timeout' }, text: '5 30', value: { base: 5, cap: 30, stable: 0 } },
  { row: { kind: 'restart-timeout' }, text: '5 9000 60', value: { base: 5, cap: 7200, stable: 60 } },
  { row: { kind: 'restart-timeout' }, text: '5 4', problem: /below its base/ },
  { row: { kind: 'restart-timeout' }, text: '5 30 -1', problem: /negative/ },
  { row: { kind: 'restart-timeout' }, text: '5 x', problem: /'x'/ },
  { row: { kind: 'restart-timeout' }, text: '', problem: /needs a value/ },

  { row: { kind: 'tcp-keepalive' }, text: '60 10 3 # quick', value: { idle: 60, interval: 10, count: 3 } },
  { row: { kind: 'tcp-keepalive' }, text: '32767 32767 127', value: { idle: 32_767, interval: 32_767, count: 127 } },
  { row: { kind: 'tcp-keepalive' }, text: '', problem: /needs IDLE INTERVAL COUNT/ },
  { row: { kind: 'tcp-keepalive' }, text: '60 10', problem: /needs IDLE INTERVAL COUNT/ },
  { row: { kind: 'tcp-keepalive' }, text: '60 10 3 4', problem: /needs IDLE INTERVAL COUNT/ },
  { row: { kind: 'tcp-keepalive' }, text: '60 0 3', problem: /above 0/ },
  { row: { kind: 'tcp-keepalive' }, text: '60 -1 3', problem: /above 0/ },
  { row: { kind: 'tcp-keepalive' }, text: '32768 1 1', problem: /32767 seconds/ },
  { row: { kind: 'tcp-keepalive' }, text: '1 1 128', problem: /127 probes/ },

  { row: { kind: 'text' }, text: '', value: '' },
  { row: { kind: 'text' }, text: ' a\t', value: ' a\t' },
  { row: { kind: 'text', min: 1 }, text: '', problem: /must not be empty/ },
  { row: { kind: 'text', max: 3 }, text: 'abcd', problem: /longer than 3 bytes/ },
  { row: { kind: 'file' }, text: '', problem: /must not be empty/ },
  { row: { kind: 'decimal' }, text: '010', value: 10 },
  { row: { kind: 'decimal', min: 0 }, text: '-1', problem: /at least 0, not -1/ },
  ...['1x', '0x10', '', ' 1', '1.0'].map((text) => ({
    row: { kind: 'decimal' as const },
    text,
    problem: /whole number|needs a value/,
  })),
  { row: { kind: 'float' }, text: '0.25', value: 0.25 },
  { row: { kind: 'float' }, text: '.5', value: 0.5 },
  { row: { kind: 'float' }, text: '1e-3', value: 0.001 },
  { row: { kind: 'float', min: 0.1, max: 100 }, text: '0.05', problem: /between 0.1 and 100/ },
  ...['', 'x', '1e', 'Infinity', 'nan', '1,5'].map((text) => ({
    row: { kind: 'float' as const },
    text,
    problem: /must be a number/,
  })),
  ...(
    [
      ['mqttv5', 5],
      ['5', 5],
      ['mqttv311', 4],
      ['311', 4],
      ['mqttv31', 3],
      ['31', 3],
    ] as const
  ).map(([text, value]) => ({ row: { kind: 'protocol-version' as const }, text, value })),
  ...['4', 'MQTTV5', 'constructor', ''].map((text) => ({
    row: { kind: 'protocol-version' as const },
    text,
    problem: /one of 31, 311, 5, mqttv31/,
  })),
  { row: { kind: 'session-expiry' }, text: '-1', value: 4_294_967_295 },
  { row: { kind: 'session-expiry' }, text: '∞', value: 4_294_967_295 },
  { row: { kind: 'session-expiry' }, text: '0x10', value: 16 },
  { row: { kind: 'session-expiry' }, text: '4294967295', value: 4_294_967_295 },
  { row: { kind: 'session-expiry' }, text: '4294967296', problem: /between 0 and 4294967295/ },
  { row: { kind: 'session-expiry' }, text: '-2', problem: /between 0 and 4294967295/ },
  { row: { kind: 'session-expiry' }, text: 'never', problem: /whole number/ },
]

for (const { row, text, before, value, warning, problem } of cases) {
  const shown = text.length > 40 ? `${text.length} characters` : JSON.stringify(text)
  test(`${row.kind} ${shown}${before ? ` after ${JSON.stringify(before)}` : ''}`, () => {
    const parsed = parseValue({ name: 'x', help: '', ...row }, text, before)
    if (problem) {
      assert.ok('problem' in parsed, `accepted as ${JSON.stringify(parsed)}`)
      assert.match(parsed.problem, problem)
      return
    }
    assert.ok('value' in parsed, JSON.stringify(parsed))
    assert.deepEqual(parsed.value, value)
    if (warning) assert.match(parsed.warning ?? '', warning)
    else assert.equal(parsed.warning, undefined)
  })
}
