// Every directive of mosquitto.conf through the reader: range, type, place, repetition and support, first against facts typed here
// by hand from broker-options.md sections 7 to 13, then generated from the tables themselves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bridgeOptions } from '../../src/options/bridge-options.js'
import { brokerOptions, pluginOptions } from '../../src/options/broker-options.js'
import { listenerOptions } from '../../src/options/listener-options.js'
import { type Directive, hasValue } from '../../src/options/option.js'
import { readFiles, readText } from './conf-text.js'

const table: readonly Directive[] = [...brokerOptions, ...listenerOptions, ...bridgeOptions, ...pluginOptions]

/** Sections 7, 8, 9, 9.1, 9.2, 12, 13. */
const MOSQUITTO =
  `acl_file allow_anonymous allow_duplicate_messages allow_zero_length_clientid auto_id_prefix check_retain_source
  clientid_prefixes connection_messages enable_control_api global_max_clients global_max_connections max_inflight_bytes
  max_inflight_messages max_keepalive max_packet_size max_queued_bytes max_queued_messages memory_limit message_size_limit
  password_file per_listener_settings psk_file persistent_client_expiration queue_qos0_messages retain_available
  retain_expiry_interval set_tcp_nodelay sys_interval upgrade_outgoing_qos packet_buffer_size websockets_headers_size
  retry_interval user pid_file include_dir persistence retained_persistence persistence_file persistence_location
  autosave_interval autosave_on_changes log_dest log_facility log_timestamp log_timestamp_format log_type listener port
  bind_address bind_interface socket_domain protocol max_connections max_qos maximum_qos max_topic_alias
  max_topic_alias_broker mount_point accept_protocol_versions listener_allow_anonymous listener_auto_id_prefix
  use_username_as_clientid websockets_origin websockets_log_level http_dir enable_proxy_protocol
  proxy_protocol_v2_require_tls certfile keyfile cafile capath require_certificate use_identity_as_username
  use_subject_as_username crlfile ciphers ciphers_tls1.3 tls_version disable_client_cert_date_checks dhparamfile tls_engine
  tls_engine_kpass_sha1 tls_keyform psk_hint plugin auth_plugin global_plugin plugin_load plugin_use plugin_opt_ auth_opt_
  auth_plugin_deny_special_chars connection address addresses topic bridge_alpn bridge_bind_address bridge_cafile
  bridge_capath bridge_certfile bridge_keyfile bridge_ciphers bridge_ciphers_tls1.3 bridge_tls_version bridge_identity
  bridge_psk bridge_insecure bridge_require_ocsp bridge_tls_use_os_certs bridge_attempt_unsubscribe bridge_max_packet_size
  bridge_max_topic_alias bridge_outgoing_retain bridge_protocol_version bridge_receive_maximum bridge_reload_type
  bridge_session_expiry_interval bridge_tcp_keepalive bridge_tcp_user_timeout cleansession local_cleansession clientid
  remote_clientid local_clientid username remote_username password remote_password local_username local_password
  idle_timeout keepalive_interval notifications notifications_local_only notification_topic restart_timeout round_robin
  start_type threshold try_private`.split(/\s+/)

/** Directives that mean something in this version. */
const WORKING = `listener port bind_address socket_domain protocol allow_anonymous password_file acl_file
  allow_duplicate_messages allow_zero_length_clientid auto_id_prefix check_retain_source clientid_prefixes
  global_max_clients global_max_connections max_inflight_bytes max_inflight_messages max_keepalive
  max_packet_size max_queued_bytes max_queued_messages message_size_limit persistent_client_expiration
  queue_qos0_messages retain_available retain_expiry_interval set_tcp_nodelay sys_interval upgrade_outgoing_qos
  max_connections max_qos max_topic_alias max_topic_alias_broker mount_point accept_protocol_versions
  listener_allow_anonymous listener_auto_id_prefix use_username_as_clientid websockets_origin log_dest
  log_facility user pid_file log_type log_timestamp log_timestamp_format connection_messages include_dir
  connect_timeout max_outgoing_bytes max_connections_per_ip max_subscriptions max_concurrent_auth certfile
  keyfile cafile capath require_certificate use_identity_as_username use_subject_as_username crlfile ciphers
  ciphers_tls1.3 tls_version disable_client_cert_date_checks psk_hint psk_file enable_proxy_protocol
  proxy_protocol_v2_require_tls bind_interface per_listener_settings memory_limit packet_buffer_size connection
  address topic bridge_alpn bridge_bind_address bridge_cafile bridge_capath bridge_certfile bridge_keyfile
  bridge_ciphers bridge_ciphers_tls1.3 bridge_tls_version bridge_identity bridge_psk bridge_insecure
  bridge_require_ocsp bridge_tls_use_os_certs bridge_attempt_unsubscribe bridge_max_packet_size
  bridge_max_topic_alias bridge_outgoing_retain bridge_protocol_version bridge_receive_maximum
  bridge_reload_type bridge_session_expiry_interval bridge_tcp_keepalive bridge_tcp_user_timeout cleansession
  local_cleansession remote_clientid local_clientid remote_username remote_password idle_timeout keepalive_interval notifications
  notifications_local_only notification_topic restart_timeout round_robin start_type threshold try_private
  enable_control_api persistence persistence_file persistence_location persistence_durability autosave_interval
  autosave_on_changes http_dir plugin global_plugin plugin_load plugin_use plugin_opt_ plugin_timeout
  auth_plugin_deny_special_chars tls_keyform`.split(/\s+/)

test('every directive of Mosquitto is known, and the others are marked as our own', () => {
  const names = new Set(table.flatMap((row) => [row.name, ...(row.aliases ?? []), ...(row.legacyAliases ?? [])]))
  assert.deepEqual(
    MOSQUITTO.filter((name) => !names.has(name)),
    [],
  )
  const own = table.filter((row) => !MOSQUITTO.includes(row.name) && row.ignored === undefined)
  assert.ok(own.length > 0)
  for (const row of own) assert.equal(row.own, true, row.name)
})

test('the directives that work are the ones this version promises', () => {
  const working = table.filter((row) => !row.refused && !row.ignored).map((row) => row.name)
  assert.deepEqual(working.sort(), [...WORKING].sort())
})

test('no name stands in two rows', () => {
  const names = table.flatMap((row) => [row.name, ...(row.aliases ?? []), ...(row.legacyAliases ?? [])])
  assert.equal(new Set(names).size, names.length)
})

/** Name, default, and for numbers lowest and highest value; INT where only the size of the integer limits. */
const INT = 2_147_483_647
const FACTS: readonly (readonly [name: string, byDefault: unknown, min?: number | undefined, max?: number])[] = [
  ['allow_duplicate_messages', true],
  ['allow_zero_length_clientid', true],
  ['auto_id_prefix', 'auto-'],
  ['check_retain_source', true],
  ['connection_messages', true],
  ['enable_control_api', false],
  ['max_inflight_messages', 20, undefined, 65_535],
  ['max_keepalive', 0, 0, 65_535],
  ['max_packet_size', 2_000_000, 20, INT],
  ['max_queued_bytes', 0, undefined, INT],
  ['max_queued_messages', 1000, undefined, INT],
  ['memory_limit', 0, 0, Number.MAX_SAFE_INTEGER],
  ['message_size_limit', 0, 0, 268_435_455],
  ['per_listener_settings', false],
  ['queue_qos0_messages', false],
  ['retain_available', true],
  ['retain_expiry_interval', undefined, 1],
  ['set_tcp_nodelay', true],
  ['sys_interval', 10, 0, 65_535],
  ['upgrade_outgoing_qos', false],
  ['packet_buffer_size', 4096, 0, 65_535],
  ['persistence', false],
  ['persistence_file', 'mosquitto.db'],
  ['autosave_interval', 1800, undefined, INT],
  ['autosave_on_changes', false],
  ['log_facility', undefined, 0, 7],
  ['log_timestamp', true],
  ['port', 1883, 1, 65_535],
  ['max_qos', 2, 0, 2],
  ['max_topic_alias', 10, 0, 65_535],
  ['max_topic_alias_broker', 10, 0, 65_535],
  ['use_username_as_clientid', false],
  ['enable_proxy_protocol', undefined, 1, 2],
  ['require_certificate', false],
  ['bridge_max_topic_alias', 10, 0, 65_535],
  ['bridge_receive_maximum', undefined, 1, 65_535],
  ['bridge_session_expiry_interval', 0, 0, 4_294_967_295],
  ['bridge_tcp_user_timeout', 0, 0, INT],
  ['bridge_attempt_unsubscribe', true],
  ['bridge_outgoing_retain', true],
  ['bridge_protocol_version', 'mqttv311'],
  ['bridge_reload_type', 'lazy'],
  ['cleansession', false],
  ['idle_timeout', 60, undefined, INT],
  ['keepalive_interval', 60, undefined, 65_535],
  ['notifications', true],
  ['start_type', 'automatic'],
  ['threshold', 10, undefined, INT],
  ['try_private', true],
  ['connect_timeout', 30, 1, 3600],
  ['max_concurrent_auth', 0, 0, 64],
  ['max_connections_per_ip', 0, 0, INT],
  ['max_outgoing_bytes', 16_777_216, 0, INT],
  ['max_subscriptions', 100_000, 0, INT],
]

const rowOf = (name: string): Directive => {
  const row = table.find((each) => each.name === name)
  assert.ok(row, `no row ${name}`)
  return row
}

/** The lines that a directive needs above it. */
function above(row: Directive): string {
  if (row.scope === 'bridge') return 'connection b\n'
  if (row.scope === 'plugin') return 'plugin p.so\n'
  return row.scope.includes('listener') && row.scope !== 'global or listener' ? 'listener 1883\n' : ''
}

/** What the reader has against the lines one by one. */
function complaints(row: Directive, ...values: readonly string[]): string[] {
  const name = row.prefix ? `${row.name}key` : row.name
  const lines = values.map((value) => `${name} ${value}\n`).join('')
  const { problems } = readText(above(row) + lines)
  const others = /^of (this listener|bridge) /
  return problems.filter((each) => each.option === name && !others.test(each.reason)).map((e) => e.reason)
}

for (const [name, byDefault, min, max] of FACTS) {
  test(`${name}: default and range`, () => {
    const row = rowOf(name)
    assert.equal(row.default, byDefault)
    if (min !== undefined) {
      assert.deepEqual(complaints(row, String(min)), [])
      assert.match(complaints(row, String(min - 1)).join(), /must be .*, not /)
    }
    if (max !== undefined) {
      assert.deepEqual(complaints(row, String(max)), [])
      assert.match(complaints(row, String(max + 1)).join(), /must be .*, not /)
    }
  })
}

/** Values below the range that mean the lowest (0 is no limit). */
const RAISED = `global_max_clients global_max_connections max_inflight_bytes max_inflight_messages max_queued_bytes
  max_queued_messages max_connections autosave_interval bridge_max_packet_size`.split(/\s+/)

for (const name of RAISED)
  test(`${name} -1 means 0`, () => {
    const row = rowOf(name)
    assert.deepEqual(complaints(row, '-1'), [])
    if (row.scope === 'bridge') return
    const config = readText(`${above(row)}${name} -1\n`)
    const values: object = row.scope === 'global' ? config : (config.listeners[0] ?? {})
    assert.equal(Object.entries(values).find(([key]) => key === name)?.[1], 0)
  })

test('retain_expiry_interval is lowered to 10000000 with a warning', () => {
  const { config, warnings } = readFiles({ conf: 'retain_expiry_interval 10000001\n' })
  assert.equal(config.retain_expiry_interval, 10_000_000)
  assert.match(warnings.join(), /^conf:1: retain_expiry_interval .* 10000001$/)
})

for (const row of table.filter((each) => hasValue(each)))
  test(`${row.name}: a value is needed, and one of the right type`, () => {
    assert.match(complaints(row, '').join(), /needs/)
    if (row.kind === 'boolean') {
      for (const value of ['true', 'false', '1', '0']) assert.deepEqual(complaints(row, value), [])
      for (const value of ['yes', 'TRUE', '2', 'on']) assert.match(complaints(row, value).join(), /true or false/)
    }
    if (/integer/.test(row.kind))
      for (const value of ['x', '1k', '0x', '--1', '1,000'])
        assert.match(complaints(row, value).join(), /must be a whole number/)
    if (row.kind === 'word' || row.kind === 'words') {
      for (const value of row.words ?? []) assert.deepEqual(complaints(row, value), [])
      assert.match(complaints(row, 'nonsense').join(), /must be one of/)
    }
    if (row.kind === 'string' || row.kind === 'path') {
      assert.deepEqual(complaints(row, 'some text'), [])
      assert.match(complaints(row, 'bell\x07').join(), /control characters/)
      const longest = row.max ?? 65_535
      assert.deepEqual(complaints(row, 'x'.repeat(longest)), [])
      assert.match(complaints(row, 'x'.repeat(longest + 1)).join(), /longer than/)
    }
  })

/** Section 5: texts that a second line replaces in silence. */
const REPLACE =
  `acl_file password_file psk_file cafile capath certfile keyfile ciphers ciphers_tls1.3 crlfile mount_point
  clientid_prefixes user bridge_keyfile`.split(/\s+/)

for (const row of table.filter((each) => hasValue(each))) {
  const value = { boolean: 'true', integer: '7', string: 'x', path: 'x', 'topic-prefix': 'x', word: row.words?.[0] }
  const text = value[row.kind as keyof typeof value]
  if (text === undefined) continue
  const isText = row.kind === 'string' || row.kind === 'path' || row.kind === 'topic-prefix'
  const refused = isText && !REPLACE.includes(row.name) && row.name !== 'websockets_origin'
  test(`${row.name} twice is ${refused ? 'refused' : 'fine'}`, () => {
    const number = row.kind === 'integer' ? String(Math.min(row.max ?? 20, 20)) : text
    const complaint = complaints(row, number, number)
    if (refused) assert.match(complaint.join(), /is given twice$/)
    else assert.deepEqual(complaint, [])
  })
}

/** Sections 9 and 13: what needs a line above it. */
const NEEDS_LISTENER =
  `max_topic_alias max_topic_alias_broker mount_point listener_allow_anonymous listener_auto_id_prefix
  websockets_origin http_dir enable_proxy_protocol proxy_protocol_v2_require_tls cafile tls_version
  disable_client_cert_date_checks accept_protocol_versions`.split(/\s+/)

for (const row of table.filter((each) => hasValue(each)))
  test(`${row.name}: its place`, () => {
    const name = row.prefix ? `${row.name}key` : row.name
    const alone = readText(`${name} 1\n`).problems.map((each) => each.reason)
    const misplaced = alone.some((reason) => /must stand below/.test(reason))
    const needs = bridgeOptions.some((each) => each === row) || pluginOptions.some((each) => each === row)
    assert.equal(misplaced, needs || NEEDS_LISTENER.includes(row.name))
  })

for (const row of table.filter((each) => each.refused))
  test(`${row.name} is refused with the reason`, () => {
    assert.match(
      readText(`${row.scope === 'bridge' ? above(row) : 'listener 1883\n'}${row.name} pem\n`).problems[0]?.message ??
        '',
      /:2: \S+ is not supported: .*keyfile/,
    )
  })

for (const row of table.filter((each) => each.ignored))
  test(`${row.name} is accepted with one warning that says what replaced it`, () => {
    const { problems, warnings } = readText(`${row.scope === 'bridge' ? 'connection b\n' : ''}${row.name} 20\n`)
    assert.deepEqual(problems.filter((each) => !/^of bridge /.test(each.reason)).length, 0)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]?.reason ?? '', new RegExp(`^${row.name} has no effect: \\w+`))
  })

for (const row of table)
  for (const [names, warned] of [
    [row.aliases ?? [], false],
    [row.legacyAliases ?? [], true],
  ] as const)
    for (const alias of names)
      test(`${alias} is ${row.name}${warned ? ', with a warning' : ''}`, () => {
        const { problems, warnings } = readText(`${above(row)}${alias}${row.prefix ? 'key' : ''} 1\n`)
        assert.ok(!problems.some((each) => /unknown option/.test(each.reason)))
        assert.equal(
          warnings.some((each) => each.reason.endsWith(`is an old name: use ${row.name}`)),
          warned,
        )
      })

test('every row has a sentence of help', () => {
  for (const row of table) assert.match(row.help, /^[A-Z].*[^.]\.$/, row.name)
})
