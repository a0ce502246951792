// The reason code table against section 2.4 of MQTT 5.0 and the sections of the packets, and its mapping to 3.x.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  disconnectOf,
  isReasonCodeOf,
  type ReasonCarrier,
  ReasonCode,
  reasonCodes,
  reasonText,
  returnCodeFor,
  returnCodeTexts,
} from '../../src/protocol/reason-codes.js'
import { hex } from '../golden/bytes.js'

const standard = new Map<number, string>([
  [0x00, 'Success'],
  [0x01, 'Granted QoS 1'],
  [0x02, 'Granted QoS 2'],
  [0x04, 'Disconnect with Will Message'],
  [0x10, 'No matching subscribers'],
  [0x11, 'No subscription existed'],
  [0x18, 'Continue authentication'],
  [0x19, 'Re-authenticate'],
  [0x80, 'Unspecified error'],
  [0x81, 'Malformed Packet'],
  [0x82, 'Protocol Error'],
  [0x83, 'Implementation specific error'],
  [0x84, 'Unsupported Protocol Version'],
  [0x85, 'Client Identifier not valid'],
  [0x86, 'Bad User Name or Password'],
  [0x87, 'Not authorized'],
  [0x88, 'Server unavailable'],
  [0x89, 'Server busy'],
  [0x8a, 'Banned'],
  [0x8b, 'Server shutting down'],
  [0x8c, 'Bad authentication method'],
  [0x8d, 'Keep Alive timeout'],
  [0x8e, 'Session taken over'],
  [0x8f, 'Topic Filter invalid'],
  [0x90, 'Topic Name invalid'],
  [0x91, 'Packet Identifier in use'],
  [0x92, 'Packet Identifier not found'],
  [0x93, 'Receive Maximum exceeded'],
  [0x94, 'Topic Alias invalid'],
  [0x95, 'Packet too large'],
  [0x96, 'Message rate too high'],
  [0x97, 'Quota exceeded'],
  [0x98, 'Administrative action'],
  [0x99, 'Payload format invalid'],
  [0x9a, 'Retain not supported'],
  [0x9b, 'QoS not supported'],
  [0x9c, 'Use another server'],
  [0x9d, 'Server moved'],
  [0x9e, 'Shared Subscriptions not supported'],
  [0x9f, 'Connection rate exceeded'],
  [0xa0, 'Maximum connect time'],
  [0xa1, 'Subscription Identifiers not supported'],
  [0xa2, 'Wildcard Subscriptions not supported'],
])

const publishAck = hex('00 10 80 83 87 90 91 97 99')
const releaseAck = hex('00 92')
/** 0x8c in a server's DISCONNECT: in table 2-6, missing from the list of section 3.14.2.1; understood here. */
const sets: readonly (readonly [ReasonCarrier, readonly number[], string])[] = [
  ['CONNACK', hex('00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f'), '[MQTT-3.2.2-8]'],
  ['PUBACK', publishAck, '[MQTT-3.4.2-1]'],
  ['PUBREC', publishAck, '[MQTT-3.5.2-1]'],
  ['PUBREL', releaseAck, '[MQTT-3.6.2-1]'],
  ['PUBCOMP', releaseAck, '[MQTT-3.7.2-1]'],
  ['SUBACK', hex('00 01 02 80 83 87 8f 91 97 9e a1 a2'), '[MQTT-3.9.3-2]'],
  ['UNSUBACK', hex('00 11 80 83 87 8f 91'), '[MQTT-3.11.3-2]'],
  ['AUTH', hex('00 18 19'), '[MQTT-3.15.2-1]'],
  ['client DISCONNECT', hex('00 04 80 81 82 83 90 93 94 95 96 97 98 99'), '[MQTT-3.14.2-1]'],
  [
    'server DISCONNECT',
    hex('00 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2'),
    '[MQTT-3.14.2-1]',
  ],
]

test('the reason codes are those of the standard, with its names', () => {
  assert.deepEqual(new Map(reasonCodes.map((row) => [row.code, row.text])), standard)
  assert.deepEqual(Object.values(ReasonCode), [...standard.keys()])
  assert.equal(reasonText(0x8e), 'Session taken over')
  assert.equal(reasonText(3), 'Unknown reason code 3')
})

for (const [carrier, codes, ids] of sets)
  test(`${ids} ${carrier} carries its reason codes and no other`, () => {
    const accepted = [...Array(256).keys()].filter((code) => isReasonCodeOf(carrier, code))
    assert.deepEqual(accepted, codes)
  })

test('packets without a reason code carry none', () => {
  for (const carrier of ['CONNECT', 'PUBLISH', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PINGREQ', 'PINGRESP'] as const)
    assert.ok(![...Array(256).keys()].some((code) => isReasonCodeOf(carrier, code)), carrier)
})

test('a DISCONNECT has the reason codes of its sender', () => {
  assert.equal(disconnectOf('client'), 'client DISCONNECT')
  assert.equal(disconnectOf('server'), 'server DISCONNECT')
})

/** CONNACK return codes of 3.x; the causes not listed close the connection without a CONNACK. */
const returnCodes = new Map([
  [0x00, 0],
  [0x84, 1],
  [0x85, 2],
  [0x88, 3],
  [0x89, 3],
  [0x97, 3],
  [0x9c, 3],
  [0x9d, 3],
  [0x9f, 3],
  [0x86, 4],
  [0x87, 5],
  [0x8a, 5],
])

test('[MQTT-3.2.2-6 of 3.1.1] a refusal has a return code of 3.x, or none and the connection is closed', () => {
  for (const { code } of reasonCodes) assert.equal(returnCodeFor(code), returnCodes.get(code), `0x${code.toString(16)}`)
  assert.equal(returnCodeTexts.length, 6)
})
