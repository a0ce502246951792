// Topic names and filters (MQTT 5.0 sections 4.7 and 4.8.2): what is well-formed, what matches what.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  hasAcceptableDepth,
  hasWildcard,
  isTopicFilter,
  isTopicName,
  MAX_TOPIC_BYTES,
  MAX_TOPIC_LEVELS,
  matches,
  parseFilter,
} from '../../src/protocol/topics.js'

const matching: readonly (readonly [ids: string, filter: string, yes: readonly string[], no: readonly string[]])[] = [
  [
    '[MQTT-4.7.1-1] F124',
    'sport/#',
    ['sport', 'sport/', 'sport/a', 'sport/a/b'],
    ['sports', 'Sport', '/sport', 'spor'],
  ],
  ['F124', 'sport/tennis/#', ['sport/tennis', 'sport/tennis/p/q'], ['sport', 'sport/', 'sport/tennisa']],
  ['F124', '#', ['a', '/', 'a/b', '/a', 'a/$SYS'], ['$SYS', '$SYS/a', '$a']],
  ['F124', '/#', ['/', '/a', '/a/b', '/$SYS'], ['a', 'a/b', '$SYS/a']],
  ['F124', '+/#', ['a', 'a/', 'a/b', '/', '/a'], ['$SYS', '$SYS/a']],
  ['F124', 'a/+/#', ['a/b', 'a/b/', 'a/b/c', 'a/'], ['a', 'b/c']],
  ['[MQTT-4.7.1-2] F125', 'sport/+', ['sport/', 'sport/a', 'sport/é'], ['sport', 'sport/a/b', 'sport/a/']],
  ['F125', '+', ['a', 'abc', 'a$'], ['/', '/a', 'a/', 'a/b', '$SYS']],
  ['F125', 'a/+/c', ['a/b/c', 'a//c'], ['a/c', 'a/b/b/c', 'a/b/c/']],
  ['F126', '+/+', ['/a', 'a/', '/', 'a/b'], ['a', 'a/b/c', '//', '$a/b']],
  ['F126', '/+', ['/a', '/'], ['a', '/a/b', '//']],
  ['F126', '/', ['/'], ['//', 'a', '/a']],
  ['F126', 'a//b', ['a//b'], ['a/b', 'a///b', 'a/ /b']],
  ['F126', 'a/', ['a/'], ['a', 'a//']],
  ['F126', '//', ['//'], ['/', '///']],
  ['F126', '+/+/+', ['//', 'a/b/c', '/b/'], ['/', 'a/b', '///']],
  ['[MQTT-4.7.3-4] F127', 'Sensor', ['Sensor'], ['sensor', ' Sensor', 'Sensor ', 'SENSOR']],
  ['F127', ' a / b ', [' a / b '], ['a/b', ' a/b ', ' a / b']],
  ['[MQTT-4.7.3-4] F127', 'caf\u00e9', ['caf\u00e9'], ['cafe\u0301', 'CAF\u00c9']],
  ['F127', '\uFEFFa', ['\uFEFFa'], ['a']],
  ['[MQTT-4.7.2-1] F128', '+/x', ['a/x', '/x'], ['$SYS/x', '$/x', '$share/x']],
  ['F128', '$SYS/#', ['$SYS', '$SYS/', '$SYS/broker/uptime'], ['SYS', '$SYSTEM', '$sys/a']],
  ['F128', '$SYS/+', ['$SYS/a', '$SYS/'], ['$SYS', '$SYS/a/b']],
  ['F128 F129', '+/$x', ['a/$x', '/$x'], ['$a/$x', 'a/x']],
  ['F129', 'a/#', ['a/$SYS', 'a/$SYS/b'], ['$a/b']],
  ['F129', 'a/+', ['a/$b', 'a/$'], ['a/$b/c']],
  ['F127', 'a/b', ['a/b'], ['a', 'a/', 'a/b/', 'a/bc', 'ab', 'a/b/c', 'b']],
]

for (const [ids, filter, yes, no] of matching)
  test(`${ids} ${filter}`, () => {
    for (const topic of yes) assert.equal(matches(filter, topic), true, topic)
    for (const topic of no) assert.equal(matches(filter, topic), false, topic)
  })

/** Section 4.7 level by level, as it is written. */
function plainMatch(filter: readonly string[], topic: readonly string[]): boolean {
  if (/^[+#]/.test(filter[0] ?? '') && (topic[0] ?? '').startsWith('$')) return false
  const walk = (f: number, t: number): boolean => {
    if (filter[f] === '#') return true
    if (f === filter.length) return t === topic.length
    if (t === topic.length) return false
    return (filter[f] === '+' || filter[f] === topic[t]) && walk(f + 1, t + 1)
  }
  return walk(0, 0)
}

const level = fc.constantFrom('', 'a', 'b', 'aa', '$', '$SYS', 'é')
const levels = fc.array(level, { minLength: 1, maxLength: 5 }).filter((list) => list.join('/') !== '')
const filterLevels = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 5 }), fc.boolean())
  .map(([list, open]) => (open ? [...list, '#'] : list))
  .filter((list) => list.join('/') !== '')

test('matching is the plain reading of section 4.7 for any filter and name', () => {
  let matched = 0
  fc.assert(
    fc.property(filterLevels, levels, (filter, topic) => {
      const expected = plainMatch(filter, topic)
      if (expected) matched++
      assert.ok(isTopicFilter(filter.join('/')))
      assert.ok(isTopicName(topic.join('/')))
      assert.equal(matches(filter.join('/'), topic.join('/')), expected)
    }),
    { numRuns: 20_000 },
  )
  assert.ok(matched > 500, `${matched} matched`)
})

/** `+` and `#` stand alone in their level, `#` in the last. */
function isPlainFilter(text: string): boolean {
  const list = text.split('/')
  return (
    text !== '' &&
    list.every((part, at) => part === '+' || (part === '#' && at === list.length - 1) || !/[+#]/.test(part))
  )
}

test('[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] a filter is well-formed as section 4.7.1 says', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '/', '+', '#', '$'), maxLength: 7 })
  fc.assert(
    fc.property(text, (filter) => {
      assert.equal(isTopicFilter(filter), isPlainFilter(filter))
      assert.equal(isTopicName(filter), filter !== '' && !/[+#]/.test(filter))
      if (isTopicFilter(filter)) assert.equal(hasWildcard(filter), /[+#]/.test(filter))
    }),
    { numRuns: 20_000 },
  )
})

test('[MQTT-4.7.3-2] U+0000 is in no name and no filter', () => {
  assert.equal(isTopicName('a\0'), false)
  assert.equal(isTopicFilter('a\0/#'), false)
})

const shares: readonly (readonly [ids: string, text: string, group: string | undefined, filter: string])[] = [
  ['F131', '$share/g/t', 'g', 't'],
  ['E148 F131', '$share/g//t', 'g', '/t'],
  ['F131', '$share/g//', 'g', '/'],
  ['F131', '$share/g/#', 'g', '#'],
  ['F131', '$share/g/+/x', 'g', '+/x'],
  ['F131', '$share/g/$SYS/#', 'g', '$SYS/#'],
  ['F131', '$share/a b é/x', 'a b é', 'x'],
  ['F131', '$share/$share/x', '$share', 'x'],
  ['F131', '$share/g/$share/h/x', 'g', '$share/h/x'],
  ['E149 F130', '$SHARE/g/t', undefined, '$SHARE/g/t'],
  ['E149 F130', '$shared/g/t', undefined, '$shared/g/t'],
  ['F130', '/$share/g/t', undefined, '/$share/g/t'],
  ['F130', 'a/$share/g', undefined, 'a/$share/g'],
  ['F130', '$sharegroup', undefined, '$sharegroup'],
]

for (const [ids, text, group, filter] of shares)
  test(`${ids} ${text} in parts`, () => {
    assert.deepEqual(parseFilter(text), { group, filter })
  })

const badShares: readonly (readonly [ids: string, text: string])[] = [
  ['E143 [MQTT-4.8.2-1]', '$share'],
  ['E143 [MQTT-4.8.2-1]', '$share/'],
  ['E146 [MQTT-4.8.2-1]', '$share//t'],
  ['E144 [MQTT-4.8.2-2]', '$share/g'],
  ['E145 [MQTT-4.8.2-2]', '$share/g/'],
  ['E147 [MQTT-4.8.2-2]', '$share/+/t'],
  ['E147 [MQTT-4.8.2-2]', '$share/#/t'],
  ['E147 [MQTT-4.8.2-2]', '$share/g+/t'],
  ['E147 [MQTT-4.8.2-2]', '$share/g#/t'],
  ['E140', '$share/g/a#'],
  ['E139', '$share/g/#/a'],
  ['E134', ''],
  ['E141', 'a+'],
]

for (const [ids, text] of badShares)
  test(`${ids} ${JSON.stringify(text)} has no parts`, () => {
    assert.equal(parseFilter(text), undefined)
  })

test('[MQTT-4.8.2-1] [MQTT-4.8.2-2] parts put together again are the text', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '/', '+', '#'), maxLength: 6 })
  fc.assert(
    fc.property(text, (rest) => {
      const parts = parseFilter(`$share/${rest}`)
      const slash = rest.indexOf('/')
      const valid = slash > 0 && !/[+#]/.test(rest.slice(0, slash)) && isPlainFilter(rest.slice(slash + 1))
      assert.deepEqual(parts, valid ? { group: rest.slice(0, slash), filter: rest.slice(slash + 1) } : undefined)
    }),
    { numRuns: 5000 },
  )
})

test('E86 [MQTT-4.7.3-3] limits on levels and bytes', () => {
  assert.equal(MAX_TOPIC_BYTES, 65_535)
  assert.equal(hasAcceptableDepth('/'.repeat(MAX_TOPIC_LEVELS - 1)), true)
  assert.equal(hasAcceptableDepth('/'.repeat(MAX_TOPIC_LEVELS)), false)
  assert.equal(hasAcceptableDepth('a'), true)
})
