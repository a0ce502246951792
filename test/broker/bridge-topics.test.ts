// What a `topic` line of a bridge means (bridges.md section 2): which filters it subscribes to on either side, and what a topic is
// called there. The expectations are the specification's tables, typed by hand.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BridgeTopics, topicFault } from '../../src/broker/bridge/bridge-topics.js'
import { parseBridgeTopic } from '../../src/options/bridge-values.js'
import type { BridgeTopic } from '../../src/options/option.js'

function topic(text: string): BridgeTopic {
  const parsed = parseBridgeTopic(text)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed.value
}

function topics(...lines: readonly string[]): BridgeTopics {
  return new BridgeTopics(lines.map(topic))
}

/** Pairs of a topic and what it is called at the other side; undefined where it does not cross. */
type Names = Readonly<Record<string, string | undefined>>

const mappings: readonly { readonly lines: readonly string[]; readonly out?: Names; readonly in?: Names }[] = [
  { lines: ['a/# both 0 L/ R/'], out: { 'L/a/b': 'R/a/b', 'L/a': 'R/a', 'a/b': undefined, 'R/a/b': undefined } },
  { lines: ['a/# both 0 L/ R/'], in: { 'R/a/b': 'L/a/b', 'L/a/b': undefined, 'a/b': undefined } },
  { lines: ['a/# both 0 L/'], out: { 'L/a/b': 'a/b' }, in: { 'a/b': 'L/a/b' } },
  { lines: ['a/# both 0 "" R/'], out: { 'a/b': 'R/a/b' }, in: { 'R/a/b': 'a/b' } },
  { lines: ['a/# both'], out: { 'a/b': 'a/b' }, in: { 'a/b': 'a/b' } },
  {
    lines: ['"" both 0 here/t there/t'],
    out: { 'here/t': 'there/t', 'here/t/x': undefined },
    in: { 'there/t': 'here/t' },
  },
  { lines: ['x/# both 0 l r'], out: { 'lx/y': 'rx/y', lx: 'rx', 'l/x': undefined }, in: { 'rx/y': 'lx/y' } },
  { lines: ['a/# out 0 L/ R/'], out: { 'L/a/b': 'R/a/b' }, in: { 'R/a/b': undefined } },
  { lines: ['a/# in 0 L/ R/'], out: { 'L/a/b': undefined }, in: { 'R/a/b': 'L/a/b' } },
  // In the order of the file; an entry with a prefix comes before one without.
  { lines: ['a/# out 0 "" one/', 'a/b out 0 "" two/'], out: { 'a/b': 'one/a/b' } },
  { lines: ['a/b out 0 "" two/', 'a/# out 0 "" one/'], out: { 'a/b': 'two/a/b', 'a/c': 'one/a/c' } },
  { lines: ['a/# out', 'a/b out 0 "" two/'], out: { 'a/b': 'two/a/b', 'a/c': 'a/c' } },
  { lines: ['+/x out 0 s/ d/'], out: { 's/1/x': 'd/1/x', 's/1/2/x': undefined } },
  // Wildcards in the first level are not for topics that begin with $.
  { lines: ['# both'], out: { '$SYS/broker/uptime': undefined }, in: { '$SYS/broker/uptime': undefined } },
  { lines: ['$SYS/# out 0 "" from/'], out: { '$SYS/broker/uptime': 'from/$SYS/broker/uptime' } },
  { lines: ['$share/g/a/# in'], in: { 'a/b': 'a/b', '$share/g/a/b': undefined } },
  // A name that would be none: too long for its field, or too deep.
  {
    lines: [`# out 0 "" ${'x'.repeat(100)}/`],
    out: { ['y'.repeat(65_434)]: `${'x'.repeat(100)}/${'y'.repeat(65_434)}` },
  },
  { lines: [`# out 0 "" ${'x'.repeat(100)}/`], out: { ['y'.repeat(65_435)]: undefined } },
  { lines: [`# out 0 "" ${'x'.repeat(100)}/`], out: { ['ä'.repeat(32_718)]: undefined } },
  { lines: ['# in 0 a/b/'], in: { ['x/'.repeat(197)]: `a/b/${'x/'.repeat(197)}`, ['x/'.repeat(198)]: undefined } },
]

for (const { lines, out = {}, in: incoming = {} } of mappings)
  test(`CVE-2024-3935 topic ${lines.join('; ').slice(0, 60)}`, () => {
    const map = topics(...lines)
    for (const [name, there] of Object.entries(out)) assert.equal(map.toRemote(name), there)
    for (const [name, here] of Object.entries(incoming)) assert.equal(map.toLocal(name), here)
  })

const subscriptions = [
  { lines: ['a out 1 L/ R/'], local: ['L/a 1'], remote: [], notRemote: ['R/a'] },
  { lines: ['a in 2 L/ R/'], local: [], remote: ['R/a 2'], notRemote: [] },
  { lines: ['a both 1 L/ R/'], local: ['L/a 1'], remote: ['R/a 1'], notRemote: [] },
  { lines: ['"" both 0 l r'], local: ['l 0'], remote: ['r 0'], notRemote: [] },
  { lines: ['b in', 'a in', 'c out'], local: ['c 0'], remote: ['b 0', 'a 0'], notRemote: ['c'] },
  // What is received by one entry is not given up by another.
  { lines: ['a in 1', 'a out 2'], local: ['a 2'], remote: ['a 1'], notRemote: [] },
  { lines: ['a both 1', 'a both 2', 'a both 0'], local: ['a 2'], remote: ['a 2'], notRemote: [] },
] as const

for (const { lines, local, remote, notRemote } of subscriptions)
  test(`the filters of ${lines.join('; ')}`, () => {
    const map = topics(...lines)
    const texts = (filters: BridgeTopics['local']) => filters.map(({ text, qos }) => `${text} ${qos}`)
    assert.deepEqual(texts(map.local), [...local])
    assert.deepEqual(texts(map.remote), [...remote])
    assert.deepEqual(map.notRemote, [...notRemote])
  })

test('a shared subscription is matched without its group', () => {
  const [filter] = topics('$share/g/a/# in 1').remote
  assert.deepEqual(filter, { text: '$share/g/a/#', group: 'g', filter: 'a/#', qos: 1 })
})

const faults: readonly (readonly [line: string, fault: RegExp | undefined])[] = [
  ['a/# both', undefined],
  ['# out 0 l/ r/', undefined],
  ['a# out', /'a#' is not a valid topic filter/],
  ['a/#/b in', /'a\/#\/b' is not a valid/],
  ['# out 0 l', /'l#' is not a valid/],
  ['# out 0 "" r', /'r#' is not a valid/],
  ['+ in 0 l r/', /'l\+' is not a valid/],
  [`${'x/'.repeat(199)}x in`, undefined],
  [`${'x/'.repeat(200)}x in`, /too long/],
  [`x in 0 ${'l'.repeat(65_535)}`, /too long/],
  ['$SYS/broker/connection/+/state in', undefined],
  ['$SYS/# out', undefined],
  ['$SYS/# in', /\$SYS belongs to this broker/],
  ['broker/# both 0 $SYS/ x/', /\$SYS belongs to this broker/],
  ['$SYS/# in 0 other/', undefined],
  ['$share/g/a in', undefined],
  ['$share/g/a out', undefined],
  ['$share/g/a both', /one direction and no prefix/],
  ['$share/g/a in 0 l/', /one direction and no prefix/],
  ['a in 0 "" $share/g/', /cannot make a shared subscription/],
  ['$share/+/a in', /not a valid/],
]

for (const [line, fault] of faults)
  test(`topic ${line.slice(0, 50)} is ${fault === undefined ? 'fine' : 'refused'}`, () => {
    const found = topicFault(topic(line))
    if (fault === undefined) assert.equal(found, undefined)
    else assert.match(found ?? '', fault)
  })
