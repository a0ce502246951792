// Messages as JSON: what --ndjson and --replay read, which is what tsmq-sub --record, %j and %J and mosquitto_sub write.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { JsonMessageError, parseJsonMessage } from '../../src/cli/json-message.js'

const parsed = (line: string, encoding: 'utf8' | 'latin1' = 'utf8') => parseJsonMessage(Buffer.from(line, encoding))

describe('a message in JSON: its payload', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [name: string, line: string, payload: string])[] = [
    ['text', '{"payload":"hello"}', 'hello'],
    ['empty text', '{"payload":""}', ''],
    ['null', '{"payload":null}', ''],
    ['escapes', '{"payload":"a\\u00e9\\n\\"\\\\\\u0000z"}', 'aé\n"\\\0z'],
    ['base64', '{"payload_b64":"AP8K"}', '\0\xff\n'],
    ['a number keeps its digits', '{"payload": 12345678901234567890.50 }', '12345678901234567890.50'],
    ['false', '{"payload":false}', 'false'],
    ['an object keeps order, duplicates and blanks', '{"qos":1,"payload":{"b": 1, "2":[ ], "1":{"payload":3}, "b":2},"topic":"payload"}', '{"b": 1, "2":[ ], "1":{"payload":3}, "b":2}'],
    ['a list', '{"payload":[1,"]",{"a":"}"}]}', '[1,"]",{"a":"}"}]'],
    ['the last of two counts', '{"payload":1,"payload":[2]}', '[2]'],
    ['an escaped name', '{"payl\\u006fad":[1]}', '[1]'],
  ]
  for (const [name, line, payload] of rows)
    test(name, () => {
      const encoding = name === 'base64' ? 'latin1' : 'utf8'
      assert.equal(parsed(line).payload.toString(encoding), payload)
    })
  test('bytes that are no UTF-8, as %j writes them', () =>
    assert.deepEqual(parsed('{"topic":"\xc3\xa9","payload":"\xff\xfe"}', 'latin1').payload, Buffer.from([0xff, 0xfe])))
  test('and a topic beside them is UTF-8', () =>
    assert.equal(parsed('{"topic":"\xc3\xa9","payload":"\xff\xfe"}', 'latin1').topic, 'é'))
})

describe('a message in JSON: the rest', () => {
  test('everything there is', () => {
    const line =
      '{"tst":"2026-11-21T10:00:00.250000+0100","topic":"a/b","qos":1,"retain":true,"payloadlen":1,"mid":7,"properties":' +
      '{"content-type":"x/y","message-expiry-interval":5,"payload-format-indicator":1,"response-topic":"r","correlation-data":"c",' +
      '"subscription-identifier":3,"topic-alias":2,"user-properties":[{"k":"v"},{"k":"w"}]},"payload":"x"}'
    assert.deepEqual(parsed(line), {
      topic: 'a/b',
      qos: 1,
      retain: true,
      payload: Buffer.from('x'),
      properties: {
        contentType: 'x/y',
        messageExpiryInterval: 5,
        payloadFormatIndicator: 1,
        responseTopic: 'r',
        correlationData: Buffer.from('c'),
        userProperties: [
          ['k', 'v'],
          ['k', 'w'],
        ],
      },
      time: Date.UTC(2026, 10, 21, 9, 0, 0, 250),
    })
  })
  test('nothing but a payload', () =>
    assert.deepEqual(parsed(' {"payload":"x"}\r'), {
      topic: undefined,
      qos: undefined,
      retain: undefined,
      payload: Buffer.from('x'),
      properties: {},
      time: undefined,
    }))
  test('correlation data in base64', () =>
    assert.deepEqual(parsed('{"payload":"","properties":{"correlation-data_b64":"/w=="}}').properties, {
      correlationData: Buffer.from([0xff]),
    }))
  for (const [tst, ms] of [
    ['"1970-01-01T00:00:01Z"', 1000],
    ['"1970-01-01T00:00:01.5+00:00"', 1500],
    ['"1970-01-01T05:30:00,001+0530"', 1],
    ['"1970-01-01T01:00:00.5Z+0100"', 500],
    ['1.5', 1500],
  ] as const)
    test(`tst ${tst}`, () => assert.equal(parsed(`{"payload":"","tst":${tst}}`).time, ms))
  for (const [flag, expected] of [
    ['0', false],
    ['1', true],
  ] as const)
    test(`retain ${flag}, as older tools write it`, () =>
      assert.equal(parsed(`{"payload":"","retain":${flag}}`).retain, expected))
})

describe('a line that is no message', () => {
  // biome-ignore format: one row a line
  const rows: readonly (readonly [line: string, says: RegExp])[] = [
    ['hello', /no JSON/],
    ['{"payload":"x"', /no JSON/],
    ['{"payload":"x"} {}', /no JSON/],
    ['[1]', /no JSON object/],
    ['null', /no JSON object/],
    ['{}', /no payload/],
    ['{"topic":"a"}', /no payload/],
    ['{"payload":"x","payload_b64":"eA=="}', /both/],
    ['{"payload_b64":"%"}', /payload_b64 is no base64/],
    ['{"payload_b64":1}', /payload_b64 is no base64/],
    ['{"payload":"x","topic":1}', /topic is no string/],
    ['{"payload":"x","qos":3}', /qos is not/],
    ['{"payload":"x","qos":"1"}', /qos is not/],
    ['{"payload":"x","retain":"yes"}', /retain is not/],
    ['{"payload":"x","tst":"yesterday"}', /tst is no time/],
    ['{"payload":"x","tst":"2026-11-21T00:00:00"}', /tst is no time/],
    ['{"payload":"x","tst":"2026-13-45T00:00:00Z"}', /tst is no time/],
    ['{"payload":"x","topik":"a"}', /unknown member "topik"/],
    ['{"payload":"x","properties":[]}', /properties is no object/],
    ['{"payload":"x","properties":{"colour":"red"}}', /unknown property "colour"/],
    ['{"payload":"x","properties":{"receive-maximum":1}}', /unknown property "receive-maximum"/],
    ['{"payload":"x","properties":{"content-type":1}}', /content-type is no string/],
    ['{"payload":"x","properties":{"message-expiry-interval":"1"}}', /message-expiry-interval is no number/],
    ['{"payload":"x","properties":{"content-type_b64":"eA=="}}', /unknown property/],
    ['{"payload":"x","properties":{"user-properties":{"a":"b"}}}', /user-properties is no list/],
    ['{"payload":"x","properties":{"user-properties":[{"a":1}]}}', /user-properties is no list/],
  ]
  for (const [line, says] of rows)
    test(line, () =>
      assert.throws(
        () => parsed(line),
        (error: unknown) => error instanceof JsonMessageError && says.test(error.message),
      ),
    )
})
