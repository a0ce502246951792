import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compileFormat, conversions } from '../../src/cli/message-format.js'
import { UsageError } from '../../src/options/command-line.js'
import { type PublishFields, publish } from '../../src/protocol/packets/publish.js'

process.env.TZ = 'UTC'

// Saturday 21 November 2026, 08:17:04.035250 UTC.
const NOW = Date.UTC(2026, 10, 21, 8, 17, 4) + 35.25

interface Printed {
  readonly text: string
  readonly problems: readonly string[]
}

function print(format: string, fields: Partial<PublishFields> = {}, pretty = false): Printed {
  const problems: string[] = []
  const parts: string[] = []
  const add = (text: string) => parts.push(text)
  const sink = { bytes: add, receivedBytes: add, json: add }
  const packet = publish({ topic: 'f/topic', payload: Buffer.from('abcd'), ...fields })
  compileFormat(format, { pretty, now: () => NOW, onProblem: (text) => problems.push(text) })(
    packet.topic,
    packet,
    sink,
  )
  return { text: Buffer.from(parts.join(''), 'latin1').toString(), problems }
}

// What mosquitto_sub 2.1 was seen to print for payload `abcd` and topic `f/topic` (sub.md section 4.1, "Observed").
const observed: readonly (readonly [format: string, expected: string])[] = [
  ['%3p', 'abc'],
  ['%10p', '      abcd'],
  ['%-10p', 'abcd      '],
  ['%010p', '000000abcd'],
  ['%10x', '  61626364'],
  ['%-10x', '61626364  '],
  ['%010x', '0061626364'],
  ['%3x', '616263'],
  ['%.2x', '61 62 63 64'],
  ['%.2:X', '61:62:63:64'],
  ['%.4-x', '6162-6364'],
  ['%.1 x', '6 1 6 2 6 3 6 4'],
  ['%.3x', '616 263 64'],
  ['%.0x', '61626364'],
  ['%12.2x', '      61 62 63 64'],
  ['%012.2x', '00 00 61 62 63 64'],
  ['%-12.2x', '61 62 63 64    '],
  ['%12.2:x', '  :  :61:62:63:64'],
  ['%-p', 'abcd    '],
  ['%-x', '61626364    '],
  ['%.3t', 'f/t'],
  ['%10.3t', '       f/t'],
  ['%-10.3t', 'f/t       '],
  ['%020t', '             f/topic'],
]

// Seen from mosquitto_sub 2.0.11 with the same message, QoS 0, not retained.
const alsoObserved: readonly (readonly [format: string, expected: string])[] = [
  ['%5A|', '     |'],
  ['%05A|', '00000|'],
  ['%05C|', '     |'],
  ['%-5C|', '     |'],
  ['%5R|', '|'],
  ['%5S|', '     |'],
  ['%05l|', '00004|'],
  ['%-05l|', '4    |'],
  ['%5q|', '0|'],
  ['%.2l|', '4|'],
  ['%5.2l|', '    4|'],
  ['%05.2m|', '00000|'],
  ['%.4I', '2026'],
  ['%30I|', '      2026-11-21T08:17:04+0000|'],
  ['%q%r%m%l', '0004'],
  ['%05%|', '%|'],
  ['%05D|', '|'],
  ['plain %% text @@ \\\\', 'plain % text @ \\'],
  ['\\a\\e\\n\\r\\t\\v\\0', '\x07\x1b\n\r\t\x0b\0'],
  ['@c', 'Sat Nov 21 08:17:04 2026'],
  ['@x @X @r @R @T @D @F', '11/21/26 08:17:04 08:17:04 AM 08:17 08:17:04 11/21/26 2026-11-21'],
  ['@a @A @b @B @h', 'Sat Saturday Nov November Nov'],
  ['@C @d @e @g @G @H @I @j @k @l @m @M', '20 21 21 26 2026 08 08 325  8  8 11 17'],
  ['@n@t@%', '\n\t%'],
  ['@p @P @s @S @u @U @V @w @W @y @Y @z', 'AM am 1795249024 04 6 46 47 6 46 26 2026 +0000'],
  ['@Q @+ @E @-', '%Q %+ %E %-'],
  ['@N', '035250000'],
  ['%U', '1795249024.035250000'],
]

describe('output format', () => {
  for (const [format, expected] of [...observed, ...alsoObserved])
    test(`sub.md 4.1: ${JSON.stringify(format)}`, () =>
      assert.deepEqual(print(format), { text: expected, problems: [] }))

  const floats: readonly (readonly [format: string, value: number, expected: string])[] = [
    ['%f', 3.25, '3.250000'],
    ['%.2f', 3.25, '3.25'],
    ['%10.3f', 3.25, '     3.250'],
    ['%-10.3f', 3.25, '3.250     '],
    ['%010.3f', 3.25, '000003.250'],
    ['%010.3f', -3.25, '-00003.250'],
    ['%.0f', 2.5, '2'],
    ['%.0f', 3.5, '4'],
    ['%.1f', 0.25, '0.2'],
    ['%f', -0, '-0.000000'],
    ['%.1f', 2 ** 80, '1208925819614629174706176.0'],
    ['%05f', Number.NaN, '  nan'],
    ['%f', Number.NEGATIVE_INFINITY, '-inf'],
  ]
  for (const [format, value, expected] of floats)
    test(`sub.md 4.1: ${format} of the float ${value}`, () => {
      const payload = Buffer.alloc(4)
      payload.writeFloatLE(value)
      assert.equal(print(format, { payload }).text, expected)
    })
  test('%d prints a double with all its digits', () => {
    const payload = Buffer.alloc(8)
    payload.writeDoubleLE(1 / 3)
    assert.equal(print('%.17d', { payload }).text, '0.33333333333333331')
  })
  for (const [format, size] of [
    ['%f', 3],
    ['%f', 8],
    ['%d', 4],
  ] as const)
    test(`${format} of ${size} bytes prints nothing and says why`, () => {
      const { text, problems } = print(`<${format}>`, { payload: Buffer.alloc(size) })
      assert.equal(text, '<>')
      assert.equal(problems.length, 1)
    })

  test('properties of MQTT 5.0', () => {
    const properties = {
      topicAlias: 7,
      contentType: 'text/x',
      correlationData: Buffer.from('cd'),
      messageExpiryInterval: 4_294_967_295,
      payloadFormatIndicator: 1,
      userProperties: [
        ['a', 'b'],
        ['a', 'ü'],
      ],
      responseTopic: 'r/t',
      subscriptionIdentifiers: [5, 6],
    } as const
    assert.equal(
      print('%3A|%10C|%-10C|%.3C|%D|%E|%03F|%P|%10R|%S', { properties }).text,
      '  7|    text/x|text/x    |tex|cd|4294967295|001|a:b a:ü|       r/t|5',
    )
  })
  test('local time has the offset of its zone', () => {
    process.env.TZ = 'Asia/Kolkata'
    try {
      assert.equal(print('%I @H:@M @z').text, '2026-11-21T13:47:04+0530 13:47 +0530')
    } finally {
      process.env.TZ = 'UTC'
    }
  })
  test('widths count bytes: a topic outside ASCII', () => assert.equal(print('%5t|', { topic: 'ü' }).text, '   ü|'))
  test('text outside ASCII is copied', () => assert.equal(print('é→%t').text, 'é→f/topic'))
  test('an unsupported letter behind @ is echoed whole', () => assert.equal(print('@😀.').text, '%😀.'))
  test('an empty payload is padded', () =>
    assert.equal(print('%3p|%-4x|', { payload: Buffer.alloc(0) }).text, '   |    |'))

  const wrong = [
    ['%', 'incomplete'],
    ['a%5', 'incomplete'],
    ['a%.2', 'incomplete'],
    ['%k', "'k'"],
    ['%0-6l', "'-'"],
    ['%--6l', "'-'"],
    ['%:x', "':'"],
    ['a@', 'incomplete'],
    ['a\\', 'incomplete'],
    ['a\\k', "'k'"],
  ] as const
  for (const [format, part] of wrong)
    test(`${format} is refused`, () =>
      assert.throws(
        () => print(format),
        (error: unknown) => error instanceof UsageError && error.message.includes(part),
      ))

  test('every conversion has a letter of its own', () =>
    assert.equal(new Set(conversions.map((row) => row.letter)).size, conversions.length))
})

describe('JSON output', () => {
  const head = '{"tst":"2026-11-21T08:17:04.035250+0000","topic":"f/topic","qos":0,"retain":false'
  test('%j of a plain message', () => assert.equal(print('%j').text, `${head},"payloadlen":4,"payload":"abcd"}`))
  test('%j with QoS and retain has the packet identifier', () =>
    assert.equal(
      print('%j', { qos: 1, packetId: 9, retain: true }).text,
      '{"tst":"2026-11-21T08:17:04.035250+0000","topic":"f/topic","qos":1,"retain":true,"payloadlen":4,"mid":9,"payload":"abcd"}',
    ))
  test('an empty payload is null', () =>
    assert.equal(print('%j', { payload: Buffer.alloc(0) }).text, `${head},"payloadlen":0,"payload":null}`))
  test('escapes, and what is passed raw', () =>
    assert.equal(
      print('%j', { payload: Buffer.from('"\\\b\f\n\r\t\x01/\x7fü') }).text,
      `${head},"payloadlen":12,"payload":"\\"\\\\\\b\\f\\n\\r\\t\\u0001/\x7fü"}`,
    ))
  test('%j ends the payload at a NUL and counts all of it', () =>
    assert.equal(print('%j', { payload: Buffer.from('ab\0cd') }).text, `${head},"payloadlen":5,"payload":"ab"}`))
  test('properties in wire order, repeated ones together', () =>
    assert.equal(
      print('%j', {
        properties: {
          contentType: 'x',
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
          subscriptionIdentifiers: [3, 4],
          correlationData: Buffer.from('c\0d'),
          messageExpiryInterval: 4_294_967_295,
        },
      }).text,
      `${head},"payloadlen":4,"properties":{"content-type":"x","user-properties":[{"a":"1"},{"a":"2"}],"subscription-identifier":3,"subscription-identifier":4,"correlation-data":"c","message-expiry-interval":4294967295},"payload":"abcd"}`,
    ))

  // sub.md section 5, row "%J numbers", and what mosquitto_sub 2.0.11 was seen to print.
  const values: readonly (readonly [payload: string, expected: string])[] = [
    ['1.50', '1.5'],
    ['1e3', '1000'],
    ['1e20', '1e+20'],
    ['1e-7', '1e-07'],
    ['12345678901234567890', '1.2345678901234567e+19'],
    ['-0', '-0'],
    ['0.1', '0.1'],
    ['1e400', 'null'],
    ['0.30000000000000004', '0.30000000000000004'],
    ['123456789012345680', '1.2345678901234568e+17'],
    ['0.00001', '1e-05'],
    [' {"b" : 1 , "a":2,"b":[ ] } ', '{"b":1,"a":2,"b":[]}'],
    ['"x\\/\\u00e9\\u0001\\ud83d\\ude00"', '"x/é\\u0001😀"'],
    ['[true,false,null,{}]', '[true,false,null,{}]'],
  ]
  for (const [payload, expected] of values)
    test(`%J of ${payload}`, () => {
      const { text, problems } = print('%J', { payload: Buffer.from(payload) })
      assert.equal(text, `${head},"payloadlen":${Buffer.byteLength(payload)},"payload":${expected}}`)
      assert.deepEqual(problems, [])
    })
  for (const payload of [
    'bad',
    '[1,]',
    '[1 ',
    '{"a":1',
    '{"a" 1}',
    '1 2',
    '"a',
    '"\\x"',
    '01x',
    '{a:1}',
    '"\n"',
    '['.repeat(5000),
  ])
    test(`%J of the invalid ${payload.slice(0, 12)}`, () => {
      const { text, problems } = print('<%J>', { payload: Buffer.from(payload) })
      assert.equal(text, '<>')
      assert.match(problems[0] ?? '', /not valid JSON on topic f\/topic/)
    })

  test('--pretty', () => {
    const payload = '{"a":[1,2,{"b":1e3,"c":{}},[],[1.50,"x"]], "d":{},"e":null}'
    assert.equal(
      print('%J', { payload: Buffer.from(payload) }, true).text,
      [
        '{',
        '\t"tst":\t"2026-11-21T08:17:04.035250+0000",',
        '\t"topic":\t"f/topic",',
        '\t"qos":\t0,',
        '\t"retain":\tfalse,',
        `\t"payloadlen":\t${payload.length},`,
        '\t"payload":\t{',
        '\t\t"a":\t[1, 2, {',
        '\t\t\t\t"b":\t1000,',
        '\t\t\t\t"c":\t{',
        '\t\t\t\t}',
        '\t\t\t}, [], [1.5, "x"]],',
        '\t\t"d":\t{',
        '\t\t},',
        '\t\t"e":\tnull',
        '\t}',
        '}',
      ].join('\n'),
    )
  })
})
