// Bridges in a configuration file (bridges.md, broker-options.md section 13): what becomes of their lines, and which do not go
// together.

import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { bridgeNames, bridgeProblems } from '../../src/broker/bridge/bridge-names.js'
import { readFiles, readText } from './conf-text.js'

const BASE = 'connection b\naddress h\ntopic #\n'

test('a bridge and its defaults', () => {
  const { bridges, problems, warnings } = readText(
    'listener 1\nconnection b\naddress h1 h2:2\ntopic a/# in 1\ntopic b out\n',
  )
  assert.deepEqual([problems, warnings], [[], []])
  const [bridge] = bridges
  assert.equal(bridge?.name, 'b')
  assert.deepEqual(bridge?.address, [
    { host: 'h1', port: 1883 },
    { host: 'h2', port: 2 },
  ])
  assert.deepEqual(
    bridge?.topic.map(({ pattern, direction, qos }) => [pattern, direction, qos]),
    [
      ['a/#', 'in', 1],
      ['b', 'out', 0],
    ],
  )
  assert.equal(bridge?.bridge_protocol_version, 'mqttv311')
  assert.equal(bridge?.local_cleansession, undefined)
})

test('several bridges, each with its own lines, also from another file', () => {
  const { config, problems } = readFiles({
    conf: 'connection a\naddress h1\ntopic #\nconnection b\naddress h2\ntopic #\ninclude_dir FOLDER/d\n',
    'd/c.conf': 'connection c\naddress h3\ntopic #\n',
  })
  assert.deepEqual(problems, [])
  assert.deepEqual(
    config.bridges.map(({ name, address: [first] }) => `${name} ${first?.host}`),
    ['a h1', 'b h2', 'c h3'],
  )
})

test('names', () => {
  const [plain, own] = readText(
    `${BASE}connection c\naddress h\ntopic #\nremote_clientid r\nnotification_topic n/t\n`,
  ).bridges
  assert.ok(plain && own)
  const { remoteClientId } = bridgeNames(plain)
  assert.match(remoteClientId, /^.+\.b$/)
  assert.deepEqual(bridgeNames(plain), {
    remoteClientId,
    localClientId: `local.${remoteClientId}`,
    stateTopic: `$SYS/broker/connection/${remoteClientId}/state`,
  })
  assert.deepEqual(bridgeNames(own), { remoteClientId: 'r', localClientId: 'local.r', stateTopic: 'n/t' })
})

const TLS = 'bridge_cafile f\n'
const problems: readonly (readonly [lines: string, problem: RegExp])[] = [
  ['connection b\ntopic #\n', /:1: of bridge b an address is missing/],
  ['connection b\naddress h\n', /:1: of bridge b a topic is missing/],
  ['connection b\naddress h\ntopic #\nconnection b\naddress h\ntopic #\n', /:4: connection b is given twice/],
  ['address h\n', /:1: address must stand below a connection line/],
  ['connection\n', /:1: connection needs a value/],
  [`${BASE}bridge_certfile f\n${TLS}`, /:4: of bridge b bridge_certfile needs bridge_keyfile/],
  [`${BASE}bridge_keyfile f\n${TLS}`, /bridge_keyfile needs bridge_certfile/],
  [
    `${BASE}bridge_certfile f\nbridge_keyfile f\n`,
    /bridge_certfile needs bridge_cafile or bridge_capath or bridge_tls_use_os_certs/,
  ],
  [`${BASE}bridge_identity i\n`, /bridge_identity needs bridge_psk/],
  [`${BASE}bridge_psk 00ff\n`, /bridge_psk needs bridge_identity/],
  [`${BASE}bridge_psk 0xff\nbridge_identity i\n`, /bridge_psk is not hexadecimal/],
  [`${BASE}bridge_psk 00ff\nbridge_identity i\n${TLS}`, /either certificates or a pre-shared key/],
  [`${BASE}bridge_psk 00ff\nbridge_identity i\nbridge_tls_version tlsv1.3\n`, /ends at TLS 1.2/],
  [`${BASE}bridge_tls_version tlsv1.3\n`, /bridge_tls_version needs bridge_cafile/],
  [`${BASE}bridge_ciphers x\n`, /bridge_ciphers needs/],
  [`${BASE}bridge_alpn x\n`, /bridge_alpn needs/],
  ['connection b\ntopic #\naddress wss://h\n', /:3: of bridge b wss:\/\/ needs bridge_cafile/],
  [`connection b\ntopic #\naddress ws://h\n${TLS}`, /has to be wss/],
  [`${BASE}remote_password p\n`, /remote_password needs remote_username or bridge_protocol_version mqttv50/],
  [`${BASE}start_type lazy\nlocal_cleansession true\n`, /start_type lazy does not go with local_cleansession true/],
  [`${BASE}start_type lazy\ncleansession true\n`, /start_type lazy does not go with local_cleansession true/],
  [`${BASE}start_type manual\n`, /must be one of automatic, lazy, once/],
  [`${BASE}notifications false\nnotification_topic t\n`, /nothing is published/],
  [`${BASE}bridge_require_ocsp true\n`, /:4: of bridge b bridge_require_ocsp needs bridge_cafile or/],
  [
    `${BASE}bridge_require_ocsp true\nbridge_psk 00ff\nbridge_identity i\n`,
    /bridge_require_ocsp needs bridge_cafile or/,
  ],
  [`${BASE}bridge_tcp_keepalive 60 10\n`, /:4: bridge_tcp_keepalive needs IDLE INTERVAL COUNT/],
  [`${BASE}bridge_tcp_user_timeout -1\n`, /:4: bridge_tcp_user_timeout must be at least 0, not -1/],
  [`${BASE}bridge_tcp_user_timeout 5s\n`, /:4: bridge_tcp_user_timeout must be a whole number/],
  [`${BASE}topic a#\n`, /of bridge b topic 'a#' cannot be used: 'a#' is not a valid topic filter/],
  [
    `${BASE}remote_clientid x\nconnection c\naddress h\ntopic #\nremote_clientid x\n`,
    /:5: of bridge c local_clientid 'local.x' is that of bridge b already/,
  ],
  [`connection a+b\naddress h\ntopic #\n`, /of bridge a\+b .* is not a topic to publish the state to/],
]

for (const [lines, problem] of problems)
  test(`refused: ${JSON.stringify(lines)}`, () => {
    const config = readText(lines)
    const found = [...config.problems, ...bridgeProblems(config)]
    assert.equal(found.length, 1, found.map(({ message }) => message).join('\n'))
    assert.match(found[0]?.message ?? '', problem)
  })

test('bridge_tcp_keepalive where sockets take an interval and a count, refused with words where they do not', () => {
  const config = readText(`${BASE}bridge_tcp_keepalive 60 10 3\n`)
  const found = [...config.problems, ...bridgeProblems(config)].map(({ message }) => message)
  if (Socket.prototype.setKeepAlive.length >= 4) assert.deepEqual(found, [])
  else assert.match(found.join(), /:1: of bridge b bridge_tcp_keepalive needs Node.js 26: v\d.*keepalive_interval/)
})

const userTimeouts = [
  { lines: 'bridge_tcp_user_timeout 5000\n', value: 5000, isNeeded: true },
  { lines: 'bridge_tcp_user_timeout 0\n', value: 0, isNeeded: false },
  { lines: '', value: 0, isNeeded: false },
]

for (const { lines, value, isNeeded } of userTimeouts)
  test(`bridge_tcp_user_timeout ${value}: ${JSON.stringify(lines)}, refused with words where it is set and the system does not tell`, () => {
    const config = readText(`${BASE}${lines}`)
    assert.equal(config.bridges[0]?.bridge_tcp_user_timeout, value)
    assert.deepEqual([config.problems, bridgeProblems(config, () => true)], [[], []])
    const found = bridgeProblems(config, () => false).map(({ message }) => message)
    assert.equal(found.length, isNeeded ? 1 : 0)
    if (isNeeded)
      assert.match(found.join(), /:1: of bridge b bridge_tcp_user_timeout needs Linux and .*keepalive_interval/)
  })

const harmless: readonly (readonly [lines: string, warning: RegExp])[] = [
  [`${BASE}threshold 5\n`, /:4: of bridge b threshold needs start_type lazy to have an effect/],
  [`${BASE}idle_timeout 5\n`, /idle_timeout needs start_type lazy/],
  [`${BASE}bridge_receive_maximum 5\n`, /bridge_receive_maximum needs bridge_protocol_version mqttv50/],
  [`${BASE}bridge_insecure true\n`, /bridge_insecure needs bridge_cafile/],
  [`${BASE}bridge_insecure true\nbridge_tls_use_os_certs true\n`, /lets whoever answers be the other broker/],
  ['connection b\naddress h\ntopic # in\nstart_type lazy\n', /never connects, because no topic is sent out/],
]

for (const [lines, warning] of harmless)
  test(`reported: ${JSON.stringify(lines)}`, () => {
    const { problems: found, warnings } = readText(lines)
    assert.deepEqual(found, [])
    assert.deepEqual(warnings.length, 1)
    assert.match(warnings[0]?.message ?? '', warning)
  })

const fine = [
  `${BASE}bridge_require_ocsp false\n`,
  `${BASE}bridge_require_ocsp true\n${TLS}`,
  `${BASE}bridge_require_ocsp true\nbridge_tls_use_os_certs true\n`,
  `${BASE}start_type lazy\ncleansession true\nlocal_cleansession false\n`,
  `${BASE}remote_password p\nbridge_protocol_version mqttv50\n`,
  `${BASE}bridge_certfile f\nbridge_keyfile f\nbridge_tls_use_os_certs true\nbridge_tls_version tlsv1.2\n`,
  `${BASE}bridge_identity i\nbridge_psk 00FF\nbridge_ciphers PSK\n`,
  `connection b\ntopic #\naddress wss://h/mqtt h2:8883\n${TLS}`,
]

for (const lines of fine)
  test(`accepted: ${JSON.stringify(lines)}`, () => {
    const config = readText(lines)
    assert.deepEqual([config.problems, config.warnings, bridgeProblems(config)], [[], [], []])
  })
